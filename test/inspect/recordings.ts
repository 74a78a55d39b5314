/** Boots in virtual time, recorded as entries: what the inspector page is tested with. */
import { fileURLToPath } from 'node:url';
import type { InspectionEvent } from 'xstate';
import { loadConfiguration } from '../../src/config/load.ts';
import type { Entry, Json, JsonObject, SnapshotView } from '../../src/inspect/entry.ts';
import { parseAccounts } from '../../src/model/accounts.ts';
import { buildDependencyGraph } from '../../src/model/dependency-graph.ts';
import { parseSchedule } from '../../src/model/schedule.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service-spec.ts';
import { assemble } from '../../src/runtime/assemble.ts';
import { configFiles } from '../../src/runtime/linux/config-files.ts';
import { attachLogging } from '../../src/runtime/logging.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import { SimulatedKernel, type SimulatedPrograms } from '../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { simpleService, systemOf } from '../simulation/world.ts';

const wait = (ms: number): Step => ({ do: 'wait', ms });
const print = (text: string, to: 'stdout' | 'stderr' = 'stdout'): Step => ({ do: 'print', text, to });
const hang: Step = { do: 'hang' };
const quietly = { SIGTERM: [wait(20), { do: 'exit', code: 0 }] } as const;

type Distribute<T, K extends string> = T extends unknown ? Omit<T, K> : never;

/** A provisional source of entries. */
function record(spec: SystemSpec, programs: SimulatedPrograms, until: number, stopAt?: number): Entry[] {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, programs);
  const entries: Entry[] = [];
  const push = (entry: Distribute<Entry, 'seq' | 'at'>): void => {
    entries.push({ seq: entries.length + 1, at: clock.now(), ...entry } as Entry);
  };
  const graph = buildDependencyGraph(spec.services);
  push({
    type: '@chaperone.boot',
    version: 1,
    chaperone: '0.1.0',
    boot: '00112233445566778899aabbccddeeff',
    epoch: 1_700_000_000_000,
    hostname: 'api-7f9c',
    pid: 1,
    services: spec.services.map((service) => {
      const node = graph.nodes[service.name];
      return {
        name: service.name,
        type: service.type,
        enabled: service.enabled,
        groups: service.groups,
        program: service.argv[0] ?? '',
        waitsFor: node?.prerequisites ?? [],
        layer: node?.layer ?? 0,
        ignoreFailures: service.ignoreFailures,
      };
    }),
  });
  const known = new Set<string>();
  const machines = new Set<string>();
  const plain = (event: { type: string }): JsonObject & { type: string } => {
    const kept: Record<string, Json> = {};
    for (const [key, value] of Object.entries(event))
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') kept[key] = value;
    if ('status' in event) kept['status'] = JSON.parse(JSON.stringify(event.status));
    return { ...kept, type: event.type };
  };
  const view = (snapshot: unknown): SnapshotView => {
    const { status, value, context, machine } = snapshot as {
      status: SnapshotView['status'];
      value?: Json;
      context?: { spec?: ServiceSpec; run?: { pid: number }; restartsUsed?: number; verdict?: { kind: string } };
      machine?: { id: string };
    };
    if (machine === undefined) return { status };
    const shown: Record<string, Json> =
      machine.id === 'service'
        ? {
            service: context?.spec?.name ?? '',
            pid: context?.run?.pid ?? 0,
            restarts: context?.restartsUsed ?? 0,
            ...(context?.verdict === undefined ? {} : { cause: context.verdict.kind }),
          }
        : {};
    return { status, value: value ?? '', context: shown };
  };
  const serviceOf = (ref: unknown): string | undefined => {
    const found = /^service:(.*)$/.exec((ref as { id: string }).id)?.[1];
    if (found !== undefined) return found.endsWith('.service') ? found : `${found}.service`;
    const parent = (ref as { _parent?: unknown })._parent;
    return parent === undefined ? undefined : serviceOf(parent);
  };
  const inspect = (event: InspectionEvent): void => {
    const ref = event.actorRef as unknown as {
      id: string;
      sessionId: string;
      _parent?: { sessionId: string };
      logic: { definition?: unknown; id?: string };
      getSnapshot: () => unknown;
    };
    const meet = (): void => {
      if (known.has(ref.sessionId)) return;
      known.add(ref.sessionId);
      const machine = ref.logic.definition === undefined ? undefined : ref.logic.id;
      if (machine !== undefined && !machines.has(machine)) {
        machines.add(machine);
        push({
          type: '@chaperone.definition',
          machine,
          definition: JSON.parse(JSON.stringify(ref.logic.definition)) as Json,
        });
      }
      const service = serviceOf(ref);
      push({
        type: '@xstate.actor',
        sessionId: ref.sessionId,
        ...(ref._parent === undefined ? {} : { parentId: ref._parent.sessionId }),
        name: machine === 'service' ? (service ?? ref.id) : ref.id,
        ...(machine === undefined ? {} : { machine }),
        ...(service === undefined ? {} : { service }),
        snapshot: { status: 'active' },
      });
    };
    switch (event.type) {
      case '@xstate.actor':
        meet();
        break;
      case '@xstate.event': {
        meet();
        const source = event.sourceRef as { sessionId: string } | undefined;
        push({
          type: '@xstate.event',
          sessionId: ref.sessionId,
          ...(source === undefined ? {} : { sourceId: source.sessionId }),
          event: plain(event.event),
        });
        break;
      }
      case '@xstate.microstep':
        meet();
        push({
          type: '@xstate.snapshot',
          sessionId: ref.sessionId,
          event: plain(event.event),
          snapshot: view(event.snapshot),
        });
        break;
      default:
    }
  };
  const assembly = assemble(kernel, clock, spec, {
    version: '0.1.0',
    attachLogging,
    loadSchedules: () => parseSchedule,
    inspect: () => inspect,
  });
  assembly.records$.subscribe(({ severity, facility, program, pid, message }) =>
    push({ type: '@chaperone.log', severity, facility, program, message, ...(pid === undefined ? {} : { pid }) }),
  );
  assembly.outcome$.subscribe({
    next: ({ exitStatus, end }) => push({ type: '@chaperone.end', exitStatus, cause: end.kind }),
  });
  assembly.start();
  if (stopAt !== undefined) clock.setTimeout(() => kernel.deliver('SIGTERM'), stopAt);
  clock.run(until);
  return entries;
}

