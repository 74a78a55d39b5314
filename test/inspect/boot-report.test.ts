import { describe, expect, it } from 'vitest';
import { defaultTolerance, diffBoots, renderDiff } from '../../src/inspect/boot-diff.ts';
import { type BootReport, durationsOf, reportOf, type ServiceReport } from '../../src/inspect/boot-report.ts';
import { renderReport } from '../../src/inspect/render-report.ts';
import { simpleService, systemOf } from '../simulation/world.ts';
import { withFacts } from './entries.ts';
import { bootEntry, courseOf, inOrder, numbered, serviceEntry, webBoot } from './hand-made.ts';
import { recorded } from './recorded.ts';

/** prepare, then store and cache, then web; flaky fails again and again. */
const boot = recorded(
  systemOf([
    simpleService('prepare', { type: 'oneshot' }),
    simpleService('store', { prerequisites: ['prepare.service'], startupPause: 300 }),
    simpleService('web', { prerequisites: ['store.service'], startupPause: 500 }),
    simpleService('flaky', {
      prerequisites: ['prepare.service'],
      startupPause: 50,
      restart: true,
      restartDelay: 200,
      restartLimit: 2,
    }),
    simpleService('off', { enabled: false }),
  ]),
  {
    has: () => true,
    script: ([name]) => ({
      steps:
        name === 'prepare'
          ? [
              { do: 'wait', ms: 20 },
              { do: 'exit', code: 0 },
            ]
          : name === 'flaky'
            ? [
                { do: 'wait', ms: 100 },
                { do: 'exit', code: 1 },
              ]
            : [{ do: 'hang' }],
    }),
  },
);

describe('reportOf', () => {
  const report = reportOf(boot);

  it('knows how long each service took, and what it waited for', () => {
    const rows = report.services.map(({ name, took, waitedFor, waited, position }) => ({
      ...{ name, took, waitedFor, waited, position },
    }));
    expect(rows).toEqual([
      { name: 'prepare.service', took: 20, waitedFor: undefined, waited: undefined, position: 0 },
      { name: 'store.service', took: 300, waitedFor: 'prepare.service', waited: 20, position: 1 },
      { name: 'web.service', took: 500, waitedFor: 'store.service', waited: 320, position: 3 },
      { name: 'flaky.service', took: 50, waitedFor: 'prepare.service', waited: 20, position: 2 },
      { name: 'off.service', took: undefined, waitedFor: undefined, waited: undefined, position: undefined },
    ]);
  });

  it('knows what decided the length of the boot, and how it ended', () => {
    expect(report).toMatchObject({ ready: 820, lost: 0, end: { exitStatus: 0, cause: 'SIGTERM' } });
    expect(report.criticalChain.map(({ service }) => service)).toEqual(['web', 'store', 'prepare']);
  });

  it('knows restarts and failures, with their causes', () => {
    expect(report.services[3]).toMatchObject({
      restarts: 2,
      failures: [
        { at: 120, cause: 'exit 1' },
        { at: 420, cause: 'exit 1' },
        { at: 720, cause: 'exit 1' },
      ],
      state: 'failed',
    });
  });

  it('counts a normal end as the start that was waited for', () => {
    const entries = [
      bootEntry([serviceEntry('web'), serviceEntry('job')]),
      ...numbered(
        inOrder(
          courseOf('web', [
            [10, { starting: 'settling' }],
            [30, { ready: 'running' }],
            [90, 'exited'],
          ]),
          courseOf('job', [
            [10, { starting: 'settling' }],
            [15, 'exited'],
          ]),
        ),
      ),
    ];
    const { services } = reportOf(withFacts(entries));
    expect(services).toMatchObject([
      { name: 'web.service', took: 20, state: 'exited', failures: [] },
      { name: 'job.service', took: 5, state: 'exited', failures: [] },
    ]);
  });

  it('is the same for a boot that breaks off, as far as it goes', () => {
    const cut = reportOf(boot.filter(({ at }) => at < 400));
    expect(cut).not.toHaveProperty('end');
    expect(cut).not.toHaveProperty('ready');
    expect(cut.services[1]).toEqual({ ...report.services[1], state: 'ready.running' });
    expect(cut.services[2]).toMatchObject({ started: 320, state: 'starting.settling' });
  });

  it('is of nothing where nothing is recorded', () => {
    expect(reportOf([])).toMatchObject({ services: [], duration: 0, criticalChain: [] });
  });
});

