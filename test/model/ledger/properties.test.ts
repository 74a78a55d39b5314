import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAllOver, type Ledger, ledgerOf, newLedger } from '../../../src/model/ledger/ledger.ts';
import { stateForPlan } from '../../../src/model/ledger/reload.ts';
import { isOver, isStopping, phaseOf, type Slot, standingOf } from '../../../src/model/ledger/slot.ts';
import { isSettled } from '../../../src/model/ledger/starts.ts';
import type { LedgerEvent } from '../../../src/model/ledger/step.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { lossAnswers, returnAnswers, type Tie, tieTo } from '../../../src/model/order/prerequisite.ts';
import { planReload } from '../../../src/model/order/reload-plan.ts';
import type { ServiceSpec, ServiceType, SystemSpec } from '../../../src/model/service/service-spec.ts';
import { tries } from '../../effort.ts';
import { type Member, orderedServices } from '../order/graphs.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts, type Fact, named, type Seen, slotOf } from './charts.ts';
import {
  dependentsLeft,
  fingerprint,
  isSettled as isSettledByLooking,
  mayHaveStarted,
  shouldStart,
  standingsForStarts,
  stands,
} from './oracles.ts';

const shape = fc.record({
  type: fc.constantFrom<ServiceType>('simple', 'simple', 'oneshot', 'forking', 'cron', 'inetd'),
  restart: fc.boolean(),
  ignoreFailures: fc.boolean(),
  enabled: fc.constantFrom(true, true, true, false),
  port: fc.constantFrom(undefined, undefined, 80, 81),
  pidfile: fc.constantFrom(undefined, undefined, '/run/a', '/run/b'),
  command: fc.constantFrom('/bin/a', '/bin/b'),
  /** One for each prerequisite that the service may have; undefined: a plain `after`. */
  ties: fc.array(
    fc.option(
      fc.record({
        kind: fc.constantFrom<Tie['kind']>('after', 'wants', 'requires', 'requires'),
        stages: fc.constantFrom<Tie['stages']>(
          ['ready'],
          ['ready'],
          ['started'],
          ['healthy'],
          ['exited'],
          ['started', 'healthy'],
        ),
      }),
      { nil: undefined },
    ),
    { minLength: 4, maxLength: 4 },
  ),
  onPrerequisiteFailure: fc.constantFrom(undefined, ...lossAnswers),
  onPrerequisiteRestart: fc.constantFrom(undefined, ...returnAnswers),
});

type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never;

function specOf(
  member: Member,
  { port, pidfile, ties, onPrerequisiteFailure, onPrerequisiteRestart, ...changes }: Shape,
): ServiceSpec {
  const tied = member.prerequisites.flatMap((name, index) => {
    const tie = ties[index];
    return tie === undefined ? [] : [[name, tie] as const];
  });
  return serviceSpec({
    ...member,
    ...changes,
    ...(tied.length === 0 ? {} : { ties: Object.fromEntries(tied) }),
    ...(onPrerequisiteFailure === undefined ? {} : { onPrerequisiteFailure }),
    ...(onPrerequisiteRestart === undefined ? {} : { onPrerequisiteRestart }),
    ...(port === undefined ? {} : { port }),
    ...(pidfile === undefined ? {} : { pidfile }),
  });
}

function systemOf(members: readonly Member[]): fc.Arbitrary<readonly ServiceSpec[]> {
  return fc
    .tuple(...members.map(() => shape))
    .map((shapes) => members.flatMap((member, index) => (shapes[index] ? [specOf(member, shapes[index])] : [])));
}

const systems = orderedServices.chain(systemOf);

