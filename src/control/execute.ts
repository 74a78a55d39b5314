/** Carries out commands: refuses by the state of the services, sends requests to the supervisor, and answers. */
import { Subscription } from 'rxjs';
import { seconds } from '../model/log/messages.ts';
import { renderPlan } from '../model/order/reload-plan.ts';
import { describeRun, isScheduled, type RunAnswer, type RunResult } from '../model/schedule/scheduled-runs.ts';
import { describeReload } from '../model/service/reload-method.ts';
import { shortName } from '../model/service/service-spec.ts';
import { type Answer, done, mistake, refused, unreloadable, unrestartable, unstartable } from './answer.ts';
import type { Command, WaitGoal } from './command.ts';
import type { Meter } from './meter.ts';
import { scale, type Waiting } from './scale.ts';
import { selectServices } from './select-services.ts';
import { statusText } from './status-table.ts';
import type { ControlEvent, KillOutcome, ServiceEvent, ServiceStatus, Supervisor } from './supervisor.ts';

export interface Timers {
  setTimeout(callback: () => void, delay: number): number;
  clearTimeout(id: number): void;
}

export interface ExecuteOptions {
  readonly supervisor: Supervisor;
  readonly timers: Timers;
  /** Counts the work of the request. */
  readonly meter: Meter;
  /** True if no caller takes the answer: `--wait` is ignored. */
  readonly unattended?: boolean;
  /** Ends the waiting when the caller has gone; nobody gets the answer then. */
  readonly aborted?: AbortSignal;
}

/** Carries a command out. Rejects only where chaperone itself has a fault. */
export async function execute(command: Command, options: ExecuteOptions): Promise<Answer> {
  const { supervisor } = options;
  switch (command.verb) {
    case 'status': {
      const selected = selectServices(supervisor.services(), command.names, options.meter);
      if (selected.kind === 'answer') return selected.answer;
      const services = command.names.length === 0 ? supervisor.services() : selected.services;
      return done(statusText(supervisor.status(), services));
    }
    case 'dependencies':
      return done(supervisor.dependencyChart());
    case 'loglevel': {
      if (command.level === undefined) {
        const { logLevel } = supervisor.status();
        return done(logLevel === undefined ? 'Forced Logging Level: NOT SET' : `*.${logLevel}`);
      }
      supervisor.forceLogLevel(command.level);
      return done(`All logging set to include priorities >= *.${command.level}`);
    }
    case 'shutdown':
      supervisor.shutdown(command.delay);
      return done(command.now ? 'Shutting down now' : `Shutting down in ${seconds(command.delay)} seconds`);
    case 'reload': {
      if (command.names.length > 0) return reloadServices(command, options);
      const result = await supervisor.reload({ dryRun: command.dryRun, force: command.force });
      switch (result.kind) {
        case 'mistakes':
          return { kind: 'failed', names: [], text: result.report, diagnostics: result.diagnostics };
        case 'ending':
          return { kind: 'failed', names: [], text: 'Command error: the system is shutting down' };
        case 'unstartable':
          return unstartable(result.services);
        case 'planned': {
          const { warnings, plan, unstartable: named } = result;
          const text = `${warnings}${renderPlan(plan, named)}`;
          return { kind: 'done', text, plan, ...(named.length === 0 ? {} : { unstartable: named }) };
        }
        case 'begun':
          return { kind: 'done', text: `${result.warnings}${renderPlan(result.plan)}`, plan: result.plan };
      }
      break;
    }
    case 'scale': {
      const waiting: Waiting = (names, goal) =>
        waitFor(names, goal, { ...options, text: '', timeout: command.timeout });
      return scale(command, supervisor, command.wait && options.unattended !== true ? waiting : undefined);
    }
    case 'start':
    case 'stop':
    case 'reset':
    case 'restart':
    case 'enable':
    case 'disable':
    case 'kill':
    case 'wait':
    case 'run-now':
      return commandServices(command, options);
  }
}

type ServiceCommand = Extract<Command, { readonly names: readonly string[] }>;

