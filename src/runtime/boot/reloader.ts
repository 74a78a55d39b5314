/**
 * A reload from the request to the machines: the files are read and checked as at the boot, the changes are planned,
 * and only then anything is changed. Reloads run one at a time, in the order of their requests; each starts from the
 * configuration that the one before it has put in force, even if that one's stops and starts are not finished.
 */
import { renderErrors, renderWarnings } from '../../config/render-diagnostics.ts';
import type { Scales } from '../../config/templates.ts';
import { nothingReloaded } from '../../control/answer.ts';
import type { ReloadRequest, ReloadResult, ScaleChange, ScaleResult } from '../../control/supervisor.ts';
import { isHeldDown, stateForPlan } from '../../model/ledger/reload.ts';
import { unstartableAfter } from '../../model/ledger/unstartable.ts';
import { missingProgram } from '../../model/log/explain.ts';
import { folderChanged, reloadRefused, reloadStep, templateScaled } from '../../model/log/messages.ts';
import { buildDependencyGraph } from '../../model/order/dependency-graph.ts';
import {
  planReload,
  type ReloadAction,
  type ReloadPlan,
  renderPlan,
  type Unstartable,
} from '../../model/order/reload-plan.ts';
import type { SystemSpec } from '../../model/service/service-spec.ts';
import { templateOf } from '../../model/service/template.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { Assembly } from '../assembly.ts';
import type { Clock, Kernel } from '../kernel.ts';
import type { Again, Configured } from './configure.ts';
import { type Preflight, preflight } from './preflight.ts';

export interface ReloadPorts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly assembly: Assembly;
  /** Reads the configuration as the boot did, with the options of the command line. */
  readonly configure: (scales: Scales) => Promise<Configured>;
  /** Makes the configuration of the boot with other numbers of instances; undefined where it has no templates. */
  readonly again?: Again | undefined;
  /** Looks into the folders that the configuration of the boot watches. */
  readonly refresh?: (() => boolean) | undefined;
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

/** ms between two looks for folders of services, as runsvdir(8) has it. */
const rescanInterval = 5_000;

export class Reloader {
  readonly #ports: ReloadPorts;
  #last: Promise<unknown> = Promise.resolve();
  /** True while a SIGHUP waits for its turn: another SIGHUP then adds nothing. */
  #hangupWaits = false;

  /** Makes the configuration that is in force with other numbers of instances. */
  #again: Again | undefined;
  #refresh: (() => boolean) | undefined;
  #isLooking = false;

