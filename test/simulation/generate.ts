/** Draws worlds: the same seed gives the same world on every machine and every version of Node. */

import { hookStages } from '../../src/model/service/hook.ts';
import type { OnUnhealthy, Probe, ProbeCheck, ProbeTree } from '../../src/model/service/probe.ts';
import type { ServiceSpec, ServiceType } from '../../src/model/service/service-spec.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import type { Script, ServedAnswer, Step } from '../../src/runtime/simulated/script.ts';
import {
  type Command,
  type Deed,
  type Fault,
  type FaultName,
  type HookPlans,
  type Moment,
  moments,
  type ServicePlan,
  specOf,
  type When,
  type WorldPlan,
} from './plan.ts';
import { Random } from './random.ts';
import {
  randomForkingScript,
  randomHookScript,
  randomLeaderScript,
  randomNotifyScript,
  randomReaction,
  randomScript,
  randomSettlingScript,
  randomWrapperScript,
  relay,
  withChild,
  withLines,
} from './random-programs.ts';
import { withSteering } from './steer.ts';

/** The numbers of outputs begin elsewhere than those of the rest. */
const outlets = 0x0d_ea1;
/** And so do those of what leads worlds to rare places. */
const steering = 0x57_ee_12;
/** ms within which faults and commands come; the end may come a little later. */
const span = 15_000;
/** One world in so many is large. */
const largeEvery = 200;
const largest = 60;
const mostServices = 8;
/** The share of worlds about processes that outlive their leader, owners of processes, and requests during an end. */
const crossings = 0.45;

/** The random parts of a type: how often it is drawn, its special settings, and its programs. */
interface TypeEntry {
  readonly weight: number;
  spec(random: Random, index: number): Partial<ServiceSpec>;
  script(random: Random, spec: Partial<ServiceSpec>): Script;
}

const types: Readonly<Record<ServiceType, TypeEntry>> = {
  simple: {
    weight: 5,
    spec: (random, index) => (random.chance(0.15) ? { pidfile: `/run/s${index}.pid` } : {}),
    script: (random, { pidfile, startupPause = 500 }) => {
      if (pidfile !== undefined)
        return random.chance(0.6) ? randomWrapperScript(random, pidfile) : randomForkingScript(random, pidfile);
      return random.chance(0.15) ? randomSettlingScript(random, startupPause) : randomScript(random);
    },
  },
  oneshot: { weight: 2, spec: () => ({}), script: randomScript },
  forking: {
    weight: 3,
    spec: (random, index) => ({
      ...(random.chance(0.7) ? { pidfile: `/run/s${index}.pid` } : {}),
      ...(random.chance(0.8) ? {} : { killMode: 'process' }),
    }),
    script: (random, { pidfile }) => randomForkingScript(random, pidfile),
  },
  notify: {
    weight: 3,
    spec: (random) => ({
      ...(random.chance(0.4) ? { watchdog: random.integer(100, 2_000) } : {}),
      ...(random.chance(0.8) ? {} : { killMode: 'process' }),
    }),
    script: (random, { watchdog }) => randomNotifyScript(random, watchdog),
  },
  inetd: {
    weight: 2,
    spec: (random, index) => ({ port: 8_000 + index, maxConnections: random.integer(1, 4) }),
    script: randomScript,
  },
  cron: {
    weight: 2,
    spec: (random) => ({
      interval: random.pick(['* * * * * *', '* * * * * */3', '* * * * * */7', '@hourly', '30 4 * * *']),
    }),
    script: randomScript,
  },
};

const serviceTypes: readonly ServiceType[] = ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'];
const weightedTypes = serviceTypes.flatMap((type) => Array.from({ length: types[type].weight }, () => type));

export function generateWorld(seed: number): WorldPlan {
  const random = new Random(seed);
  // Accounts and intruders have numbers of their own, so that the rest of each world stays what it was before there were any.
  const intrusion = new Random(~seed);
  const policy = new Random(seed ^ 0x5bd1e995);
  const count = seed % largeEvery === largeEvery - 1 ? largest : random.integer(1, mostServices);
  const crosses = random.chance(crossings);
  // Ties have numbers of their own, too.
  const ties = new Random(seed ^ 0x71e5);
  const policed = withoutContradiction(withTies(ties, drawConfiguration(random, seed, count, crosses)));
  const plan = { ...policed, services: policed.services.map((service) => withPolicy(policy, service)) };
  // Probes have numbers of their own, too.
  const services = withProbes(new Random(seed ^ 0x70_72_6f_62), plan.services);
  const faults = [...drawFaults(random, plan), ...drawIntruders(intrusion, plan)];
  const commands = [...drawCommands(random, services), ...(crosses ? drawCrossings(random, services) : [])];
  const end = random.integer(0, span + 5_000);
  // Hooks, too, are drawn apart.
  const hooked = withHooks(new Random(seed ^ 0x5bd1e995), services);
  const reading = new Random(seed ^ 0x5eed);
  const withFiles = withValues(reading, withAccounts(intrusion, hooked));
  const lost = withFiles.flatMap((service) => drawLostValues(reading, service));
  const running = new Random(seed ^ 0xc707);
  const withLimits = withRarities(
    new Random(seed ^ 0x4a_4e),
    withCommands(new Random(seed ^ 0xc0_3a), withRuns(running, withFiles)),
  );
  const asked = drawRequests(running, withLimits);
  const whole = { ...plan, services: withLimits, faults: [...faults, ...lost], commands: [...commands, ...asked], end };
  return withSteering(new Random(seed ^ steering), withOutlets(new Random(seed ^ outlets), whole));
}

/** The path of a condition; no file of a world has it. */
export const neverThere = '/run/never';