const samplePath = '/sample/config';

function sampleSpec(): SystemSpec {
  const real = (path: string): string =>
    path.replace(samplePath, fileURLToPath(new URL('../../config', import.meta.url)));
  const { spec } = loadConfiguration(samplePath, {
    reader: {
      stat: (path) => configFiles.stat(real(path)),
      list: (path) => configFiles.list(real(path)),
      read: (path) => configFiles.read(real(path)),
    },
    environment: { PATH: '/usr/bin:/bin' },
    accounts: parseAccounts('', ''),
    interactive: false,
  });
  if (spec === undefined) throw new Error('the sample configuration does not load');
  return spec;
}

/** The sample configuration, from its start to the end of everything. */
export function sampleRecording(): Entry[] {
  let crashed = false;
  const script = (argv: readonly string[]): Script => {
    const command = argv.join(' ');
    if (command.includes('mkdir')) return { steps: [wait(12), print('made it\n')] };
    if (command.includes('store.mjs'))
      return { steps: [wait(140), print('listening on run/store.sock\n'), hang], onSignal: quietly };
    if (command.includes('trap')) return { steps: [print('I will not go\n'), hang], onSignal: { SIGTERM: 'ignore' } };
    if (command.includes('report')) return { steps: [wait(60), print('all is well\n')] };
    if (command.includes('crashed')) {
      const first = !crashed;
      crashed = true;
      return first
        ? { steps: [wait(1_000), print('out of luck\n', 'stderr'), { do: 'exit', code: 1 }] }
        : { steps: [hang], onSignal: quietly };
    }
    const talk = Array.from({ length: 6 }, (_, hit) => [wait(900), print(`the store counts ${hit + 1} hits\n`)]).flat();
    return { steps: [...talk, hang], onSignal: quietly };
  };
  return record(sampleSpec(), { has: () => true, script }, 20_000, 10_000);
}

