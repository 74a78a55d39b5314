import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/control/command-words.ts';
import { commandEntry, commandOf, fieldsOf, neededFor, neededWith, verbs } from '../../src/control/commands.ts';
import { createRights } from '../../src/control/rights.ts';
import { type ControlPolicy, grantableActions } from '../../src/model/service/control-policy.ts';
import { givenBy } from '../../src/model/words/option-parser.ts';
import { fieldName } from '../../src/model/words/parameter.ts';

const everything = [...grantableActions];

describe('rights', () => {
  const policy: ControlPolicy = {
    owners: [500],
    grants: [
      { to: { kind: 'user', uid: 1000 }, actions: ['restart'] },
      { to: { kind: 'group', gid: 27 }, actions: 'all' },
      { to: { kind: 'everybody' }, actions: ['logs'] },
    ],
  };
  const rights = createRights({ uid: 400, policy: () => policy });
  const allowed = (uid: number, gid: number, groups: readonly number[] = []) =>
    everything.filter((action) => rights.may({ uid, gid, groups }, action));

  it('root, chaperone and the account of the services may do everything', () => {
    expect(allowed(0, 5)).toEqual(everything);
    expect(allowed(400, 400)).toEqual(everything);
    expect(allowed(500, 500)).toEqual(everything);
    expect(rights.isOwner({ uid: 500, gid: 0, groups: [] })).toBe(true);
  });

  it('others may what is granted: to them, to one of their groups, to everybody', () => {
    expect(allowed(1000, 1000)).toEqual(['restart', 'logs']);
    expect(allowed(1001, 1001, [4, 27])).toEqual(everything);
    expect(allowed(1002, 27)).toEqual(everything);
    expect(allowed(1003, 1003, [4])).toEqual(['logs']);
    expect(rights.isOwner({ uid: 1001, gid: 27, groups: [27] })).toBe(false);
  });

  it('a caller from outside of the PID namespace has what everybody has, whatever its uid and groups', () => {
    for (const uid of [0, 400, 500, 1000]) {
      const caller = { uid, gid: 27, groups: [27], isForeign: true } as const;
      expect([uid, everything.filter((action) => rights.may(caller, action))]).toEqual([uid, ['logs']]);
      expect([rights.isOwner(caller), rights.isHost(caller)]).toEqual([false, false]);
    }
  });

  it('only root and chaperone always find room', () => {
    const isHost = (uid: number): boolean => rights.isHost({ uid, gid: 0, groups: [] });
    expect([0, 400, 500, 1000].map(isHost)).toEqual([true, true, false, false]);
  });

  it('the group 0 is no root', () => {
    const strict = createRights({ uid: 0, policy: () => ({ owners: [], grants: [] }) });
    expect(strict.may({ uid: 9, gid: 0, groups: [0] }, 'stop')).toBe(false);
  });

  it('are those of the configuration in force', () => {
    let inForce: ControlPolicy = { owners: [], grants: [] };
    const changing = createRights({ uid: 0, policy: () => inForce });
    const caller = { uid: 1000, gid: 1000, groups: [] };
    expect(changing.may(caller, 'stop')).toBe(false);
    inForce = { owners: [], grants: [{ to: { kind: 'user', uid: 1000 }, actions: ['stop'] }] };
    expect(changing.may(caller, 'stop')).toBe(true);
  });
});

describe('what a command needs', () => {
  it.each([
    ['status web', []],
    ['dependencies', []],
    ['wait web', []],
    ['loglevel', []],
    ['loglevel debug', ['loglevel']],
    ['start web', ['start']],
    ['start --enable --force web', ['start', 'enable', 'stop']],
    ['restart --force web', ['restart', 'stop']],
    ['stop --disable web', ['stop', 'disable']],
    ['reset --force web', ['reset', 'stop']],
    ['restart web', ['restart']],
    ['kill web TERM', ['kill']],
    ['enable web', ['enable']],
    ['shutdown', ['shutdown']],
    ['reload --dry-run', ['reload']],
  ])('%s', (line, needed) => {
    const parsed = parseLine(line);
    expect(parsed.kind === 'command' && neededFor(parsed.command)).toEqual(needed);
  });

  it.each(verbs)('%s needs of words what it needs of typed fields', (verb) => {
    const entry = commandEntry(verb);
    for (const parameter of fieldsOf(entry)) {
      const text = parameter.choices?.[0] ?? { signal: 'TERM', level: 'info' }[parameter.name] ?? '1';
      const texts = new Map<string, readonly string[]>([[parameter.name, [text]]]);
      if (entry.word?.required === true) texts.set(entry.word.parameter.name, [verb === 'scale' ? '3' : 'TERM']);
      const command = commandOf(verb, ['web'], givenBy(texts));
      expect(command).toBeDefined();
      if (command !== undefined) {
        expect(neededFor(command)).toEqual(neededWith(verb, (field) => field === fieldName(parameter)));
      }
    }
  });
});

describe('the table of commands', () => {
  it('needs only what can be granted, and all that changes something needs what it is called', () => {
    const reading = ['status', 'dependencies', 'wait'];
    for (const verb of verbs) {
      const all = neededWith(verb, () => true);
      expect(everything).toEqual(expect.arrayContaining([...all]));
      expect([verb, all.some((action) => action === verb)]).toEqual([verb, !reading.includes(verb)]);
    }
  });
});