describe('durationsOf', () => {
  it('has the services that were ready', () => {
    expect([...durationsOf(boot)]).toEqual([
      ['prepare.service', 20],
      ['store.service', 300],
      ['web.service', 500],
      ['flaky.service', 50],
    ]);
    expect([...durationsOf(withFacts(webBoot()))]).toEqual([['web.service', 8]]);
  });
});

describe('renderReport', () => {
  it('says it in aligned columns', () => {
    expect(
      renderReport({ ...reportOf(boot), boot: '0123456789', gaps: [{ from: 900, to: 1_000, count: 3 }] }),
    ).toMatchInlineSnapshot(`
      "boot 01234567  2030-01-01T00:00:00Z  simulated, chaperone 0.0.0
      ready in 0.820 s
      critical chain: web 0.500 s (61 %) ← store 0.300 s (37 %) ← prepare 0.020 s (2 %)
      ended after 10.000 s with exit status 0: SIGTERM
      of the time from 0.900 s to 1.000 s 3 entries are missing: what happened then is not counted

      blame
           0.500 s  web      waited 0.320 s for store
           0.300 s  store    waited 0.020 s for prepare
           0.050 s  flaky    waited 0.020 s for prepare
           0.020 s  prepare

      restarts
        flaky  2

      failures
           0.120 s  flaky  exit 1  3 times until 0.720 s
      "
    `);
  });

  it('keeps what a journal holds from steering a terminal', () => {
    const [first] = reportOf(boot).services;
    if (first === undefined) throw new Error('no service');
    const evil = '\u001b[2Jx\n';
    const text = renderReport({
      ...reportOf([]),
      hostname: evil,
      end: { exitStatus: 1, cause: evil },
      services: [{ ...first, name: evil, waitedFor: evil, failures: [{ at: 1, cause: evil }] }],
    });
    expect(text).not.toContain('\u001b');
    expect(text.split('\n').filter((line) => line.includes('x'))).toHaveLength(4);
  });
});

