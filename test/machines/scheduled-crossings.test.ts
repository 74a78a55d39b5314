import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, SimulatedClock } from 'xstate';
import { processMachine } from '../../src/machines/process.ts';
import { runCounts, type ServiceNoticed, scheduledMachine } from '../../src/machines/scheduled.ts';
import { type ServiceReport, serviceMachine } from '../../src/machines/service.ts';
import {
  type Connection,
  type ScheduleFact,
  scheduledNote,
  type TriggerCommand,
  type TriggerFact,
} from '../../src/model/scheduling.ts';
import type { ServiceSpec } from '../../src/model/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { exit0, exit1, noSuchProgram, ScriptedPrograms } from './scripted.ts';

/** The trigger in the hands of a test. */
class ScriptedTrigger {
  readonly told: string[] = [];
  live = 0;
  #send: (fact: TriggerFact) => void = () => {};

  readonly logic = fromCallback<TriggerCommand, ServiceSpec, TriggerFact>(({ sendBack, receive }) => {
    this.live += 1;
    this.#send = sendBack;
    receive(({ type }) => this.told.push(type));
    return () => {
      this.live -= 1;
    };
  });

  armed(): void {
    this.#send({ type: 'trigger.armed', at: 1 });
  }

  refused(): void {
    this.#send({ type: 'trigger.refused', cause: { kind: 'spawn', error: noSuchProgram }, at: 1 });
  }

  fired(connection?: Connection): void {
    this.#send({ type: 'trigger.fired', at: 2, ...(connection === undefined ? {} : { connection }) });
  }
}

const cron = serviceSpec({ type: 'cron', interval: '@hourly' });
const inetd = serviceSpec({ type: 'inetd', port: 80, maxConnections: 2 });
const client = (id: number): Connection => ({ id, address: '::1', port: 5_000 + id });

function scriptedSchedule(service: ServiceSpec) {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const trigger = new ScriptedTrigger();
  const facts: string[] = [];
  const news: ServiceNoticed['news'][] = [];
  const owner = createActor(
    fromCallback<ScheduleFact>(({ receive }) => {
      receive(({ type }) => facts.push(type));
    }),
  ).start();
  const system = createActor(
    fromCallback<ServiceNoticed>(({ receive }) => {
      receive((notice) => news.push(notice.news));
    }),
  ).start();
  const process = processMachine.provide({ actors: { childProcess: programs.childProcess } });
  const machine = scheduledMachine.provide({ actors: { process, trigger: trigger.logic } });
  const actor = createActor(machine, { clock, input: { service, serial: 1, owner, system } }).start();
  return {
    actor,
    clock,
    programs,
    trigger,
    facts,
    news,
    state: () => actor.getSnapshot().value,
    counts: () => runCounts(actor.getSnapshot().context),
    terminate: (killAfter = 5_000) => actor.send({ type: 'process.terminate', signal: 'SIGTERM', killAfter }),
    reset: () => actor.send({ type: 'schedule.reset', signal: 'SIGTERM', killAfter: 1_000 }),
  };
}

