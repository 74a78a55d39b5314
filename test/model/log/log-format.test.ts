import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  coloured,
  formatRecord,
  isoTime,
  type LineStyle,
  lineFormatter,
  longestPacket,
  packetFormatter,
  strftime,
  syslogTime,
  variesWithTime,
} from '../../../src/model/log/log-format.ts';
import type { LogRecord } from '../../../src/model/log/log-record.ts';
import { parseDatagram } from '../../../src/model/log/syslog-parse.ts';

const date = new Date(2030, 0, 5, 4, 3, 2, 7);
/** What this machine's zone is at that time: `+01:00`. */
const zone = isoTime(date.getTime()).slice(-6);

function record(changes: Partial<LogRecord> = {}): LogRecord {
  return {
    time: date.getTime(),
    facility: 'daemon',
    severity: 'warning',
    program: 'web',
    pid: 12,
    message: 'ready',
    ...changes,
  };
}

function line(style: Partial<LineStyle>, changes: Partial<LogRecord> = {}): string {
  return lineFormatter({ host: 'box', ...style })(record(changes));
}

describe('a syslog line', () => {
  it('is what formatRecord writes', () => {
    expect(line({})).toBe('Jan  5 04:03:02 box web[12]: ready');
    expect(line({})).toBe(formatRecord(record(), 'box'));
  });

  it('has the timestamp that is asked for', () => {
    expect(line({ timestamp: 'iso' })).toBe(`2030-01-05T04:03:02.007${zone} box web[12]: ready`);
    expect(line({ timestamp: 'none' })).toBe('box web[12]: ready');
  });

  it('names the host of logrec_hostname, else of the record, else this one', () => {
    expect(line({}, { host: 'far' })).toBe('Jan  5 04:03:02 far web[12]: ready');
    expect(line({ hostOverride: 'set' }, { host: 'far' })).toBe('Jan  5 04:03:02 set web[12]: ready');
  });

  it('begins with facility and priority where it is extended, under the names of the original', () => {
    expect(line({ extended: true })).toBe('daemon.warn Jan  5 04:03:02 box web[12]: ready');
    expect(line({ extended: true }, { facility: 'authpriv', severity: 'err' })).toMatch(/^authpriv\.err Jan/);
  });

  it('has the tag that there is', () => {
    expect(line({}, { pid: undefined })).toBe('Jan  5 04:03:02 box web: ready');
    expect(line({}, { pid: undefined, processId: 'w-1' })).toBe('Jan  5 04:03:02 box web[w-1]: ready');
    expect(line({}, { pid: undefined, program: '' })).toBe('Jan  5 04:03:02 box ready');
    expect(line({}, { pid: undefined, program: '?', unprioritized: true })).toBe('Jan  5 04:03:02 box ??: ready');
  });

  it('has a colour by severity on a terminal', () => {
    expect(line({ colour: true })).toBe('\u001b[33mJan  5 04:03:02 box web[12]: ready\u001b[0m');
    expect(line({ colour: true }, { severity: 'info' })).toBe('Jan  5 04:03:02 box web[12]: ready');
    expect(coloured('x', 'emerg')).toBe('\u001b[1;37;41mx\u001b[0m');
  });

  it('has the time of each second', () => {
    const times = [0, 999, 1000, 61_000, 0].map((ms) => syslogTime(date.getTime() - 7 + ms));
    expect(times.map((text) => text.slice(-8))).toEqual(['04:03:02', '04:03:02', '04:03:03', '04:04:03', '04:03:02']);
    expect(isoTime(-1)).toMatch(/\.999/);
  });
});

describe('a message that does not fit on a line', () => {
  const message = 'one\n\ttwo \u001b[2J\u009b \\xff';

  it('is escaped in lines and packets', () => {
    const text = 'one#012\ttwo \\x1b[2J\\xc2\\x9b \\xff';
    expect(line({}, { message })).toBe(`Jan  5 04:03:02 box web[12]: ${text}`);
    expect(line({ format: 'plain' }, { message })).toBe(text);
    for (const packet of ['rfc3164', 'rfc5424'] as const)
      expect(packetFormatter(packet, { host: 'box' })(record({ message })).endsWith(` ${text}`)).toBe(true);
  });

  it('is a JSON text in JSON, without characters that terminals obey', () => {
    const text = line({ format: 'json' }, { message });
    expect(JSON.parse(text)).toMatchObject({ message });
    expect(text).toContain('"message":"one\\n\\ttwo \\u001b[2J\\u009b \\\\xff"');
  });
});