/** Some services have directives about their runs: schedules, limits, conditions and reloads. */
function withRuns(random: Random, services: readonly ServicePlan[]): readonly ServicePlan[] {
  return services.map((service) => ({ ...service, spec: { ...service.spec, ...drawRuns(random, service) } }));
}

/**
 * Some services ask a command whether to start, or are told by one to reload; some hear their own reload signal, and say so.
 * These have numbers of their own.
 */
function withCommands(random: Random, services: readonly ServicePlan[]): readonly ServicePlan[] {
  return services.map((service) => {
    const { name, type, spec } = service;
    const asks = random.chance(0.08);
    const condition = { kind: 'command', command: 'asks', argv: [`condition:${programOf(name)}`] } as const;
    const startIf = random.pick([
      condition,
      { kind: 'not', of: condition },
      { kind: 'all', of: [condition, condition] },
    ] as const);
    const reloads = (type === 'simple' || type === 'notify') && random.chance(0.15);
    const reload = { kind: 'command', command: 'reload', argv: [`reload:${programOf(name)}`] } as const;
    const draw = (): readonly Script[] => Array.from({ length: random.integer(1, 3) }, () => drawCommandScript(random));
    const commands = { ...(asks ? { condition: draw() } : {}), ...(reloads ? { reload: draw() } : {}) };
    const changed = { ...spec, ...(asks ? { startIf } : {}), ...(reloads ? { reload } : {}) };
    const programs =
      type === 'notify' && changed.reload !== undefined
        ? service.programs.map((program) => reloading(random, changed.reload, program))
        : service.programs;
    return { ...service, spec: changed, programs, ...(asks || reloads ? { commands } : {}) };
  });
}

function programOf(service: string): string {
  return service.replace(/\.service$/, '');
}

function drawCommandScript(random: Random): Script {
  const end = random.pick<readonly Step[]>([
    [],
    [],
    [],
    [{ do: 'exit', code: 1 }],
    [{ do: 'exit', code: 255 }],
    [{ do: 'die', signal: 'SIGSEGV' }],
    [{ do: 'hang' }],
  ]);
  const child: readonly Step[] = random.chance(0.25)
    ? [{ do: 'fork', script: { steps: [{ do: 'hang' }] }, detached: random.chance(0.2) }]
    : [];
  return {
    steps: [...child, { do: 'wait', ms: random.pick([0, 0, 20, 400, 2_000]) }, ...end],
    ...(random.chance(0.3) ? { onSignal: { SIGTERM: 'ignore' } } : {}),
  };
}

/** The program says that it reloads and that it has done so: at a signal, or again and again for a command that tells it otherwise. */
function reloading(random: Random, method: ServiceSpec['reload'], script: Script): Script {
  const says = (): readonly Step[] => [
    { do: 'notify', text: random.pick(['RELOADING=1', 'RELOADING=1', 'RELOADING=1\nMONOTONIC_USEC=99999999999999']) },
    { do: 'wait', ms: random.pick([0, 20, 900]) },
    ...(random.chance(0.8) ? [{ do: 'notify', text: 'READY=1' } as const] : []),
  ];
  if (method?.kind === 'signal')
    return random.chance(0.8)
      ? { ...script, onSignal: { ...script.onSignal, [method.signal]: [...says(), { do: 'hang' }] } }
      : script;
  const often = Array.from({ length: 8 }, (): readonly Step[] => [
    { do: 'wait', ms: random.pick([100, 400, 1_500]) },
    ...says(),
  ]).flat();
  return random.chance(0.8)
    ? { ...script, steps: [...script.steps.slice(0, -1), ...often, ...script.steps.slice(-1)] }
    : script;
}

/** Settings and notifications that are seldom used. These have numbers of their own. */
function withRarities(random: Random, services: readonly ServicePlan[]): readonly ServicePlan[] {
  return services.map((service) => {
    const { type, spec } = service;
    const rare: Partial<ServiceSpec> = {
      ...(random.chance(0.1) ? { stderr: 'stdout' } : {}),
      ...(spec.killMode === undefined && random.chance(0.05) ? { ownGroup: false } : {}),
      ...(type === 'notify' && random.chance(0.3)
        ? { notifyAccess: random.pick(['exec', 'exec', 'main', 'none'] as const) }
        : {}),
    };
    const programs = type === 'notify' ? service.programs.map((program) => saying(random, program)) : service.programs;
    return { ...service, spec: { ...spec, ...rare }, programs };
  });
}

/** The program sends a notification that is seldom used between two of its steps. */
function saying(random: Random, script: Script): Script {
  if (random.chance(0.7)) return script;
  const at = random.integer(0, script.steps.length - 1);
  const text = random.pick([
    'MONOTONIC_USEC=1',
    'WATCHDOG_USEC=200000',
    'NOTIFYACCESS=main',
    'NOTIFYACCESS=none',
    'EXIT_STATUS=7',
    'EXIT_STATUS=0',
  ]);
  return { ...script, steps: [...script.steps.slice(0, at), { do: 'notify', text }, ...script.steps.slice(at)] };
}

function drawRuns(random: Random, { type, spec: { pidfile } }: ServicePlan): Partial<ServiceSpec> {
  const limited = (type !== 'forking' || pidfile !== undefined) && random.chance(0.1);
  const isThere = { kind: 'file', path: neverThere } as const;
  const conditions = [isThere, { kind: 'not', of: isThere }, { kind: 'env', name: 'NEVER_SET' }] as const;
  const reloads = (type === 'simple' || type === 'notify') && random.chance(0.2);
  return {
    ...(limited ? { maxRuntime: random.pick([200, 1_000, 4_000]) } : {}),
    ...(random.chance(0.08) ? { startIf: random.pick(conditions) } : {}),
    ...(reloads ? { reload: { kind: 'signal', signal: random.pick(['SIGHUP', 'SIGUSR1'] as const) } } : {}),
    ...(type === 'cron' ? { cron: drawCron(random) } : {}),
  };
}

