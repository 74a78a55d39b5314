/** The daemon: runs an assembly on Linux, and makes PID 1 end in order whatever happens. */
import { isatty } from 'node:tty';
import { renderErrors, renderWarnings } from '../../config/render-diagnostics.ts';
import { placesFor, socketVariable } from '../../control/places.ts';
import type { SystemOutput } from '../../machines/system.ts';
import { explainEnd } from '../../model/log/explain.ts';
import {
  cannotSubreap,
  configurationError,
  hangupReceived,
  logLevelForced,
  type Message,
  notPid1,
  reloadRefused,
  warning,
} from '../../model/log/messages.ts';
import type { Severity } from '../../model/log/syslog-names.ts';
import { dependencyChart } from '../../model/order/dependency-chart.ts';
import { buildDependencyGraph } from '../../model/order/dependency-graph.ts';
import { consoleService, type ServiceSpec, type SystemSpec } from '../../model/service/service-spec.ts';
import { endingSignals, type SignalName } from '../../model/service/signal.ts';
import type { UserRequest } from '../../model/service/user-request.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import type { Assembly } from '../assembly.ts';
import { AssemblySupervisor, type ControlPorts } from '../control/assembly-supervisor.ts';
import { type ControlSocket, openControlSocket } from '../control/control-socket.ts';
import { serveControl } from '../control/serve-control.ts';
import { LateInspection } from '../inspection/late-inspection.ts';
import type { Clock, Kernel } from '../kernel.ts';
import { configFiles } from '../linux/config-files.ts';
import { connectBody } from '../linux/connect-body.ts';
import { LinuxClock } from '../linux/linux-clock.ts';
import { LinuxKernel } from '../linux/linux-kernel.ts';
import type { NativeEdge } from '../linux/native.ts';
import { type LateLogging, lateLogging } from '../logging/late-logging.ts';
import type { SinkQueue } from '../logging/sink-queue.ts';
import { onDemand } from '../on-demand.ts';
import { sourceStack } from '../source-stack.ts';
import { endAfterBody } from './after-body.ts';
import { assemble } from './assemble.ts';
import { type ConfigurePorts, type ConfigureRequest, configure } from './configure.ts';
import { hostRequest } from './host-notifier.ts';
import type { Reloader } from './reloader.ts';
import { exitsOf } from './run-commands.ts';

export interface DaemonOptions {
  readonly edge: NativeEdge;
  readonly version: string;
  readonly request: DaemonRequest;
  /** Wraps the kernel; tests use it to inject faults. */
  readonly wrapKernel?: (kernel: Kernel) => Kernel;
}

/** The options of the command line. */
export interface DaemonRequest {
  readonly configPath: string;
  /** The inspectors that are attached from the beginning. */
  readonly inspect: readonly InspectRequest[];
  /** True where inspectors may see the command lines and the environments of services. */
  readonly inspectReveal: boolean;
  /** The command and its arguments; empty where there is none. */
  readonly command: readonly string[];
  /** True where the end of the command ends the system. Undefined: that is so where stdin is a terminal. */
  readonly exitKills: boolean | undefined;
  readonly task: boolean;
  readonly disableServices: boolean;
  /** False: no log records go to stdout and stderr. */
  readonly consoleLog: boolean;
  /** The account of everything that names none itself; a name or a number. */
  readonly user?: string;
  /** The user to create where it does not exist yet; it is then `user`. */
  readonly createUser?: UserRequest;
  readonly ignoreFailures: boolean;
  /** True where every service's environment is logged at the service's start. */
  readonly debug: boolean;
  /** The severity from which on every logging entry takes records, beside those that it selects itself. */
  readonly logLevel?: Severity;
  /** False: chaperone does not serve /dev/log. */
  readonly syslog: boolean;
  /** Print the dependencies and start nothing. */
  readonly showDependencies: boolean;
}

