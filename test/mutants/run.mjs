// `npm run mutate -- [--draw N] [--seed S] [--worlds N] [--allow N] [FILE...]`: draws N mutants of the FILEs, as many of each room, and tells which
// of them the unit tests find, which the worlds, and which nobody. --list only shows what is drawn.
//
// A mutant goes to the tests that stand beside its file and import it, then to worlds, then to the compiler, then to the tests of
// other rooms that import the file, each until it is found. Exit status 1 where more mutants survive than --allow N says (none by
// default), beside those that equivalents.json names, or where that list names one that cannot be made any more. What became of each
// is left in .cache/mutants.json.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { bundleSimulation, root } from '../simulation/bundle.mjs';

/** The parts of the program that mutants are drawn of, with the share that is to be found, in percent. The longest folder counts. */
const rooms = [
  { name: 'machines', folder: 'src/machines/', goal: 90 },
  { name: 'ledger', folder: 'src/model/ledger/', goal: 90 },
  { name: 'streams', folder: 'src/streams/', goal: 90 },
  { name: 'ports', folder: 'src/runtime/units/', goal: 90 },
  { name: 'model', folder: 'src/model/', goal: 95 },
  { name: 'facts', folder: 'src/facts/', goal: 90 },
  { name: 'config', folder: 'src/config/', goal: 90 },
];
/** Tests that explore whole graphs, or run worlds themselves: what others find need not wait for them. */
const exploring = /-(?:graph|crossings|rebuilt|reload|stages)\.test\.ts$|^test\/simulation\//;
/** Tests that need what was built, a kernel or a network: they judge no mutant. */
const outside = /^test\/(?:boot|cli|container|contract|docs|fuzz|native|golden|fixtures|mutants|platform)\//;
/** How many worlds a mutant is given first, and how many before the exploring tests. */
const fewWorlds = 40;
const firstWorlds = 300;
/** ms without any sign of life, after which a mutant counts as found: it goes round for ever. */
const longestSilence = 240_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    draw: { type: 'string', default: '60' },
    seed: { type: 'string', default: '0' },
    worlds: { type: 'string', default: '10000' },
    jobs: { type: 'string', default: '2' },
    allow: { type: 'string', default: '0' },
    list: { type: 'boolean', default: false },
  },
});
const worlds = Number(values.worlds);
const own = mkdtempSync(join(tmpdir(), 'chaperone-mutate-'));
process.on('exit', () => rmSync(own, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const { applied, draw, mutantsOf, switched } = await loadMutator();
const equivalents = JSON.parse(readFileSync(join(root, 'test/mutants/equivalents.json'), 'utf8'));
const drawn = drawAll();
/** Two copies of the sources: with all mutants, each behind its switch, and without. */
const [tree, plain] = [join(own, 'tree'), join(own, 'plain')];
/** Tests of the copy by whether they hold without a mutant. */
const soundness = new Map();

if (values.list) for (const one of drawn) print(describe(one));
else process.exitCode = await judgeAll();

async function judgeAll() {
  const stale = equivalents.filter((one) => !allOf(one.file).some((mutant) => isThat(mutant, one)));
  for (const { file, line, from, to } of stale)
    print(`✗ equivalents.json names a mutant that cannot be made: ${file}: ${line}: ${from} → ${to}`);
  const judged = drawn.filter(({ mutant }) => argumentFor(mutant) === undefined);
  for (const copy of [tree, plain]) copySources(copy);
  plant(judged);
  const importers = await testsThatImport(new Set(judged.map(({ mutant }) => mutant.file)));
  const bundle = await bundleSimulation(tree, join(own, 'worlds.cjs'), 'test/mutants/worlds.ts');
  const met = new Map(judged.map(({ number }) => [number, []]));
  const meeting = worldsThatMeet(bundle, 0, Math.min(worlds, firstWorlds), met);
  const verdicts = new Map();
  const tell = (one, finder, by) => {
    verdicts.set(one.number, { finder, by });
    print(`${finder.padEnd(8)} ${describe(one)}${by === undefined ? '' : `  (${by})`}`);
    save(verdicts);
  };
  // What is cheap goes first, and what it leaves to what is dear: a chart is in use in each world, and its own tests are long.
  const testsOf = ({ mutant }, isChosen) =>
    (importers.get(mutant.file) ?? []).filter((test) => isChosen(test, mutant.file));
  const early = async ({ number }, first, end) => {
    await meeting;
    return breakingWorld(number, met.get(number).slice(first, end), bundle);
  };
  const few = (one) => early(one, 0, fewWorlds);
  const quick = (one) =>
    failingTest(
      one.number,
      testsOf(one, (test, file) => isBeside(test, file) && !exploring.test(test)),
    );
  const isChart = (one) => one.room === 'machines';
  await give('worlds', (one) => (isChart(one) ? few(one) : undefined));
  await give('units', quick);
  await give('worlds', (one) => (isChart(one) ? undefined : few(one)));
  await give('worlds', (one) => early(one, fewWorlds, firstWorlds));
  for (const [one, said] of await refused(judged.filter(({ number }) => !verdicts.has(number))))
    tell(one, 'compiler', said);
  await give('units', (one) =>
    failingTest(
      one.number,
      testsOf(one, (test, file) => isBeside(test, file) && exploring.test(test)),
    ),
  );
  if (worlds > firstWorlds && verdicts.size < judged.length) {
    const later = new Map(judged.map(({ number }) => [number, []]));
    await worldsThatMeet(bundle, firstWorlds, worlds, later);
    await give('worlds', (one) => breakingWorld(one.number, later.get(one.number), bundle));
    for (const [number, seeds] of later) met.get(number).push(...seeds);
  }
  await give('others', (one) =>
    failingTest(
      one.number,
      testsOf(one, (test, file) => !isBeside(test, file)),
    ),
  );
  for (const one of judged.filter(({ number }) => !verdicts.has(number)))
    tell(one, 'nobody', `${met.get(one.number).length} worlds meet it`);
  return report(verdicts) > Number(values.allow) || stale.length > 0 ? 1 : 0;

  /** Gives what nobody has found yet to somebody who tells how it shows, or undefined. */
  async function give(finder, judge) {
    const waiting = judged.filter(({ number }) => !verdicts.has(number));
    const work = async () => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        const by = await judge(one);
        if (by !== undefined) tell(one, finder, by);
      }
    };
    await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  }
}

