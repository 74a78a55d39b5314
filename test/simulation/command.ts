/**
 * `npm run simulate`: thousands of worlds. simulate.mjs bundles this, since a third of the time would go into stripping
 * types.
 *
 * A world is decided entirely by its seed or its file; the command only measures how long it takes.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/model/words/errno.ts';
import { generateWorld } from './generate.ts';
import {
  type Invariant,
  type InvariantName,
  invariantNames,
  invariants,
  type Violation,
  violations,
} from './invariants.ts';
import type { WorldPlan } from './plan.ts';
import { promises } from './promises.ts';
import { type Counts, judgeReach, Reach } from './reach.ts';
import { journalOf, runWorld, type WorldRun } from './run-world.ts';
import { shrink } from './shrink.ts';

const usage = `usage: npm run simulate -- [--seeds N] [--from S] [--time 120s] [--jobs N] [--kept FOLDER] [--out FOLDER]
                           [--first] [--no-shrink] [--digest] [--reach]
       npm run simulate -- --seed S
       npm run simulate -- --world FILE
`;

const options = {
  seeds: { type: 'string' },
  from: { type: 'string' },
  seed: { type: 'string' },
  time: { type: 'string' },
  jobs: { type: 'string' },
  stride: { type: 'string' },
  world: { type: 'string' },
  kept: { type: 'string' },
  out: { type: 'string' },
  'no-shrink': { type: 'boolean' },
  first: { type: 'boolean' },
  digest: { type: 'boolean' },
  tally: { type: 'boolean' },
  reach: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

function readOptions() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`simulate: ${messageOf(error)}\n${usage}`);
    return undefined;
  }
}

/** How many seeds are shrunk of those that fail in the same way. */
const mostShrunk = 3;
/** Places that were met less often than this are printed. */
const rare = 5;

interface Request {
  readonly from: number;
  readonly seeds: number;
  /** This process takes every `stride`-th seed. */
  readonly stride: number;
  /** ms */
  readonly time: number;
  readonly shrinks: boolean;
  /** True: stops at the first seed that fails. */
  readonly first: boolean;
  readonly digest: boolean;
  /** True: counts what the worlds meet. */
  readonly reach: boolean;
}

interface Tally {
  worlds: number;
  /** The number of services in all worlds together. */
  services: number;
  ms: number;
  cpu: number;
  last: number;
  readonly failures: { readonly seed: number; readonly invariant: string; readonly text: string }[];
  digest: string;
  /** Empty where it is not counted. */
  reach: Counts;
}

async function main(): Promise<number> {
  // Log lines show local time.
  process.env['TZ'] = 'UTC';
  const values = readOptions();
  if (values === undefined) return 2;
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const out = values.out ?? '.cache/simulate';
  if (values.world !== undefined) return replay(values.world);
  const kept = values.kept === undefined ? 0 : replayKept(values.kept);
  const single = values.seed !== undefined;
  const time = values.time === undefined ? Number.POSITIVE_INFINITY : milliseconds(values.time);
  const request: Request = {
    from: Number(values.seed ?? values.from ?? 0),
    seeds: single ? 1 : Number(values.seeds ?? (Number.isFinite(time) ? Number.POSITIVE_INFINITY : 1_000)),
    stride: Number(values.stride ?? 1),
    time,
    shrinks: values['no-shrink'] !== true,
    first: values.first === true,
    digest: values.digest === true,
    reach: values.reach === true,
  };
  const jobs = Number(values.jobs ?? 1);
  const numbers = [request.from, request.seeds, request.stride, request.time, jobs];
  if (numbers.some((number) => Number.isNaN(number) || number < 0)) {
    process.stderr.write(usage);
    return 2;
  }
  const tally = jobs > 1 && !single ? await runJobs(request, jobs) : await runSeeds(request);
  if (values.tally === true) {
    process.stdout.write(`${JSON.stringify(tally)}\n`);
    return tally.failures.length === 0 ? 0 : 1;
  }
  report(tally, request, jobs);
  if (request.shrinks) await explain(tally, out);
  const missed = request.reach ? reportReach(tally) : 0;
  return tally.failures.length + kept + missed === 0 ? 0 : 1;
}

