/** The daemon: runs an assembly on Linux, and makes PID 1 end in order whatever happens. */
import { existsSync } from 'node:fs';
import { isatty } from 'node:tty';
import { placesFor, socketVariable } from '../../control/places.ts';
import type { SystemOutput } from '../../machines/system.ts';
import { explainEnd, noAdvice, type StartAdvice } from '../../model/log/explain.ts';
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
import { type BootMode, inMode, modeVariables } from '../../model/service/boot-mode.ts';
import {
  consoleService,
  type LoggingSpec,
  type ServiceSpec,
  type SystemSpec,
} from '../../model/service/service-spec.ts';
import { endingSignals, type SignalName } from '../../model/service/signal.ts';
import type { UserRequest } from '../../model/service/user-request.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import type { Assembly } from '../assembly.ts';
import { AssemblySupervisor, type ControlPorts } from '../control/assembly-supervisor.ts';
import { type ControlSocket, openControlSocket } from '../control/control-socket.ts';
import { serveControl } from '../control/serve-control.ts';
import type { InspectedControl } from '../inspection/inspector-port.ts';
import { LateInspection } from '../inspection/late-inspection.ts';
import type { Clock, Kernel } from '../kernel.ts';
import { configFiles } from '../linux/config-files.ts';
import { connectBody } from '../linux/connect-body.ts';
import { leadsTo } from '../linux/leads-to.ts';
import { LinuxClock } from '../linux/linux-clock.ts';
import { LinuxKernel } from '../linux/linux-kernel.ts';
import type { NativeEdge } from '../linux/native.ts';
import { type LateLogging, lateLogging } from '../logging/late-logging.ts';
import type { SinkQueue } from '../logging/sink-queue.ts';
import { onDemand } from '../on-demand.ts';
import type { KeepPorts } from '../persistence/keep-folders.ts';
import { sourceStack } from '../source-stack.ts';
import type { CheckPorts, Checks } from '../units/checks.ts';
import { endAfterBody } from './after-body.ts';
import { assemble } from './assemble.ts';
import {
  type Again,
  type Configured,
  type ConfigurePorts,
  type ConfigureRequest,
  configurationPath,
  configure,
} from './configure.ts';
import { hostRequest } from './host-notifier.ts';
import { LateOutward } from './late-outward.ts';
import type { Reloader } from './reloader.ts';
import { exitsOf } from './run-commands.ts';
import { settleTimeZone } from './settle-time-zone.ts';

export interface DaemonOptions {
  readonly edge: NativeEdge;
  readonly version: string;
  readonly request: DaemonRequest;
  /** Wraps the kernel; tests use it to inject faults. */
  readonly wrapKernel?: (kernel: Kernel) => Kernel;
  /** Wraps the operations that move folders to a volume; tests end the program at one of them. */
  readonly wrapDisk?: KeepPorts['wrapDisk'];
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
  /** What a person wants in place of the services. */
  readonly mode: BootMode;
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
  /** Absent until the boot is about to begin. */
  outward?: LateOutward;
}

/** The least and the most ms for flushing the logs at the end; between them the rest of the shutdown budget counts. */
const shortestFlush = 500;
const longestFlush = 2_000;
/** ms in which inspectors have to have read the last entries. */
const longestFarewell = 200;
/** ms in which whoever has asked for the end has to have told the answer. */
const longestReport = 500;
/** How many errors of chaperone itself are handled before it gives up. */
const mostErrors = 10;
/** ms that a write of a chaperone in trouble may take. */
const emergencyTimeout = 1_000;
/** The longest interval that Node allows. It only keeps the loop alive, which signal listeners do not. */
const keepAlive = 2 ** 31 - 1;

