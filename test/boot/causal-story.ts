/**
 * Stories for both kernels: a configuration and happenings, one at a time. Each happening waits until all effects of
 * the last one are there, so that no story depends on speed. Stories are made on the simulated kernel, where the next
 * happening can be chosen by the present states.
 */
import { basename } from 'node:path';
import { loadConfiguration } from '../../src/config/load.ts';
import { parseWords } from '../../src/control/command-words.ts';
import { execute } from '../../src/control/execute.ts';
import { Meter } from '../../src/control/meter.ts';
import type { SystemOutput } from '../../src/machines/system.ts';
import { parseAccounts } from '../../src/model/service/accounts.ts';
import { type SystemSpec, shortName } from '../../src/model/service/service-spec.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import { AssemblySupervisor } from '../../src/runtime/control/assembly-supervisor.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import { memoryReader } from '../config/memory-reader.ts';
import { Random } from '../simulation/random.ts';
import { createWorld } from '../simulation/world.ts';
import { config } from './namespace.ts';

/** A happening: the boot, an order to a program, a command, or the end of chaperone. */
export type Happening =
  | { readonly kind: 'boot' }
  | { readonly kind: 'tell'; readonly service: string; readonly line: string }
  | { readonly kind: 'command'; readonly words: readonly string[] }
  | { readonly kind: 'end' };

export interface Chapter {
  readonly happening: Happening;
  /** The effects: by service, how many public states it has been in so far, and its state path. */
  readonly reached: Readonly<Record<string, { readonly states: number; readonly path: string }>>;
}

/** The course of a story on one kernel, as far as it is visible from outside. */
export interface Course {
  /** By service: its public states in order. */
  readonly states: Readonly<Record<string, readonly string[]>>;
  /** The answer to each command. */
  readonly answers: readonly string[];
  /** By service: its last state; empty where the system had ended by itself. */
  readonly standing: Readonly<Record<string, string>>;
  readonly exitStatus: number;
}

export interface Story {
  /** The text of the configuration. `PUPPET` has to be in the environment, and names test/fixtures/puppet.c. */
  readonly config: string;
  /** The short names of the services. */
  readonly services: readonly string[];
  readonly chapters: readonly Chapter[];
  /** The course on the simulated kernel. */
  readonly course: Course;
}

/** Collects the states of services from the lines of `--inspect`, to which lines may be added. */
export class StateBook {
  readonly #line: (index: number) => string | undefined;
  readonly #states = new Map<string, string[]>();
  readonly #paths = new Map<string, string>();
  #read = 0;

  /** @param line returns each line so far by its index, and undefined beyond the last */
  constructor(line: (index: number) => string | undefined) {
    this.#line = line;
  }

