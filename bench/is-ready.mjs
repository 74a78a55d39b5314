// A probe: `chaperonectl is-ready` against a chaperone that runs, beside `telchap status`, and beside a Node that does nothing,
// which is the least that either can take, and a Node that connects and asks. Rounds alternate, so that what else the machine does hits all of them.
// Prints medians of ms from start to end, and how much is above Node.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = 41;
const dist = fileURLToPath(new URL('../dist', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'is-ready-bench-'));
const socket = join(folder, 'control.sock');
writeFileSync(join(folder, 'bench.conf'), 'web.service: { command: "sleep 1000", startup_pause: 0 }\n');
// Left set, it makes each Node read certificates first.
const { NODE_EXTRA_CA_CERTS: _, ...env } = { ...process.env, CHAPERONE_SOCKET: socket };
const chaperone = spawn(join(dist, 'chaperone'), ['--config', join(folder, 'bench.conf'), '--no-syslog'], {
  env,
  stdio: 'ignore',
});
const node = [process.execPath];
const ask = `require('net').connect(${JSON.stringify(socket)}).end('GET /v1/ready HTTP/1.0\\r\\n\\r\\n').resume()`;
const ways = {
  'chaperonectl is-ready': [...node, join(dist, 'chaperonectl.cjs'), 'is-ready'],
  'telchap status': [...node, join(dist, 'telchap.cjs'), 'status'],
  'node, one request': [...node, '--eval', ask],
  'node, nothing': [...node, '--eval', '0'],
};
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const times = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
const run = ([program, ...args]) => spawnSync(program, args, { env, stdio: 'ignore' }).status;
try {
  while (run(ways['chaperonectl is-ready']) !== 0) if (chaperone.exitCode !== null) throw new Error('it has ended');
  for (let round = 0; round < rounds; round++) {
    for (const [way, command] of Object.entries(ways)) {
      const from = performance.now();
      const status = run(command);
      times[way].push(performance.now() - from);
      if (status !== 0) throw new Error(`${way} ended with ${status}`);
    }
  }
} finally {
  chaperone.kill();
  if (chaperone.exitCode === null) await once(chaperone, 'exit');
  rmSync(folder, { recursive: true });
}
const least = median(times['node, nothing']);
for (const [way, values] of Object.entries(times)) {
  const middle = median(values);
  process.stdout.write(
    `${way.padEnd(22)} ${middle.toFixed(1).padStart(6)} ms, ${(middle - least).toFixed(1)} over Node\n`,
  );
}