describe('diffBoots', () => {
  const base = reportOf(boot);

  function changed(
    changes: Readonly<Record<string, Partial<ServiceReport>>>,
    more: Partial<BootReport> = {},
  ): BootReport {
    return {
      ...base,
      ...more,
      services: base.services.map((service) => ({ ...service, ...changes[service.name.replace('.service', '')] })),
    };
  }

  const changesOf = (a: BootReport, b: BootReport) =>
    Object.fromEntries(
      diffBoots(a, b, defaultTolerance)
        .services.filter(({ changes }) => changes.length > 0)
        .map(({ name, changes }) => [name.replace('.service', ''), changes.map(({ text }) => text)]),
    );

  it('finds nothing between a boot and itself', () => {
    expect(changesOf(base, base)).toEqual({});
    expect(diffBoots(base, base, defaultTolerance).regressions).toEqual([]);
  });

  it('finds durations that changed by more than the tolerance', () => {
    const slower = changed({ store: { took: 400 }, web: { took: 601 }, prepare: { took: 119 } });
    expect(changesOf(base, slower)).toEqual({ web: ['+0.101 s (+20 %)'] });
    expect(changesOf(slower, base)).toEqual({ web: ['−0.101 s (−17 %)'] });
  });

  it('finds failures, restarts and what did not come up', () => {
    const part = changed({
      store: { failures: [{ at: 900, cause: 'exit 3' }], restarts: 1 },
      flaky: { failures: [], restarts: 0 },
    });
    const services = part.services.map(({ took, ready, ...service }) =>
      service.name === 'web.service' || took === undefined || ready === undefined
        ? { ...service, state: 'pending' }
        : { ...service, took, ready },
    );
    const worse = { ...part, services };
    expect(changesOf(base, worse)).toEqual({
      store: ['failed: exit 3', 'restarts: 1 instead of 0'],
      web: ['never ready: pending'],
      flaky: ['did not fail this time', 'restarts: 0 instead of 2'],
    });
  });

  it('finds services that came and went', () => {
    const fewer = { ...base, services: base.services.filter(({ name }) => name !== 'store.service') };
    expect(changesOf(base, fewer)).toEqual({ store: ['removed'] });
    expect(changesOf(fewer, base)).toEqual({ store: ['added'] });
  });

  it('finds what was waited for, and the edges of the graph', () => {
    const other = changed({
      web: { waitedFor: 'prepare.service', waitsFor: ['prepare.service', 'cache.service'] },
      store: { waited: 200 },
    });
    expect(changesOf(base, other)).toEqual({
      web: ['waited for prepare instead of store', 'no longer after store', 'now after prepare, cache'],
      store: ['waited for prepare 0.200 s instead of 0.020 s'],
    });
  });

  it('finds the one that started elsewhere, not those that it passed', () => {
    const order = changed({
      prepare: { position: 3 },
      store: { position: 0 },
      flaky: { position: 1 },
      web: { position: 2 },
    });
    expect(changesOf(base, order)).toEqual({ prepare: ['started as number 4 instead of 1'] });
  });

  it.each([
    ['no later than the tolerance', { ready: 984 }, []],
    ['later', { ready: 985 }, ['ready later by more than 20 % (and 0.100 s): +0.165 s (+20 %)']],
    ['sooner', { ready: 10 }, []],
    ['ended by Ctrl-C', { end: { exitStatus: 130, cause: 'SIGINT' } }, []],
    ['ended with a failure', { end: { exitStatus: 1, cause: 'x failed' } }, ['ended with exit status 1: x failed']],
  ])('judges a boot: %s', (_, more, regressions) => {
    expect(diffBoots(base, changed({}, more), defaultTolerance).regressions).toEqual(regressions);
  });

  it('judges a boot that never became ready, and a service that failed', () => {
    const { ready: _, ...never } = changed({ store: { failures: [{ at: 1, cause: 'exit 3' }] } });
    expect(diffBoots(base, never, defaultTolerance).regressions).toEqual([
      'the system did not become ready',
      'store failed: exit 3',
    ]);
  });

  it('is said in aligned columns', () => {
    const b = changed(
      { web: { took: 900 }, store: { failures: [{ at: 1, cause: 'exit 3' }] } },
      { ready: 1_220, boot: 'b'.repeat(32) },
    );
    const a = { ...base, boot: 'a'.repeat(32), services: base.services.slice(0, -1) };
    expect(renderDiff(diffBoots(a, b, defaultTolerance))).toMatchInlineSnapshot(`
      "          A                              B
      boot      2030-01-01T00:00:00Z aaaaaaaa  2030-01-01T00:00:00Z bbbbbbbb
      ready in  0.820 s                        1.220 s                        +0.400 s (+49 %)
      ended     exit status 0                  exit status 0

      SERVICE                                                                 CHANGES
      store     0.300 s                        0.300 s                        failed: exit 3
      web       0.500 s                        0.900 s                        +0.400 s (+80 %)
      off       –                              disabled                       added
      2 services as before

      B is worse than A:
        ready later by more than 20 % (and 0.100 s): +0.400 s (+49 %)
        store failed: exit 3
      "
    `);
    expect(renderDiff(diffBoots(a, a, defaultTolerance))).toContain(
      '\n4 services as before\n\nB is no worse than A.\n',
    );
  });
});