function drawCron(random: Random): NonNullable<ServiceSpec['cron']> {
  return {
    ...(random.chance(0.5) ? { overlap: random.pick(['queue', 'replace'] as const) } : {}),
    ...(random.chance(0.2) ? { jitter: random.pick([100, 2_000]) } : {}),
    ...(random.chance(0.3) ? { runAtStart: true } : {}),
    ...(random.chance(0.2) ? { catchUp: false } : {}),
  };
}

/** Runs and reloads by hand, of any service: each has to be answered. */
function drawRequests(random: Random, services: readonly ServicePlan[]): readonly Command[] {
  const commands: Command[] = [];
  while (random.chance(0.4)) {
    const { name, type } = random.pick(services);
    const verb = type === 'cron' ? 'run-now' : 'reload-service';
    commands.push({ do: verb, name, when: drawWhen(random, services, name) });
  }
  return commands;
}

/** Some services read values at each start. */
function withValues(random: Random, services: readonly ServicePlan[]): readonly ServicePlan[] {
  return services.map((service) => {
    if (!random.chance(0.2)) return service;
    const values = random.pick(['file', 'optional', 'secret'] as const);
    // A service with hooks would read them once for each.
    return service.hooks === undefined ? { ...service, values } : service;
  });
}

/** Files of values that vanish between starts, or come late. */
function drawLostValues(random: Random, { name, values }: ServicePlan): readonly Fault[] {
  if (values === undefined || random.chance(0.5)) return [];
  const code = random.pick(['', 'ENOENT', 'ENOENT', 'EACCES', 'EFBIG']);
  const duration = random.pick([0, 0, 1, 300, 2_000, 12_000]);
  const read = random.integer(1, 3);
  return [{ fault: 'values', service: name, read, duration, ...(code === '' ? {} : { code }) }];
}

/** Some services want or require others, or wait for another stage of them than that they are ready. */
function withTies(random: Random, plan: WorldPlan): WorldPlan {
  if (random.chance(0.5)) return plan;
  const types = new Map(plan.services.map(({ name, type }) => [name, type]));
  const services = plan.services.map((service) => {
    const tied: Record<'after' | 'wants' | 'requires', string[]> = { after: [], wants: [], requires: [] };
    for (const name of service.after) {
      const type = types.get(name);
      const stages = type === undefined ? [''] : ['', '', '', ':started', ...(type === 'oneshot' ? [':exited'] : [])];
      tied[random.pick(['after', 'wants', 'requires', 'requires'] as const)].push(`${name}${random.pick(stages)}`);
    }
    const answers: Partial<ServiceSpec> =
      tied.requires.length === 0
        ? {}
        : {
            onPrerequisiteFailure: random.pick(['keep', 'stop', 'stop', 'fail']),
            onPrerequisiteRestart: random.pick(['keep', 'keep', 'restart', 'reload']),
          };
    return { ...service, ...tied, spec: { ...service.spec, ...answers } };
  });
  return { ...plan, services };
}

/** Some services have hooks, several signals for their stop, or a time-out for it. */
function withHooks(random: Random, services: readonly ServicePlan[]): readonly ServicePlan[] {
  return services.map((service) => {
    const { type, spec } = service;
    const isHooked = type !== 'inetd' && random.chance(0.2);
    const hooks = isHooked ? drawHooks(random, type) : undefined;
    const stop = random.chance(0.15) ? drawStop(random, spec.killSignal ?? 'SIGTERM') : {};
    return { ...service, spec: { ...spec, ...stop }, ...(hooks === undefined ? {} : { hooks }) };
  });
}

function drawHooks(random: Random, type: ServiceType): HookPlans {
  const stages = type === 'cron' ? (['before_start', 'after_stop'] as const) : hookStages;
  return Object.fromEntries(
    stages.flatMap((stage) => {
      const count = stage === 'stop_command' ? random.pick([0, 1]) : random.pick([0, 0, 1, 1, 2, 3]);
      const hooks = Array.from({ length: count }, () => ({
        mayFail: random.chance(0.3),
        ...(random.chance(0.04) ? {} : { program: randomHookScript(random) }),
      }));
      return count === 0 ? [] : [[stage, hooks]];
    }),
  );
}

function drawStop(random: Random, killSignal: SignalName): Partial<ServiceSpec> {
  const mixed = random.chance(0.4) ? ({ killMode: 'mixed' } as const) : {};
  if (random.chance(0.4)) return { ...mixed, stopTimeout: random.pick([500, 1_500, 3_000, 20_000]) };
  const steps = [
    { signal: killSignal, pause: random.pick([100, 1_000]) },
    { signal: random.pick(['SIGTERM', 'SIGUSR1', 'SIGINT'] as const), pause: random.pick([500, 2_000]) },
  ];
  const stopTimeout = steps.reduce((sum, { pause }) => sum + pause, 0);
  return { ...mixed, killSteps: steps, stopTimeout };
}

/**
 * Some services write to another one, or to a logging entry of their own, or too much. These have numbers of their own, too, and a
 * world that would contradict itself stays as it is.
 */
function withOutlets(random: Random, plan: WorldPlan): WorldPlan {
  const readers = plan.services.filter(({ type, spec }) => type === 'simple' && spec.pidfile === undefined);
  if (!random.chance(0.35)) return plan;
  const services = plan.services.map((service) =>
    random.chance(0.15)
      ? {
          ...service,
          spec: { ...service.spec, logRate: { lines: random.integer(1, 3), per: random.pick([100, 2_000]) } },
        }
      : service,
  );
  if (readers.length === 0) return { ...plan, services };
  const reader = random.pick(readers).name;
  const changed = services.map((service): ServicePlan => {
    const { name, type, spec, programs } = service;
    if (name === reader)
      return { ...service, spec: { ...spec, stdin: 'pipe' }, programs: [relay(random), relay(random)] };
    if (type === 'inetd' || !random.chance(0.5)) return service;
    const writers = programs.map((program) => withLines(random, name, program));
    return { ...service, spec: { ...spec, stdout: `${reader.replace(/\.service$/, '')}.service` }, programs: writers };
  });
  const outlet = { ...plan, services: changed };
  return specOf(outlet) === undefined ? { ...plan, services } : outlet;
}

