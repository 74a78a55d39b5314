/**
 * What a new configuration changes in a system that runs: a plan, service by service, with reasons. Pure; nothing here is
 * carried out.
 */

import type { PublicState } from '../service/public-state.ts';
import { consoleService, type ServiceSpec, type SystemSpec } from '../service/service-spec.ts';
import type { RestartPolicy } from '../service/tries.ts';
import { buildDependencyGraph } from './dependency-graph.ts';

export type ReloadAction =
  /** The service is new, newly enabled, or had failed and has a new definition. */
  | 'start'
  /** The service is no longer configured, or newly disabled. */
  | 'stop'
  /** A directive has changed that needs a new process. */
  | 'restart'
  /** The changed directives take effect at once; process, restart count and log stay as they are. */
  | 'change'
  | 'keep';

export interface ReloadStep {
  readonly action: ReloadAction;
  /** With its suffix. */
  readonly name: string;
  /** Empty for a service that is kept as it is. */
  readonly reasons: readonly string[];
}

export interface ReloadPlan {
  /** In the order in which they are carried out: stops (dependents first), changes, starts and restarts, what is kept. */
  readonly steps: readonly ReloadStep[];
  /** Other parts of the configuration that change, and count from now on: `logging`, and settings by name. */
  readonly settings: readonly string[];
}

type SpecKey = keyof ServiceSpec;

/** What each part of a service's definition means for its process; a key that is missing here does not compile. */
const effects: Readonly<
  Record<Exclude<SpecKey, 'name' | 'enabled' | 'held' | 'announcesSpawn'>, 'process' | 'inPlace'>
> = {
  type: 'process',
  command: 'process',
  argv: 'process',
  directory: 'process',
  environment: 'process',
  late: 'process',
  account: 'process',
  missingAccount: 'process',
  stdin: 'process',
  stdout: 'process',
  stderr: 'process',
  logRate: 'inPlace',
  ownGroup: 'process',
  pidfile: 'process',
  port: 'process',
  interval: 'process',
  cron: 'process',
  maxRuntime: 'inPlace',
  reload: 'inPlace',
  startIf: 'inPlace',
  watchdog: 'process',
  notifyAccess: 'process',
  maxConnections: 'process',
  prerequisites: 'inPlace',
  ties: 'inPlace',
  onPrerequisiteFailure: 'inPlace',
  onPrerequisiteRestart: 'inPlace',
  groups: 'inPlace',
  killSignal: 'inPlace',
  killSteps: 'inPlace',
  stopTimeout: 'inPlace',
  // Hooks count from the next time on at which they run.
  hooks: 'inPlace',
  exitKills: 'inPlace',
  ignoreFailures: 'inPlace',
  optional: 'inPlace',
  processTimeout: 'inPlace',
  startupPause: 'inPlace',
  restart: 'inPlace',
  restartDelay: 'inPlace',
  restartLimit: 'inPlace',
  restartPolicy: 'inPlace',
  successExit: 'inPlace',
  onFailure: 'inPlace',
  onSuccess: 'inPlace',
  remainAfterExit: 'inPlace',
  // Which processes belong to a service is determined at its start.
  killMode: 'process',
  resources: 'process',
  values: 'process',
  debug: 'inPlace',
  // A probe of a start may need a descriptor, or have seen lines of output.
  ready: 'process',
  healthy: 'process',
  onUnhealthy: 'inPlace',
};

/** Names of directives where the key of the spec differs. */
const directiveNames: Readonly<Partial<Record<SpecKey, string>>> = {
  late: 'environment',
  argv: 'command',
  missingAccount: 'account',
  ownGroup: 'setpgrp',
  prerequisites: 'after',
  ties: 'wants, requires',
  onPrerequisiteFailure: 'on_prerequisite_failure',
  onPrerequisiteRestart: 'on_prerequisite_restart',
  groups: 'service_groups',
  logRate: 'log_rate',
  killSignal: 'kill_signal',
  killSteps: 'kill_signal',
  stopTimeout: 'stop_timeout',
  exitKills: 'exit_kills',
  ignoreFailures: 'ignore_failures',
  processTimeout: 'process_timeout',
  startupPause: 'startup_pause',
  restartDelay: 'restart_delay',
  restartLimit: 'restart_limit',
  resources: 'limits and rights',
  values: 'environment',
  successExit: 'success_exit',
  onFailure: 'on_failure',
  onSuccess: 'on_success',
  remainAfterExit: 'remain_after_exit',
  killMode: 'kill_mode',
  notifyAccess: 'notify_access',
  maxConnections: 'max_connections',
  cron: 'schedule',
  maxRuntime: 'max_runtime',
  reload: 'reload_command',
  startIf: 'start_if',
  onUnhealthy: 'on_unhealthy',
};