describe('a piece of a line', () => {
  it('is marked where another piece comes before it', () => {
    expect(line({}, { continuation: true })).toBe('Jan  5 04:03:02 box web[12]: [continued] ready');
    expect(line({ format: 'plain' }, { continuation: true })).toBe('[continued] ready');
    expect(JSON.parse(line({ format: 'json' }, { continuation: true }))).toMatchObject({
      continuation: true,
      message: 'ready',
    });
  });
});

describe('a message that is JSON', () => {
  const parsed = (message: string): string =>
    line({ format: 'json', timestamp: 'none', parseJson: true }, { message }).replace(/^.*?"message":/, '');

  it.each([
    ['an object', '{"level":"info","n":12345678901234567890}', '{"level":"info","n":12345678901234567890}}'],
    ['an object with blanks around it', '  {"a": 1} ', '{"a": 1}}'],
    ['an object on several lines', '{"a":\n1}', '{"a":1}}'],
    ['a list', '[1]', '"[1]"}'],
    ['an object that is not complete', '{"a":', '"{\\"a\\":"}'],
    ['text that begins like one', '{hello}', '"{hello}"}'],
    ['an object that is nested too deep', '{"a":'.repeat(20_000), `${JSON.stringify('{"a":'.repeat(20_000))}}`],
  ])('stands in the line as it should: %s', (_, message, text) => {
    expect(parsed(message)).toBe(text);
  });

  it('stays a text where that is not asked for', () => {
    expect(line({ format: 'json' }, { message: '{"a":1}' })).toContain('"message":"{\\"a\\":1}"');
  });
});

describe('a plain line', () => {
  it('is the message, with a time where one is asked for', () => {
    expect(line({ format: 'plain' })).toBe('ready');
    expect(line({ format: 'plain', timestamp: 'rfc3164', extended: true })).toBe('daemon.warn Jan  5 04:03:02 ready');
    expect(line({ format: 'plain' }, { program: '?', unprioritized: true })).toBe('??: ready');
  });
});

describe('a JSON line', () => {
  it('has all that is known', () => {
    const changes: Partial<LogRecord> = {
      service: 'web.service',
      messageId: 'ID47',
      message: 'say "hi"\t\\ ü',
      structuredData: [
        {
          id: 'a@1',
          params: [
            ['k', 'v"'],
            ['__proto__', '1'],
            ['k', 'w'],
          ],
        },
      ],
    };
    const text = line({ format: 'json', extended: true, colour: true }, changes);
    expect(text).not.toContain('\n');
    expect(JSON.parse(text)).toEqual({
      time: `2030-01-05T04:03:02.007${zone}`,
      host: 'box',
      facility: 'daemon',
      severity: 'warning',
      program: 'web',
      pid: 12,
      service: 'web.service',
      messageId: 'ID47',
      message: 'say "hi"\t\\ ü',
      structuredData: JSON.parse('{"a@1":{"k":["v\\"","w"],"__proto__":"1"}}'),
    });
  });

  it('has nothing that is not known', () => {
    const changes: Partial<LogRecord> = { pid: undefined, program: '?', unprioritized: true };
    expect(JSON.parse(line({ format: 'json', timestamp: 'none' }, changes))).toEqual({
      host: 'box',
      facility: 'daemon',
      severity: 'warning',
      unprioritized: true,
      message: 'ready',
    });
  });

  it('is JSON whatever the texts are', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, text, text, (message, program, host, service) => {
        const value = JSON.parse(line({ format: 'json' }, { message, program, host, service }));
        expect([value.message, value.program ?? '', value.host, value.service]).toEqual([
          message,
          program,
          host,
          service,
        ]);
      }),
    );
  });

  // It keeps what the record before had in common with this one.
  it('of a record does not depend on the one before', () => {
    const few = fc.record(
      {
        facility: fc.constantFrom('user', 'daemon'),
        severity: fc.constantFrom('info', 'err'),
        program: fc.constantFrom('', 'web'),
        pid: fc.constantFrom(undefined, 1, 2),
        processId: fc.constantFrom(undefined, 'p', '"'),
        host: fc.constantFrom(undefined, 'other'),
        service: fc.constantFrom(undefined, 'web.service'),
        messageId: fc.constantFrom(undefined, 'id'),
        unprioritized: fc.constantFrom(undefined, true as const),
        message: fc.constantFrom('one', 'two"'),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(few, { minLength: 2 }), (all) => {
        const records = all.map((changes) => record(changes));
        const write = lineFormatter({ host: 'box', format: 'json' });
        expect(records.map(write)).toEqual(records.map((each) => lineFormatter({ host: 'box', format: 'json' })(each)));
      }),
    );
  });

  it.each<[string, Partial<LogRecord>]>([
    ['facility', { facility: 'local0' }],
    ['severity', { severity: 'err' }],
    ['program', { program: 'other' }],
    ['pid', { pid: 13 }],
    ['process', { pid: undefined, processId: 'p-1' }],
    ['host', { host: 'elsewhere' }],
    ['service', { service: 'web.service' }],
    ['message id', { messageId: 'ID47' }],
    ['priority', { unprioritized: true }],
  ])('tells of each record anew that comes from another %s', (_, changes) => {
    const write = lineFormatter({ host: 'box', format: 'json' });
    const once = (each: LogRecord): string => lineFormatter({ host: 'box', format: 'json' })(each);
    const records = [record(), record(changes), record({ ...changes, message: 'again' }), record()];
    expect(records.map(write)).toEqual(records.map(once));
    expect(new Set(records.map(write)).size).toBe(3);
  });
});

