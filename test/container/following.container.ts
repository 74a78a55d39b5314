/** Daemons that chaperone has to follow: apache by its own init script, redis as a notify service. */
import { describe, expect, it } from 'vitest';
import { config, expectOrder, logAll } from '../boot/namespace.ts';
import { page, start } from './engine.ts';

const publish = ['--publish', '127.0.0.1::80'];
const apache = { type: 'forking', command: '/etc/init.d/apache2 start' };
const pidfile = '/var/run/apache2/apache2.pid';

describe("apache by Debian's init script", () => {
  it.each([
    ['with its pidfile', { ...apache, pidfile }, /apache\.service changing PID to \d+ \(from \d+\)/],
    ['without a pidfile', apache, /apache\.service successfully started/],
  ])('%s serves a page, and nothing of it is left after docker stop', async (_title, service, line) => {
    const container = await start({
      options: publish,
      files: { 'x.conf': config({ 'apache.service': service, ...logAll }) },
    });
    await container.waitForLine(/ready\.$/);
    await container.waitForLine(line);
    expect(await page(await container.url(80))).toMatch(/./);
    expect(await container.stop()).toBe(0);
    expectOrder(container.lines(), [
      /using SIGTERM to terminate apache\.service/,
      /apache\.service stopped/,
      /Final termination phase\./,
      /No processes remain when attempting to kill system, just stop\./,
    ]);
  });

  it('is started again when the process of its pidfile is killed, and the page is back', async () => {
    const container = await start({
      options: publish,
      files: {
        'x.conf': config({
          'apache.service': { ...apache, pidfile, restart: true, restart_delay: 0.2 },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/ready\.$/);
    await container.exec('sh', '-c', `kill -9 $(cat ${pidfile})`);
    await container.waitForLine(/apache\.service restart succeeded/);
    expect(await page(await container.url(80))).toMatch(/./);
    expect(await container.stop()).toBe(0);
    // At the first try: its workers have let the port go by then.
    expect(container.lines().filter((line) => /could not be restarted|Address already in use/.test(line))).toEqual([]);
  });
});

describe('redis as a notify service', () => {
  const redis = "redis-server --save '' --dir /run";

  it('is ready when it says so, with a status', async () => {
    const container = await start({
      files: {
        'x.conf': config({
          'redis.service': { type: 'notify', command: `${redis} --supervised systemd` },
          'ping.service': { type: 'oneshot', command: 'redis-cli ping', after: 'redis.service' },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/ping\[\d+\]: PONG/);
    expect(await container.stop()).toBe(0);
  });

  it('that sends no notification says what to do about it', async () => {
    const container = await start({
      files: {
        'x.conf': config({ 'redis.service': { type: 'notify', command: redis, process_timeout: 1 }, ...logAll }),
      },
    });
    expect(await container.exit()).toBe(1);
    expectOrder(container.lines('stderr'), [
      /^chaperone: system failed: redis\.service did not become ready$/,
      /why +notify service, no READY=1 within 1 s \(process_timeout\), pid \d+ was alive$/,
      /do +add "--supervised systemd": without it redis-server sends no notification/,
    ]);
  });
});
