/** Carries out commands: refuses by the state of the services, sends requests to the supervisor, and answers. */
import { Subscription } from 'rxjs';
import { seconds } from '../model/log/messages.ts';
import { renderPlan } from '../model/order/reload-plan.ts';
import { isScheduled } from '../model/schedule/scheduled-runs.ts';
import { shortName } from '../model/service/service-spec.ts';
import { type Answer, done, refused, unrestartable, unstartable } from './answer.ts';
import type { Command, WaitGoal } from './command.ts';
import { selectServices } from './select-services.ts';
import { statusText } from './status-table.ts';
import type { ServiceEvent, ServiceStatus, Supervisor } from './supervisor.ts';

export interface Timers {
  setTimeout(callback: () => void, delay: number): number;
  clearTimeout(id: number): void;
}

export interface ExecuteOptions {
  readonly supervisor: Supervisor;
  readonly timers: Timers;
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
      const selected = selectServices(supervisor.services(), command.names);
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
    case 'start':
    case 'stop':
    case 'reset':
    case 'restart':
    case 'enable':
    case 'disable':
    case 'kill':
    case 'wait':
      return commandServices(command, options);
  }
}

type ServiceCommand = Extract<Command, { readonly names: readonly string[] }>;

async function commandServices(
  command: Exclude<ServiceCommand, { verb: 'status' }>,
  options: ExecuteOptions,
): Promise<Answer> {
  const { supervisor } = options;
  const all = supervisor.services();
  const selected = selectServices(all, command.names);
  if (selected.kind === 'answer') return selected.answer;
  // "start" without names means all services that can be started.
  const services =
    command.names.length > 0
      ? selected.services
      : all.filter((service) => service.enabled && !refusesStart(service) && !hasEnded(service));
  const names = services.map(({ name }) => name);
  const mayWait = 'wait' in command && command.wait && options.unattended !== true;
  const until = (goal: WaitGoal, text: string): Promise<Answer> =>
    waitFor(names, goal, { ...options, text, ...('timeout' in command ? { timeout: command.timeout } : {}) });
  switch (command.verb) {
    case 'start': {
      const refusal = command.force ? undefined : refuseStart(services, command.enable);
      if (refusal !== undefined) return refusal;
      supervisor.start(names, { enable: command.enable, force: command.force });
      return mayWait ? until('ready', 'services started.') : done('service start-up queued.');
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
      const refusal = command.force ? undefined : refuse('running', services, isRunning);
      if (refusal !== undefined) return refusal;
      supervisor.reset(names, { force: command.force });
      return done('services reset.');
    }
    case 'restart': {
      const refusal = command.force ? undefined : refuseRestart(services, names, supervisor);
      if (refusal !== undefined) return refusal;
      supervisor.restart(names, { force: command.force });
      return mayWait ? until('ready', 'services restarted.') : done('services restarting.');
    }
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
      const denied = names.filter((_, index) => outcomes[index] === 'denied');
      if (denied.length > 0) return refused('denied', denied.map(shortName));
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

/** Checks for the three reasons to refuse a start, in the original's order. */
function refuseStart(services: readonly ServiceStatus[], enable: boolean): Answer | undefined {
  return (
    (enable ? undefined : refuse('notEnabled', services, ({ enabled }) => !enabled)) ??
    refuse('alreadyStarted', services, refusesStart) ??
    refuse('notReady', services, (service) => {
      // A prerequisite that the same command starts counts as ready.
      const missing = service.prerequisites.some((name) => !services.some((other) => other.name === name));
      return service.state === 'failed' || (!service.prerequisitesReady && missing);
    })
  );
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

function isRunning(service: ServiceStatus): boolean {
  return service.pid !== undefined || service.state === 'starting' || service.state === 'stopping';
}

interface WaitOptions extends ExecuteOptions {
  /** The answer when the goal is reached. */
  readonly text: string;
  /** ms. */
  readonly timeout?: number | undefined;
}

/** Whether a service has reached the goal of the wait, can still reach it, or cannot reach it. */
function progress({ state, stage, why }: ServiceStatus, goal: WaitGoal): 'reached' | 'open' | 'lost' {
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
  const openServices = (): readonly ServiceStatus[] => [...open].flatMap((name) => supervisor.service(name) ?? []);
  return new Promise((resolve) => {
    const subscription = new Subscription();
    const finish = (answer: Answer): void => {
      subscription.unsubscribe();
      resolve(answer);
    };
    /** Checks the state of some open services; true if the waiting is over. */
    const look = (services: readonly ServiceStatus[]): boolean => {
      const ending = goal === 'ready' && supervisor.status().state === 'draining';
      const lost = services.filter((service) => ending || progress(service, goal) === 'lost');
      if (lost.length > 0) {
        const lines = lost.map(({ name, why }) => `${shortName(name)}: ${why.sentence}`);
        finish({ kind: 'failed', names: lost.map(({ name }) => name), text: `Command error: ${lines.join('; ')}` });
        return true;
      }
      for (const service of services) if (progress(service, goal) === 'reached') open.delete(service.name);
      if (open.size > 0) return false;
      finish(done(text));
      return true;
    };
    if (look(openServices())) return;
    subscription.add(
      supervisor.events$.subscribe((event) => {
        if (event.type === 'system') look(openServices());
        // A service that had reached the goal may have left it: one that was ready has failed, for example.
        else if (asked.has(event.service)) {
          open.add(event.service);
          look([supervisor.service(event.service)].filter((service) => service !== undefined));
        } else if (goal === 'ready' && endsWaiting(event)) look(openServices());
      }),
    );
    if (timeout !== undefined) {
      const timer = timers.setTimeout(() => {
        const late = openServices();
        const lines = late.map(({ name, why }) => `${shortName(name)}: ${why.sentence}`);
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