/** Everything that exists for as long as the daemon runs. */
interface Daemon {
  readonly edge: NativeEdge;
  readonly linux: LinuxKernel;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly assembly: Assembly;
  readonly logging: LateLogging;
  readonly control: ControlSocket;
  readonly inspection: LateInspection;
}

/** The least and the most ms for flushing the logs at the end; between them the rest of the shutdown budget counts. */
const shortestFlush = 500;
const longestFlush = 2_000;
/** ms in which inspectors have to have read the last entries. */
const longestFarewell = 200;
/** How many errors of chaperone itself are handled before it gives up. */
const mostErrors = 10;
/** ms that a write of a chaperone in trouble may take. */
const emergencyTimeout = 1_000;
/** The longest interval that Node allows. It only keeps the loop alive, which signal listeners do not. */
const keepAlive = 2 ** 31 - 1;

/** Boots the configuration and ends the process with the system's exit status. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { edge } = options;
  const clock = new LinuxClock();
  const launch = connectBody(edge, process.env) ?? refuseToRunAlone(edge);
  const { body, descriptorLimit = edge.descriptorLimit() } = launch;
  const linux = new LinuxKernel({ edge, body, clock, descriptorLimit });
  const kernel = options.wrapKernel?.(linux) ?? linux;
  const early = kernel.signals$.subscribe((signal) => leaveEarly(linux, signal));
  linux.open();
  const deserted = body.gone$.subscribe(() => edge.exitNow(1));
  const host = hostRequest(launch.environment, kernel.pid);
  const ports = { edge, kernel, clock, environment: launch.environment, interactive: isatty(0) };
  const { spec, messages } = await configureOrLeave(options, linux, { ...ports, exitOf: exitsOf(kernel) });
  linux.allow(spec.shutdownTimeout + longestFlush + longestFarewell);

  const unloaded = await loadNotifying(linux, spec);
  if (unloaded !== undefined) {
    writeError({ edge, linux }, `chaperone: ${unloaded}\n`);
    return linux.exit(1);
  }

  const uid = process.getuid?.() ?? 0;
  const control = openControlSocket({ edge, places: placesFor(launch.environment, uid), uid });
  const logging = lateLogging({
    clock,
    onFailure: (problem) => writeError({ edge, linux }, `chaperone: ${problem}\n`),
  });
  const reloader = onDemand(() => loadReloader(options, { linux, ports, assembly, control }));
  const assembly = assemble(kernel, clock, withControlSocket(spec, control), {
    version: options.version,
    attachLogging: logging.attachLogging,
    loadSchedules: async () => (await import('../../model/schedule/schedule.ts')).parseSchedule,
    ...(host === undefined ? {} : { host }),
    onHangup: () => {
      assembly.say(hangupReceived());
      reloader()
        .then((ready) => ready.hangUp())
        .catch((error: unknown) => assembly.say(reloadRefused(`internal error: ${errorText(error)}`)));
    },
    // https://no-color.org
    colours: (process.env['NO_COLOR'] ?? '') === '',
  });
  const inspection = new LateInspection({
    assembly,
    kernel,
    clock,
    logging,
    version: options.version,
    reveal: options.request.inspectReveal,
  });
  const daemon: Daemon = { edge, linux, kernel, clock, assembly, logging, control, inspection };
  guard(daemon);
  deserted.unsubscribe();
  body.gone$.subscribe(() => followBody(daemon));
  const supervisor = superviseFor(daemon, options, {
    environment: launch.environment,
    reload: async (request) => (await reloader()).reload(request),
  });
  serveControl({
    socket: control,
    supervisor,
    edge,
    clock,
    uid,
    policy: () => assembly.spec().control,
    say: assembly.say,
  });

  assembly.outcome$.subscribe({
    next: (output) => leave(daemon, output),
    error: (error: unknown) => {
      sayDying(daemon, error);
      abandonMachines(daemon);
    },
  });
  for (const message of messages) assembly.say(message);
  for (const problem of control.problems) assembly.say(warning(problem));
  sayPlace(kernel, assembly, (await body.welcome).subreaperError);
  setInterval(() => undefined, keepAlive);
  const inspectors = inspectorsOf(options.request, spec);
  if (inspectors.length > 0) await inspection.attach(inspectors);
  assembly.start();
  early.unsubscribe();
}

function refuseToRunAlone(edge: NativeEdge): never {
  const text = 'chaperone: start the program "chaperone" instead: it starts this one\n';
  edge.writeNow(2, Buffer.from(text), emergencyTimeout);
  return edge.exitNow(2);
}

interface ReloadParts {
  readonly linux: LinuxKernel;
  readonly ports: Omit<ConfigurePorts, 'exitOf' | 'kernel'> & Pick<Daemon, 'kernel'>;
  readonly assembly: Assembly;
  readonly control: ControlSocket;
}

/** The code is loaded late, because most systems are never asked to reload. */
async function loadReloader(
  { request }: DaemonOptions,
  { linux, ports, assembly, control }: ReloadParts,
): Promise<Reloader> {
  const { Reloader } = await import('./reloader.ts');
  return new Reloader({
    kernel: ports.kernel,
    assembly,
    configure: async () => {
      const { spec, ...rest } = await configure(againstRunning(request, ports), {
        ...ports,
        exitOf: assembly.exits.exitOf,
      });
      return spec === undefined ? rest : { ...rest, spec: withControlSocket(applyRequest(spec, request), control) };
    },
    prepare: (spec) => {
      linux.allow(spec.shutdownTimeout + longestFlush + longestFarewell);
      return loadNotifying(linux, spec);
    },
  });
}