/** What a person asks for, or what happens; of services by their numbers. */
const happening = fc.record({
  kind: fc.constantFrom(
    ...(['ready', 'ready', 'fail', 'exit', 'crash', 'crash', 'crashLeaving', 'clear', 'restart', 'survive'] as const),
    ...(['break', 'start', 'start', 'stop', 'stop', 'stop', 'reset', 'enable', 'disable'] as const),
    ...(['up', 'idle', 'wait', 'extend', 'spawn', 'recover', 'sicken'] as const),
  ),
  who: fc.uniqueArray(fc.nat(11), { minLength: 1, maxLength: 4 }),
  flag: fc.boolean(),
  other: fc.boolean(),
  third: fc.boolean(),
});
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

function happen(charts: Charts, { kind, who, flag, other, third }: Happening): void {
  const all = charts.ledger.slots.names();
  const names = [...new Set(who.flatMap((number) => all[number % all.length] ?? []))];
  const at = charts.now;
  switch (kind) {
    case 'start':
      charts.send({ type: 'services.start', names, enable: flag, force: other, at });
      break;
    case 'stop':
      charts.send({ type: 'services.stop', names, disable: flag, again: other, drain: third, at });
      break;
    case 'reset':
      charts.send({ type: 'services.reset', names, force: flag, at });
      break;
    case 'enable':
    case 'disable':
      charts.send({ type: `services.${kind}`, names, at });
      break;
    case 'up':
      for (let round = 0; round < 4; round++) for (const name of all) charts.happen(name, 'ready');
      break;
    case 'idle':
      charts.send({ type: 'starts.released', idle: true, at });
      break;
    case 'wait':
      charts.wait((names.length * 100 + (flag ? 3_000 : 0)) * (other ? 2 : 1));
      break;
    case 'extend':
      for (const name of names) charts.send({ type: 'service.extended', name, until: at + 5_000, at });
      break;
    default:
      for (const name of names) charts.happen(name, kind satisfies Fact);
  }
}

/** Lets everything that has begun come to an end, and nothing new happen. */
function calmDown(charts: Charts): void {
  for (let round = 0; round < 60; round++) {
    for (const name of charts.ledger.slots.names()) {
      charts.happen(name, 'clear');
      charts.happen(name, 'ready');
    }
  }
}

function begun(services: readonly ServiceSpec[], look: (seen: Seen) => void, fragile = false): Charts {
  const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)), look, fragile);
  charts.send({ type: 'starts.released', idle: false, at: 0 });
  return charts;
}

const runs = { numRuns: tries(120, 400) };

function eachStep(look: (seen: Seen) => void, check: (charts: Charts) => void = () => {}): void {
  fc.assert(
    fc.property(systems, fc.array(happening, { maxLength: 60 }), (services, happenings) => {
      const charts = begun(services, look);
      for (const each of happenings) happen(charts, each);
      check(charts);
    }),
    runs,
  );
}

function expectCounted(ledger: Ledger): void {
  const { slots, counters, ...rest } = ledger;
  expect(counters).toEqual(ledgerOf(rest, slots.all()).counters);
}