async function runSeeds(request: Request): Promise<Tally> {
  const began = performance.now();
  const before = process.cpuUsage();
  const tally: Tally = {
    worlds: 0,
    services: 0,
    ms: 0,
    cpu: 0,
    last: request.from,
    failures: [],
    digest: '',
    reach: {},
  };
  const hash = createHash('sha256');
  const reach = request.reach ? new Reach() : undefined;
  for (let index = 0; index < request.seeds && performance.now() - began < request.time; index++) {
    const seed = (request.from + index * request.stride) % 2 ** 32;
    const run = runWorld(generateWorld(seed), { trace: request.digest, inspect: reach?.inspect });
    tally.last = seed;
    tally.worlds += 1;
    if (run === undefined) continue;
    tally.services += run.spec.services.length;
    reach?.read(run);
    if (request.digest)
      hash.update(`${seed}\n${run.transitions.join('\n')}\n${run.log}\n${JSON.stringify(run.history)}\n`);
    for (const { invariant, text } of violations(run)) tally.failures.push({ seed, invariant, text });
    if (request.first && tally.failures.length > 0) break;
    // The supervisor's callbacks for the end of the turn hold on to their world until the turn has ended.
    await (index % 20 === 0 ? nextTurn() : null);
  }
  const { user, system } = process.cpuUsage(before);
  tally.ms = performance.now() - began;
  tally.cpu = (user + system) / 1_000;
  tally.reach = reach?.counts() ?? {};
  tally.digest = request.digest ? hash.digest('hex') : '';
  return tally;
}

/** Runs the request in several processes. */
async function runJobs(request: Request, jobs: number): Promise<Tally> {
  const tallies = await Promise.all(
    Array.from({ length: jobs }, (_, job) => {
      const count = Math.ceil((request.seeds - job) / jobs);
      return runChild([
        '--tally',
        `--from=${request.from + job}`,
        `--stride=${jobs}`,
        ...(Number.isFinite(request.seeds) ? [`--seeds=${count}`] : []),
        ...(Number.isFinite(request.time) ? [`--time=${request.time}ms`] : []),
        ...(request.first ? ['--first'] : []),
        ...(request.reach ? ['--reach'] : []),
      ]);
    }),
  );
  return {
    worlds: tallies.reduce((sum, { worlds }) => sum + worlds, 0),
    services: tallies.reduce((sum, { services }) => sum + services, 0),
    ms: Math.max(...tallies.map(({ ms }) => ms)),
    cpu: tallies.reduce((sum, { cpu }) => sum + cpu, 0),
    last: Math.max(...tallies.map(({ last }) => last)),
    failures: tallies.flatMap(({ failures }) => failures).sort((a, b) => a.seed - b.seed),
    digest: '',
    reach: sumOf(tallies.map(({ reach }) => reach)),
  };
}

function sumOf(all: readonly Counts[]): Counts {
  const sum: Record<string, number> = {};
  for (const counts of all) for (const [place, count] of Object.entries(counts)) sum[place] = (sum[place] ?? 0) + count;
  return sum;
}