async function commandServices(
  command: Exclude<ServiceCommand, { verb: 'status' | 'reload' | 'scale' }>,
  options: ExecuteOptions,
): Promise<Answer> {
  const { supervisor } = options;
  const all = supervisor.services();
  const selected = selectServices(all, command.names, options.meter);
  if (selected.kind === 'answer') return selected.answer;
  // "start" without names means all services that can be started.
  const services =
    command.names.length > 0
      ? selected.services
      : all.filter((service) => service.enabled && !refusesStart(service) && !hasEnded(service));
  const names = services.map(({ name }) => name);
  const mayWait = 'wait' in command && command.wait && options.unattended !== true;
  const until = (goal: WaitGoal, text: string, awaited = names): Promise<Answer> =>
    waitFor(awaited, goal, { ...options, text, ...('timeout' in command ? { timeout: command.timeout } : {}) });
  switch (command.verb) {
    case 'start': {
      const { force, withPrerequisites = false } = command;
      const enable = command.enable || services.some(({ held }) => held === true);
      // A forced start starts what is not ready anyway.
      const others = withPrerequisites && !force ? prerequisitesDown(services, all) : [];
      const refusal = force ? undefined : refuseStart(services, command.enable, !withPrerequisites);
      if (refusal !== undefined) return refusal;
      supervisor.start([...others, ...names], { enable, force });
      return mayWait ? until('ready', 'services started.') : done(`service start-up queued.${including(others)}`);
    }
    case 'stop': {
      const { disable, drain, force } = command;
      const refusal =
        (drain ? refuse('notScheduled', services, ({ type }) => !isScheduled(type)) : undefined) ??
        (force ? undefined : refuse('notStarted', services, (service) => !isStarted(service)));
      if (refusal !== undefined) return refusal;
      supervisor.stop(names, { disable, drain });
      return mayWait ? until('stopped', 'services stopped.') : done('services stopping.');
    }
    case 'reset': {
      const refusal = command.force ? undefined : refuse('running', services, (service) => isRunning(service));
      if (refusal !== undefined) return refusal;
      const ending = services.filter((service) => endsAtReset(service, command.force)).map(({ name }) => name);
      supervisor.reset(names, { force: command.force });
      return mayWait ? until('stopped', 'services reset.', ending) : done('services reset.');
    }
    case 'restart': {
      const others = command.withDependents === true ? dependentsUp(services, all) : [];
      const everybody = [...names, ...others.map(({ name }) => name)];
      const refusal = command.force ? undefined : refuseRestart([...services, ...others], everybody, supervisor);
      if (refusal !== undefined) return refusal;
      supervisor.restart(everybody, { force: command.force });
      if (mayWait) return until('ready', 'services restarted.', everybody);
      return done(`services restarting.${including(others.map(({ name }) => name))}`);
    }
    case 'run-now':
      return runNow(services, mayWait, command.timeout, options);
    case 'enable':
      supervisor.setEnabled(names, true);
      return done('services enabled.');
    case 'disable':
      supervisor.setEnabled(names, false);
      return done('services disabled.');
    case 'kill': {
      const refusal = refuse('noProcess', services, ({ pid, running }) => pid === undefined && (running ?? 0) === 0);
      if (refusal !== undefined) return refusal;
      const outcomes = await Promise.all(names.map((name) => supervisor.kill(name, command.signal)));
      const of = (outcome: KillOutcome): readonly string[] =>
        names.filter((_, index) => outcomes[index] === outcome).map(shortName);
      if (of('denied').length > 0) return refused('denied', of('denied'));
      // Its process has ended meanwhile.
      if (of('notRunning').length > 0) return refused('noProcess', of('notRunning'));
      return done(`${command.signal} sent.`);
    }
    case 'wait':
      return waitFor(names, command.goal, {
        ...options,
        text: `services ${command.goal}.`,
        ...(command.timeout === undefined ? {} : { timeout: command.timeout }),
      });
  }
}

