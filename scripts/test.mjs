// `npm test`: installs and builds where needed, then runs the static checks and every test that needs no container engine.
// Arguments are passed on to vitest. Writes the counts to .cache/test-counts.json.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

await prepare();
mkdirSync(join(root, '.cache'), { recursive: true });
const report = join(root, '.cache/vitest.json');
rmSync(report, { force: true });

const bin = (name) => join(root, 'node_modules/.bin', name);
const checks = [
  ['types', bin('tsc'), ['--noEmit']],
  ['types of the page', bin('tsc'), ['--noEmit', '-p', 'src/inspect/page']],
  ['types of its tests', bin('tsc'), ['--noEmit', '-p', 'test/inspect/page']],
  ['lint, format, import directions', bin('biome'), ['check', '--error-on-warnings', '.']],
  ['unused code', bin('knip'), []],
];
let passed = 0;
let failed = 0;
for (const [name, command, args] of checks) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  process.stdout.write(`${status === 0 ? '✓' : '✗'} ${name}\n`);
  if (status === 0) passed += 1;
  else {
    failed += 1;
    process.stdout.write(`${stdout}${stderr}\n`);
  }
}

const { status } = spawnSync(
  process.execPath,
  [
    bin('vitest'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);
const { numPassedTests, numFailedTests, numFailedTestSuites } = readReport();
passed += numPassedTests;
// A file that does not even load has no tests of its own to fail.
failed +=
  numFailedTests === 0 && (numFailedTestSuites > 0 || status !== 0) ? Math.max(1, numFailedTestSuites) : numFailedTests;

writeFileSync(join(root, '.cache/test-counts.json'), `${JSON.stringify({ passed, failed })}\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

function readReport() {
  try {
    return JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numFailedTestSuites: 1 };
  }
}