function isBeside(test, file) {
  return dirname(test) === dirname(file).replace(/^src/, 'test');
}

/** @returns which of the tests fails first with that mutant, and with none; undefined where all hold */
async function failingTest(number, tests) {
  const able = tests.filter((test) => soundness.get(test) !== false);
  const failed = await runTests(able, number);
  if (failed === undefined || (await isSound(failed))) return failed;
  // What fails without the mutant, too, has hidden the tests after it.
  return failingTest(number, able.slice(able.indexOf(failed) + 1));
}

async function isSound(test) {
  const known = soundness.get(test);
  if (known !== undefined) return known;
  const sound = (await runTests([test], -1)) === undefined;
  if (!sound) print(`✗ ${test} fails without a mutant, too`);
  soundness.set(test, sound);
  return sound;
}

/** @returns the first test that fails, undefined where all hold */
async function runTests(tests, number) {
  if (tests.length === 0) return undefined;
  const report = join(own, `${number}-${Math.random()}.json`);
  const args = ['run', '--reporter=json', `--outputFile=${report}`, '--reporter=dot', '--bail=1', ...tests];
  const env = { ...process.env, MUTANT: String(number), MUTANT_TESTS: tests.join(',') };
  const { status, silent } = await run(join(root, 'node_modules/.bin/vitest'), args, { cwd: tree, env });
  if (silent) return tests[0];
  if (status === 0) return undefined;
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
    const failed = testResults.find((file) => file.status === 'failed' && file.name !== '');
    return failed === undefined ? tests[0] : failed.name.slice(tree.length + 1);
  } catch {
    return tests[0];
  } finally {
    rmSync(report, { force: true });
  }
}

/** Tells for each mutant which worlds meet it. A world that breaks without a mutant tells nothing and is left out. */
async function worldsThatMeet(bundle, from, end, met) {
  if (end <= from) return;
  const seeds = Array.from({ length: end - from }, (_, index) => from + index);
  let always;
  await runWorlds(bundle, -1, seeds, ['--met'], ({ seed, broken, met: those }) => {
    always ??= those;
    if (broken.length === 0) for (const number of new Set([...those, ...always])) met.get(number)?.push(seed);
  });
}