/** Boots the configuration and ends the process with the system's exit status. */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { edge } = options;
  const clock = new LinuxClock(edge);
  const launch = connectBody(edge, process.env) ?? refuseToRunAlone(edge);
  const { body, descriptorLimit = edge.descriptorLimit() } = launch;
  const linux = new LinuxKernel({ edge, body, clock, descriptorLimit });
  const kernel = options.wrapKernel?.(linux) ?? linux;
  const early = kernel.signals$.subscribe((signal) => leaveEarly(linux, signal));
  linux.open();
  const deserted = body.gone$.subscribe(() => edge.exitNow(1));
  const host = hostRequest(launch.environment, kernel.pid);
  const environment = withMode(launch.environment, options.request.mode);
  const ports = { edge, kernel, clock, environment, interactive: isatty(0) };
  const zoneWarnings = await settleTimeZone(process.env);
  const kept = await keepFoldersOrLeave(options, linux, ports);
  const { spec, messages, again, refresh } = await configureOrLeave(options, linux, {
    ...ports,
    exitOf: exitsOf(kernel),
  });
  linux.allow(spec.shutdownTimeout + longestFlush + longestReport);
  await loadPartsOrLeave(linux, edge, spec);

  const uid = process.getuid?.() ?? 0;
  const control = openControlSocket({ edge, places: placesFor(launch.environment, uid), uid });
  const logging = lateLogging({
    clock,
    onFailure: (problem) => writeError({ edge, linux }, `chaperone: ${problem}\n`),
  });
  const { directory } = kept;
  const reloader = onDemand(() =>
    loadReloader(options, { linux, ports, assembly, control, directory, again, refresh }),
  );
  const variables = await variablesOf(spec, kernel, environment);
  const assembly = assemble(variables.kernel, clock, inDirectory(withControlSocket(spec, control), directory), {
    version: options.version,
    attachLogging: logging.attachLogging,
    ...lateCode,
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
    // Under --task stdout belongs to the command.
    output: options.request.task ? 'stderr' : 'stdout',
  });
  variables.say = assembly.say;
  const daemon: Daemon = { edge, linux, kernel, clock, assembly, logging, control, inspection };
  guard(daemon);
  deserted.unsubscribe();
  body.gone$.subscribe(() => followBody(daemon));
  const supervisor = superviseFor(daemon, options, {
    environment,
    reload: async (request) => (await reloader()).reload(request),
    scale: async (templates, count) => (await reloader()).scale(templates, count),
  });
  daemon.outward = serveOutside(daemon, supervisor, { version: options.version, environment: launch.environment });

  followOutcome(daemon);
  sayAtBoot(daemon, [...zoneWarnings, ...kept.messages, ...messages], (await body.welcome).subreaperError);
  await attachTo(inspection, inspectorsOf(options.request, spec), {
    supervisor,
    uid,
    policy: () => assembly.spec().control,
  });
  await daemon.outward.follow();
  assembly.start();
  if (spec.watched !== undefined) await reloader();
  early.unsubscribe();
}

/** Serves the control socket, and makes ready what leaves the container. */
function serveOutside(
  { control, edge, clock, assembly }: Daemon,
  supervisor: AssemblySupervisor,
  { version, environment }: Pick<ControlPorts, 'version' | 'environment'>,
): LateOutward {
  const counts = serveControl({
    socket: control,
    supervisor,
    edge,
    clock,
    uid: process.getuid?.() ?? 0,
    policy: () => assembly.spec().control,
    say: assembly.say,
  });
  return new LateOutward({ assembly, clock, supervisor, counts, version, environment });
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
  /** The working directory, where its folder has moved. */
  readonly directory: string | undefined;
  /** Makes the configuration of the boot with other numbers of instances, and with other folders of services. */
  readonly again: Again | undefined;
  /** Looks into the folders of services that the boot has read. */
  readonly refresh: Configured['refresh'];
}

