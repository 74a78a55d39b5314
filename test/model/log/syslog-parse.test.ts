import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRecord, lineFormatter, packetFormatter } from '../../../src/model/log/log-format.ts';
import { compileSelector } from '../../../src/model/log/selector.ts';
import { longestLine, parseDatagram, parseLevelPrefix, type Reception } from '../../../src/model/log/syslog-parse.ts';
import { escapeControls } from '../../../src/model/words/printable.ts';
import { tries } from '../../effort.ts';

const encoder = new TextEncoder();
const time = new Date(2030, 0, 5, 4, 3, 2).getTime();

function parse(datagram: string | Uint8Array, more: Partial<Reception> = {}) {
  const reception = { time, localHost: 'box.example.org', ...more };
  return parseDatagram(typeof datagram === 'string' ? encoder.encode(datagram) : datagram, reception);
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

describe('a text without a tag', () => {
  it.each([
    'https://example.com/x',
    'https://example.com/x: is down',
    '{"level":"info"}',
    '{"level": "info", "text": "x: y"}',
    '["a", "b"]: list',
    'level=info msg="the time: now"',
    'the time: now',
    'some words: and more',
    'java.lang.Exception in: main',
    '12:30:45 it began',
    '12: a number',
    '10.0.0.1:80 refused',
    'localhost:8080 refused',
    'INFO:root:hello',
    'C:\\Users\\x is full',
    'file:///etc/passwd',
    '"quoted": text',
    "don't: do that",
    'x[i] of list',
    'the x(i): of list',
    '-> x: y',
    ': text',
    '=== start: x ===',
  ])('keeps its words: %s', (text) => {
    for (const stamp of ['Jan  5 04:03:02 ', '2030-01-05T04:03:02Z '])
      expect(only(`<14>${stamp}${text}`)).toEqual({
        time,
        facility: 'user',
        severity: 'info',
        program: '',
        message: text,
      });
    expect(only(`<14>${text}`)).toMatchObject({ program: '', message: text });
  });

  it.each([
    ['box app: text', 'box'],
    ['box.example.org app: text', 'box.example.org'],
    ['localhost app: text', 'localhost'],
    ['10.0.0.1 app: text', '10.0.0.1'],
    ['fe80::1%eth0 app: text', 'fe80::1%eth0'],
    ['other app[5]: text', 'other'],
  ])('is no text with a host before its tag: %s', (text, host) => {
    expect(only(`<14>Jan  5 04:03:02 ${text}`)).toMatchObject({ host, program: 'app', message: 'text' });
  });
});

describe('a timestamp that does not exist', () => {
  it.each([
    'Feb 31 04:03:02 app: text',
    'Feb 30 2028 04:03:02 app: text',
    'Feb 29 2030 04:03:02 app: text',
    'Apr 31 04:03:02 app[5]: text',
    'Foo 11 04:03:02 app: text',
    'Jan  0 04:03:02 app: text',
    'Jan 15 24:00:00 app: text',
    'Jan 15 04:60:02 app: text',
    '2030-02-31T04:03:02Z app: text',
    '2030-13-01T04:03:02Z app: text',
    '1 2030-02-31T04:03:02Z box app - - - text',
    '1 2100-02-29T04:03:02Z box app - - - text',
    '1 2030-01-05T24:00:00Z box app - - - text',
  ])('is text: %s', (text) => {
    expect(only(`<14>${text}`)).toEqual({ time, facility: 'user', severity: 'info', program: '', message: text });
  });

  it.each([
    'Feb 29 04:03:02',
    'Feb 29 2028 04:03:02',
    'Dec 31 23:59:60',
    '2028-02-29T00:00:00Z',
  ])('is none of the rare ones: %s', (stamp) => {
    expect(only(`<14>${stamp} app: text`)).toMatchObject({ program: 'app', message: 'text' });
  });
});

describe('RFC 5424', () => {
  it('is text where its header holds what cannot be shown', () => {
    for (const text of ['1 - b\nx app - - - text', '1 - box a\u001b - - - text', '1 - box app \u202e - - text'])
      expect(only(`<13>${text}`)).toMatchObject({ program: '', message: text });
    expect(only('<13>1 - box app - - [a x="\n"] text')['structuredData']).toEqual([{ id: 'a', params: [['x', '\n']] }]);
  });

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

  it('stays one record with its lines and control characters, and one printable line for selectors', () => {
    const text = '<13>app: one\n\ttwo\r\nthree \u001b[2J\u009b';
    expect(only(text)['message']).toBe('one\n\ttwo\r\nthree \u001b[2J\u009b');
    expect(parse(text)[0]?.raw).toBe('<13>app: one#012\ttwo\\x0d#012three \\x1b[2J\\xc2\\x9b');
  });

  it.each([
    ['a priority', '<13>app: one\n<3>sshd[1]: two', 'one\n<3>sshd[1]: two'],
    ['nothing', '<13>app: one\n\n\ntwo', 'one\n\n\ntwo'],
    ['its first line', '<13>Jan  5 04:03:02 app:\n at x\n at y', '\n at x\n at y'],
  ])('stays one record where a line feed stands before %s', (_, text, message) => {
    expect(only(text)).toMatchObject({ program: 'app', message });
  });

  it('may hold records with their length before them', () => {
    const counted = (text: string) => `${encoder.encode(text).length} ${text}`;
    const texts = ['<34>Jan  5 04:03:02 su[7]: no\nand <13>no', '<165>1 - box app - - - grüß', '<13>app: \u0000x'];
    for (const between of ['', '\n', '\u0000']) {
      const records = parse(texts.map(counted).join(between));
      expect(records.map(({ program, message }) => [program, message])).toEqual([
        ['su', 'no\nand <13>no'],
        ['app', 'grüß'],
        ['app', '\u0000x'],
      ]);
    }
    // The last one was sent with white space at its end, or was cut.
    expect(only('123 <34>su: no')).toMatchObject({ facility: 'auth', program: 'su', message: 'no' });
    expect(parseDatagram('11 <34>su: yes', { time })).toMatchObject([{ program: 'su', message: 'yes' }]);
  });

  it.each([
    '5 <34>hello world',
    '12 <34>su: text and more',
    '0 <34>x',
    '123 text',
    '1234567 <34>x',
    '7 <192x> y',
    '14 <34>su: first\n3 second',
  ])('is text where the lengths in it are wrong: %j', (text) => {
    expect(only(text)).toMatchObject({ unprioritized: true, message: text });
  });

  it('stays readable where it is not UTF-8', () => {
    const bytes = Uint8Array.from([...encoder.encode('<13>app: gr'), 0xfc, 0xdf, ...encoder.encode(' ü')]);
    expect(only(bytes)['message']).toBe('gr\\xfc\\xdf ü');
  });

  it('becomes several records, cut between two characters, where its message is too long', () => {
    const message = `x${'ü'.repeat(longestLine)}`;
    const records = parse(`<13>app[7]: ${message}`);
    expect(records.map((record) => record.message).join('')).toBe(message);
    expect(records.map((record) => encoder.encode(record.message).length)).toEqual([longestLine - 1, longestLine, 2]);
    expect(records.map(({ continuation }) => continuation)).toEqual([undefined, true, true]);
    for (const record of records) expect(record).toMatchObject({ program: 'app', pid: 7, raw: records[0]?.raw });
  });

  it.each([1, 4, 10])('is cut at the length that is given: %i', (maxLine) => {
    const messages = parse('<13>app: 0123456789abcdefüü', { maxLine }).map(({ message }) => message);
    expect(messages.join('')).toBe('0123456789abcdefüü');
    expect(messages).toEqual(messages.filter((message) => encoder.encode(message).length <= Math.max(4, maxLine)));
    expect(messages[0]).toBe('0123456789'.slice(0, Math.max(4, maxLine)));
  });

  it('says how much was not received', () => {
    expect(parseDatagram('<13>app: text', { time }, 7)).toMatchObject([{ message: 'text [… 7 bytes cut]' }]);
    expect(parseDatagram('<13>app: 01234567', { time, maxLine: 4 }, 7).map(({ message }) => message)).toEqual([
      '0123',
      '4567 [… 7 bytes cut]',
    ]);
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

  it('is read whatever is in it, and no byte of it is lost', () => {
    const texts: fc.Arbitrary<Uint8Array> = datagrams;
    fc.assert(
      fc.property(texts, (bytes) => {
        const records = parseDatagram(bytes, { time });
        expect(records.length).toBeLessThanOrEqual(bytes.length);
        for (const record of records) {
          const { message, raw, program, host = '', processId = '', messageId = '' } = record;
          expect([raw, program, host, processId, messageId].join('')).not.toMatch(/[^\P{Cc}\t]/u);
          expect(encoder.encode(message).length).toBeLessThanOrEqual(longestLine);
          expect(raw).toContain(escapeControls(message.replaceAll('\n', '#012')));
        }
      }),
      { numRuns: tries(300, 1_000) },
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
    const seeming = '<13>app: \\x41 \\x5c';
    expect(parseDatagram(seeming, { time })).toEqual(parseDatagram(encoder.encode(seeming), { time }));
    expect(parseDatagram(seeming, { time })[0]?.message).toBe('\\x5cx41 \\x5cx5c');
    const plain = fc.oneof(
      fc.array(pieces, { maxLength: 20 }).map((all) => all.join('').replace(/[^\t -~]/g, '\t')),
      fc.string({ maxLength: 20_000, unit: 'grapheme-ascii', size: 'max' }),
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

describe('the sender', () => {
  const sender = { pid: 77, uid: 1000 };

  it.each([
    ['<13>app[77]: x', 'known', 77],
    ['<13>app[78]: x', 'claimed', 78],
    ['<13>app[main]: x', 'claimed', undefined],
    ['<13>app: x', 'claimed', undefined],
    ['<13>1 - - app 77 - - x', 'known', 77],
    ['<13>1 - - app 7 - - x', 'claimed', 7],
    ['no priority', 'claimed', undefined],
  ])('stands beside what the record says: %s', (text, trust, pid) => {
    expect(parse(text, { sender })).toMatchObject([{ sender, trust, pid }]);
    expect(only(text)).not.toHaveProperty('trust');
  });

  it('confirms no pid where it has none here', () => {
    expect(parse('<13>app[0]: x', { sender: { pid: 0, uid: 0 } })).toMatchObject([{ trust: 'claimed' }]);
  });
});

describe("chaperone's name", () => {
  const forged = [
    '<174>chaperone[1]: x',
    '<174>Jan  5 04:03:02 chaperone[1]: x',
    '<30>Jan  5 04:03:02 box chaperone: x',
    '<174>CHAPERONE: x',
    '<174>/usr/bin/chaperone[1]: x',
    '<174>chaperone[main]: x',
    '<174>1 - box chaperone 1 - - x',
    '<174>1 - - /x/chaperone - - - x',
    '<174>1 - - chaperone[1]: - - - x',
    '<174>1 - - - - - - chaperone[1]: x',
    '<174>Jan  5 04:03:02 \tchaperone[1]: x',
    '<174>\u200bchaperone[1]: x',
    '<174>chap\u00aderone[1]: x',
    '<174>ｃｈａｐｅｒｏｎｅ: x',
    '<174>chaperone\u034f: x',
    '<174> \n chaperone: x',
  ];

  it.each(forged)('is marked in every format where another has taken it: %j', (text) => {
    const sender = { pid: 77, uid: 0 };
    for (const more of [{}, { sender }]) {
      const [record] = parse(text, more);
      if (record === undefined) throw new Error('nothing was read');
      expect(record).toMatchObject({
        program: 'chaperone?',
        impostor: true,
        ...('sender' in more ? { trust: 'claimed' } : {}),
      });
      expect(record.message).toContain('x');
      const lines = (['syslog', 'plain', 'json'] as const).map((format) =>
        lineFormatter({ host: 'box', format })(record),
      );
      const packets = (['rfc3164', 'rfc5424'] as const).map((format) =>
        packetFormatter(format, { host: 'box' })(record),
      );
      for (const line of [...lines, ...packets]) expect(line).toContain('chaperone?');
      expect(compileSelector('[chaperone].*')(record)).toBe(false);
    }
  });

  it.each(forged)('is left to chaperone: %j', (text) => {
    expect(parse(text, { isOwn: true })[0]).not.toHaveProperty('impostor');
  });

  it.each([
    '<13>chaperone-worker[5]: x',
    '<13>chaperoned: x',
    '<13>my.chaperone: x',
    '<13>app: chaperone[1]: x',
    '<13>app: \nJan  5 04:03:02 box chaperone[1]: x',
    '<13>Jan  5 04:03:02 the chaperone said x',
    'chaperone[1]: x',
  ])('is something else in %j', (text) => {
    expect(parse(text)[0]).not.toHaveProperty('impostor');
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