/** Runs cron services now; `waits`: the answer is by what has come of the runs. */
async function runNow(
  services: readonly ServiceStatus[],
  waits: boolean,
  timeout: number | undefined,
  options: ExecuteOptions,
): Promise<Answer> {
  const { supervisor } = options;
  const refusal =
    refuse('notCron', services, ({ type }) => type !== 'cron') ??
    refuse('unscheduled', services, ({ stage }) => stage !== 'ready.scheduled');
  if (refusal !== undefined) return refusal;
  const runs = services.map(({ name }) => ({ name, ...supervisor.runNow(name) }));
  const of = (...answers: readonly RunAnswer[]): readonly string[] =>
    runs.flatMap(({ name, answer }) => (answers.includes(answer) ? [shortName(name)] : []));
  if (of('unscheduled').length > 0) return refused('unscheduled', of('unscheduled'));
  if (of('busy').length > 0) return refused('runs', of('busy'));
  if (!waits)
    return done(of('waits', 'replaces').length > 0 ? 'runs begin once the present ones have ended.' : 'runs begun.');
  const names = services.map(({ name }) => name);
  const ended = Promise.all(runs.map(async ({ name, ended: result }) => ({ name, result: await result })));
  const results = await within(ended, timeout, names, 'ended', options);
  if ('kind' in results) return results;
  const failed = results.filter(({ result }) => !isSuccess(result));
  if (failed.length === 0) return done('runs ended.');
  const lines = failed.map(({ name, result }) => `${shortName(name)}: ${describeRun(result)}`);
  return { kind: 'failed', names: failed.map(({ name }) => name), text: `Command error: ${lines.join('; ')}` };
}

function isSuccess(result: RunResult): boolean {
  return result.kind === 'exit' && result.normal;
}

/** Lets services read their own configuration anew. */
async function reloadServices(
  { names: wanted, dryRun, force }: Command & { verb: 'reload' },
  options: ExecuteOptions,
): Promise<Answer> {
  const { supervisor } = options;
  const selected = selectServices(supervisor.services(), wanted, options.meter);
  if (selected.kind === 'answer') return selected.answer;
  if (dryRun || force)
    return mistake(`--${dryRun ? 'dry-run' : 'force'} is for the reload of the configuration, without names`);
  const outcomes = await Promise.all(
    selected.services.map(async ({ name }) => ({ name, outcome: await supervisor.reloadService(name) })),
  );
  const bad = outcomes.filter(({ outcome }) => outcome.kind !== 'done');
  if (bad.length === 0) return done('services reloaded.');
  const reasons = bad.map(({ name, outcome }) => ({ name, reason: describeReload(outcome) }));
  if (bad.every(({ outcome: { kind } }) => kind === 'notRunning' || kind === 'noMethod' || kind === 'busy'))
    return unreloadable(reasons);
  const lines = reasons.map(({ name, reason }) => `${shortName(name)} was not reloaded: ${reason}`);
  return { kind: 'failed', names: bad.map(({ name }) => name), text: `Command error: ${lines.join('; ')}` };
}

/** The result of a wait, or the answer where that takes too long or the caller goes away. */
function within<T extends readonly unknown[]>(
  result: Promise<T>,
  timeout: number | undefined,
  names: readonly string[],
  goal: string,
  { timers, aborted }: ExecuteOptions,
): Promise<T | Answer> {
  return new Promise((resolve, reject) => {
    const subscription = new Subscription();
    const finish = (outcome: T | Answer): void => {
      subscription.unsubscribe();
      resolve(outcome);
    };
    result.then(finish, reject);
    if (timeout !== undefined) {
      const text = `Command error: not ${goal} within ${seconds(timeout)} s: ${names.map(shortName).join(', ')}`;
      const timer = timers.setTimeout(() => finish({ kind: 'timedOut', names, text }), timeout);
      subscription.add(() => timers.clearTimeout(timer));
    }
    const abandon = (): void => finish({ kind: 'failed', names, text: 'Command error: the caller has gone' });
    aborted?.addEventListener('abort', abandon, { once: true });
    subscription.add(() => aborted?.removeEventListener('abort', abandon));
  });
}

/** Checks for the three reasons to refuse a start, in the original's order. */
function refuseStart(services: readonly ServiceStatus[], enable: boolean, alone: boolean): Answer | undefined {
  const refusal =
    (enable ? undefined : refuse('notEnabled', services, ({ enabled, held }) => !enabled && held !== true)) ??
    refuse('alreadyStarted', services, refusesStart);
  if (refusal !== undefined || !alone) return refusal;
  return refuse('notReady', services, (service) => {
    // A prerequisite that the same command starts counts as ready.
    const missing = service.prerequisites.some((name) => !services.some((other) => other.name === name));
    return service.state === 'failed' || (!service.prerequisitesReady && missing);
  });
}

