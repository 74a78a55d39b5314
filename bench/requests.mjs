// How long a request of a guest holds the loop up, for each of the bad requests that the tests know: the server of the control
// socket with 200 services runs in this process, the guest in another. A line tells the longest turn of the loop while the request
// was answered, in time on a processor, the least of several rounds: whatever else the machine does only adds to it. Exit status 1
// where one takes more than 10 ms.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const longest = 10;
const rounds = 7;
const services = 200;

const root = fileURLToPath(new URL('..', import.meta.url));
const bundle = join(root, '.cache/bench/requests.mjs');
const folder = mkdtempSync(join(tmpdir(), 'chaperone-requests-'));
const path = join(folder, 'control.sock');

mkdirSync(join(root, '.cache/bench'), { recursive: true });
await build({
  absWorkingDir: root,
  stdin: {
    contents: `
      export { ControlServer } from './src/control/server.ts';
      export { createRights } from './src/control/rights.ts';
      export { LinuxClock } from './src/runtime/linux/linux-clock.ts';
      export { FakeSupervisor, serviceStatus } from './test/control/fake-supervisor.ts';
      export { badRequests } from './test/control/bad-requests.ts';
    `,
    resolveDir: root,
    loader: 'ts',
  },
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'warning',
});
const { ControlServer, createRights, LinuxClock, FakeSupervisor, serviceStatus, badRequests } = await import(
  pathToFileURL(bundle)
);

// The guest: a line of standard input with a request, a line of standard output with the status of the answer.
const guest = spawn(
  process.execPath,
  [
    '--input-type=module',
    '--eval',
    `
      import { connect } from 'node:net';
      import { createInterface } from 'node:readline';
      for await (const line of createInterface({ input: process.stdin })) {
        const { method, target, body = '', bytewise } = JSON.parse(line);
        const length = Buffer.byteLength(body);
        const how = bytewise ? 'transfer-encoding: chunked' : 'content-length: ' + length;
        const text = bytewise ? [...body].map((byte) => '1\\r\\n' + byte + '\\r\\n').join('') + '0\\r\\n\\r\\n' : body;
        await new Promise((resolve) => {
          let answer = '';
          const socket = connect(${JSON.stringify(path)});
          socket.on('data', (chunk) => { answer += chunk; });
          socket.on('error', () => undefined);
          socket.on('close', () => { console.log(answer.slice(9, 12)); resolve(); });
          socket.write(method + ' ' + target + ' HTTP/1.1\\r\\n' + how + '\\r\\n\\r\\n' + text);
        });
      }
    `,
  ],
  { stdio: ['pipe', 'pipe', 'inherit'] },
);
const answers = createInterface({ input: guest.stdout })[Symbol.asyncIterator]();

const clock = new LinuxClock();
// Each request comes from another account, so that the rate limit does not answer instead of what is measured.
let uid = 1000;
const server = new ControlServer({
  supervisor: new FakeSupervisor(
    Array.from({ length: services }, (_, index) => serviceStatus(`service-number-${index}.service`, 'ready')),
  ),
  rights: createRights({ uid: 0, policy: () => ({ owners: [], grants: [] }) }),
  timers: clock,
  now: () => clock.now(),
  callerOf: () => ({ uid: ++uid, gid: uid, groups: [] }),
  onError: (error) => {
    throw error;
  },
  onLine: () => undefined,
});
const listener = createServer({ allowHalfOpen: true }, (socket) => server.accept(socket));
listener.listen(path);
await once(listener, 'listening');

/** ms that this process has computed for so far. */
function ownTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Runs what is given, and gives the ms of the loop's longest turn meanwhile. */
async function longestTurn(act) {
  let worst = 0;
  let going = true;
  let last = [performance.now(), ownTime()];
  const turn = () => {
    const now = [performance.now(), ownTime()];
    // Helper threads of V8 count as this process, so that the clock may show less than the processors do.
    worst = Math.max(worst, Math.min(now[0] - last[0], now[1] - last[1]));
    last = now;
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  await act();
  going = false;
  await new Promise(setImmediate);
  return worst;
}

let slow = 0;
try {
  const results = badRequests.map(() => ({ turn: Number.POSITIVE_INFINITY, status: '' }));
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, badRequest] of badRequests.entries()) {
      const turn = await longestTurn(async () => {
        guest.stdin.write(`${JSON.stringify(badRequest)}\n`);
        results[index].status = (await answers.next()).value;
      });
      results[index].turn = Math.min(results[index].turn, turn);
    }
  }
  for (const [index, { what }] of badRequests.entries()) {
    const { turn, status } = results[index];
    if (turn > longest) slow += 1;
    process.stdout.write(
      `${turn.toFixed(1).padStart(8)} ms  ${status}  ${what}${turn > longest ? '  TOO LONG' : ''}\n`,
    );
  }
} finally {
  guest.kill();
  server.close();
  listener.close();
  rmSync(folder, { recursive: true });
}
process.exitCode = slow === 0 ? 0 : 1;
