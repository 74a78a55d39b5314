/**
 * Draws what chance alone leads worlds to seldom: somebody asks for something in the instant in which the chart of a service has come to
 * a certain stage, while the system starts, reloads or ends; and services whose settings lead to rare stages.
 */
import { hookStages } from '../../src/model/service/hook.ts';
import type { Probe } from '../../src/model/service/probe.ts';
import type { ServiceSpec, ServiceType } from '../../src/model/service/service-spec.ts';
import { type ServiceStage, serviceStages } from '../../src/model/service/service-stage.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import {
  type Command,
  type Deed,
  type Fault,
  type HookPlans,
  type ServicePlan,
  specOf,
  type When,
  type WorldPlan,
  whoever,
} from './plan.ts';
import type { Random } from './random.ts';

/** The share of worlds that are steered. */
const steered = 0.22;

/** A world as it was drawn, or one that is led to rare places. */
export function withSteering(random: Random, plan: WorldPlan): WorldPlan {
  if (!random.chance(steered)) return plan;
  const scheduled = plan.services.filter(({ type }) => isScheduled(type));
  const { name } = random.pick(scheduled.length > 0 && random.chance(0.4) ? scheduled : plan.services);
  let next = withLingering(random, withLasting(random, plan, name), name);
  for (let themes = random.pick([0, 1, 1, 1, 2]); themes > 0; themes -= 1) next = withTheme(random, next, name);
  const commands: Command[] = [];
  const faults: Fault[] = [];
  for (let count = random.integer(5, 12); count > 0; count -= 1) {
    const target = random.chance(0.8) ? serviceOf(next, name) : random.pick(next.services);
    const drawn = drawInstant(random, target, next.services, count === 1);
    commands.push(...drawn.commands);
    faults.push(...drawn.faults);
  }
  if (random.chance(0.1)) commands.push(...drawShutdowns(random));
  return { ...next, commands: [...next.commands, ...commands], faults: [...next.faults, ...faults] };
}

/** Two people ask for the end of the system, the second one for an earlier or a later time. */
function drawShutdowns(random: Random): readonly Command[] {
  const draw = (): number => random.pick([0, 500, 2_000, 5_000]);
  const when: When = { on: 'ready', nth: 1, delay: random.pick([0, 300]) };
  return [
    { do: 'shutdown', delay: draw(), when },
    { do: 'shutdown', delay: draw(), when: laterBy(when, random.pick([0, 20, 300])) },
  ];
}

/** The world seldom ends early: by itself, or because a service fails. */
function withLasting(random: Random, plan: WorldPlan, name: string): WorldPlan {
  const system = random.chance(0.6) ? { ...plan.system, detectExit: false } : plan.system;
  const end = random.chance(0.5) ? Math.max(plan.end, 8_000) : plan.end;
  const lasting = { ...plan, system, end };
  if (random.chance(0.2)) return lasting;
  if (random.chance(0.4)) return changed(lasting, name, (service) => ({ ...service, spec: ignoring(service.spec) }));
  return { ...lasting, services: plan.services.map((service) => ({ ...service, spec: ignoring(service.spec) })) };
}

/**
 * Some other service takes long to end, so that a reload that ends it goes on for a while. It may need the service, which then has to wait
 * for its end when the system ends.
 */
function withLingering(random: Random, plan: WorldPlan, name: string): WorldPlan {
  const others = plan.services.filter(
    (service) => service.name !== name && service.type === 'simple' && service.spec.stdin === undefined,
  );
  if (others.length === 0 || random.chance(0.2)) return plan;
  const needs = random.chance(0.4);
  const stage = isScheduled(serviceOf(plan, name).type) ? '' : ':started';
  const next = changed(plan, random.pick(others).name, (service) => {
    const { pidfile: _, ready: __, healthy: ___, onUnhealthy: ____, ...spec } = ignoring(service.spec);
    const { wants: _____, requires: ______, ...rest } = service;
    return {
      ...rest,
      after: needs ? [`${name}${stage}`] : service.after,
      spec: { ...spec, startupPause: 0 },
      programs: [lingers],
    };
  });
  return specOf(next) === undefined ? plan : next;
}

const lingers: Script = {
  steps: [{ do: 'hang' }],
  onSignal: { SIGTERM: 'ignore', SIGINT: 'ignore', SIGUSR1: 'ignore' },
};

function serviceOf({ services }: WorldPlan, name: string): ServicePlan {
  const service = services.find((each) => each.name === name);
  if (service === undefined) throw new Error(`no service is called ${name}`);
  return service;
}