describe('a schedule', () => {
  it('is accepted once its trigger is armed, and refused where it cannot be', () => {
    const accepted = scriptedSchedule(cron);
    expect(accepted.state()).toEqual({ open: 'arming' });
    accepted.trigger.armed();
    expect(accepted.state()).toEqual({ open: 'active' });
    expect(accepted.facts).toEqual(['schedule.accepted']);
    const refused = scriptedSchedule(cron);
    refused.trigger.refused();
    expect(refused.state()).toBe('refused');
    expect(refused.actor.getSnapshot().status).toBe('done');
    expect(refused.facts).toEqual(['schedule.refused']);
    expect(refused.trigger.live).toBe(0);
  });

  it('has its trigger until it ends, whatever its runs do', () => {
    const { trigger, programs, state, terminate, facts } = scriptedSchedule(cron);
    trigger.armed();
    trigger.fired();
    programs.run().spawned().exited(exit1);
    expect(state()).toEqual({ open: 'active' });
    expect(trigger.live).toBe(1);
    terminate();
    expect(trigger.live).toBe(0);
    expect(state()).toBe('closed');
    expect(facts).toEqual(['schedule.accepted', 'schedule.ended']);
  });

  it('skips a tick while the last run goes on, and a run that could not be spawned is none', () => {
    const { trigger, programs, news, counts } = scriptedSchedule(cron);
    trigger.armed();
    trigger.fired();
    trigger.fired();
    expect(programs.runs).toHaveLength(1);
    programs.run().spawnFailed();
    trigger.fired();
    expect(programs.runs).toHaveLength(2);
    expect(news).toEqual([{ kind: 'skipped' }, { kind: 'runUnspawned', error: noSuchProgram }]);
    expect(counts()).toEqual({ begun: 2, running: 1 });
  });

  it('pauses its trigger while it is full, and serves a client that was taken in that moment', () => {
    const { trigger, programs, counts } = scriptedSchedule(inetd);
    trigger.armed();
    trigger.fired(client(1));
    expect(trigger.told).toEqual([]);
    trigger.fired(client(2));
    expect(trigger.told).toEqual(['trigger.pause']);
    trigger.fired(client(3));
    expect(counts()).toEqual({ begun: 3, running: 3 });
    expect(programs.runs.map(({ connection }) => connection)).toEqual([client(1), client(2), client(3)]);
    const [first, second] = programs.runs;
    first?.spawned().exited(exit0);
    expect(trigger.told).toEqual(['trigger.pause']);
    second?.spawned().exited(exit0);
    expect(trigger.told).toEqual(['trigger.pause', 'trigger.resume']);
  });

  it('closes only when the last run is reaped, also one whose spawn is not reported yet', () => {
    const { trigger, programs, state, terminate, facts, news } = scriptedSchedule(inetd);
    trigger.armed();
    trigger.fired(client(1));
    trigger.fired(client(2));
    const [first, second] = programs.runs;
    first?.spawned();
    terminate();
    expect(state()).toEqual({ closing: 'terminating' });
    expect(news).toEqual([{ kind: 'clearing', pids: [101, 0] }]);
    second?.spawned();
    expect(second?.signals).toEqual(['SIGTERM at 0']);
    first?.exited(exit1);
    expect(facts).toEqual(['schedule.accepted']);
    second?.exited(exit1);
    expect(facts).toEqual(['schedule.accepted', 'schedule.ended']);
    expect(news).toHaveLength(1);
  });

  it('begins nothing for a client that was taken in the moment of its end', () => {
    const { trigger, programs, terminate, state } = scriptedSchedule(inetd);
    trigger.armed();
    trigger.fired(client(1));
    terminate();
    trigger.fired(client(2));
    expect(programs.runs).toHaveLength(1);
    expect(state()).toEqual({ closing: 'terminating' });
  });

  it('kills what does not end, by the wish or by the time', () => {
    const { actor, clock, trigger, programs, terminate } = scriptedSchedule(cron);
    trigger.armed();
    trigger.fired();
    programs.run().spawned();
    terminate(1_000);
    clock.increment(1_000);
    expect(programs.run().signals).toEqual(['SIGTERM at 0', 'SIGKILL at 1000']);
    actor.send({ type: 'process.kill' });
    expect(programs.run().signals).toHaveLength(3);
    actor.send({ type: 'process.kill' });
    expect(programs.run().signals).toHaveLength(4);
    programs.run().exited(exit1);
    expect(actor.getSnapshot().status).toBe('done');
  });

  it('ends its runs at a reset, tells nothing of how they end, and goes on', () => {
    const { trigger, programs, state, reset, news } = scriptedSchedule(cron);
    trigger.armed();
    trigger.fired();
    programs.run().spawned();
    reset();
    expect(programs.run().signals).toEqual(['SIGTERM at 0']);
    programs.run().exited({ kind: 'signaled', signal: 'SIGTERM', coreDumped: false });
    expect(state()).toEqual({ open: 'active' });
    expect(news).toEqual([{ kind: 'reset' }]);
    trigger.fired();
    expect(programs.runs).toHaveLength(2);
  });

  it('retires: what runs may run, and nothing new begins', () => {
    const { actor, trigger, programs, state, terminate, facts } = scriptedSchedule(cron);
    trigger.armed();
    trigger.fired();
    programs.run().spawned();
    actor.send({ type: 'schedule.retire' });
    expect(trigger.live).toBe(0);
    expect(programs.run().signals).toEqual([]);
    programs.run().exited(exit0);
    expect(state()).toBe('retired');
    terminate();
    expect(facts).toEqual(['schedule.accepted', 'schedule.ended']);
  });

  it('ends without having been armed', () => {
    const { trigger, terminate, facts, state } = scriptedSchedule(cron);
    terminate();
    expect(state()).toBe('closed');
    trigger.armed();
    expect(facts).toEqual(['schedule.ended']);
  });
});

