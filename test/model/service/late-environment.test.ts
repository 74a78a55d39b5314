import { expect, it } from 'vitest';
import {
  commandKey,
  environmentOfRun,
  lateVariables,
  notifyVariables,
} from '../../../src/model/service/late-environment.ts';

it.each(['__proto__', 'constructor', 'toString'])('gives a run the variable %s as it gives any other', (name) => {
  const environment = environmentOfRun(
    {
      environment: { PLAIN: 'x' },
      late: { levels: [{ values: new Map([[name, '$(SERIAL)']]) }], names: [name], outputs: new Map() },
    },
    { SERIAL: '7' },
  );
  expect(Object.entries(environment)).toEqual([
    ['PLAIN', 'x'],
    ['SERIAL', '7'],
    [name, '7'],
  ]);
});

const joe = { name: 'joe', uid: 5, gid: 6, groups: [7, 8] };

it('the environment of a run is that of the configuration where nothing depends on the run', () => {
  const configured = { environment: { A: 'a' } };
  expect(environmentOfRun(configured, {})).toBe(configured.environment);
  expect(environmentOfRun(configured, { _CHAP_SERVICE_SERIAL: '7' })).toBe(configured.environment);
  expect(environmentOfRun(configured, { _CHAP_SERVICE_SERIAL: '7', NOTIFY_SOCKET: '/run/x' })).toEqual({
    A: 'a',
    NOTIFY_SOCKET: '/run/x',
  });
});

it('a run takes what a late variable holds as it is, and leaves out what cannot be expanded', () => {
  const levels = [
    {
      values: new Map([
        ['A', 'a$(SERIAL)'],
        ['B', '$(SERIAL:+$(U:?no U))'],
      ]),
    },
  ];
  const late = { levels, names: ['A', 'B', 'U'], outputs: new Map<string, string>() };
  expect(environmentOfRun({ environment: { B: 'stands' }, late }, { SERIAL: '$(X)' })).toEqual({
    A: 'a$(X)',
    B: 'stands',
    SERIAL: '$(X)',
  });
});

it('a command in backticks of a late variable has the output that its account got', () => {
  const levels = [
    { values: new Map([['A', '$(SERIAL) `id`']]) },
    { values: new Map([['B', '$(SERIAL) `id`']]), account: joe },
  ];
  const outputs = new Map([
    [commandKey('id', undefined), 'root'],
    [commandKey('id', joe), 'joe'],
  ]);
  const late = { levels, names: ['A', 'B'], outputs };
  expect(environmentOfRun({ environment: {}, late }, { SERIAL: '7' })).toEqual({
    A: '7 root',
    B: '7 joe',
    SERIAL: '7',
  });
});

it('a command has one output for each account, with all of its groups', () => {
  const others = [undefined, { ...joe, uid: 9 }, { ...joe, gid: 9 }, { ...joe, groups: [7] }];
  expect(new Set([joe, ...others].map((account) => commandKey('id', account))).size).toBe(5);
  expect(commandKey('id', { ...joe, name: 'other' })).toBe(commandKey('id', joe));
});

it('late variables have stand-ins until a service starts', () => {
  expect(lateVariables).toEqual({ _CHAP_SERVICE_SERIAL: '1', _CHAP_SERVICE_TIME: '0' });
  expect(notifyVariables).toEqual({ NOTIFY_SOCKET: '/run/chaperone/notify' });
});