function changed(plan: WorldPlan, name: string, edit: (service: ServicePlan) => ServicePlan): WorldPlan {
  return { ...plan, services: plan.services.map((service) => (service.name === name ? edit(service) : service)) };
}

function isScheduled(type: ServiceType): boolean {
  return type === 'cron' || type === 'inetd';
}

interface Instant {
  readonly commands: readonly Command[];
  readonly faults: readonly Fault[];
}

/** A request, or a fault, right after some service has come to a stage; what leads a service there may come before. */
function drawInstant(random: Random, service: ServicePlan, services: readonly ServicePlan[], isLast: boolean): Instant {
  const stage = random.pick(stagesOf(service));
  const early = stage === 'pending' || stage === 'disabled';
  const isLate = random.chance(0.25);
  const isOwn = early || isLate || random.chance(0.3);
  const at: When =
    isLate || (early && random.chance(0.7))
      ? random.pick<When>([
          ...(isLate ? [] : [{ ms: random.pick([0, 0, 1, 20, 300, 2_000]) }]),
          { on: 'ready', nth: 1, delay: random.pick([0, 1, 20, 300, 2_000, 5_000]) },
        ])
      : {
          in: stage,
          ...(isOwn ? { service: service.name } : {}),
          nth: random.pick([1, 1, 1, 2, 3, 5]),
          delay: random.pick([0, 0, 0, 0, 1, 20, 20, 100]),
        };
  const before = random.chance(0.7) ? leadTo(random, stage, service) : { commands: [], faults: [] };
  const target = isOwn ? service : { ...service, name: whoever };
  const meanwhile = random.chance(0.6) ? drawMeanwhile(random, target, services, isLast) : [];
  const later = meanwhile.length === 0 ? at : laterBy(at, random.pick([0, 0, 0, 0, 1, 20, 300]));
  const deeds: readonly Command[] = random.chance(0.85)
    ? [
        { ...drawDeed(random, target), when: later },
        ...(random.chance(0.4) ? [{ ...drawDeed(random, target), when: laterBy(later, random.pick([0, 1, 20])) }] : []),
      ]
    : [];
  const faults = deeds.length === 0 ? [drawFault(random, target, later)] : [];
  return {
    commands: [...before.commands, ...meanwhile.map((deed) => ({ ...deed, when: at })), ...deeds],
    faults: [...before.faults, ...faults],
  };
}

/** The stages that a service of this type and with these settings may come to. */
function stagesOf(service: ServicePlan): readonly ServiceStage[] {
  return serviceStages.filter((stage) => mayComeTo(stage, service));
}

function mayComeTo(stage: ServiceStage, { type, spec, hooks = {} }: ServicePlan): boolean {
  const scheduled = type === 'cron' || type === 'inetd';
  const has = (one: keyof HookPlans): boolean => !scheduled && hooks[one] !== undefined;
  switch (stage) {
    case 'disabled':
    case 'pending':
    case 'stopped':
    case 'stopping.terminating':
    case 'stopping.killing':
    case 'stopping.clearing':
      return true;
    case 'failed':
      return type !== 'cron';
    case 'starting.asking':
      return spec.startIf !== undefined && type !== 'cron';
    case 'starting.spawning':
      return !scheduled;
    case 'starting.beforeStart':
      return has('before_start');
    case 'starting.settling':
      return type === 'simple' && spec.ready === undefined;
    case 'starting.awaitingExit':
      return type === 'oneshot' || type === 'forking';
    case 'starting.awaitingPidfile':
      return !scheduled && spec.pidfile !== undefined;
    case 'starting.awaitingNotify':
      return type === 'notify' && spec.ready === undefined;
    case 'starting.awaitingProbe':
      return !scheduled && spec.ready !== undefined;
    case 'starting.afterStart':
      return has('after_start');
    case 'ready.running':
      return !scheduled && type !== 'oneshot';
    case 'ready.exited':
    case 'exited':
      return !scheduled;
    case 'ready.scheduled':
    case 'stopping.draining':
      return scheduled;
    case 'stopping.beforeStop':
      return has('before_stop');
    case 'stopping.stopCommand':
      return has('stop_command');
    case 'stopping.afterStop':
      return has('after_stop');
    case 'backoff':
      return type === 'inetd' || (!scheduled && spec.restart === true);
  }
}

