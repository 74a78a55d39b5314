/** The daemon: joins the assembly with Linux, and sees to it that PID 1 ends in order whatever happens. */
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
import { consoleService, type SystemSpec } from '../../model/service/service-spec.ts';
import type { SignalName } from '../../model/service/signal.ts';
import type { UserRequest } from '../../model/service/user-request.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import type { Assembly } from '../assembly.ts';
import { AssemblySupervisor, type ControlPorts } from '../control/assembly-supervisor.ts';
import { type ControlSocket, openControlSocket } from '../control/control-socket.ts';
import { serveControl } from '../control/serve-control.ts';
import { LateInspection } from '../inspection/late-inspection.ts';
import type { Clock, Kernel } from '../kernel.ts';
import { configFiles } from '../linux/config-files.ts';
import { readLaunchEnvironment } from '../linux/launch-environment.ts';
import { LinuxClock } from '../linux/linux-clock.ts';
import { LinuxKernel } from '../linux/linux-kernel.ts';
import type { NativeEdge } from '../linux/native.ts';
import { type LateLogging, lateLogging } from '../logging/late-logging.ts';
import type { SinkQueue } from '../logging/sink-queue.ts';
import { assemble } from './assemble.ts';
import { type ConfigurePorts, type ConfigureRequest, configure } from './configure.ts';
import { hostRequest } from './host-notifier.ts';
import { endWithoutMachines } from './last-resort.ts';
import type { Reloader } from './reload.ts';
import { exitsOf } from './run-commands.ts';

export interface DaemonOptions {
  readonly edge: NativeEdge;
  readonly version: string;
  readonly request: DaemonRequest;
  /** Stands between chaperone and the kernel; tests put faults there. */
  readonly wrapKernel?: (kernel: Kernel) => Kernel;
}

/** What the command line asks for. */
export interface DaemonRequest {
  readonly configPath: string;
  /** What watches from the beginning on. */
  readonly inspect: readonly InspectRequest[];
  /** Whoever watches sees the command lines and the environments of services. */
  readonly inspectReveal: boolean;
  /** The command and its arguments; empty where there is none. */
  readonly command: readonly string[];
  /** The end of the command is the end of the system. Undefined: where stdin is a terminal. */
  readonly exitKills: boolean | undefined;
  readonly task: boolean;
  readonly disableServices: boolean;
  /** False: no log records to stdout and stderr. */
  readonly consoleLog: boolean;
  /** Runs everything that names no account itself; a name or a number. */
  readonly user?: string;
  /** Is made first where it is not there, and then is `user`. */
  readonly createUser?: UserRequest;
  readonly ignoreFailures: boolean;
  /** Every service's environment is logged at its start. */
  readonly debug: boolean;
  /** Every logging entry takes this priority and what is more severe, too. */
  readonly logLevel?: Severity;
  /** False: no /dev/log. */
  readonly syslog: boolean;
  /** Print who waits for whom, and start nothing. */
  readonly showDependencies: boolean;
}

/** What stands for as long as the daemon runs. */
interface Daemon {
  readonly edge: NativeEdge;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly assembly: Assembly;
  readonly logging: LateLogging;
  readonly control: ControlSocket;
  readonly inspection: LateInspection;
}

/** ms that flushing the logs and the explanation may take at the very end: what the shutdown left of its budget, within these. */
const shortestFlush = 500;
const longestFlush = 2_000;
/** ms within which those who watch have to have taken the last of it. */
const longestFarewell = 200;
/** Errors in chaperone itself after which nothing more is tried. */
const mostErrors = 10;
/** ms that a write of a dying chaperone may take. */
const emergencyTimeout = 1_000;
/** Signals that end the system (reference, section 5.6). */
const endingSignals: readonly SignalName[] = ['SIGTERM', 'SIGQUIT', 'SIGPWR', 'SIGINT', 'SIGRTMIN+3'];
/** The longest interval Node has: it does nothing but keep the loop alive, which signal listeners do not. */
const keepAlive = 2 ** 31 - 1;