/** Some services run as accounts of their own. */
function withAccounts(random: Random, services: readonly ServicePlan[]): readonly ServicePlan[] {
  return services.map((service, index) => {
    if (!random.chance(0.3)) return service;
    const id = 33 + index;
    return { ...service, spec: { ...service.spec, account: { uid: id, gid: id, groups: [id] } } };
  });
}

/** Some services have directives about restarts and ends. Combinations that a configuration refuses are never drawn. */
function withPolicy(random: Random, service: ServicePlan): ServicePlan {
  const { type, spec } = service;
  const { exitKills = false, remainAfterExit = false, onFailure, pidfile } = spec;
  if (!random.chance(0.35)) return service;
  const successExit = random.chance(0.3)
    ? { successExit: random.pick([[3], [1, 3], ['SIGTERM', 'SIGINT'], [7, 'SIGUSR1', 'SIGKILL']] as const) }
    : {};
  if (type === 'cron') return { ...service, spec: { ...spec, ...successExit } };
  const follows = type === 'simple' || type === 'notify' || (type === 'forking' && pidfile !== undefined);
  const always = follows && !exitKills && !remainAfterExit && random.chance(0.4);
  const startFailure = random.chance(0.4);
  const mayEnd = (follows || type === 'oneshot') && !always && !exitKills && onFailure === undefined;
  const restart = always || (spec.restart === true && (type !== 'oneshot' || startFailure));
  const restartPolicy = {
    ...(always ? { always } : {}),
    ...(startFailure ? { startFailure } : {}),
    ...(random.chance(0.5) ? { backoff: random.pick([1.5, 2, 10]), delayMax: random.pick([100, 1_000, 60_000]) } : {}),
    ...(random.chance(0.4) ? { jitter: random.pick([0.1, 0.5, 1]) } : {}),
    ...(random.chance(0.3) ? { window: random.pick([1_000, 5_000, 20_000]) } : {}),
    ...(random.chance(0.3)
      ? { prevent: random.pick([[0], [3], [1, 'SIGKILL'], ['SIGTERM', 'SIGUSR1']] as const) }
      : {}),
  };
  const returns = always && type === 'simple' && pidfile === undefined && random.chance(0.4);
  return {
    ...service,
    ...(returns ? { programs: drawReturns(random, spec) } : {}),
    spec: {
      ...spec,
      ...(returns ? { restartLimit: random.integer(1, 2) } : {}),
      ...successExit,
      restart,
      restartPolicy,
      // Without a pause, and with a normal end that uses up no try, a service would start for ever in one instant.
      ...(always ? { restartDelay: Math.max(100, spec.restartDelay ?? 0) } : {}),
      ...(mayEnd && random.chance(0.1) ? { onSuccess: 'shutdown' } : {}),
    },
  };
}

/** Programs that end again and again once the startup pause has passed, now well, now badly: what counts as a try differs. */
function drawReturns(random: Random, { startupPause = 500 }: Partial<ServiceSpec>): readonly Script[] {
  return Array.from({ length: 6 }, () => ({
    steps: [
      { do: 'wait', ms: startupPause + random.pick([20, 200]) },
      { do: 'exit', code: random.pick([0, 0, 1]) },
    ],
  }));
}

/** Some services have probes, and programs that answer them: at once, late, wrongly, never, and sometimes well again. */
function withProbes(random: Random, services: readonly ServicePlan[]): readonly ServicePlan[] {
  return services.map((service, index) => {
    const { type, spec, programs } = service;
    if (type === 'oneshot' || type === 'cron' || type === 'inetd' || !random.chance(0.3)) return service;
    const makes = (): ProbeTree => drawTree(random, index, service);
    const isFollowed = type !== 'forking' || spec.pidfile !== undefined;
    const answers: readonly OnUnhealthy[] = [
      ...(spec.restart === true ? (['restart'] as const) : []),
      'log',
      'shutdown',
    ];
    const probed: Partial<ServiceSpec> = {
      ...(random.chance(0.6) ? { ready: makes() } : {}),
      ...(isFollowed && random.chance(0.7) ? { healthy: makes(), onUnhealthy: random.pick(answers) } : {}),
    };
    return {
      ...service,
      spec: { ...spec, ...probed },
      programs: programs.map((program) => answering(random, index, program)),
      probes: Array.from({ length: random.integer(1, 4) }, () => drawProbeScript(random)),
    };
  });
}

function drawTree(random: Random, index: number, service: ServicePlan): ProbeTree {
  if (random.chance(0.7)) return drawProbe(random, index, service, 0);
  const of = Array.from({ length: random.integer(1, 3) }, (_, nth) => drawProbe(random, index, service, nth));
  return { kind: random.pick(['all', 'any'] as const), of };
}