/** What makes it likely that the service comes to the stage. */
function leadTo(random: Random, stage: ServiceStage, { name, type }: ServicePlan): Instant {
  const names = [name];
  const up =
    type === 'cron' || type === 'inetd' ? 'ready.scheduled' : random.pick(['ready.running', 'starting'] as const);
  const when: When = { on: up, service: name, nth: 1, delay: random.pick([0, 20, 700, 2_500]) };
  switch (stage) {
    case 'disabled':
      return { commands: [{ do: 'disable', names, when: { ms: 0 } }], faults: [] };
    case 'stopped':
    case 'stopping.beforeStop':
    case 'stopping.stopCommand':
    case 'stopping.terminating':
    case 'stopping.draining':
    case 'stopping.killing':
    case 'stopping.afterStop': {
      const drain = stage === 'stopping.draining';
      return { commands: [{ do: 'stop', names, disable: random.chance(0.2), drain, when }], faults: [] };
    }
    case 'backoff':
    case 'failed':
    case 'stopping.clearing':
      return { commands: [], faults: [{ fault: 'killed', service: name, signal: 'SIGKILL', when }] };
    default:
      return { commands: [], faults: [] };
  }
}

/** What is going on while somebody asks for something: services are reloaded, or the system ends. */
function drawMeanwhile(
  random: Random,
  service: ServicePlan,
  services: readonly ServicePlan[],
  isLast: boolean,
): readonly Deed[] {
  const others = services.filter(({ name }) => name !== service.name);
  // What comes after the end of the system has begun is seldom anything else.
  switch (isLast ? random.integer(0, 4) : random.pick([0, 1, 1, 4])) {
    case 0:
    case 1: {
      const lingering = others.filter(({ programs }) => programs.includes(lingers));
      const some = lingering.length > 0 ? lingering : others;
      const reload: Deed = { do: 'reload', names: some.map(({ name }) => name), gone: [], force: true };
      return random.chance(0.7) ? [reload] : [{ ...reload, names: [...reload.names, service.name] }];
    }
    case 2:
      return [{ do: 'shutdown', delay: 0 }];
    case 3:
      return [{ do: 'signal', signal: 'SIGTERM' }];
    default:
      return [{ do: 'stop', names: [service.name], disable: random.chance(0.2), drain: random.chance(0.3) }];
  }
}

function drawDeed(random: Random, { name, type }: ServicePlan): Deed {
  const names = [name];
  switch (random.integer(0, 9)) {
    case 0:
      return { do: 'start', names, enable: random.chance(0.4), force: random.chance(0.3) };
    case 1:
      return { do: 'stop', names, disable: random.chance(0.3), drain: random.chance(0.3) };
    case 2:
      return { do: 'restart', names, force: random.chance(0.3) };
    case 3:
      return { do: 'reset', names, force: random.chance(0.4) };
    case 4:
      return { do: 'enable', names };
    case 5:
      return { do: 'disable', names };
    case 6:
      return { do: 'kill', name, signal: random.pick(['SIGTERM', 'SIGKILL', 'SIGUSR2']) };
    case 7:
      return { do: 'reload', names, gone: random.chance(0.3) ? names : [], force: random.chance(0.7) };
    case 8:
      return { do: 'reload-service', name };
    default:
      if (type !== 'cron' && random.chance(0.2)) return { do: 'shutdown', delay: random.pick([0, 500]) };
      return { do: type === 'cron' || name === whoever ? 'run-now' : 'reload-service', name };
  }
}

function drawFault(random: Random, { name }: ServicePlan, when: When): Fault {
  switch (random.integer(0, 4)) {
    case 0:
    case 1:
      return { fault: 'rebuilt', when };
    case 2:
      return { fault: 'pause', duration: random.pick([30, 400, 3_000]), when };
    case 3:
      return { fault: 'exhausted', what: random.pick(['descriptors', 'memory']), duration: 500, when };
    default:
      return { fault: 'killed', service: name, signal: random.pick(['SIGKILL', 'SIGSEGV', 'SIGTERM']), when };
  }
}

function laterBy(when: When, delay: number): When {
  return 'ms' in when ? { ms: when.ms + delay } : { ...when, delay: when.delay + delay };
}

type Theme = (
  random: Random,
  service: ServicePlan,
  plan: WorldPlan,
) => { readonly service: ServicePlan; readonly faults?: readonly Fault[]; readonly commands?: readonly Command[] };