  get states(): Course['states'] {
    this.#readOn();
    return Object.fromEntries([...this.#states].sort().map(([name, states]) => [name, [...states]]));
  }

  reached(): Chapter['reached'] {
    this.#readOn();
    return Object.fromEntries(
      [...this.#paths].map(([name, path]) => [name, { states: this.#states.get(name)?.length ?? 0, path }]),
    );
  }

  #readOn(): void {
    for (let line = this.#line(this.#read); line !== undefined; line = this.#line(this.#read)) {
      this.#read += 1;
      const [, actor, path] = /^ *\d+\.\d{3} {2}(\S+) +\S+ → (\S+)/.exec(line) ?? [];
      if (actor === undefined || path === undefined || actor === 'system') continue;
      this.#paths.set(actor, path);
      const states = this.#states.get(actor) ?? [];
      this.#states.set(actor, states);
      const [state = ''] = path.split('.');
      if (states.at(-1) !== state) states.push(state);
    }
  }
}

/** Forks a process that stays in the puppet's group. */
const left: Step = { do: 'fork', script: { steps: [{ do: 'hang' }] } };

/** Every order to a puppet as lines, with the signal that stands for it on the simulated kernel. */
const tellings: readonly (readonly [line: string, signal: SignalName, steps: (pidfile: string) => readonly Step[]])[] =
  [
    ['exit 0', 'SIGRTMIN+1', () => [{ do: 'exit', code: 0 }]],
    ['exit 3', 'SIGRTMIN+2', () => [{ do: 'exit', code: 3 }]],
    ['die 10', 'SIGRTMIN+3', () => [{ do: 'die', signal: 'SIGUSR1' }]],
    ['notify READY=1', 'SIGRTMIN+4', () => [{ do: 'notify', text: 'READY=1' }, { do: 'hang' }]],
    ['notify ERRNO=5', 'SIGRTMIN+5', () => [{ do: 'notify', text: 'ERRNO=5' }, { do: 'hang' }]],
    ['leave\nexit 0', 'SIGRTMIN+7', () => [left, { do: 'exit', code: 0 }]],
    ['leave\nexit 3', 'SIGRTMIN+8', () => [left, { do: 'exit', code: 3 }]],
    ['leave\ndie 10', 'SIGRTMIN+9', () => [left, { do: 'die', signal: 'SIGUSR1' }]],
    [
      'daemon',
      'SIGRTMIN+6',
      (pidfile) => [
        {
          do: 'fork',
          script: { ...puppet(pidfile), steps: [{ do: 'write', path: pidfile, text: '$$\n' }, { do: 'hang' }] },
          detached: true,
        },
        // The start ends once the file is there.
        { do: 'wait', ms: 1 },
        { do: 'exit', code: 0 },
      ],
    ],
  ];

function puppet(pidfile: string): Script {
  // A process that is a daemon already does not become one again.
  const reactions = tellings.map(([line, signal, steps]): [SignalName, readonly Step[]] => [
    signal,
    line === 'daemon' ? [] : steps(pidfile),
  ]);
  return { steps: [{ do: 'hang' }], onSignal: Object.fromEntries(reactions) };
}

function starter(pidfile: string): Script {
  const reactions = tellings.map(([, signal, steps]): [SignalName, readonly Step[]] => [signal, steps(pidfile)]);
  return { steps: [{ do: 'hang' }], onSignal: Object.fromEntries(reactions) };
}

const directory = '/story';

/** ms within which all effects are there that wait for nobody; others get ten times as long. */
const settling = 30_000;
const forever = 300;
/** The length of a short wait, s. */
const moment = 0.01;

/** Makes up a story, the same for the same seed. */
export async function tellStory(seed: number): Promise<Story> {
  const random = new Random(seed);
  const services = ['a', 'b', 'c', 'd', 'e'].slice(0, random.integer(2, 5));
  const text = randomConfig(random, services);
  const spec = load(text);

  const world = createWorld(spec, {
    has: () => true,
    script: ([, fifo = '', pidfile = '']) => (fifo === '' ? undefined : starter(pidfile)),
  });
  const { assembly, clock, kernel } = world;
  const book = new StateBook((index) => world.transitions[index]);
  const supervisor = new AssemblySupervisor({
    assembly,
    kernel,
    clock: kernel.supervisorClock,
    version: '',
    environment: {},
    widen: () => undefined,
    reload: () => Promise.resolve({ kind: 'ending' }),
    scale: () => Promise.resolve({ kind: 'ending' }),
    inspection: () => Promise.resolve(world.inspection),
  });
  const chapters: Chapter[] = [];
  const answers: string[] = [];
  /** The living puppet that is the service's process, or its start. */
  const puppetOf = (name: string): number | undefined => {
    const daemon = Number(kernel.readFile(`${directory}/${name}.pid`) ?? '0');
    const started = kernel.spawned.findLast(({ request }) => basename(request.argv[1] ?? '') === `${name}.fifo`)?.pid;
    return [started, daemon].find((pid) => pid !== undefined && kernel.livePids.includes(pid));
  };
  const write = async (happening: Happening): Promise<void> => {
    switch (happening.kind) {
      case 'boot':
        assembly.start();
        break;
      case 'tell': {
        const signal = tellings.find(([line]) => line === happening.line)?.[1];
        const pid = puppetOf(happening.service);
        if (signal === undefined || pid === undefined) throw new Error('nobody is there to be told');
        kernel.signal(pid, signal, 'process');
        break;
      }
      case 'command': {
        const parsed = parseWords(happening.words);
        if (parsed.kind !== 'command') throw new Error(`no command: ${happening.words.join(' ')}`);
        answers.push((await execute(parsed.command, { supervisor, timers: clock, meter: new Meter() })).kind);
        break;
      }
      case 'end':
        kernel.deliver('SIGTERM');
        break;
    }
    clock.run(clock.now() + settling, () => world.output() !== undefined);
    chapters.push({ happening, reached: book.reached() });
  };

  await write({ kind: 'boot' });
  for (let left = random.integer(4, 8); left > 0 && world.output() === undefined; left -= 1) {
    const happening = nextHappening(random, services, {
      pathOf: (name) => book.reached()[name]?.path,
      typeOf: (name) => spec.services.find((service) => service.name === `${name}.service`)?.type ?? 'simple',
      lives: (name) => puppetOf(name) !== undefined,
      endsSystem: (name) => spec.services.some((service) => service.name === `${name}.service` && service.exitKills),
    });
    if (happening !== undefined) await write(happening);
  }
  const standing =
    world.output() === undefined
      ? Object.fromEntries(supervisor.services().map(({ name, state }) => [shortName(name), state]))
      : {};
  if (world.output() === undefined) await write({ kind: 'end' });
  return {
    config: text,
    services,
    chapters,
    course: { states: book.states, answers, standing, exitStatus: exitStatusOf(world.output()) },
  };
}

function exitStatusOf(output: SystemOutput | undefined): number {
  if (output === undefined) throw new Error('the system was told to end, and did not');
  return output.exitStatus;
}

interface Stage {
  pathOf(name: string): string | undefined;
  typeOf(name: string): string;
  lives(name: string): boolean;
  /** True where the service's end ends the system. */
  endsSystem(name: string): boolean;
}

/** A random happening that has an effect in the present states. */
function nextHappening(random: Random, services: readonly string[], stage: Stage): Happening | undefined {
  const puppets = services.filter((name) => stage.lives(name) && linesFor(name, stage).length > 0);
  if (puppets.length > 0 && random.chance(0.65)) {
    const service = random.pick(puppets);
    return { kind: 'tell', service, line: random.pick(linesFor(service, stage)) };
  }
  const words = random.pick(commands);
  const forced = random.chance(0.2) && mayBeForced.includes(words[0] ?? '') ? ['--force'] : [];
  const names = random.chance(0.15) ? services : [random.pick(services)];
  return { kind: 'command', words: [...words, ...forced, ...names] };
}

const commands: readonly (readonly string[])[] = [
  ['stop'],
  ['stop'],
  ['stop', '--disable'],
  ['stop', '--drain'],
  ['start'],
  ['start'],
  ['start', '--enable'],
  ['restart'],
  ['restart'],
  ['reset'],
  ['enable'],
  ['enable'],
  ['disable'],
  ['disable'],
];
const mayBeForced = ['start', 'stop', 'restart', 'reset'];

const crashesOfGroups = ['leave\nexit 3', 'leave\ndie 10'];
const ends = ['exit 0', 'exit 3', 'die 10', 'leave\nexit 0', ...crashesOfGroups];

/** Orders that lead the service to another state; good ones come first and more often. */
function linesFor(name: string, stage: Stage): readonly string[] {
  // If a crash ends the system, the following stop may or may not find the left processes, so such crashes are left
  // out.
  return reactionsOf(name, stage).filter((line) => !(stage.endsSystem(name) && crashesOfGroups.includes(line)));
}

function reactionsOf(name: string, { pathOf, typeOf }: Stage): readonly string[] {
  const path = pathOf(name);
  switch (path) {
    case 'starting.awaitingNotify':
      // A normal end before READY changes nothing visible: the process could have become a daemon.
      return ['notify READY=1', 'notify READY=1', 'notify READY=1', 'notify ERRNO=5', 'exit 3', 'die 10'];
    case 'starting.awaitingExit':
      return typeOf(name) === 'forking' ? ['daemon', 'daemon', 'daemon', ...ends] : ['exit 0', 'exit 0', ...ends];
    case 'starting.awaitingPidfile':
      // The process of this simple service is to become a daemon; a normal end of the process changes nothing visible.
      return ['daemon', 'daemon', 'daemon', 'exit 3', 'die 10'];
    case 'starting.settling':
      return ends;
    case 'ready.running':
      return typeOf(name) === 'notify' ? [...ends, 'notify ERRNO=5'] : ends;
    default:
      return [];
  }
}

function randomConfig(random: Random, services: readonly string[]): string {
  const sections = services.map((name, index): [string, Readonly<Record<string, unknown>>] => {
    const type = random.pick(['simple', 'simple', 'oneshot', 'forking', 'notify', 'notify', 'cron']);
    const earlier = services.slice(0, index).filter(() => random.chance(0.4));
    return [
      `${name}.service`,
      {
        type,
        command: `$(PUPPET) $(_CHAP_CONFIG_DIR)/${name}.fifo $(_CHAP_CONFIG_DIR)/${name}.pid`,
        process_timeout: forever,
        ...(type === 'simple' ? { startup_pause: random.chance(0.6) ? 0 : forever } : {}),
        ...(type === 'notify' ? { startup_pause: 0 } : {}),
        ...(type === 'forking' || (type === 'simple' && random.chance(0.3))
          ? { pidfile: `$(_CHAP_CONFIG_DIR)/${name}.pid` }
          : {}),
        ...(type === 'cron' ? { interval: '0 0 29 2 *' } : {}),
        ...(earlier.length > 0 ? { after: earlier.map((other) => `${other}.service`).join(', ') } : {}),
        // The group is set only where it makes no cycle.
        ...(index === 0 && random.chance(0.3) ? { service_groups: 'INIT' } : {}),
        ...(index === services.length - 1 && random.chance(0.3) ? { service_groups: 'IDLE' } : {}),
        ...(random.chance(0.65) ? { ignore_failures: true } : {}),
        ...(random.chance(0.1) ? { enabled: false } : {}),
        ...(random.chance(0.1) && type !== 'cron' ? { exit_kills: true } : {}),
        // Restarts are forgotten after a time, so their number must not matter.
        ...(random.chance(0.4) && type !== 'oneshot' && type !== 'cron'
          ? {
              restart: true,
              restart_delay: random.chance(0.7) ? moment : forever,
              restart_limit: random.chance(0.8) ? 20 : 0,
            }
          : {}),
      },
    ];
  });
  return config({
    settings: {
      idle_delay: moment,
      detect_exit: random.chance(0.5),
      // No process gets SIGKILL because the machine is slow.
      shutdown_timeout: forever,
    },
    ...Object.fromEntries(sections),
  });
}

function load(text: string): SystemSpec {
  const { spec, diagnostics } = loadConfiguration(`${directory}/chaperone.d`, {
    reader: memoryReader({ [`${directory}/chaperone.d/all.conf`]: text }),
    environment: { PATH: '/bin', PUPPET: '/puppet' },
    accounts: parseAccounts('', ''),
    interactive: false,
  });
  if (spec === undefined) throw new Error(diagnostics.map(({ message }) => message).join('\n'));
  return spec;
}
