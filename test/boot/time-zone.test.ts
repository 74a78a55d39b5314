import { existsSync, lstatSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type BootOptions, boot, config } from './namespace.ts';

const zoneinfo = '/usr/share/zoneinfo';
const isLink = lstatSync('/etc/localtime', { throwIfNoEntry: false })?.isSymbolicLink() === true;
const isRoot = process.getuid?.() === 0;

/** The hours of Tokyo in which a test may run that begins now. */
function hoursOfTokyo(): string {
  const hour = (new Date().getUTCHours() + 9) % 24;
  return `${hour},${(hour + 1) % 24}`;
}

/** Boots where a cron service runs only in the present hours of Tokyo. */
async function inTokyo(options: BootOptions) {
  const system = boot({
    merge: true,
    files: {
      'x.conf': config({
        'show.service': { type: 'oneshot', command: "sh -c 'env | grep ^TZ=; date +offset%z'" },
        'job.service': { type: 'cron', interval: `* ${hoursOfTokyo()} * * * *`, command: 'echo it is time' },
        'all.logging': { selector: '*.info', stdout: true, timestamp: 'iso' },
      }),
    },
    ...options,
  });
  await system.waitForLine(/job\[\d+\]: it is time/);
  await system.waitForLine(/show\[\d+\]: offset/);
  system.signal('SIGTERM');
  await system.exit;
  for (const each of system.lines()) expect(each).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]{12}\+09:00 /);
  const shown = system.lines().flatMap((line) => / show\[\d+\]: (.*)/.exec(line)?.[1] ?? []);
  return { shown, lines: system.lines() };
}

describe('log lines and cron services', () => {
  it.each(['JST-9', ':Asia/Tokyo', '<+09>-09:00'])('go by TZ, and services get it as it is: %s', async (TZ) => {
    const { shown, lines } = await inTokyo({ env: { TZ } });
    expect(shown).toEqual([`TZ=${TZ}`, 'offset+0900']);
    expect(lines.filter((line) => line.includes('time zone'))).toEqual([]);
  });

  it.runIf(isRoot && isLink && existsSync(`${zoneinfo}/Asia/Tokyo`))(
    'go by the content of /etc/localtime, also where it is mounted over what the link leads to',
    async () => {
      const { shown } = await inTokyo({ before: `mount --bind ${zoneinfo}/Asia/Tokyo /etc/localtime` });
      expect(shown).toEqual(['offset+0900']);
    },
  );

  it('go by the present offset where no zone has the rules of TZ, and one warning says so', async () => {
    const { lines } = await inTokyo({ env: { TZ: 'XXX-9YYY-9:01,M3.5.0,M3.5.1' } });
    expect(lines.filter((line) => line.includes('time zone'))).toEqual([
      expect.stringMatching(
        / TZ=XXX-9YYY-9:01,M3\.5\.0,M3\.5\.1 is no time zone that has a name here: log lines and cron services go by Etc\/GMT-9$/,
      ),
    ]);
  });
});
