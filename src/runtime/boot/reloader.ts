/**
 * A reload from the request to the machines: the files are read and checked as at the boot, the changes are planned,
 * and only then anything is changed. Reloads run one at a time, in the order of their requests; each starts from the
 * configuration that the one before it has put in force, even if that one's stops and starts are not finished.
 */
import { renderErrors, renderWarnings } from '../../config/render-diagnostics.ts';
import { nothingReloaded } from '../../control/answer.ts';
import type { ReloadRequest, ReloadResult } from '../../control/supervisor.ts';
import { isHeldDown, stateForPlan } from '../../model/ledger/reload.ts';
import { unstartableAfter } from '../../model/ledger/unstartable.ts';
import { missingProgram } from '../../model/log/explain.ts';
import { reloadRefused, reloadStep } from '../../model/log/messages.ts';
import { buildDependencyGraph } from '../../model/order/dependency-graph.ts';
import { planReload, type ReloadPlan, renderPlan, type Unstartable } from '../../model/order/reload-plan.ts';
import type { SystemSpec } from '../../model/service/service-spec.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import type { Assembly } from '../assembly.ts';
import type { Kernel } from '../kernel.ts';
import type { Configured } from './configure.ts';
import { type Preflight, preflight } from './preflight.ts';

export interface ReloadPorts {
  readonly kernel: Kernel;
  readonly assembly: Assembly;
  /** Reads the configuration as the boot did, with the options of the command line. */
  readonly configure: () => Promise<Configured>;
  /** Loads code that the new configuration needs; returns why it cannot be loaded. */
  readonly prepare: (spec: SystemSpec) => Promise<string | undefined>;
}

/** A checked configuration, and what it would change at this moment. */
export interface Candidate extends Preflight {
  readonly plan: ReloadPlan;
  /** Services that the plan would stop and that could not start again in the new configuration. */
  readonly unstartable: readonly Unstartable[];
}

export function candidateOf(kernel: Kernel, { system, spec }: Assembly, config: SystemSpec): Candidate {
  const checked = preflight(kernel, config);
  const { ledger } = system.getSnapshot().context;
  const plan = planReload(
    spec(),
    checked.spec,
    (name) => stateForPlan(ledger, name),
    (name) => isHeldDown(ledger, name),
  );
  return {
    ...checked,
    plan,
    unstartable: unstartableAfter(ledger, plan, buildDependencyGraph(checked.spec.services), checked.spec.services),
  };
}

export class Reloader {
  readonly #ports: ReloadPorts;
  #last: Promise<unknown> = Promise.resolve();
  /** True while a SIGHUP waits for its turn: another SIGHUP then adds nothing. */
  #hangupWaits = false;

  constructor(ports: ReloadPorts) {
    this.#ports = ports;
  }

  reload(request: ReloadRequest): Promise<ReloadResult> {
    return this.#inTurn(() => this.#reload(request));
  }

  /** Reloads at SIGHUP; errors go to the log, because a signal has no other reply. */
  async hangUp(): Promise<void> {
    if (this.#hangupWaits) return;
    this.#hangupWaits = true;
    const { say } = this.#ports.assembly;
    const result = await this.#inTurn(() => {
      this.#hangupWaits = false;
      return this.#reload({ dryRun: false, force: false });
    });
    if (result.kind === 'mistakes') for (const line of linesOf(result.report)) say(reloadRefused(line));
    if (result.kind === 'unstartable') say(reloadRefused(nothingReloaded(result.services)));
    if (result.kind === 'ending') say(reloadRefused('the system is shutting down'));
  }

  #inTurn(act: () => Promise<ReloadResult>): Promise<ReloadResult> {
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #reload({ dryRun, force }: ReloadRequest): Promise<ReloadResult> {
    const { assembly, kernel, configure, prepare } = this.#ports;
    const { diagnostics, messages, spec: config, path } = await configure();
    const warnings = renderWarnings(diagnostics);
    const mistakes = (more: readonly Diagnostic[]): ReloadResult => {
      const all = [...diagnostics, ...more];
      return { kind: 'mistakes', report: `${warnings}${renderErrors(all, 'nothing was changed')}`, diagnostics: all };
    };
    if (config === undefined) return mistakes([]);
    if (config.services.length === 0) {
      return mistakes([{ severity: 'error', code: 'no-services', message: `there are no services in ${path}` }]);
    }
    const problem = await prepare(config);
    if (problem !== undefined) return mistakes([{ severity: 'error', code: 'addon-not-loaded', message: problem }]);
    // The shutdown may have begun while the configuration was read.
    if (isEnding(assembly)) return { kind: 'ending' };
    // Nothing is awaited from here on, so that the plan fits the state of the services.
    const candidate = candidateOf(kernel, assembly, config);
    const { plan, missing, spec, unstartable } = candidate;
    if (missing.length > 0) {
      return mistakes(
        missing.map(({ service, error }) => ({
          severity: 'error',
          code: 'program-not-found',
          message: `${service}: ${missingProgram(error)}`,
          hint: 'install it, correct "command", or set "optional: true" or "enabled: false" for the service',
        })),
      );
    }
    if (dryRun) return { kind: 'planned', plan, warnings, unstartable };
    if (unstartable.length > 0 && !force) return { kind: 'unstartable', services: unstartable };
    for (const message of [...messages, ...candidate.messages]) assembly.say(message);
    for (const line of linesOf(renderPlan(plan))) assembly.say(reloadStep(line));
    assembly.reload(spec, plan);
    return { kind: 'begun', plan, warnings };
  }
}

function isEnding({ system }: Assembly): boolean {
  const snapshot = system.getSnapshot();
  return snapshot.status !== 'active' || snapshot.matches('draining') || snapshot.matches('halted');
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
