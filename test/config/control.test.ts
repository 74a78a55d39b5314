import { describe, expect, it } from 'vitest';
import { errorsOf, loadFiles, specOf } from './loading.ts';

const control = (text: string, more: string = ''): string =>
  `settings:\n  control:\n    allow:\n${text}${more}\na.service: { command: "true" }\n`;

describe('control: allow', () => {
  it('grants rights to users, groups and everybody', () => {
    const { control: policy } = specOf(
      control(
        '      users: { joe: "restart, reload", 33: [logs, "start,stop"], 5000: all }\n' +
          '      groups: { adm: all, 77: [ run, run ] }\n' +
          '      everybody: logs\n',
      ),
    );
    expect(policy.grants).toEqual([
      { to: { kind: 'user', uid: 1000 }, actions: ['restart', 'reload'] },
      { to: { kind: 'user', uid: 33 }, actions: ['logs', 'start', 'stop'] },
      { to: { kind: 'user', uid: 5000 }, actions: 'all' },
      { to: { kind: 'group', gid: 4 }, actions: 'all' },
      { to: { kind: 'group', gid: 77 }, actions: ['run'] },
      { to: { kind: 'everybody' }, actions: ['logs'] },
    ]);
  });

  it('grants nothing where nothing stands', () => {
    for (const text of ['settings: { control: }', 'settings: { control: { allow: { users: } } }', '']) {
      expect(specOf(`${text}\na.service: { command: "true" }\n`).control.grants).toEqual([]);
    }
  });

  it('of two files the later one counts, as a whole', () => {
    const { spec } = loadFiles({
      '1.conf': control('      everybody: all\n'),
      '2.conf': 'settings: { control: { allow: { users: { joe: logs } } } }\n',
    });
    expect(spec?.control.grants).toEqual([{ to: { kind: 'user', uid: 1000 }, actions: ['logs'] }]);
  });

  it('shows mistakes where they stand', () => {
    expect(
      errorsOf(
        control(
          '      users: { jeo: all, joe: "stop, starrt, status" }\n' +
            '      groups: { wheel: all }\n' +
            '      everbody: logs\n' +
            '      everybody:\n',
          '    alow: {}\n',
        ),
      ),
    ).toMatchInlineSnapshot(`
      "chaperone: 5 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:4:38: "joe" in users of allow of control of settings names no right: "starrt" [unknown-right]
          4 |       users: { jeo: all, joe: "stop, starrt, status" }
            |                                      ^^^^^^ did you mean "start"?

      chaperone.d/x.conf:4:46: "joe" in users of allow of control of settings names no right: "status" [unknown-right]
          4 |       users: { jeo: all, joe: "stop, starrt, status" }
            |                                              ^^^^^^ everybody may read the status

      chaperone.d/x.conf:6:7: unknown key "everbody" in allow of control of settings [unknown-key]
          6 |       everbody: logs
            |       ^^^^^^^^ did you mean "everybody"?

      chaperone.d/x.conf:7:17: everybody of allow of control of settings names no right [empty-value]
          7 |       everybody:
            |                 ^ expected all, or some of start, stop, restart, reset, kill, enable, disable, loglevel, logs, reload, scale, run, run-now, shutdown

      chaperone.d/x.conf:8:5: unknown key "alow" in control of settings [unknown-key]
          8 |     alow: {}
            |     ^^^^ did you mean "allow"?
      "
    `);
    expect(errorsOf(control('      users: [ joe ]\n      groups: { adm: { stop: true } }\n'))).toMatchInlineSnapshot(`
      "chaperone: 2 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:4:14: users of allow of control of settings is a list [wrong-shape]
          4 |       users: [ joe ]
            |              ^^^^^^^ expected a map of users to rights

      chaperone.d/x.conf:5:22: "adm" in groups of allow of control of settings is a map [wrong-shape]
          5 |       groups: { adm: { stop: true } }
            |                      ^^^^^^^^^^^^^^ expected names with commas between them
      "
    `);
    expect(errorsOf(control('      users: { jeo: all }\n      groups: { wheel: all }\n'))).toMatchInlineSnapshot(`
      "chaperone: 2 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:4:16: allow of control names "jeo", which is no user of this system [unknown-user]
          4 |       users: { jeo: all }
            |                ^^^ expected a user name or a number

      chaperone.d/x.conf:5:17: allow of control names "wheel", which is no group of this system [unknown-group]
          5 |       groups: { wheel: all }
            |                 ^^^^^ expected a group name or a number
      "
    `);
  });
});

describe('the accounts that may do everything', () => {
  const owners = (settings: string, user?: string): readonly number[] =>
    specOf(`${settings}\na.service: { command: "true" }\n`, user === undefined ? {} : { user }).control.owners;

  it('are those that services run as by default', () => {
    expect(owners('')).toEqual([]);
    expect(owners('settings: { uid: joe }')).toEqual([1000]);
    expect(owners('', 'www')).toEqual([33]);
    expect(owners('settings: { uid: joe }', 'www')).toEqual([33, 1000]);
    expect(owners('settings: { uid: joe }', 'joe')).toEqual([1000]);
  });

  it('are not those of single services', () => {
    expect(specOf('a.service: { command: "true", uid: joe }\n').control.owners).toEqual([]);
  });
});