describe('after every step of any history', () => {
  it('the counters are what counting anew would give', () => {
    eachStep(({ after }) => expectCounted(after));
  });

  it('what was let go was free to go, and nothing that is free waits', () => {
    eachStep(({ after, orders }) => {
      for (const name of named(orders, 'start')) expect([name, mayHaveStarted(after, name)]).toEqual([name, true]);
      expect(shouldStart(after)).toEqual([]);
    });
  });

  it('a service is told to stop only when all that wait for it, and are to be stopped too, have ended', () => {
    eachStep(({ before, after, orders }) => {
      for (const name of named(orders, 'stop')) {
        const slot = before.slots.get(name);
        const { intent } = slotOf(after, name);
        // One that is hastened was told before; and of what only waits to begin, nothing runs.
        if (slotOf(after, name).chart === 'backoff') continue;
        if (intent.kind !== 'stopping' || intent.why === 'disabled') continue;
        if (slot !== undefined && isStopping(slot) && slot.intent.drain) continue;
        // No stop or start waits for the end of a service that was only disabled: the job of that service may go on for long.
        const waiting = dependentsLeft(after, name).filter(
          (left) => isStopping(left) && left.intent.why !== 'disabled',
        );
        expect([name, waiting]).toEqual([name, []]);
      }
    });
  });

  it('whether all is settled is what a look at everything says', () => {
    eachStep(({ after }) => {
      const standings = standingsForStarts(after);
      expect(isSettled(after, 2)).toBe(isSettledByLooking(after.graph, standings, false));
      expect(isSettled(after, 3)).toBe(isSettledByLooking(after.graph, standings, true));
    });
  });

  it('the ledger before it is still what it was', () => {
    let last: { readonly ledger: Ledger; readonly print: string } | undefined;
    eachStep(({ before, after }) => {
      if (last?.ledger === before) expect(fingerprint(before)).toBe(last.print);
      last = { ledger: after, print: fingerprint(after) };
    });
  });

  it('SIGKILL came only when it was due, and once', () => {
    eachStep(({ before, event, orders }) => {
      for (const name of named(orders, 'kill')) {
        const { intent } = slotOf(before, name);
        expect(intent.kind === 'stopping' && intent.killAt !== undefined && intent.killAt <= event.at).toBe(true);
      }
      if (event.type !== 'stops.due') expect(named(orders, 'kill')).toEqual([]);
    });
  });

  it('a kill that is due is not forgotten', () => {
    eachStep(({ after }) => {
      for (const { intent } of after.slots) {
        if (intent.kind !== 'stopping' || intent.killAt === undefined) continue;
        expect(after.due ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(intent.killAt);
      }
    });
  });
});

/** True where somebody would say that the service runs: a process of it does, or is about to. */
function goesOn({ chart, intent, spec }: Slot): boolean {
  if (intent.kind === 'stopping') return false;
  if (['starting', 'ready.running', 'ready.scheduled', 'stopping', 'backoff'].includes(chart)) return true;
  return chart === 'ready.exited' && (spec.type === 'forking' || spec.type === 'notify' || spec.pidfile !== undefined);
}

/** For each service that requires another one: both before and after a step, and whether the other one stands as required. */
function required({ before, after }: Seen) {
  return before.graph.names.flatMap((name) => {
    const node = before.graph.nodes[name];
    return (node?.prerequisites ?? []).flatMap((other) => {
      const { kind, stages } = tieTo(node, other);
      if (kind !== 'requires') return [];
      const standsIn = (ledger: Ledger): boolean => {
        const standing = standingOf(slotOf(ledger, other));
        return stages.every((stage) => stands(standing, stage));
      };
      return [{ name, other, stood: standsIn(before), standsNow: standsIn(after) }];
    });
  });
}

/** Services that are all up, and most of which require others: so that losses and returns are frequent. */
const tiedSystems = orderedServices.chain((members) =>
  fc
    .tuple(
      ...members.map(() =>
        fc.record({
          type: fc.constantFrom<ServiceType>('simple', 'simple', 'simple', 'forking', 'oneshot', 'inetd'),
          restart: fc.boolean(),
          kind: fc.constantFrom<Tie['kind']>('after', 'requires', 'requires', 'requires'),
          stages: fc.constantFrom<Tie['stages']>(['ready'], ['ready'], ['ready'], ['healthy'], ['started']),
          onPrerequisiteFailure: fc.constantFrom(...lossAnswers),
          onPrerequisiteRestart: fc.constantFrom(...returnAnswers),
        }),
      ),
    )
    .map((shapes) =>
      members.flatMap((member, index) => {
        const shaped = shapes[index];
        if (shaped === undefined) return [];
        const { kind, stages, ...changes } = shaped;
        const ties = Object.fromEntries(member.prerequisites.map((name) => [name, { kind, stages }]));
        return [serviceSpec({ ...member, ...changes, ties })];
      }),
    ),
);

function eachTiedStep(look: (seen: Seen) => void, check: (charts: Charts) => void = () => {}): void {
  fc.assert(
    fc.property(tiedSystems, fc.array(happening, { minLength: 20, maxLength: 60 }), (services, happenings) => {
      const charts = begun(services, look);
      charts.send({ type: 'starts.released', idle: true, at: 0 });
      const stand = (): void => {
        for (const { name } of services)
          for (const fact of ['spawn', 'ready', 'recover'] as const) charts.happen(name, fact);
      };
      for (const _ of services) stand();
      for (const each of happenings) {
        happen(charts, each);
        if (each.kind === 'up') stand();
      }
      check(charts);
    }),
    runs,
  );
}

/** The events by which a service may leave its stage. */
const verdicts: readonly LedgerEvent['type'][] = ['service.changed', 'service.healthy', 'service.unhealthy'];

describe('what a prerequisite does to those that require it', () => {
  it('ends them at once when it has left its stage, whatever follows, unless they keep on', () => {
    let ended = 0;
    eachTiedStep((seen) => {
      const { before, event, after } = seen;
      if (after.drain !== undefined || !('name' in event) || !verdicts.includes(event.type)) return;
      for (const { name, other, stood, standsNow } of required(seen)) {
        const slot = slotOf(before, name);
        if (event.name !== other || !stood || standsNow || !slotOf(after, other).enabled || !goesOn(slot)) continue;
        const isNormalEnd = event.type === 'service.changed' && /exited$/.test(event.change.phase);
        const keeps = slot.spec.onPrerequisiteFailure === 'keep' || isNormalEnd;
        ended += keeps ? 0 : 1;
        if (!keeps) expect([name, other, goesOn(slotOf(after, name))]).toEqual([name, other, false]);
      }
    });
    expect(ended).toBeGreaterThan(2);
  });

  it('has their stops requested with its own, so that they end first, unless they keep on', () => {
    eachTiedStep((seen) => {
      const { before, event, after } = seen;
      if (event.type !== 'services.stop' || before.drain !== undefined) return;
      for (const { name, other, stood } of required(seen)) {
        const [slot, prerequisite] = [slotOf(before, name), slotOf(before, other)];
        if (!event.names.includes(other) || !stood || event.disable || !prerequisite.enabled) continue;
        if (isOver(prerequisite) || isStopping(prerequisite) || !goesOn(slot)) continue;
        if (slot.spec.onPrerequisiteFailure === 'keep') continue;
        expect([name, other, goesOn(slotOf(after, name))]).toEqual([name, other, false]);
      }
    });
  });

  it('is named with what has really happened to it, and what follows is what the directives say', () => {
    const seenConsequences = new Set<string>();
    const look = (seen: Seen): void => {
      const pairs = required(seen);
      for (const order of seen.orders) {
        if (order.kind !== 'tell' || order.notice.type !== 'service.tied') continue;
        const { service, cause, consequence } = order.notice;
        const pair = pairs.find(({ name, other }) => name === service && other === cause.prerequisite);
        const [slot, other] = [slotOf(seen.after, service), slotOf(seen.after, cause.prerequisite)];
        const directive =
          cause.how === 'returned'
            ? (slot.spec.onPrerequisiteRestart ?? 'keep')
            : (slot.spec.onPrerequisiteFailure ?? 'stop');
        expect([service, consequence]).toEqual([service, directive]);
        expect([cause, pair?.standsNow === true && !isStopping(other)]).toEqual([cause, cause.how === 'returned']);
        const { event } = seen;
        // What the event says is what it was: it may be starting again already.
        const own = event.type === 'service.changed' && event.name === cause.prerequisite ? event.change.phase : 'none';
        if (cause.how === 'crashed') expect(['stopping', 'backoff', 'starting']).toContain(own);
        if (cause.how === 'failed') expect(['failed', 'stopping']).toContain(own);
        if (cause.how === 'unhealthy') expect(other.healthy).toBe(false);
        if (cause.how === 'stopped') expect([cause, isStopping(other) || own === 'stopped']).toEqual([cause, true]);
        seenConsequences.add(consequence);
        if (consequence === 'reload') expect(named(seen.orders, 'reload')).toContain(service);
        else expect([service, slot.because]).toEqual([service, cause]);
      }
    };
    // A restart is rare: histories are drawn until each consequence has come, and far more often than that takes.
    for (let round = 0; round < 30 && seenConsequences.size < 4; round += 1) eachTiedStep(look);
    expect([...seenConsequences].sort()).toEqual(['fail', 'reload', 'restart', 'stop']);
  });

  it('lets them wait for it, and names it for as long as they do', () => {
    eachTiedStep(
      () => {},
      (charts) => {
        if (charts.ledger.drain !== undefined) return;
        calmDown(charts);
        for (const { spec, because, intent } of charts.ledger.slots) {
          if (because !== undefined) expect([spec.name, intent.kind]).toEqual([spec.name, 'queued']);
        }
      },
    );
  });
});

describe('in the end of any history', () => {
  it('every stop that was asked for is over, and nothing that is disabled has been started or restarted', () => {
    eachStep(
      ({ after, orders }) => {
        for (const name of named(orders, 'start')) expect([name, slotOf(after, name).enabled]).toEqual([name, true]);
      },
      (charts) => {
        calmDown(charts);
        const open = charts.ledger.slots.all().filter(isStopping);
        expect(open.filter((slot) => !isOver(slot))).toEqual([]);
      },
    );
  });

  it('what is disabled is in no restart pause', () => {
    eachStep(
      () => {},
      (charts) => {
        for (const slot of charts.ledger.slots) {
          if (!slot.enabled) expect([slot.spec.name, slot.chart]).not.toEqual([slot.spec.name, 'backoff']);
        }
      },
    );
  });
});

describe('when the system ends, at any time of any history', () => {
  function drained(check: (charts: Charts, before: Ledger) => void, look: (seen: Seen) => void = () => {}): void {
    const order = fc.array(fc.nat(11), { minLength: 200, maxLength: 200 });
    fc.assert(
      fc.property(
        systems,
        fc.array(happening, { maxLength: 40 }),
        fc.array(happening, { maxLength: 20 }),
        order,
        fc.boolean(),
        (services, happenings, later, ends, fragile) => {
          const charts = begun(services, look, fragile);
          for (const each of happenings) if (charts.ledger.drain === undefined) happen(charts, each);
          const before = charts.ledger;
          if (before.drain === undefined) charts.send({ type: 'drain.begun', at: charts.now });
          for (const each of later) happen(charts, each);
          const names = charts.ledger.slots.names();
          for (const number of ends) charts.happen(names[number % names.length] ?? '', 'clear');
          for (let round = 0; round < 15; round++) for (const name of names) charts.happen(name, 'clear');
          check(charts, before);
        },
      ),
      runs,
    );
  }

  it('everything ends, in whatever order the single services do', () => {
    drained((charts) => {
      expect(charts.ledger.slots.all().filter((slot) => !isOver(slot))).toEqual([]);
      expect(isAllOver(charts.ledger)).toBe(true);
    });
  });

  it('nothing is told before what waits for it, and what is in a later stage, has ended', () => {
    drained(
      () => {},
      ({ after, orders }) => {
        if (after.drain === undefined) return;
        for (const name of named(orders, 'stop')) {
          expect([name, dependentsLeft(after, name)]).toEqual([name, []]);
          const stage = after.graph.nodes[name]?.stage ?? 2;
          const later = after.graph.names.filter((other) => (after.graph.nodes[other]?.stage ?? 0) > stage);
          expect([name, later.filter((other) => !isOver(slotOf(after, other)))]).toEqual([name, []]);
        }
      },
    );
  });

  it('nothing starts any more, and the counters go on to be right', () => {
    drained(
      () => {},
      ({ before, after, orders }) => {
        if (before.drain === undefined) return;
        expect(named(orders, 'start')).toEqual([]);
        expectCounted(after);
      },
    );
  });

  it('what never started is what had waited from the beginning, and what was told is what counts as stopped', () => {
    let told: string[] = [];
    let waiting: readonly string[] = [];
    drained(
      (charts) => {
        const { stopped = [], neverStarted } = charts.ledger.drain ?? {};
        expect(neverStarted).toEqual(waiting);
        expect(new Set(stopped).size).toBe(stopped.length);
        expect([...stopped].sort()).toEqual(told.sort());
      },
      ({ before, event, orders, after }) => {
        if (event.type === 'drain.begun') {
          waiting = before.slots
            .all()
            .flatMap((slot) => (slot.chart === 'pending' && phaseOf(slot) === 'pending' ? [slot.spec.name] : []));
          told = before.slots
            .all()
            .flatMap((slot) =>
              isStopping(slot) && slot.intent.told && !slot.intent.drain && !isOver(slot) ? [slot.spec.name] : [],
            );
        }
        if (after.drain !== undefined) told.push(...named(orders, 'stop'));
      },
    );
  });
});

describe('with configurations that change', () => {
  /** Another configuration of some of the services, in another order that exists. */
  const histories = fc.array(
    fc.oneof(
      { weight: 8, arbitrary: happening.map((each) => ({ ...each, next: undefined })) },
      { weight: 1, arbitrary: orderedServices.chain(systemOf).map((next) => ({ kind: 'reload' as const, next })) },
    ),
    { maxLength: 50 },
  );

  function reload(charts: Charts, services: readonly ServiceSpec[]): void {
    const { ledger } = charts;
    if (ledger.drain !== undefined) return;
    const spec: SystemSpec = systemSpec(services);
    const plan = planReload(ledger.spec, spec, (name) => stateForPlan(ledger, name));
    charts.send({ type: 'system.reload', spec, graph: buildDependencyGraph(services), plan, at: charts.now });
  }

  function eachReload(look: (seen: Seen) => void, check: (charts: Charts) => void = () => {}): void {
    fc.assert(
      fc.property(systems, histories, (services, history) => {
        const charts = begun(services, look);
        for (const each of history) {
          if (each.kind === 'reload') reload(charts, each.next);
          else happen(charts, each);
        }
        check(charts);
      }),
      runs,
    );
  }

  it('the counters are right, and what may start starts, and nothing else', () => {
    eachReload(({ after, orders }) => {
      expectCounted(after);
      for (const name of named(orders, 'start')) expect([name, mayHaveStarted(after, name)]).toEqual([name, true]);
      expect(shouldStart(after)).toEqual([]);
    });
  });

  it('every stop comes to its end, and what is gone goes', () => {
    eachReload(
      () => {},
      (charts) => {
        calmDown(charts);
        const { slots, graph } = charts.ledger;
        expect(slots.all().filter((slot) => isStopping(slot) && !isOver(slot))).toEqual([]);
        expect([...slots.names()].sort()).toEqual([...graph.names].sort());
      },
    );
  });

  it('once nothing of it runs, each service is what the configuration says', () => {
    eachReload(
      () => {},
      (charts) => {
        calmDown(charts);
        for (const slot of charts.ledger.slots) {
          if (isOver(slot)) expect([slot.spec.name, slot.current]).toEqual([slot.spec.name, undefined]);
        }
      },
    );
  });

  it('the end of the system comes to its end, too', () => {
    eachReload(
      () => {},
      (charts) => {
        const event: LedgerEvent = { type: 'drain.begun', at: charts.now };
        if (charts.ledger.drain === undefined) charts.send(event);
        for (let round = 0; round < 60; round++) {
          for (const name of charts.ledger.slots.names()) charts.happen(name, 'clear');
        }
        expect(isAllOver(charts.ledger)).toBe(true);
      },
    );
  });
});
