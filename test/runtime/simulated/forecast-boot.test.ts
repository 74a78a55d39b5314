import { describe, expect, it } from 'vitest';
import type { Forecast } from '../../../src/inspect/forecast.ts';
import { type Mishap, parseMishap } from '../../../src/model/order/boot-assumptions.ts';
import type { ServiceSpec, SystemSpec } from '../../../src/model/service/service-spec.ts';
import { forecastBoot } from '../../../src/runtime/simulated/forecast-boot.ts';
import { serviceSpec, systemSpec } from '../../model/specs.ts';

interface Told {
  readonly times?: Readonly<Record<string, number>>;
  readonly fail?: Readonly<Record<string, string>>;
}

function service(name: string, changes: Partial<ServiceSpec> = {}): ServiceSpec {
  return serviceSpec({ name: `${name}.service`, argv: ['/bin/one-for-all'], ...changes });
}

/** Boots with times and mishaps by short names; other services take 100 ms. */
function boot(services: readonly ServiceSpec[], { times = {}, fail = {} }: Told = {}, more: Partial<SystemSpec> = {}) {
  const full = <T>(entries: Readonly<Record<string, T>>) =>
    new Map(Object.entries(entries).map(([name, value]): [string, T] => [`${name}.service`, value]));
  const mishaps = new Map<string, Mishap>();
  for (const [name, text] of full(fail)) {
    const mishap = parseMishap(text);
    if (mishap !== undefined) mishaps.set(name, mishap);
  }
  return forecastBoot(systemSpec(services, more), { times: full(times), mishaps, otherwise: 100 });
}

/** `name state started-settled` for each service. */
function courses({ services }: Forecast): readonly string[] {
  return services.map(
    ({ name, state, started, settled }) =>
      `${name.replace('.service', '')} ${state} ${started ?? '–'}-${settled ?? '–'}`,
  );
}

describe('a boot in virtual time', () => {
  it('comes to its end where a start is tried again, for ever too', () => {
    const again = { type: 'oneshot', restartDelay: 1_000, restartPolicy: { startFailure: true } } as const;
    const fail = { web: 'exit:3' };
    const given = boot([service('web', { ...again, restartLimit: 2 })], { fail });
    expect(given).toMatchObject({ kind: 'failed', exitStatus: 1 });
    expect(courses(given)).toEqual(['web failed 0-2300']);
    const endless = boot([service('web', { ...again, restartLimit: Number.POSITIVE_INFINITY }), service('db')], {
      fail,
    });
    expect(endless).toMatchObject({
      kind: 'failed',
      exitStatus: 1,
      lines: ['chaperone: web.service was tried 1000 times, and would be tried again: the boot never becomes ready'],
    });
  });

  it('makes each type ready when its time has come, whatever program it runs', () => {
    const result = boot(
      [
        service('one', { type: 'oneshot' }),
        service('note', { type: 'notify', watchdog: 10 }),
        service('fork', { type: 'forking' }),
        service('forkpid', { type: 'forking', pidfile: '/run/f.pid' }),
        service('plain'),
        service('pid', { pidfile: '/run/p.pid', startupPause: 0 }),
        service('port', { type: 'inetd', port: 80 }),
        service('cron', { type: 'cron', interval: '* * * * *' }),
        service('off', { enabled: false }),
      ],
      { times: { note: 2_000, fork: 300, forkpid: 400, pid: 20 } },
    );
    expect(courses(result)).toEqual([
      'one ready 0-100',
      'note ready 0-2000',
      'fork ready 0-300',
      'forkpid ready 0-400',
      'plain ready 0-500',
      'pid ready 0-20',
      'port ready 0-0',
      'cron ready 0-0',
      'off disabled –-–',
    ]);
    expect(result).toMatchObject({ kind: 'ready', ready: 2_000 });
  });

  it('knows the prerequisite that each service waited for', () => {
    const { services } = boot(
      [
        service('a', { type: 'oneshot' }),
        service('b', { type: 'oneshot' }),
        service('c', { prerequisites: ['a.service', 'b.service'] }),
        service('last', { groups: ['IDLE'], prerequisites: ['a.service'] }),
      ],
      { times: { b: 250 } },
    );
    expect(services.map(({ waitedFor }) => waitedFor)).toEqual([undefined, undefined, 'b.service', undefined]);
    // IDLE services come after all others and a pause.
    expect(services.at(-1)).toMatchObject({ started: 1_750, settled: 2_250 });
  });

  it('takes the time of a simple service as its startup_pause', () => {
    expect(boot([service('a')], { times: { a: 20 } })).toMatchObject({ kind: 'ready', ready: 20 });
  });

  it.each([
    ['oneshot', 'exit:3', 'ended with exit 3 instead of exit 0'],
    ['oneshot', 'signal:11', 'ended with SIGSEGV instead of exit 0'],
    ['oneshot', 'hang', 'no exit within 30 s (process_timeout)'],
    ['oneshot', 'late:30s', 'no exit within 30 s (process_timeout)'],
    ['forking', 'hang', 'no exit within 30 s (process_timeout)'],
    ['notify', 'exit:1', 'ended with exit 1 before it sent READY=1'],
    ['notify', 'exit:0', 'no READY=1 within 30 s (process_timeout), its process had ended normally'],
    ['notify', 'hang', 'no READY=1 within 30 s (process_timeout)'],
    ['simple', 'exit:1', 'ended with exit 1 within 0.5 s of its start (startup_pause)'],
  ] as const)('tells as a failing boot does why a %s that does %s did not come up', (type, how, why) => {
    const result = boot([service('a', { type }), service('b', { prerequisites: ['a.service'] })], { fail: { a: how } });
    expect(result.kind === 'failed' && result.lines.join('\n')).toContain(why);
    expect(result).toMatchObject({ kind: 'failed', exitStatus: 1 });
    expect(courses(result)).toEqual([expect.stringMatching(/^a failed 0-/), 'b pending –-–']);
    expect(result.services[1]?.unmet).toEqual(['a.service']);
  });

  it('goes on after a failure that is ignored, and after what is only late', () => {
    const b = service('b', { prerequisites: ['a.service'], startupPause: 0 });
    const ignored = boot([service('a', { type: 'oneshot', ignoreFailures: true }), b], { fail: { a: 'exit:1' } });
    expect(ignored).toMatchObject({ kind: 'ready', ready: 100 });
    expect(courses(ignored)).toEqual(['a failed 0-100', 'b ready 100-100']);
    expect(boot([service('a', { type: 'oneshot' }), b], { fail: { a: 'late:5s' } })).toMatchObject({ ready: 5_100 });
    expect(boot([service('a'), b], { fail: { a: 'exit:0' } })).toMatchObject({ kind: 'ready', ready: 0 });
  });

  it('is ready at once where nothing is enabled', () => {
    expect(boot([service('a', { enabled: false })])).toMatchObject({ kind: 'ready', ready: 0 });
  });

  it('ends with the system where an exit_kills service ends before READY', () => {
    const result = boot([service('a', { type: 'oneshot', exitKills: true }), service('b')]);
    expect(result).toMatchObject({ kind: 'failed', exitStatus: 0 });
  });
});
