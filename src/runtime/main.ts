/** The daemon: joins the assembly with Linux, and sees to it that PID 1 ends in order whatever happens. */
import { resolve } from 'node:path';
import { isatty } from 'node:tty';
import type { InspectionEvent } from 'xstate';
import { loadConfiguration } from '../config/load.ts';
import { renderErrors, renderWarnings } from '../config/render-diagnostics.ts';
import { TerminalPrinter } from '../inspect/terminal-printer.ts';
import type { SystemOutput } from '../machines/system.ts';
import { parseAccounts } from '../model/accounts.ts';
import { explainEnd } from '../model/explain.ts';
import { cannotSubreap, notPid1 } from '../model/messages.ts';
import { consoleService, type SystemSpec, shortName } from '../model/service-spec.ts';
import { type Assembly, assemble } from './assemble.ts';
import type { Clock, Kernel } from './kernel.ts';
import { endWithoutMachines } from './last-resort.ts';
import { type LateLogging, lateLogging } from './late-logging.ts';
import { configFiles, readAccountFile } from './linux/config-files.ts';
import { readLaunchEnvironment } from './linux/launch-environment.ts';
import { LinuxClock } from './linux/linux-clock.ts';
import { LinuxKernel } from './linux/linux-kernel.ts';
import type { NativeEdge } from './native.ts';
import { createObserver } from './observe.ts';

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
  /** Print each transition to stdout. */
  readonly inspect: boolean;
  /** The command and its arguments; empty where there is none. */
  readonly command: readonly string[];
  /** The end of the command is the end of the system. Undefined: where stdin is a terminal. */
  readonly exitKills: boolean | undefined;
  readonly task: boolean;
  readonly disableServices: boolean;
  /** False: no log records to stdout and stderr. */
  readonly consoleLog: boolean;
}

/** What stands for as long as the daemon runs. */
interface Daemon {
  readonly edge: NativeEdge;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly assembly: Assembly;
  readonly logging: LateLogging;
}

/** ms that flushing the logs and the explanation may take at the very end: what the shutdown left of its budget, within these. */
const shortestFlush = 500;
const longestFlush = 2_000;
/** Errors in chaperone itself after which nothing more is tried. */
const mostErrors = 10;
/** ms that a write of a dying chaperone may take. */
const emergencyTimeout = 1_000;
/** The longest interval Node has: it does nothing but keep the loop alive, which signal listeners do not. */
const keepAlive = 2 ** 31 - 1;

/** Boots the configuration and ends the process with the system's exit status. */
export function runDaemon(options: DaemonOptions): void {
  const { edge } = options;
  const clock = new LinuxClock();
  const launch = readLaunchEnvironment(process.env);

  const spec = loadOrLeave(options, launch.environment);
  const linux = new LinuxKernel({ edge, clock, descriptorLimit: launch.descriptorLimit ?? edge.descriptorLimit() });
  const kernel = options.wrapKernel?.(linux) ?? linux;

  const logging = lateLogging();
  const assembly = assemble(kernel, clock, spec, {
    version: options.version,
    attachLogging: logging.attachLogging,
    ...(options.request.inspect
      ? { inspect: (write) => terminalInspection(clock, spec, (text) => logging.inTurn(() => write(text))) }
      : {}),
  });
  const daemon: Daemon = { edge, kernel, clock, assembly, logging };
  guard(daemon);

  assembly.outcome$.subscribe({
    next: (output) => leave(daemon, output),
    error: (error: unknown) => {
      sayDying(edge, error);
      abandonMachines(daemon);
    },
  });
  linux.open();
  becomeReaper(edge, kernel, assembly);
  setInterval(() => undefined, keepAlive);
  assembly.start();
}

