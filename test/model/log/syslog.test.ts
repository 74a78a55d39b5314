import { describe, expect, it } from 'vitest';
import { formatRecord } from '../../../src/model/log/log-format.ts';
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