/** @returns the first invariant that a world with that mutant breaks */
async function breakingWorld(number, seeds, bundle) {
  if (seeds.length === 0) return undefined;
  let found;
  const { silent, status } = await runWorlds(bundle, number, seeds, [], ({ seed, broken }) => {
    found ??= `world ${seed}: ${broken.join('; ')}`;
  });
  return found ?? (silent ? 'it goes round for ever' : status === 0 ? undefined : 'the simulation itself breaks');
}

async function runWorlds(bundle, number, seeds, args, take) {
  const list = join(own, `${number}-${seeds.length}.seeds`);
  writeFileSync(list, JSON.stringify(seeds));
  const env = { ...process.env, MUTANT: String(number) };
  let rest = '';
  return run(process.execPath, [bundle, `--list=${list}`, ...args], { cwd: tree, env }, (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') take(JSON.parse(line));
  });
}

/** @returns what the compiler says of those that it refuses; it reads one mutant of each file at a time */
async function refused(ones) {
  const found = new Map();
  const byFile = [...groupBy(ones, ({ mutant }) => mutant.file).values()];
  for (let round = 0; byFile.some((those) => those.length > round); round++) {
    const together = byFile.flatMap((those) => those.slice(round, round + 1));
    for (const { mutant } of together) writeFileSync(join(plain, mutant.file), applied(sourceOf(mutant.file), mutant));
    let said = '';
    const args = ['--noEmit', '--pretty', 'false', '-p', 'tsconfig.src.json'];
    await run(join(root, 'node_modules/.bin/tsc'), args, { cwd: plain, env: process.env }, (piece) => {
      said += piece;
    });
    for (const one of together) {
      const { file } = one.mutant;
      writeFileSync(join(plain, file), sourceOf(file));
      const line = said
        .split('\n')
        .find((text) => text.startsWith(`${file}(`) || (together.length === 1 && text !== ''));
      if (line !== undefined) found.set(one, line);
    }
  }
  return found;
}

function sourceOf(file) {
  return readFileSync(join(root, file), 'utf8');
}

/** Runs a program until it ends, or until it has said nothing for too long. */
function run(program, args, options, take = () => undefined) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
    let silent = false;
    const giveUp = () => {
      silent = true;
      child.kill('SIGKILL');
    };
    let timer = setTimeout(giveUp, longestSilence);
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, longestSilence);
      take(piece);
    });
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, silent });
    });
  });
}

/** For each of the files the tests that import it, directly or not, in the order in which they are to run. */
async function testsThatImport(files) {
  const all = listed('test').filter((file) => file.endsWith('.test.ts') && !outside.test(file));
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: all,
    outdir: join(own, 'graph'),
    outbase: root,
    bundle: true,
    write: false,
    metafile: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
  });
  const inputs = new Map();
  for (const { entryPoint, inputs: own } of Object.values(metafile.outputs))
    if (entryPoint !== undefined) inputs.set(entryPoint, new Set(Object.keys(own)));
  return new Map(
    [...files].map((file) => {
      const name = basename(file, '.ts');
      const isNamed = (test) => basename(test, '.test.ts') === name;
      // A test that imports little is about what it imports.
      const rank = (test) => (isNamed(test) ? 0 : inputs.get(test).size);
      const tests = all.filter((test) => inputs.get(test)?.has(file));
      return [file, tests.sort((a, b) => rank(a) - rank(b))];
    }),
  );
}

