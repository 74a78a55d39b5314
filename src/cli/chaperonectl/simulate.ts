import { appendFileSync, readFileSync } from 'node:fs';
import { renderErrors, renderWarnings } from '../../config/render-diagnostics.ts';
import { exitStatuses } from '../../control/answer.ts';
import { Meter } from '../../control/meter.ts';
import { selectServices } from '../../control/select-services.ts';
import { durationsOf } from '../../inspect/boot-report.ts';
import type { Entry } from '../../inspect/entry.ts';
import {
  type ForecastReport,
  forecastJson,
  isWorse,
  readBaseline,
  renderForecast,
  type TimeOrigin,
} from '../../inspect/forecast.ts';
import { renderEntry } from '../../inspect/journal-writer.ts';
import { type BootAssumptions, type Mishap, parseMishap, readyBy } from '../../model/order/boot-assumptions.ts';
import { parseAccounts } from '../../model/service/accounts.ts';
import { type ServiceSpec, shortName } from '../../model/service/service-spec.ts';
import { parseDuration } from '../../model/words/duration.ts';
import type { Given } from '../../model/words/parameter.ts';
import { oneLine } from '../../model/words/printable.ts';
import { inspect } from '../../runtime/inspection/inspection.ts';
import { configFiles, readAccountFile } from '../../runtime/linux/config-files.ts';
import { findProgram } from '../../runtime/linux/find-program.ts';
import { imageConventions } from '../../runtime/linux/image-files.ts';
import { ownEnvironment } from '../../runtime/linux/launch-environment.ts';
import { forecastBoot, type SimulatedSystem } from '../../runtime/simulated/forecast-boot.ts';
import { loadWithStandIns } from '../../runtime/simulated/stand-ins.ts';
import { defaultConfig } from '../default-config.ts';
import { missingPath } from '../missing-path.ts';
import { reasonOf } from '../program-io.ts';
import { JournalFileError, loadBoot } from './journal-file.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import * as options from './verb-options.ts';

/** The assumed time of unmeasured programs, ms: about what a small program needs. */
const defaultTime = '100ms';

interface Forecast {
  readonly config: string;
  readonly user?: string;
  readonly json: boolean;
  /** `NAME=VALUE` each. */
  readonly time: readonly string[];
  /** A journal, whose last boot has been measured; `FILE#BOOT`: another one. */
  readonly from?: string;
  readonly fail: readonly string[];
  readonly whatIf: readonly string[];
  /** ms. */
  readonly assume: number;
  readonly baseline?: string;
  /** A journal that the boot is added to. */
  readonly record?: string;
  /** ms. */
  readonly tolerance: number;
}

/** A mistake in the words, with the exit status. */
class Mistake extends Error {
  readonly exitStatus: number;

