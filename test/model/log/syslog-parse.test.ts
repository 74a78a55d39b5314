import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRecord } from '../../../src/model/log/log-format.ts';
import { longestRecord, parseDatagram, parseLevelPrefix } from '../../../src/model/log/syslog-parse.ts';

const encoder = new TextEncoder();
const time = new Date(2030, 0, 5, 4, 3, 2).getTime();

function parse(datagram: string | Uint8Array) {
  return parseDatagram(typeof datagram === 'string' ? encoder.encode(datagram) : datagram, { time });
}

/** The only record of a datagram, without what is undefined and without its raw text. */
function only(datagram: string | Uint8Array) {
  const [record, ...others] = parse(datagram);
  expect(others).toEqual([]);
  const { raw: _, ...rest } = record ?? {};
  return Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
}

describe('a record as programs send it', () => {
  // What each of them sends to /dev/log, and what is read from it.
  it.each([
    [
      'glibc syslog(3)',
      '<30>Jan  5 04:03:02 web[123]: listening on 80',
      { facility: 'daemon', severity: 'info', program: 'web', pid: 123, message: 'listening on 80' },
    ],
    [
      'glibc syslog(3) without LOG_PID',
      '<30>Jan 15 04:03:02 web: listening: 80',
      { facility: 'daemon', severity: 'info', program: 'web', message: 'listening: 80' },
    ],
    [
      'musl syslog(3) with an empty identity',
      '<14>Jan  5 04:03:02 : text',
      { facility: 'user', severity: 'info', program: '', message: ': text' },
    ],
    [
      'logger',
      '<13>Jan  5 04:03:02 root: hello world',
      { facility: 'user', severity: 'notice', program: 'root', message: 'hello world' },
    ],
    [
      'logger --rfc3164 with the host',
      '<13>Jan  5 04:03:02 box root[77]: hello: world',
      { facility: 'user', severity: 'notice', program: 'root', pid: 77, message: 'hello: world', host: 'box' },
    ],
    [
      'logger --rfc5424',
      '<13>1 2030-01-05T04:03:02.123456+01:00 box root - - [timeQuality tzKnown="1" isSynced="0"] hello world',
      {
        time: Date.parse('2030-01-05T03:03:02.123Z'),
        facility: 'user',
        severity: 'notice',
        program: 'root',
        message: 'hello world',
        host: 'box',
        structuredData: [
          {
            id: 'timeQuality',
            params: [
              ['tzKnown', '1'],
              ['isSynced', '0'],
            ],
          },
        ],
      },
    ],
    [
      'busybox logger',
      '<13>Jan  5 04:03:02 root: hello',
      { facility: 'user', severity: 'notice', program: 'root', message: 'hello' },
    ],
    [
      'log/syslog of Go on a unix socket',
      '<14>Jan  5 04:03:02 /usr/local/bin/app[9]: started\n',
      { facility: 'user', severity: 'info', program: 'app', pid: 9, message: 'started' },
    ],
    [
      'log/syslog of Go, as for a remote host',
      '<14>2030-01-05T04:03:02+01:00 box app[9]: started\n',
      { facility: 'user', severity: 'info', program: 'app', pid: 9, message: 'started', host: 'box' },
    ],
    [
      "Python's SysLogHandler",
      '<14>worker started\u0000',
      { facility: 'user', severity: 'info', program: '', message: 'worker started' },
    ],
    [
      "Python's SysLogHandler with ident",
      '<11>worker: it failed\u0000',
      { facility: 'user', severity: 'err', program: 'worker', message: 'it failed' },
    ],
    [
      "Python's SysLogHandler with the usual format",
      '<14>INFO:root:hello\u0000',
      { facility: 'user', severity: 'info', program: '', message: 'INFO:root:hello' },
    ],
    [
      'sudo',
      '<85>Jan  5 04:03:02 sudo:     root : TTY=pts/0 ; PWD=/ ; USER=www ; COMMAND=/bin/id',
      {
        facility: 'authpriv',
        severity: 'notice',
        program: 'sudo',
        message: '    root : TTY=pts/0 ; PWD=/ ; USER=www ; COMMAND=/bin/id',
      },
    ],
    [
      'sshd',
      '<38>Jan  5 04:03:02 sshd[42]: Accepted publickey for root from ::1 port 22 ssh2: ED25519 SHA256:x',
      {
        facility: 'auth',
        severity: 'info',
        program: 'sshd',
        pid: 42,
        message: 'Accepted publickey for root from ::1 port 22 ssh2: ED25519 SHA256:x',
      },
    ],
    [
      'cron of Debian',
      '<78>Jan  5 04:03:02 CRON[50]: (root) CMD (   cd / && run-parts /etc/cron.hourly)',
      {
        facility: 'cron',
        severity: 'info',
        program: 'CRON',
        pid: 50,
        message: '(root) CMD (   cd / && run-parts /etc/cron.hourly)',
      },
    ],
    [
      'cron with its path',
      '<78>Jan  5 04:03:02 /usr/sbin/cron[51]: (CRON) INFO (pidfile fd = 3)',
      { facility: 'cron', severity: 'info', program: 'cron', pid: 51, message: '(CRON) INFO (pidfile fd = 3)' },
    ],
    [
      'systemd-cat, forwarded',
      '<30>Jan  5 04:03:02 systemd-cat[7]: text',
      { facility: 'daemon', severity: 'info', program: 'systemd-cat', pid: 7, message: 'text' },
    ],
    [
      'nginx',
      '<190>Jan  5 04:03:02 box nginx: 10.0.0.1 - - [05/Jan/2030:04:03:02 +0000] "GET / HTTP/1.1" 200 5 "-" "curl"',
      {
        facility: 'local7',
        severity: 'info',
        program: 'nginx',
        message: '10.0.0.1 - - [05/Jan/2030:04:03:02 +0000] "GET / HTTP/1.1" 200 5 "-" "curl"',
        host: 'box',
      },
    ],
    [
      'nginx with nohostname',
      '<187>Jan  5 04:03:02 nginx: 2030/01/05 04:03:02 [error] 7#7: *1 open() failed',
      {
        facility: 'local7',
        severity: 'err',
        program: 'nginx',
        message: '2030/01/05 04:03:02 [error] 7#7: *1 open() failed',
      },
    ],
    [
      'haproxy',
      '<134>Jan  5 04:03:02 haproxy[12]: 10.0.0.1:5 [05/Jan/2030:04:03:02.007] web web/a 0/0 200\n',
      {
        facility: 'local0',
        severity: 'info',
        program: 'haproxy',
        pid: 12,
        message: '10.0.0.1:5 [05/Jan/2030:04:03:02.007] web web/a 0/0 200',
      },
    ],
    [
      'postfix',
      '<22>Jan  5 04:03:02 postfix/smtpd[99]: connect from unknown[10.0.0.1]',
      {
        facility: 'mail',
        severity: 'info',
        program: 'postfix/smtpd',
        pid: 99,
        message: 'connect from unknown[10.0.0.1]',
      },
    ],
    [
      'a tag with colons',
      '<14>Jan  5 04:03:02 Foo::Bar[5]: x',
      { facility: 'user', severity: 'info', program: 'Foo::Bar', pid: 5, message: 'x' },
    ],
    [
      'a tag without a space behind it',
      '<14>Jan  5 04:03:02 app:text and more',
      { facility: 'user', severity: 'info', program: 'app', message: 'text and more' },
    ],
    [
      'a process without colon',
      '<14>Jan  5 04:03:02 app[5] text',
      { facility: 'user', severity: 'info', program: 'app', pid: 5, message: 'text' },
    ],
    [
      'a process without space',
      '<14>Jan  5 04:03:02 app[5]text: x',
      { facility: 'user', severity: 'info', program: 'app', pid: 5, message: 'text: x' },
    ],
    [
      'no tag behind a time',
      '<14>Jan  5 04:03:02 some words only',
      { facility: 'user', severity: 'info', program: '', message: 'some words only' },
    ],
    ['no time', '<14>app[5]: text', { facility: 'user', severity: 'info', program: 'app', pid: 5, message: 'text' }],
    [
      'a year in the time',
      '<14>Jan  5 2030 04:03:02 app: text',
      { facility: 'user', severity: 'info', program: 'app', message: 'text' },
    ],
    [
      'milliseconds in the time, and a day without padding',
      '<14>Jan 5 04:03:02.123 box app: text',
      { facility: 'user', severity: 'info', program: 'app', message: 'text', host: 'box' },
    ],
    [
      'an address for a host',
      '<14>2030-01-05T04:03:02.5Z fe80::1 app: text',
      { facility: 'user', severity: 'info', program: 'app', message: 'text', host: 'fe80::1' },
    ],
    [
      'a space behind the priority',
      '<14> Jan  5 04:03:02 app: text',
      { facility: 'user', severity: 'info', program: 'app', message: 'text' },
    ],
    [
      'nothing but a tag',
      '<14>Jan  5 04:03:02 app: ',
      { facility: 'user', severity: 'info', program: 'app', message: '' },
    ],
    ['nothing but a priority', '<14>', { facility: 'user', severity: 'info', program: '', message: '' }],
    [
      'the kernel',
      '<4>kernel: [  1.5] x',
      { facility: 'kern', severity: 'warning', program: 'kernel', message: '[  1.5] x' },
    ],
    [
      'a process that is no number',
      '<14>Jan  5 04:03:02 app[main-1]: x',
      { facility: 'user', severity: 'info', program: 'app', processId: 'main-1', message: 'x' },
    ],
    [
      'a path that ends in a slash',
      '<14>Jan  5 04:03:02 /a/b/: x',
      { facility: 'user', severity: 'info', program: 'b', message: 'x' },
    ],
    ['a bare path', '<14>Jan  5 04:03:02 /: x', { facility: 'user', severity: 'info', program: '/', message: 'x' }],
  ])('%s', (_, datagram, expected) => {
    expect(only(datagram)).toEqual({ time, ...expected });
  });
});

