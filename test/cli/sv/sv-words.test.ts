import { describe, expect, it } from 'vitest';
import { readSvWords } from '../../../src/cli/sv/sv-words.ts';

const read = (line: string, environment: Readonly<Record<string, string>> = {}) =>
  readSvWords(
    line.split(' ').filter((word) => word !== ''),
    environment,
  );

describe('the words of sv', () => {
  it.each<[string, object]>([
    ['up web', { kind: 'act', acts: ['u'], waits: false, kills: false, patience: 7_000, services: ['web'] }],
    ['-v down web db', { acts: ['d'], waits: true, services: ['web', 'db'] }],
    ['-w 3 once web', { acts: ['o'], waits: true, patience: 3_000 }],
    ['-w3 exit web', { acts: ['x'], waits: true, patience: 3_000 }],
    ['-vw 12s t web', { acts: ['t'], waits: true, patience: 12_000 }],
    ['-w x t web', { acts: ['t'], waits: true, patience: 7_000 }],
    ['--verbose --wait 2 x web', { acts: ['x'], waits: true, patience: 2_000 }],
    ['-- start web', { acts: ['u'], waits: true }],
    ['stop web', { acts: ['d'], waits: true, kills: false }],
    ['restart web', { acts: ['t', 'c', 'u'], waits: true }],
    ['try-restart web', { acts: ['t', 'c'], waits: true }],
    ['reload web', { acts: ['h'], waits: true }],
    ['shutdown web', { acts: ['x'], waits: true }],
    ['force-stop web', { acts: ['d'], waits: true, kills: true }],
    ['force-restart web', { acts: ['t', 'c', 'u'], kills: true }],
    ['force-reload web', { acts: ['t', 'c'], kills: true }],
    ['force-shutdown web', { acts: ['x'], kills: true }],
    ['X web', { acts: ['x'], kills: true }],
    ['D web', { acts: ['d'], kills: true }],
    ['T web', { acts: ['t', 'c'], kills: true }],
    ['check web', { kind: 'check', acts: [], waits: true }],
    ['-v status web', { kind: 'status', acts: [], waits: false }],
    ['sta web', { kind: 'status' }],
    ['1 web', { acts: ['1'] }],
    ['quit -v', { acts: ['q'], waits: false, services: ['-v'] }],
  ])('%s', (line, expected) => {
    expect(read(line)).toMatchObject({ kind: 'request', request: expected });
  });

  it('take the patience from SVWAIT, and rather from -w', () => {
    expect(read('stop web', { SVWAIT: '20' })).toMatchObject({ request: { patience: 20_000 } });
    expect(read('-w 1 stop web', { SVWAIT: '20' })).toMatchObject({ request: { patience: 1_000 } });
  });

  it.each<[string, string | undefined]>([
    ['', undefined],
    ['status', undefined],
    ['frob web', undefined],
    ['rest web', undefined],
    ['-x up web', 'sv: illegal option -- x'],
    ['-vV up web', 'sv: illegal option -- V'],
    ['-w', 'sv: option requires an argument -- w'],
  ])('refuse "%s"', (line, before) => {
    expect(read(line)).toEqual({ kind: 'usage', ...(before === undefined ? {} : { before }) });
  });
});