/** Those that the services wait for, directly or not, and that nothing starts by itself. */
function prerequisitesDown(services: readonly ServiceStatus[], all: readonly ServiceStatus[]): readonly string[] {
  const byName = new Map(all.map((service) => [service.name, service]));
  const asked = new Set(services.map(({ name }) => name));
  const found = new Set(asked);
  for (const name of found) {
    for (const other of byName.get(name)?.prerequisites ?? []) {
      const state = byName.get(other)?.state;
      if (state === 'pending' || state === 'stopped' || state === 'failed' || state === 'stopping') found.add(other);
    }
  }
  // What is pending is queued already.
  return [...found].filter((name) => !asked.has(name) && byName.get(name)?.state !== 'pending');
}

/** The services that are up and wait for one of these, directly or not. A oneshot that is done does not run again. */
function dependentsUp(services: readonly ServiceStatus[], all: readonly ServiceStatus[]): readonly ServiceStatus[] {
  const dependents = new Map<string, ServiceStatus[]>();
  for (const service of all)
    for (const other of service.prerequisites) dependents.set(other, [...(dependents.get(other) ?? []), service]);
  const found = new Set(services);
  const names = new Set(services.map(({ name }) => name));
  for (const { name } of found) {
    for (const other of dependents.get(name) ?? []) {
      if (names.has(other.name)) continue;
      names.add(other.name);
      found.add(other);
    }
  }
  return [...found].filter((service) => {
    const { state, type, stage, enabled } = service;
    if (services.includes(service) || !enabled || (type === 'oneshot' && stage === 'ready.exited')) return false;
    return state === 'starting' || state === 'ready' || state === 'backoff';
  });
}

/** Names the services that a command is for besides those that it was given: ` With them: db, cache.` */
function including(names: readonly string[]): string {
  return names.length === 0 ? '' : ` With them: ${names.map(shortName).join(', ')}.`;
}

/** Refuses a restart that would stop a running service that could not start again. */
function refuseRestart(
  services: readonly ServiceStatus[],
  names: readonly string[],
  supervisor: Supervisor,
): Answer | undefined {
  const refusal = refuse('notEnabled', services, ({ enabled }) => !enabled);
  if (refusal !== undefined) return refusal;
  const lost = supervisor.unrestartable(names);
  return lost.length === 0 ? undefined : unrestartable(lost);
}

function refuse(
  reason: Parameters<typeof refused>[0],
  services: readonly ServiceStatus[],
  applies: (service: ServiceStatus) => boolean,
): Answer | undefined {
  const names = services.filter(applies).map(({ name }) => shortName(name));
  return names.length === 0 ? undefined : refused(reason, names);
}

/** True if the service was started and not stopped since, and has not failed. */
function isStarted({ state }: ServiceStatus): boolean {
  switch (state) {
    case 'starting':
    case 'ready':
    case 'exited':
    case 'stopping':
    case 'backoff':
      return true;
    case 'disabled':
    case 'pending':
    case 'stopped':
    case 'failed':
      return false;
  }
}

/**
 * True if the service is started already. A stopping service may be started (after its end), and an exited one may run again.
 */
function refusesStart(service: ServiceStatus): boolean {
  return isStarted(service) && service.state !== 'stopping' && service.state !== 'exited';
}

/** True if the service has failed, is about to fail, or has exited normally. */
function hasEnded({ state, stage }: ServiceStatus): boolean {
  return state === 'failed' || state === 'exited' || stage === 'stopping.clearing';
}

/** True if the process of the service runs. A daemon that the service has left behind, and that it follows, is not that. */
function isRunning(service: ServiceStatus): boolean {
  if (isFollowing(service)) return false;
  return service.pid !== undefined || service.state === 'starting' || service.state === 'stopping';
}

function isFollowing({ stage, followed }: ServiceStatus): boolean {
  return stage === 'ready.running' && followed === true;
}

/** True if a reset leads to the end of the service, for which a caller may wait. */
function endsAtReset(service: ServiceStatus, force: boolean): boolean {
  switch (service.stage) {
    case 'ready.exited':
    case 'exited':
      return true;
    case 'ready.scheduled':
      return false;
    default:
      return isFollowing(service) || (force && isStarted(service));
  }
}