describe('RFC 5424', () => {
  it('takes - for nothing, and its own time', () => {
    expect(only('<165>1 - - - - - -')).toEqual({
      time,
      facility: 'local4',
      severity: 'notice',
      program: '',
      message: '',
    });
    expect(only('<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 ID47 - %% text')).toEqual({
      time: Date.parse('2003-08-24T12:14:15.000Z'),
      facility: 'local4',
      severity: 'notice',
      program: 'myproc',
      pid: 8710,
      message: '%% text',
      host: '192.0.2.1',
      messageId: 'ID47',
    });
  });

  it('reads structured data with escapes, and the byte order mark', () => {
    const text = '<165>1 - h /a/app w-1 - [a@1 q="\\"x\\" \\] \\\\ \\n" e=""][b x="1" x="2"] \ufeffgrüß';
    expect(only(text)).toMatchObject({
      program: 'app',
      processId: 'w-1',
      message: 'grüß',
      structuredData: [
        {
          id: 'a@1',
          params: [
            ['q', '"x" ] \\ \\n'],
            ['e', ''],
          ],
        },
        {
          id: 'b',
          params: [
            ['x', '1'],
            ['x', '2'],
          ],
        },
      ],
    });
  });

  it.each([
    '<13>1 2030-01-05 box app - - - text',
    '<13>1 2030-99-05T04:03:02Z box app - - - text',
    '<13>1 - box app - - [a x=1] text',
    '<13>1 - box app - - [a x="1" text',
    '<13>1 - box app - - [] text',
    '<13>1 - box app - - -text',
    '<13>1 - box app',
  ])('is read as text where it is malformed: %s', (text) => {
    expect(only(text)).toEqual({
      time,
      facility: 'user',
      severity: 'notice',
      program: '',
      message: text.slice('<13>'.length),
    });
  });
});

