import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { boot, config, isRoot } from './namespace.ts';

const has = (program: string): boolean =>
  isRoot && spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`]).status === 0;

/** Programs of distributions that log in their usual way; those that are not installed are left out. */
describe('a daemon that logs to /dev/log', () => {
  it.runIf(has('sudo'))('may be sudo', async () => {
    const system = boot({
      ownDev: true,
      files: { 'x.conf': config({ 'a.service': { type: 'oneshot', command: 'sudo -n -u nobody /bin/true' } }) },
    });
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout')).toContainEqual(
      expect.stringMatching(/ sudo: +root : .*USER=nobody ; COMMAND=\/bin\/true$/),
    );
  });

  it.runIf(has('cron'))('may be cron, with what it runs', async () => {
    const system = boot({
      ownDev: true,
      before: 'mount -t tmpfs tmpfs /run',
      files: {
        'x.conf': config({ 'cron.service': { command: 'cron -f' }, 'x.logging': { selector: 'cron.*', stdout: true } }),
      },
    });
    await system.waitForLine(/ cron\[\d+\]: \(CRON\) INFO \(pidfile fd = \d+\)$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it.runIf(has('sshd') && has('ssh-keygen'))('may be sshd', async () => {
    const system = boot({
      ownDev: true,
      before: 'mount -t tmpfs tmpfs /run && mkdir /run/sshd && ssh-keygen -q -t ed25519 -N "" -f key',
      files: {
        'x.conf': config({
          // sshd has to be called by its absolute path.
          'sshd.service': { command: '/usr/sbin/sshd -D -o ListenAddress=127.0.0.1:2222 -h $(_CHAP_CONFIG_DIR)/key' },
          'x.logging': { selector: 'auth.*', stdout: true, extended: true },
        }),
      },
    });
    await system.waitForLine(/^auth\.(info|err) .* sshd\[\d+\]: (Server listening on|error: Bind)/);
    system.signal('SIGTERM');
    await system.exit;
    expect(system.lines('stdout').length).toBeGreaterThan(0);
  });
});