function drawProbe(random: Random, index: number, { name, type }: ServicePlan, nth: number): Probe {
  const checks: readonly ProbeCheck[] = [
    { kind: 'tcp', host: 'localhost', port: 9_000 + index },
    { kind: 'unix', path: `/run/s${index}.sock` },
    { kind: 'http', url: `http://localhost:${9_000 + index}/`, status: [[200, 399]], headers: {} },
    {
      kind: 'http',
      url: 'http://x/',
      unix: `/run/s${index}.sock`,
      status: [[200, 200]],
      headers: {},
      contains: 'we+l',
    },
    { kind: 'command', argv: [`probe:${name.replace('.service', '')}`] },
    { kind: 'log', pattern: 'ready to serve' },
    { kind: 'file', path: `/run/s${index}.ok` },
    { kind: 'fd', descriptor: nth + 3 },
    { kind: 'delay', time: random.pick([1, 100, 2_000]) },
    ...(type === 'notify' ? [{ kind: 'notify' } as const] : []),
  ];
  return {
    kind: 'probe',
    check: random.pick(checks),
    interval: random.pick([50, 100, 1_000]),
    longest: 1_000,
    timeout: random.pick([50, 500]),
    retries: random.integer(1, 3),
    startPeriod: random.pick([0, 0, 1_000]),
    ...(random.chance(0.2) ? { startInterval: 200 } : {}),
  };
}

/** The program answers probes beside what it does anyway: between its steps, or before it does anything. */
function answering(random: Random, index: number, script: Script): Script {
  const answers: readonly ServedAnswer[] = [
    { status: 200, body: 'all is well' },
    { status: 200, body: 'all is well' },
    { status: 503, delay: 20 },
    { status: 200, delay: 700 },
    'hangs',
    'refuses',
  ];
  const draw = (): Step =>
    random.pick<Step>([
      { do: 'serve', at: 9_000 + index, answer: random.pick(answers) },
      { do: 'serve', at: `/run/s${index}.sock`, answer: random.pick(answers) },
      { do: 'print', text: 'ready to serve\n' },
      { do: 'print', text: '\n', to: { fd: random.integer(3, 5) } },
      { do: 'write', path: `/run/s${index}.ok`, text: 'ok' },
    ]);
  const steps = script.steps.flatMap((step) => [...Array.from({ length: random.integer(0, 2) }, draw), step]);
  const more = random.chance(0.5) ? [draw(), { do: 'wait', ms: random.integer(10, 4_000) } as const, draw()] : [];
  return { ...script, steps: [...more, ...steps] };
}

function drawProbeScript(random: Random): Script {
  const end = random.pick<readonly Step[]>([[], [], [{ do: 'exit', code: 1 }], [{ do: 'hang' }]]);
  const child: readonly Step[] = random.chance(0.2) ? [{ do: 'fork', script: { steps: [{ do: 'hang' }] } }] : [];
  const said: Step = { do: 'print', text: 'what the probe says\n' };
  return {
    steps: [said, ...child, { do: 'wait', ms: random.pick([0, 20, 400]) }, ...end],
    ...(random.chance(0.3) ? { onSignal: { SIGTERM: 'ignore' } } : {}),
  };
}

function drawIntruders(random: Random, plan: WorldPlan): readonly Fault[] {
  const victims = plan.services.filter(({ type, spec }) => type === 'notify' || spec.pidfile !== undefined);
  const faults: Fault[] = [];
  while (victims.length > 0 && random.chance(0.3)) {
    const service = random.pick(victims);
    const soon: When = { on: 'spawned', service: service.name, nth: 1, delay: random.pick([0, 0, 1, 20, 400]) };
    const when = (): When => (random.chance(0.5) ? soon : drawWhen(random, plan.services, service.name));
    const fault = faultEntries.intruder.draw(random, service, when, plan);
    if (fault !== undefined) faults.push(fault);
  }
  return faults;
}

/** A plan whose dependencies contradict each other loses those on groups, and then the groups. */
function withoutContradiction(plan: WorldPlan): WorldPlan {
  const change = (edit: (service: ServicePlan) => ServicePlan): WorldPlan => ({
    ...plan,
    services: plan.services.map(edit),
  });
  const tries = [
    plan,
    change((service) => withoutGroups(service)),
    change((service) => ({ ...withoutGroups(service), groups: [] })),
  ];
  return tries.find((each) => specOf(each) !== undefined) ?? plan;
}

/** The service without its waits for groups. */
function withoutGroups({ wants, requires, ...service }: ServicePlan): ServicePlan {
  const services = (names: readonly string[]): readonly string[] => names.filter((name) => name.includes('.service'));
  return {
    ...service,
    after: services(service.after),
    before: [],
    ...(wants === undefined ? {} : { wants: services(wants) }),
    ...(requires === undefined ? {} : { requires: services(requires) }),
  };
}

function drawConfiguration(random: Random, seed: number, count: number, crosses: boolean): WorldPlan {
  const services = Array.from({ length: count }, (_, index) => drawService(random, index, count, crosses));
  return {
    seed,
    system: {
      shutdownTimeout: random.pick([500, 2_000, 8_000, 8_000]),
      detectExit: random.chance(0.7),
      idleDelay: random.pick([0, 1_000]),
      enableSyslog: random.chance(0.5),
    },
    logging: [
      {},
      ...(random.chance(0.3) ? [{ name: 'file.logging', file: '/var/log/all', stdout: false }] : []),
      ...(random.chance(0.15) ? [{ name: 'own.logging', selector: 'local5.*', stderr: true, stdout: false }] : []),
      ...(random.chance(0.15)
        ? [{ name: 'remote.logging', selector: '*.warn;[chaperone].*', syslogHost: 'logs', stdout: false }]
        : []),
    ],
    services: crosses ? withSharedPidfile(random, services) : services,
    commands: [],
    faults: [],
    end: 0,
  };
}

/** Two services that name the same pidfile: only one of them can own the process in it. */
function withSharedPidfile(random: Random, services: readonly ServicePlan[]): readonly ServicePlan[] {
  const followers = services.filter(({ spec }) => spec.pidfile !== undefined);
  if (followers.length < 2 || random.chance(0.7)) return services;
  const [first] = followers;
  const { pidfile = '' } = first?.spec ?? {};
  const last = followers.at(-1);
  return services.map((service) => (service === last ? { ...service, spec: { ...service.spec, pidfile } } : service));
}

