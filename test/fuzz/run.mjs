// `node test/fuzz/run.mjs [--seconds N] [--seed N] [--keep] [TARGET…]`: fuzzes the targets of this folder, one after the
// other, together for N seconds (60). An input that fails, hangs for more than a second or kills the process goes to
// test/fuzz/crashes/ and is printed; exit status 1 then. `node test/fuzz/run.mjs TARGET FILE` runs one input, for a debugger.
//
// Inputs that reach code which none before them reached are kept in .cache/fuzz/corpus/, and with --keep in
// test/fuzz/corpus/, where npm test replays them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('.', import.meta.url));
const root = join(folder, '../..');
const cache = join(root, '.cache/fuzz');
const crashes = join(folder, 'crashes');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string' }, seed: { type: 'string' }, keep: { type: 'boolean' } },
});
const known = readdirSync(folder)
  .filter((name) => name.endsWith('.fuzz.ts'))
  .map((name) => name.replace('.fuzz.ts', ''));
const single = positionals.length === 2 && !known.includes(positionals[1]) ? positionals.pop() : undefined;
const targets = positionals.length > 0 ? positionals : known;
const unknown = targets.find((target) => !known.includes(target));
const seconds = Number(values.seconds ?? 60);
if (unknown !== undefined || !(seconds > 0)) {
  process.stderr.write(`usage: node test/fuzz/run.mjs [--seconds N] [--seed N] [--keep] [${known.join(' | ')}]…\n`);
  process.exit(2);
}

let failures = 0;
for (const target of targets) {
  const bundle = join(cache, `${target}.cjs`);
  await build({
    absWorkingDir: root,
    entryPoints: [join(folder, `${target}.fuzz.ts`)],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    logLevel: 'warning',
  });
  const current = join(cache, `${target}.current.json`);
  rmSync(current, { force: true });
  const options = {
    target,
    bundle,
    current,
    crashes,
    corpus: join(folder, 'corpus', target),
    found: join(cache, 'corpus', target),
    keep: values.keep === true,
    seconds: seconds / targets.length,
    seed: Number(values.seed ?? Date.now() % 1_000_000),
  };
  if (single !== undefined) failures += engine({ ...options, inputs: [resolve(single)] }) === 0 ? 0 : 1;
  else if (engine(options) !== 0) failures += 1 + reportDeath(options);
}
process.exitCode = failures === 0 ? 0 : 1;

/** Runs the engine in a process of its own with little memory, so that an input which eats memory is a finding. */
function engine(options) {
  const { status, signal } = spawnSync(
    process.execPath,
    ['--max-old-space-size=512', join(folder, 'engine.mjs'), JSON.stringify(options)],
    { cwd: root, stdio: 'inherit' },
  );
  if (signal !== null || (status !== 0 && status !== 1)) {
    process.stdout.write(`${options.target}: the process died (${signal ?? `exit status ${status}`})\n`);
  }
  return status;
}

/** When the engine itself has died, its last inputs are tried alone, each in a process of its own. */
function reportDeath(options) {
  if (!existsSync(options.current)) return 0;
  const inputs = JSON.parse(readFileSync(options.current, 'utf8'));
  mkdirSync(crashes, { recursive: true });
  let found = 0;
  for (const [index, input] of inputs.entries()) {
    const file = join(crashes, `${options.target}-death-${index}`);
    writeFileSync(file, Buffer.from(input, 'base64'));
    if (engine({ ...options, inputs: [file] }) === 0) rmSync(file);
    else {
      found += 1;
      process.stdout.write(`${options.target}: ${file} kills the process\n`);
    }
  }
  return found;
}
