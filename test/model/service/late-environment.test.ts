import { expect, it } from 'vitest';
import { environmentOfRun } from '../../../src/model/service/late-environment.ts';

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
