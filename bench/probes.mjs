// What probes cost. First 100 HTTP probes a second: ten services whose health is asked ten times a second, beside the same services
// without probes, in turns; the numbers are the processor time of the brain as a share of one core. Then the boot of services without
// probes: with `node bench/probes.mjs DIST` that of another build is measured in turns with this one.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const [other] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'probes-bench-'));
const seconds = 8;
const rounds = 3;
const boots = 11;

let answered = 0;
const server = createServer((_, response) => {
  answered += 1;
  response.end('ok');
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const print = (text) => process.stdout.write(`${text}\n`);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function configured(name, count, more) {
  const services = Array.from({ length: count }, (_, index) => [
    `s${index}.service`,
    { command: 'sleep 1000', startup_pause: 0, ...more },
  ]);
  const path = join(folder, `${name}.conf`);
  writeFileSync(path, JSON.stringify(Object.fromEntries(services)));
  return path;
}

// Left set, it makes each Node read certificates first.
const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;

function start(path, from = dist) {
  const socket = join(folder, 'control.sock');
  const env = { ...inherited, CHAPERONE_SOCKET: socket };
  const child = spawn(join(from, 'chaperone'), ['--config', path, '--no-syslog'], { env, stdio: 'ignore' });
  const isReady = () => spawnSync(join(from, 'chaperonectl'), ['is-ready'], { env, stdio: 'ignore' }).status === 0;
  return { child, isReady };
}

async function stop({ child }) {
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** The brain is the child of the body that runs Node. */
function brainOf(body) {
  const parent = (pid) => /^Pid:.*\nPPid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const programs = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = programs.find((pid) => {
    try {
      return parent(pid) === String(body) && readFileSync(`/proc/${pid}/maps`, 'utf8').includes('edge.node');
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error('there is no brain');
  return found;
}

/** ms of processor time; a tick of the clock is 10 ms. */
function timeOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function share(path) {
  const running = start(path);
  while (!running.isReady()) await pause(50);
  await pause(1_500);
  const brain = brainOf(running.child.pid);
  const [before, seen] = [timeOf(brain), answered];
  await pause(seconds * 1_000);
  const used = (timeOf(brain) - before) / (seconds * 10);
  const rate = (answered - seen) / seconds;
  await stop(running);
  return { used, rate };
}

async function bootTime(path, from) {
  const begun = process.hrtime.bigint();
  const running = start(path, from);
  while (!running.isReady()) await pause(1);
  const took = Number(process.hrtime.bigint() - begun) / 1e6;
  await stop(running);
  return took;
}

try {
  const healthy = { http: `http://127.0.0.1:${port}/`, interval: '100ms' };
  const probed = configured('probed', 10, { healthy });
  const plain = configured('plain', 10, {});
  const with_ = [];
  const without = [];
  for (let round = 0; round < rounds; round += 1) {
    with_.push(await share(probed));
    without.push(await share(plain));
  }
  const used = median(with_.map(({ used: each }) => each));
  const idle = median(without.map(({ used: each }) => each));
  print(`${median(with_.map(({ rate }) => rate)).toFixed(0)} HTTP probes a second: ${used.toFixed(1)} % of a core`);
  print(`the same services without probes: ${idle.toFixed(1)} %; so the probes cost ${(used - idle).toFixed(1)} %`);
  if (other !== undefined) {
    const times = { own: [], other: [] };
    for (let round = 0; round < boots; round += 1) {
      times.own.push(await bootTime(plain, dist));
      times.other.push(await bootTime(plain, other));
    }
    const [own, before] = [median(times.own), median(times.other)];
    print(
      `boot of ten services without probes: ${own.toFixed(0)} ms here, ${before.toFixed(0)} ms there: ${(own / before).toFixed(3)}`,
    );
  }
} finally {
  server.close();
  rmSync(folder, { recursive: true });
}
