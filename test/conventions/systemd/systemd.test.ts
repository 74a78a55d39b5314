import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCalendar } from '../../../src/conventions/systemd/calendar.ts';
import { parseSchedule } from '../../../src/model/schedule/schedule.ts';
import { importOf, systemOf } from '../import/imported.ts';

const corpus = join(import.meta.dirname, 'corpus');
const files = readdirSync(corpus, { recursive: true, encoding: 'utf8' }).filter(
  (name) => /\.\w+$/.test(name) && !name.endsWith('.d'),
);
const units = Object.fromEntries(files.map((name) => [`/units/${name}`, readFileSync(join(corpus, name), 'utf8')]));

describe("systemd's units", () => {
  it('of the corpus are accepted by systemd itself', () => {
    const paths = files.filter((name) => /\.(?:service|timer)$/.test(name)).map((name) => join(corpus, name));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', ...paths], { encoding: 'utf8' });
    expect(stderr.split('\n').filter((line) => line !== '')).toEqual([]);
    expect(status).toBe(0);
  });

  it('become the configuration that test/golden/import-systemd.conf shows', async () => {
    const { text, remarks, errors } = importOf('/units', units);
    expect(errors).toBe('');
    await expect(text).toMatchFileSnapshot('../../golden/import-systemd.conf');
    expect(remarks).toMatchInlineSnapshot(`
      [
        "/units/backup.timer:6: Persistent= has no counterpart: a run that was missed while the container was down is not made up for",
        "/units/daemon.service:5: Restart=on-abnormal has no counterpart, and becomes on-failure: an exit status other than 0 is an abnormal end here, too",
        "/units/db.service:4: After=network.target is left out: network.target is not among what is imported",
        "/units/web.service:31: PrivateTmp=yes has no counterpart",
      ]
    `);
    expect(systemOf(text).services.map(({ name, type }) => `${name} ${type}`)).toMatchInlineSnapshot(`
      [
        "backup.service cron",
        "daemon.service forking",
        "db.service notify",
        "files.service simple",
        "migrate.service oneshot",
        "web.service simple",
      ]
    `);
  });

  const service = (text: string) => {
    const { text: written, remarks } = importOf('/u/x.service', { '/u/x.service': text });
    return { remarks, service: systemOf(written, { PATH: '/bin', ONE: '1', TWO: 'a b' }).services[0] };
  };

  it.each([
    ['/bin/x a b', ['/bin/x', 'a', 'b']],
    [`/bin/x "a b" 'c d' e\\x20f \\t`, ['/bin/x', 'a b', 'c d', 'e f', '\t']],
    [`/bin/x \${ONE} $TWO "\${TWO}" pre\${ONE}post $NONE \${NONE}`, ['/bin/x', '1', 'a', 'b', 'a b', 'pre1post', '']],
    ['/bin/x $$ONE $$(date) %%n %n %p', ['/bin/x', '$ONE', '$(date)', '%n', 'x.service', 'x']],
    [`:/bin/x \${ONE} $TWO`, ['/bin/x', `\${ONE}`, '$TWO']],
    ['@/bin/x name arg', ['/bin/x', 'arg']],
    ['/bin/sh -c "echo `id` `id`; echo \'$$(x)\'"', ['/bin/sh', '-c', "echo `id` `id`; echo '$(x)'"]],
  ])('split the command %j', (command, argv) => {
    expect(service(`[Service]\nExecStart=${command}\n`).service?.argv).toEqual(argv);
  });

  it('leave variables of files to a shell', () => {
    const { service: found } = service(`[Service]\nEnvironmentFile=/etc/x\nExecStart=/bin/x \${A} $B "it's"\n`);
    expect(found?.argv).toEqual(['/bin/sh', '-c', `exec /bin/x "\${A}" $B 'it'\\''s'`]);
  });

  it.each([
    ['Type=dbus\nBusName=org.x', 'Type=dbus has no counterpart, and becomes simple'],
    [
      'Restart=on-success',
      'Restart=on-success has no counterpart, and becomes always: an abnormal end is followed by a restart here, too',
    ],
    ['ProtectSystem=strict', 'ProtectSystem=strict has no counterpart'],
    ['KillMode=none', 'KillMode=none has no counterpart, and becomes process: the main process is signalled'],
    ['ExecStart=/bin/x %m', '%m in ExecStart= has no counterpart'],
    ['nonsense', 'this line is neither a section nor KEY=VALUE'],
    ['TimeoutStopSec=soon', 'TimeoutStopSec=soon is no time'],
  ])('tell what has no counterpart: %j', (line, remark) => {
    const { remarks } = service(`[Service]\nExecStart=/bin/x\n${line}\n`);
    expect(remarks).toContain(`/u/x.service:3: ${remark}`);
  });

  it('drop what an empty assignment drops', () => {
    const { service: found } = service(
      '[Service]\nExecStart=/bin/a\nExecStart=\nExecStart=/bin/b\nEnvironment=A=1\nEnvironment=\n',
    );
    expect(found?.argv).toEqual(['/bin/b']);
    expect(found?.environment).not.toHaveProperty('A');
  });

  it('are left out where a timer has no unit, and where nothing says when', () => {
    const { remarks, text } = importOf('/u', {
      '/u/a.timer': '[Timer]\nOnCalendar=daily\n',
      '/u/b.timer': '[Timer]\nOnBootSec=5min\n',
      '/u/b.service': '[Service]\nExecStart=/bin/b\n',
      '/u/c.socket': '[Socket]\nListenStream=80\n',
    });
    expect(remarks).toEqual([
      '/u/c.socket:1: c.socket has no counterpart',
      '/u/a.timer:1: a.timer is left out: a.service is not among what is imported',
      '/u/b.timer:2: OnBootSec=5min has no counterpart',
    ]);
    expect(systemOf(text).services).toMatchObject([{ name: 'b.service', type: 'cron', enabled: false }]);
  });
});

