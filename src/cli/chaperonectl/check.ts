import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { checkSystem, type Findings } from '../../config/check.ts';
import type { Probe } from '../../config/check-programs.ts';
import { checkJson, renderCheck } from '../../config/check-report.ts';
import type { NextTimes } from '../../config/check-schedules.ts';
import { readPlaces } from '../../config/load.ts';
import { inOrder } from '../../config/report.ts';
import { parseAccounts } from '../../model/service/accounts.ts';
import { headLength } from '../../model/service/program-file.ts';
import { signalNumber } from '../../model/service/signal.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import { codeOf } from '../../model/words/errno.ts';
import { type Configured, configure } from '../../runtime/boot/configure.ts';
import { type CommandPorts, exitsOf } from '../../runtime/boot/run-commands.ts';
import { settleTimeZone } from '../../runtime/boot/settle-time-zone.ts';
import { configFiles } from '../../runtime/linux/config-files.ts';
import { startBody } from '../../runtime/linux/connect-body.ts';
import { findProgram } from '../../runtime/linux/find-program.ts';
import { imageConventions } from '../../runtime/linux/image-files.ts';
import { ownEnvironment } from '../../runtime/linux/launch-environment.ts';
import { LinuxClock } from '../../runtime/linux/linux-clock.ts';
import { LinuxKernel } from '../../runtime/linux/linux-kernel.ts';
import { loadEdge } from '../../runtime/linux/load-edge.ts';
import { loadWithStandIns } from '../../runtime/simulated/stand-ins.ts';
import { defaultConfig } from '../default-config.ts';
import { missingPath } from '../missing-path.ts';
import { reasonOf, writeAll } from '../program-io.ts';
import type { Request } from './read-words.ts';
import { config as configOption, json, portable as portableOption, user as userOption } from './verb-options.ts';

interface Start {
  /** The first path as it was given, and further ones. */
  readonly config: string;
  readonly more: readonly string[];
  readonly user?: string;
  readonly portable: boolean;
}

type Loaded = Omit<Configured, 'messages'> & {
  readonly messages: Configured['messages'];
  /** The variables that a start inherits; absent where they are not those of this machine. */
  readonly inherited?: readonly string[];
};

/** Checks the named configuration and prints the findings. */
export async function run({ given, words }: Request): Promise<number> {
  const user = given.get(userOption);
  const named = given.get(configOption);
  if (named !== undefined && words.length > 0) {
    const mistake = 'chaperonectl check: takes --config PATH or FILE..., not both';
    await writeAll(2, Buffer.from(`${mistake}\ntry "chaperonectl check --help"\n`));
    return 2;
  }
  const [config = named ?? defaultConfig, ...more] = words.map((word) => resolve(word));
  const start = { config, more, portable: given.get(portableOption), ...(user === undefined ? {} : { user }) };
  const configured = start.portable ? loadPortable(start) : await load(start);
  const { path, spec, inherited } = configured;
  // Behind the reading of the environment, which services get.
  if (!start.portable) await settleTimeZone(process.env);
  const places = readPlaces(path, {
    reader: configFiles,
    more,
    ...(start.portable ? {} : { conventions: imageConventions(process.env) }),
  });
  const missing = [missingPath(config, path, spec), ...more.map((each) => missingPath(each, each))].flat();
  let findings: Findings = { diagnostics: [], services: [], schedules: [] };
  if (spec !== undefined && missing.length === 0) {
    const cron = spec.services.some(({ type }) => type === 'cron');
    findings = checkSystem(spec, {
      places,
      probe: start.portable ? blindProbe : probe,
      nextTimes: cron ? await loadNextTimes() : () => [],
      ...(inherited === undefined ? {} : { inherited }),
    });
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

/** Loads the configuration and runs nothing; accounts, variables and outputs of commands are assumed. */
function loadPortable({ config, more, user }: Start): Loaded {
  const { spec, diagnostics, path } = loadWithStandIns(
    { configPath: config, more, assumesRequired: true, ...(user === undefined ? {} : { user }) },
    {
      reader: configFiles,
      environment: {},
      accounts: parseAccounts('', ''),
      findProgram: (word) => word,
    },
  );
  return { path, diagnostics, messages: [], ...(spec === undefined ? {} : { spec }) };
}

/** Loads the configuration as a start does, commands in backticks included. */
async function load({ config, more, user }: Start): Promise<Loaded> {
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
  const configured = await configure(
    { configPath: config, more, ...(user === undefined ? {} : { user }) },
    { kernel: commands, exitOf: exitsOf(kernel), clock, edge, environment, interactive: isatty(0) },
  );
  return { ...configured, inherited: Object.keys(environment) };
}

/** The next times of schedules. Only this needs cron-parser, which is slow to load. */
async function loadNextTimes(): Promise<NextTimes> {
  const { parseSchedule } = await import('../../model/schedule/schedule.ts');
  const now = Date.now();
  return (interval, count, timeZone) => {
    const result = parseSchedule(interval, timeZone);
    const times: number[] = [];
    for (let time: number | undefined = now; result.ok && times.length < count; ) {
      time = result.schedule.next(time);
      if (time === undefined) break;
      times.push(time);
    }
    return times;
  };
}

/** Sees nothing, so that nothing is said about files. */
const blindProbe: Probe = {
  directory: '/',
  findProgram: (word) => word,
  look: () => 'unknown',
  head: () => undefined,
};

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
