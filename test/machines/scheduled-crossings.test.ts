import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, SimulatedClock } from 'xstate';
import { runCounts, scheduledMachine } from '../../src/machines/scheduled.ts';
import type { ServiceReport } from '../../src/machines/service-events.ts';
import {
  type Connection,
  type ScheduleNews,
  scheduledNote,
  type TriggerCommand,
  type TriggerFact,
} from '../../src/model/schedule/scheduled-runs.ts';
import type { ReloadNews } from '../../src/model/service/reload-method.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { cancelled, exit0, exit1, noSuchProgram, ScriptedPrograms } from './scripted.ts';

const terminated = { kind: 'signaled', signal: 'SIGTERM', coreDumped: false } as const;

/** A trigger that the test controls. */
class ScriptedTrigger {
  readonly told: string[] = [];
  live = 0;
  #send: (fact: TriggerFact) => void = () => {};
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly logic = fromCallback<TriggerCommand, ServiceSpec, TriggerFact>(({ sendBack, receive }) => {
    this.live += 1;
    this.#send = sendBack;
    receive(({ type }) => this.told.push(type));
    return () => {
      this.live -= 1;
    };
  });

  armed(): void {
    this.#send({ type: 'trigger.armed', at: this.#now() });
  }

  refused(): void {
    this.#send({ type: 'trigger.refused', cause: { kind: 'spawn', error: noSuchProgram }, at: this.#now() });
  }

  fired(connection?: Connection): void {
    this.#send({ type: 'trigger.fired', at: this.#now(), ...(connection === undefined ? {} : { connection }) });
  }
}

const cron = serviceSpec({ type: 'cron', interval: '@hourly' });
const inetd = serviceSpec({ type: 'inetd', port: 80, maxConnections: 2 });
const client = (id: number): Connection => ({ id, address: '::1', port: 5_000 + id });

function scriptedSchedule(spec: ServiceSpec) {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const trigger = new ScriptedTrigger(() => clock.now());
  const reports: ServiceReport[] = [];
  const system = createActor(
    fromCallback<ServiceReport>(({ receive }) => {
      receive((report) => reports.push(report));
    }),
  ).start();
  const machine = scheduledMachine.provide({ actors: { unit: programs.unit, trigger: trigger.logic } });
  const actor = createActor(machine, { clock, input: { spec, system } }).start();
  const at = (): number => clock.now();
  return {
    actor,
    clock,
    programs,
    trigger,
    run: (nth: number) => {
      const run = programs.runs[nth];
      if (run === undefined) throw new Error(`there is no run ${nth}`);
      return run;
    },
    state: () => actor.getSnapshot().value,
    counts: () => runCounts(actor.getSnapshot().context),
    children: () => Object.keys(actor.getSnapshot().children).sort(),
    phases: () => reports.flatMap((report) => (report.type === 'service.changed' ? [report.change.phase] : [])),
    news: (): readonly (ScheduleNews | ReloadNews)[] =>
      reports.flatMap((report) => (report.type === 'service.noticed' ? [report.news] : [])),
    survivors: () => reports.filter(({ type }) => type === 'service.survived').length,
    start: () => actor.send({ type: 'service.start', at: at() }),
    stop: (drain = false) => actor.send({ type: 'service.stop', drain, at: at() }),
    kill: (grace = 1_000) => actor.send({ type: 'service.kill', grace, at: at() }),
    reset: (killAfter = 1_000) => actor.send({ type: 'service.reset', killAfter, at: at() }),
    retire: () => actor.send({ type: 'service.retire', at: at() }),
  };
}

/** A service that is already scheduled. */
function scheduled(spec: ServiceSpec) {
  const schedule = scriptedSchedule(spec);
  schedule.start();
  schedule.trigger.armed();
  return schedule;
}

