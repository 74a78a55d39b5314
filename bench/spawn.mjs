// 200 spawns of /bin/true, through the addon and through node:child_process, each in a process of its own that holds
// 100 MB: fork(2) copies the page tables of that, CLONE_VM does not. Rounds alternate, so that what else the machine
// does hits both. Prints the median of ms per spawn.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const rounds = 7;
const spawns = 200;
const heldBytes = 100 * 1024 * 1024;
const program = '/bin/true';

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** How long the loop stands still for each spawn, and how long until its exit is known. */
async function measure(spawnOne) {
  const held = Buffer.alloc(heldBytes, 1);
  const calls = [];
  const lives = [];
  for (let i = 0; i < spawns; i++) {
    const from = performance.now();
    const exited = spawnOne();
    calls.push(performance.now() - from);
    await exited;
    lives.push(performance.now() - from);
  }
  return { call: median(calls), life: median(lives), held: held.length };
}

function throughEdge() {
  const edge = createRequire(import.meta.url)('../dist/edge.node');
  const devNull = openSync('/dev/null', 'r+');
  const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  let exited = () => {};
  process.on('SIGCHLD', () => {
    if (edge.reap(100).exits.length > 0) exited();
  });
  // A signal listener does not keep the loop alive.
  const alive = setInterval(() => {}, 1 << 30);
  return measure(() => {
    const result = edge.spawn({
      file: program,
      argv: [program],
      environment,
      stdio: [devNull, devNull, devNull],
      group: 'session',
    });
    if (!('pid' in result)) throw new Error(`cannot spawn: ${result.code} at ${result.stage}`);
    return new Promise((resolve) => {
      exited = resolve;
    });
  }).finally(() => {
    clearInterval(alive);
    closeSync(devNull);
  });
}

function throughChildProcess() {
  return measure(() => once(spawn(program, [], { stdio: 'ignore', detached: true }), 'exit'));
}

function round(way) {
  // Left set, it makes each Node read certificates first.
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [self, way], { env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`cannot measure ${way}: ${stderr}`);
  return JSON.parse(stdout);
}

function compare() {
  const ways = { edge: [], child_process: [] };
  for (let i = 0; i < rounds; i++) {
    for (const [way, results] of Object.entries(ways)) results.push(round(way));
  }
  const line = (text, key) => {
    const edge = median(ways.edge.map((result) => result[key]));
    const node = median(ways.child_process.map((result) => result[key]));
    const figures = `edge ${edge.toFixed(2)} ms, child_process ${node.toFixed(2)} ms`;
    process.stdout.write(`${text}: ${figures}, ratio ${(node / edge).toFixed(1)}\n`);
  };
  line(`spawn of ${program} (the call)`, 'call');
  line('until its exit is known      ', 'life');
}

const ways = { edge: throughEdge, child_process: throughChildProcess };
const way = process.argv[2];
if (way === undefined) compare();
else process.stdout.write(JSON.stringify(await ways[way]()));