/** Makes the supervisor that answers requests on the control socket. */
function superviseFor(
  { assembly, kernel, clock, logging, control, inspection }: Daemon,
  { version, request: { logLevel } }: DaemonOptions,
  { environment, reload }: Pick<ControlPorts, 'environment' | 'reload'>,
): AssemblySupervisor {
  return new AssemblySupervisor({
    assembly,
    kernel,
    clock,
    version,
    environment: { ...environment, ...(control.path === undefined ? {} : { [socketVariable]: control.path }) },
    ...(logLevel === undefined ? {} : { logLevel }),
    widen: (level) => {
      logging.widen(level);
      assembly.say(logLevelForced(level));
    },
    reload,
    inspection: inspection.load,
  });
}

/**
 * Loads the addon for sd_notify where the configuration has a notify service, even a disabled one, which may be started
 * by hand. Returns why the addon cannot be loaded.
 */
async function loadNotifying({ notifying }: LinuxKernel, { services }: SystemSpec): Promise<string | undefined> {
  const all = services.filter(({ type }) => type === 'notify');
  if (all.length === 0) return undefined;
  const first = all.find(({ enabled }) => enabled);
  try {
    await notifying.load();
    return undefined;
  } catch (error) {
    if (first === undefined) return undefined;
    return `cannot load unix_dgram.node, which ${first.name} needs: ${messageOf(error)}`;
  }
}

/** Exits on a signal that comes while the configuration is still being read: nothing has been started. */
function leaveEarly(linux: LinuxKernel, signal: SignalName): void {
  if (endingSignals.includes(signal)) linux.exit(signal === 'SIGINT' ? 130 : 0);
}

