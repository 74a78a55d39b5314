import { describe, expect, it } from 'vitest';
import { TerminalPrinter } from '../../src/facts/terminal-printer.ts';
import type { Transition } from '../../src/facts/transition.ts';

const started: Transition = {
  at: 3,
  actor: 'store',
  from: 'pending',
  to: 'starting.spawning',
  detail: 'after prepare',
};
const ready: Transition = {
  at: 1_234.6,
  actor: 'system',
  from: 'booting.lastStage',
  to: 'up',
  detail: '',
};

describe('the terminal printer', () => {
  it('aligns time, actor and states', () => {
    const printer = new TerminalPrinter(['system', 'store'], false);
    expect([printer.line(started), printer.note('pid 12'), printer.line(ready)].join('\n')).toBe(
      [
        '   0.003  store                       pending → starting.spawning        after prepare',
        '          pid 12',
        '   1.235  system            booting.lastStage → up',
      ].join('\n'),
    );
  });

  it('makes the column of the actors as wide as the longest, up to a bound', () => {
    const line = (...actors: readonly string[]) => new TerminalPrinter(actors, false).line(started).indexOf('→');
    expect(line('system')).toBe(line('a', 'system'));
    expect(line('a-long-service')).toBe(line('system') + 4);
    expect(line('x'.repeat(200))).toBe(line('system') + 20);
  });

  it('has one hue a state, and grey for what was', () => {
    const printer = new TerminalPrinter(['store'], true);
    const hue = (to: string) => {
      const start = '\u001b[';
      const coloured = printer.line({ ...started, to });
      const [, right = ''] = coloured.split(' → ');
      return right.startsWith(start) ? right.slice(start.length, right.indexOf('m')) : 'none';
    };
    expect(['pending', 'starting.settling', 'ready.running', 'stopping.killing', 'backoff', 'failed'].map(hue)).toEqual(
      ['90', '34', '32', '33', '35', '31'],
    );
    expect(hue('unheard-of')).toBe('none');
    expect(printer.line(started)).toBe(
      '   0.003  store      \u001b[90m                 pending\u001b[0m → \u001b[34mstarting.spawning       \u001b[0m after prepare',
    );
  });

  it('says the same without colour', () => {
    const escapes = new RegExp(`${'\u001b'}\\[\\d+m`, 'g');
    const coloured = new TerminalPrinter(['store'], true).line(started).replace(escapes, '');
    expect(coloured).toBe(new TerminalPrinter(['store'], false).line(started));
  });
});
