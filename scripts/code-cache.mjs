// Makes dist/main.cache and dist/parts/*.cache: V8's code of the bundle, taken at the end of a real boot, so that it holds the
// functions that a boot needs. They fit exactly the node binary that runs this; where they are missing, loading takes longer.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'chaperone-cache-'));
const config = join(folder, 'boot.conf');
writeFileSync(
  config,
  'settings: { env_set: { A: "$(PATH:-b)" } }\n' +
    'first.service: { type: oneshot, command: "/bin/sh -c \'echo a; exit 1\'", process_timeout: 5, ignore_failures: true }\n' +
    'second.service: { command: "/bin/sleep 10", startup_pause: 0, after: third.service }\n' +
    'third.service: { command: "/bin/true", startup_pause: 0, restart: true, restart_limit: 1 }\n' +
    'fourth.service: { type: oneshot, command: "/bin/sh -c \'kill -TERM $PPID\'", after: second.service }\n' +
    'console.logging: { selector: "*.debug", stdout: true }\n',
);
// The body starts the script beside itself, which takes the code when the boot is over.
copyFileSync(join(dist, 'chaperone'), join(folder, 'chaperone'));
copyFileSync(fileURLToPath(new URL('code-cache-brain.cjs', import.meta.url)), join(folder, 'chaperone.cjs'));
symlinkSync(process.execPath, join(folder, 'node'));
const { status, signal } = spawnSync(join(folder, 'chaperone'), ['--config', config, '--inspect', '--no-syslog'], {
  env: {
    PATH: '/usr/bin:/bin',
    CACHE_OF: dist,
    CHAPERONE_SOCKET: join(folder, 'socket'),
  },
  stdio: ['ignore', 'ignore', 'inherit'],
  timeout: 30_000,
});
rmSync(folder, { recursive: true, force: true });
if (status !== 0) throw new Error(`the boot for the code cache ended with ${signal ?? status}`);