/** The plan, in which the service has settings that lead to rare stages; the same plan where these would contradict others. */
function withTheme(random: Random, plan: WorldPlan, name: string): WorldPlan {
  const service = serviceOf(plan, name);
  const { service: other, faults = [], commands = [] } = random.pick(themesOf(service))(random, service, plan);
  const stuck: readonly Fault[] = random.chance(0.2)
    ? [{ fault: 'stuck', service: name, duration: random.pick([50, 400, 3_000]) }]
    : [];
  const next = {
    ...changed(plan, name, () => other),
    faults: [...plan.faults, ...stuck, ...faults],
    commands: [...plan.commands, ...commands],
  };
  return specOf(next) === undefined ? plan : next;
}

function themesOf(service: ServicePlan): readonly Theme[] {
  switch (service.type) {
    case 'inetd':
      return [refusedPort, refusedPort, refusedPort, asking, asking, failingWithPrerequisite, switchedOff, waiting];
    case 'cron':
      return [asking, hookedRuns, hookedRuns, unscheduled, failingWithPrerequisite, switchedOff, waiting];
    case 'oneshot':
      return [asking, hooked, failingWithPrerequisite, switchedOff, waiting];
    case 'forking':
      return [
        asking,
        hooked,
        failingWithPrerequisite,
        waiting,
        ...(service.spec.pidfile === undefined ? [] : [probed, shortDaemon, shortDaemon]),
      ];
    case 'simple':
    case 'notify':
      return [
        asking,
        hooked,
        hooked,
        failingWithPrerequisite,
        failingWithPrerequisite,
        probed,
        reloading,
        reloading,
        reloading,
        reloading,
        reloading,
        mainProgram,
        mainProgram,
        switchedOff,
        waiting,
      ];
  }
}

/** Nobody starts the service unless somebody asks for it. */
const switchedOff: Theme = (_, service) => ({ service: { ...service, spec: { ...service.spec, enabled: false } } });

/** The service waits for one that somebody has stopped, or that is slow. */
const waiting: Theme = (random, service, { services }) => {
  const earlier = services.slice(0, services.indexOf(service));
  if (earlier.length === 0) return { service };
  const { name } = random.pick(earlier);
  const others = (names: readonly string[] = []): readonly string[] => names.filter((each) => each !== name);
  const { wants, requires, after } = service;
  return {
    service: {
      ...service,
      after: [...others(after), name],
      ...(wants === undefined ? {} : { wants: others(wants) }),
      ...(requires === undefined ? {} : { requires: others(requires) }),
    },
    commands: [{ do: 'stop', names: [name], disable: false, when: { ms: 0 } }],
  };
};

/** A run goes on for long after its service was disabled, while somebody stops what the service needs. */
const unscheduled: Theme = (random, service, { services }) => {
  const earlier = services.slice(0, services.indexOf(service));
  if (earlier.length === 0) return { service };
  const { name } = random.pick(earlier);
  const { wants: _, requires: __, ...rest } = service;
  const when: When = { in: 'ready.scheduled', service: service.name, nth: 1, delay: random.pick([1_500, 2_500]) };
  return {
    service: { ...rest, after: [name], spec: { ...ignoring(rest.spec), interval: '* * * * * *' }, programs: [lingers] },
    commands: [
      { do: 'disable', names: [service.name], when },
      { do: 'stop', names: [name], disable: false, when: laterBy(when, random.pick([0, 20, 300])) },
    ],
  };
};

/** The port cannot be opened, and is tried again; sometimes only once the system is up. */
const refusedPort: Theme = (random, service) => {
  const isLate = random.chance(0.5);
  const names = [service.name];
  const when: When = { on: 'ready', nth: 1, delay: random.pick([0, 300]) };
  return {
    ...(isLate ? { commands: [{ do: 'start', names, enable: true, force: false, when }] } : {}),
    service: {
      ...service,
      spec: {
        ...ignoring(service.spec),
        ...(isLate ? { enabled: false } : {}),
        restartPolicy: { ...service.spec.restartPolicy, startFailure: true },
        restartDelay: random.pick([100, 3_000]),
        restartLimit: random.integer(0, 4),
      },
    },
    faults: [{ fault: 'portTaken', service: service.name, code: 'EADDRINUSE' }],
  };
};

/** A command decides whether the service starts; it takes its time, and may not end when it is told to. */
const asking: Theme = (random, service) => {
  const condition = { kind: 'command', command: 'asks', argv: [`condition:${programOf(service)}`] } as const;
  return {
    service: {
      ...service,
      spec: { ...service.spec, startIf: condition },
      commands: { ...service.commands, condition: [slowCommand(random), slowCommand(random)] },
    },
  };
};