/** The directives of a restart policy; a key that is missing here does not compile. */
const policyNames: Readonly<Record<keyof RestartPolicy, string>> = {
  always: 'restart',
  startFailure: 'restart_on_start_failure',
  delayMax: 'restart_delay_max',
  backoff: 'restart_backoff',
  jitter: 'restart_jitter',
  window: 'restart_window',
  prevent: 'restart_prevent',
};
const policyKeys = Object.keys(policyNames).filter((key): key is keyof RestartPolicy => key in policyNames);

/**
 * @param stateOf where each service of `before` stands
 * @param isHeldDown tells whether a service was disabled by hand: its processes go on, and the plan starts nothing of it
 */
export function planReload(
  before: SystemSpec,
  after: SystemSpec,
  stateOf: (name: string) => PublicState | undefined,
  isHeldDown: (name: string) => boolean = () => false,
): ReloadPlan {
  const old = new Map(before.services.map((spec) => [spec.name, spec]));
  const kept = new Map(after.services.map((spec) => [spec.name, spec]));
  const zoneChanged = before.timeZone !== after.timeZone;
  const gone = [...buildDependencyGraph(before.services).names].reverse();
  const stops = gone.flatMap((name): readonly ReloadStep[] =>
    kept.has(name) ? [] : [{ action: 'stop', name, reasons: ['no longer in the configuration'] }],
  );
  const steps = buildDependencyGraph(after.services).names.flatMap((name): readonly ReloadStep[] => {
    const next = kept.get(name);
    return next === undefined
      ? []
      : [heldBack(planService(old.get(name), next, stateOf(name), zoneChanged), old.has(name) && isHeldDown(name))];
  });
  const disabled = steps.filter(({ action }) => action === 'stop').reverse();
  const position = new Map(gone.map((name, index) => [name, index]));
  const allStops = [...stops, ...disabled].sort(
    (left, right) => (position.get(left.name) ?? 0) - (position.get(right.name) ?? 0),
  );
  const only = (...actions: readonly ReloadAction[]) => steps.filter(({ action }) => actions.includes(action));
  return {
    steps: [...allStops, ...only('change'), ...only('start', 'restart'), ...only('keep')],
    settings: changedSettings(before, after),
  };
}

/** True where a plan changes nothing at all. */
export function isEmptyPlan({ steps, settings }: ReloadPlan): boolean {
  return settings.length === 0 && steps.every(({ action }) => action === 'keep');
}

/** Takes starts out of the step of a service that was disabled by hand. */
function heldBack(step: ReloadStep, isHeld: boolean): ReloadStep {
  if (!isHeld || step.action !== 'restart') return step;
  return { ...step, action: 'change', reasons: [...step.reasons, 'disabled by hand: what runs goes on as it is'] };
}

function planService(
  before: ServiceSpec | undefined,
  after: ServiceSpec,
  state: PublicState | undefined,
  zoneChanged: boolean,
): ReloadStep {
  const { name } = after;
  if (before === undefined) {
    return after.enabled
      ? { action: 'start', name, reasons: ['new'] }
      : { action: 'change', name, reasons: ['new, and disabled'] };
  }
  const changed = changedKeys(before, after);
  const otherZone = zoneChanged && after.type === 'cron';
  const reasons = [...reasonsOf(changed, before, after), ...(otherZone ? ['time zone changed'] : [])];
  if (name === consoleService) return planConsole(after, state, changed, reasons);
  if (!after.enabled) {
    if (before.enabled && isUp(state)) return { action: 'stop', name, reasons: ['disabled', ...reasons] };
    if (before.enabled) return { action: 'change', name, reasons: ['disabled', ...reasons] };
    return reasons.length === 0 ? { action: 'keep', name, reasons } : { action: 'change', name, reasons };
  }
  if (!before.enabled) {
    // Somebody may have started the service by hand: then the plan compares definitions as for any running service.
    if (!isUp(state)) return { action: 'start', name, reasons: ['enabled', ...reasons] };
    if (reasons.length === 0) return { action: 'change', name, reasons: ['enabled'] };
  }
  if (reasons.length === 0) return { action: 'keep', name, reasons };
  if (!otherZone && !changed.some(needsProcess)) return { action: 'change', name, reasons };
  switch (state) {
    case 'starting':
    case 'ready':
    case 'exited':
    case 'backoff':
    case 'stopping':
      return { action: 'restart', name, reasons };
    case 'failed':
      return { action: 'start', name, reasons: [...reasons, 'it had failed'] };
    case 'stopped':
      return { action: 'change', name, reasons: [...reasons, 'stopped by hand, stays so'] };
    case 'pending':
    case 'disabled':
    case undefined:
      return { action: 'change', name, reasons };
  }
}