describe('a packet', () => {
  const old = packetFormatter('rfc3164', { host: 'box' });
  const modern = packetFormatter('rfc5424', { host: 'box' });

  it('is of RFC 3164', () => {
    expect(old(record())).toBe('<28>Jan  5 04:03:02 box web[12]: ready');
    expect(old(record({ pid: undefined, program: '' }))).toBe('<28>Jan  5 04:03:02 box -: ready');
    expect(old(record({ program: 'my app: x[1]', host: 'a b' }))).toBe(
      '<28>Jan  5 04:03:02 a_b my_app_x_1_[12]: ready',
    );
    expect(old(record({ facility: 'syslog', severity: 'err', pid: undefined, unprioritized: true }))).toBe(
      '<43>Jan  5 04:03:02 box ??: ready',
    );
  });

  it('is of RFC 5424', () => {
    expect(modern(record())).toBe(`<28>1 2030-01-05T04:03:02.007${zone} box web 12 - - ready`);
    const structuredData = [{ id: 'a@1', params: [['k=', '"]\\']] as const }];
    expect(
      modern(record({ pid: undefined, program: '', message: '', messageId: 'I D', structuredData, host: 'ü' })),
    ).toBe(`<28>1 2030-01-05T04:03:02.007${zone} _ - - I_D [a@1 k_="\\"\\]\\\\"]`);
  });

  it('becomes several packets where the text is too long, and no character of it is lost', () => {
    const message = `${'ü'.repeat(longestPacket)}end`;
    const [first = '', ...more] = old(record({ message })).split('\n');
    const head = first.slice(0, first.indexOf('ü'));
    const texts = more.map((packet) => packet.slice(`${head}[continued] `.length));
    expect(more.every((packet) => packet.startsWith(`${head}[continued] ü`))).toBe(true);
    expect([first.slice(head.length), ...texts].join('')).toBe(message);
    for (const packet of [first, ...more])
      expect(new TextEncoder().encode(packet).length).toBeLessThanOrEqual(longestPacket);
  });

  it('is cut where its head alone is too long', () => {
    const packet = packetFormatter('rfc5424', { host: 'b'.repeat(200), limit: 100 })(record({ message: 'x' }));
    expect(packet).toHaveLength(100);
  });

  it('is read back as it was sent', () => {
    const sent = record({
      time: date.getTime(),
      processId: undefined,
      host: 'far.example',
      messageId: 'ID47',
      message: 'text: with [all] "sorts" of \\ signs ü',
      structuredData: [{ id: 'a@1', params: [['k', 'x "y" ] \\']] }],
    });
    const received = { time: 0 };
    const [again] = parseDatagram(new TextEncoder().encode(modern(sent)), received);
    expect(again).toEqual({ ...sent, raw: modern(sent) });
    const [older] = parseDatagram(new TextEncoder().encode(old(sent)), received);
    expect(older).toMatchObject({ host: sent.host, program: 'web', pid: 12, message: sent.message });
  });
});