/** Runs with hooks, which last, and which SIGKILL does not end at once. */
const hookedRuns: Theme = (random, service) => ({
  service: {
    ...beforeHooks(service),
    spec: { ...beforeHooks(service).spec, interval: '* * * * * */3', stopTimeout: random.pick([500, 3_000]) },
    hooks: {
      before_start: [{ mayFail: random.chance(0.5), program: slowCommand(random) }],
      after_stop: [{ mayFail: random.chance(0.5), program: slowCommand(random) }],
    },
    programs: [slowCommand(random), slowCommand(random)],
  },
});

/** Hooks of all stages. */
const hooked: Theme = (random, service) => ({
  service: {
    ...beforeHooks(service),
    spec: { ...beforeHooks(service).spec, stopTimeout: random.pick([500, 1_500, 20_000]) },
    hooks: Object.fromEntries(
      hookStages.flatMap((stage) =>
        random.chance(0.8) ? [[stage, [{ mayFail: random.chance(0.4), program: slowCommand(random) }]]] : [],
      ),
    ),
  },
});

/** Probes that take their time: the service is told to end, or is stalled, before they have passed. */
const probed: Theme = (random, service, { services }) => {
  const index = services.indexOf(service);
  const probe = (): Probe => ({
    kind: 'probe',
    check: random.pick([
      { kind: 'delay', time: random.pick([100, 2_000]) },
      { kind: 'command', argv: [`probe:${programOf(service)}`] },
      { kind: 'command', argv: [`probe:${programOf(service)}`] },
      { kind: 'file', path: `/run/s${index}.ok` },
    ]),
    interval: random.pick([50, 1_000]),
    longest: 1_000,
    timeout: random.pick([50, 500]),
    retries: random.integer(1, 2),
    startPeriod: 0,
  });
  return {
    service: {
      ...service,
      spec: { ...service.spec, ready: probe(), healthy: probe(), onUnhealthy: 'log', processTimeout: 5_000 },
      probes: [slowCommand(random), slowCommand(random), slowCommand(random)],
    },
  };
};

/** A daemon that names itself late and ends soon, and chaperone is stalled meanwhile. */
const shortDaemon: Theme = (random, service) => {
  const { pidfile = '' } = service.spec;
  const daemon: Script = {
    steps: [
      { do: 'wait', ms: random.pick([0, 30, 300]) },
      { do: 'write', path: pidfile, text: '$$\n' },
      { do: 'wait', ms: random.pick([0, 10, 300, 900]) },
      { do: 'exit', code: random.pick([0, 0, 1]) },
    ],
  };
  const start: Script = {
    steps: [
      { do: 'fork', script: daemon, detached: random.chance(0.8) },
      { do: 'exit', code: 0 },
    ],
  };
  const stage = random.pick([
    'starting.awaitingPidfile',
    'starting.awaitingPidfile',
    'ready.running',
    'starting.afterStart',
  ] as const);
  const when: When = {
    in: stage,
    service: service.name,
    nth: random.pick([1, 1, 2]),
    delay: random.pick([0, 10, 200]),
  };
  return {
    service: { ...service, spec: { ...service.spec, processTimeout: 5_000 }, programs: [start] },
    faults: [{ fault: 'pause', duration: random.pick([400, 3_000]), when }],
  };
};

/** A reload by hand, which fails, hangs, or is overtaken by the end of the service. */
const reloading: Theme = (random, service) => {
  const { name, type, spec } = service;
  const bySignal = random.chance(0.4);
  const method: NonNullable<ServiceSpec['reload']> = bySignal
    ? { kind: 'signal', signal: 'SIGHUP' }
    : { kind: 'command', command: 'reload', argv: [`reload:${programOf(service)}`] };
  const says: readonly Step[] = [
    ...(random.chance(0.8) ? [{ do: 'notify', text: 'RELOADING=1' } as const] : []),
    { do: 'wait', ms: random.pick([20, 300, 900]) },
    ...(random.chance(0.7) ? [{ do: 'notify', text: 'READY=1' } as const] : []),
    { do: 'hang' },
  ];
  const program: Script = {
    steps: [
      { do: 'wait', ms: 20 },
      ...(type === 'notify' ? [{ do: 'notify', text: 'READY=1' } as const] : []),
      { do: 'wait', ms: 900 },
      ...(random.chance(0.3) ? says : []),
      { do: 'hang' },
    ],
    onSignal: { SIGHUP: says },
  };
  const at: When = { in: 'ready.running', service: name, nth: 1, delay: random.pick([0, 100, 300, 880]) };
  return {
    service: {
      ...service,
      spec: { ...spec, reload: method, processTimeout: random.pick([200, 600, 5_000]) },
      programs: [program],
      commands: { ...service.commands, reload: [slowCommand(random), slowCommand(random)] },
    },
    commands: [
      { do: 'reload-service', name, when: at },
      { do: 'reload-service', name, when: laterBy(at, random.pick([0, 20, 1_500])) },
      ...(random.chance(0.5)
        ? [{ ...drawDeed(random, service), when: laterBy(at, random.pick([0, 1, 20, 300])) }]
        : []),
    ],
    faults: random.chance(0.3)
      ? [{ fault: 'exhausted', what: 'memory', duration: 100, when: at }]
      : random.chance(0.3)
        ? [{ fault: 'killed', service: name, signal: 'SIGKILL', when: laterBy(at, random.pick([0, 20, 300])) }]
        : [],
  };
};