describe('a scheduled service', () => {
  it('is scheduled once its trigger is armed, and has failed where it cannot be', () => {
    const accepted = scriptedSchedule(cron);
    expect(accepted.state()).toBe('pending');
    accepted.start();
    expect(accepted.state()).toEqual({ starting: 'spawning' });
    accepted.trigger.armed();
    expect(accepted.state()).toEqual({ ready: 'scheduled' });
    expect(accepted.phases()).toEqual(['starting', 'ready.scheduled']);
    const refused = scriptedSchedule(cron);
    refused.start();
    refused.trigger.refused();
    expect(refused.state()).toBe('failed');
    expect(refused.phases()).toEqual(['starting', 'failed']);
    expect(refused.trigger.live).toBe(0);
    refused.start();
    refused.trigger.armed();
    expect(refused.phases()).toEqual(['starting', 'failed', 'starting', 'ready.scheduled']);
  });

  it('has its trigger until it ends, whatever its runs do', () => {
    const { trigger, run, state, stop, phases } = scheduled(cron);
    trigger.fired();
    run(0).spawned().exited(exit1);
    expect(state()).toEqual({ ready: 'scheduled' });
    expect(trigger.live).toBe(1);
    stop();
    expect(trigger.live).toBe(0);
    expect(state()).toBe('stopped');
    expect(phases()).toEqual(['starting', 'ready.scheduled', 'stopping', 'stopped']);
  });

  it('skips a tick while the last run goes on, but not for a run that could not be spawned', () => {
    const { trigger, programs, run, news, counts } = scheduled(cron);
    trigger.fired();
    trigger.fired();
    expect(programs.runs).toHaveLength(1);
    run(0).spawnFailed();
    trigger.fired();
    expect(programs.runs).toHaveLength(2);
    expect(news()).toEqual([{ kind: 'skipped' }, { kind: 'runUnspawned', error: noSuchProgram }]);
    expect(counts()).toEqual({ begun: 2, running: 1 });
  });

  it.each(['stop', 'kill', 'reset'] as const)('does not report a run whose start a %s has cancelled', (end) => {
    const { trigger, run, news, state, counts, ...commands } = scheduled(cron);
    trigger.fired();
    commands[end]();
    expect(run(0).cancels).toBe(1);
    run(0).spawnFailed(cancelled);
    expect(news().filter(({ kind }) => kind !== 'reset')).toEqual([]);
    expect(state()).toEqual(end === 'reset' ? { ready: 'scheduled' } : 'stopped');
    expect(counts()).toMatchObject({ running: 0 });
  });

  it('reports runs that fail, and no others', () => {
    const { clock, trigger, run, news } = scheduled(cron);
    trigger.fired();
    run(0).spawned().exited(exit0);
    clock.increment(60_000);
    trigger.fired();
    run(1).spawned().exited(exit1);
    expect(news()).toEqual([{ kind: 'runFailed', pid: 102, status: exit1 }]);
  });

  it('pauses its trigger while it is full, and serves a client that was taken in that moment', () => {
    const { trigger, programs, run, counts, children } = scheduled(inetd);
    trigger.fired(client(1));
    expect(trigger.told).toEqual([]);
    trigger.fired(client(2));
    expect(trigger.told).toEqual(['trigger.pause']);
    trigger.fired(client(3));
    expect(counts()).toEqual({ begun: 3, running: 3 });
    expect(children()).toEqual(['trigger', 'unit-1', 'unit-2', 'unit-3']);
    expect(programs.runs.map(({ connection }) => connection)).toEqual([client(1), client(2), client(3)]);
    run(0).spawned().exited(exit0);
    expect(trigger.told).toEqual(['trigger.pause']);
    run(1).spawned().exited(exit0);
    expect(trigger.told).toEqual(['trigger.pause', 'trigger.resume']);
    trigger.fired(client(4));
    expect(children()).toEqual(['trigger', 'unit-1', 'unit-3']);
  });

  it('stops only when nothing is left, also of a run whose spawn is not reported yet', () => {
    const { trigger, run, state, stop, phases, news } = scheduled(inetd);
    trigger.fired(client(1));
    trigger.fired(client(2));
    run(0).spawned();
    stop();
    expect(state()).toEqual({ stopping: 'terminating' });
    expect(news()).toEqual([{ kind: 'clearing', pids: [101, 0] }]);
    run(1).spawned();
    expect(run(1).signals).toEqual(['SIGTERM at 0']);
    run(0).exited(exit1);
    expect(phases().at(-1)).toBe('stopping');
    run(1).exited(exit1);
    expect(phases().at(-1)).toBe('stopped');
    expect(news()).toHaveLength(1);
  });

  it('begins nothing for a client that was taken in the moment of its end', () => {
    const { trigger, programs, stop, state } = scheduled(inetd);
    trigger.fired(client(1));
    stop();
    trigger.fired(client(2));
    expect(programs.runs).toHaveLength(1);
    expect(state()).toEqual({ stopping: 'terminating' });
  });

  it('has no clock for a stop: SIGKILL comes from the system', () => {
    const { clock, trigger, run, stop, kill, state, survivors } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    stop();
    stop();
    clock.increment(60_000);
    expect(run(0).signals).toEqual(['SIGTERM at 0']);
    kill(500);
    expect(state()).toEqual({ stopping: 'killing' });
    expect(run(0).signals).toEqual(['SIGTERM at 0', 'SIGKILL at 60000']);
    clock.increment(500);
    expect(survivors()).toBe(1);
    kill(500);
    expect(run(0).signals).toHaveLength(3);
    run(0).exited(exit1);
    expect(state()).toBe('stopped');
  });

  it('stops at a kill, and with its job', () => {
    const { trigger, run, kill, state } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    kill();
    expect(run(0).signals).toEqual(['SIGKILL at 0']);
    run(0).exited(exit1);
    expect(state()).toBe('stopped');
  });

  it('is stopped with its job, and scheduled again by another start', () => {
    const { start, stop, trigger, run, state, phases } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    stop();
    // The chart ignores the start; the system remembers it.
    start();
    run(0).exited(exit1);
    expect(state()).toBe('stopped');
    start();
    trigger.armed();
    expect(phases()).toEqual(['starting', 'ready.scheduled', 'stopping', 'stopped', 'starting', 'ready.scheduled']);
  });

  it('ends without having been armed', () => {
    const { start, stop, trigger, phases, state } = scriptedSchedule(cron);
    start();
    stop();
    trigger.armed();
    expect(state()).toBe('stopped');
    expect(phases()).toEqual(['starting', 'stopping', 'stopped']);
    expect(trigger.live).toBe(0);
  });

  it('passes a signal by hand on to each run', () => {
    const { actor, trigger, run } = scheduled(inetd);
    trigger.fired(client(1));
    trigger.fired(client(2));
    run(0).spawned();
    run(1).spawned();
    actor.send({ type: 'service.signal', signal: 'SIGHUP', at: 0 });
    expect([run(0).signals, run(1).signals]).toEqual([['SIGHUP at 0'], ['SIGHUP at 0']]);
  });
});