describe('strftime', () => {
  // As `date -d '2030-01-05 04:03:02' +…` of GNU prints it.
  it.each([
    ['/var/log/app-%Y-%m-%d.log', '/var/log/app-2030-01-05.log'],
    ['%a %A %b %B %h', 'Sat Saturday Jan January Jan'],
    ['%c', 'Sat Jan  5 04:03:02 2030'],
    ['%C %y %g %G', '20 30 30 2030'],
    ['%D %F %x', '01/05/30 2030-01-05 01/05/30'],
    ['%d %e %-d %_d %5d %-5d', '05  5 5  5 00005 5'],
    ['%H %I %k %l %p %P', '04 04  4  4 AM am'],
    ['%M %S %R %T %r %X', '03 02 04:03 04:03:02 04:03:02 AM 04:03:02'],
    ['%j %u %w %U %V %W', '005 6 6 00 01 00'],
    ['%^a %#p %^B %_5m %010Y', 'SAT am JANUARY     1 0000002030'],
    ['%n%t%%', '\n\t%'],
    ['%Ey %Od %OH', '30 05 04'],
    ['%q %i % %', '%q %i % %'],
    ['100%', '100%'],
  ])('%j gives %j', (pattern, expected) => {
    expect(strftime(pattern, date)).toBe(expected);
  });

  it('knows the zone and the second', () => {
    expect(strftime('%z', date)).toBe(zone.replace(':', ''));
    expect(strftime('%s', date)).toBe(String(Math.floor(date.getTime() / 1000)));
    expect(strftime('%Z', date)).not.toBe('');
  });

  it.each([
    [new Date(2024, 11, 30), '2025-01 52 53'],
    [new Date(2021, 0, 3), '2020-53 01 00'],
    [new Date(2023, 0, 1), '2022-52 01 00'],
    [new Date(2026, 0, 1), '2026-01 00 00'],
  ])('counts the weeks of %s as ISO 8601 does, from Sunday and from Monday', (day, expected) => {
    expect(strftime('%G-%V %U %W', day)).toBe(expected);
  });

  it('counts days in leap years and in others', () => {
    expect(strftime('%j', new Date(2024, 11, 31))).toBe('366');
    expect(strftime('%j', new Date(2023, 11, 31))).toBe('365');
    expect(strftime('%j', new Date(2024, 2, 1))).toBe('061');
    expect(strftime('%U %W', new Date(2023, 0, 1))).toBe('01 00');
  });

  it('knows noon and midnight', () => {
    expect(strftime('%I %l %p', new Date(2030, 0, 5, 0))).toBe('12 12 AM');
    expect(strftime('%I %l %p', new Date(2030, 0, 5, 12))).toBe('12 12 PM');
  });
});

describe('consecutive JSON lines', () => {
  it('have each the source of their own record', () => {
    const write = lineFormatter({ host: 'box', format: 'json', timestamp: 'none' });
    const sent = { facility: 'user', sender: { pid: 5, uid: 6 }, trust: 'claimed' } as const;
    const all: readonly Partial<LogRecord>[] = [
      { ...sent },
      { ...sent, sender: { pid: 7, uid: 6 } },
      { ...sent, sender: { pid: 7, uid: 8 } },
      { ...sent, sender: { pid: 7, uid: 8 }, trust: 'known' },
      { pid: undefined, processId: 'a' },
      { pid: undefined, processId: 'b' },
      { pid: undefined },
      {},
    ];
    const sources = all.map((changes) => write(record(changes)));
    const alone = all.map((changes) => line({ format: 'json', timestamp: 'none' }, changes));
    expect(sources).toEqual(alone);
    expect(new Set(sources).size).toBe(all.length);
    expect(sources[0]).toContain(',"trust":"claimed","sender":{"pid":5,"uid":6}');
    expect(sources[4]).toContain(',"pid":"a"');
    expect(sources[6]).not.toContain('"pid"');
    expect(sources[7]).not.toContain('sender');
  });
});

