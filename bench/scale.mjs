// How Chaperone grows: services that do nothing, by the hundred and by the thousand, as PID 1 of a fresh PID namespace.
//
//   npm run bench:scale -- [--rounds 3] [--sizes 100,1000,5000] [--limit 60] [--beside DIR]
//
// With --beside another checkout, built, is measured in the same rounds, and here / beside are ratios of medians. What takes longer
// than --limit (s) is given up, there and at larger sizes. Growth is the time a service beside that at the smallest size: 1 is linear.
import { execFileSync, spawn } from 'node:child_process';
import { constants, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { prepare } from '../scripts/prepare.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    sizes: { type: 'string', default: '100,1000,5000' },
    limit: { type: 'string', default: '60' },
    beside: { type: 'string' },
  },
});
const root = fileURLToPath(new URL('..', import.meta.url));
const rounds = Number(values.rounds);
const sizes = values.sizes
  .split(',')
  .map(Number)
  .sort((a, b) => a - b);
/** ms after which a measurement is given up. */
const limit = Number(values.limit) * 1000;
/** Nothing is to be killed before a measurement is given up, s. */
const shutdownTimeout = Math.max(120, Number(values.limit) * 2);
/** `status` is asked for so many times, one after the other. */
const questions = 5;
// It alone adds over 100 ms to the start of Node 20.
delete process.env.NODE_EXTRA_CA_CERTS;

prepare();
mkdirSync(join(root, '.cache'), { recursive: true });
const stamp = join(root, '.cache/stamp-static');
execFileSync('cc', ['-O2', '-static', '-o', stamp, join(root, 'bench/stamp.c')]);

const checkouts = { here: root, ...(values.beside === undefined ? {} : { beside: resolve(values.beside) }) };

class GivenUp extends Error {}

/** What comes of `work`, unless it takes longer than `left` ms. */
async function within(left, what, work) {
  const timer = new AbortController();
  const late = sleep(Math.max(0, left), undefined, { signal: timer.signal }).then(() => {
    throw new GivenUp(what());
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}

const now = () => Number(process.hrtime.bigint()) / 1e6;

/** Boots a checkout with that many services, and begins to count those that run. */
function boot(checkout, size) {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-scale-'));
  const fifo = join(folder, 'fifo');
  const config = join(folder, 'chaperone.conf');
  const socketPath = join(folder, 'control.sock');
  execFileSync('mkfifo', [fifo]);
  writeFileSync(
    config,
    [
      `settings:\n  shutdown_timeout: ${shutdownTimeout}\n  startup_pause: 0\n  detect_exit: false\n  log_socket: ${folder}/log`,
      ...Array.from({ length: size }, (_, index) => `s${index}.service:\n  command: "${stamp} ${fifo} run"`),
    ].join('\n'),
  );
  const reader = new Socket({
    fd: openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  const seen = { start: 0, last: 0, count: 0 };
  let rest = '';
  const allRun = new Promise((done) => {
    reader.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const [what, time] = line.split(' ');
        if (what === 'start') seen.start = Number(time) / 1e6;
        else {
          seen.count++;
          seen.last = Math.max(seen.last, Number(time) / 1e6);
        }
      }
      if (seen.count === size) done();
    });
  });
  // Each service has two pipes and more.
  const more = 'ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$@"';
  const unshare = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', stamp, fifo, 'exec'];
  const child = spawn('sh', ['-c', more, 'sh', ...unshare, join(checkout, 'dist/chaperone'), '--config', config], {
    stdio: 'ignore',
    env: { ...process.env, CHAPERONE_SOCKET: socketPath },
  });
  const exit = new Promise((done) => child.once('exit', (status) => done({ status, time: now() })));
  let over = false;
  exit.then(() => {
    over = true;
  });
  const ask = (method, path, body) => askSocket(socketPath, method, path, body);
  return {
    seen,
    allRun,
    exit,
    ask,
    pid: () => childrenOf(child.pid)[0],
    async close() {
      // Its end is that of all the others, and unshare waits for it.
      if (!over) process.kill(childrenOf(child.pid)[0] ?? child.pid, 'SIGKILL');
      await exit;
      reader.destroy();
      rmSync(folder, { recursive: true });
    },
  };
}

function askSocket(socketPath, method, path, body) {
  return new Promise((done, fail) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.once('end', () => done(JSON.parse(text)));
      response.once('error', fail);
    });
    sent.once('error', fail);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** ms of CPU that a process has had: /proc/PID/stat counts in hundredths of a second, which is too much for one request. */
function cpuOf(pid) {
  const ofThreads = readdirSync(`/proc/${pid}/task`).map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
  );
  return ofThreads.reduce((sum, next) => sum + next, 0) / 1e6;
}

/** Looks at a process now and then until it is over; gives what it has used since, up to the last look. */
function watchCpu(pid) {
  const before = cpuOf(pid);
  let last = before;
  const timer = setInterval(() => {
    try {
      // What its threads have had is lost as they end, before it does.
      last = Math.max(last, cpuOf(pid));
    } catch {
      clearInterval(timer);
    }
  }, 5);
  return () => {
    clearInterval(timer);
    return last - before;
  };
}

/** Waits until the system says that it is up. */
async function untilUp(system, begun) {
  for (;;) {
    const { state } = await system.ask('GET', '/v1/status');
    if (state === 'up') return now() - begun;
    await sleep(10);
  }
}

