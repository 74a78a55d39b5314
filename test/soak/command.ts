/**
 * `npm run soak`: one system, with services of every kind, lives for 20 minutes under commands, reloads and watchers. Memory, descriptors,
 * wake-ups and the time of an answer are sampled; the soak says the slope of each, and fails where one of them grows.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/model/words/errno.ts';
import { type HandsInput, type Measured, useHands } from './hands.ts';
import { type Fold, type Point, slopeOf } from './slope.ts';
import { soakedSystem } from './soaked-system.ts';

const usage = 'usage: npm run soak -- [--minutes 20] [--every SECONDS] [--samples FILE]\n';

interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly fold: Fold;
  /** Growth over the counted time that is worth a look: what is less, chance or a page of memory may be. */
  readonly floor: (level: number) => number;
}

const mebibyte = 1_048_576;
const share = (part: number) => (level: number) => level * part;
const measures = {
  brainMemory: { name: 'memory of the brain', unit: 'MiB', fold: 'least', floor: () => 1 },
  heap: { name: 'heap of the brain', unit: 'MiB', fold: 'least', floor: () => 0.5 },
  bodyMemory: { name: 'memory of the body', unit: 'MiB', fold: 'least', floor: () => 0.1 },
  brainDescriptors: { name: 'descriptors of the brain', unit: '', fold: 'least', floor: () => 0.9 },
  bodyDescriptors: { name: 'descriptors of the body', unit: '', fold: 'least', floor: () => 0.9 },
  brainWakeUps: { name: 'wake-ups of the brain', unit: '/s', fold: 'mean', floor: share(0.1) },
  bodyWakeUps: { name: 'wake-ups of the body', unit: '/s', fold: 'mean', floor: share(0.1) },
  latency: { name: 'an answer to status', unit: 'ms', fold: 'median', floor: share(0.2) },
} as const satisfies Readonly<Record<string, Measure>>;
type Samples = Readonly<Record<keyof typeof measures, Point[]>>;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '20' },
      every: { type: 'string', default: '2' },
      samples: { type: 'string' },
      hands: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  if (values.hands !== undefined) return useHands(JSON.parse(values.hands));
  const [minutes, every] = [Number(values.minutes), Number(values.every)];
  if (!(minutes > 0) || !(every > 0)) throw new Error(`a time has to be a number above 0\n${usage.trimEnd()}`);
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-soak-'));
  try {
    const { samples, problems } = await soak(folder, minutes, every * 1_000);
    if (values.samples !== undefined) writeFileSync(values.samples, JSON.stringify(samples));
    const growing = report(samples);
    for (const problem of problems) process.stdout.write(`${problem}\n`);
    return growing + problems.length === 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Boots the system, lets it live that long, and ends it. */
async function soak(
  folder: string,
  minutes: number,
  every: number,
): Promise<{ readonly samples: Samples; readonly problems: readonly string[] }> {
  const programs = join(process.cwd(), 'dist');
  const places = { folder, programs, port: await freePort() };
  mkdirSync(join(folder, 'chaperone.d'));
  writeFileSync(join(folder, 'chaperone.d/services.conf'), soakedSystem(places, 0));
  const chaperone = [join(programs, 'chaperone'), '--config', join(folder, 'chaperone.d'), '--inspect=web'];
  const unshare = ['--pid', '--fork', '--mount', '--mount-proc', '--kill-child'];
  const namespace = process.getuid?.() === 0 ? unshare : ['--user', '--map-root-user', ...unshare];
  const system = spawn('unshare', [...namespace, ...chaperone], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], CHAPERONE_SOCKET: join(folder, 'control.sock') },
  });
  const ended = new Promise<number>((resolve) => system.once('close', (status) => resolve(status ?? 1)));
  const ends = ended.then((status): never => {
    throw new Error(`chaperone has ended with ${status}:\n${last.join('\n')}`);
  });
  ends.catch(() => undefined);
  const last: string[] = [];
  const page = new Promise<string>((resolve) => {
    for (const stream of [system.stdout, system.stderr])
      createInterface(stream).on('line', (line) => {
        last.push(line);
        if (last.length > 50) last.shift();
        const [, url] = /^chaperone: inspect at (http:\S+)$/.exec(line) ?? [];
        if (url !== undefined) resolve(url);
      });
  });
  let hands: ChildProcess | undefined;
  try {
    const input: HandsInput = { ...places, page: await Promise.race([page, ends]) };
    const body = onlyChild(system.pid);
    hands = startHands(input, body);
    const taken = await Promise.race([sample(body, hands, minutes * 60_000, every), ends]);
    hands.kill();
    process.kill(body, 'SIGTERM');
    const status = await ended;
    return {
      ...taken,
      problems: [...taken.problems, ...(status === 0 ? [] : [`chaperone ended with ${status}:\n${last.join('\n')}`])],
    };
  } finally {
    hands?.kill();
    // The end of unshare is that of its namespace.
    system.kill('SIGKILL');
  }
}

