/** The `trigger` port of the scheduled machine: it starts the runs of a cron or inetd service. */
import { fromCallback } from 'xstate';
import { about, acceptPaused, type Message } from '../../model/log/messages.ts';
import type { Schedule, ScheduleResult } from '../../model/schedule/schedule.ts';
import { parseScheduleFields } from '../../model/schedule/schedule-fields.ts';
import type { TriggerCommand, TriggerFact } from '../../model/schedule/scheduled-runs.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { SpawnError } from '../../model/service/spawn-error.ts';
import { ticks } from '../../streams/ticks.ts';
import type { Clock, Kernel, TimerId } from '../kernel.ts';

/** Reads a schedule: `parseSchedule`. */
export type ReadSchedule = (
  text: string,
  timeZone?: string,
) => ScheduleResult | { readonly ok: true; readonly schedule: Pick<Schedule, 'next'> };

export interface TriggerPorts {
  readonly kernel: Pick<Kernel, 'findProgram' | 'listen'>;
  readonly clock: Clock;
  /** A number from 0 to 1, 1 excluded, that nobody can foretell: it puts ticks off. */
  readonly random: () => number;
  /** The time zone of new schedules without one of their own, a name that Intl knows; undefined: chaperone's own. */
  readonly timeZone: () => string | undefined;
  /** Called when a cron service starts, so that a system without one does not load the parser of schedules. */
  readonly loadSchedules: () => ReadSchedule | Promise<ReadSchedule>;
  readonly onMessage: (message: Message) => void;
  /** Called with the next run of a cron service, Unix ms; undefined: there is none. */
  readonly onDue: (service: string, time: number | undefined) => void;
}

interface TriggerScope {
  readonly input: ServiceSpec;
  readonly sendBack: (fact: TriggerFact) => void;
  readonly receive: (listener: (command: TriggerCommand) => void) => void;
}

/** Arms a trigger and returns the function that ends it. */
type Trigger = (scope: TriggerScope) => (() => void) | undefined;

/** ms until an accept that has failed is tried again. */
const acceptPause = 1_000;

export function triggerLogic(ports: TriggerPorts) {
  const schedule = scheduleTrigger(ports);
  const listener = listenerTrigger(ports);
  return fromCallback<TriggerCommand, ServiceSpec, TriggerFact>((scope) => {
    const { input: service, sendBack } = scope;
    const error = missingProgram(ports.kernel, service);
    if (error !== undefined) {
      sendBack({ type: 'trigger.refused', cause: { kind: 'spawn', error }, at: ports.clock.now() });
      return undefined;
    }
    return service.type === 'cron' ? schedule(scope) : listener(scope);
  });
}

/** The error of a missing program. Most are found before anything starts; one with a relative path only here. */
function missingProgram(kernel: TriggerPorts['kernel'], service: ServiceSpec): SpawnError | undefined {
  const program = service.argv[0] ?? '';
  const directory = service.directory ?? service.account?.home;
  if (kernel.findProgram(program, service.environment['PATH'] ?? '', directory) !== undefined) return undefined;
  return { code: 'ENOENT', stage: 'lookup', program };
}

/** Fires at each tick. It ignores pauses, because a tick during the last run has to be reported as skipped. */
function scheduleTrigger({ clock, random, timeZone, loadSchedules, onDue }: TriggerPorts): Trigger {
  return ({ input: service, sendBack }) => {
    const { cron = {} } = service;
    const fire = (): void => sendBack({ type: 'trigger.fired', at: clock.now() });
    let stop = (): void => undefined;
    let stopped = false;
    const refuse = (problem: string): void =>
      sendBack({ type: 'trigger.refused', cause: { kind: 'schedule', problem }, at: clock.now() });
    const begin = (read: ReadSchedule): void => {
      const text = service.interval ?? '';
      const result = read(text, cron.timeZone ?? timeZone());
      const fields = parseScheduleFields(text);
      if (!result.ok || !fields.ok) {
        const problems = result.ok ? [] : result.problems;
        refuse(problems.map(({ message }) => message).join('; '));
        return;
      }
      const { everyHour, everyMinute } = fields.schedule;
      sendBack({ type: 'trigger.armed', at: clock.now() });
      if (cron.runAtStart === true) fire();
      const schedule = {
        next: result.schedule.next,
        repeats: everyHour || everyMinute,
        ...(cron.catchUp === undefined ? {} : { catchUp: cron.catchUp }),
      };
      const delayed = new DelayedTick(clock, (time) => onDue(service.name, time), fire);
      const subscription = ticks(schedule, clock, (time) => delayed.expect(time)).subscribe(() => {
        if (cron.jitter === undefined) fire();
        else delayed.delay(Math.floor(random() * cron.jitter));
      });
      stop = () => {
        subscription.unsubscribe();
        delayed.stop();
        onDue(service.name, undefined);
      };
    };
    const read = loadSchedules();
    if (read instanceof Promise) {
      read.then(
        (loaded) => {
          if (!stopped) begin(loaded);
        },
        (error: unknown) => refuse(`what reads schedules cannot be loaded: ${String(error)}`),
      );
    } else begin(read);
    return () => {
      stopped = true;
      stop();
    };
  };
}

/** Puts ticks off. A tick that comes while another one is put off counts with that one. */
class DelayedTick {
  readonly #clock: Clock;
  readonly #onDue: (time: number | undefined) => void;
  readonly #fire: () => void;
  /** Unix ms of the next tick of the schedule. */
  #next: number | undefined;
  #timer: TimerId | undefined;

  constructor(clock: Clock, onDue: (time: number | undefined) => void, fire: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#fire = fire;
  }

  /** Takes the next tick of the schedule, Unix ms. */
  expect(time: number | undefined): void {
    this.#next = time;
    if (this.#timer === undefined) this.#onDue(time);
  }

  delay(ms: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#onDue(this.#next);
      this.#fire();
    }, ms);
    this.#onDue(this.#clock.wallTime() + ms);
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
  }
}

/** Fires for each client. While paused, clients wait in the backlog. */
function listenerTrigger({ kernel, clock, onMessage }: TriggerPorts): Trigger {
  return ({ input: service, sendBack, receive }) => {
    const port = service.port ?? 0;
    const outcome = kernel.listen(port);
    if (!outcome.ok) {
      const { code, tried } = outcome;
      sendBack({ type: 'trigger.refused', cause: { kind: 'listen', port, code, tried }, at: clock.now() });
      return undefined;
    }
    const { listener } = outcome;
    let paused = false;
    let retry: TimerId | undefined;
    /** True once a lack of descriptors was logged: one line for each such time, however long. */
    let said = false;
    const clients = listener.connections$.subscribe((connection) => {
      said = false;
      sendBack({ type: 'trigger.fired', connection, at: clock.now() });
    });
    const refusals = listener.refusals$.subscribe((code) => {
      if (!said) onMessage(about(service, acceptPaused(service, code, acceptPause)));
      said = true;
      retry = clock.setTimeout(() => {
        retry = undefined;
        if (!paused) listener.resume();
      }, acceptPause);
    });
    receive(({ type }) => {
      paused = type === 'trigger.pause';
      if (paused) listener.pause();
      else if (retry === undefined) listener.resume();
    });
    sendBack({ type: 'trigger.armed', at: clock.now() });
    return () => {
      if (retry !== undefined) clock.clearTimeout(retry);
      clients.unsubscribe();
      refusals.unsubscribe();
      listener.close();
    };
  };
}