  constructor(message: string, exitStatus: number = exitStatuses.mistake) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

/** Boots a configuration in virtual time and prints the course of the boot. */
export async function run({ given }: Request): Promise<number> {
  try {
    return await simulate(readRequest(given));
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    await print(2, `chaperonectl simulate: ${oneLine(error.message)}\ntry "chaperonectl simulate --help"\n`);
    return error.exitStatus;
  }
}

async function simulate(request: Forecast): Promise<number> {
  const { environment } = ownEnvironment(process.env);
  const { spec, diagnostics, path, standIns } = loadWithStandIns(
    { configPath: request.config, ...(request.user === undefined ? {} : { user: request.user }) },
    {
      reader: configFiles,
      environment,
      accounts: parseAccounts(readAccountFile('/etc/passwd'), readAccountFile('/etc/group')),
      findProgram,
      conventions: imageConventions(environment),
    },
  );
  const found = [...diagnostics, ...missingPath(request.config, path, spec)];
  await print(2, renderWarnings(found));
  if (spec === undefined || found.some(({ severity }) => severity === 'error')) {
    const unrun = standIns.commands.map((command) => `\`${command}\``).join(', ');
    await print(2, `${renderErrors(found)}${unrun === '' ? '' : `\nnot run, and took as giving nothing: ${unrun}\n`}`);
    return exitStatuses.failed;
  }
  if (spec.services.length === 0) {
    await print(2, `chaperonectl simulate: there are no services in ${path}\n`);
    return exitStatuses.failed;
  }
  const measured = request.from === undefined ? new Map() : await readMeasured(request.from, spec.services);
  const given = readTimes('time', request.time, spec.services);
  const times = new Map([...measured, ...given]);
  const changes = readTimes('what-if', request.whatIf, spec.services);
  const mishaps = readMishaps(request.fail, spec.services);
  const assumptions: BootAssumptions = { times, mishaps, otherwise: request.assume };
  const baseline = request.baseline === undefined ? undefined : readBaselineFile(request.baseline);
  const lines: string[] = [];
  const report: ForecastReport = {
    path,
    forecast: forecastBoot(spec, assumptions, (system) => recordInto(lines, system)),
    origins: new Map(spec.services.map((service) => [service.name, originOf(service, given, measured)])),
    mishaps,
    otherwise: request.assume,
    standIns,
    ...(changes.size === 0
      ? {}
      : {
          whatIf: {
            times: changes,
            forecast: forecastBoot(spec, { ...assumptions, times: new Map([...times, ...changes]) }),
          },
        }),
    ...(baseline === undefined ? {} : { baseline: { ready: baseline, tolerance: request.tolerance } }),
  };
  if (request.record !== undefined) addTo(request.record, lines);
  await print(1, request.json ? forecastJson(report) : renderForecast(report));
  return report.forecast.kind === 'ready' && !isWorse(report) ? exitStatuses.done : exitStatuses.failed;
}

/** Writes down what happens in a system, as a journal has it. */
function recordInto(lines: string[], system: SimulatedSystem): void {
  const onError = (error: unknown): void => {
    throw error;
  };
  inspect({ ...system, version: 'simulate', onError }).hub.watch({
    onEntry: (entry) => {
      lines.push(renderEntry(dated(entry)));
      return true;
    },
  });
}

/** The boot as one of now: virtual time has no date. */
function dated(entry: Entry): Entry {
  return entry.type === '@chaperone.boot' ? { ...entry, epoch: Date.now() } : entry;
}

function addTo(journal: string, lines: readonly string[]): void {
  try {
    appendFileSync(journal, lines.join(''));
  } catch (error) {
    throw new Mistake(`cannot write ${journal}: ${reasonOf(error) ?? String(error)}`, exitStatuses.failed);
  }
}

function readRequest({ get }: Given): Forecast {
  const user = get(options.user);
  const from = get(options.from);
  const baseline = get(options.baseline);
  const record = get(options.record);
  const laterBy = get(options.laterBy);
  if (laterBy !== undefined && baseline === undefined) throw new Mistake('--tolerance needs --baseline');
  return {
    config: get(options.config) ?? defaultConfig,
    ...(user === undefined ? {} : { user }),
    json: get(options.json),
    time: get(options.time),
    ...(from === undefined ? {} : { from }),
    fail: get(options.fail),
    whatIf: get(options.whatIf),
    assume: durationOf('--assume', get(options.assume) ?? defaultTime),
    ...(baseline === undefined ? {} : { baseline }),
    ...(record === undefined ? {} : { record }),
    tolerance: durationOf('--tolerance', laterBy ?? '0'),
  };
}

function durationOf(option: string, text: string): number {
  const time = parseDuration(text);
  if (time === undefined) throw new Mistake(`${option} "${text}": expected a time such as 2s or 300ms`);
  return time;
}

function readTimes(
  option: 'time' | 'what-if',
  settings: readonly string[],
  services: readonly ServiceSpec[],
): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const setting of settings) {
    const { text, chosen } = readSetting(`--${option}`, setting, services);
    const time = durationOf(`--${option} ${setting}:`, text);
    for (const { name, type } of chosen.filter((service) => readyBy(service) === 'schedule')) {
      throw new Mistake(`--${option} ${setting}: ${name} is ${type}: it is ready as soon as it is scheduled`);
    }
    for (const { name } of chosen) times.set(name, time);
  }
  return times;
}

