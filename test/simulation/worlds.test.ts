/** A few hundred of the worlds that `npm run simulate` runs by the thousand. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { FailureCause } from '../../src/model/service/service-phase.ts';
import type { ServiceType } from '../../src/model/service/service-spec.ts';
import { faultNames, generateWorld } from './generate.ts';
import { invariantNames, invariants, violations } from './invariants.ts';
import { moments, type WorldPlan } from './plan.ts';
import { runWorld, type WorldRun } from './run-world.ts';
import { shrink } from './shrink.ts';

const seeds = Array.from({ length: 400 }, (_, seed) => seed);
const kept = fileURLToPath(new URL('kept/', import.meta.url));

function run(plan: WorldPlan): WorldRun {
  const result = runWorld(plan, { trace: true });
  if (result === undefined) throw new Error(`world ${plan.seed} contradicts itself`);
  return result;
}

describe(`${seeds.length} random worlds`, () => {
  const worlds = seeds.map((seed) => run(generateWorld(seed)));

  it.each(invariantNames)('%s', (name) => {
    for (const world of worlds) {
      const answer = invariants[name](world);
      expect(answer, `npm run simulate -- --seed ${world.plan.seed}\n${world.transitions.join('\n')}`).toBeUndefined();
    }
  });

  it('are the same again for the same seed', () => {
    for (const { plan, transitions, log, history } of worlds.slice(0, 20)) {
      const again = run(generateWorld(plan.seed));
      expect(again.transitions).toEqual(transitions);
      expect(again.log).toBe(log);
      expect(again.history).toEqual(history);
    }
  });

  it('are the same after their plan has been through JSON', () => {
    for (const { plan, history } of worlds.slice(0, 20)) {
      const again = run(JSON.parse(JSON.stringify(plan)));
      expect(again.plan).toEqual(plan);
      expect(again.history).toEqual(history);
    }
  });

  it('have services of every type, which come as far as they can and fail in every way they can', () => {
    const seen = new Set(
      worlds.flatMap(({ history, spec }) =>
        history.flatMap((entry) => {
          if (entry.kind !== 'notice') return [];
          const { notice } = entry;
          if (notice.type !== 'service.changed' && notice.type !== 'service.noticed') return [];
          const type = spec.services.find(({ name }) => name === notice.service)?.type;
          if (notice.type === 'service.noticed') return [`${type} ${notice.news.kind}`];
          const { change } = notice;
          return [`${type} ${change.phase}`, ...('cause' in change ? [`${type} ${causeName(change.cause)}`] : [])];
        }),
      ),
    );
    const expected: Readonly<Record<ServiceType, readonly string[]>> = {
      simple: ['ready.running', 'exited', 'backoff', 'exit', 'spawn'],
      oneshot: ['ready.exited', 'exit', 'timeout', 'spawn'],
      forking: [
        'ready.running',
        'ready.exited',
        'exited',
        'backoff',
        'exit',
        'timeout',
        'spawn',
        'pidfile absent',
        'pidfile garbage',
      ],
      notify: [
        'ready.running',
        'exited',
        'backoff',
        'exit',
        'timeout',
        'spawn',
        'reported',
        'watchdog',
        'watchdog triggered',
      ],
      inetd: ['ready.scheduled', 'listen', 'clearing', 'runFailed'],
      cron: ['ready.scheduled', 'skipped', 'runFailed', 'runUnspawned'],
    };
    const missing = Object.entries(expected).flatMap(([type, names]) =>
      names.map((name) => `${type} ${name}`).filter((name) => !seen.has(name)),
    );
    expect(missing).toEqual([]);
  });

  it('reach every kind of end that needs no fault of chaperone itself', () => {
    const kinds = new Set(worlds.map(({ end }) => end.output?.end.kind));
    expect([...kinds].sort()).toEqual([
      'command',
      'exitKills',
      'missingPrograms',
      'noProcesses',
      'nothingStarted',
      'serviceFailed',
      'signal',
    ]);
  });

  it('have every fault, and meet every moment', () => {
    expect(new Set(worlds.flatMap(({ plan }) => plan.faults.map(({ fault }) => fault)))).toEqual(
      new Set([...faultNames, 'values']),
    );
    const whens = worlds.flatMap(({ plan }) =>
      [...plan.commands, ...plan.faults].map((each) => ('when' in each ? each.when : undefined)),
    );
    expect(new Set(whens.flatMap((when) => (when !== undefined && 'on' in when ? [when.on] : [])))).toEqual(
      new Set(moments),
    );
  });

  it('are about what outlives its leader, who owns a process, and what is asked while something ends', () => {
    const seen = new Set(
      worlds.flatMap(({ history, end }) => [
        ...history.flatMap((entry): readonly string[] => {
          if (entry.kind === 'sends') return [`sends ${entry.purpose}`];
          if (entry.kind === 'told') return [`told by ${entry.by}${entry.killAfter === undefined ? ', drained' : ''}`];
          if (entry.kind === 'rebuilt') return [`rebuilt in ${entry.stage.split('.')[0]}`];
          if (entry.kind === 'deed' && entry.refused === true) return ['restart refused'];
          return entry.kind === 'leads' ? ['leads'] : [];
        }),
        ...(end.output?.end.kind === 'serviceFailed' && end.output.end.onFailure ? ['on_failure'] : []),
      ]),
    );
    const expected = ['sends stop', 'sends hand', 'told by stop', 'told by stop, drained', 'told by reset', 'leads'];
    const stages = ['pending', 'starting', 'ready', 'exited', 'stopping', 'stopped', 'failed', 'disabled'];
    for (const each of [...expected, 'restart refused', 'on_failure', ...stages.map((stage) => `rebuilt in ${stage}`)])
      expect(seen).toContain(each);
  });

  it('have up to 8 services, and now and then 60', () => {
    const sizes = worlds.map(({ plan }) => plan.services.length);
    expect(Math.max(...sizes)).toBe(60);
    expect(sizes.filter((size) => size <= 8).length).toBeGreaterThan(390);
  });
});

describe('worlds that have failed once', () => {
  it.each(readdirSync(kept).sort())('%s', (file) => {
    expect(violations(run(JSON.parse(readFileSync(`${kept}${file}`, 'utf8'))))).toEqual([]);
  });
});

describe('a world that fails', () => {
  it('is shrunk to what it fails for', () => {
    const fails = (plan: WorldPlan): boolean =>
      runWorld(plan)?.history.some((entry) => entry.kind === 'notified' && entry.text.includes('ERRNO')) ?? false;
    const seed = seeds.find((each) => fails(generateWorld(each)));
    const { plan, tries } = shrink(generateWorld(seed ?? 0), fails);
    expect(plan.services).toHaveLength(1);
    expect([plan.commands, plan.faults, plan.logging]).toEqual([[], [], []]);
    expect(plan.services[0]?.programs.flatMap(({ steps }) => steps).length).toBeLessThan(4);
    expect(tries).toBeLessThan(2_000);
  });
});

function causeName(cause: FailureCause): string {
  if (cause.kind === 'pidfile') return `pidfile ${cause.trouble}`;
  return cause.kind === 'watchdog' && cause.triggered ? 'watchdog triggered' : cause.kind;
}