function copySources(copy) {
  for (const file of listed('src', 'test', 'docs', 'config', 'package.json', 'tsconfig.json')) {
    mkdirSync(join(copy, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(copy, file), { verbatimSymlinks: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  symlinkSync(join(root, 'scripts'), join(copy, 'scripts'));
}

/** Writes the mutants into their tree, and how its tests run. */
function plant(judged) {
  const settings = { extends: './tsconfig.json', include: ['src'], exclude: ['src/inspect/page'] };
  writeFileSync(join(plain, 'tsconfig.src.json'), JSON.stringify(settings));
  for (const [file, ones] of groupBy(judged, ({ mutant }) => mutant.file)) {
    const numbered = new Map(ones.map(({ number, mutant }) => [number, mutant]));
    writeFileSync(join(tree, file), switched(sourceOf(file), numbered));
  }
  writeFileSync(
    join(tree, 'vitest.config.ts'),
    `const given = (process.env.MUTANT_TESTS ?? '').split(',');
const place = ({ moduleId }) => given.findIndex((test) => moduleId.endsWith(test));
class Given {
  shard(files) { return files; }
  sort(files) { return files.sort((a, b) => place(a) - place(b)); }
}
export default {
  cacheDir: ${JSON.stringify(join(own, 'cache'))},
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    isolate: given.some((test) => test.startsWith('test/runtime')),
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: Given },
    experimental: { fsModuleCache: true, fsModuleCachePath: ${JSON.stringify(join(own, 'cache/modules'))} },
    onConsoleLog: () => false,
  },
};
`,
  );
}

function listed(...paths) {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths];
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '');
}

function allOf(file) {
  try {
    return mutantsOf(file, sourceOf(file));
  } catch {
    return [];
  }
}

function drawAll() {
  const given = positionals.length > 0 ? positionals : rooms.map(({ folder }) => folder);
  const files = listed(...given).filter((file) => /^src\/.*(?<!\.d)\.ts$/.test(file));
  const byRoom = [...groupBy(files, roomOf)];
  const each = Number(values.draw) / byRoom.length;
  return byRoom
    .flatMap(([room, ownFiles], index) => {
      const count = Math.floor(each * (index + 1)) - Math.floor(each * index);
      return draw(ownFiles.flatMap(allOf), count, Number(values.seed)).map((mutant) => ({ room, mutant }));
    })
    .map((one, number) => ({ number, ...one }));
}

function roomOf(file) {
  const fitting = rooms.filter(({ folder }) => file.startsWith(folder));
  return fitting.sort((a, b) => b.folder.length - a.folder.length)[0]?.name ?? 'others';
}

function argumentFor(mutant) {
  return equivalents.find((one) => isThat(mutant, one))?.argument;
}

function isThat(mutant, { file, line, from, to }) {
  return mutant.file === file && mutant.text === line && mutant.from === from && mutant.to === to;
}

function describe({ mutant: { file, line, from, to } }) {
  const short = (text) => (text.length > 110 ? `${text.slice(0, 60)} … ${text.slice(-48)}` : text);
  return `${file}:${line}  ${short(from)}  →  ${short(to)}`;
}

function save(verdicts) {
  mkdirSync(join(root, '.cache'), { recursive: true });
  const all = drawn.map(({ number, room, mutant: { change, ...mutant } }) => ({
    room,
    ...mutant,
    ...(argumentFor(mutant) === undefined ? verdicts.get(number) : { finder: 'argued', by: argumentFor(mutant) }),
  }));
  writeFileSync(join(root, '.cache/mutants.json'), `${JSON.stringify(all, undefined, 1)}\n`);
}

/** @returns how many survive */
function report(verdicts) {
  const finderOf = ({ number }) => verdicts.get(number)?.finder ?? 'argued';
  const finders = ['units', 'worlds', 'compiler', 'others', 'nobody', 'argued'];
  const row = (cells) => cells.map((cell, index) => (index === 0 ? cell.padEnd(9) : String(cell).padStart(8))).join('');
  print(`\n${row(['room', 'drawn', 'units', 'worlds', 'compiler', 'others', 'nobody', 'argued', 'found', 'goal'])}`);
  for (const [room, all] of groupBy(drawn, (one) => one.room)) {
    const counts = finders.map((finder) => all.filter((one) => finderOf(one) === finder).length);
    const [, , , , nobody, argued] = counts;
    const share = (100 * (all.length - argued - nobody)) / Math.max(1, all.length - argued);
    const goal = rooms.find(({ name }) => name === room)?.goal;
    print(row([room, all.length, ...counts, `${share.toFixed(1)} %`, goal === undefined ? '' : `${goal} %`]));
  }
  const survivors = drawn.filter((one) => finderOf(one) === 'nobody');
  for (const one of survivors) print(`✗ nobody finds: ${describe(one)}`);
  return survivors.length;
}

async function loadMutator() {
  const outfile = join(root, '.cache/mutator.mjs');
  const entryPoints = [join(root, 'test/mutants/mutator.ts')];
  await build({ entryPoints, outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm' });
  return import(outfile);
}

function groupBy(all, keyOf) {
  const groups = new Map();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}

function print(text) {
  process.stdout.write(`${text}\n`);
}