  constructor(ports: ReloadPorts) {
    this.#ports = ports;
    this.#again = ports.again;
    this.#refresh = ports.refresh;
    this.#lookAgain();
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

  /** Changes the numbers of instances of the configuration in force; no file is read. */
  scale(templates: readonly string[], count: number): Promise<ScaleResult> {
    return this.#inTurn(() => this.#scale(templates, count));
  }

  /** Looks, after a while and from then on, for folders of services that have come or gone. */
  #lookAgain(): void {
    if (this.#isLooking || this.#refresh === undefined) return;
    this.#isLooking = true;
    const { clock, assembly } = this.#ports;
    clock.setTimeout(() => {
      this.#inTurn(() => this.#rescan())
        .catch((error: unknown) => assembly.say(reloadRefused(`internal error: ${messageOf(error)}`)))
        .finally(() => {
          this.#isLooking = false;
          this.#lookAgain();
        });
    }, rescanInterval);
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #reload({ dryRun, force }: ReloadRequest): Promise<ReloadResult> {
    const { assembly, configure } = this.#ports;
    const configured = await configure(scalesOf(assembly));
    const { diagnostics, messages, spec: config, path } = configured;
    if (config?.services.length === 0) {
      const message = `there are no services in ${path}`;
      return mistakes(diagnostics, [{ severity: 'error', code: 'no-services', message }]);
    }
    const found = await this.#examine(configured);
    if (found.kind !== 'candidate') return found;
    const { plan, spec, unstartable } = found;
    const warnings = renderWarnings(diagnostics);
    if (dryRun) return { kind: 'planned', plan, warnings, unstartable };
    if (unstartable.length > 0 && !force) return { kind: 'unstartable', services: unstartable };
    for (const message of [...messages, ...found.messages]) assembly.say(message);
    for (const line of linesOf(renderPlan(plan))) assembly.say(reloadStep(line));
    this.#again = configured.again;
    this.#refresh = configured.refresh;
    this.#lookAgain();
    assembly.reload(spec, plan);
    return { kind: 'begun', plan, warnings };
  }

  async #scale(names: readonly string[], count: number): Promise<ScaleResult> {
    const { assembly } = this.#ports;
    const chosen = (assembly.spec().templates ?? []).filter(({ name }) => names.includes(name));
    const unknown = names.filter((name) => !chosen.some((template) => template.name === name));
    const listed = chosen.filter(({ configured }) => configured.kind === 'list').map(({ name }) => name);
    if (this.#again === undefined || unknown.length > 0) return { kind: 'unknown', names: unknown };
    if (listed.length > 0) return { kind: 'listed', names: listed };
    const scales = new Map(scalesOf(assembly));
    for (const { name, configured } of chosen) scales.set(name, { count, configured });
    const configured = await this.#again(scales, assembly.exits.exitOf);
    const found = await this.#examine(configured);
    if (found.kind !== 'candidate') return found;
    const { plan, spec, unstartable } = found;
    if (unstartable.length > 0) return { kind: 'unstartable', services: unstartable };
    for (const message of [...configured.messages, ...found.messages]) assembly.say(message);
    const changes = chosen.map(({ name }) => changeOf(plan, name, count));
    for (const change of changes) assembly.say(templateScaled(change));
    const services = changes.flatMap(({ started, stopped }) => [...started, ...stopped]);
    assembly.feed.tell({ type: 'requested', verb: 'scale', services });
    assembly.reload(spec, plan, 'scale');
    return { kind: 'begun', changes };
  }

  /** Takes services whose folders have come, and stops those whose folders have gone; no file of the configuration is read. */
  async #rescan(): Promise<void> {
    const { assembly } = this.#ports;
    const { say } = assembly;
    if (this.#again === undefined || isEnding(assembly) || this.#refresh?.() !== true) return;
    const configured = await this.#again(scalesOf(assembly), assembly.exits.exitOf);
    const found = await this.#examine(configured);
    if (found.kind === 'mistakes') for (const line of linesOf(found.report)) say(reloadRefused(line));
    const changes = found.kind === 'candidate' ? found.plan.steps.filter(({ action }) => action !== 'keep') : [];
    if (found.kind !== 'candidate' || changes.length === 0) return;
    for (const { action, name } of changes) say(folderChanged(action, name));
    assembly.reload(found.spec, found.plan);
  }

  /** Checks a configuration against the machine and against what runs. Nothing is awaited behind the check, so that the plan fits. */
  async #examine({ diagnostics, spec }: Configured): Promise<Examined> {
    const { assembly, kernel, prepare } = this.#ports;
    if (spec === undefined) return mistakes(diagnostics, []);
    const problem = await prepare(spec);
    if (problem !== undefined)
      return mistakes(diagnostics, [{ severity: 'error', code: 'addon-not-loaded', message: problem }]);
    // The shutdown may have begun while the configuration was read.
    if (isEnding(assembly)) return { kind: 'ending' };
    const candidate = candidateOf(kernel, assembly, spec);
    if (candidate.missing.length === 0) return { kind: 'candidate', ...candidate };
    return mistakes(
      diagnostics,
      candidate.missing.map(({ service, error }) => ({
        severity: 'error',
        code: 'program-not-found',
        message: `${service}: ${missingProgram(error)}`,
        hint: 'install it, correct "command", or set "optional: true" or "enabled: false" for the service',
      })),
    );
  }
}

type Examined =
  | ({ readonly kind: 'candidate' } & Candidate)
  | Extract<ReloadResult, { readonly kind: 'mistakes' | 'ending' }>;

function mistakes(
  diagnostics: readonly Diagnostic[],
  more: readonly Diagnostic[],
): ReloadResult & { readonly kind: 'mistakes' } {
  const all = [...diagnostics, ...more];
  const report = `${renderWarnings(diagnostics)}${renderErrors(all, 'nothing was changed')}`;
  return { kind: 'mistakes', report, diagnostics: all };
}

/** The numbers of instances that people have asked for by `scale`, as long as the files do not say otherwise. */
function scalesOf(assembly: Assembly): Scales {
  const { templates = [] } = assembly.spec();
  return new Map(
    templates.flatMap(({ name, configured, scaled }) =>
      scaled === undefined ? [] : [[name, { count: scaled, configured }] as const],
    ),
  );
}

/** What a plan does with the instances of one template. */
function changeOf({ steps }: ReloadPlan, template: string, count: number): ScaleChange {
  const own = steps.filter(({ name }) => templateOf(name) === template);
  const namesOf = (...actions: readonly ReloadAction[]): readonly string[] =>
    own.flatMap(({ action, name }) => (actions.includes(action) ? [name] : []));
  return { template, count, started: namesOf('start'), stopped: namesOf('stop') };
}

function isEnding({ system }: Assembly): boolean {
  const snapshot = system.getSnapshot();
  return snapshot.status !== 'active' || snapshot.matches('draining') || snapshot.matches('halted');
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