/** Boots, and takes the time of that. */
async function booted(checkout, size, report, use) {
  const system = boot(checkout, size);
  try {
    const late = () => `${system.seen.count} of ${size} services run`;
    const died = system.exit.then(({ status }) => {
      throw new Error(`exit status ${status}; ${late()}`);
    });
    died.catch(() => undefined);
    const begun = now();
    await within(limit, late, Promise.race([system.allRun, died]));
    const left = begun + limit - now();
    const up = await within(left, () => 'not up', Promise.race([untilUp(system, system.seen.start), died]));
    report('boot: last program runs', system.seen.last - system.seen.start);
    report('boot: up', up);
    report('boot: CPU', cpuOf(system.pid()));
    await use(system);
  } finally {
    await system.close();
  }
}

async function measureStatus(system, size, report) {
  const times = [];
  const before = cpuOf(system.pid());
  for (let question = 0; question < questions; question++) {
    const begun = now();
    const asked = system.ask('POST', '/v1/commands', { words: ['status'] });
    const { text } = await within(limit, () => 'no answer', asked);
    times.push(now() - begun);
    if (text.split('\n').length < size) throw new Error(`status tells of too few services:\n${text.slice(0, 200)}`);
  }
  report('status', median(times));
  report('status: CPU', (cpuOf(system.pid()) - before) / questions);
}

async function measureShutdown(system, report) {
  const pid = system.pid();
  const cpu = watchCpu(pid);
  const begun = now();
  process.kill(pid, 'SIGTERM');
  try {
    const { time, status } = await within(limit, () => `${left(pid)} services left`, system.exit);
    if (status !== 0) throw new Error(`exit status ${status}`);
    report('stop by SIGTERM', time - begun);
    report('stop by SIGTERM: CPU', cpu());
  } finally {
    cpu();
  }
}

async function measureStop(system, report) {
  const pid = system.pid();
  const before = cpuOf(pid);
  const begun = now();
  const asked = system.ask('POST', '/v1/commands', { words: ['stop', '--wait', '*'] });
  // It may be given up, and is then cut off.
  asked.catch(() => undefined);
  const { kind, text } = await within(limit, () => `${left(pid)} services left`, asked);
  if (kind !== 'done' || left(pid) > 0) throw new Error(`${kind}: ${text.slice(0, 200)}; ${left(pid)} services left`);
  report('stop by hand', now() - begun);
  report('stop by hand: CPU', cpuOf(pid) - before);
}

/** How many of its children are no zombies. */
function left(pid) {
  const lives = (child) => {
    try {
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${child}/status`, 'utf8'));
    } catch {
      return false;
    }
  };
  return childrenOf(pid).filter(lives).length;
}

/** What is measured, each with a boot of its own. */
const measures = {
  'stop by SIGTERM': async (system, size, report) => {
    await measureStatus(system, size, report);
    await measureShutdown(system, report);
  },
  'stop by hand': (system, _size, report) => measureStop(system, report),
};
const rows = [
  'boot: last program runs',
  'boot: up',
  'boot: CPU',
  'status',
  'status: CPU',
  'stop by SIGTERM',
  'stop by SIGTERM: CPU',
  'stop by hand',
  'stop by hand: CPU',
];

const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
/** Values by row, size and checkout. */
const results = new Map();
const key = (row, size, name) => `${row}\n${size}\n${name}`;
/** The smallest size at which a checkout was given up, by measure. */
const givenUp = new Map();

async function measureOnce(measure, size, name) {
  const report = (row, value) => {
    const at = key(row, size, name);
    results.set(at, [...(results.get(at) ?? []), value]);
  };
  let isUp = false;
  try {
    await booted(checkouts[name], size, report, (system) => {
      isUp = true;
      return measures[measure](system, size, report);
    });
  } catch (error) {
    process.stderr.write(`${isUp ? measure : 'boot'}, ${size} services, ${name}: ${error.message}\n`);
    if (!(error instanceof GivenUp)) return;
    process.stderr.write(`given up after ${values.limit} s, and not tried again with as many services or more\n`);
    for (const each of isUp ? [measure] : ['boot', ...Object.keys(measures)]) {
      givenUp.set(`${each} ${name}`, Math.min(size, givenUp.get(`${each} ${name}`) ?? size));
    }
  }
}

for (let round = 0; round < rounds; round++) {
  const names = Object.keys(checkouts);
  // Who comes second may profit from the first.
  if (round % 2 === 1) names.reverse();
  for (const size of sizes) {
    for (const measure of Object.keys(measures)) {
      for (const name of names) {
        if (size < (givenUp.get(`${measure} ${name}`) ?? Number.POSITIVE_INFINITY)) {
          await measureOnce(measure, size, name);
        }
      }
    }
  }
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
}

/** The columns of one checkout. */
function cells(row, size, name) {
  const value = median(results.get(key(row, size, name)) ?? []);
  const measure = row.split(':')[0];
  if (value === undefined) {
    return [size >= (givenUp.get(`${measure} ${name}`) ?? Number.POSITIVE_INFINITY) ? 'given up' : '–', '–', '–'];
  }
  const first = median(results.get(key(row, sizes[0], name)) ?? []);
  const growth = !first ? '–' : (value / size / (first / sizes[0])).toFixed(2);
  return [value.toFixed(1), (value / size).toFixed(3), growth];
}

const names = Object.keys(checkouts);
const columns = [
  'ms',
  'services',
  ...names.flatMap((name) => [name, 'a service', 'growth']),
  ...(names.length > 1 ? ['here / beside'] : []),
];
process.stdout.write(`| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|\n`);
for (const row of rows) {
  for (const size of sizes) {
    const [here, beside] = names.map((name) => median(results.get(key(row, size, name)) ?? []));
    const ratio = here === undefined || beside === undefined ? '–' : (here / beside).toFixed(2);
    const all = [row, size, ...names.flatMap((name) => cells(row, size, name)), ...(names.length > 1 ? [ratio] : [])];
    process.stdout.write(`| ${all.join(' | ')} |\n`);
  }
}