/** The code is loaded late, because most systems are never asked to reload. */
async function loadReloader(
  { request }: DaemonOptions,
  { linux, ports, assembly, control, directory, again, refresh }: ReloadParts,
): Promise<Reloader> {
  const { Reloader } = await import('./reloader.ts');
  const adapt = (spec: SystemSpec): SystemSpec =>
    inDirectory(withControlSocket(applyRequest(spec, request, [1, linux.errors]), control), directory);
  const adapted = ({ spec, again: more, ...rest }: Configured): Configured => ({
    ...rest,
    ...(spec === undefined ? {} : { spec: adapt(spec) }),
    ...(more === undefined ? {} : { again: async (scales, exitOf) => adapted(await more(scales, exitOf)) }),
  });
  return new Reloader({
    kernel: ports.kernel,
    clock: ports.clock,
    assembly,
    configure: async (scales) =>
      adapted(await configure(againstRunning(request, ports), { ...ports, exitOf: assembly.exits.exitOf }, scales)),
    again: again === undefined ? undefined : async (scales, exitOf) => adapted(await again(scales, exitOf)),
    refresh,
    prepare: (spec) => {
      linux.allow(spec.shutdownTimeout + longestFlush + longestReport);
      return loadParts(linux, spec);
    },
  });
}

/** Makes the supervisor that answers requests on the control socket. */
function superviseFor(
  daemon: Daemon,
  { version, request: { logLevel } }: DaemonOptions,
  { environment, reload, scale }: Pick<ControlPorts, 'environment' | 'reload' | 'scale'>,
): AssemblySupervisor {
  const { assembly, kernel, linux, clock, logging, control, inspection } = daemon;
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
    scale,
    programOf: (request) => linux.programOf(request),
    traces: () => daemon.outward?.traces(),
    inspection: inspection.load,
  });
}

/** The code of probes, which most systems do not need. */
const probes = {
  module: undefined as typeof import('../units/checks.ts') | undefined,
  async load(linux: LinuxKernel): Promise<void> {
    await linux.loadProbes();
    probes.module ??= await import('../units/checks.ts');
  },
  make(ports: CheckPorts): Checks {
    if (probes.module === undefined) throw new Error('internal error: the code for probes is not loaded');
    return new probes.module.Checks(ports);
  },
};

/** What only some services need. */
const lateCode = {
  makeChecks: probes.make,
  loadSchedules: async () => (await import('../../model/schedule/schedule.ts')).parseSchedule,
  loadValues: async () => (await import('../../model/service/compose-values.ts')).composeValues,
};

function hasProbes({ ready, healthy }: ServiceSpec): boolean {
  return ready !== undefined || healthy !== undefined;
}

async function loadPartsOrLeave(linux: LinuxKernel, edge: NativeEdge, spec: SystemSpec): Promise<void> {
  const unloaded = await loadParts(linux, spec);
  if (unloaded === undefined) return undefined;
  writeError({ edge, linux }, `chaperone: ${unloaded}\n`);
  linux.exit(1);
  return new Promise(() => undefined);
}

/** Loads what only some configurations need. Returns why that is not possible. */
async function loadParts(linux: LinuxKernel, spec: SystemSpec): Promise<string | undefined> {
  try {
    if (spec.logging.some(({ file }) => file !== undefined)) await linux.loadFiles();
    if (spec.services.some(hasProbes)) await probes.load(linux);
  } catch (error) {
    return `cannot load the code for log files: ${messageOf(error)}`;
  }
  return loadDatagrams(linux, spec);
}

/**
 * Loads the addon that makes sockets, for the log socket, and where the configuration has a notify service, even a disabled
 * one, which may be started by hand. Returns why the addon cannot be loaded where a service needs it; the log socket can do
 * without.
 */