describe('text without a priority', () => {
  it.each([
    'hello world',
    'app[5]: hello',
    '<>x',
    '<x>y',
    '<1',
    '<192>x',
    '<999>x',
    '<0013>x',
    '< 13>x',
    '<-1>x',
    '<13',
  ])('is kept whole, and taken as syslog.err: %s', (text) => {
    expect(only(text)).toEqual({
      time,
      facility: 'syslog',
      severity: 'err',
      program: '?',
      message: text,
      unprioritized: true,
    });
  });

  it('is shown with ??', () => {
    const [record] = parse('hello');
    expect(record && formatRecord(record, 'box')).toBe('Jan  5 04:03:02 box ??: hello');
  });
});

describe('a datagram', () => {
  it('may hold several records', () => {
    const records = parse('<13>a: 1\n\u0000<14>b: 2\u0000\u0000 \u0000text\u0000');
    expect(records.map(({ program, message }) => [program, message])).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['?', 'text'],
    ]);
  });

  it('may hold none', () => {
    expect(['', '\u0000', ' \n\u0000\t'].map((text) => parse(text))).toEqual([[], [], []]);
  });

  it('loses the white space at its end, and no other', () => {
    expect(only('<13>app:  text\u00a0 \t\r\n\n')['message']).toBe(' text\u00a0');
  });

  it('stays one line: line feeds as rsyslog writes them, other control characters as bytes', () => {
    expect(only('<13>app: one\n\ttwo\r\nthree \u001b[2J\u009b')['message']).toBe(
      'one#012\ttwo\\x0d#012three \\x1b[2J\\x9b',
    );
  });

  it('stays readable where it is not UTF-8', () => {
    const bytes = Uint8Array.from([...encoder.encode('<13>app: gr'), 0xfc, 0xdf, ...encoder.encode(' ü')]);
    expect(only(bytes)['message']).toBe('gr\\xfc\\xdf ü');
  });

  it('is cut between two characters where it is too long', () => {
    const [record] = parse(`<13>app: ${'ü'.repeat(longestRecord)}`);
    const kept = Math.floor((longestRecord - '<13>app: '.length) / 2);
    expect(record?.message).toBe(`${'ü'.repeat(kept)} [… ${2 * (longestRecord - kept)} bytes cut]`);
  });

  it('is kept as it came, for regular expressions', () => {
    expect(parse('<13>Jan  5 04:03:02 /bin/app[1]: text\n')[0]?.raw).toBe('<13>Jan  5 04:03:02 /bin/app[1]: text');
  });

  const pieces = fc.constantFrom(
    ...[
      '<13>',
      '<191>',
      '<',
      '>',
      '1 ',
      '- ',
      'Jan  5 04:03:02 ',
      '2030-01-05T04:03:02Z ',
      'box ',
      'app[1]: ',
      '[a b="c"] ',
    ],
    ...['\u0000', '\n', '\u001b', ' ', ':', '[', ']', '\\', '"', 'ü', '\ufeff', '\u2028', '__proto__: '],
  );
  const datagrams = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(pieces, { maxLength: 20 }).map((all) => encoder.encode(all.join(''))),
    fc.uint8Array({ minLength: 20_000, maxLength: 20_100, size: 'max' }),
  );

  it('is read whatever is in it, as printable lines of bounded length', () => {
    const texts: fc.Arbitrary<Uint8Array> = datagrams;
    fc.assert(
      fc.property(texts, (bytes) => {
        const records = parseDatagram(bytes, { time });
        expect(records.length).toBeLessThanOrEqual(bytes.length);
        for (const record of records) {
          const line = formatRecord(record, 'box');
          expect(line).not.toMatch(/[^\P{Cc}\t]/u);
          expect(record.message.length).toBeLessThanOrEqual(4 * longestRecord + 40);
          expect(record.raw).toContain(record.message);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each([3, 5, 6, 7, 9, 12, 14, 15])('has no time where character %i of it is another', (at) => {
    const stamp = 'Jan  5 04:03:02 ';
    const text = `${stamp.slice(0, at)}x${stamp.slice(at + 1)}web[1]: text`;
    expect(only(`<13>${text}`)).toMatchObject({ program: '', message: text });
  });

  it.each([
    '[a b="c"',
    '[a b=c]',
    '[a b="c"]x',
    '[]',
    '[a b="c" d]',
    '[a  =""]',
    '[ a="b"]',
    '-x',
    'x',
    '[a b="c"][d',
  ])('is none of RFC 5424 with the structured data %s', (data) => {
    const text = `1 2030-01-05T04:03:02Z box web 7 - ${data} text`;
    const record = only(`<13>${text}`);
    expect(record).not.toHaveProperty('structuredData');
    expect(record['message']).toContain(data);
    expect(only('<13>1 2030-01-05T04:03:02Z box web 7 - [a b="c"] text')).toMatchObject({
      message: 'text',
      structuredData: [{ id: 'a', params: [['b', 'c']] }],
    });
  });

  it('is the same record where its text needs no decoding', () => {
    const plain = fc.oneof(
      fc.array(pieces, { maxLength: 20 }).map((all) => all.join('').replace(/[^\t -~]/g, '\t')),
      fc.string({ maxLength: 3 * longestRecord, unit: 'grapheme-ascii', size: 'max' }),
    );
    fc.assert(
      fc.property(plain, (text) => {
        const trimmed = text.trimEnd();
        expect(parseDatagram(trimmed, { time })).toEqual(parseDatagram(encoder.encode(text), { time }));
      }),
      { numRuns: 300 },
    );
  });
});

describe('parseLevelPrefix', () => {
  it.each([
    ['<3>no disk', { severity: 'err', rest: 'no disk' }],
    ['<7>', { severity: 'debug', rest: '' }],
    ['<0> x', { severity: 'emerg', rest: ' x' }],
    ['<30>x', { severity: 'info', facility: 'daemon', rest: 'x' }],
    ['<191>x', { severity: 'debug', facility: 'local7', rest: 'x' }],
  ])('reads %s', (line, expected) => {
    expect(parseLevelPrefix(line)).toEqual(expected);
  });

  it.each(['', 'x', '<', '<>', '<3', '<x>', '<192>x', ' <3>x', '<3 >x', '<html>'])('leaves %j alone', (line) => {
    expect(parseLevelPrefix(line)).toBeUndefined();
  });
});