function loadOrLeave({ edge, request }: DaemonOptions, environment: Readonly<Record<string, string>>): SystemSpec {
  const { configPath, command, task } = request;
  const interactive = isatty(0);
  // PID 1 has no working directory of its own: a relative path counts from the root (reference, section 1).
  const path = resolve('/', configPath);
  const { spec, diagnostics } = loadConfiguration(path, {
    reader: configFiles,
    environment,
    accounts: parseAccounts(readAccountFile('/etc/passwd'), readAccountFile('/etc/group')),
    interactive,
    ...(command.length === 0 ? {} : { console: { argv: command, exitKills: request.exitKills ?? interactive, task } }),
  });
  writeError(edge, renderWarnings(diagnostics));
  if (spec === undefined) {
    writeError(edge, renderErrors(diagnostics));
    return edge.exitNow(1);
  }
  if (spec.services.length === 0) {
    writeError(
      edge,
      `chaperone: There are no services configured to run, nor is there a command (configuration: ${path}${
        configFiles.stat(path) === 'missing' ? ', which does not exist' : ''
      })\n`,
    );
    return edge.exitNow(1);
  }
  return applyRequest(spec, request);
}

function applyRequest(spec: SystemSpec, { disableServices, consoleLog }: DaemonRequest): SystemSpec {
  const services = spec.services.map((service) =>
    disableServices && service.name !== consoleService ? { ...service, enabled: false } : service,
  );
  const logging = spec.logging.map((entry) => (consoleLog ? entry : { ...entry, stdout: false, stderr: false }));
  return { ...spec, services, logging };
}

/** Where chaperone is not PID 1, orphans come to it only as a subreaper. */
function becomeReaper(edge: NativeEdge, kernel: Kernel, assembly: Assembly): void {
  if (kernel.pid === 1) return;
  try {
    edge.setSubreaper();
    assembly.say(notPid1(kernel.pid));
  } catch (error) {
    assembly.say(cannotSubreap(error instanceof Error && 'code' in error ? String(error.code) : 'unknown'));
  }
}

function terminalInspection(
  clock: Clock,
  spec: SystemSpec,
  write: (text: string) => void,
): (event: InspectionEvent) => void {
  const names = ['system', ...spec.services.map(({ name }) => shortName(name))];
  const printer = new TerminalPrinter(names, isatty(1) && process.env['NO_COLOR'] === undefined);
  return createObserver(clock, {
    transition: (transition) => write(`${printer.line(transition)}\n`),
    note: (text) => write(`${printer.note(text)}\n`),
  }).inspect;
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
  const services = new Map(assembly.spec.services.map((service) => [service.name, service]));
  const lines = explainEnd(output, (name) => services.get(name), assembly.lastWords, clock.now());
  const left = Math.max(shortestFlush, Math.min(longestFlush, output.deadline - clock.now()));
  flushAndExit(daemon, { exitStatus: output.exitStatus, lines, timeout: left });
}

interface LastThings {
  readonly exitStatus: number;
  readonly lines: readonly string[];
  /** ms for all of it. */
  readonly timeout: number;
}

/** Writes what waits for stdout, then the last lines to stderr, and exits; a stdout that takes nothing gets half of the time. */
function flushAndExit({ edge, clock, assembly, logging }: Daemon, { exitStatus, lines, timeout }: LastThings): void {
  const { stdout, stderr } = assembly.queues;
  const exit = (): never => edge.exitNow(exitStatus);
  clock.setTimeout(exit, timeout);
  let said = false;
  const sayLast = (): void => {
    if (said) return;
    said = true;
    const lost = stdout.waitingBytes;
    const report = lost === 0 ? [] : [`chaperone: stdout did not take the last ${lost} bytes of the log in time`];
    for (const line of [...report, ...lines]) stderr.write(`${line}\n`);
    stderr.whenIdle(() => (lost === 0 ? exit() : stdout.whenIdle(exit)));
  };
  clock.setTimeout(sayLast, timeout / 2);
  logging.ready.then(
    () => stdout.whenIdle(sayLast),
    (error: unknown) => {
      sayDying(edge, error);
      sayLast();
    },
  );
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
