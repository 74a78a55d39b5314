import { describe, expect, it } from 'vitest';
import {
  type Forecast,
  type ForecastReport,
  forecastJson,
  isWorse,
  readBaseline,
  renderForecast,
} from '../../src/inspect/forecast.ts';

const services: Forecast['services'] = [
  { name: 'prepare.service', type: 'oneshot', state: 'ready', started: 0, settled: 100 },
  { name: 'db.service', type: 'notify', state: 'ready', started: 100, settled: 600, waitedFor: 'prepare.service' },
  { name: 'tick.service', type: 'cron', state: 'ready', started: 0, settled: 0 },
  { name: 'off.service', type: 'simple', state: 'disabled' },
  { name: 'last.service', type: 'oneshot', state: 'ready', started: 1_600, settled: 2_000 },
];
const ready: Forecast = { kind: 'ready', services, ready: 2_000 };
const failed: Forecast = {
  kind: 'failed',
  exitStatus: 1,
  lines: ['chaperone: system failed: db.service did not become ready', '  why     …'],
  services: [
    { name: 'db.service', type: 'notify', state: 'failed', started: 0, settled: 1_000 },
    { name: 'slow.service', type: 'oneshot', state: 'starting', started: 500 },
    { name: 'web.service', type: 'simple', state: 'pending', unmet: ['db.service'] },
  ],
};

function report(changes: Partial<ForecastReport> = {}): ForecastReport {
  return {
    path: '/etc/chaperone.d',
    forecast: ready,
    origins: new Map([
      ['prepare.service', 'assumed'],
      ['db.service', 'given'],
      ['tick.service', 'schedule'],
      ['off.service', 'assumed'],
      ['last.service', 'assumed'],
    ]),
    mishaps: new Map(),
    otherwise: 100,
    standIns: { commands: [], accounts: [], programs: [] },
    ...changes,
  };
}

describe('the page of a boot in virtual time', () => {
  it('shows who waited and started when, what decided, what was assumed, and READY', () => {
    expect(renderForecast(report())).toBe(`the boot of /etc/chaperone.d in virtual time: nothing was started

           0 s                              2.000 s  started    ready     took
  prepare  ██──────────────────────────────────────    0.000    0.100    0.100  oneshot, assumed
  tick     █───────────────────────────────────────    0.000    0.000    0.000  cron
  db       ··██████████────────────────────────────    0.100    0.600    0.500  notify, given
  last     ································████████    1.600    2.000    0.400  oneshot, assumed
  off                                                      –        –        –  disabled
           · waits  █ starts  ─ is ready  × failed

critical chain: last 0.400 s ← db 0.500 s ← prepare 0.100 s
and 1.000 s of idle_delay before last

the time that each took to become ready
    0.500 s  db
    0.400 s  last
    0.100 s  prepare

assumed: 0.100 s (--assume) until ready: prepare, last

ready in 2.000 s
`);
  });

  it('ends with the explanation where READY is not reached', () => {
    const text = renderForecast(report({ forecast: failed, mishaps: new Map([['db.service', { kind: 'hang' }]]) }));
    expect(text).toContain(
      '  db    ███████████████████████████████████████×    0.000        –        –  notify, hangs, failed\n',
    );
    expect(text).toContain('  slow  ····················████████████████████    0.500        –        –  oneshot\n');
    expect(text).toContain(
      '  web   ········································        –        –        –  never started: waits for db\n',
    );
    expect(text.endsWith('\n\nchaperone: system failed: db.service did not become ready\n  why     …\n')).toBe(true);
  });

  it('names what stood for something', () => {
    const standIns = { commands: ['nproc', 'id -u'], accounts: ['redis'], programs: ['nginx'] };
    const text = renderForecast(report({ standIns }));
    expect(text).toContain('not run, and took as giving nothing: `nproc`, `id -u`\n');
    expect(text).toContain('not on this machine, and taken as there: the accounts redis\n');
    expect(text).toContain('not on this machine, and taken as there: the programs nginx\n');
  });

  it('shortens the list of the slowest', () => {
    const many = Array.from({ length: 12 }, (_, index) => ({
      name: `s${index}.service`,
      type: 'oneshot' as const,
      state: 'ready' as const,
      started: 0,
      settled: 10 + index,
    }));
    const text = renderForecast(report({ forecast: { kind: 'ready', services: many, ready: 21 } }));
    expect(text).toContain('    0.021 s  s11\n');
    expect(text).toContain('    0.012 s  s2\n             and 2 more\n');
  });

  it.each([
    [1_500, '0.500 s sooner'],
    [2_000, 'no gain'],
    [2_250, '0.250 s later'],
  ])('says what the boot gains: ready in %d ms', (after, verdict) => {
    const whatIf = { times: new Map([['db.service', 50]]), forecast: { ...ready, ready: after } };
    const time = (after / 1_000).toFixed(3);
    expect(renderForecast(report({ whatIf }))).toContain(
      `with db in 0.050 s: ready in ${time} s instead of 2.000 s: ${verdict}\ncritical chain: last`,
    );
  });

  it('says where only one of the two boots gets ready', () => {
    const times = new Map([['db.service', 50]]);
    expect(renderForecast(report({ whatIf: { times, forecast: failed } }))).toContain(
      'with db in 0.050 s: never ready\nchaperone: system failed',
    );
    expect(renderForecast(report({ forecast: failed, whatIf: { times, forecast: ready } }))).toContain(
      'with db in 0.050 s: ready in 2.000 s\n',
    );
  });

  it.each([
    [2_000, 0, false, 'ready as soon as in the baseline (2.000 s)\n'],
    [1_900, 100, false, 'ready 0.100 s later than in the baseline (1.900 s)\n'],
    [1_900, 99, true, 'ready 0.100 s later than in the baseline (1.900 s); 0.099 s are allowed (--tolerance)\n'],
    [2_500, 0, false, 'ready 0.500 s sooner than in the baseline (2.500 s)\n'],
  ])('compares with a baseline of %d ms and %d ms', (then, tolerance, worse, text) => {
    const compared = report({ baseline: { ready: then, tolerance } });
    expect(isWorse(compared)).toBe(worse);
    expect(renderForecast(compared)).toContain(text);
  });
});

describe('the object of a boot in virtual time', () => {
  it('can be a baseline, unless the boot failed', () => {
    expect(readBaseline(forecastJson(report()))).toBe(2_000);
    expect(readBaseline(forecastJson(report({ forecast: failed })))).toBeUndefined();
    for (const text of ['', 'null', '[]', '{"readyAfter":"1"}']) expect(readBaseline(text)).toBeUndefined();
  });

  it('tells everything', () => {
    const whatIf = { times: new Map([['db.service', 50]]), forecast: failed };
    const value: unknown = JSON.parse(forecastJson(report({ whatIf, baseline: { ready: 1, tolerance: 0 } })));
    expect(value).toMatchObject({
      config: '/etc/chaperone.d',
      ready: true,
      readyAfter: 2_000,
      criticalChain: ['last', 'db', 'prepare'],
      assumed: { ms: 100, services: ['prepare.service', 'last.service'] },
      standIns: { commands: [], accounts: [], programs: [] },
      whatIf: { times: { 'db.service': 50 }, ready: false, exitStatus: 1, explanation: failed.lines },
      baseline: { ready: 1, tolerance: 0, worse: true },
    });
    expect(value).toHaveProperty('services.1', {
      name: 'db.service',
      type: 'notify',
      state: 'ready',
      started: 100,
      settled: 600,
      took: 500,
      waitedFor: 'prepare.service',
      timeFrom: 'given',
    });
  });
});
