import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newLedger } from '../../../src/model/ledger/ledger.ts';
import { isHeldDown, stateForPlan } from '../../../src/model/ledger/reload.ts';
import { isOver, phaseOf } from '../../../src/model/ledger/slot.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { planReload } from '../../../src/model/order/reload-plan.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { orderedServices } from '../order/graphs.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts, intentOf, named, type Seen, slotOf, words } from './charts.ts';

type Sketch = Partial<ServiceSpec> & { readonly name: string };

/** A system, and what its charts were told since the last look. */
class System extends Charts {
  readonly #told: string[];

  constructor(specs: readonly Sketch[], look: (seen: Seen) => void = () => {}) {
    const services = specs.map((spec) => serviceSpec(spec));
    const told: string[] = [];
    super(newLedger(systemSpec(services), buildDependencyGraph(services)), (seen) => {
      told.push(...words(seen.orders));
      look(seen);
    });
    this.#told = told;
    this.send({ type: 'starts.released', idle: true, at: 0 });
    this.settle();
    this.told();
  }

  /** Everything that starts is ready. */
  settle(): void {
    for (let round = 0; round < this.ledger.slots.size; round++) {
      for (const name of this.ledger.slots.names()) this.happen(name, 'ready');
    }
  }

  told(): readonly string[] {
    return this.#told.splice(0);
  }

  reload(...specs: readonly Sketch[]): readonly string[] {
    const services = specs.map((spec) => serviceSpec(spec));
    const spec = systemSpec(services);
    const plan = planReload(this.ledger.spec, spec, (name) => stateForPlan(this.ledger, name));
    this.send({ type: 'system.reload', spec, graph: buildDependencyGraph(services), plan, at: this.now });
    return this.told();
  }

  /** Something of them has ended; what is told then. */
  end(...names: readonly string[]): readonly string[] {
    for (const name of names) this.happen(name, 'clear');
    return this.told();
  }

  ask(type: 'enable' | 'disable' | 'start' | 'stop' | 'restart', ...names: readonly string[]): readonly string[] {
    const { now: at } = this;
    if (type === 'start') this.send({ type: 'services.start', names, enable: false, force: false, at });
    else if (type === 'stop' || type === 'restart') {
      this.send({ type: 'services.stop', names, disable: false, again: type === 'restart', drain: false, at });
    } else this.send({ type: `services.${type}`, names, at });
    return this.told();
  }

  stands(name: string): string {
    const slot = slotOf(this.ledger, name);
    return `${phaseOf(slot)} | ${intentOf(slot)}`;
  }
}

function system(...specs: readonly Sketch[]): System {
  return new System(specs);
}

const other = { command: '/bin/other', argv: ['/bin/other'] };

