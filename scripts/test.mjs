// `npm test`: installs and builds where needed, then runs the static checks and every test that needs no container engine.
// Arguments are passed on to vitest. Writes the counts to .cache/tests-counts.json.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';
import { runSuite } from './suite.mjs';

await prepare();

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

const suite = runSuite('tests', process.argv.slice(2));
passed += suite.passed;
failed += suite.failed;

writeFileSync(join(root, '.cache/tests-counts.json'), `${JSON.stringify({ passed, failed })}\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