async function loadDatagrams(
  { notifying }: LinuxKernel,
  { services, enableSyslog }: SystemSpec,
): Promise<string | undefined> {
  const all = services.filter(({ type }) => type === 'notify');
  if (all.length === 0 && !enableSyslog) return undefined;
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

/** Where the image has a folder of variables: the kernel that starts each program with what stands there by then. */
async function variablesOf(
  { variableFolder: folder }: SystemSpec,
  kernel: Kernel,
  given: Readonly<Record<string, string>>,
): Promise<{ readonly kernel: Kernel; say: Assembly['say'] }> {
  const told: { say: Assembly['say'] } = { say: () => undefined };
  if (folder === undefined) return { ...told, kernel };
  const { ContainerEnvironment } = await import('./container-environment.ts');
  const variables = new ContainerEnvironment({ folder, given, say: (message) => told.say(message) });
  return Object.assign(told, { kernel: variables.wrap(kernel) });
}

/** Lets folders live on a volume where the environment asks for it; where that is not possible, ends the process. */
async function keepFoldersOrLeave(
  { request, wrapDisk }: DaemonOptions,
  linux: LinuxKernel,
  { edge, clock, environment }: Pick<ConfigurePorts, 'edge' | 'clock' | 'environment'>,
): Promise<{ readonly messages: readonly Message[]; readonly directory?: string }> {
  if (request.showDependencies || !Object.keys(environment).some((name) => name.startsWith('PERSISTENT_'))) {
    return { messages: [] };
  }
  const say = (text: string): void => writeError({ edge, linux }, `chaperone: ${text}\n`);
  const { keepFolders } = await import('../persistence/keep-folders.ts');
  const config = configurationPath(request.configPath, request.createUser?.name ?? request.user);
  const wrap = wrapDisk === undefined ? {} : { wrapDisk };
  const kept = await keepFolders({ edge, clock, environment, config, say, ...wrap });
  if (kept.ok) return kept;
  say(kept.why);
  // Whoever looks for what is wrong needs a container that runs.
  if (request.mode.safe) return { messages: [warning(kept.why)] };
  linux.exit(1);
  return new Promise(() => undefined);
}

/**
 * Services that begin in chaperone's own directory begin in a directory of that path, where there is one: the body is still in the
 * folder that was there before.
 */
function inDirectory(spec: SystemSpec, directory: string | undefined): SystemSpec {
  if (directory === undefined) return spec;
  const services = spec.services.map((service) =>
    service.directory === undefined && service.account === undefined ? { ...service, directory } : service,
  );
  return { ...spec, services };
}

/** Returns the configuration as it will run; where it has errors, prints them and ends the process. */
async function configureOrLeave(
  { request }: DaemonOptions,
  linux: LinuxKernel,
  ports: ConfigurePorts,
): Promise<Pick<Configured, 'messages' | 'again' | 'refresh'> & { readonly spec: SystemSpec }> {
  const { edge } = ports;
  const say = (text: string): void => writeError({ edge, linux }, text);
  const end = (status: number): Promise<never> => {
    linux.exit(status);
    return new Promise(() => undefined);
  };
  const { spec, diagnostics, messages, path, again, refresh } = await configure(withConsole(request, ports), ports);
  // `docker run -t IMAGE --task COMMAND | sh` has stderr in the same pipe as stdout: no word may come between those of the command.
  const warns = spec === undefined || !(request.task && isatty(linux.errors));
  if (diagnostics.length > 0) {
    const { renderErrors, renderWarnings } = await import('../../config/render-diagnostics.ts');
    if (warns) say(renderWarnings(diagnostics));
    if (spec === undefined) say(renderErrors(diagnostics));
  }
  if (spec === undefined) {
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
  const kept = { ...(again === undefined ? {} : { again }), ...(refresh === undefined ? {} : { refresh }) };
  return { spec: applyRequest(spec, request, [1, linux.errors]), messages: [...messages, ...forced], ...kept };
}

function withConsole(
  request: DaemonRequest,
  { interactive }: Pick<ConfigurePorts, 'interactive'>,
): DaemonRequest & ConfigureRequest {
  const { command, task, mode, exitKills } = request;
  if (command.length > 0) return { ...request, console: { argv: command, exitKills: exitKills ?? interactive, task } };
  if (!mode.interactive) return request;
  const shell = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh';
  return { ...request, console: { argv: [shell], exitKills: exitKills ?? true, task: false } };
}

/** Programs see in which way the system was started. */
function withMode(
  environment: Readonly<Record<string, string>>,
  { interactive, safe }: BootMode,
): Readonly<Record<string, string>> {
  return {
    ...environment,
    ...(interactive ? { [modeVariables.interactive]: 'True' } : {}),
    ...(safe ? { [modeVariables.safe]: 'True' } : {}),
  };
}

/** The command line's request, adapted for a reload: the user that the boot was to create exists already. */
function againstRunning(
  { createUser, ...request }: DaemonRequest,
  ports: Pick<ConfigurePorts, 'interactive'>,
): ConfigureRequest {
  return withConsole({ ...request, ...(createUser === undefined ? {} : { user: createUser.name }) }, ports);
}

/** @param console the descriptors of stdout and stderr */
function applyRequest(spec: SystemSpec, request: DaemonRequest, console: readonly number[]): SystemSpec {
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
    ...(request.consoleLog ? entry : withoutConsole(entry, console)),
    ...(logLevel === undefined ? {} : { widenTo: logLevel }),
  }));
  return inMode({ ...spec, services, logging, enableSyslog: spec.enableSyslog && request.syslog }, request.mode);
}

