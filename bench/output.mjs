// What becomes of a service's output, of this build and of others in one interleaved run:
//
//   npm run bench:output -- [--rounds 5] [--count 300000] [--with NAME=dist,…]
//
// - pipes: lines a second from the stdout of services into a file, and what of them is lost;
// - slow reader: two services write through a stdout that is read 64 KiB at a time: lines that are lost, and seconds;
// - stopped reader: the memory of chaperone while two services write into a stdout that nobody reads.
//
// How many records a second come from /dev/log, compared with other daemons, is measured by bench/syslog.mjs.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    count: { type: 'string', default: '300000' },
    with: { type: 'string', default: '' },
  },
});
const count = Number(values.count);
const builds = Object.fromEntries([
  ['this build', join(root, 'dist')],
  ...values.with.split(',').flatMap((pair) => (pair === '' ? [] : [pair.split('=')])),
]);
const folder = mkdtempSync(join(tmpdir(), 'chaperone-output-'));
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const number = '%080.0f';

function configure(sections) {
  const config = join(folder, 'chaperone.d');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'x.conf'), JSON.stringify(sections));
  return config;
}

function namespaced(dist, config) {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const command = ['--pid', '--fork', '--mount', '--mount-proc', '--kill-child', `${dist}/chaperone`];
  return [
    'unshare',
    [...command, '--config', config, '--no-syslog'],
    { env: { ...env, CHAPERONE_SOCKET: join(folder, 'socket') } },
  ];
}

/** Lines a second into a file, while `services` write. */
function pipes(dist, services) {
  const log = join(folder, 'log');
  rmSync(log, { force: true });
  const each = count / services;
  const writers = Object.fromEntries(
    Array.from({ length: services }, (_, index) => [
      `w${index}.service`,
      { type: 'oneshot', command: `seq -f ${number} ${each}` },
    ]),
  );
  const config = configure({ ...writers, 'file.logging': { selector: 'daemon.*;![chaperone].*', file: log } });
  const [program, args, options] = namespaced(dist, config);
  const from = performance.now();
  spawnSync(program, args, { ...options, stdio: 'ignore' });
  const seconds = (performance.now() - from) / 1000;
  const written = readFileSync(log, 'latin1').split('\n').length - 1;
  return { rate: written / seconds, lost: each * services - written };
}

function slowReader(dist) {
  const writers = Object.fromEntries(
    ['one', 'two'].map((name) => [`${name}.service`, { type: 'oneshot', command: `seq -f ${number} 200000` }]),
  );
  const config = configure({ ...writers, 'console.logging': { selector: 'daemon.*;![chaperone].*', stdout: true } });
  const [program, args, options] = namespaced(dist, config);
  const reader = `const{readSync}=require('fs');const b=Buffer.alloc(65536);let n=0,k=0;while((k=readSync(0,b,0,65536,null))>0){for(let i=0;i<k;i++)if(b[i]===10)n++;Atomics.wait(new Int32Array(new SharedArrayBuffer(4)),0,0,2)}console.log(n)`;
  const from = performance.now();
  const { stdout } = spawnSync(
    'sh',
    ['-c', `"$0" "$@" 2> /dev/null | ${process.execPath} -e "${reader}"`, program, ...args],
    { ...options, encoding: 'utf8' },
  );
  return { lost: 400_000 - Number(stdout), seconds: (performance.now() - from) / 1000 };
}

/** MiB of all processes of chaperone, after three seconds in which nobody has read stdout. */
async function stoppedReader(dist) {
  const writers = Object.fromEntries(['one', 'two'].map((name) => [`${name}.service`, { command: 'yes filler' }]));
  const config = configure({ ...writers, 'console.logging': { selector: 'daemon.*', stdout: true } });
  const [program, args, options] = namespaced(dist, config);
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const memory = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandOf(name).includes(dist))
    .reduce((sum, pid) => sum + residentOf(pid), 0);
  child.kill('SIGKILL');
  child.stdout.destroy();
  return memory;
}

function readOr(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

const commandOf = (pid) => readOr(`/proc/${pid}/cmdline`);
const residentOf = (pid) => Number(/^VmRSS:\s+(\d+) kB/m.exec(readOr(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;

const results = Object.fromEntries(
  Object.keys(builds).map((name) => [name, { one: [], ten: [], slow: [], memory: [] }]),
);
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const [name, dist] of Object.entries(builds)) {
    results[name].one.push(pipes(dist, 1));
    results[name].ten.push(pipes(dist, 10));
    results[name].slow.push(slowReader(dist));
    results[name].memory.push(await stoppedReader(dist));
  }
}
for (const [name, { one, ten, slow, memory }] of Object.entries(results)) {
  const rate = (runs) => Math.round(median(runs.map((run) => run.rate)));
  const lost = (runs) => runs.reduce((sum, run) => sum + run.lost, 0);
  process.stdout.write(
    `${name}\n` +
      `  pipes           ${rate(one)} lines/s of one service, ${rate(ten)} of ten; lost ${lost(one)} and ${lost(ten)}\n` +
      `  slow reader     lost ${lost(slow)} of ${400_000 * slow.length}, ${median(slow.map(({ seconds }) => seconds)).toFixed(1)} s\n` +
      `  stopped reader  ${Math.round(median(memory))} MiB\n`,
  );
}
rmSync(folder, { recursive: true, force: true });
