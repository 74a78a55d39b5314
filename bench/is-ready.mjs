// A probe: `chaperonectl is-ready` against a chaperone that runs, the same by its script in Node, and `telchap status`; beside them a
// program that does nothing, and a Node that does nothing, which is the least that what Node runs can take.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure } from './measured.mjs';

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
const ways = {
  true: ['/bin/true'],
  'chaperonectl is-ready': [join(dist, 'chaperonectl'), 'is-ready'],
  'is-ready in Node': [...node, join(dist, 'chaperonectl.cjs'), 'is-ready'],
  'telchap status': [join(dist, 'telchap'), 'status'],
  'node, nothing': [...node, '--eval', '0'],
};
const isReady = () => spawnSync(ways['chaperonectl is-ready'][0], ['is-ready'], { env, stdio: 'ignore' }).status === 0;
try {
  while (!isReady()) {
    if (chaperone.exitCode !== null) throw new Error('chaperone has ended');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  measure(
    ways,
    env,
    (way, status) => {
      if (status !== 0) throw new Error(`${way} ended with ${status}`);
    },
    'true',
  );
} finally {
  chaperone.kill();
  if (chaperone.exitCode === null) await once(chaperone, 'exit');
  rmSync(folder, { recursive: true });
}
