/** Draws worlds: the same seed gives the same world on every machine and every version of Node. */
import type { ServiceSpec, ServiceType } from '../../src/model/service/service-spec.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import {
  type Command,
  type Deed,
  type Fault,
  type FaultName,
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
  randomLeaderScript,
  randomNotifyScript,
  randomReaction,
  randomScript,
  randomSettlingScript,
  randomWrapperScript,
  withChild,
} from './random-programs.ts';

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
    spec: (random) => ({ interval: random.pick(['* * * * * *', '* * * * * */3', '* * * * * */7', '@hourly']) }),
    script: randomScript,
  },
};

const serviceTypes: readonly ServiceType[] = ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'];
const weightedTypes = serviceTypes.flatMap((type) => Array.from({ length: types[type].weight }, () => type));

export function generateWorld(seed: number): WorldPlan {
  const random = new Random(seed);
  const count = seed % largeEvery === largeEvery - 1 ? largest : random.integer(1, mostServices);
  const crosses = random.chance(crossings);
  const plan = withoutContradiction(drawConfiguration(random, seed, count, crosses));
  const { services } = plan;
  const faults = drawFaults(random, plan);
  const commands = [...drawCommands(random, services), ...(crosses ? drawCrossings(random, services) : [])];
  return { ...plan, faults, commands, end: random.integer(0, span + 5_000) };
}

/** A plan whose dependencies contradict each other loses those on groups, and then the groups. */
function withoutContradiction(plan: WorldPlan): WorldPlan {
  const change = (edit: (service: ServicePlan) => ServicePlan): WorldPlan => ({
    ...plan,
    services: plan.services.map(edit),
  });
  const isService = (name: string): boolean => name.endsWith('.service');
  const tries = [
    plan,
    change((service) => ({ ...service, after: service.after.filter(isService), before: [] })),
    change((service) => ({ ...service, groups: [], after: service.after.filter(isService), before: [] })),
  ];
  return tries.find((each) => specOf(each) !== undefined) ?? plan;
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
  { code: 'EPERM', stage: 'limit' },
  { code: 'EPERM', stage: 'group' },
] as const;

type FaultOf<N extends FaultName> = Extract<Fault, { readonly fault: N }>;

interface FaultEntry<N extends FaultName> {
  /** The share of worlds that have this fault; it may come several times. */
  readonly chance: number;
  draw(random: Random, service: ServicePlan, when: () => When, plan: WorldPlan): FaultOf<N> | undefined;
}

const faultEntries: { readonly [N in FaultName]: FaultEntry<N> } = {
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
      by: random.pick([-3_600_000, 3_600_000, -5_000, 90_000]),
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

export const faultNames: readonly FaultName[] = [
  'spawnError',
  'killed',
  'stopped',
  'stuck',
  'slow',
  'notification',
  'mainPidMoves',
  'claim',
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
];

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