describe('what a run leaves behind', () => {
  it('holds nobody up: the next run comes, and a tick is not skipped', () => {
    const { clock, trigger, run, news, counts, children } = scheduled(cron);
    trigger.fired();
    run(0).spawned().exited(exit0, 2);
    expect(counts()).toEqual({ begun: 1, running: 0 });
    clock.increment(60_000);
    trigger.fired();
    expect(run(1).serial).toBe(2);
    expect(run(0).signals).toEqual([]);
    expect(news()).toEqual([]);
    expect(children()).toEqual(['trigger', 'unit-1', 'unit-2']);
  });

  it('does not take the place of a client', () => {
    const { trigger, run } = scheduled({ ...inetd, maxConnections: 1 });
    trigger.fired(client(1));
    run(0).spawned().exited(exit0, 1);
    expect(trigger.told).toEqual(['trigger.pause', 'trigger.resume']);
  });

  it('is let go when it has ended by itself', () => {
    const { trigger, run, children } = scheduled(cron);
    trigger.fired();
    run(0).spawned().exited(exit0, 1);
    run(0).look(0);
    expect(children()).toEqual(['trigger']);
  });

  it('is ended by a stop, with the current run, and is not reported', () => {
    const { trigger, run, stop, state, news } = scheduled(inetd);
    trigger.fired(client(1));
    run(0).spawned().exited(exit0, 1);
    trigger.fired(client(2));
    run(1).spawned();
    stop();
    expect(news()).toEqual([{ kind: 'clearing', pids: [102] }]);
    expect([run(0).signals, run(1).signals]).toEqual([['SIGTERM at 0'], ['SIGTERM at 0']]);
    run(1).exited(terminated);
    expect(state()).toEqual({ stopping: 'terminating' });
    run(0).look(0);
    expect(state()).toBe('stopped');
  });

  it('is ended by a reset', () => {
    const { clock, trigger, run, reset, state, children } = scheduled(cron);
    trigger.fired();
    run(0).spawned().exited(exit0, 1);
    reset(1_000);
    expect(run(0).signals).toEqual(['SIGTERM at 0']);
    clock.increment(1_000);
    expect(run(0).signals).toEqual(['SIGTERM at 0', 'SIGKILL at 1000']);
    run(0).look(0);
    expect(state()).toEqual({ ready: 'scheduled' });
    expect(children()).toEqual(['trigger']);
  });
});