/** Boots the configuration and ends the process with the system's exit status. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { edge } = options;
  const clock = new LinuxClock();
  const launch = readLaunchEnvironment(process.env);
  const linux = new LinuxKernel({ edge, clock, descriptorLimit: launch.descriptorLimit ?? edge.descriptorLimit() });
  const kernel = options.wrapKernel?.(linux) ?? linux;
  const early = kernel.signals$.subscribe((signal) => leaveEarly(edge, signal));
  linux.open();
  const host = hostRequest(launch.environment, kernel.pid);
  const ports = { edge, kernel, clock, environment: launch.environment, interactive: isatty(0) };
  const { spec, messages } = await configureOrLeave(options, { ...ports, exitOf: exitsOf(kernel) });

  const unloaded = await loadNotifying(linux, spec);
  if (unloaded !== undefined) {
    writeError(edge, `chaperone: ${unloaded}\n`);
    edge.exitNow(1);
  }

  const uid = process.getuid?.() ?? 0;
  const control = openControlSocket({ edge, places: placesFor(launch.environment, uid), uid });
  const logging = lateLogging();
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
  const daemon: Daemon = { edge, kernel, clock, assembly, logging, control, inspection };
  guard(daemon);
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
      sayDying(edge, error);
      abandonMachines(daemon);
    },
  });
  for (const message of messages) assembly.say(message);
  for (const problem of control.problems) assembly.say(warning(problem));
  becomeReaper(edge, kernel, assembly);
  setInterval(() => undefined, keepAlive);
  const inspectors = inspectorsOf(options.request, spec);
  if (inspectors.length > 0) await inspection.attach(inspectors);
  assembly.start();
  early.unsubscribe();
}

interface ReloadParts {
  readonly linux: LinuxKernel;
  readonly ports: Omit<ConfigurePorts, 'exitOf' | 'kernel'> & Pick<Daemon, 'kernel'>;
  readonly assembly: Assembly;
  readonly control: ControlSocket;
}

/** Most systems are never asked to reload. */
async function loadReloader(
  { request }: DaemonOptions,
  { linux, ports, assembly, control }: ReloadParts,
): Promise<Reloader> {
  const { Reloader } = await import('./reload.ts');
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
    prepare: (spec) => loadNotifying(linux, spec),
  });
}

/** What answers to those who ask for something on the control socket. */
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
 * Most systems have no notify service, and need no addon for one; one that is disabled may be started by hand. Returns why it
 * cannot be loaded.
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
    const reason = error instanceof Error ? error.message : String(error);
    return `cannot load unix_dgram.node, which ${first.name} needs: ${reason}`;
  }
}

/** Makes something once, when it is first asked for. */
function onDemand<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** A signal that ends the system while its configuration is still being read: nothing has been started. */
function leaveEarly(edge: NativeEdge, signal: SignalName): void {
  if (!endingSignals.includes(signal)) return;
  edge.exitNow(signal === 'SIGINT' ? 130 : 0);
}

