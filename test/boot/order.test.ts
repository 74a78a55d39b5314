import { describe, expect, it } from 'vitest';
import { boot, config, expectOrder, logAll } from './namespace.ts';

const oneshot = (text: string, more: Readonly<Record<string, unknown>> = {}) => ({
  type: 'oneshot',
  command: `echo ${text}`,
  ...more,
});

/** The index of the only line that matches. */
function at(lines: readonly string[], pattern: RegExp): number {
  const found = lines.flatMap((line, index) => (pattern.test(line) ? [index] : []));
  expect(found, `${pattern} in\n${lines.join('\n')}`).toHaveLength(1);
  return found[0] ?? -1;
}

describe('the order of a boot', () => {
  it('starts three layers one after the other, each when the one below is ready', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'top.service': oneshot('top ran', { after: 'middle.service' }),
          'middle.service': oneshot('middle ran', { after: 'bottom.service' }),
          'bottom.service': oneshot('bottom ran'),
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(
      system.lines('stdout'),
      ['bottom', 'middle', 'top'].flatMap((name) => [
        new RegExp(`${name}.service prerequisites satisfied`),
        new RegExp(`${name}.service attempting start 'echo ${name} ran'\\.\\.\\.`),
        new RegExp(`${name}\\[\\d+\\]: ${name} ran`),
        new RegExp(`${name}.service successfully started`),
      ]),
    );
    expect(system.lines('stderr')).toEqual([]);
  });

  it('starts together what can start together: two services that wait for each other meet', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'first.service': oneshot('first'),
          'left.service': {
            type: 'oneshot',
            command: '$(FIXTURES)/meet left right',
            directory: '$(_CHAP_CONFIG_DIR)',
            after: 'first.service',
          },
          'right.service': {
            type: 'oneshot',
            command: '$(FIXTURES)/meet right left',
            directory: '$(_CHAP_CONFIG_DIR)',
            after: 'first.service',
          },
          'last.service': oneshot('last came', { after: 'left.service, right.service' }),
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout');
    const last = at(lines, /last\[\d+\]: last came/);
    expect(at(lines, /left\[\d+\]: met right/)).toBeLessThan(last);
    expect(at(lines, /right\[\d+\]: met left/)).toBeLessThan(last);
  });

  it('starts INIT first and IDLE last, after idle_delay', async () => {
    const system = boot({
      args: ['--inspect'],
      files: {
        'x.conf': config({
          settings: { idle_delay: 0.3 },
          'idle.service': oneshot('idle ran', { service_groups: 'IDLE' }),
          'one.service': oneshot('one ran'),
          'two.service': oneshot('two ran', { after: 'one.service' }),
          'init.service': oneshot('init ran', { service_groups: 'INIT' }),
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /init\[\d+\]: init ran/,
      /one\[\d+\]: one ran/,
      /two\[\d+\]: two ran/,
      /idle\[\d+\]: idle ran/,
    ]);
    expectOrder(system.lines('stdout'), [
      /two .* → ready\.exited/,
      /system .* → booting\.idling .*IDLE services in 0\.3 s/,
      /system .* → booting\.lastStage/,
      /idle .* → starting/,
    ]);
  });

  it('understands "before", and groups on both sides', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'z.service': oneshot('z ran', { before: 'a.service' }),
          'a.service': oneshot('a ran', { service_groups: 'middle' }),
          'b.service': oneshot('b ran', { service_groups: 'middle' }),
          'early.service': oneshot('early ran', { before: 'middle, z.service' }),
          'late.service': oneshot('late ran', { after: 'middle' }),
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout');
    const [z, a, b, early, late] = ['z', 'a', 'b', 'early', 'late'].map((name) =>
      at(lines, new RegExp(`${name}\\[\\d+\\]: ${name} ran`)),
    );
    expect(early).toBeLessThan(Math.min(z ?? -1, b ?? -1));
    expect(z).toBeLessThan(a ?? -1);
    expect(late).toBeGreaterThan(Math.max(a ?? -1, b ?? -1));
  });

  it('counts a disabled service as satisfied', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'off.service': oneshot('off ran', { enabled: false }),
          'on.service': oneshot('on ran', { after: 'off.service' }),
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout');
    expectOrder(lines, [/service off\.service not enabled, will be skipped/, /on\[\d+\]: on ran/]);
    expect(lines.join('\n')).not.toMatch(/off ran/);
  });
});
