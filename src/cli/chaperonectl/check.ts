import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isatty } from 'node:tty';
import { checkSystem, type Findings } from '../../config/check.ts';
import type { Probe } from '../../config/check-programs.ts';
import { checkJson, renderCheck } from '../../config/check-report.ts';
import type { NextTimes } from '../../config/check-schedules.ts';
import { readPlaces } from '../../config/load.ts';
import { inOrder } from '../../config/report.ts';
import { signalNumber } from '../../model/service/signal.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import { codeOf } from '../../model/words/errno.ts';
import { type Configured, configure } from '../../runtime/boot/configure.ts';
import { type CommandPorts, exitsOf } from '../../runtime/boot/run-commands.ts';
import { configFiles } from '../../runtime/linux/config-files.ts';
import { startBody } from '../../runtime/linux/connect-body.ts';
import { findProgram } from '../../runtime/linux/find-program.ts';
import { ownEnvironment } from '../../runtime/linux/launch-environment.ts';
import { LinuxClock } from '../../runtime/linux/linux-clock.ts';
import { LinuxKernel } from '../../runtime/linux/linux-kernel.ts';
import { loadEdge } from '../../runtime/linux/load-edge.ts';
import { defaultConfig } from '../default-config.ts';
import { missingPath } from '../missing-path.ts';
import { reasonOf, writeAll } from '../program-io.ts';
import type { Request } from './read-words.ts';
import { config as configOption, json, user as userOption } from './verb-options.ts';

interface Start {
  readonly config: string;
  readonly user?: string;
}

/** Checks the named configuration and prints the findings. */
export async function run({ given }: Request): Promise<number> {
  const user = given.get(userOption);
  const config = given.get(configOption) ?? defaultConfig;
  const configured = await load({ config, ...(user === undefined ? {} : { user }) });
  const { path, spec } = configured;
  const places = readPlaces(path, configFiles);
  const missing = missingPath(config, path);
  let findings: Findings = { diagnostics: [], services: [], schedules: [] };
  if (spec !== undefined && missing.length === 0) {
    const cron = spec.services.some(({ type }) => type === 'cron');
    findings = checkSystem(spec, { places, probe, nextTimes: cron ? await loadNextTimes() : () => [] });
  }
  const diagnostics = inOrder(
    [
      ...configured.diagnostics,
      ...configured.messages.map(
        ({ text }): Diagnostic => ({ severity: 'warning', code: 'command-failed', message: text }),
      ),
      ...missing,
      ...findings.diagnostics,
    ],
    places.files,
  );
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const loggingCount = (spec?.logging ?? []).filter(({ name }) => places.section(name) !== undefined).length;
  const report = { ...findings, diagnostics, loggingCount, timeZone };
  const status = diagnostics.some(({ severity }) => severity === 'error') ? 1 : 0;
  return print(given.get(json) ? checkJson(report) : renderCheck(report), status);
}

/** Loads the configuration as a start does, commands in backticks included. */
async function load({ config, user }: Start): Promise<Configured> {
  const edge = loadEdge(join(__dirname, 'edge.node'));
  const clock = new LinuxClock();
  const { environment } = ownEnvironment(process.env);
  const body = startBody(edge, join(__dirname, 'chaperone'));
  const kernel = new LinuxKernel({ edge, body, clock, descriptorLimit: edge.descriptorLimit() });
  const running = new Set<number>();
  kernel.exits$.subscribe(({ exits }) => {
    for (const { pid } of exits) running.delete(pid);
  });
  // Commands in backticks run in their own groups, which no Ctrl-C reaches.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
    process.on(signal, () => {
      for (const pid of running) kernel.signal(pid, 'SIGKILL', 'group');
      setImmediate(() => process.exit(128 + signalNumber(signal)));
    });
  }
  kernel.open();
  const commands: CommandPorts['kernel'] = {
    signal: (pid, signal, target) => kernel.signal(pid, signal, target),
    spawn: (request, told) =>
      kernel.spawn(request, (outcome) => {
        if (outcome.ok) running.add(outcome.pid);
        told(outcome);
      }),
  };
  return configure(
    { configPath: config, ...(user === undefined ? {} : { user }) },
    { kernel: commands, exitOf: exitsOf(kernel), clock, edge, environment, interactive: isatty(0) },
  );
}

/** The next times of schedules. Only this needs cron-parser, which is slow to load. */
async function loadNextTimes(): Promise<NextTimes> {
  const { parseSchedule } = await import('../../model/schedule/schedule.ts');
  const now = Date.now();
  return (interval, count) => {
    const result = parseSchedule(interval);
    const times: number[] = [];
    for (let time: number | undefined = now; result.ok && times.length < count; ) {
      time = result.schedule.next(time);
      if (time === undefined) break;
      times.push(time);
    }
    return times;
  };
}

/** Bytes of a script that the kernel reads to find its first line. */
const headLength = 256;

const probe: Probe = {
  directory: process.cwd(),
  findProgram,
  look(path) {
    try {
      const stats = statSync(path);
      const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other';
      return { kind, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
    } catch (error) {
      const code = codeOf(error);
      return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unknown';
    }
  },
  head(path) {
    try {
      const buffer = Buffer.alloc(headLength);
      const fd = openSync(path, 'r');
      try {
        return buffer.toString('latin1', 0, readSync(fd, buffer, 0, headLength, 0));
      } finally {
        closeSync(fd);
      }
    } catch {
      // A program that is executable but not readable cannot be checked.
      return undefined;
    }
  },
};

async function print(text: string, status: number): Promise<number> {
  try {
    await writeAll(1, Buffer.from(text));
    return status;
  } catch (error) {
    // A reader that closes the pipe early is no error.
    if (codeOf(error) === 'EPIPE') return status;
    await writeAll(2, Buffer.from(`chaperonectl check: cannot write: ${reasonOf(error) ?? String(error)}\n`));
    return 1;
  }
}
