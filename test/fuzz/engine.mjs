// The loop behind test/fuzz/run.mjs: mutates inputs, runs them, and keeps those that reach code which none before reached.
// V8's own block coverage says so, with no instrumentation but the profiler's.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { Script } from 'node:vm';

const options = JSON.parse(process.argv[2] ?? '{}');
const { target, bundle, current, crashes, corpus, found, keep, seconds, seed, inputs: single } = options;
/** ms: an input that takes longer, twice, hangs. */
const longestRun = 1_000;
const longestInput = 8_192;
/** Asking for the coverage costs more than an input: one question for so many. */
const batchSize = 24;
/** Different failures are told up to this many, then the target is given up. */
const mostFailures = 8;

const session = new Session();
session.connect();
post('Profiler.enable');
post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

const source = readFileSync(bundle, 'utf8');
const module = { exports: {} };
new Script(`(function (exports, require, module) {${source}\n})`, { filename: bundle }).runInThisContext()(
  module.exports,
  createRequire(bundle),
  module,
);
const { fuzz, dictionary = [] } = module.exports;
const call = new Script('globalThis.runFuzzInputs()');
const url = pathToFileURL(bundle).href;
/** 1 where a character of the bundle has been executed. */
const covered = new Uint8Array(source.length + 1_024);
const executed = new Uint8Array(covered.length);
/** What the last question found to be new. */
let reached = [];
let random = seed >>> 0;
let runs = 0;
const failures = new Map();

if (single !== undefined) {
  for (const file of single) judge(readFileSync(file));
  process.exit(failures.size === 0 ? 0 : 1);
}

const started = performance.now();
const deadline = started + seconds * 1_000;
const pool = [];
const seeds = [corpus, found].flatMap((folder) =>
  existsSync(folder) ? readdirSync(folder).map((name) => readFileSync(join(folder, name))) : [],
);
for (const input of [Buffer.alloc(0), ...seeds]) {
  note([input]);
  if (judge(input)) reaches();
  pool.push(input);
}
const kept = pool.length;
let last = performance.now();
while (performance.now() < deadline && failures.size < mostFailures) {
  const batch = Array.from({ length: batchSize }, mutant);
  note(batch);
  if (runTogether(batch)) {
    if (!reaches(false)) continue;
  } else reaches(false);
  // Something in this batch is new, or fails: which one?
  for (const input of batch) {
    if (!judge(input)) reaches(false);
    else if (reaches()) {
      const goal = reached;
      pool.push(keep ? shrink(input, (shorter) => stillReaches(shorter, goal)) : input);
      save(pool.at(-1));
    }
  }
  if (performance.now() - last > 10_000) {
    last = performance.now();
    tell();
  }
}
tell();
rmSync(current, { force: true });
process.exitCode = failures.size === 0 ? 0 : 1;

function tell() {
  const time = (performance.now() - started) / 1_000;
  let characters = 0;
  for (const one of covered) characters += one;
  process.stdout.write(
    `${target}: ${runs} inputs in ${time.toFixed(1)} s, corpus ${pool.length} (+${pool.length - kept}), ` +
      `${characters} characters of code reached, ${failures.size} failures, seed ${seed}\n`,
  );
}

function post(method, parameters) {
  let answer;
  session.post(method, parameters, (error, result) => {
    if (error) throw new Error(`${method}: ${error.message}`);
    answer = result;
  });
  return answer;
}

/** Code was executed since the last question that had not been before; with `remember`, it counts as reached from now on. */
function reaches(remember = true) {
  reached = [];
  for (const script of post('Profiler.takePreciseCoverage').result) {
    if (script.url !== url && script.url !== bundle) continue;
    // In the order of the text: what stands inside comes later and counts for itself, executed or not.
    const ranges = script.functions.flatMap((one) => one.ranges);
    for (const { startOffset, endOffset, count } of ranges) executed.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    for (const { startOffset, endOffset, count } of ranges) {
      if (count === 0) continue;
      for (let index = startOffset; index < endOffset; index += 1) {
        if (executed[index] === 0 || covered[index] === 1) continue;
        reached.push(index);
        if (!remember) return true;
        covered[index] = 1;
      }
    }
  }
  return reached.length > 0;
}

/** Runs inputs; false where one throws, or all of them take too long. */
function runTogether(batch) {
  globalThis.runFuzzInputs = () => {
    for (const input of batch) fuzz(Buffer.from(input));
  };
  runs += batch.length;
  try {
    call.runInThisContext({ timeout: longestRun });
    return true;
  } catch {
    return false;
  }
}