/** Returns the configuration as it will run; where it has errors, prints them and ends the process. */
async function configureOrLeave(
  { request }: DaemonOptions,
  linux: LinuxKernel,
  ports: ConfigurePorts,
): Promise<{ readonly spec: SystemSpec; readonly messages: readonly Message[] }> {
  const { edge } = ports;
  const say = (text: string): void => writeError({ edge, linux }, text);
  const end = (status: number): Promise<never> => {
    linux.exit(status);
    return new Promise(() => undefined);
  };
  const { spec, diagnostics, messages, path } = await configure(withConsole(request, ports), ports);
  say(renderWarnings(diagnostics));
  if (spec === undefined) {
    say(renderErrors(diagnostics));
    const first = diagnostics.find(({ severity }) => severity === 'error');
    if (first !== undefined) say(`\n${configurationError(first).text}\n`);
    return end(1);
  }
  if (request.showDependencies) {
    edge.writeNow(1, Buffer.from(dependencyChart(buildDependencyGraph(spec.services))), emergencyTimeout);
    return end(0);
  }
  if (spec.services.length === 0) {
    const missing = configFiles.stat(path) === 'missing' ? ', which does not exist' : '';
    say(
      `chaperone: There are no services configured to run, nor is there a command (configuration: ${path}${missing})\n`,
    );
    return end(1);
  }
  const forced = request.logLevel === undefined ? [] : [logLevelForced(request.logLevel)];
  return { spec: applyRequest(spec, request), messages: [...messages, ...forced] };
}

function withConsole(
  request: DaemonRequest,
  { interactive }: Pick<ConfigurePorts, 'interactive'>,
): DaemonRequest & ConfigureRequest {
  const { command, task } = request;
  if (command.length === 0) return request;
  return { ...request, console: { argv: command, exitKills: request.exitKills ?? interactive, task } };
}

/** The command line's request, adapted for a reload: the user that the boot was to create exists already. */
function againstRunning(
  { createUser, ...request }: DaemonRequest,
  ports: Pick<ConfigurePorts, 'interactive'>,
): ConfigureRequest {
  return withConsole({ ...request, ...(createUser === undefined ? {} : { user: createUser.name }) }, ports);
}

function applyRequest(spec: SystemSpec, request: DaemonRequest): SystemSpec {
  const services = spec.services.map((service) => {
    const isConsole = service.name === consoleService;
    return {
      ...service,
      enabled: service.enabled && (isConsole || !request.disableServices),
      // For the command, the option --task decides whether its failure is a system failure.
      ignoreFailures: service.ignoreFailures || (request.ignoreFailures && !isConsole),
      debug: service.debug || request.debug,
    };
  });
  const { logLevel } = request;
  const logging = spec.logging.map((entry) => ({
    ...entry,
    ...(request.consoleLog ? {} : { stdout: false, stderr: false }),
    ...(logLevel === undefined ? {} : { widenTo: logLevel }),
  }));
  return { ...spec, services, logging, enableSyslog: spec.enableSyslog && request.syslog };
}

/** The inspectors of the command line; without any journal among them, the one of the settings is added. */
function inspectorsOf({ inspect }: DaemonRequest, { journal: { path } }: SystemSpec): readonly InspectRequest[] {
  if (path === undefined || inspect.some(({ kind }) => kind === 'journal')) return inspect;
  return [...inspect, { kind: 'journal', file: path }];
}

/** Adds the path of the control socket to the environment of services. */
function withControlSocket(spec: SystemSpec, { path }: ControlSocket): SystemSpec {
  if (path === undefined) return spec;
  // Services that share an environment go on to share it.
  const widened = new Map<ServiceSpec['environment'], ServiceSpec['environment']>();
  const services = spec.services.map((service) => {
    const environment = widened.get(service.environment) ?? { ...service.environment, [socketVariable]: path };
    widened.set(service.environment, environment);
    return { ...service, environment };
  });
  return { ...spec, services };
}

/** Says where chaperone is not PID 1, and whether orphans come to it. */
function sayPlace(kernel: Kernel, assembly: Assembly, subreaperError: string | undefined): void {
  if (subreaperError !== undefined) assembly.say(cannotSubreap(subreaperError));
  else if (kernel.pid !== 1) assembly.say(notPid1(kernel.pid));
}

/** The body is dead. If it was PID 1, the kernel has ended everything with it. */
function followBody({ edge, linux, clock, assembly }: Daemon): void {
  writeError(
    { edge, linux },
    `chaperone: process ${linux.pid}, which has started this one, is dead; ending the services\n`,
  );
  endAfterBody(edge, clock, assembly.live, {
    timeout: assembly.spec().shutdownTimeout,
    done: () => edge.exitNow(1),
  });
}

