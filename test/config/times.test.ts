/** Times with units, and top-level keys that nothing reads. */
import { describe, expect, it } from 'vitest';
import { directives } from '../../src/config/directives.ts';
import { errorsOf, serviceOf, specOf } from './loading.ts';

const web = (more: string): string => `web.service: { command: /bin/true, ${more} }`;

describe('a time', () => {
  it.each([
    ['500ms', 500],
    ['2s', 2_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['3d', 259_200_000],
    ['7', 7_000],
    ['0.25', 250],
    ['0', 0],
    ['1:30', 90_000],
  ])('may be written as %s', (text, ms) => {
    const { processTimeout, restartDelay } = serviceOf(
      web(`process_timeout: ${text}, restart_delay: "${text.replace('1:30', '90')}"`),
    );
    expect([processTimeout, restartDelay]).toEqual([ms, ms]);
  });

  it('takes units in every directive of the settings and of services that is a time', () => {
    const times = [...directives.service.values()].filter(({ kind }) => kind === 'seconds').map(({ key }) => key);
    expect(times).toContain('watchdog');
    for (const key of times) {
      const type =
        key === 'jitter' ? 'type: cron, interval: "@daily"' : 'type: notify, restart: true, restart_backoff: 2';
      expect(errorsOf(`web.service: { command: /bin/true, ${type}, ${key}: 1m30s }`)).toBe('');
    }
    const spec = specOf('settings: { shutdown_timeout: 1m, idle_delay: 20ms, status_interval: 1h, startup_pause: 2s }');
    expect(spec).toMatchObject({ shutdownTimeout: 60_000, idleDelay: 20, statusInterval: 3_600_000 });
  });

  it.each(['soon', '5 minutes', '-2s', '2w', '1m30', 's', '1e999'])('is not %s', (text) => {
    expect(errorsOf(web(`process_timeout: "${text}"`))).toMatch(
      /process_timeout of web\.service is (?:not a time|too long a time)/,
    );
  });
});

describe('a top-level key that begins with x-', () => {
  it('is skipped, and its anchors serve the sections', () => {
    const text =
      'x-common: &common { restart: true, restart_delay: 5s }\nweb.service: { <<: *common, command: /bin/true }\n';
    expect(serviceOf(text)).toMatchObject({ restart: true, restartDelay: 5_000 });
    expect(errorsOf('x-anything: [1, {a: 2}]\nx-1:\nweb.service: { command: /bin/true }')).toBe('');
  });

  it('does not hide a service of such a name, nor a mistyped section', () => {
    expect(serviceOf('x-server.service: { command: /bin/true }').name).toBe('x-server.service');
    expect(errorsOf('x-server.service: {}')).toContain('x-server.service has no command');
    expect(errorsOf('xcommon: {}')).toContain('unknown section "xcommon"');
    expect(errorsOf('x-: {}')).toContain('unknown section "x-"');
  });
});
