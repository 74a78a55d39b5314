import { describe, expect, it } from 'vitest';
import {
  describeHookFailure,
  describePlace,
  type Hooks,
  hookStages,
  hooksOf,
  hookWords,
  isHookStage,
} from '../../../src/model/service/hook.ts';

describe('the words of a hook', () => {
  const words = (command: string, variables: Readonly<Record<string, string>> = { A: 'one two', HOME: '/root' }) => {
    const made = hookWords({ command }, variables);
    return made.ok ? made.argv : made.problem;
  };

  it.each<[string, readonly string[] | string]>([
    ['/bin/true', ['/bin/true']],
    ['/bin/echo $(A)', ['/bin/echo', 'one', 'two']],
    ['/bin/echo "$(A)" x', ['/bin/echo', 'one two', 'x']],
    ['/bin/echo `date` $(A)', ['/bin/echo', '`date`', 'one', 'two']],
    ['sh -c \'echo "$HOME"\'', ['sh', '-c', 'echo "$HOME"']],
    ['~/run ~', ['/root/run', '~']],
    ['~', ['/root']],
    ['~joe/run', ['~joe/run']],
    ["'~/run'", ['~/run']],
    ['', 'it is empty'],
    ["''", 'it is empty'],
    ['"" x', 'it is empty'],
    ['$(U:?no U)', 'no U'],
    ['/bin/echo "x', 'a quote in it is never closed'],
  ])('%j become %j', (command, expected) => {
    expect(words(command)).toEqual(expected);
  });

  it('keep a tilde where there is no home', () => {
    expect(words('~/run', {})).toEqual(['~/run']);
    expect(words('~/run', { HOME: '' })).toEqual(['~/run']);
  });

  it('take what a variable holds as it is', () => {
    expect(words('x $(A)', { A: '$(B)', B: 'b' })).toEqual(['x', '$(B)']);
  });
});

describe('hooks', () => {
  it('belong to stages', () => {
    expect(hookStages.every(isHookStage)).toBe(true);
    expect(['', 'command', 'before'].filter(isHookStage)).toEqual([]);
    const hooks: Hooks = { commands: { before_start: [{ command: 'a' }, { command: 'b' }] }, afterStopTimeout: 1 };
    expect(hooksOf(hooks, 'before_start')).toEqual([{ command: 'a' }, { command: 'b' }]);
    expect(hooksOf(hooks, 'after_stop')).toEqual([]);
    expect(hooksOf(undefined, 'after_stop')).toEqual([]);
  });

  it('are counted where a stage has several', () => {
    expect(describePlace({ stage: 'before_start', nth: 2, of: 3 })).toBe('before_start 2 of 3');
    expect(describePlace({ stage: 'stop_command', nth: 1, of: 1 })).toBe('stop_command');
  });

  it('fail with a reason', () => {
    expect(describeHookFailure({ kind: 'exit', status: { kind: 'exited', code: 1 } })).toBe('exit 1');
    expect(describeHookFailure({ kind: 'timeout', timeout: 30_000 })).toMatch(/^no exit within 30(?:\.0)? s$/);
    expect(describeHookFailure({ kind: 'spawn', error: { code: 'ENOENT', stage: 'lookup', program: 'x' } })).toBe(
      "executable 'x' not found",
    );
  });
});