function scriptedCronService() {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const trigger = new ScriptedTrigger();
  const reports: ServiceReport[] = [];
  const system = createActor(
    fromCallback<ServiceReport>(({ receive }) => {
      receive((report) => reports.push(report));
    }),
  ).start();
  const process = processMachine.provide({ actors: { childProcess: programs.childProcess } });
  const scheduled = scheduledMachine.provide({ actors: { process, trigger: trigger.logic } });
  const machine = serviceMachine.provide({ actors: { process, scheduled } });
  const actor = createActor(machine, { clock, input: { spec: cron, system } }).start();
  return {
    actor,
    programs,
    trigger,
    state: () => actor.getSnapshot().value,
    phases: () => reports.map((report) => (report.type === 'service.changed' ? report.change.phase : report.type)),
    start: () => actor.send({ type: 'service.start', at: 0 }),
    stop: () => actor.send({ type: 'service.stop', killAfter: 5_000, at: 0 }),
  };
}

describe('a service with a schedule', () => {
  it('is scheduled, stopped with its job, and scheduled again', () => {
    const { start, stop, trigger, programs, state, phases } = scriptedCronService();
    start();
    expect(state()).toEqual({ starting: 'spawning' });
    trigger.armed();
    expect(state()).toEqual({ ready: 'scheduled' });
    trigger.fired();
    programs.run().spawned();
    stop();
    expect(state()).toEqual({ stopping: 'terminating' });
    start();
    programs.run().exited(exit1);
    expect(state()).toEqual({ starting: 'spawning' });
    trigger.armed();
    expect(phases()).toEqual(['starting', 'scheduled', 'stopping', 'starting', 'scheduled']);
  });

  it('fails where its schedule is refused, and stops where that comes during a stop', () => {
    const failed = scriptedCronService();
    failed.start();
    failed.trigger.refused();
    expect(failed.state()).toBe('failed');
    expect(failed.trigger.live).toBe(0);
    const stopped = scriptedCronService();
    stopped.start();
    stopped.stop();
    expect(stopped.state()).toBe('stopped');
    expect(stopped.trigger.live).toBe(0);
  });

  it('stops at a kill, and with its job', () => {
    const { actor, start, trigger, programs, state } = scriptedCronService();
    start();
    trigger.armed();
    trigger.fired();
    programs.run().spawned();
    actor.send({ type: 'service.kill', at: 0 });
    expect(programs.run().signals).toEqual(['SIGKILL at 0']);
    programs.run().exited(exit1);
    expect(state()).toBe('stopped');
  });

  it('ends what runs at a reset, stays scheduled, and takes no tick once it is retired', () => {
    const { actor, start, trigger, programs, state } = scriptedCronService();
    start();
    trigger.armed();
    trigger.fired();
    programs.run().spawned();
    actor.send({ type: 'service.reset', killAfter: 1_000, at: 7 });
    expect(actor.getSnapshot().context.at).toBe(7);
    expect(programs.run().signals).toEqual(['SIGTERM at 0']);
    programs.run().exited(exit1);
    trigger.fired();
    expect(programs.runs).toHaveLength(2);
    programs.run().spawned().exited(exit0);
    actor.send({ type: 'service.retire', at: 0 });
    trigger.fired();
    expect(programs.runs).toHaveLength(2);
    expect(state()).toEqual({ ready: 'scheduled' });
  });

  it('takes no tick once it is retired, also where that comes before it is armed', () => {
    const { actor, start, stop, trigger, programs, state } = scriptedCronService();
    start();
    actor.send({ type: 'service.retire', at: 0 });
    expect(trigger.live).toBe(0);
    trigger.armed();
    trigger.fired();
    expect(programs.runs).toEqual([]);
    stop();
    expect(state()).toBe('stopped');
  });
});

describe('the note of a scheduled service', () => {
  it('is what people look for in a listing', () => {
    expect(scheduledNote(cron, { begun: 4, running: 0 })).toBe('hourly (0 * * * *)');
    expect(scheduledNote({ ...cron, interval: '*/5 * * * *' }, { begun: 0, running: 0 })).toBe('*/5 * * * *');
    expect(scheduledNote(inetd, { begun: 12, running: 2 })).toBe('waiting on port 80; req recvd = 12; running = 2');
  });
});
