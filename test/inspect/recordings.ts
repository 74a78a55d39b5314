/** Boots in virtual time, recorded as entries: what the inspector page is tested with. */
import { fileURLToPath } from 'node:url';
import { loadConfiguration } from '../../src/config/load.ts';
import type { Entry } from '../../src/inspect/entry.ts';
import { parseAccounts } from '../../src/model/service/accounts.ts';
import type { SystemSpec } from '../../src/model/service/service-spec.ts';
import { configFiles } from '../../src/runtime/linux/config-files.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { SimulatedPrograms } from '../../src/runtime/simulated/simulated-kernel.ts';
import { createWorld, simpleService, systemOf, type World, type WorldOptions } from '../simulation/world.ts';

const wait = (ms: number): Step => ({ do: 'wait', ms });
const print = (text: string, to: 'stdout' | 'stderr' = 'stdout'): Step => ({ do: 'print', text, to });
const hang: Step = { do: 'hang' };
const quietly = { SIGTERM: [wait(20), { do: 'exit', code: 0 }] } as const;

function record(spec: SystemSpec, programs: SimulatedPrograms, until: number, stopAt?: number): Entry[] {
  return recorded(createWorld(spec, programs), until, stopAt);
}

function recorded(world: World, until: number, stopAt?: number): Entry[] {
  const entries: Entry[] = [];
  world.inspection.hub.watch({
    records: true,
    onEntry: (entry) => {
      entries.push(entry);
      return true;
    },
  });
  world.assembly.start();
  if (stopAt !== undefined) world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), stopAt);
  world.clock.run(until);
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

/** The last service of a boot never says READY=1; nothing else happens. */
export function hangingWorld(): World {
  const services = [
    simpleService('store'),
    simpleService('web', { type: 'notify', processTimeout: 3_600_000, prerequisites: ['store.service'] }),
  ];
  return createWorld(systemOf(services), { has: () => true, script: () => ({ steps: [hang], onSignal: quietly }) });
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
    if (name === 'store')
      return {
        steps: [
          wait(120),
          print('Ready to accept connections\n', 'stderr'),
          wait(41_500),
          print('still waiting for clients\n', 'stderr'),
          hang,
        ],
      };
    return { steps: [hang], onSignal: quietly };
  };
  return record(systemOf(services), { has: () => true, script }, 45_000);
}

/** A service that crashes until it has used up its restarts, beside two that stand. */
export function crashLoopRecording(until = 60_000): Entry[] {
  const world = crashLoopWorld();
  return recorded(world, until);
}

export function crashLoopWorld(options: WorldOptions = {}): World {
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
  return createWorld(systemOf(services), { has: () => true, script }, options);
}

/** db is killed and comes up again; two services wait for it, directly or not, and one does not. */
export function incidentRecording(): Entry[] {
  let run = 0;
  const services = [
    simpleService('db', { startupPause: 100, restart: true, restartDelay: 2_000 }),
    simpleService('api', { prerequisites: ['db.service'], startupPause: 100 }),
    simpleService('web', { prerequisites: ['api.service'], startupPause: 100 }),
    simpleService('other', { startupPause: 100 }),
  ];
  const script = ([name]: readonly string[]): Script => {
    if (name === 'db') run += 1;
    return name === 'db' && run === 1
      ? { steps: [wait(5_000), print('cannot fork: out of memory\n', 'stderr'), { do: 'exit', code: 3 }] }
      : { steps: [hang], onSignal: quietly };
  };
  return record(systemOf(services), { has: () => true, script }, 20_000);
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

/** `size` entries: 200 services that crash and are restarted again and again. All but the first are repeated. */
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
    steps: [
      wait(1_000 + Number(name.slice(-3)) * 17),
      print(`${name} is out of luck\n`, 'stderr'),
      { do: 'exit', code: 1 },
    ],
  });
  return prolong(record(systemOf(services), { has: () => true, script }, 12_000), 5_000, size);
}

/** Goes on with the entries from `first` on until there are `size`: later, and with actors of their own. */
function prolong(recorded: readonly Entry[], first: number, size: number): Entry[] {
  const entries = recorded.slice(0, size);
  const block = recorded.slice(first);
  const born = new Set(block.flatMap((entry) => (entry.type === '@xstate.actor' ? [entry.sessionId] : [])));
  const lasted = (recorded.at(-1)?.at ?? 0) - (block[0]?.at ?? 0);
  for (let round = 1; entries.length < size && block.length > 0; round += 1) {
    const id = (known: string): string => (born.has(known) ? `${known}r${round}` : known);
    for (const entry of block.slice(0, size - entries.length)) {
      const place = { seq: (entries.at(-1)?.seq ?? 0) + 1, at: entry.at + round * lasted };
      if (entry.type === '@xstate.actor')
        entries.push({
          ...entry,
          ...place,
          sessionId: id(entry.sessionId),
          ...(entry.parentId === undefined ? {} : { parentId: id(entry.parentId) }),
        });
      else if (entry.type === '@xstate.event')
        entries.push({
          ...entry,
          ...place,
          sessionId: id(entry.sessionId),
          ...(entry.sourceId === undefined ? {} : { sourceId: id(entry.sourceId) }),
        });
      else if (entry.type === '@xstate.snapshot') entries.push({ ...entry, ...place, sessionId: id(entry.sessionId) });
      else entries.push({ ...entry, ...place });
    }
  }
  return entries;
}