function runChild(args: readonly string[]): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const script = process.argv[1] ?? '';
    const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    child.on('error', reject);
    child.on('close', () => {
      try {
        resolve(JSON.parse(text));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function report(tally: Tally, request: Request, jobs: number): void {
  const { worlds, services, ms, cpu, failures, last, digest } = tally;
  const rate = (count: number, time: number): string => ((count * 1_000) / Math.max(1, time)).toFixed(1);
  print(
    `${worlds} worlds of ${(services / Math.max(1, worlds)).toFixed(1)} services, seeds ${request.from} to ${last}, in ${(ms / 1_000).toFixed(1)} s: ` +
      `${rate(worlds, ms)} a second by ${jobs} ${jobs === 1 ? 'process' : 'processes'}, ${rate(worlds, cpu)} for each second of a processor`,
  );
  if (digest !== '') print(`digest ${digest}`);
  const seeds = new Set(failures.map(({ seed }) => seed));
  for (const invariant of new Set(failures.map((failure) => failure.invariant))) {
    const alike = failures.filter((failure) => failure.invariant === invariant);
    print(`\n✗ ${invariant}: ${alike.length} of ${worlds}`);
    for (const { seed, text } of alike.slice(0, 5)) print(`    seed ${seed} ${firstLine(text)}`);
  }
  if (seeds.size > 0) print(`\n${seeds.size} seeds fail`);
}

/** @returns how many places no world has met although worlds are to meet them, or some world has met although none can */
function reportReach({ reach }: Tally): number {
  const { unmet, frequent, refuted, rarest, met } = judgeReach(reach);
  print(`\n${met} places met, ${unmet.length} not; the rarest:`);
  for (const [place, count] of rarest.filter(([, times]) => times < rare))
    print(`${String(count).padStart(8)}  ${place}`);
  for (const place of frequent) print(`worlds meet often what test/simulation/reach-table.ts calls seldom: ${place}`);
  for (const place of unmet) print(`✗ no world meets: ${place}`);
  for (const [place, why] of refuted) print(`✗ worlds meet what is said to be impossible, since ${why}: ${place}`);
  return unmet.length + refuted.length;
}

/** Shrinks the first seed of each kind of failure, and prints how to run it again. */
async function explain({ failures }: Tally, out: string): Promise<void> {
  const kinds = [...new Set(failures.map(({ invariant }) => invariant))].slice(0, mostShrunk);
  for (const kind of kinds) {
    const failure = failures.find(({ invariant }) => invariant === kind);
    const invariant = invariantNames.find((name) => name === kind);
    if (failure === undefined || invariant === undefined) continue;
    const { plan, tries } = shrink(generateWorld(failure.seed), (smaller) => {
      const smallerRun = runWorld(smaller);
      return smallerRun !== undefined && check(invariant, smallerRun) !== undefined;
    });
    mkdirSync(out, { recursive: true });
    const file = join(out, `${failure.seed}.json`);
    writeFileSync(file, `${JSON.stringify(plan, undefined, 1)}\n`);
    print(`\n${'─'.repeat(80)}\nseed ${failure.seed}, shrunk in ${tries} worlds to ${sizeOf(plan)}:\n`);
    print(JSON.stringify(plan));
    const journal = join(out, `${failure.seed}.journal`);
    writeFileSync(journal, await journalOf(plan));
    print(`\nits journal:      ${journal}`);
    print(`to see it again:  npm run simulate -- --world ${file}`);
    print(`from its seed:    npm run simulate -- --seed ${failure.seed}\n`);
    const run = runWorld(plan, { trace: true });
    if (run !== undefined) tell(run, [{ invariant, text: check(invariant, run) ?? '' }]);
  }
}

function replay(file: string): number {
  const run = runWorld(readPlan(file), { trace: true });
  if (run === undefined) {
    process.stderr.write(`${file}: the order of its services contradicts itself\n`);
    return 2;
  }
  const broken = violations(run);
  tell(run, broken);
  return broken.length === 0 ? 0 : 1;
}

/** Runs the kept worlds, which have failed once. */
function replayKept(folder: string): number {
  let failed = 0;
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  for (const file of files.sort()) {
    const run = runWorld(readPlan(join(folder, file)), { trace: true });
    const broken = run === undefined ? [] : violations(run);
    if (run === undefined || broken.length === 0) continue;
    failed += 1;
    print(`✗ ${file}, which was mended once:`);
    tell(run, broken);
  }
  print(`${files.length} worlds that failed once: ${failed} fail`);
  return failed;
}

function tell({ transitions, history, end }: WorldRun, broken: readonly Violation[]): void {
  print(transitions.join('\n'));
  const done = history.flatMap((entry) =>
    entry.kind === 'deed'
      ? [`${String(entry.at).padStart(8)} ms  ${JSON.stringify(entry.deed)}`]
      : entry.kind === 'fault'
        ? [`${String(entry.at).padStart(8)} ms  fault: ${entry.fault} ${entry.service ?? ''}`]
        : [],
  );
  if (done.length > 0) print(`\nwhat was done to it:\n${done.join('\n')}`);
  print(
    `\nended with ${end.output === undefined ? 'nothing' : `${end.output.end.kind}, exit status ${end.output.exitStatus}`}`,
  );
  for (const { invariant, text } of broken)
    print(`✗ ${invariant}\n    ${text}\n    the promise: ${promises[invariant]}`);
  if (broken.length === 0) print('✓ all invariants hold');
}

function check(invariant: InvariantName, run: WorldRun): string | undefined {
  const chosen: Invariant = invariants[invariant];
  return chosen(run);
}

function readPlan(file: string): WorldPlan {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function sizeOf({ services, commands, faults }: WorldPlan): string {
  return `${services.length} services, ${commands.length} commands, ${faults.length} faults`;
}

function milliseconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text);
  const factor = { ms: 1, s: 1_000, m: 60_000 }[match?.[2] ?? 's'] ?? Number.NaN;
  return Number(match?.[1]) * factor;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 2;
  },
);
