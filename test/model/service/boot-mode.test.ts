import { describe, expect, it } from 'vitest';
import { groupOf, inMode, modeVariables } from '../../../src/model/service/boot-mode.ts';
import { serviceSpec, systemSpec } from '../specs.ts';

const spec = systemSpec([
  serviceSpec({ name: 'CONSOLE' }),
  serviceSpec({ name: 'boot.service', groups: ['boot-scripts'] }),
  serviceSpec({ name: 'before.service', groups: ['prestart-scripts'] }),
  serviceSpec({ name: 'after.service', groups: ['default', 'shutdown-scripts'] }),
  serviceSpec({ name: 'web.service' }),
  serviceSpec({ name: 'off.service', enabled: false }),
  serviceSpec({ name: 'lax.service', ignoreFailures: true }),
]);

describe('a container that is started for a person', () => {
  const mode = (interactive: boolean, safe: boolean) => inMode(spec, { interactive, safe });
  const names = (made: typeof spec, is: (service: (typeof spec.services)[number]) => boolean): readonly string[] =>
    made.services.filter(is).map(({ name }) => name);

  it('is as it is configured without a mode', () => {
    expect(mode(false, false)).toBe(spec);
  });

  it('runs its scripts, and holds its services, where it is interactive', () => {
    const made = mode(true, false);
    expect(names(made, ({ enabled }) => enabled)).toEqual([
      'CONSOLE',
      'boot.service',
      'before.service',
      'after.service',
    ]);
    expect(names(made, ({ held }) => held === true)).toEqual(['web.service', 'lax.service']);
    expect(names(made, ({ ignoreFailures }) => ignoreFailures)).toEqual(['lax.service']);
    expect(made.detectExit).toBe(true);
  });

  it.each([
    true,
    false,
  ])('runs no scripts before the start in safe mode, and lives on after failures: %s', (interactive) => {
    const made = mode(interactive, true);
    expect(names(made, ({ enabled }) => enabled)).toEqual(['CONSOLE', 'boot.service', 'after.service']);
    expect(names(made, ({ held }) => held === true)).toEqual(['before.service', 'web.service', 'lax.service']);
    expect(names(made, ({ ignoreFailures }) => !ignoreFailures)).toEqual(['CONSOLE']);
    expect(made.detectExit).toBe(false);
    expect(inMode({ ...spec, detectExit: false }, { interactive: true, safe: false }).detectExit).toBe(false);
  });

  it('is asked for by variables, and has a group for each kind of script', () => {
    expect(modeVariables).toEqual({ interactive: 'INTERACTIVE', safe: 'SAFEMODE' });
    expect(groupOf('shutdown-script')).toBe('shutdown-scripts');
  });
});
