import { describe, expect, it } from 'vitest';
import {
  type Answers,
  answerOf,
  answersOf,
  type Condition,
  describeNoAnswer,
  judge,
  questionsOf,
} from '../../../src/model/service/condition.ts';

const file: Condition = { kind: 'file', path: '/f' };
const set: Condition = { kind: 'env', name: 'X' };
const equal: Condition = { kind: 'env', name: 'X', value: 'on' };
const command: Condition = { kind: 'command', command: 'ask', argv: ['ask'] };
const all = (...of: readonly Condition[]): Condition => ({ kind: 'all', of });
const not = (of: Condition): Condition => ({ kind: 'not', of });

describe('conditions', () => {
  it.each<[string, Condition, Answers, object]>([
    ['a file', file, [true], { kind: 'met' }],
    ['a missing file', file, [false], { kind: 'unmet', why: 'the file /f is not there' }],
    ['a file that is not to be', not(file), [true], { kind: 'unmet', why: 'the file /f is there' }],
    ['what is not known', all(file, command), [true], { kind: 'open', index: 1 }],
    ['a list, by its first failure', all(file, command), [false], { kind: 'unmet', why: 'the file /f is not there' }],
    ['not of a list', not(all(file, set)), [true, false], { kind: 'met' }],
    [
      'not of a list that holds',
      not(all(file, set)),
      [true, true],
      { kind: 'unmet', why: 'the file /f is there, and X is set' },
    ],
    ['not of not', not(not(file)), [true], { kind: 'met' }],
    ['lists in lists', all(all(file), all(set, command)), [true, true], { kind: 'open', index: 2 }],
    ['not of a list, short', not(all(file, command)), [false], { kind: 'met' }],
    ['a value that differs', equal, [false], { kind: 'unmet', why: 'X has another value' }],
    ['a value that is excluded', not(equal), [true], { kind: 'unmet', why: 'X has the value that is excluded' }],
  ])('judge %s', (_, condition, answers, judgement) => {
    expect(judge(condition, answers)).toEqual(judgement);
  });

  it('have their questions in the order in which they are written', () => {
    expect(questionsOf(all(not(file), all(set, command)))).toEqual([file, set, command]);
  });

  it('take answers of the environment, and never tell a value', () => {
    expect(answersOf(all(set, equal, file, command), { X: 'off' })).toEqual([true, false, undefined, undefined]);
    expect(answersOf(all(set, equal), {})).toEqual([false, false]);
    expect(answersOf(equal, { X: 'on' })).toEqual([true]);
    expect(JSON.stringify(judge(equal, [false]))).not.toContain('on"');
  });

  it('take the answer of a command by its exit status', () => {
    const exited = [0, 1, 254, 255].map((code) => answerOf({ kind: 'exited', code }));
    expect(exited).toEqual([true, false, false, undefined]);
    expect(answerOf({ kind: 'signaled', signal: 'SIGTERM', coreDumped: false })).toBeUndefined();
    expect(answerOf({ kind: 'unknown' })).toBeUndefined();
    expect(describeNoAnswer({ kind: 'timeout', timeout: 5_000 })).toBe('no answer within 5 s (process_timeout)');
  });
});