describe('a reload', () => {
  it('does not let services wait for each other that have no edge', () => {
    const running = system({ name: 'old' }, { name: 'kept' });
    expect(running.reload({ name: 'kept' }, { name: 'new' })).toEqual([
      'add new',
      'reconfigure kept',
      'stop old',
      'start new',
    ]);
  });

  it('starts what is new along the new graph', () => {
    const running = system({ name: 'db' });
    expect(running.reload({ name: 'db', ...other }, { name: 'web', prerequisites: ['db'] })).toEqual([
      'add web',
      'stop db',
    ]);
    expect(running.end('db')).toEqual(['reconfigure db', 'start db']);
    running.settle();
    expect(running.told()).toEqual(['start web']);
  });

  it('is who has asked for what is new, or another', () => {
    const running = system({ name: 'db' }, { name: 'web' });
    running.reload({ name: 'db', ...other }, { name: 'web' }, { name: 'ui', prerequisites: ['db'] });
    running.end('db');
    expect(['db', 'web', 'ui'].map((name) => slotOf(running.ledger, name).askedBy)).toEqual([
      'reload',
      undefined,
      'reload',
    ]);
  });

  it('ends what waits for others by the old graph first', () => {
    const running = system({ name: 'db' }, { name: 'web', prerequisites: ['db'] });
    expect(running.reload({ name: 'db', ...other }, { name: 'web', ...other })).toEqual(['stop web']);
    expect(running.end('web')).toEqual(['reconfigure web', 'stop db', 'start web']);
  });

  it('ends later stages first', () => {
    const running = system({ name: 'init', groups: ['INIT'] }, { name: 'web' }, { name: 'late', groups: ['IDLE'] });
    expect(running.reload({ name: 'kept' })).toEqual(['add kept', 'stop late', 'start kept']);
    expect(running.end('late')).toEqual(['stop web', 'remove late']);
    expect(running.end('web')).toEqual(['stop init', 'remove web']);
    expect(running.end('init')).toEqual(['remove init']);
    expect(running.ledger.slots.names()).toEqual(['kept']);
  });

  it('lets a dependent that is kept run while what it waits for is another', () => {
    const running = system({ name: 'db' }, { name: 'web', prerequisites: ['db'] });
    running.reload({ name: 'db', ...other }, { name: 'web', prerequisites: ['db'] });
    expect([running.stands('web'), running.stands('db')]).toEqual([
      'ready.running | none',
      'stopping | reload, told, start',
    ]);
  });

  it('holds back later stages until what is another is ready again', () => {
    const running = system({ name: 'init', groups: ['INIT'] });
    expect(running.reload({ name: 'init', groups: ['INIT'], ...other }, { name: 'web' })).toEqual([
      'add web',
      'stop init',
    ]);
    expect(running.end('init')).toEqual(['reconfigure init', 'start init']);
    running.settle();
    expect(running.told()).toEqual(['start web']);
  });

  it('tells nothing before, for every pair of services, what has to end first has ended', () => {
    fc.assert(
      fc.property(orderedServices, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (members, kept) => {
        const graph = buildDependencyGraph(members);
        const late = (name: string): number => graph.nodes[name]?.stage ?? 0;
        const running = new System(members, ({ after, orders }) => {
          for (const name of named(orders, 'stop')) {
            const first = graph.names.filter(
              (one) => graph.nodes[name]?.dependents.includes(one) || late(one) > late(name),
            );
            const left = first.filter((one) => {
              const slot = after.slots.get(one);
              return slot !== undefined && !isOver(slot) && slot.intent.kind === 'stopping';
            });
            expect([name, left]).toEqual([name, []]);
          }
        });
        const next = members.flatMap((member, index) => {
          if (kept[index]) return [member];
          return index % 3 === 0 ? [] : [{ ...member, ...other }];
        });
        const left = new Set(next.map(({ name }) => name));
        running.reload(
          ...next.map((member) => ({
            ...member,
            prerequisites: member.prerequisites.filter((name) => left.has(name)),
          })),
        );
        for (let round = 0; round < 3 * members.length; round++) {
          for (const name of running.ledger.slots.names()) running.happen(name, 'clear');
          running.settle();
        }
        for (const slot of running.ledger.slots) expect(phaseOf(slot)).toBe('ready.running');
        expect([...running.ledger.slots.names()].sort()).toEqual([...left].sort());
      }),
    );
  });

  it('of the same configuration stops and starts nothing', () => {
    const running = system({ name: 'a' }, { name: 'b', prerequisites: ['a'] });
    expect(running.reload({ name: 'a' }, { name: 'b', prerequisites: ['a'] })).toEqual([
      'reconfigure a',
      'reconfigure b',
    ]);
  });

  it('does not turn back the clock', () => {
    const running = system({ name: 'a' });
    running.send({ type: 'services.enable', names: ['a'], at: 500 });
    running.reload({ name: 'a' });
    expect(running.ledger.at).toBe(500);
  });

  it('changes in place what may be', () => {
    const running = system({ name: 'a' });
    expect(running.reload({ name: 'a', killSignal: 'SIGHUP' })).toEqual(['reconfigure a']);
  });

  it('lets go what waits for something less', () => {
    const running = system({ name: 'a' }, { name: 'b', prerequisites: ['a'] });
    running.ask('stop', 'a', 'b');
    running.end('b', 'a');
    running.ask('start', 'b');
    expect(running.reload({ name: 'a' }, { name: 'b' })).toEqual(['reconfigure b', 'reconfigure a', 'start b']);
  });
});

