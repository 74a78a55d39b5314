// Chaperone beside what is installed of tini, dumb-init, runit, s6 and supervisord, each as PID 1 of a fresh PID namespace, one after
// the other in each round: medians in ms, and how many times Chaperone's figure they are. `npm run bench [-- ROUNDS]`.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, constants, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from '../scripts/prepare.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const rounds = Number(process.argv[2] ?? 5);
/** s after which a measurement is given up. */
const patience = 30;
// It alone adds over 100 ms to the start of Node 20.
delete process.env.NODE_EXTRA_CA_CERTS;

await prepare();
mkdirSync(join(root, '.cache'), { recursive: true });
const stamp = join(root, '.cache/stamp');
execFileSync('cc', ['-O2', '-o', stamp, join(root, 'bench/stamp.c')]);

const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const file = (path, text, mode = 0o644) => {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
};
const each = (count, make) => Array.from({ length: count }, (_, index) => make(index)).join('\n');

/** A folder of run scripts, as runit and s6 have it. */
function scanDirectory(folder, services, fifo) {
  services.forEach((words, index) => {
    file(join(folder, `scan/s${index}/run`), `#!/bin/sh\nexec ${stamp} ${fifo} ${words}\n`, 0o755);
  });
  mkdirSync(join(folder, 'scan'), { recursive: true });
  return join(folder, 'scan');
}

/** How each is configured for services that run `stamp FIFO …`; undefined where it cannot. */
const inits = {
  chaperone: {
    stop: 'SIGTERM',
    command(folder, services, fifo, { chain = false } = {}) {
      file(
        join(folder, 'chaperone.conf'),
        each(services.length, (index) =>
          [
            `s${index}.service:`,
            `  command: "${stamp} ${fifo} ${services[index]}"`,
            `  type: ${chain ? 'oneshot' : 'simple'}`,
            ...(chain && index > 0 ? [`  after: s${index - 1}.service`] : []),
            '  startup_pause: 0\n  restart: true\n  restart_delay: 0',
          ].join('\n'),
        ),
      );
      return [join(root, 'dist/chaperone'), '--config', join(folder, 'chaperone.conf')];
    },
  },
  tini: {
    program: 'tini',
    command: (_folder, services, fifo) =>
      services.length === 1 ? ['tini', '--', stamp, fifo, ...services[0].split(' ')] : undefined,
  },
  'dumb-init': {
    program: 'dumb-init',
    command: (_folder, services, fifo) =>
      services.length === 1 ? ['dumb-init', stamp, fifo, ...services[0].split(' ')] : undefined,
  },
  runit: {
    program: 'runsvdir',
    stop: 'SIGHUP',
    command: (folder, services, fifo, { chain } = {}) =>
      chain ? undefined : ['runsvdir', scanDirectory(folder, services, fifo)],
  },
  s6: {
    program: 's6-svscan',
    stop: 'SIGTERM',
    command: (folder, services, fifo, { chain } = {}) =>
      chain ? undefined : ['s6-svscan', scanDirectory(folder, services, fifo)],
  },
  supervisord: {
    program: 'supervisord',
    stop: 'SIGTERM',
    command(folder, services, fifo, { chain } = {}) {
      if (chain) return undefined;
      const programs = each(
        services.length,
        (index) => `[program:s${index}]\ncommand=${stamp} ${fifo} ${services[index]}\nstartsecs=0\nautorestart=true\n`,
      );
      file(
        join(folder, 'supervisord.conf'),
        `[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=${join(folder, 'pid')}\nuser=root\n${programs}`,
      );
      return ['supervisord', '-c', join(folder, 'supervisord.conf')];
    },
  },
};