describe('calendar events', () => {
  const base = Date.parse('2026-02-27T10:20:30Z');
  const events = [
    ...['minutely', 'hourly', 'daily', 'monthly', 'weekly', 'yearly', 'quarterly', 'semiannually'],
    ...[
      '*-*-* 03:30',
      'Mon..Fri *-*-* 03:30:00',
      'Sat,Sun 12:00',
      'Fri,Mon..Tue 1:05',
      '*:0/15',
      '*-*-* 00/6:00',
      '*-*-1,15 4:00',
    ],
    ...['*-1..3-05 06:07:08', '*:*:0/20', 'Wed', '*-*~01 00:00', '10:00', '*-02-28 23:59 UTC'],
  ];

  it.each(events)('%s elapses when cron runs it', (event) => {
    const read = readCalendar(event);
    if (!read.ok) throw new Error(read.message);
    const parsed = parseSchedule(read.interval, 'UTC');
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
    const told = execFileSync(
      'systemd-analyze',
      ['calendar', '--iterations=5', '--base-time=2026-02-27 10:20:30 UTC', event],
      { encoding: 'utf8', env: { TZ: 'UTC', PATH: process.env['PATH'] ?? '' } },
    );
    const real = [...told.matchAll(/(?:Next elapse|Iteration #\d+|Iter\. #\d+): \w+ (\S+) (\S+) UTC/g)].map(
      ([, day, time]) => Date.parse(`${day}T${time}Z`),
    );
    expect(real).toHaveLength(5);
    const times: number[] = [];
    for (let time: number | undefined = base; times.length < 5; ) {
      time = parsed.schedule.next(time);
      if (time === undefined) break;
      times.push(time);
    }
    expect(times).toEqual(real);
  });

  it.each([
    ['2026-*-* 00:00', 'cron knows no years'],
    ['Mon *-*-1 00:00', 'cron takes either of a day of the month and a weekday, not both'],
    ['*-*~07 00:00', 'cron counts no days from the end of a month but the last one'],
    ['nonsense', 'its weekdays cannot be read'],
  ])('%s cannot be said', (event, message) => {
    expect(readCalendar(event)).toEqual({ ok: false, message });
  });
});
