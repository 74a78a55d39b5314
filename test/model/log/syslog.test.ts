import { describe, expect, it } from 'vitest';
import { formatRecord, lineFormatter, packetFormatter } from '../../../src/model/log/log-format.ts';
import type { LogRecord } from '../../../src/model/log/log-record.ts';
import { compileSelector } from '../../../src/model/log/selector.ts';
import { parseSeverity, severities } from '../../../src/model/log/syslog-names.ts';

function record(changes: Partial<LogRecord> = {}): LogRecord {
  return {
    // Local time, as syslog daemons write it.
    time: new Date(2030, 0, 5, 4, 3, 2).getTime(),
    facility: 'daemon',
    severity: 'info',
    program: 'web',
    pid: 12,
    message: 'ready',
    ...changes,
  };
}

function taken(selector: string): readonly string[] {
  const takes = compileSelector(selector);
  return severities.filter((severity) => takes(record({ severity })));
}

describe('formatRecord', () => {
  it('writes RFC 3164 with the day padded by a space', () => {
    expect(formatRecord(record(), 'box')).toBe('Jan  5 04:03:02 box web[12]: ready');
    const later = record({ time: new Date(2030, 11, 31, 23, 59, 59).getTime() });
    expect(formatRecord(later, 'box')).toBe('Dec 31 23:59:59 box web[12]: ready');
  });

  it('leaves out the pid where there is none', () => {
    const { pid: _, ...withoutPid } = record();
    expect(formatRecord(withoutPid, 'box')).toBe('Jan  5 04:03:02 box web: ready');
  });
});

describe('a message with line feeds and control characters', () => {
  const message = 'one\n\ttwo\r\u001b[2J\u009b';
  const shown = 'one#012\ttwo\\x0d\\x1b[2J\\xc2\\x9b';

  it('is one line, and one packet', () => {
    expect(formatRecord(record({ message }), 'box')).toBe(`Jan  5 04:03:02 box web[12]: ${shown}`);
    expect(formatRecord(record({ message, program: '', pid: undefined }), 'box')).toBe(`Jan  5 04:03:02 box ${shown}`);
    expect(lineFormatter({ host: 'box', format: 'plain' })(record({ message }))).toBe(shown);
    for (const packet of ['rfc3164', 'rfc5424'] as const)
      expect(packetFormatter(packet, { host: 'box' })(record({ message }))).toContain(` ${shown}`);
  });

  it('is the same text in JSON', () => {
    expect(JSON.parse(lineFormatter({ host: 'box', format: 'json' })(record({ message })))).toMatchObject({ message });
  });
});

describe('controls of the direction of text', () => {
  const controls = '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069';
  const escaped = [...controls].map((control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  const message = `a${controls}b ä\u200b\u05d0`;

  it.each(['syslog', 'plain', 'json'] as const)('are escaped on terminals only: %s', (format) => {
    const write = (terminal: boolean) => lineFormatter({ host: 'box', format, terminal })(record({ message }));
    expect(write(false)).toContain(message);
    expect(write(true)).toBe(write(false).replace(controls, escaped));
    if (format === 'json') expect(JSON.parse(write(true))).toEqual(JSON.parse(write(false)));
  });

  it('are escaped in the names of records, too, and coloured lines keep their colours', () => {
    const write = lineFormatter({ host: 'box', terminal: true, colour: true });
    const line = write(record({ program: 'a\u202eb', severity: 'err' }));
    expect([line.startsWith('\u001b[31m'), line.endsWith(' a\\u202eb[12]: ready\u001b[0m')]).toEqual([true, true]);
  });
});

describe('a priority', () => {
  it('has the names of syslog and the ones that people write', () => {
    expect(severities.map(parseSeverity)).toEqual([...severities]);
    expect(['ERROR', 'warn', 'Panic'].map(parseSeverity)).toEqual(['err', 'warning', 'emerg']);
    expect(parseSeverity('loud')).toBeUndefined();
  });

  it('is not found among what every object has', () => {
    expect(parseSeverity('constructor')).toBeUndefined();
    expect(parseSeverity('__proto__')).toBeUndefined();
  });
});

describe('a selector', () => {
  it('takes its priority and everything more severe', () => {
    expect(taken('*.err')).toEqual(['emerg', 'alert', 'crit', 'err']);
    expect(taken(' *.warn ')).toEqual(['emerg', 'alert', 'crit', 'err', 'warning']);
    expect(taken('*.emerg')).toEqual(['emerg']);
    expect(taken('*.debug')).toEqual([...severities]);
    expect(taken('*.*')).toEqual([...severities]);
  });

  it.each([
    ['*', '"*" has no priority'],
    ['*.loud', '"loud" is not a priority'],
    ['*.constructor', '"constructor" is not a priority'],
    ['constructor.info', '"constructor" is not a facility'],
  ])('is not read from %j', (text, reason) => {
    expect(() => compileSelector(text)).toThrow(`cannot read the selector "${text}": ${reason}`);
  });
});