/** A store that never says READY=1, and everything that waits for it. */
export function deadlockRecording(): Entry[] {
  const after = (...names: string[]) => ({ prerequisites: names.map((name) => `${name}.service`) });
  const services = [
    simpleService('prepare', { type: 'oneshot', groups: ['INIT'] }),
    simpleService('store', { type: 'notify', processTimeout: 300_000, ...after('prepare') }),
    simpleService('metrics', after('prepare')),
    simpleService('migrate', { type: 'oneshot', ...after('store') }),
    simpleService('web', after('migrate')),
    simpleService('worker', after('migrate', 'metrics')),
    simpleService('proxy', after('web', 'worker')),
    simpleService('report', { type: 'oneshot', groups: ['IDLE'], interval: '' }),
  ];
  const script = ([name]: readonly string[]): Script => {
    if (name === 'prepare') return { steps: [wait(40)] };
    if (name === 'store') return { steps: [wait(120), print('Ready to accept connections\n', 'stderr'), hang] };
    return { steps: [hang], onSignal: quietly };
  };
  return record(systemOf(services), { has: () => true, script }, 45_000);
}

/** A service that crashes until it has used up its restarts, beside two that stand. */
export function crashLoopRecording(): Entry[] {
  const services = [
    simpleService('store', { startupPause: 200 }),
    simpleService('web', {
      prerequisites: ['store.service'],
      restart: true,
      restartDelay: 2_000,
      restartLimit: 5,
      startupPause: 300,
      ignoreFailures: true,
    }),
    simpleService('report', { type: 'cron', interval: '*/10 * * * * *', prerequisites: ['store.service'] }),
  ];
  let run = 0;
  const script = ([name]: readonly string[]): Script => {
    if (name === 'web') {
      run += 1;
      return {
        steps: [
          wait(400 + 350 * run),
          print('cannot bind 0.0.0.0:80: Address already in use\n', 'stderr'),
          { do: 'exit', code: 1 },
        ],
      };
    }
    if (name === 'report') return { steps: [wait(700), print('all is well\n')] };
    return { steps: [hang], onSignal: quietly };
  };
  return record(systemOf(services), { has: () => true, script }, 60_000);
}

/** 300 services in ten layers; one in fifty crashes once. */
export function manyRecording(count = 300, until = 30_000): Entry[] {
  const perLayer = Math.ceil(count / 10);
  const kinds = ['db', 'cache', 'queue', 'api', 'web', 'job'];
  const nameOf = (index: number): string => `${kinds[index % kinds.length]}-${String(index).padStart(3, '0')}`;
  const services = Array.from({ length: count }, (_, index) => {
    const above = index - perLayer;
    const before = above < 0 ? [] : [above, above - (above % perLayer) + ((above * 7) % perLayer)];
    return simpleService(nameOf(index), {
      prerequisites: [...new Set(before)].filter((at) => at >= 0 && at < index).map((at) => `${nameOf(at)}.service`),
      groups: [index < perLayer ? 'INIT' : 'default', kinds[index % kinds.length] ?? 'db'],
      startupPause: 50 + ((index * 37) % 400),
      restart: true,
      restartDelay: 1_000,
    });
  });
  const crashed = new Set<string>();
  const script = ([name = '']: readonly string[]): Script => {
    if (Number(name.slice(-3)) % 50 !== 49 || crashed.has(name)) return { steps: [hang], onSignal: quietly };
    crashed.add(name);
    return { steps: [wait(3_000), print('lost the connection\n', 'stderr'), { do: 'exit', code: 1 }] };
  };
  return record(systemOf(services), { has: () => true, script }, until);
}

/** At least `size` entries: 200 services that crash and are restarted again and again. */
export function longRecording(size: number): Entry[] {
  const services = Array.from({ length: 200 }, (_, index) =>
    simpleService(`job-${String(index).padStart(3, '0')}`, {
      startupPause: 20,
      restart: true,
      restartDelay: 500,
      restartLimit: 1_000_000,
      ignoreFailures: true,
    }),
  );
  const script = ([name = '']: readonly string[]): Script => ({
    steps: [wait(1_000 + Number(name.slice(-3)) * 17), print(`${name} is out of luck\n`, 'stderr'), { do: 'exit', code: 1 }],
  });
  return record(systemOf(services), { has: () => true, script }, Math.ceil(size / 1.2)).slice(0, size);
}