function drawService(random: Random, index: number, count: number, crosses: boolean): ServicePlan {
  const type = random.pick(weightedTypes);
  const group = random.chance(0.1) ? 'INIT' : random.chance(0.1) ? 'IDLE' : undefined;
  const own = random.chance(0.2) ? [`g${random.integer(0, 2)}`] : [];
  const groups = group === undefined ? own : [group, ...own];
  // With many services a few edges each make deep graphs; INIT may wait only for INIT, which others must not make it do.
  const likely = Math.min(0.25, 2 / count);
  const name = (other: number): string => `s${other}.service`;
  const after = Array.from({ length: index }, (_, other) => other)
    .filter(() => random.chance(likely))
    .map(name);
  const later = Array.from({ length: count - index - 1 }, (_, other) => index + 1 + other);
  const before = later.filter(() => random.chance(likely / 3)).map(name);
  const spec: Partial<ServiceSpec> = {
    ...types[type].spec(random, index),
    ...(random.chance(0.9) ? {} : { enabled: false }),
    ...(random.chance(0.6) ? { restart: true } : {}),
    restartDelay: random.pick([0, 100, 3_000]),
    restartLimit: random.integer(0, 4),
    startupPause: random.pick([0, 100, 500]),
    processTimeout: random.pick([0, 200, 5_000]),
    ...drawEnding(random, type),
    ...(random.chance(0.1) ? { optional: true } : {}),
    killSignal: random.pick(['SIGTERM', 'SIGINT', 'SIGUSR1']),
  };
  return {
    name: name(index),
    type,
    groups,
    after: [...after, ...(random.chance(0.05) ? [random.pick(['g0', 'g1', 'nobody'])] : [])],
    before: [...before, ...(random.chance(0.03) ? [random.pick(['g0', 'g2'])] : [])],
    spec,
    installed: random.chance(0.98),
    programs: Array.from({ length: random.integer(1, 3) }, () => drawProgram(random, type, spec, crosses)),
  };
}

/** Settings for a service's end. Combinations that are mistakes in a configuration are never drawn. */
function drawEnding(random: Random, type: ServiceType): Partial<ServiceSpec> {
  const scheduled = type === 'cron' || type === 'inetd';
  const remains = !scheduled && random.chance(0.1) ? { remainAfterExit: true } : {};
  if (type !== 'cron' && random.chance(0.05)) return { ...remains, onFailure: 'shutdown' };
  return {
    ...remains,
    ...(random.chance(0.5) ? { ignoreFailures: true } : {}),
    ...(random.chance(0.05) ? { exitKills: true } : {}),
  };
}

function drawProgram(random: Random, type: ServiceType, spec: Partial<ServiceSpec>, crosses: boolean): Script {
  const leads = type !== 'forking' && type !== 'notify' && spec.pidfile === undefined;
  if (crosses && leads && random.chance(0.6)) return randomLeaderScript(random);
  const script = types[type].script(random, spec);
  return crosses && type === 'notify' && random.chance(0.4) ? withChild(random, script) : script;
}

/** A random time, or the moment in which something has just happened, which is when bugs show. */
function drawWhen(random: Random, services: readonly ServicePlan[], service?: string): When {
  if (random.chance(0.3)) return { ms: random.integer(0, span) };
  const on: Moment = random.pick(moments);
  const delay = random.pick([0, 0, 0, 0, 1, 20, 100, 500, 1_000]);
  const nth = random.pick([1, 1, 1, 2, 3, 5]);
  if (on === 'ready' || on === 'draining') return { on, nth: 1, delay };
  const who = service ?? (random.chance(0.6) ? random.pick(services).name : undefined);
  return who === undefined ? { on, nth, delay } : { on, service: who, nth, delay };
}

/** A moment near the end of startup_pause, so that an end may count as before or after it. */
function aroundPause(random: Random, service: string, startupPause: number): When {
  const delay = Math.max(0, startupPause - random.pick([0, 1, 20, 100, 400]));
  return { on: 'spawned', service, nth: random.pick([1, 1, 2]), delay };
}

const spawnErrors = [
  { code: 'ENOENT', stage: 'exec' },
  { code: 'ENOENT', stage: 'directory' },
  { code: 'EACCES', stage: 'exec' },
  { code: 'ENOEXEC', stage: 'exec' },
  { code: 'ETXTBSY', stage: 'exec' },
  { code: 'E2BIG', stage: 'exec' },
  { code: 'EAGAIN', stage: 'clone' },
  { code: 'ENOMEM', stage: 'clone' },
  { code: 'EMFILE', stage: 'pipe' },
  { code: 'ENFILE', stage: 'stdio' },
  { code: 'EPERM', stage: 'uid' },
  { code: 'EPERM', stage: 'groups' },
  { code: 'EINVAL', stage: 'gid' },
  { code: 'EPERM', stage: 'setting' },
  { code: 'EPERM', stage: 'group' },
] as const;

/** What would change a service if it came from one that may send. */
const intrusions = [
  'READY=1',
  'ERRNO=5',
  'ERRNO=5\nX_CHAPERONE=1',
  'BUSERROR=org.example.Attack',
  'WATCHDOG=1',
  'WATCHDOG=trigger',
  'WATCHDOG_USEC=1',
  'NOTIFYACCESS=all\nERRNO=5',
  'STOPPING=1',
  'RELOADING=1',
  'EXTEND_TIMEOUT_USEC=90000000',
  'RESTART_RESET=1',
  'EXIT_STATUS=7',
  'STATUS=attacked',
  'FDSTORE=1\nFDNAME=web',
  'FDSTOREREMOVE=1\nFDNAME=stored',
  'MAINPID=$$',
  'READY=1\nMAINPID=$$',
  'MAINPID=$of',
  'MAINPID=1',
];