describe('a port, or a pidfile, that goes to another service', () => {
  it.each([
    ['port', { type: 'inetd', port: 80 }, { type: 'inetd', port: 81 }],
    ['pidfile', { pidfile: '/run/a' }, { pidfile: '/run/b' }],
  ] as const)('is free first: %s', (_, had, others) => {
    const running = system({ name: 'a', ...had });
    expect(running.reload({ name: 'b', ...had }, { name: 'c', ...others })).toEqual([
      'add b',
      'add c',
      'stop a',
      'start c',
    ]);
    expect(running.stands('b')).toBe('pending | queued');
    expect(running.end('a')).toEqual(['remove a', 'start b']);
  });

  it.each([
    ['port', { type: 'inetd', port: 80 }, { type: 'inetd', port: 81 }],
    ['pidfile', { pidfile: '/run/a' }, { pidfile: '/run/b' }],
  ] as const)('may change places: %s', (_, first, second) => {
    const running = system({ name: 'a', ...first }, { name: 'b', ...second });
    expect(running.reload({ name: 'a', ...second }, { name: 'b', ...first })).toEqual(['stop a', 'stop b']);
    expect(running.end('a')).toEqual(['reconfigure a']);
    expect(running.end('b')).toEqual(['reconfigure b', 'start a', 'start b']);
  });

  it('is free first, though somebody asks for the same stop meanwhile', () => {
    const running = system({ name: 'a', pidfile: '/run/a' });
    running.reload({ name: 'a' }, { name: 'b', pidfile: '/run/a' });
    expect([running.ask('stop', 'a'), running.stands('b')]).toEqual([[], 'pending | queued']);
    expect(running.end('a')).toEqual(['reconfigure a', 'start b']);
  });

  it('is free also where what had it has none any more', () => {
    const running = system({ name: 'a', pidfile: '/run/a' });
    running.reload({ name: 'a' }, { name: 'b', pidfile: '/run/a' });
    expect(running.stands('b')).toBe('pending | queued');
    expect(running.end('a')).toEqual(['reconfigure a', 'start a', 'start b']);
  });

  it('is waited for by nobody else', () => {
    const running = system({ name: 'a', type: 'inetd', port: 80 }, { name: 'b', type: 'inetd', port: 81 });
    running.ask('stop', 'b');
    running.end('b');
    running.reload({ name: 'b', type: 'inetd', port: 81 });
    expect(running.ask('start', 'b')).toEqual(['start b']);
  });
});

describe('a service that is gone', () => {
  it('goes at once where nothing of it runs', () => {
    const running = system({ name: 'a' }, { name: 'off', enabled: false });
    running.ask('stop', 'a');
    running.end('a');
    expect([...running.reload()].sort()).toEqual(['remove a', 'remove off']);
    expect(running.ledger.slots.size).toBe(0);
  });

  it('is nobody’s to ask for while it ends', () => {
    const running = system({ name: 'a' });
    running.reload();
    for (const request of ['start', 'stop', 'restart', 'enable', 'disable'] as const) {
      expect([request, running.ask(request, 'a'), running.stands('a')]).toEqual([
        request,
        [],
        'stopping | gone, told, rest',
      ]);
    }
    expect(running.end('a')).toEqual(['remove a']);
  });

  it('and comes back, starts with its new definition once it has ended', () => {
    const running = system({ name: 'a' });
    running.reload();
    expect(running.reload({ name: 'a', ...other })).toEqual([]);
    expect(running.stands('a')).toBe('stopping | reload, told, start');
    expect(running.end('a')).toEqual(['reconfigure a', 'start a']);
    expect(running.stands('a')).toBe('starting | none');
  });

  it('and comes back, holds up later stages until the new one is ready', () => {
    const running = system({ name: 'a', groups: ['INIT'] });
    running.reload();
    running.reload({ name: 'a', groups: ['INIT'] }, { name: 'web' });
    expect([running.stands('web'), running.end('a')]).toEqual(['pending | queued', ['reconfigure a', 'start a']]);
    running.settle();
    expect(running.told()).toEqual(['start web']);
  });

  it('after it was disabled, and comes back, starts once: a later failure is one', () => {
    const running = system({ name: 'a', type: 'cron' });
    running.ask('disable', 'a');
    running.reload();
    running.reload({ name: 'a', type: 'cron' });
    expect(running.end('a')).toEqual(['reconfigure a', 'start a']);
    running.happen('a', 'fail');
    running.ask('disable', 'a');
    expect([running.ask('enable', 'a'), running.stands('a')]).toEqual([[], 'failed | none']);
  });

  it('and comes back disabled, rests', () => {
    const running = system({ name: 'a' });
    running.reload();
    running.reload({ name: 'a', enabled: false });
    expect([running.end('a'), running.stands('a')]).toEqual([['reconfigure a'], 'disabled | none']);
  });

  it('and comes back disabled, and is enabled by hand before its end, rests', () => {
    const running = system({ name: 'a' });
    running.reload();
    running.reload({ name: 'a', enabled: false });
    running.ask('enable', 'a');
    expect([running.end('a'), running.stands('a')]).toEqual([['reconfigure a'], 'stopped | none']);
  });

  it('comes back, and goes again', () => {
    const running = system({ name: 'a' });
    running.reload();
    running.reload({ name: 'a', ...other });
    expect(running.reload()).toEqual([]);
    expect(running.end('a')).toEqual(['remove a']);
  });

  it('while its stop by hand is under way, is not stopped twice', () => {
    const running = system({ name: 'a' });
    running.ask('restart', 'a');
    expect(running.reload()).toEqual([]);
    expect(running.end('a')).toEqual(['remove a']);
  });

  it('ends before what it had waited for, when that is stopped by hand', () => {
    const running = system({ name: 'db' }, { name: 'web', prerequisites: ['db'] });
    running.reload({ name: 'db' });
    expect([running.ask('stop', 'db'), running.stands('db')]).toEqual([[], 'ready.running | hand, waits, rest']);
    expect(running.end('web')).toEqual(['stop db', 'remove web']);
  });

  it('of two reloads goes in the order of each', () => {
    const running = system(
      { name: 'db' },
      { name: 'web', prerequisites: ['db'] },
      { name: 'ui', prerequisites: ['web'] },
    );
    expect(running.reload({ name: 'db' }, { name: 'web', prerequisites: ['db'] })).toEqual([
      'reconfigure db',
      'reconfigure web',
      'stop ui',
    ]);
    expect(running.reload({ name: 'db' })).toEqual(['reconfigure db']);
    expect(running.end('ui')).toEqual(['stop web', 'remove ui']);
    expect(running.end('web')).toEqual(['remove web']);
  });
});

