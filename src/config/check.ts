/**
 * Checks everything about a configuration that can be known without starting it and that the loader does not check: files
 * that services need, claims of two sections that conflict, and what the order makes impossible.
 *
 * An error makes a start fail or a section useless; a warning is about something that may be intended.
 */

import { parseSelector, selectsNothing } from '../model/log/selector.ts';
import { buildDependencyGraph } from '../model/order/dependency-graph.ts';
import type { ServiceSpec, SystemSpec } from '../model/service/service-spec.ts';
import type { Diagnostic } from '../model/words/diagnostic.ts';
import { checkConflicts } from './check-conflicts.ts';
import { checkHooks } from './check-hooks.ts';
import { checkReachable, checkStop, startOutlook } from './check-order.ts';
import type { Places } from './check-places.ts';
import { type CheckContext, checkProgram, type Outlook, type Probe } from './check-programs.ts';
import { checkSchedules, type NextTimes, type ScheduleRow } from './check-schedules.ts';
import { checkValues } from './check-values.ts';
import { checkWords } from './check-words.ts';
import { createReport } from './report.ts';

export interface CheckPorts {
  readonly places: Places;
  readonly probe: Probe;
  readonly nextTimes: NextTimes;
  /** Names of the variables that a start inherits; absent where that is not known. */
  readonly inherited?: readonly string[];
}

/** A service as a start would treat it. */
export interface ServiceRow {
  readonly spec: ServiceSpec;
  /** The layer, from 1; services of one layer may start together. */
  readonly layer: number;
  readonly starts: boolean;
  /** Why the service does not start. */
  readonly note?: string;
}

export interface Findings {
  /** In the order of files and lines. */
  readonly diagnostics: readonly Diagnostic[];
  /** In start order. */
  readonly services: readonly ServiceRow[];
  readonly schedules: readonly ScheduleRow[];
}

/** @param spec has been loaded without errors */
export function checkSystem(spec: SystemSpec, { places, probe, nextTimes, inherited }: CheckPorts): Findings {
  const report = createReport();
  const graph = buildDependencyGraph(spec.services);
  const services = new Map(spec.services.map((service) => [service.name, service]));
  const context: CheckContext = { graph, services, places, probe, report };

  const outlooks = new Map(spec.services.map((service) => [service.name, outlookOf(service, context)]));
  const starting = spec.services.filter(({ name }) => outlooks.get(name)?.kind !== 'disabled');
  if (spec.services.length === 0) {
    report.warning('no-services', 'there are no services: without a command, there is nothing to run', undefined);
  } else if (starting.length === 0) {
    report.warning('all-disabled', 'all services are disabled: without a command, the system ends at once', undefined);
  }
  const unreachable = checkReachable(outlooks, context);
  checkConflicts(starting, context);
  checkValues(starting, context);
  checkWords(starting, inherited, context);
  checkHooks(spec, starting, context);
  checkSelectors(spec, context);
  checkStop(spec, outlooks, context);
  const schedules = checkSchedules(starting, nextTimes, context);

  const rows = graph.names.flatMap((name): readonly ServiceRow[] => {
    const service = services.get(name);
    if (service === undefined) return [];
    const layer = (graph.nodes[name]?.layer ?? 0) + 1;
    const outlook = outlooks.get(name);
    if (outlook?.kind === 'disabled') return [{ spec: service, layer, starts: false, note: outlook.why }];
    if (outlook?.kind === 'fails' && !outlook.runs) {
      return [{ spec: service, layer, starts: false, note: outlook.why.replace('whose', 'its') }];
    }
    if (unreachable.has(name)) return [{ spec: service, layer, starts: false, note: 'can never start' }];
    return [{ spec: service, layer, starts: true }];
  });
  return { diagnostics: report.finish(places.files), services: rows, schedules };
}

function outlookOf(service: ServiceSpec, context: CheckContext): Outlook {
  const program = checkProgram(service, context);
  return program.kind === 'starts' ? startOutlook(service, context) : program;
}

function checkSelectors({ logging }: SystemSpec, { places, report }: CheckContext): void {
  for (const { name, enabled, selector } of logging) {
    if (!enabled) continue;
    const read = parseSelector(selector);
    if (!read.ok || !selectsNothing(read.selector)) continue;
    report.warning('empty-selector', `selector of ${name} selects nothing`, places.directive(name, 'selector'), {
      hint: 'expected at least one part that takes something, such as *.info',
    });
  }
}