type FaultOf<N extends FaultName> = Extract<Fault, { readonly fault: N }>;

interface FaultEntry<N extends FaultName> {
  /** The share of worlds that have this fault; it may come several times. */
  readonly chance: number;
  draw(random: Random, service: ServicePlan, when: () => When, plan: WorldPlan): FaultOf<N> | undefined;
}

/** Faults in what services read are drawn with the services that read. */
const faultEntries: { readonly [N in Exclude<FaultName, 'values'>]: FaultEntry<N> } = {
  spawnError: {
    chance: 0.15,
    draw: (random, { name }) => ({
      fault: 'spawnError',
      service: name,
      start: random.integer(1, 3),
      ...random.pick(spawnErrors),
    }),
  },
  slowSpawn: {
    chance: 0.25,
    draw: (random, { name }) => ({
      fault: 'slowSpawn',
      service: name,
      start: random.integer(1, 3),
      duration: random.pick([1, 20, 300, 2_000, 9_000, 12_000]),
    }),
  },
  killed: {
    chance: 0.5,
    draw: (random, { name }, when) => ({
      fault: 'killed',
      service: name,
      signal: random.pick(['SIGKILL', 'SIGKILL', 'SIGSEGV', 'SIGTERM']),
      when: when(),
    }),
  },
  stopped: {
    chance: 0.1,
    draw: (random, { name }, when) => ({
      fault: 'stopped',
      service: name,
      duration: random.pick([50, 1_000, 20_000]),
      when: when(),
    }),
  },
  stuck: {
    chance: 0.05,
    draw: (random, { name }) => ({ fault: 'stuck', service: name, duration: random.pick([50, 400, 3_000]) }),
  },
  slow: {
    chance: 0.1,
    draw: (random, { name }) => ({ fault: 'slow', service: name, factor: random.pick([3, 20]) }),
  },
  notification: {
    chance: 0.2,
    draw: (random, { name, type }) =>
      type === 'notify'
        ? {
            fault: 'notification',
            service: name,
            nth: random.integer(1, 4),
            how: random.pick(['lost', 'doubled', 'late', 'foreign']),
            delay: random.pick([0, 10, 700, 4_000]),
          }
        : undefined,
  },
  mainPidMoves: {
    chance: 0.1,
    draw: (random, { name, type }, when) =>
      type === 'notify'
        ? {
            fault: 'mainPidMoves',
            service: name,
            child: {
              steps: [
                { do: 'notify', text: random.chance(0.8) ? 'MAINPID=$$' : 'READY=1\nMAINPID=$$' },
                { do: 'wait', ms: random.integer(0, 8_000) },
                { do: 'exit', code: random.pick([0, 0, 3]) },
              ],
              ...randomReaction(random),
            },
            when: when(),
          }
        : undefined,
  },
  claim: {
    chance: 0.12,
    draw: (random, { name, type, spec: { pidfile } }, when, { services }) => {
      if (type !== 'notify' && pidfile === undefined) return undefined;
      const of = random.pick(services).name;
      const by = type === 'notify' ? random.pick(['MAINPID', 'READY'] as const) : 'pidfile';
      const soon: When = { on: 'spawned', service: name, nth: 1, delay: random.pick([0, 1, 20, 400]) };
      return { fault: 'claim', service: name, of, by, when: random.chance(0.5) ? soon : when() };
    },
  },
  intruder: {
    // Intruders are drawn apart from the other faults.
    chance: 0,
    draw: (random, { name, spec: { pidfile } }, when, { services }) => ({
      fault: 'intruder',
      service: name,
      texts: Array.from({ length: random.integer(1, 4) }, () => random.pick(intrusions)),
      from: random.pick(['itself', 'itself', 'nobody', 'elsewhere']),
      descriptors: random.pick([0, 0, 1, 3]),
      of: random.pick(services).name,
      pidfile: pidfile === undefined ? '' : random.pick(['', '$$\n', '$of\n']),
      duration: random.pick([0, 100, 5_000]),
      when: when(),
    }),
  },
  statusUntold: { chance: 0.15, draw: () => ({ fault: 'statusUntold' }) },
  rebuilt: { chance: 0.2, draw: (_random, _service, when) => ({ fault: 'rebuilt', when: when() }) },
  coalescedExits: {
    chance: 0.15,
    draw: (random) => ({ fault: 'coalescedExits', delay: random.pick([1, 5, 20]) }),
  },
  reusedPids: { chance: 0.25, draw: () => ({ fault: 'reusedPids' }) },
  clockJump: {
    chance: 0.15,
    draw: (random, _, when) => ({
      fault: 'clockJump',
      by: random.pick([-3_600_000, 3_600_000, -5_000, 90_000, -20_000_000_000, 5 * 3_600_000, -4 * 3_600_000]),
      when: when(),
    }),
  },
  pause: {
    chance: 0.1,
    draw: (random, { name, spec: { startupPause = 500 } }, when) => ({
      fault: 'pause',
      duration: random.pick([30, 400, 3_000, 60_000]),
      when: random.chance(0.4) ? aroundPause(random, name, startupPause) : when(),
    }),
  },
  sink: {
    chance: 0.15,
    draw: (random, _, when) => ({
      fault: 'sink',
      sink: random.pick(['stdout', 'stdout', 'stderr', '/var/log/all', 'logs']),
      how: random.pick(['full', 'slow', 'gone']),
      duration: random.pick([100, 2_000, 30_000]),
      when: when(),
    }),
  },
  exhausted: {
    chance: 0.1,
    draw: (random, _, when) => ({
      fault: 'exhausted',
      what: random.pick(['descriptors', 'memory']),
      duration: random.pick([10, 500, 5_000]),
      when: when(),
    }),
  },
  portTaken: {
    chance: 0.1,
    draw: (random, { name, type }) =>
      type === 'inetd' ? { fault: 'portTaken', service: name, code: random.pick(['EADDRINUSE', 'EACCES']) } : undefined,
  },
  oldPidfile: {
    chance: 0.15,
    draw: (random, { name, spec }) =>
      spec.pidfile === undefined
        ? undefined
        : { fault: 'oldPidfile', service: name, text: random.pick(['7\n', 'old\n', '2\n']) },
  },
  noLogSocket: { chance: 0.03, draw: (random) => ({ fault: 'noLogSocket', code: random.pick(['EROFS', 'EACCES']) }) },
};