describe('another type', () => {
  const daily = { type: 'cron', interval: '@daily' } as const;

  it.each([
    ['simple', 'cron', {}, daily],
    ['cron', 'simple', daily, {}],
  ] as const)('needs another chart, from %s to %s, once nothing runs', (_, __, before, then) => {
    const running = system({ name: 'a', ...before });
    expect(running.reload({ name: 'a', ...then })).toEqual(['stop a']);
    expect(running.end('a')).toEqual(['replace a', 'start a']);
  });

  it.each([
    ['simple', 'notify'],
    ['oneshot', 'forking'],
    ['cron', 'inetd'],
  ] as const)('goes into the same chart, from %s to %s', (before, then) => {
    const running = system({ name: 'a', type: before });
    running.reload({ name: 'a', type: then });
    expect(running.end('a').filter((word) => word !== 'stop a')).not.toContain('replace a');
  });

  it('replaces at once the chart of what does not run, and lets it wait for its turn', () => {
    const running = system({ name: 'a' }, { name: 'b', prerequisites: ['a'] });
    running.ask('stop', 'a', 'b');
    running.end('b', 'a');
    running.ask('start', 'b');
    expect(running.reload({ name: 'a' }, { name: 'b', prerequisites: ['a'], ...daily })).toEqual([
      'replace b',
      'reconfigure a',
    ]);
    expect(running.stands('b')).toBe('pending | queued');
    running.ask('start', 'a');
    running.settle();
    expect(running.told()).toEqual(['start b']);
  });

  it('leaves stopped what was stopped by hand', () => {
    const running = system({ name: 'a' });
    running.ask('stop', 'a');
    running.end('a');
    expect([running.reload({ name: 'a', ...daily }), running.stands('a')]).toEqual([['replace a'], 'stopped | none']);
    expect(running.ask('start', 'a')).toEqual(['start a']);
  });

  it('of what has failed and is disabled makes it another one, that has not failed', () => {
    const running = system({ name: 'a' });
    running.happen('a', 'crash');
    running.ask('disable', 'a');
    running.told();
    expect(running.reload({ name: 'a', ...daily })).toEqual(['replace a']);
    running.ask('enable', 'a');
    expect(running.stands('a')).toBe('stopped | none');
    expect(slotOf(running.ledger, 'a').spec).toMatchObject(daily);
  });

  it('of what has skipped its start and is disabled makes it another one, that has skipped none', () => {
    const running = system({ name: 'a' });
    running.ask('restart', 'a');
    running.end('a');
    running.happen('a', 'skip');
    running.ask('disable', 'a');
    running.told();
    expect(running.reload({ name: 'a', enabled: false, ...daily })).toEqual(['replace a']);
    running.ask('enable', 'a');
    expect(running.stands('a')).toBe('stopped | none');
  });

  it('waits for the end of what somebody has started that the configuration disables', () => {
    const running = system({ name: 'a', enabled: false });
    running.send({ type: 'services.start', names: ['a'], enable: true, force: false, at: 0 });
    running.settle();
    running.told();
    expect(running.reload({ name: 'a', enabled: false, ...daily })).toEqual([]);
    expect(running.stands('a')).toBe('ready.running | none');
    running.ask('stop', 'a');
    expect(running.end('a')).toEqual(['replace a']);
  });
});