function readMishaps(settings: readonly string[], services: readonly ServiceSpec[]): ReadonlyMap<string, Mishap> {
  const mishaps = new Map<string, Mishap>();
  for (const setting of settings) {
    const { text, chosen } = readSetting('--fail', setting, services);
    const mishap = parseMishap(text);
    if (mishap === undefined) {
      throw new Mistake(`--fail ${setting}: expected exit:N, signal:N, hang or late:TIME, such as db=exit:1`);
    }
    for (const service of chosen) {
      refuseWithoutEffect(setting, service, mishap);
      mishaps.set(service.name, mishap);
    }
  }
  return mishaps;
}

/** Refuses mishaps that could not make a difference, so that nobody takes the boot for safe because of them. */
function refuseWithoutEffect(setting: string, service: ServiceSpec, mishap: Mishap): void {
  const { name, type } = service;
  const by = readyBy(service);
  if (by === 'schedule') {
    throw new Mistake(`--fail ${setting}: ${name} is ${type}: no program of it runs before it is ready`);
  }
  if (by === 'pause' && (mishap.kind === 'hang' || mishap.kind === 'late')) {
    throw new Mistake(`--fail ${setting}: ${name} is simple: it is ready after its startup_pause, whatever it does`);
  }
}

/** `NAME=VALUE`, where NAME may be a glob. */
function readSetting(
  option: string,
  setting: string,
  services: readonly ServiceSpec[],
): { readonly text: string; readonly chosen: readonly ServiceSpec[] } {
  const [, name = '', text = ''] = /^(.+?)=(.*)$/.exec(setting) ?? [];
  if (name === '') throw new Mistake(`${option} ${setting}: expected NAME=VALUE`);
  const selection = selectServices(services, [name], new Meter());
  if (selection.kind === 'services') return { text, chosen: selection.services };
  if (selection.answer.kind === 'mistake') throw new Mistake(`${option} ${setting}: ${selection.answer.text}`);
  const known = services.map((service) => shortName(service.name)).join(', ');
  throw new Mistake(`${option} ${setting}: no such service; there are ${known}`, exitStatuses.noSuchService);
}

/**
 * Measured times of programs. Services that wait only for startup_pause are left out: the present configuration sets that
 * pause.
 */
async function readMeasured(file: string, services: readonly ServiceSpec[]): Promise<ReadonlyMap<string, number>> {
  try {
    const { entries } = await loadBoot(file, undefined, (line) =>
      print(2, `chaperonectl simulate: ${oneLine(line)}\n`),
    );
    const programs = new Set(services.filter((service) => readyBy(service) === 'program').map(({ name }) => name));
    return new Map([...durationsOf(entries)].filter(([name]) => programs.has(name)));
  } catch (error) {
    if (error instanceof JournalFileError) throw new Mistake(error.message, error.exitStatus);
    throw error;
  }
}

function originOf(
  service: ServiceSpec,
  given: ReadonlyMap<string, number>,
  measured: ReadonlyMap<string, number>,
): TimeOrigin {
  if (given.has(service.name)) return 'given';
  if (measured.has(service.name)) return 'measured';
  switch (readyBy(service)) {
    case 'schedule':
      return 'schedule';
    case 'pause':
      return 'startup_pause';
    case 'program':
      return 'assumed';
  }
}

function readBaselineFile(path: string): number {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Mistake(`cannot read the baseline "${path}": ${reasonOf(error) ?? String(error)}`);
  }
  const ready = readBaseline(text);
  if (ready !== undefined) return ready;
  throw new Mistake(
    `the baseline "${path}" is not what "chaperonectl simulate --json" prints of a boot that gets ready`,
  );
}