export const faultNames = [
  'spawnError',
  'killed',
  'stopped',
  'stuck',
  'slow',
  'notification',
  'mainPidMoves',
  'claim',
  'intruder',
  'statusUntold',
  'rebuilt',
  'coalescedExits',
  'reusedPids',
  'clockJump',
  'pause',
  'sink',
  'exhausted',
  'portTaken',
  'oldPidfile',
  'noLogSocket',
  'slowSpawn',
] as const satisfies readonly FaultName[];

function drawFaults(random: Random, plan: WorldPlan): readonly Fault[] {
  const faults: Fault[] = [];
  for (const name of faultNames) {
    const { chance, draw } = faultEntries[name];
    while (random.chance(chance)) {
      const service = random.pick(plan.services);
      const when = (): When => drawWhen(random, plan.services, random.chance(0.7) ? service.name : undefined);
      const fault = draw(random, service, when, plan);
      if (fault !== undefined) faults.push(fault);
    }
  }
  return faults;
}

function drawCommands(random: Random, services: readonly ServicePlan[]): readonly Command[] {
  const commands: Command[] = [];
  const add = (deed: Deed, when: When): void => {
    commands.push({ ...deed, when });
  };
  for (let count = random.pick([0, 1, 2, 4, 8]); count > 0; count--)
    add(drawDeed(random, services), drawWhen(random, services));
  for (const { name, spec } of services) {
    for (let clients = spec.port === undefined ? 0 : random.integer(0, 8); clients > 0; clients--)
      add(
        { do: 'connect', port: spec.port ?? 0 },
        random.chance(0.5)
          ? { on: 'ready.scheduled', service: name, nth: 1, delay: random.integer(0, 5_000) }
          : { ms: random.integer(0, span) },
      );
  }
  if (random.chance(0.2)) {
    for (const delay of [0, random.pick([0, 10, 300]), random.pick([10, 20, 900])])
      add({ do: 'signal', signal: 'SIGINT' }, { on: 'draining', nth: 1, delay });
  }
  return commands;
}

/** Two requests for the same service, one right after the other. */
function drawCrossings(random: Random, services: readonly ServicePlan[]): readonly Command[] {
  return Array.from({ length: random.integer(1, 3) }, (): readonly Command[] => {
    const { name } = random.pick(services);
    const names = [name];
    const when = drawWhen(random, services, random.chance(0.8) ? name : undefined);
    const later = laterBy(when, random.pick([0, 0, 1, 20, 300, 1_500, 4_000]));
    const stop: Deed = { do: 'stop', names, disable: random.chance(0.2), drain: random.chance(0.3) };
    const start: Deed = { do: 'start', names, enable: random.chance(0.3), force: random.chance(0.2) };
    const restart: Deed = { do: 'restart', names, force: random.chance(0.3) };
    const disable: Deed = { do: 'disable', names };
    const enable: Deed = { do: 'enable', names };
    const reload: Deed = { do: 'reload', names, gone: [], force: random.chance(0.5) };
    const pairs: readonly (readonly [Deed, Deed])[] = [
      [stop, start],
      [stop, start],
      [restart, stop],
      [disable, enable],
      [disable, enable],
      [disable, start],
      [stop, restart],
      [reload, disable],
      [stop, reload],
    ];
    const [first, second] = random.pick(pairs);
    return [
      { ...first, when },
      { ...second, when: later },
    ];
  }).flat();
}

function laterBy(when: When, delay: number): When {
  return 'ms' in when ? { ms: when.ms + delay } : { ...when, delay: when.delay + delay };
}

function drawDeed(random: Random, services: readonly ServicePlan[]): Deed {
  const names = random.chance(0.15)
    ? services.map(({ name }) => name)
    : [...new Set([random.pick(services).name, random.pick(services).name])];
  const [name = ''] = names;
  switch (random.integer(0, 15)) {
    case 0:
    case 1:
      return { do: 'start', names, enable: random.chance(0.4), force: random.chance(0.3) };
    case 2:
    case 3:
      return { do: 'stop', names, disable: random.chance(0.3), drain: random.chance(0.2) };
    case 4:
    case 5:
      return { do: 'restart', names, force: random.chance(0.3) };
    case 6:
      return { do: 'reset', names, force: random.chance(0.4) };
    case 7:
      return { do: random.pick(['enable', 'disable']), names };
    case 8:
      return { do: 'kill', name, signal: random.pick(['SIGTERM', 'SIGKILL', 'SIGUSR2', 'SIGSTOP', 'SIGCONT']) };
    case 9:
      return { do: 'log', text: random.pick(['<13>hello', 'no priority', '<30>Jan  1 00:00:00 app[7]: x', '']) };
    case 10:
    case 11:
      return {
        do: 'reload',
        names,
        gone: random.chance(0.4) ? [random.pick(services).name] : [],
        force: random.chance(0.4),
      };
    case 12:
      return { do: 'shutdown', delay: random.pick([0, 0, 500, 3_000]) };
    case 13:
    case 14:
      return { do: random.pick(['enable', 'disable', 'disable']), names };
    default:
      return { do: 'signal', signal: random.pick(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGPWR']) };
  }
}