describe('other lines', () => {
  it('name the host that is set in place of all, and in JSON, too', () => {
    expect(line({ hostOverride: 'set', timestamp: 'none' }, { host: 'far' })).toBe('set web[12]: ready');
    expect(line({ timestamp: 'none' }, { host: 'far' })).toBe('far web[12]: ready');
    expect(line({ hostOverride: 'set', format: 'json' }, { host: 'far' })).toContain('"host":"set"');
    expect(line({ format: 'json' }, { host: 'far' })).toContain('"host":"far"');
  });

  it('have the time that is asked for where they are plain', () => {
    expect(line({ format: 'plain' })).toBe('ready');
    expect(line({ format: 'plain', timestamp: 'iso' })).toBe(`2030-01-05T04:03:02.007${zone} ready`);
    expect(line({ format: 'plain', timestamp: 'rfc3164' })).toBe('Jan  5 04:03:02 ready');
    expect(line({ format: 'json', timestamp: 'rfc3164' })).toMatch(/^\{"time":"Jan {2}5 04:03:02",/);
  });

  it('have a tag where nothing says who wrote them', () => {
    const unknown = { pid: undefined, program: '?', unprioritized: true } as const;
    expect(packetFormatter('rfc3164', { host: 'box' })(record(unknown))).toBe('<28>Jan  5 04:03:02 box ??: ready');
    expect(packetFormatter('rfc5424', { host: 'box' })(record(unknown))).toContain(' box ?? - - - ready');
  });
});

describe('the fields of a packet', () => {
  it('are as long as the standard lets them be', () => {
    const fields = (changes: Partial<LogRecord>): readonly string[] =>
      packetFormatter('rfc5424', { host: 'box' })(record(changes)).split(' ').slice(2, 6);
    expect(fields({ program: 'x'.repeat(48) })[1]).toBe('x'.repeat(48));
    expect(fields({ program: 'x'.repeat(49) })[1]).toBe('x'.repeat(48));
    expect(fields({ program: 'a b\tc' })[1]).toBe('a_b_c');
    expect(fields({ program: '' })[1]).toBe('-');
    const structuredData = [{ id: 'i'.repeat(33), params: [['k=]"'.repeat(9), 'v"]\\'] as const] }];
    expect(packetFormatter('rfc5424', { host: 'box' })(record({ structuredData }))).toContain(
      ` [${'i'.repeat(32)} ${'k___'.repeat(8)}="v\\"\\]\\\\"] ready`,
    );
  });

  it('are cut where the head alone is too long', () => {
    const head = packetFormatter('rfc3164', { host: 'box' })(record({ message: '' }));
    const cut = (limit: number): string =>
      packetFormatter('rfc3164', { host: 'box', limit })(record({ message: 'abcdef' }));
    expect(cut(head.length)).toBe(head);
    expect(cut(head.length + 3).split('\n')[0]).toBe(`${head} ab`);
    expect(cut(head.length + 14).split('\n')).toEqual([`${head} abcdef`]);
    const long = 'abcdefghijklmnop';
    const pieces = packetFormatter('rfc3164', { host: 'box', limit: head.length + 14 })(
      record({ message: long }),
    ).split('\n');
    expect(pieces).toEqual([
      `${head} abcdefghijklm`,
      `${head} [continued] n`,
      `${head} [continued] o`,
      `${head} [continued] p`,
    ]);
  });
});

describe('conversions of a time', () => {
  it.each([
    ['%C %g %G %u %w %V %j', '20 30 2030 6 6 01 005'],
    ['%5C|%-C|%_5G|%05u|%3w', '00020|20| 2030|00006|006'],
    ['%e|%k|%l|%I|%p|%P', ' 5| 4| 4|04|AM|am'],
    ['%-e|%-k|%-l|%0e|%_d|%_H', '5|4|4|05| 5| 4'],
    ['%10a|%010a|%_10a|%^a|%#a|%#p', '       Sat|0000000Sat|       Sat|SAT|SAT|am'],
    ['%y|%-y|%6Y|%-s', `30|30|002030|${Math.floor(date.getTime() / 1000)}`],
    ['%q %', '%q %'],
  ])('%j gives %j', (pattern, text) => {
    expect(strftime(pattern, date)).toBe(text);
  });

  it.each<[number, string]>([
    [0, 'AM 12 12 am'],
    [11, 'AM 11 11 am'],
    [12, 'PM 12 12 pm'],
    [23, 'PM 11 11 pm'],
  ])('know noon and midnight: %i', (hour, text) => {
    expect(strftime('%p %I %l %P', new Date(2030, 0, 5, hour))).toBe(text);
  });

  it('count a Sunday as the seventh day or as none', () => {
    expect(strftime('%u %w', new Date(2030, 0, 6))).toBe('7 0');
    expect(strftime('%u %w', new Date(2030, 0, 7))).toBe('1 1');
  });

  it('write years before our era with a sign', () => {
    const before = new Date(0);
    before.setFullYear(-5, 5, 5);
    expect(strftime('%Y|%5Y|%_5Y|%-Y|%y', before)).toBe('-5|-0005|   -5|-5|95');
  });

  it.each<[string, boolean]>([
    ['a.log', false],
    ['a%%.log', false],
    ['a%n%t%%.log', false],
    ['a%q.log', false],
    ['a%Y.log', true],
    ['a%%%-5d.log', true],
  ])('make %j another name at another time: %s', (pattern, varies) => {
    expect(variesWithTime(pattern)).toBe(varies);
  });
});
