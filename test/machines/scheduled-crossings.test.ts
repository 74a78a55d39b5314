import { describe, expect, it } from 'vitest';
import { createActor, type EventObject, fromCallback, SimulatedClock } from 'xstate';
import { conditionsMachine, type LookedFact } from '../../src/machines/conditions.ts';
import { hookedRunMachine } from '../../src/machines/hooked-run.ts';
import { hooksMachine } from '../../src/machines/hooks.ts';
import { runCounts, scheduledMachine } from '../../src/machines/scheduled.ts';
import type { ServiceReport } from '../../src/machines/service-events.ts';
import {
  type Connection,
  type RunAnswer,
  type RunResult,
  type ScheduleNews,
  scheduledNote,
  type TriggerCommand,
  type TriggerFact,
} from '../../src/model/schedule/scheduled-runs.ts';
import type { ReloadNews } from '../../src/model/service/reload-method.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { cancelled, exit0, exit1, hearing, noSuchProgram, ScriptedPrograms } from './scripted.ts';

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
  const { actor: system, heard: reports } = hearing<ServiceReport>();
  const { unit } = programs;
  /** Files are there or not, by what a test says; each look answers at once. */
  const files = { there: true };
  const lookup = fromCallback<EventObject, ServiceSpec, LookedFact>(({ input, sendBack }) => {
    const answer = input.startIf?.kind === 'file' ? files.there : undefined;
    sendBack({ type: 'conditions.looked', answers: [answer], at: clock.now() });
  });
  const conditions = conditionsMachine.provide({ actors: { unit, lookup } });
  const hookedRun = hookedRunMachine.provide({ actors: { unit, hooks: hooksMachine.provide({ actors: { unit } }) } });
  const machine = scheduledMachine.provide({ actors: { unit, trigger: trigger.logic, conditions, hookedRun } });
  const actor = createActor(machine, { clock, input: { spec, system } }).start();
  const at = (): number => clock.now();
  return {
    files,
    reports,
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
    /** Somebody asks for a run. */
    ask: (request: number) => actor.send({ type: 'service.run', request, at: at() }),
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

  it('gives each run its number and its client', () => {
    const { trigger, run, children } = scheduled(inetd);
    trigger.fired(client(4));
    trigger.fired(client(5));
    expect([run(0).serial, run(0).connection]).toEqual([1, client(4)]);
    expect([run(1).serial, run(1).connection]).toEqual([2, client(5)]);
    expect(children()).toEqual(['trigger', 'unit-1', 'unit-2']);
    run(0).spawned().exited(exit0);
    trigger.fired(client(6));
    expect([run(2).serial, children()]).toEqual([3, ['trigger', 'unit-1', 'unit-2']]);
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

const queue: ServiceSpec = { ...cron, cron: { overlap: 'queue' } };
const replace: ServiceSpec = { ...cron, cron: { overlap: 'replace' }, stopTimeout: 400 };
const asked = (request: number, answer: RunAnswer): ScheduleNews => ({ kind: 'runAsked', request, answer });
const answered = (requests: readonly number[], result: RunResult): ScheduleNews => ({
  kind: 'runAnswered',
  requests,
  result,
});
const cut = { kind: 'cut' } as const;

describe('a run that somebody asks for', () => {
  it('begins at once, and its end is told', () => {
    const { clock, run, ask, news, reports, counts } = scheduled(cron);
    clock.increment(5);
    ask(7);
    expect(counts()).toEqual({ begun: 1, running: 1 });
    run(0).spawned();
    clock.increment(10);
    run(0).exited(exit0);
    expect(news()).toEqual([asked(7, 'begun'), answered([7], { kind: 'exit', status: exit0, normal: true })]);
    expect(reports.slice(-2)).toMatchObject([
      { type: 'service.noticed', name: 'web.service', at: 5 },
      { type: 'service.noticed', name: 'web.service', at: 15 },
    ]);
    expect(counts()).toEqual({ begun: 1, running: 0 });
  });

  it('may fail, and that is told to everybody and to who has asked', () => {
    const failing = scheduled(cron);
    failing.ask(7);
    failing.run(0).spawned().exited(exit1);
    expect(failing.news().slice(1)).toEqual([
      { kind: 'runFailed', pid: 101, status: exit1 },
      answered([7], { kind: 'exit', status: exit1, normal: false }),
    ]);
    const absent = scheduled(cron);
    absent.ask(7);
    absent.run(0).spawnFailed();
    expect(absent.news().slice(1)).toEqual([
      { kind: 'runUnspawned', error: noSuchProgram },
      answered([7], { kind: 'spawn', error: noSuchProgram }),
    ]);
  });

  it('is refused while another one goes on, and the tick that comes then is skipped', () => {
    const { trigger, run, ask, news, programs } = scheduled(cron);
    ask(7);
    ask(8);
    trigger.fired();
    expect(programs.runs).toHaveLength(1);
    expect(news()).toEqual([asked(7, 'begun'), asked(8, 'busy'), { kind: 'skipped' }]);
    run(0).spawned().exited(exit0, 1);
    ask(9);
    expect([programs.runs.length, news().at(-1)]).toEqual([2, asked(9, 'begun')]);
  });

  it('is refused where the service is not scheduled', () => {
    const { start, stop, ask, news, retire } = scriptedSchedule(cron);
    ask(1);
    start();
    ask(2);
    stop();
    ask(3);
    retire();
    ask(4);
    const ending = scheduled(cron);
    ending.retire();
    ending.ask(5);
    const client = scheduled(inetd);
    client.ask(6);
    expect([...news(), ...ending.news(), ...client.news()]).toEqual(
      [1, 2, 3, 4, 5, 6].map((request) => asked(request, 'unscheduled')),
    );
  });

  it.each(['stop', 'kill', 'reset'] as const)('is cut by a %s, however it ends', (end) => {
    const schedule = scheduled(cron);
    schedule.ask(7);
    schedule.run(0).spawned();
    schedule[end]();
    schedule.run(0).exited(exit1, 1);
    schedule.run(0).look(0);
    expect(schedule.news().filter(({ kind }) => kind === 'runAnswered')).toEqual([answered([7], cut)]);
  });

  it('is cut where it has not begun once the system ends', () => {
    const { ask, run, retire, news } = scheduled(cron);
    ask(7);
    retire();
    expect(run(0).cancels).toBe(1);
    run(0).spawnFailed(cancelled);
    expect(news().slice(1)).toEqual([answered([7], cut)]);
  });

  it('is not told again where what it has left ends', () => {
    const { ask, run, news } = scheduled(cron);
    ask(7);
    run(0).spawned().exited(exit0, 1);
    run(0).look(0);
    expect(news()).toHaveLength(2);
  });
});

describe('a run that waits (overlap: queue)', () => {
  it('begins once the present one has ended, and stands for all that come until then', () => {
    const { clock, trigger, run, ask, news, counts, programs } = scheduled(queue);
    trigger.fired();
    run(0).spawned();
    expect(counts()).toEqual({ begun: 1, running: 1 });
    ask(7);
    trigger.fired();
    ask(8);
    expect(counts()).toEqual({ begun: 1, running: 1, waits: true });
    expect(news()).toEqual([asked(7, 'waits'), { kind: 'queued', again: true }, asked(8, 'waits')]);
    clock.increment(10);
    run(0).exited(exit0, 1);
    expect([programs.runs.length, counts()]).toEqual([2, { begun: 2, running: 1 }]);
    run(1).spawned().exited(exit0);
    expect(news().slice(3)).toEqual([answered([7, 8], { kind: 'exit', status: exit0, normal: true })]);
    expect(programs.runs).toHaveLength(2);
  });

  it('is told once where ticks come', () => {
    const { trigger, run, news } = scheduled(queue);
    trigger.fired();
    run(0).spawned();
    trigger.fired();
    trigger.fired();
    expect(news()).toEqual([
      { kind: 'queued', again: false },
      { kind: 'queued', again: true },
    ]);
    expect(run(0).signals).toEqual([]);
  });

  it('begins, too, where the one before could not be spawned', () => {
    const { trigger, run, programs } = scheduled(queue);
    trigger.fired();
    trigger.fired();
    run(0).spawnFailed();
    expect(programs.runs).toHaveLength(2);
  });

  it.each(['stop', 'reset'] as const)('is dropped by a %s', (end) => {
    const schedule = scheduled(queue);
    schedule.trigger.fired();
    schedule.run(0).spawned();
    schedule.ask(7);
    schedule.ask(8);
    schedule[end]();
    expect(schedule.news().at(-1)).toEqual(answered([7, 8], cut));
    schedule.run(0).exited(terminated);
    expect(schedule.programs.runs).toHaveLength(1);
    expect(schedule.counts()).toEqual({ begun: 1, running: 0 });
  });

  it('is dropped without a word where nobody has asked for it', () => {
    const { trigger, stop, news } = scheduled(queue);
    trigger.fired();
    trigger.fired();
    stop();
    expect(news()).toEqual([{ kind: 'queued', again: false }]);
  });

  it('does not begin once the system ends, and is cut with the stop', () => {
    const { ask, run, retire, stop, programs, news } = scheduled(queue);
    ask(7);
    run(0).spawned();
    ask(8);
    retire();
    run(0).exited(exit0);
    expect(programs.runs).toHaveLength(1);
    stop();
    expect(news().at(-1)).toEqual(answered([8], cut));
  });
});

describe('a run that replaces another (overlap: replace)', () => {
  it('begins once nothing is left of the present one, which is told to end', () => {
    const { clock, trigger, run, news, programs, counts } = scheduled(replace);
    trigger.fired();
    run(0).spawned();
    clock.increment(10);
    trigger.fired();
    expect(news()).toEqual([{ kind: 'replaced', pids: [101] }]);
    expect([run(0).signals, counts()]).toEqual([['SIGTERM at 10'], { begun: 1, running: 1, waits: true }]);
    trigger.fired();
    expect([news().length, run(0).signals.length]).toEqual([1, 1]);
    run(0).exited(exit1, 1);
    expect(programs.runs).toHaveLength(1);
    clock.increment(399);
    expect(run(0).signals).toEqual(['SIGTERM at 10']);
    clock.increment(1);
    expect(run(0).signals).toEqual(['SIGTERM at 10', 'SIGKILL at 410']);
    run(0).look(0);
    expect([programs.runs.length, counts()]).toEqual([2, { begun: 2, running: 1 }]);
    expect(news()).toHaveLength(1);
    run(1).spawned();
    clock.increment(5_000);
    expect(run(1).signals).toEqual([]);
  });

  it('may be asked for, and who has asked for the present one is told that it was cut', () => {
    const { ask, run, news } = scheduled(replace);
    ask(7);
    run(0).spawned();
    ask(8);
    run(0).exited(terminated);
    run(1).spawned().exited(exit0);
    expect(news()).toEqual([
      asked(7, 'begun'),
      asked(8, 'replaces'),
      { kind: 'replaced', pids: [101] },
      answered([7], cut),
      answered([8], { kind: 'exit', status: exit0, normal: true }),
    ]);
  });

  it('tells no pid of a run whose spawn is not reported', () => {
    const { trigger, run, news, programs } = scheduled(replace);
    trigger.fired();
    trigger.fired();
    expect([news(), run(0).cancels]).toEqual([[{ kind: 'replaced', pids: [] }], 1]);
    run(0).spawnFailed(cancelled);
    expect(programs.runs).toHaveLength(2);
    expect(news()).toHaveLength(1);
  });

  it('has 2 s for the one before where no stop_timeout is given', () => {
    const { clock, trigger, run } = scheduled({ ...cron, cron: { overlap: 'replace' } });
    trigger.fired();
    run(0).spawned();
    trigger.fired();
    clock.increment(2_000);
    expect(run(0).signals).toEqual(['SIGTERM at 0', 'SIGKILL at 2000']);
  });

  it('does not end what the run before has left behind', () => {
    const { trigger, run, news, programs } = scheduled(replace);
    trigger.fired();
    run(0).spawned().exited(exit0, 1);
    trigger.fired();
    expect([programs.runs.length, run(0).signals, news()]).toEqual([2, [], []]);
  });
});

describe('a run that lasts longer than max_runtime', () => {
  const limited: ServiceSpec = { ...cron, maxRuntime: 1_000, stopTimeout: 400 };

  it('is told to end, and killed where it does not end in time', () => {
    const { clock, ask, run, news, reports, programs } = scheduled(limited);
    clock.increment(50);
    ask(7);
    clock.increment(50);
    run(0).spawned();
    clock.increment(999);
    expect(run(0).signals).toEqual([]);
    clock.increment(1);
    expect(run(0).signals).toEqual(['SIGTERM at 1100']);
    expect(reports.at(-1)).toEqual({
      type: 'service.noticed',
      name: 'web.service',
      news: { kind: 'overran', pid: 101, limit: 1_000 },
      at: 1_100,
    });
    clock.increment(399);
    expect(run(0).signals).toHaveLength(1);
    clock.increment(1);
    expect(run(0).signals).toEqual(['SIGTERM at 1100', 'SIGKILL at 1500']);
    run(0).exited(exit1);
    expect(news().slice(2)).toEqual([answered([7], { kind: 'overran', limit: 1_000 })]);
    ask(8);
    run(1).spawned();
    clock.increment(999);
    expect([run(1).signals, programs.runs.length]).toEqual([[], 2]);
    clock.increment(1);
    expect(run(1).signals).toEqual(['SIGTERM at 2500']);
  });

  it('lets no other begin until nothing of it is left', () => {
    const { clock, trigger, run, news, programs } = scheduled(limited);
    trigger.fired();
    run(0).spawned();
    clock.increment(1_000);
    run(0).exited(exit1, 1);
    trigger.fired();
    expect([programs.runs.length, news().at(-1)]).toEqual([1, { kind: 'skipped' }]);
    run(0).look(0);
    trigger.fired();
    expect(programs.runs).toHaveLength(2);
  });

  it('has ended by itself where its leader has, whatever that has left', () => {
    const { clock, trigger, run, news } = scheduled(limited);
    trigger.fired();
    run(0).spawned();
    clock.increment(900);
    run(0).exited(exit0, 1);
    clock.increment(5_000);
    expect([run(0).signals, news()]).toEqual([[], []]);
  });

  it('keeps to the order that it has got before', () => {
    const { clock, trigger, run, reset, news } = scheduled(limited);
    trigger.fired();
    run(0).spawned();
    clock.increment(900);
    reset(10_000);
    clock.increment(5_000);
    expect([run(0).signals, news()]).toEqual([['SIGTERM at 900'], [{ kind: 'reset' }]]);
  });

  it('gets SIGKILL in its own time, before and after others that have more', () => {
    const { clock, trigger, run, reset } = scheduled({ ...inetd, maxRuntime: 1_000, stopTimeout: 400 });
    trigger.fired(client(1));
    run(0).spawned();
    clock.increment(500);
    reset(3_000);
    trigger.fired(client(2));
    run(1).spawned();
    clock.increment(1_000);
    clock.increment(400);
    expect(run(1).signals).toEqual(['SIGTERM at 1500', 'SIGKILL at 1900']);
    expect(run(0).signals).toEqual(['SIGTERM at 500']);
    clock.increment(1_599);
    expect(run(0).signals).toHaveLength(1);
    clock.increment(1);
    expect(run(0).signals).toEqual(['SIGTERM at 500', 'SIGKILL at 3500']);
    expect(run(1).signals).toHaveLength(2);
  });
});

describe('a start of a scheduled service that fails', () => {
  const retried: ServiceSpec = {
    ...inetd,
    restartPolicy: { startFailure: true },
    restartDelay: 1_000,
    restartLimit: 1,
  };
  const cause = { kind: 'spawn', error: noSuchProgram } as const;

  it('is tried again after its pause, until the limit is reached', () => {
    const { clock, trigger, start, reports, state } = scriptedSchedule(retried);
    clock.increment(10);
    start();
    clock.increment(5);
    trigger.refused();
    expect([state(), trigger.live]).toEqual(['backoff', 0]);
    const backoff = { phase: 'backoff', cause, first: true, restartsLeft: 0, delay: 1_000 };
    expect(reports.at(-1)).toEqual({ type: 'service.changed', name: 'web.service', change: backoff, at: 15 });
    clock.increment(999);
    expect(state()).toBe('backoff');
    clock.increment(1);
    expect(state()).toEqual({ starting: 'spawning' });
    expect(reports.at(-1)).toMatchObject({ change: { phase: 'starting', serial: 2 } });
    clock.increment(5);
    trigger.refused();
    expect(reports.at(-1)).toEqual({
      type: 'service.changed',
      name: 'web.service',
      change: {
        phase: 'failed',
        cause,
        during: 'start',
        gaveUp: { restarts: 1, after: 1_005 },
        noTry: { kind: 'usedUp', limit: 1 },
      },
      at: 1_020,
    });
  });

  it.each(['stop', 'kill', 'retire'] as const)('is not tried again after a %s in the pause', (end) => {
    const schedule = scriptedSchedule(retried);
    schedule.start();
    schedule.trigger.refused();
    schedule.clock.increment(5);
    schedule[end]();
    expect(schedule.reports.at(-1)).toMatchObject({ change: { phase: 'stopped' }, at: 5 });
    schedule.clock.increment(10_000);
    expect(schedule.state()).toBe('stopped');
  });

  it.each(['start', 'reset'] as const)('has all its tries again after a %s in the pause', (deed) => {
    const { clock, trigger, state, ...schedule } = scriptedSchedule(retried);
    schedule.start();
    trigger.refused();
    schedule[deed]();
    if (deed === 'reset') clock.increment(1_000);
    expect(state()).toEqual({ starting: 'spawning' });
    trigger.refused();
    expect(state()).toBe('backoff');
  });

  it('is forgotten by a reset', () => {
    const { start, trigger, reset, reports, clock } = scriptedSchedule(inetd);
    start();
    trigger.refused();
    clock.increment(5);
    reset();
    expect(reports.at(-1)).toMatchObject({ change: { phase: 'stopped' }, at: 5 });
  });
});

describe('a scheduled service that is stopped because of its prerequisite', () => {
  const because = { prerequisite: 'db.service', how: 'failed' } as const;

  it.each([true, false])('has failed once nothing runs, where that counts as a failure: %s', (isFailure) => {
    const { actor, clock, trigger, run, reports, state } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    actor.send({
      type: 'service.stop',
      drain: false,
      because,
      ...(isFailure ? { fails: true } : {}),
      at: clock.now(),
    });
    expect(state()).toEqual({ stopping: 'terminating' });
    run(0).exited(terminated);
    expect(state()).toBe(isFailure ? 'failed' : 'stopped');
    if (isFailure)
      expect(reports.at(-1)).toMatchObject({
        change: { phase: 'failed', during: 'run', cause: { kind: 'prerequisite' } },
      });
  });
});

describe('the conditions of a scheduled service', () => {
  const startIf = { kind: 'file', path: '/x' } as const;

  it('are asked for each run of a cron service', () => {
    const { trigger, files, run, ask, news, programs, state, counts } = scheduled({ ...cron, startIf });
    trigger.fired();
    expect(programs.runs).toHaveLength(1);
    run(0).spawned().exited(exit0);
    files.there = false;
    trigger.fired();
    ask(7);
    const why = 'the file /x is not there';
    expect(news()).toEqual([
      { kind: 'unmet', why },
      asked(7, 'begun'),
      { kind: 'unmet', why },
      answered([7], { kind: 'unmet', why }),
    ]);
    expect([programs.runs.length, state(), counts()]).toEqual([1, { ready: 'scheduled' }, { begun: 3, running: 0 }]);
  });

  it('are asked at the start of an inetd service, and by no client', () => {
    const unmet = scriptedSchedule({ ...inetd, startIf });
    unmet.files.there = false;
    unmet.clock.increment(5);
    unmet.start();
    expect(unmet.reports.at(-1)).toMatchObject({
      change: { phase: 'disabled', skipped: 'the file /x is not there' },
      at: 5,
    });
    expect([unmet.state(), unmet.children(), unmet.trigger.live]).toEqual(['disabled', [], 0]);
    unmet.files.there = true;
    unmet.start();
    expect(unmet.state()).toEqual({ starting: 'spawning' });
    unmet.trigger.armed();
    unmet.files.there = false;
    unmet.trigger.fired(client(1));
    expect(unmet.programs.runs).toHaveLength(1);
    expect(unmet.counts()).toEqual({ begun: 1, running: 1 });
  });

  it('that give no answer are a failed start of an inetd service, and a run of cron that did not begin', () => {
    const command = { kind: 'command', command: 'ask', argv: ['ask'] } as const;
    const failure = { kind: 'exit', status: { kind: 'exited', code: 255 } } as const;
    const start = scriptedSchedule({ ...inetd, startIf: command });
    start.start();
    start.clock.increment(5);
    start.run(0).spawned().exited(failure.status);
    expect(start.reports.at(-1)).toMatchObject({
      change: { phase: 'failed', cause: { kind: 'condition', failure }, during: 'start' },
      at: 5,
    });
    const tick = scheduled({ ...cron, startIf: command });
    tick.ask(7);
    tick.run(0).spawned().exited(failure.status);
    expect(tick.news().slice(1)).toEqual([{ kind: 'unasked', failure }, answered([7], { kind: 'unasked', failure })]);
    expect(tick.children()).toEqual(['trigger']);
  });

  it('are followed by the run, which is told to end by the stop', () => {
    const { clock, trigger, run, stop, children } = scheduled({ ...cron, startIf });
    trigger.fired();
    expect(children()).toEqual(['trigger', 'unit-1']);
    run(0).spawned();
    clock.increment(10);
    stop();
    expect(run(0).signals).toEqual(['SIGTERM at 10']);
  });

  it('are followed by the hooks of the run', () => {
    const hooks = { commands: { before_start: [{ command: 'true' }] }, afterStopTimeout: 5_000 };
    const { trigger, run, programs } = scheduled({ ...cron, startIf, hooks });
    trigger.fired();
    expect(run(0).beside).toMatchObject({ kind: 'hook', stage: 'before_start' });
    run(0).spawned().exited(exit0);
    expect(programs.runs).toHaveLength(2);
    expect(run(1).beside).toBeUndefined();
  });

  it('that are not met let the run begin that waits', () => {
    const command = { kind: 'command', command: 'ask', argv: ['ask'] } as const;
    const { clock, trigger, run, programs, news } = scheduled({ ...queue, startIf: command });
    trigger.fired();
    run(0).spawned();
    trigger.fired();
    clock.increment(5);
    run(0).exited(exit1);
    expect(programs.runs).toHaveLength(2);
    run(1).spawned().exited(exit0);
    expect(programs.runs).toHaveLength(3);
    expect(run(2).beside).toBeUndefined();
    expect(news()).toMatchObject([{ kind: 'queued' }, { kind: 'unmet' }]);
  });

  it('end with a stop, also of a start', () => {
    const command = { kind: 'command', command: 'ask', argv: ['ask'] } as const;
    const { start, stop, run, state, phases, trigger } = scriptedSchedule({ ...inetd, startIf: command });
    start();
    run(0).spawned();
    stop();
    expect([run(0).signals, state()]).toEqual([['SIGTERM at 0'], { stopping: 'terminating' }]);
    run(0).exited(exit0);
    expect([phases(), trigger.live]).toEqual([['starting', 'stopping', 'stopped'], 0]);
  });

  it('that are met start nothing where the run was told to end meanwhile, or the system ends', () => {
    const command = { kind: 'command', command: 'ask', argv: ['ask'] } as const;
    const { ask, retire, run, programs, news } = scheduled({ ...cron, startIf: command });
    ask(7);
    run(0).spawned();
    retire();
    run(0).exited(exit0);
    expect([programs.runs.length, news().slice(1)]).toEqual([1, [answered([7], cut)]]);
  });
});

describe('a scheduled service that is only unscheduled', () => {
  const left = () => {
    const schedule = scheduled(cron);
    schedule.trigger.fired();
    schedule.run(0).spawned().exited(exit0, 1);
    schedule.actor.send({ type: 'service.stop', drain: true, leaves: true, at: schedule.clock.now() });
    return schedule;
  };

  it('lets live what its runs have left, and forgets it once it has ended', () => {
    const { clock, run, state, children } = left();
    clock.increment(60_000);
    expect([state(), run(0).signals, children()]).toEqual(['stopped', [], ['unit-1']]);
    run(0).look(0);
    expect(children()).toEqual([]);
  });

  it('ends that at a reset, and gives it its time', () => {
    const { clock, run, reset, news } = left();
    clock.increment(10);
    reset(500);
    expect(run(0).signals).toEqual(['SIGTERM at 10']);
    clock.increment(500);
    expect(run(0).signals).toEqual(['SIGTERM at 10', 'SIGKILL at 510']);
    expect(news()).toEqual([]);
  });

  it('waits for the run that goes on', () => {
    const { actor, trigger, run, state, phases } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    actor.send({ type: 'service.stop', drain: true, leaves: true, at: 0 });
    expect(state()).toEqual({ stopping: 'draining' });
    run(0).exited(exit0, 1);
    expect([phases().at(-1), run(0).signals]).toEqual(['stopped', []]);
  });
});

describe('the words of a scheduled service', () => {
  it('refuse a run with its time wherever it is not scheduled', () => {
    const { clock, start, stop, ask, reports, trigger } = scriptedSchedule(cron);
    const times: number[] = [];
    const askLater = () => {
      clock.increment(5);
      ask(1);
      times.push(reports.at(-1)?.at ?? 0);
    };
    askLater();
    start();
    askLater();
    trigger.refused();
    askLater();
    start();
    trigger.armed();
    trigger.fired();
    stop();
    askLater();
    expect(times).toEqual([5, 10, 15, 20]);
  });

  it('refuse a reload of its configuration, which each run reads anew', () => {
    const { actor, news, clock, reports } = scheduled(cron);
    clock.increment(5);
    actor.send({ type: 'service.reload', request: 7, at: 5 });
    actor.send({ type: 'service.reload', at: 5 });
    expect(news()).toEqual([
      { kind: 'reloaded', outcome: { kind: 'noMethod' }, request: 7 },
      { kind: 'reloaded', outcome: { kind: 'noMethod' } },
    ]);
    expect(reports.at(-1)).toMatchObject({ type: 'service.noticed', name: 'web.service', at: 5 });
  });

  it('name the handlers of an inetd service that a stop ends, and no run of a cron service', () => {
    const { trigger, run, stop, news } = scheduled(inetd);
    trigger.fired(client(1));
    trigger.fired(client(2));
    run(0).spawned();
    run(1).spawned().exited(exit0, 1);
    stop();
    expect(news()).toEqual([{ kind: 'clearing', pids: [101] }]);
    const job = scheduled(cron);
    job.trigger.fired();
    job.run(0).spawned();
    job.stop();
    expect(job.news()).toEqual([]);
    const idle = scheduled(inetd);
    idle.stop();
    expect(idle.news()).toEqual([]);
  });

  it('tell the time of what lives on after SIGKILL', () => {
    const { clock, trigger, run, kill, reports } = scheduled(cron);
    trigger.fired();
    run(0).spawned();
    clock.increment(10);
    kill(300);
    clock.increment(300);
    expect(reports.at(-1)).toEqual({ type: 'service.survived', name: 'web.service', at: 310 });
  });

  it('tell of the hooks of after_stop that follow SIGKILL, once', () => {
    const hooks = { commands: { after_stop: [{ command: 'true' }] }, afterStopTimeout: 5_000 };
    const { clock, kill, trigger, reports } = scheduled({ ...cron, hooks });
    trigger.fired();
    clock.increment(5);
    kill();
    kill();
    expect(reports.filter(({ type }) => type === 'service.stopContinues')).toEqual([
      { type: 'service.stopContinues', name: 'web.service', at: 5 },
    ]);
    const plain = scheduled(cron);
    plain.trigger.fired();
    plain.kill();
    expect(plain.reports.filter(({ type }) => type === 'service.stopContinues')).toEqual([]);
  });
});