describe('what was asked for by hand', () => {
  it('stays: a stop under way stays a stop, with the new definition at its end', () => {
    const running = system({ name: 'a' });
    running.ask('stop', 'a');
    expect(running.reload({ name: 'a', ...other })).toEqual([]);
    expect([running.end('a'), running.stands('a')]).toEqual([['reconfigure a'], 'stopped | none']);
  });

  it('counts in a plan: a stop under way as its end, a restart under way as what it is', () => {
    const running = system({ name: 'a' }, { name: 'b' });
    running.ask('stop', 'a');
    running.ask('restart', 'b');
    const states = ['a', 'b', 'nobody'].map((name) => stateForPlan(running.ledger, name));
    expect(states).toEqual(['stopped', 'stopping', undefined]);
  });

  it('stays: what was stopped rests where the configuration disables it', () => {
    const running = system({ name: 'a' });
    running.ask('stop', 'a');
    running.end('a');
    expect([running.reload({ name: 'a', enabled: false }), running.stands('a')]).toEqual([
      ['reconfigure a'],
      'disabled | none',
    ]);
  });

  it('stays: a restart under way starts the new definition', () => {
    const running = system({ name: 'a' });
    running.ask('restart', 'a');
    expect(running.reload({ name: 'a', ...other })).toEqual([]);
    expect(running.end('a')).toEqual(['reconfigure a', 'start a']);
  });

  it('stays: what was disabled and runs goes on as it is, until it ends', () => {
    const running = system({ name: 'a' });
    running.ask('disable', 'a');
    expect(isHeldDown(running.ledger, 'a')).toBe(true);
    expect(running.reload({ name: 'a', ...other })).toEqual([]);
    expect([running.stands('a'), slotOf(running.ledger, 'a').enabled]).toEqual(['ready.running | none', false]);
    running.ask('stop', 'a');
    expect([running.end('a'), running.stands('a')]).toEqual([['reconfigure a'], 'disabled | none']);
  });

  it('stays: what was disabled, goes on, and is enabled again, is no other until it ends', () => {
    const running = system({ name: 'a' });
    running.ask('disable', 'a');
    running.reload({ name: 'a', type: 'cron', interval: '@daily' });
    running.ask('enable', 'a');
    expect(isHeldDown(running.ledger, 'a')).toBe(false);
    expect(running.reload({ name: 'a', type: 'cron', interval: '@daily' })).toEqual([]);
    running.ask('restart', 'a');
    expect(running.end('a')).toEqual(['replace a', 'start a']);
  });

  it('stays: of what goes on as it was, no part of its definition changes before it ends', () => {
    const running = system({ name: 'a' });
    running.ask('disable', 'a');
    running.reload({ name: 'a', ...other });
    running.ask('enable', 'a');
    expect(running.reload({ name: 'a', ...other, killSignal: 'SIGHUP' })).toEqual([]);
    running.ask('restart', 'a');
    expect(running.end('a')).toEqual(['reconfigure a', 'start a']);
  });

  it.each([
    [other, ['reconfigure a'], 'backoff | none'],
    [{ type: 'cron', interval: '@daily' } as const, ['stop a', 'replace a', 'start a'], 'starting | none'],
  ])('stays: what goes on, and is enabled again, becomes another in its restart pause: %j', (then, told, stands) => {
    const running = system({ name: 'a', restart: true });
    running.ask('disable', 'a');
    running.reload({ name: 'a', restart: true, ...then });
    running.ask('enable', 'a');
    expect(running.told()).toEqual([]);
    running.happen('a', 'crash');
    expect([running.told(), running.stands('a')]).toEqual([told, stands]);
    // It is no other from then on.
    running.happen('a', 'restart');
    running.settle();
    running.happen('a', 'crash');
    expect(running.told()).toEqual([]);
  });

  it('stays: what was disabled and does not run rests, with its new definition', () => {
    const running = system({ name: 'a' });
    running.ask('stop', 'a');
    running.end('a');
    running.ask('disable', 'a');
    expect([running.reload({ name: 'a', ...other }), running.stands('a')]).toEqual([
      ['reconfigure a'],
      'disabled | none',
    ]);
  });

  it('stays: what was disabled in its restart pause, and is no other, starts with enable', () => {
    const running = system({ name: 'a', restart: true });
    running.happen('a', 'crash');
    running.ask('disable', 'a');
    running.reload({ name: 'a', restart: true });
    expect([running.ask('enable', 'a'), running.stands('a')]).toEqual([['start a'], 'starting | none']);
  });

  it('is forgotten where the configuration disables what was disabled in its restart pause: enable starts nothing', () => {
    const running = system({ name: 'a', restart: true });
    running.happen('a', 'crash');
    running.ask('disable', 'a');
    running.reload({ name: 'a', restart: true, enabled: false });
    expect([running.ask('enable', 'a'), running.stands('a')]).toEqual([[], 'stopped | none']);
  });

  it('is forgotten where the configuration starts what was disabled in its restart pause: a later failure is one', () => {
    const running = system({ name: 'a', restart: true, enabled: false });
    running.send({ type: 'services.start', names: ['a'], enable: true, force: false, at: 0 });
    running.settle();
    running.happen('a', 'crash');
    running.ask('disable', 'a');
    running.reload({ name: 'a' });
    running.settle();
    running.ask('disable', 'a');
    running.happen('a', 'crash');
    running.told();
    expect([running.ask('enable', 'a'), running.stands('a')]).toEqual([[], 'failed | none']);
  });

  it('stays: what was disabled while it waited goes on waiting with enable', () => {
    const running = system({ name: 'a' }, { name: 'b', prerequisites: ['a'] });
    running.ask('stop', 'a', 'b');
    running.end('b', 'a');
    running.ask('start', 'b');
    running.ask('disable', 'b');
    running.reload({ name: 'a' }, { name: 'b' });
    expect(running.stands('b')).toBe('disabled | queued');
    expect(running.ask('enable', 'b')).toEqual(['start b']);
  });

  it('counts for less where the configuration itself says something else than before', () => {
    const running = system({ name: 'a' }, { name: 'off', enabled: false });
    expect(running.reload({ name: 'a', enabled: false }, { name: 'off' })).toEqual([
      'reconfigure off',
      'stop a',
      'start off',
    ]);
    expect([running.end('a'), running.stands('a')]).toEqual([['reconfigure a'], 'disabled | none']);
  });

  it('keeps its order where a stop is under way and the graph is another', () => {
    const running = system({ name: 'db' }, { name: 'web', prerequisites: ['db'] });
    running.ask('stop', 'db', 'web');
    running.reload({ name: 'db', prerequisites: ['web'] }, { name: 'web' });
    expect(running.end('web')).toEqual(['reconfigure web', 'stop db']);
  });

  it('has no part in what a reload disables and ends', () => {
    const running = system({ name: 'a' });
    running.reload({ name: 'a', enabled: false });
    expect(running.stands('a')).toBe('stopping | reload, told, rest');
    running.send({ type: 'services.start', names: ['a'], enable: true, force: false, at: 0 });
    expect(running.end('a')).toEqual(['reconfigure a', 'start a']);
  });
});

describe('what fails by itself before a reload ends it', () => {
  it('is replaced all the same', () => {
    const running = system({ name: 'db' }, { name: 'web', prerequisites: ['db'] });
    running.reload({ name: 'db', ...other }, { name: 'web', ...other });
    running.happen('db', 'crash');
    expect(running.told()).toEqual(['reconfigure db', 'start db']);
  });

  it('is gone all the same', () => {
    const running = system({ name: 'db' }, { name: 'web', prerequisites: ['db'] });
    running.reload();
    running.happen('db', 'crash');
    expect(running.told()).toEqual(['remove db']);
    expect(running.end('web')).toEqual(['remove web']);
  });
});