/** The configuration as it will run; where there is none, says why and ends the process. */
async function configureOrLeave(
  { request }: DaemonOptions,
  ports: ConfigurePorts,
): Promise<{ readonly spec: SystemSpec; readonly messages: readonly Message[] }> {
  const { edge } = ports;
  const { spec, diagnostics, messages, path } = await configure(withConsole(request, ports), ports);
  writeError(edge, renderWarnings(diagnostics));
  if (spec === undefined) {
    writeError(edge, renderErrors(diagnostics));
    const first = diagnostics.find(({ severity }) => severity === 'error');
    if (first !== undefined) writeError(edge, `\n${configurationError(first.message).text}\n`);
    return edge.exitNow(1);
  }
  if (request.showDependencies) {
    edge.writeNow(1, Buffer.from(dependencyChart(buildDependencyGraph(spec.services))), emergencyTimeout);
    return edge.exitNow(0);
  }
  if (spec.services.length === 0) {
    const missing = configFiles.stat(path) === 'missing' ? ', which does not exist' : '';
    writeError(
      edge,
      `chaperone: There are no services configured to run, nor is there a command (configuration: ${path}${missing})\n`,
    );
    return edge.exitNow(1);
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

/** What the same command line asks for when the system runs: the user that it makes is there. */
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
      // Whether the command's failure is the system's is for --task to say.
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

/** What the command line asks for, and the journal of the settings where it names none. */
function inspectorsOf({ inspect }: DaemonRequest, { journal: { path } }: SystemSpec): readonly InspectRequest[] {
  if (path === undefined || inspect.some(({ kind }) => kind === 'journal')) return inspect;
  return [...inspect, { kind: 'journal', file: path }];
}

/** Services find the control socket in their environment. */
function withControlSocket(spec: SystemSpec, { path }: ControlSocket): SystemSpec {
  if (path === undefined) return spec;
  const services = spec.services.map((service) => ({
    ...service,
    environment: { ...service.environment, [socketVariable]: path },
  }));
  return { ...spec, services };
}

/** Where chaperone is not PID 1, orphans come to it only as a subreaper. */
function becomeReaper(edge: NativeEdge, kernel: Kernel, assembly: Assembly): void {
  if (kernel.pid === 1) return;
  try {
    edge.setSubreaper();
    assembly.say(notPid1(kernel.pid));
  } catch (error) {
    assembly.say(cannotSubreap(codeOf(error) ?? 'unknown'));
  }
}

/**
 * An error that nobody caught drains the system in order: the machines still stand. A second one means that they may not,
 * and the processes are ended without them.
 */
function guard(daemon: Daemon): void {
  const { edge, assembly } = daemon;
  let errors = 0;
  process.on('uncaughtException', (error) => {
    errors += 1;
    sayDying(edge, error);
    if (errors === 1) assembly.shutdown({ kind: 'internalError', message: errorText(error) });
    else if (errors === 2) abandonMachines(daemon);
    else if (errors > mostErrors) edge.exitNow(1);
  });
}

function abandonMachines(daemon: Daemon): void {
  endWithoutMachines(daemon.kernel, daemon.clock, daemon.assembly.live, () =>
    flushAndExit(daemon, { exitStatus: 1, lines: [], timeout: shortestFlush }),
  );
}

/** Says why the system ended, and exits once that and all before it is written. */
function leave(daemon: Daemon, output: SystemOutput): void {
  const { assembly, clock } = daemon;
  const lines = explainEnd(output, assembly.serviceOf, assembly.lastWords, clock.now());
  const left = Math.max(shortestFlush, Math.min(longestFlush, output.deadline - clock.now()));
  flushAndExit(daemon, { exitStatus: output.exitStatus, lines, timeout: left });
}

interface LastThings {
  readonly exitStatus: number;
  readonly lines: readonly string[];
  /** ms for all of it. */
  readonly timeout: number;
}

/** Writes what waits for the sinks, then the last lines to stderr, and exits; sinks that take nothing get half of the time. */
function flushAndExit(
  { edge, clock, assembly, logging, control, inspection }: Daemon,
  { exitStatus, lines, timeout }: LastThings,
): void {
  const { sinks } = assembly;
  const exit = (): never => {
    control.close();
    return edge.exitNow(exitStatus);
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
  logging.ready.then(
    () => {
      assembly.flush();
      whenAllFinished(sinks.all(), sayLast);
    },
    (error: unknown) => {
      sayDying(edge, error);
      sayLast();
    },
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

/** Written before anything else is tried: what follows may be the end. */
function sayDying(edge: NativeEdge, error: unknown): void {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeError(edge, `chaperone: internal error, ending the system: ${stack}\n`);
}

function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.startsWith('internal error') ? text : `internal error: ${text}`;
}

function writeError(edge: NativeEdge, text: string): void {
  edge.writeNow(2, Buffer.from(text), emergencyTimeout);
}
