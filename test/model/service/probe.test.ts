import { describe, expect, it } from 'vitest';
import {
  describeFailing,
  describeProbe,
  happensOnce,
  noProbeState,
  obstacleOf,
  type Probe,
  type ProbeCheck,
  type ProbeResult,
  type ProbeState,
  type ProbeTree,
  probesOf,
  standingOfTree,
} from '../../../src/model/service/probe.ts';

const probe = (check: ProbeCheck): Probe => ({
  kind: 'probe',
  check,
  interval: 1,
  longest: 1,
  timeout: 1,
  retries: 3,
  startPeriod: 0,
});
const notify = probe({ kind: 'notify' });
const tcp = probe({ kind: 'tcp', host: '127.0.0.1', port: 80 });
const file = probe({ kind: 'file', path: '/x' });
const result = (reason: string): ProbeResult => ({ passed: false, reason, at: 1 });
const open: ProbeState = { standing: 'open', failures: 0 };
const passed: ProbeState = { standing: 'passed', failures: 0 };
const failed: ProbeState = { standing: 'failed', failures: 0 };

describe('a tree of probes', () => {
  const all: ProbeTree = { kind: 'all', of: [notify, tcp] };
  const any: ProbeTree = { kind: 'any', of: [notify, tcp] };
  const nested: ProbeTree = { kind: 'all', of: [{ kind: 'any', of: [notify, tcp] }, file] };

  it('numbers its probes from left to right', () => {
    expect(probesOf(nested)).toEqual([notify, tcp, file]);
    expect(probesOf(tcp)).toEqual([tcp]);
  });

  it.each<[string, ProbeTree, readonly ProbeState[], string]>([
    ['a probe nobody has tried', tcp, [], 'open'],
    ['a probe that has passed', tcp, [passed], 'passed'],
    ['all, where one is open', all, [passed, open], 'open'],
    ['all, where all have passed', all, [passed, passed], 'passed'],
    ['all, where one has failed', all, [open, failed], 'failed'],
    ['any, where one has passed', any, [failed, passed], 'passed'],
    ['any, where one is open', any, [failed, open], 'open'],
    ['any, where all have failed', any, [failed, failed], 'failed'],
    ['a branch that has passed beside an open probe', nested, [passed, open, open], 'open'],
    ['a branch that has passed beside one that has', nested, [passed, open, passed], 'passed'],
    ['an open branch beside a probe that has failed', nested, [open, open, failed], 'failed'],
    ['a branch that has failed', nested, [failed, failed, passed], 'failed'],
  ])('stands by its parts: %s', (_, tree, states, standing) => {
    expect(standingOfTree(tree, states)).toBe(standing);
  });

  it('names what keeps it from passing: first what has failed, then what is open', () => {
    expect(obstacleOf(nested, [passed, open, { ...failed, last: result('gone') }])).toEqual({
      probe: 'file /x',
      reason: 'gone',
    });
    expect(obstacleOf(nested, [passed, open, open])).toEqual({ probe: 'tcp 127.0.0.1:80', reason: 'no answer yet' });
    expect(obstacleOf(all, [])).toEqual({ probe: 'notify', reason: 'no READY=1' });
    expect(obstacleOf(all, [passed, passed]).probe).toBe('notify');
    expect(obstacleOf({ kind: 'all', of: [] }, [])).toEqual({ probe: '', reason: '' });
  });
});

describe('a probe', () => {
  it.each<[ProbeCheck, string, string, boolean]>([
    [{ kind: 'notify' }, 'notify', 'no READY=1', true],
    [{ kind: 'fd', descriptor: 3 }, 'fd 3', 'no newline came', true],
    [{ kind: 'tcp', host: 'db', port: 80 }, 'tcp db:80', 'no answer yet', false],
    [{ kind: 'tcp', host: '::1', port: 80 }, 'tcp [::1]:80', 'no answer yet', false],
    [{ kind: 'unix', path: '/s' }, 'unix /s', 'no answer yet', false],
    [
      { kind: 'http', url: 'http://joe:secret@db:81/a/b?key=secret', status: [], headers: {} },
      'http http://db:81/a/b',
      'no answer yet',
      false,
    ],
    [{ kind: 'command', argv: ['/bin/check', 'secret'] }, 'command /bin/check', 'no answer yet', false],
    [{ kind: 'log', pattern: 'up' }, 'log /up/', 'no line matched', true],
    [{ kind: 'file', path: '/f' }, 'file /f', 'no answer yet', false],
    [{ kind: 'delay', time: 20_000 }, 'delay 20 s', 'it has not passed', true],
  ])('%j is named "%s"', (check, name, lack, once) => {
    expect(describeProbe(check)).toBe(name);
    expect(obstacleOf(probe(check), [noProbeState]).reason).toBe(lack);
    expect(happensOnce(check)).toBe(once);
  });

  it('tells how often it has failed, and what follows', () => {
    const failing = (failures: number, retries = 3) =>
      describeFailing({ ...tcp, retries }, { standing: 'passed', failures, last: result('503') }, 'restart');
    expect(failing(0)).toBeUndefined();
    expect(failing(1)).toBe('1 of 3, last: 503; at the third: restart');
    expect(failing(2)).toBe('2 of 3, last: 503; at the third: restart');
    expect(failing(3)).toBe('3 of 3, last: 503, restart');
    expect(failing(4)).toBe('3 of 3, last: 503, restart');
    expect(failing(1, 11)).toBe('1 of 11, last: 503; at the 11th: restart');
    expect(describeFailing(tcp, { standing: 'open', failures: 1 }, 'restart')).toBeUndefined();
  });

  it.each([
    [2, 'second'],
    [3, 'third'],
    [4, 'fourth'],
    [5, 'fifth'],
    [6, 'sixth'],
    [7, 'seventh'],
    [8, 'eighth'],
    [9, 'ninth'],
    [10, 'tenth'],
  ])('fails for good at the last of %i tries, the %s', (retries, name) => {
    const state: ProbeState = { standing: 'passed', failures: 1, last: result('x') };
    expect(describeFailing({ ...tcp, retries }, state, 'log')).toBe(`1 of ${retries}, last: x; at the ${name}: log`);
  });
});
