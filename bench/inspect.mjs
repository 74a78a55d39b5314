// What inspection costs. Boots: 40 services, from the launch to the end of the last, with nobody watching and with each kind of
// inspection; CHAPERONE_BEFORE=PATH (another build's dist/chaperone) adds that build without inspection. Transitions: 10,000 steps
// of machines in virtual time, in an assembly that no inspection was made for, and with watchers. Each measurement is a process of
// its own; rounds alternate, so that what else the machine does hits all. Prints medians of ms, on the clock and of CPU, and their
// ratios to the first.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'chaperone-bench-'));
const rounds = Number(process.env.ROUNDS ?? 15);
const services = 40;

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

function compare(title, ways) {
  const results = new Map(ways.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) for (const { name, run } of ways) results.get(name).push(run());
  const medians = [...results].map(([name, values]) => ({
    name,
    wall: median(values.map(({ wall }) => wall)),
    cpu: median(values.map(({ cpu }) => cpu)),
  }));
  process.stdout.write(`${title} (median of ${rounds})\n`);
  const column = (value, first) => `${value.toFixed(1).padStart(8)} ms × ${(value / first).toFixed(3)}`;
  for (const { name, wall, cpu } of medians) {
    const columns = `${column(wall, medians[0].wall)}   CPU ${column(cpu, medians[0].cpu)}`;
    process.stdout.write(`  ${name.padEnd(32)} ${columns}\n`);
  }
}

/** `0m1.234s` of bash's times. */
const milliseconds = (text) => {
  const [, minutes, seconds] = /(\d+)m([\d.]+)s/.exec(text);
  return (Number(minutes) * 60 + Number(seconds)) * 1_000;
};

function bootWith(program, ...args) {
  const words = ['--config', join(folder, 'boot.conf'), '--no-syslog', ...args];
  const from = performance.now();
  const { status, stdout, stderr } = spawnSync(
    'bash',
    ['-c', '"$0" "$@" > /dev/null; status=$?; times; exit $status', program, ...words],
    { env: { PATH: process.env.PATH, CHAPERONE_SOCKET: join(folder, 'sock') }, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`the boot ended with ${status}: ${stderr}`);
  const wall = performance.now() - from;
  const [user, system] = stdout.trim().split('\n').at(-1).split(' ').map(milliseconds);
  return { wall, cpu: user + system };
}

function boots() {
  const sections = Object.fromEntries(
    Array.from({ length: services }, (_, index) => [
      `s${index}.service`,
      { type: 'oneshot', command: '/bin/true', ...(index % 4 === 0 ? {} : { after: `s${index - 1}.service` }) },
    ]),
  );
  writeFileSync(join(folder, 'boot.conf'), JSON.stringify(sections));
  const program = join(root, 'dist/chaperone');
  const before = process.env.CHAPERONE_BEFORE;
  compare(`boot of ${services} services`, [
    ...(before === undefined ? [] : [{ name: 'another build, nobody watches', run: () => bootWith(before) }]),
    { name: 'nobody watches', run: () => bootWith(program) },
    { name: '--inspect', run: () => bootWith(program, '--inspect') },
    { name: '--inspect=json', run: () => bootWith(program, '--inspect=json') },
    {
      name: '--inspect=journal',
      run: () => bootWith(program, `--inspect=journal:${join(folder, 'journal')}`),
    },
    { name: '--inspect=ws', run: () => bootWith(program, '--inspect=ws') },
  ]);
}

// Services that crash and are restarted, again and again; the number of their steps is the same each time.
const driver = `
import { assemble } from './src/runtime/boot/assemble.ts';
import { inspect } from './src/runtime/inspection/inspection.ts';
import { attachLogging } from './src/runtime/logging/logging.ts';
import { SimulatedKernel } from './src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from './src/runtime/simulated/virtual-clock.ts';
import { Transcript } from './src/inspect/transcript.ts';
import { serviceSpec, systemSpec } from './test/model/specs.ts';

const way = process.argv[2];
const clock = new VirtualClock();
const kernel = new SimulatedKernel(clock, {
  has: () => true,
  script: () => ({ steps: [{ do: 'wait', ms: 10 }, { do: 'exit', code: 1 }] }),
});
const spec = systemSpec(
  Array.from({ length: 10 }, (_, index) =>
    serviceSpec({ name: 's' + index + '.service', command: 's', argv: ['s'], startupPause: 0, restart: true, restartDelay: 10, restartLimit: 1e9 }),
  ),
);
const assembly = assemble(kernel, clock, spec, { version: '0', attachLogging, loadSchedules: () => { throw new Error('no schedules'); } });
const hub = way === 'absent' ? undefined : inspect({ assembly, kernel, clock, version: '0', onError: (error) => { throw error; } }).hub;
let steps = 0;
const transcript = new Transcript({ format: 'text' });
if (way === 'count') hub.watch({ onEntry: ({ type }) => { steps += type === '@xstate.snapshot' ? 1 : 0; return true; } });
if (way === 'gone') hub.watch({ onEntry: () => true }).close();
if (way === 'watched') hub.watch({ onEntry: () => true });
if (way === 'written') hub.watch({ onEntry: (entry) => { transcript.write(entry); return true; } });
if (way === 'json') hub.watch({ onEntry: (entry) => JSON.stringify(entry).length > 0 });
const duration = Number(process.argv[3]);
clock.setTimeout(() => kernel.deliver('SIGTERM'), duration);
const began = process.cpuUsage();
const from = performance.now();
assembly.start();
clock.run();
const wall = performance.now() - from;
const { user, system } = process.cpuUsage(began);
process.stdout.write(JSON.stringify({ wall, cpu: (user + system) / 1_000, steps }));
`;

async function transitions() {
  const file = join(folder, 'driver.cjs');
  await build({
    stdin: { contents: driver, resolveDir: root, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile: file,
    logLevel: 'error',
    alias: { rxjs: join(root, 'node_modules/rxjs/dist/esm/index.js') },
  });
  const run = (way, duration) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, way, String(duration)], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`cannot measure ${way}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const sample = run('count', 2_000).steps;
  const duration = Math.round((2_000 * 10_000) / sample);
  const { steps } = run('count', duration);
  compare(`${steps} transitions`, [
    { name: 'no inspection was made', run: () => run('absent', duration) },
    { name: 'nobody watches', run: () => run('nobody', duration) },
    { name: 'a watcher has gone', run: () => run('gone', duration) },
    { name: 'a watcher who does nothing', run: () => run('watched', duration) },
    { name: 'written for people', run: () => run('written', duration) },
    { name: 'written as JSON', run: () => run('json', duration) },
  ]);
}

try {
  if (process.argv[2] !== 'transitions') boots();
  await transitions();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