function startHands(input: HandsInput, body: number): ChildProcess {
  const withUser = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials'];
  const command = [process.execPath, process.argv[1] ?? '', '--hands', JSON.stringify(input)];
  return spawn('nsenter', [...withUser, '--pid', '--target', String(body), '--', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Takes samples for so many ms, or until a signal comes. */
async function sample(
  body: number,
  hands: ChildProcess,
  duration: number,
  every: number,
): Promise<{ readonly samples: Samples; readonly problems: readonly string[] }> {
  const samples: Samples = {
    ...{ brainMemory: [], heap: [], bodyMemory: [], brainDescriptors: [], bodyDescriptors: [] },
    ...{ brainWakeUps: [], bodyWakeUps: [], latency: [] },
  };
  const begun = performance.now();
  const put = (measure: keyof Samples, value: number): void => {
    samples[measure].push({ at: (performance.now() - begun) / 60_000, value });
  };
  let answers: Measured['answers'] = {};
  if (hands.stdout !== null)
    createInterface(hands.stdout).on('line', (line) => {
      const measured: Measured = JSON.parse(line);
      answers = measured.answers;
      put('latency', measured.latency);
      put('heap', measured.heap / mebibyte);
    });
  const brain = brainOf(body);
  const processes = { brain, body } as const;
  let before = { at: performance.now(), brain: switchesOf(brain), body: switchesOf(body) };
  const look = (): void => {
    const now = { at: performance.now(), brain: switchesOf(brain), body: switchesOf(body) };
    const seconds = (now.at - before.at) / 1_000;
    for (const who of ['brain', 'body'] as const) {
      put(`${who}Memory`, residentOf(processes[who]) / mebibyte);
      put(`${who}Descriptors`, readdirSync(`/proc/${processes[who]}/fd`).length);
      put(`${who}WakeUps`, (now[who] - before[who]) / seconds);
    }
    before = now;
  };
  const problems: string[] = [];
  let over = false;
  await new Promise<void>((resolve, reject) => {
    const timer = setInterval(() => {
      try {
        look();
      } catch (error) {
        finish(() => reject(error));
      }
    }, every);
    const end = setTimeout(() => finish(resolve), duration);
    const finish = (settle: () => void): void => {
      clearInterval(timer);
      clearTimeout(end);
      over = true;
      settle();
    };
    hands.once('exit', (status, signal) => {
      if (over) return;
      problems.push(`the hands have ended with ${status ?? signal}`);
      finish(resolve);
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => finish(resolve));
  });
  const told = Object.entries(answers).map(([kind, count]) => `${count} ${kind}`);
  process.stdout.write(`${((performance.now() - begun) / 60_000).toFixed(1)} minutes; answers: ${told.join(', ')}\n`);
  return { samples, problems };
}

/** Prints a line for each measure. @returns how many grow */
function report(samples: Samples): number {
  let growing = 0;
  for (const [key, { name, unit, fold, floor }] of entriesOf(measures)) {
    const points = samples[key];
    const slope = slopeOf(points, fold);
    if (slope === undefined) {
      process.stdout.write(`${name.padEnd(26)} ${points.length} samples are too few\n`);
      continue;
    }
    const { perHour, error, level, growth, isSignificant } = slope;
    const grows = isSignificant && growth > floor(level);
    if (grows) growing += 1;
    const judgement = grows ? 'GROWS' : isSignificant ? 'grows by less than counts' : 'no growth beyond chance';
    const cells = [
      `${level.toFixed(2).padStart(9)} ${unit.padEnd(3)}`,
      `${perHour.toFixed(2).padStart(9)} ± ${error.toFixed(2).padStart(7)} an hour`,
      judgement,
    ];
    process.stdout.write(`${name.padEnd(26)} ${cells.join('  ')}\n`);
  }
  return growing;
}

function entriesOf<K extends string, V>(record: Readonly<Record<K, V>>): readonly (readonly [K, V])[] {
  const keys = Object.keys(record).filter((key): key is K => key in record);
  return keys.map((key) => [key, record[key]]);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

function onlyChild(pid: number | undefined): number {
  const [child] = pid === undefined ? [] : childrenOf(pid);
  if (child === undefined) throw new Error('chaperone is not running');
  return child;
}

/** The Node below the body. */
function brainOf(body: number): number {
  const found = childrenOf(body).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('[chaperone]'),
  );
  if (found === undefined) throw new Error('the brain is not running');
  return found;
}

/** Bytes. */
function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) * 1_024;
}

/** How often the threads of a process have woken up so far. */
function switchesOf(pid: number): number {
  const ofThreads = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1');
    return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
  });
  return ofThreads.reduce((sum, count) => sum + count, 0);
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`soak: ${messageOf(error)}\n`);
    process.exitCode = 1;
  },
);