/**
 * An uncaught error first drains the system in order, because the machines are still intact. After a second error they
 * may not be, and the processes are ended without them.
 */
function guard(daemon: Daemon): void {
  const { edge, assembly } = daemon;
  let errors = 0;
  process.on('uncaughtException', (error) => {
    errors += 1;
    sayDying(daemon, error);
    if (errors === 1) assembly.shutdown({ kind: 'internalError', message: errorText(error) });
    else if (errors === 2) abandonMachines(daemon);
    else if (errors > mostErrors) edge.exitNow(1);
  });
}

/** The machines are broken. The body ends all processes once this one has ended without having asked for an exit status. */
function abandonMachines(daemon: Daemon): void {
  flushAndExit(daemon, { lines: [], timeout: shortestFlush, end: () => daemon.edge.exitNow(1) });
}

/** Logs why the system ended, and exits once all lines are written. */
function leave(daemon: Daemon, output: SystemOutput): void {
  const { assembly, clock } = daemon;
  const lines = explainEnd(output, assembly.serviceOf, assembly.lastWords, clock.now());
  const left = Math.max(shortestFlush, Math.min(longestFlush, output.deadline - clock.now()));
  flushAndExit(daemon, { lines, timeout: left, end: () => daemon.linux.exit(output.exitStatus) });
}

interface LastThings {
  readonly lines: readonly string[];
  /** ms for the whole flush. */
  readonly timeout: number;
  /** Ends this process. */
  readonly end: () => void;
}

/** Flushes the sinks, writes the last lines to stderr, and ends; sinks that take nothing get half of the time. */
function flushAndExit(daemon: Daemon, { lines, timeout, end }: LastThings): void {
  const { clock, assembly, logging, control, inspection } = daemon;
  const { sinks } = assembly;
  const exit = (): void => {
    control.close();
    end();
  };
  const endInspection = (): void => {
    clock.setTimeout(exit, longestFarewell);
    inspection.close().then(exit, exit);
  };
  clock.setTimeout(exit, timeout);
  let said = false;
  const sayLast = (): void => {
    if (said) return;
    said = true;
    const slow = sinks.all().filter(({ waitingBytes }) => waitingBytes > 0);
    const report = slow.map((queue) => {
      const { name, waitingBytes } = queue;
      return `chaperone: ${name} did not take the last ${waitingBytes} bytes of the ${sinks.contentOf(queue)} in time`;
    });
    for (const line of [...report, ...lines]) sinks.stderr.write(`${line}\n`);
    whenAllFinished([sinks.stderr, ...slow], endInspection);
  };
  clock.setTimeout(sayLast, timeout / 2);
  assembly.endSyslog();
  logging.ready().then(
    () => {
      assembly.flush();
      whenAllFinished(sinks.all(), sayLast);
    },
    // The failure was told when it happened.
    sayLast,
  );
}

function whenAllFinished(queues: readonly SinkQueue[], callback: () => void): void {
  let left = queues.length;
  for (const queue of queues) {
    queue.whenFinished(() => {
      left -= 1;
      if (left === 0) callback();
    });
  }
}

/** Writes the error to stderr before anything else, because the next step may end the process. */
function sayDying(daemon: Pick<Daemon, 'edge' | 'linux'>, error: unknown): void {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeError(daemon, `chaperone: internal error, ending the system: ${sourceStack(stack)}\n`);
}

function errorText(error: unknown): string {
  const text = messageOf(error);
  return text.startsWith('internal error') ? text : `internal error: ${text}`;
}

function writeError({ edge, linux }: Pick<Daemon, 'edge' | 'linux'>, text: string): void {
  edge.writeNow(linux.errors, Buffer.from(text), emergencyTimeout);
}
