// `npm run mutate -- [--sample N] [--static] [FILE...]`: changes the source in small ways and counts which of them the tests beside
// it notice. By hand, and slow: a minute for sixty mutants or so. FILEs are of this tree; without one, src/streams. With --sample
// one block of lines in N is changed, spread over each file; with --static also what runs when a file is loaded, as the charts do,
// which takes all tests anew for each mutant. --without leaves out the tests whose file has that in its name: those of the charts'
// graphs take so long that only what the others leave is worth their time (a FILE may be `FILE:LINE:COLUMN-LINE:COLUMN`). StrykerJS is installed into a copy of the working tree, so that nothing here depends
// on it. The report is left in .cache/mutation.json.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepare, root } from './prepare.mjs';

const version = '9.6.1';

await prepare();
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: '1' },
    static: { type: 'boolean', default: false },
    without: { type: 'string' },
  },
});
const given = positionals.length > 0 ? positionals : ['src/streams'];
const isRange = (path) => /:\d+/.test(path);
const files = execFileSync('git', ['ls-files', '-z', '--', ...given.filter((path) => !isRange(path))], {
  cwd: root,
  encoding: 'utf8',
});
const sources = [...new Set(files.split('\0').filter((file) => /^src\/.*\.ts$/.test(file)))];
const mutate = [
  ...(given.every(isRange) ? [] : sources.flatMap((file, index) => blocksOf(file, index, Number(values.sample)))),
  ...given.filter(isRange),
];
// The tests that stand beside what is mutated: what only tests of another part would notice counts as a survivor.
const parts = [...new Set(mutate.map((file) => /^src\/([a-z]+)\//.exec(file)?.[1] ?? '*'))];

const copy = mkdtempSync(join(tmpdir(), 'chaperone-mutate-'));
process.on('exit', () => rmSync(copy, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
for (const file of list.toString().split('\0')) {
  if (!/^(?:src|test|docs|config)\/|^package\.json$/.test(file)) continue;
  mkdirSync(join(copy, dirname(file)), { recursive: true });
  cpSync(join(root, file), join(copy, file), { force: true });
}
execFileSync('cp', ['-rL', '--preserve=mode,links', join(root, 'node_modules'), join(copy, 'node_modules')]);
execFileSync(
  'npm',
  [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    `@stryker-mutator/core@${version}`,
    `@stryker-mutator/vitest-runner@${version}`,
  ],
  { cwd: copy, stdio: ['ignore', 2, 2] },
);
writeFileSync(
  join(copy, 'vitest.config.ts'),
  `export default { test: ${JSON.stringify({
    include: parts.map((part) => `test/${part}/**/*.test.ts`),
    ...(values.without === undefined ? {} : { exclude: [`**/*${values.without}*`] }),
    testTimeout: 60_000,
    // The tests run in a thread, where the time zone of the process cannot be changed.
    testNamePattern: '^(?!.*by default that of the process)',
  })} };\n`,
);
writeFileSync(
  join(copy, 'stryker.config.json'),
  JSON.stringify({
    testRunner: 'vitest',
    plugins: ['@stryker-mutator/vitest-runner'],
    coverageAnalysis: 'perTest',
    ignoreStatic: !values.static,
    concurrency: 1,
    timeoutMS: 20_000,
    reporters: ['progress-append-only', 'clear-text', 'json'],
    jsonReporter: { fileName: 'mutation.json' },
    clearTextReporter: { allowColor: false, reportTests: false },
    // It would be read with an API that TypeScript has no more.
    tsconfigFile: 'none',
    mutate,
  }),
);
const { status } = spawnSync('node_modules/.bin/stryker', ['run'], { cwd: copy, stdio: 'inherit' });
mkdirSync(join(root, '.cache'), { recursive: true });
if (status === 0) cpSync(join(copy, 'mutation.json'), join(root, '.cache/mutation.json'));
process.exitCode = status ?? 1;

/** One block of lines in so many; the first of them is another one in each file. */
function blocksOf(file, index, sample) {
  if (sample === 1) return [file];
  const lines = readFileSync(join(root, file), 'utf8').split('\n').length;
  const size = 20;
  const blocks = [];
  for (let block = index % sample; block * size < lines; block += sample) {
    blocks.push(`${file}:${block * size + 1}-${Math.min(lines, (block + 1) * size)}`);
  }
  return blocks;
}