/** The end of the service ends the system, unless a reload is about to replace the service, or the system ends anyway. */
const mainProgram: Theme = (random, service) => {
  const { restart: _, restartPolicy: __, ...rest } = withoutEndings(service.spec);
  const names = [service.name];
  const when: When = {
    on: random.pick(['spawned', 'ready.running'] as const),
    service: service.name,
    nth: 1,
    delay: random.pick([0, 20, 700]),
  };
  return {
    service: { ...service, spec: { ...rest, exitKills: true } },
    commands: [
      random.chance(0.7)
        ? { do: 'reload', names, gone: [], force: true, when }
        : { do: 'signal', signal: 'SIGTERM', when },
    ],
  };
};

/** The service fails with what it requires, in whatever stage it is then. */
const failingWithPrerequisite: Theme = (random, service, { services }) => {
  const index = services.indexOf(service);
  const candidates = services.slice(0, index).filter(({ type }) => type === 'simple' || type === 'notify');
  if (candidates.length === 0) return { service };
  const { name } = random.pick(candidates);
  const others = (names: readonly string[] = []): readonly string[] => names.filter((each) => each !== name);
  const at: When = {
    in: random.pick(stagesOf(service)),
    service: service.name,
    nth: random.pick([1, 1, 2]),
    delay: random.pick([0, 0, 20]),
  };
  return {
    service: {
      ...service,
      after: others(service.after),
      wants: others(service.wants),
      requires: [...others(service.requires), name],
      spec: { ...ignoring(service.spec), onPrerequisiteFailure: random.pick(['fail', 'fail', 'stop']) },
    },
    commands: [{ do: 'stop', names: [name], disable: false, when: at }],
    faults: random.chance(0.4) ? [{ fault: 'killed', service: name, signal: 'SIGKILL', when: at }] : [],
  };
};

/** Without the directives by which the service's end ends the system. */
function withoutEndings(spec: Partial<ServiceSpec>): Partial<ServiceSpec> {
  const { onFailure: _, onSuccess: __, exitKills: ___, remainAfterExit: ____, ...rest } = spec;
  return rest;
}

function ignoring(spec: Partial<ServiceSpec>): Partial<ServiceSpec> {
  return { ...withoutEndings(spec), ignoreFailures: true };
}

/** The service without what goes badly with hooks: values, which each hook would read anew, and signals with pauses. */
function beforeHooks({ values: _, spec: { killSteps: __, ...spec }, ...service }: ServicePlan): ServicePlan {
  return { ...service, spec };
}

/** A command that takes its time, and may fail, hang, leave a child, or resist its end. */
function slowCommand(random: Random): Script {
  const child: readonly Step[] = random.chance(0.3)
    ? [
        {
          do: 'fork',
          script: { steps: [{ do: 'hang' }], ...resisting(random) },
          detached: random.chance(0.2),
        },
      ]
    : [];
  const end = random.pick<readonly Step[]>([
    [],
    [],
    [],
    [{ do: 'exit', code: 1 }],
    [{ do: 'exit', code: 255 }],
    [{ do: 'hang' }],
  ]);
  return { steps: [...child, { do: 'wait', ms: random.pick([0, 20, 300, 900]) }, ...end], ...resisting(random) };
}

function resisting(random: Random): Partial<Script> {
  return {
    ...(random.chance(0.4) ? { onSignal: { SIGTERM: 'ignore', SIGINT: 'ignore', SIGUSR1: 'ignore' } } : {}),
  };
}

function programOf({ name }: ServicePlan): string {
  return name.replace(/\.service$/, '');
}
