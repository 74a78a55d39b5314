/** What a command does: refusals by the state of the services, the requests to the supervisor, and the answers. */
import { filter, Subscription } from 'rxjs';
import { seconds } from '../model/messages.ts';
import { renderPlan } from '../model/reload-plan.ts';
import { shortName } from '../model/service-spec.ts';
import { type Answer, done, refused } from './answer.ts';
import type { Command, WaitGoal } from './command.ts';
import { selectServices } from './select-services.ts';
import { statusText } from './status-table.ts';
import type { ServiceStatus, Supervisor } from './supervisor.ts';

export interface Timers {
  setTimeout(callback: () => void, delay: number): number;
  clearTimeout(id: number): void;
}

export interface ExecuteOptions {
  readonly supervisor: Supervisor;
  readonly timers: Timers;
  /** Nobody is there to wait, or to be told: `--wait` counts for nothing. */
  readonly unattended?: boolean;
  /** Ends the waiting; then nobody hears the answer. */
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
      const result = await supervisor.reload({ dryRun: command.dryRun });
      switch (result.kind) {
        case 'mistakes':
          return { kind: 'failed', names: [], text: result.report };
        case 'ending':
          return { kind: 'failed', names: [], text: 'Command error: the system is shutting down' };
        case 'planned':
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
  // "start" without names: all that can be started.
  const services =
    command.names.length > 0
      ? selected.services
      : all.filter((service) => service.enabled && !isStarted(service) && service.state !== 'failed');
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
      const refusal = command.force ? undefined : refuse('notStarted', services, (service) => !isStarted(service));
      if (refusal !== undefined) return refusal;
      supervisor.stop(names, { disable: command.disable });
      return mayWait ? until('stopped', 'services stopped.') : done('services stopping.');
    }
    case 'reset': {
      const refusal = command.force ? undefined : refuse('running', services, isRunning);
      if (refusal !== undefined) return refusal;
      supervisor.reset(names, { force: command.force });
      return done('services reset.');
    }
    case 'restart': {
      const refusal = refuse('notEnabled', services, ({ enabled }) => !enabled);
      if (refusal !== undefined) return refusal;
      supervisor.restart(names);
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
      const denied = names.filter((name) => supervisor.kill(name, command.signal) === 'denied');
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

/** Three refusals, in the original's order. */
function refuseStart(services: readonly ServiceStatus[], enable: boolean): Answer | undefined {
  return (
    (enable ? undefined : refuse('notEnabled', services, ({ enabled }) => !enabled)) ??
    refuse('alreadyStarted', services, isStarted) ??
    refuse('notReady', services, (service) => {
      // One that starts with it is as good as ready.
      const missing = service.prerequisites.some((name) => !services.some((other) => other.name === name));
      return service.state === 'failed' || (!service.prerequisitesReady && missing);
    })
  );
}

function refuse(
  reason: Extract<Answer, { kind: 'refused' }>['reason'],
  services: readonly ServiceStatus[],
  applies: (service: ServiceStatus) => boolean,
): Answer | undefined {
  const names = services.filter(applies).map(({ name }) => shortName(name));
  return names.length === 0 ? undefined : refused(reason, names);
}

/** It was told to start, and nothing has ended that. */
function isStarted({ state }: ServiceStatus): boolean {
  switch (state) {
    case 'starting':
    case 'ready':
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

function isRunning(service: ServiceStatus): boolean {
  return service.pid !== undefined || service.state === 'starting' || service.state === 'stopping';
}

interface WaitOptions extends ExecuteOptions {
  /** What to say when it has come about. */
  readonly text: string;
  /** ms. */
  readonly timeout?: number | undefined;
}

/** Where a service stands with regard to what is waited for. */
function progress({ state, stage, why }: ServiceStatus, goal: WaitGoal): 'reached' | 'open' | 'lost' {
  switch (goal) {
    case 'ready':
      if (state === 'ready') return 'reached';
      // `stopped` and `disabled` are where a start that was asked for begins, and only a new command would change it.
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
  return new Promise((resolve) => {
    const subscription = new Subscription();
    const finish = (answer: Answer): void => {
      subscription.unsubscribe();
      resolve(answer);
    };
    const look = (): boolean => {
      const services = supervisor.services().filter(({ name }) => names.includes(name));
      const ending = goal === 'ready' && supervisor.status().state === 'draining';
      const lost = services.filter((service) => ending || progress(service, goal) === 'lost');
      if (lost.length > 0) {
        const lines = lost.map(({ name, why }) => `${shortName(name)}: ${why.sentence}`);
        finish({ kind: 'failed', names: lost.map(({ name }) => name), text: `Command error: ${lines.join('; ')}` });
        return true;
      }
      if (services.some((service) => progress(service, goal) === 'open')) return false;
      finish(done(text));
      return true;
    };
    if (look()) return;
    subscription.add(
      supervisor.events$
        .pipe(filter((event) => event.type === 'system' || names.includes(event.service)))
        .subscribe({ next: () => look() }),
    );
    if (timeout !== undefined) {
      const timer = timers.setTimeout(() => {
        const open = supervisor
          .services()
          .filter((service) => names.includes(service.name) && progress(service, goal) !== 'reached');
        const lines = open.map(({ name, why }) => `${shortName(name)}: ${why.sentence}`);
        finish({
          kind: 'timedOut',
          names: open.map(({ name }) => name),
          text: `Command error: not ${goal} within ${seconds(timeout)} s: ${lines.join('; ')}`,
        });
      }, timeout);
      subscription.add(() => timers.clearTimeout(timer));
    }
    const abandon = (): void => finish({ kind: 'failed', names, text: 'Command error: nobody waits any more' });
    aborted?.addEventListener('abort', abandon, { once: true });
    subscription.add(() => aborted?.removeEventListener('abort', abandon));
  });
}
