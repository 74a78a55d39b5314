import { describe, expect, inject, it } from 'vitest';
import { config, expectOrder, logAll } from '../boot/namespace.ts';
import { start } from './engine.ts';

const folder = '/usr/local/lib/chaperone';
const datagrams = inject('datagrams');

/**
 * The native part is the image's own, built with its Node: N-API holds over versions. unix-dgram's addon is built for each. The code
 * cache is V8's to refuse.
 */
describe.each(Object.entries(inject('nodes')))('Node %s', (version, program) => {
  it('boots, restarts, reaps and stops', async () => {
    const container = await start({
      options: [
        '--volume',
        `${program}:${folder}/node:ro`,
        '--volume',
        `${datagrams[version]}:${folder}/unix_dgram.node:ro`,
      ],
      files: {
        'x.conf': config({
          'version.service': { type: 'oneshot', command: '/usr/local/lib/chaperone/node --version' },
          'starter.service': { type: 'oneshot', command: '$(FIXTURES)/daemon true', after: 'version.service' },
          'told.service': { type: 'notify', command: '$(FIXTURES)/notify.py READY=1,STATUS=listening' },
          'logger.service': { type: 'oneshot', command: 'logger -t legacy hello', after: 'told.service' },
          'base.service': { command: "$(FIXTURES)/obey TERM 'base stops'", startup_pause: 0.1 },
          'mortal.service': {
            command: '$(FIXTURES)/die-when /tmp/die 3',
            startup_pause: 0.1,
            restart: true,
            restart_delay: 0.1,
            after: 'base.service',
          },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(new RegExp(`version\\[\\d+\\]: v${version}\\.`));
    await container.waitForLine(/unknown pid: \d+ -> 0/);
    await container.waitForLine(/legacy(\[\d+\])?: hello$/);
    await container.waitForLine(/ready\.$/);
    const status = await container.exec(`${folder}/telchap`, 'status');
    expect([status.status, status.stdout]).toEqual([0, expect.stringMatching(/\btold\b.*listening/)]);
    await container.exec('touch', '/tmp/die');
    await container.waitForLine(/mortal\.service terminated abnormally with <ProcStatus exit_status=3>/);
    await container.exec('rm', '/tmp/die');
    await container.waitForLine(/mortal\.service restart succeeded/);
    expect(await container.stop()).toBe(0);
    expectOrder(container.lines(), [/mortal\.service exit status .*signal=15/, /base stops/]);
  });
});