/** Runs one input; a failure is reported. */
function judge(input) {
  const error = failureOf(input);
  if (error === undefined) return true;
  // A busy machine makes an input slow, too, but hardly twice.
  const again = isTimeout(error) ? failureOf(input) : error;
  if (again !== undefined) report(input, again);
  return again === undefined;
}

function failureOf(input) {
  globalThis.runFuzzInputs = () => fuzz(Buffer.from(input));
  runs += 1;
  try {
    call.runInThisContext({ timeout: longestRun });
    return undefined;
  } catch (error) {
    return error ?? new Error('undefined was thrown');
  }
}

function isTimeout(error) {
  return error?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}

/** One fault is reported once: what fails in the same way is the same. */
function kindOf(error) {
  if (isTimeout(error)) return 'hangs';
  const frame = /\n\s+at .*/.exec(String(error?.stack ?? ''))?.[0] ?? '';
  return `${String(error?.message ?? error).replace(/\d+|".*"/gs, '…')}${frame}`;
}

function report(input, error) {
  const kind = kindOf(error);
  if (failures.has(kind)) return;
  failures.set(kind, input);
  const small = single === undefined ? shrink(input, (shorter) => failsAs(shorter, kind)) : input;
  mkdirSync(crashes, { recursive: true });
  const file = join(crashes, `${target}-${hash(small)}`);
  if (single === undefined) writeFileSync(file, small);
  const what = isTimeout(error) ? `takes longer than ${longestRun} ms` : `fails: ${error?.stack ?? inspect(error)}`;
  process.stdout.write(`\n${target}: an input ${what}\n  ${JSON.stringify(small.toString())}\n  in ${file}\n\n`);
}

function failsAs(input, kind) {
  const error = failureOf(input);
  return error !== undefined && kindOf(error) === kind;
}

/** The input does not fail and still executes these characters. */
function stillReaches(input, goal) {
  reaches(false);
  if (failureOf(input) !== undefined) return false;
  for (const index of goal) covered[index] = 0;
  reaches();
  const missing = goal.some((index) => covered[index] === 0);
  for (const index of goal) covered[index] = 1;
  return !missing;
}

/** The input without what is not needed for it to stay `good`. */
function shrink(input, good) {
  const until = performance.now() + 8_000;
  let best = input;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < best.length && performance.now() < until; ) {
      const shorter = Buffer.concat([best.subarray(0, start), best.subarray(start + size)]);
      if (good(shorter)) best = shorter;
      else start += size;
    }
  }
  return best;
}

function hash(input) {
  return createHash('sha256').update(input).digest('hex').slice(0, 12);
}

function save(input) {
  const folder = keep ? corpus : found;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, hash(input)), input);
}

/** Should the process die, whoever started it finds the inputs here. */
function note(batch) {
  writeFileSync(current, JSON.stringify(batch.map((input) => input.toString('base64'))));
}

/** mulberry32: the same seed gives the same inputs. */
function below(limit) {
  random = (random + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(random ^ (random >>> 15), random | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
}

function pick(list) {
  return list[below(list.length)];
}

function piece(input) {
  const start = below(input.length + 1);
  return input.subarray(start, start + below(Math.min(64, input.length - start) + 1));
}

function mutant() {
  let input = below(4) === 0 ? pick(pool) : pool[pool.length - 1 - below(Math.min(pool.length, 200))];
  for (let step = below(5); step >= 0; step -= 1) input = mutate(input);
  return input.subarray(0, longestInput);
}

function mutate(input) {
  const at = below(input.length + 1);
  const cut = Math.min(input.length, at + below(24));
  const put = (middle, end = at) => Buffer.concat([input.subarray(0, at), middle, input.subarray(end)]);
  switch (below(9)) {
    case 0:
      return put(Buffer.alloc(0), cut);
    case 1:
      return put(Buffer.from([below(256)]), Math.min(input.length, at + 1));
    case 2:
      return put(Buffer.from([32 + below(95)]));
    case 3:
      return put(piece(input));
    case 4:
      return put(piece(pick(pool)), cut);
    case 5: {
      const repeated = piece(input);
      return put(Buffer.concat(Array(1 + below(below(20) === 0 ? 200 : 8)).fill(repeated)));
    }
    case 6: {
      const other = pick(pool);
      return put(other.subarray(below(other.length + 1)), input.length);
    }
    default:
      return dictionary.length === 0 ? input : put(Buffer.from(pick(dictionary)), below(2) === 0 ? at : cut);
  }
}
