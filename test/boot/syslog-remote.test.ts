import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { boot, config, until } from './namespace.ts';

const hasRsyslog = spawnSync('sh', ['-c', 'PATH=$PATH:/usr/sbin command -v rsyslogd']).status === 0;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** A real rsyslogd that writes the fields that it has parsed from each record. */
async function receiver(): Promise<{ readonly port: number; readonly lines: () => readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-rsyslog-'));
  const port = await freePort();
  const out = join(folder, 'out');
  writeFileSync(
    join(folder, 'conf'),
    `global(workDirectory="${folder}" maxMessageSize="64k")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="${port}")
template(name="fields" type="string" string="%pri-text%|%hostname%|%app-name%|%procid%|%msgid%|%structured-data%|%msg:::drop-last-lf%|%timereported:::date-rfc3339%\\n")
action(type="omfile" file="${out}" template="fields")
`,
  );
  const child = spawn('rsyslogd', ['-n', '-i', join(folder, 'pid'), '-f', join(folder, 'conf')], {
    stdio: 'ignore',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
    rmSync(folder, { recursive: true });
  });
  const bound = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  await until('rsyslogd listens', () => (readFileSync('/proc/net/udp', 'latin1').includes(bound) ? true : undefined));
  return { port, lines: () => (existsSync(out) ? readFileSync(out, 'utf8').split('\n').slice(0, -1) : []) };
}

describe.runIf(hasRsyslog)('a real rsyslogd', () => {
  it.each(['rfc3164', 'rfc5424'])('receives records unchanged as %s', async (format) => {
    const { port, lines } = await receiver();
    const clients = [
      'logger -p auth.err -t tagged --id=77 some words',
      'logger -p local6.debug -t plain no pid; logger -p mail.crit -t utf8 "ä → ß"',
      'logger --rfc5424 --msgid ID1 --sd-id zoo@1 --sd-param a=\\"b\\" -t data structured',
      'logger -S 4k -t long $(head -c 3000 /dev/zero | tr "\\\\0" x)',
    ];
    const system = boot({
      ownDev: true,
      files: {
        'x.conf': config({
          'client.service': { type: 'oneshot', command: `/bin/sh -c '${clients.join('; ')}'` },
          'far.logging': {
            selector: '*.*;!local5.*',
            syslog_host: `127.0.0.1:${port}`,
            logrec_hostname: 'box',
            format,
          },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const last = /^user\.notice\|box\|long/;
    await until('all has come', () => (lines().some((line) => last.test(line)) ? true : undefined));
    const fields = lines().map((line) => line.split('|').map((field) => field.trim()));
    const isNew = format === 'rfc5424';
    expect(fields.map((each) => each.slice(0, 7))).toEqual([
      ['auth.err', 'box', 'tagged', '77', '-', '-', 'some words'],
      ['local6.debug', 'box', 'plain', '-', '-', '-', 'no pid'],
      ['mail.crit', 'box', 'utf8', '-', '-', '-', 'ä → ß'],
      [
        'user.notice',
        'box',
        'data',
        '-',
        isNew ? 'ID1' : '-',
        isNew ? expect.stringMatching(/\[zoo@1 a="b"\]$/) : '-',
        'structured',
      ],
      ['user.notice', 'box', 'long', '-', '-', '-', 'x'.repeat(3000)],
    ]);
    for (const each of fields) expect(Math.abs(Date.parse(each[7] ?? '') - Date.now())).toBeLessThan(600_000);
  });
});