/** Boots one init with services; resolves when they have stamped `expected` times. */
async function boot(init, services, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-bench-'));
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const command = init.command(folder, services, fifo, options);
  if (command === undefined) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const reader = new Socket({
    fd: openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  const stamps = { start: [], run: [] };
  let rest = '';
  let check = () => undefined;
  reader.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const [what, time] = line.split(' ');
      stamps[what].push(Number(time) / 1e6);
    }
    check();
  });
  const child = spawn('unshare', ['--pid', '--fork', '--mount-proc', '--kill-child', stamp, fifo, 'exec', ...command], {
    stdio: 'ignore',
  });
  const exit = new Promise((resolve) => child.once('exit', () => resolve(performance.now())));
  const runs = (count) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${command[0]}: ${stamps.run.length} of ${count} runs in ${patience} s`)),
        patience * 1000,
      );
      check = () => {
        if (stamps.run.length < count) return;
        clearTimeout(timer);
        resolve(stamps.run);
      };
      check();
    });
  return {
    stamps,
    runs,
    exit,
    pid: () => childrenOf(child.pid)[0],
    async close() {
      child.kill('SIGKILL');
      await exit;
      reader.destroy();
      rmSync(folder, { recursive: true });
    },
  };
}

function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

function descendantsOf(pid) {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

const isService = (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'stamp';

async function withBoot(init, services, options, measure) {
  const system = await boot(init, services, options);
  if (system === undefined) return undefined;
  try {
    return await measure(system);
  } finally {
    await system.close();
  }
}

const repeat = (count, words) => Array.from({ length: count }, () => words);
const untilRun = (count) => async (system) => {
  const runs = await system.runs(count);
  return Math.max(...runs) - system.stamps.start[0];
};

/** What is measured: each gives ms (or MB), or undefined where an init cannot do it. */
const measures = {
  'boot 1': (init) => withBoot(init, repeat(1, 'run'), {}, untilRun(1)),
  'boot 10': (init) => withBoot(init, repeat(10, 'run'), {}, untilRun(10)),
  'boot 100': (init) => withBoot(init, repeat(100, 'run'), {}, untilRun(100)),
  'chain 20': (init) => withBoot(init, repeat(20, 'once'), { chain: true }, untilRun(20)),
  restart: (init) =>
    init.stop === undefined
      ? undefined
      : withBoot(init, repeat(1, 'run'), {}, async (system) => {
          await system.runs(1);
          // Longer than any of them counts as "has just started".
          await new Promise((resolve) => setTimeout(resolve, 1_500));
          const [service] = descendantsOf(system.pid()).filter(isService);
          const killed = Number(process.hrtime.bigint()) / 1e6;
          process.kill(service, 'SIGKILL');
          const runs = await system.runs(2);
          return runs[1] - killed;
        }),
  'shutdown 100': (init) =>
    init.stop === undefined
      ? undefined
      : withBoot(init, repeat(100, 'run'), {}, async (system) => {
          await system.runs(100);
          const begun = performance.now();
          process.kill(system.pid(), init.stop);
          return (await system.exit) - begun;
        }),
  'orphans 2000': (init) =>
    withBoot(init, ['orphans 2000'], {}, async (system) => {
      const runs = await system.runs(1);
      return runs[0] - system.stamps.start[0];
    }),
  'memory 10 (MB)': (init) =>
    init.stop === undefined
      ? undefined
      : withBoot(init, repeat(10, 'run'), {}, async (system) => {
          await system.runs(10);
          await new Promise((resolve) => setTimeout(resolve, 1_000));
          const own = [system.pid(), ...descendantsOf(system.pid())].filter((pid) => !isService(pid));
          const kilobytes = own.map((pid) =>
            Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0),
          );
          return kilobytes.reduce((sum, next) => sum + next, 0) / 1024;
        }),
};

function bareNode() {
  const begun = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  return performance.now() - begun;
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const present = Object.entries(inits).filter(([, { program }]) => program === undefined || has(program));
const results = Object.fromEntries(
  Object.keys(measures).map((name) => [name, Object.fromEntries(present.map(([init]) => [init, []]))]),
);
const node = [];

for (let round = 0; round < rounds; round++) {
  node.push(bareNode());
  for (const [name, measure] of Object.entries(measures)) {
    for (const [init, description] of present) {
      try {
        const value = await measure(description);
        if (value !== undefined) results[name][init].push(value);
      } catch (error) {
        process.stderr.write(`${name}, ${init}: ${error.message}\n`);
      }
    }
  }
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
}

const names = present.map(([init]) => init);
process.stdout.write(`bare node -e 0: ${median(node).toFixed(1)} ms\n\n`);
process.stdout.write(`| | ${names.join(' | ')} |\n|---|${names.map(() => '---').join('|')}|\n`);
for (const [name, byInit] of Object.entries(results)) {
  const own = median(byInit.chaperone);
  const cells = names.map((init) => {
    const value = median(byInit[init]);
    if (value === undefined) return '–';
    return init === 'chaperone' ? value.toFixed(1) : `${value.toFixed(1)} (${(value / own).toFixed(2)} ×)`;
  });
  process.stdout.write(`| ${name} | ${cells.join(' | ')} |\n`);
}
