import { describe, expect, it } from 'vitest';
import { config, expectOrder, logAll } from '../boot/namespace.ts';
import { page, start } from './engine.ts';

describe('a service with a uid', () => {
  it('has the groups of its user, and HOME, USER and LOGNAME follow', async () => {
    const container = await start({
      files: {
        'x.conf': config({
          'who.service': { type: 'oneshot', command: 'id', uid: 'app' },
          'env.service': { type: 'oneshot', command: 'env', uid: 'app', env_set: { PATH: '/usr/bin:/bin' } },
          'here.service': { type: 'oneshot', command: 'pwd', uid: 'app' },
          'status.service': { type: 'oneshot', command: 'cat /proc/self/status', uid: 'app' },
          ...logAll,
        }),
      },
    });
    expect(await container.exit()).toBe(0);
    const lines = container.lines().join('\n');
    expect(lines).toMatch(
      /who\[\d+\]: uid=1000\(app\) gid=1000\(app\) groups=1000\(app\),2001\(readers\),2002\(writers\)$/m,
    );
    for (const [name, value] of [
      ['HOME', '/home/app'],
      ['USER', 'app'],
      ['LOGNAME', 'app'],
    ]) {
      expect(lines).toMatch(new RegExp(`env\\[\\d+\\]: ${name}=${value}$`, 'm'));
    }
    expect(lines).toMatch(/here\[\d+\]: \/home\/app$/m);
    // Nothing of root's is left behind, also not in the saved ids.
    expect(lines).toMatch(/status\[\d+\]: Uid:\s+1000\s+1000\s+1000\s+1000$/m);
    expect(lines).toMatch(/status\[\d+\]: Gid:\s+1000\s+1000\s+1000\s+1000$/m);
    expect(lines).toMatch(/status\[\d+\]: CapEff:\s+0+$/m);
  });

  it('may open /dev/stdout and /dev/stderr anew', async () => {
    const container = await start({
      files: {
        'x.conf': config({
          'talk.service': {
            type: 'oneshot',
            command: "sh -c 'echo to stdout > /dev/stdout; echo to stderr > /dev/stderr; id -un'",
            uid: 'app',
            gid: 'writers',
          },
          ...logAll,
        }),
      },
    });
    expect(await container.exit()).toBe(0);
    expectOrder(container.lines(), [/talk\[\d+\]: to stdout$/, /talk\[\d+\]: app$/]);
    expectOrder(container.lines(), [/talk\[\d+\]: to stderr$/]);
  });

  it('is nginx as people run it, with its logs on /dev/stdout', async () => {
    const container = await start({
      options: ['--publish', '127.0.0.1::8080'],
      files: {
        'x.conf': config({
          'nginx.service': {
            command: `nginx -e /dev/stderr -g 'daemon off; pid /tmp/nginx.pid; error_log /dev/stderr notice;' -c $(_CHAP_CONFIG_DIR)/chaperone.d/nginx.txt`,
            uid: 'www-data',
          },
          ...logAll,
        }),
        'nginx.txt':
          'events {}\nhttp { client_body_temp_path /tmp/a; proxy_temp_path /tmp/b; fastcgi_temp_path /tmp/c;\n' +
          'uwsgi_temp_path /tmp/d; scgi_temp_path /tmp/e;\naccess_log /dev/stdout;\n' +
          'server { listen 8080; root /var/www/html; } }\n',
      },
    });
    await container.waitForLine(/ready\.$/);
    expect(await page(await container.url(8080))).toBe('served by nginx\n');
    await container.waitForLine(/nginx\[\d+\]: [\d.]+ .*"GET \/ HTTP\/1\.1" 200/);
    expect(await container.stop()).toBe(0);
  });
});