describe('a reset', () => {
  it('ends what runs, tells nothing of how it ends, and the schedule goes on', () => {
    const { trigger, programs, run, state, reset, news } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    reset();
    expect(run(0).signals).toEqual(['SIGTERM at 0']);
    run(0).exited(terminated);
    expect(state()).toEqual({ ready: 'scheduled' });
    expect(news()).toEqual([{ kind: 'reset' }]);
    trigger.fired();
    expect(programs.runs).toHaveLength(2);
  });

  it('kills what does not end in time, and nothing that began since', () => {
    const { clock, trigger, run, reset } = scheduled(inetd);
    trigger.fired(client(1));
    run(0).spawned();
    reset(1_000);
    trigger.fired(client(2));
    run(1).spawned();
    clock.increment(999);
    expect(run(0).signals).toEqual(['SIGTERM at 0']);
    clock.increment(1);
    expect(run(0).signals).toEqual(['SIGTERM at 0', 'SIGKILL at 1000']);
    expect(run(1).signals).toEqual([]);
  });

  it('keeps its time where it comes again', () => {
    const { clock, trigger, run, reset } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    reset(1_000);
    clock.increment(900);
    reset(1_000);
    clock.increment(99);
    expect(run(0).signals).toEqual(['SIGTERM at 0']);
    clock.increment(1);
    expect(run(0).signals).toEqual(['SIGTERM at 0', 'SIGKILL at 1000']);
  });

  it('leaves clients that wait their turn', () => {
    const { trigger, run, reset } = scheduled({ ...inetd, maxConnections: 1 });
    trigger.fired(client(1));
    run(0).spawned();
    reset();
    expect(trigger.told).toEqual(['trigger.pause']);
    run(0).exited(terminated);
    expect(trigger.told).toEqual(['trigger.pause', 'trigger.resume']);
  });
});

describe('a stop that lets runs finish', () => {
  it('starts nothing more, signals nobody, and is over when the last run has ended', () => {
    const { clock, trigger, run, stop, state, phases, news } = scheduled(inetd);
    trigger.fired(client(1));
    trigger.fired(client(2));
    run(0).spawned();
    run(1).spawned();
    stop(true);
    expect(trigger.live).toBe(0);
    expect(state()).toEqual({ stopping: 'draining' });
    clock.increment(3_600_000);
    run(0).exited(exit1);
    expect(news()).toEqual([{ kind: 'runFailed', pid: 101, status: exit1 }]);
    expect(state()).toEqual({ stopping: 'draining' });
    run(1).exited(exit0);
    expect([run(0).signals, run(1).signals]).toEqual([[], []]);
    expect(phases()).toEqual(['starting', 'ready.scheduled', 'stopping', 'stopped']);
  });

  it('is over at once where nothing runs', () => {
    const { stop, phases } = scheduled(cron);
    stop(true);
    expect(phases()).toEqual(['starting', 'ready.scheduled', 'stopping', 'stopped']);
  });

  it('ends then what the runs have left behind', () => {
    const { clock, trigger, run, stop, state, survivors } = scheduled(inetd);
    trigger.fired(client(1));
    trigger.fired(client(2));
    run(0).spawned().exited(exit0, 1);
    run(1).spawned();
    stop(true);
    clock.increment(60_000);
    expect(run(0).signals).toEqual([]);
    run(1).exited(exit0);
    expect(state()).toEqual({ stopping: 'clearing' });
    expect(run(0).signals).toEqual(['SIGTERM at 60000']);
    clock.increment(2_000);
    expect(run(0).signals).toEqual(['SIGTERM at 60000', 'SIGKILL at 62000']);
    expect(state()).toEqual({ stopping: 'killing' });
    clock.increment(1_000);
    expect(survivors()).toBe(1);
    run(0).look(0);
    expect(state()).toBe('stopped');
  });

  it('is hastened by any other stop', () => {
    const hastened = scheduled(cron);
    hastened.trigger.fired();
    hastened.run(0).spawned();
    hastened.stop(true);
    hastened.stop(true);
    expect(hastened.state()).toEqual({ stopping: 'draining' });
    hastened.stop(false);
    expect(hastened.state()).toEqual({ stopping: 'terminating' });
    expect(hastened.run(0).signals).toEqual(['SIGTERM at 0']);
    hastened.stop(true);
    expect(hastened.state()).toEqual({ stopping: 'terminating' });
    const killed = scheduled(cron);
    killed.trigger.fired();
    killed.run(0).spawned();
    killed.stop(true);
    killed.kill();
    expect(killed.run(0).signals).toEqual(['SIGKILL at 0']);
  });

  it('is hastened by a reset, too', () => {
    const { trigger, run, stop, reset, phases } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    stop(true);
    reset();
    expect(run(0).signals).toEqual(['SIGTERM at 0']);
    run(0).exited(terminated);
    expect(phases().at(-1)).toBe('stopped');
  });
});