/** The entry without stdout and stderr, also where its file is one of them: /dev/stdout. */
function withoutConsole({ file, ...rest }: LoggingSpec, console: readonly number[]): LoggingSpec {
  const kept = file === undefined || leadsTo(file, console) ? {} : { file };
  return { ...rest, ...kept, stdout: false, stderr: false };
}

/** The inspectors of the command line; without any journal among them, the one of the settings is added. */
function inspectorsOf({ inspect }: DaemonRequest, { journal: { path } }: SystemSpec): readonly InspectRequest[] {
  if (path === undefined || inspect.some(({ kind }) => kind === 'journal')) return inspect;
  return [...inspect, { kind: 'journal', file: path }];
}

async function attachTo(
  inspection: LateInspection,
  inspectors: readonly InspectRequest[],
  control: InspectedControl,
): Promise<void> {
  if (inspectors.length > 0) await inspection.attach(inspectors, control);
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

function sayAtBoot(
  { assembly, control, kernel }: Daemon,
  messages: readonly Message[],
  subreaperError: string | undefined,
): void {
  for (const message of messages) assembly.say(message);
  for (const problem of control.problems) assembly.say(warning(problem));
  sayPlace(kernel, assembly, subreaperError);
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

function followOutcome(daemon: Daemon): void {
  daemon.assembly.outcome$.subscribe({
    next: (output) => leave(daemon, output),
    error: (error: unknown) => {
      sayDying(daemon, error);
      abandonMachines(daemon);
    },
  });
}

/**
 * An uncaught error first drains the system in order, because the machines are still intact. After a second error they
 * may not be, and the processes are ended without them.
 */
function guard(daemon: Daemon): void {
  setInterval(() => undefined, keepAlive);
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

/** Leaves with advice where a service could not start; only then the code that gives it is loaded. */
function leave(daemon: Daemon, output: SystemOutput): void {
  const { kind } = output.end;
  if (kind !== 'serviceFailed' && kind !== 'missingPrograms') {
    leaveWith(noAdvice, daemon, output);
    return;
  }
  import('./start-advice.ts').then(
    ({ startAdvice }) => leaveWith(startAdvice, daemon, output),
    () => leaveWith(noAdvice, daemon, output),
  );
}

/** Logs why the system ended, and exits once all lines are written. */
function leaveWith(advice: StartAdvice, daemon: Daemon, output: SystemOutput): void {
  const { assembly, clock } = daemon;
  const lines = explainEnd(output, assembly.serviceOf, assembly.lastWords, clock.now(), advice);
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
  const { clock, assembly, logging, control, inspection, outward } = daemon;
  const { sinks } = assembly;
  const exit = (): void => {
    control.close();
    end();
  };
  const endInspection = (): void => {
    const within = (time: number, done: Promise<unknown>): Promise<unknown> =>
      Promise.race([done, new Promise<void>((resolve) => clock.setTimeout(resolve, time))]);
    const told = Promise.all([inspection.close(), control.end(), outward?.close(longestFarewell)]);
    Promise.all([within(longestFarewell, told), within(longestReport, control.shutdownCallersGone())]).then(exit, exit);
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
    for (const block of [...report.map((line) => [line]), lines]) sinks.stderr.write(logging.block(block));
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