/** The command of the command line is the purpose of the container: a reload neither stops nor restarts it. */
function planConsole(
  { name }: ServiceSpec,
  state: PublicState | undefined,
  changed: readonly EffectKey[],
  reasons: readonly string[],
): ReloadStep {
  if (reasons.length === 0) return { action: 'keep', name, reasons };
  const goesOn = state !== 'pending' && changed.some(needsProcess);
  return { action: 'change', name, reasons: goesOn ? [...reasons, 'the command goes on as it is'] : reasons };
}

function isUp(state: PublicState | undefined): boolean {
  switch (state) {
    case 'pending':
    case 'starting':
    case 'ready':
    case 'exited':
    case 'stopping':
    case 'backoff':
      return true;
    case 'disabled':
    case 'stopped':
    case 'failed':
    case undefined:
      return false;
  }
}

function changedKeys(before: ServiceSpec, after: ServiceSpec) {
  return effectKeys.filter((key) => !same(before[key], after[key]));
}

type EffectKey = keyof typeof effects;

function needsProcess(key: EffectKey): boolean {
  return effects[key] === 'process';
}

const effectKeys = Object.keys(effects).filter(isEffectKey);

/** The directives whose change leaves the process alone. */
export const inPlaceDirectives = [
  ...new Set(
    effectKeys
      .filter((key) => !needsProcess(key))
      .flatMap((key) => (key === 'restartPolicy' ? Object.values(policyNames) : [directiveName(key)])),
  ),
];

function directiveName(key: SpecKey): string {
  return directiveNames[key] ?? key;
}

function isEffectKey(key: string): key is EffectKey {
  return Object.hasOwn(effects, key);
}

function reasonsOf(keys: readonly SpecKey[], before: ServiceSpec, after: ServiceSpec): readonly string[] {
  const names = keys.flatMap((key) => (key === 'restartPolicy' ? changedPolicy(before, after) : [directiveName(key)]));
  return [...new Set(names.map((name) => `${name} changed`))];
}

function changedPolicy({ restartPolicy: before = {} }: ServiceSpec, { restartPolicy: after = {} }: ServiceSpec) {
  return policyKeys.flatMap((key) => (same(before[key], after[key]) ? [] : [policyNames[key]]));
}

/** Settings that are no part of a service; a key that is missing here does not compile. */
const settingNames: Readonly<Record<Exclude<keyof SystemSpec, 'services' | 'templates' | 'fileCount'>, string>> = {
  logging: 'logging',
  idleDelay: 'idle_delay',
  shutdownTimeout: 'shutdown_timeout',
  detectExit: 'detect_exit',
  enableSyslog: 'enable_syslog',
  statusInterval: 'status_interval',
  timeZone: 'time zone',
  logSocket: 'log socket',
  maxLine: 'max_line',
  journal: 'inspect',
  otel: 'otel',
  metrics: 'metrics',
  control: 'control',
  watched: 'compat',
  variableFolder: 'compat',
};

function changedSettings(before: SystemSpec, after: SystemSpec): readonly string[] {
  return Object.entries(settingNames)
    .filter(([key]) => isSettingKey(key) && !same(before[key], after[key]))
    .map(([, name]) => name);
}

function isSettingKey(key: string): key is keyof typeof settingNames {
  return Object.hasOwn(settingNames, key);
}

/** Equality of plain values; the order of keys does not count. */
function same(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const entries = Object.entries(left).filter(([, value]) => value !== undefined);
  const others = new Map(Object.entries(right).filter(([, value]) => value !== undefined));
  return (
    entries.length === others.size && entries.every(([key, value]) => others.has(key) && same(value, others.get(key)))
  );
}

/** A service that would be stopped and could not be started again, and why: `db is stopped`. */
export interface Unstartable {
  /** With its suffix. */
  readonly name: string;
  readonly reason: string;
}

/**
 * The plan as people read it, a line a step, with what is kept in the last one.
 *
 * @param unstartable the services because of which the reload is refused; empty where it is not
 */
export function renderPlan(plan: ReloadPlan, unstartable: readonly Unstartable[] = []): string {
  const busy = plan.steps.filter(({ action }) => action !== 'keep');
  const kept = plan.steps.length - busy.length;
  const rows = [
    ...busy.map(({ action, name, reasons }) => [action, name, reasons.join(', ')] as const),
    ...unstartable.map(({ name, reason }) => ['refused', name, reason] as const),
  ];
  const width = Math.max(0, ...rows.map(([, name]) => name.length));
  const lines = rows.map(([word, name, text]) => `${word.padEnd(7)}  ${name.padEnd(width)}  ${text}`.trimEnd());
  const settings = plan.settings.length === 0 ? [] : [`settings  ${plan.settings.join(', ')}: from now on`];
  const rest = `${kept} service${kept === 1 ? '' : 's'} kept as ${kept === 1 ? 'it is' : 'they are'}`;
  return `${[...lines, ...settings, lines.length + settings.length === 0 ? `nothing has changed; ${rest}` : rest].join('\n')}\n`;
}