describe('a scheduled service while the system ends', () => {
  it('begins no run, and lets the current ones go on until the stop comes', () => {
    const { trigger, run, programs, state, retire, stop, phases } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    retire();
    expect(trigger.live).toBe(0);
    expect(run(0).signals).toEqual([]);
    run(0).exited(exit0);
    trigger.fired();
    expect(programs.runs).toHaveLength(1);
    expect(state()).toEqual({ ready: 'scheduled' });
    stop();
    expect(phases().slice(-2)).toEqual(['stopping', 'stopped']);
  });

  it('begins no run for a tick that was on its way', () => {
    const { actor, clock, retire, programs, state } = scheduled(cron);
    retire();
    actor.send({ type: 'trigger.fired', at: clock.now() });
    expect(programs.runs).toEqual([]);
    expect(state()).toEqual({ ready: 'scheduled' });
  });

  it('takes no tick, also where that comes before it is armed', () => {
    const { start, stop, retire, trigger, programs, state } = scriptedSchedule(cron);
    start();
    retire();
    expect(trigger.live).toBe(0);
    trigger.armed();
    trigger.fired();
    expect(programs.runs).toEqual([]);
    stop();
    expect(state()).toBe('stopped');
    start();
    expect(state()).toBe('stopped');
  });
});

describe('the times that a scheduled service tells with SIGKILL', () => {
  it('are those from the signal to SIGKILL', () => {
    const asked: unknown[] = [];
    const clock = new SimulatedClock();
    const programs = new ScriptedPrograms(clock);
    const trigger = new ScriptedTrigger(() => clock.now());
    const system = createActor(fromCallback<ServiceReport>(() => {}));
    const unit = programs.unit;
    const machine = scheduledMachine.provide({ actors: { unit, trigger: trigger.logic } });
    const actor = createActor(machine, { clock, input: { spec: cron, system } }).start();
    actor.system.inspect(({ type, ...rest }) => {
      const event = type === '@xstate.event' && 'event' in rest ? rest.event : undefined;
      if (event?.type === 'unit.send' && event['signal'] === 'SIGKILL') asked.push(event['asked']);
    });
    actor.send({ type: 'service.start', at: 0 });
    trigger.armed();
    trigger.fired();
    programs.run().spawned();
    clock.increment(100);
    actor.send({ type: 'service.reset', killAfter: 1_000, at: 100 });
    clock.increment(1_000);
    programs.run().exited(exit1);
    trigger.fired();
    programs.run().spawned();
    actor.send({ type: 'service.stop', drain: true, at: clock.now() });
    programs.run().exited(exit0, 1);
    clock.increment(2_000);
    expect(asked).toEqual([
      { signal: 'SIGTERM', for: 1_000 },
      { signal: 'SIGTERM', for: 2_000 },
    ]);
  });
});

describe('the note of a scheduled service', () => {
  it('is what people look for in a listing', () => {
    expect(scheduledNote(cron, { begun: 4, running: 0 })).toBe('hourly (0 * * * *)');
    expect(scheduledNote({ ...cron, interval: '*/5 * * * *' }, { begun: 0, running: 0 })).toBe('*/5 * * * *');
    expect(scheduledNote(inetd, { begun: 12, running: 2 })).toBe('waiting on port 80; req recvd = 12; running = 2');
  });
});
