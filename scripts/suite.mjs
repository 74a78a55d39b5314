// Runs vitest, and what has failed of it once more. A test that starts real processes shares its machine with others, which may be
// slow in a way that nobody has thought of: only what fails again, with no other test beside it, has failed. What passes then is
// printed with what it met at first, since it may as well be a fault that shows itself seldom.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './prepare.mjs';

/** Rooms whose tests compute, and do nothing else: what fails there once is wrong, and may be so for one random input only. */
const computing = /^test\/(?:config|conventions|docs|facts|machines|model|simulation|streams)\//;
/** More files than that are not an accident. */
const mostFiles = 8;

/**
 * Runs the suite and prints which tests have failed at first only. Reports are `.cache/vitest-NAME.json` and
 * `.cache/vitest-NAME-again.json`.
 * @param {string} name
 * @param {readonly string[]} args - Of vitest. With a filter among them nothing is run again.
 * @returns {{ passed: number, failed: number }}
 */
export function runSuite(name, args) {
  rmSync(join(root, `.cache/vitest-${name}-again.json`), { force: true });
  const first = run(`vitest-${name}.json`, args);
  const files = first.broken.map(({ file }) => file);
  const config = args.filter((arg, index) => arg.startsWith('--config') || args[index - 1] === '--config');
  if (first.failed === 0 || args.length > config.length || !deserveAnother(files)) return first;
  process.stdout.write(`\nWhat has failed runs once more, alone: ${files.join(', ')}\n`);
  const again = run(`vitest-${name}-again.json`, [...config, '--maxWorkers=1', ...files]);
  // Where vitest itself has broken down, nothing has passed.
  if (again.broken.length === 0 && again.failed > 0) return first;
  for (const { file, tests } of first.broken) {
    const still = again.broken.find((other) => other.file === file)?.tests.map((test) => test.name) ?? [];
    for (const test of tests.filter((each) => !still.includes(each.name)))
      process.stdout.write(`UNSTEADY ${file}: ${test.name}\n${test.message}\n`);
  }
  return { passed: first.passed + Math.max(0, first.failed - again.failed), failed: again.failed };
}

function deserveAnother(files) {
  return files.length > 0 && files.length <= mostFiles && !files.some((file) => computing.test(file));
}

function run(report, args) {
  const path = join(root, '.cache', report);
  mkdirSync(join(root, '.cache'), { recursive: true });
  rmSync(path, { force: true });
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/.bin/vitest'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${path}`,
      ...args,
    ],
    { cwd: root, stdio: 'inherit' },
  );
  return read(path, status);
}

function read(path, status) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, broken: [] };
  }
  const broken = report.testResults
    .filter((file) => file.status === 'failed')
    .map((file) => ({ file: relative(root, file.name), tests: failedTests(file) }));
  // A file that does not even load has no tests of its own to fail; nor has an error between two tests.
  const failed = broken.reduce((sum, { tests }) => sum + Math.max(1, tests.length), 0);
  return { passed: report.numPassedTests, failed: Math.max(failed, status === 0 ? 0 : 1), broken };
}

function failedTests({ assertionResults }) {
  return assertionResults
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => ({ name: fullName, message: failureMessages.join('\n').slice(0, 2_000) }));
}

// `node scripts/suite.mjs NAME [ARGUMENT...]` writes the counts to .cache/NAME-counts.json.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name = '', ...args] = process.argv.slice(2);
  const counts = runSuite(name, args);
  const text = JSON.stringify({ passed: counts.passed, failed: counts.failed });
  writeFileSync(join(root, `.cache/${name}-counts.json`), `${text}\n`);
  process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed\n`);
  process.exitCode = counts.failed === 0 ? 0 : 1;
}