interface WaitOptions extends ExecuteOptions {
  /** The answer when the goal is reached. */
  readonly text: string;
  /** ms. */
  readonly timeout?: number | undefined;
}

/** A service that somebody waits for; without a status where it was removed meanwhile. */
interface Awaited {
  readonly name: string;
  readonly service: ServiceStatus | undefined;
}

function sentenceOf({ name, service }: Awaited): string {
  return `${shortName(name)}: ${service?.why.sentence ?? 'removed from the configuration'}`;
}

/** Whether a service has reached the goal of the wait, can still reach it, or cannot reach it. */
function progress({ service }: Awaited, goal: WaitGoal): 'reached' | 'open' | 'lost' {
  if (service === undefined) return goal === 'stopped' ? 'reached' : 'lost';
  const { state, stage, why } = service;
  switch (goal) {
    case 'ready':
      // A service that has ended normally counts as started.
      if (state === 'ready' || state === 'exited') return 'reached';
      // A requested start begins in `stopped`, so that state is open; only a new command can end `disabled`.
      return state === 'failed' || state === 'disabled' || (stage === 'pending' && why.owner === 'you')
        ? 'lost'
        : 'open';
    case 'stopped':
      return state === 'stopped' || state === 'failed' || state === 'disabled' ? 'reached' : 'open';
    case 'failed':
      return state === 'failed' ? 'reached' : 'open';
  }
}

function waitFor(names: readonly string[], goal: WaitGoal, options: WaitOptions): Promise<Answer> {
  const { supervisor, timers, aborted, timeout, text } = options;
  /** Services that have not reached the goal yet. */
  const open = new Set(names);
  const asked = new Set(names);
  const awaited = (name: string): Awaited => ({ name, service: supervisor.service(name) });
  const openServices = (): readonly Awaited[] => [...open].map(awaited);
  return new Promise((resolve, reject) => {
    const subscription = new Subscription();
    const finish = (answer: Answer): void => {
      subscription.unsubscribe();
      resolve(answer);
    };
    /** Checks the state of some open services; true if the waiting is over. */
    const look = (services: readonly Awaited[]): boolean => {
      const ending = goal === 'ready' && supervisor.status().state === 'draining';
      const lost = services.filter((service) => ending || progress(service, goal) === 'lost');
      if (lost.length > 0) {
        const lines = lost.map(sentenceOf);
        finish({ kind: 'failed', names: lost.map(({ name }) => name), text: `Command error: ${lines.join('; ')}` });
        return true;
      }
      for (const service of services) if (progress(service, goal) === 'reached') open.delete(service.name);
      if (open.size > 0) return false;
      finish(done(text));
      return true;
    };
    if (look(openServices())) return;
    const take = (event: ControlEvent): void => {
      if (event.type === 'system') look(openServices());
      // A service that had reached the goal may have left it: one that was ready has failed, for example.
      else if (asked.has(event.service)) {
        open.add(event.service);
        look([awaited(event.service)]);
      } else if (goal === 'ready' && endsWaiting(event)) look(openServices());
    };
    subscription.add(
      supervisor.events$.subscribe((event) => {
        try {
          take(event);
        } catch (error) {
          // The stream's own way of handling an error would end the whole process.
          subscription.unsubscribe();
          reject(error);
        }
      }),
    );
    if (timeout !== undefined) {
      const timer = timers.setTimeout(() => {
        const late = openServices();
        const lines = late.map(sentenceOf);
        finish({
          kind: 'timedOut',
          names: late.map(({ name }) => name),
          text: `Command error: not ${goal} within ${seconds(timeout)} s: ${lines.join('; ')}`,
        });
      }, timeout);
      subscription.add(() => timers.clearTimeout(timer));
    }
    const abandon = (): void => finish({ kind: 'failed', names, text: 'Command error: the caller has gone' });
    aborted?.addEventListener('abort', abandon, { once: true });
    subscription.add(() => aborted?.removeEventListener('abort', abandon));
  });
}

/** True if services that wait for this one may never start after its change. */
function endsWaiting({ state }: ServiceEvent): boolean {
  return state === 'stopped' || state === 'failed' || state === 'stopping';
}
