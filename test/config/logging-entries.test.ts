import { describe, expect, it } from 'vitest';
import { errorsOf, serviceOf, specOf, warningsOf } from './loading.ts';

/** A configuration with one logging entry. */
const entry = (directives: string): string => `a.service: {command: sleep 1}\nx.logging: {${directives}}\n`;
const loggingOf = (directives: string) => specOf(entry(directives)).logging[0];

describe('what happens when a sink does not keep up', () => {
  it.each([
    ['wait', { kind: 'wait', patience: 5_000 }],
    ['wait 5s', { kind: 'wait', patience: 5_000 }],
    ['wait 300ms', { kind: 'wait', patience: 300 }],
    ['wait 0', { kind: 'wait', patience: 0 }],
    ['block', { kind: 'block' }],
    ['drop', { kind: 'drop' }],
  ])('overflow: %s', (text, overflow) => {
    expect(loggingOf(`stdout: yes, overflow: "${text}"`)).toMatchObject({ overflow });
  });

  it.each(['never', 'wait long', 'wait 5s 6s', 'block 5s', 'drop 1', ''])('refuses overflow: %j', (text) => {
    expect(errorsOf(entry(`stdout: yes, overflow: "${text}"`))).toMatch(
      /overflow of x\.logging .*\n.*\n.*expected wait, with or without a time such as 5s, block or drop/,
    );
  });

  it('is not said where nobody waits', () => {
    expect(warningsOf(entry('syslog_host: far, overflow: block'))).toContain(
      'overflow of x.logging has no effect: nobody waits for another syslog daemon',
    );
    expect(warningsOf(entry('stderr: yes, on_error: drop'))).toContain(
      'on_error of x.logging has no effect: it writes neither to a file nor to stdout',
    );
    expect(warningsOf(entry('file: /x, overflow: block, on_error: drop'))).toBe('');
  });
});

describe('JSON in messages', () => {
  it('is read only where lines are JSON', () => {
    expect(loggingOf('stdout: yes, format: json, parse_json: yes')).toMatchObject({ parseJson: true });
    expect(warningsOf(entry('stdout: yes, parse_json: yes'))).toContain(
      'parse_json of x.logging has no effect: its format is not json',
    );
  });
});

describe('max_line', () => {
  const withLine = (text: string): string => `settings: {max_line: ${text}}\na.service: {command: sleep 1}\n`;

  it('is 64 KiB, or what is given', () => {
    expect(specOf(entry('stdout: yes')).maxLine).toBe(65_536);
    expect(specOf(withLine('4K')).maxLine).toBe(4_096);
  });

  it.each(['10', '2M', 'long'])('cannot be %s', (text) => {
    expect(errorsOf(withLine(text))).toMatch(
      /max_line of settings .*\n.*\n.*expected a size from 1K to 1M, such as 64K/,
    );
  });
});

describe('stderr of a service', () => {
  it('may be the same pipe as stdout', () => {
    expect(serviceOf('a.service: {command: x, stderr: stdout}')).toMatchObject({ stdout: 'log', stderr: 'stdout' });
    expect(errorsOf('a.service: {command: x, stdout: stdout}')).toContain(
      'expected log, inherit, NAME.service or NAME.logging',
    );
  });
});
