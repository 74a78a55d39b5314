/** Shows what a journal has recorded: as it went, in figures, or against another boot. Needs no chaperone that runs. */
import { isatty } from 'node:tty';
import { parseArgs } from 'node:util';
import { exitStatuses } from '../control/answer.ts';
import { defaultTolerance, diffBoots, renderDiff, type Tolerance } from '../inspect/boot-diff.ts';
import { type BootReport, reportOf } from '../inspect/boot-report.ts';
import type { Entry } from '../inspect/entry.ts';
import type { JournalBoot } from '../inspect/journal-reader.ts';
import { aligned, renderBoots, renderReport, seconds } from '../inspect/render-report.ts';
import { applyEntry, createReplica } from '../inspect/replica.ts';
import { isWanted, Transcript } from '../inspect/transcript.ts';
import { entriesUntil, parseUntil, type Until } from '../inspect/until.ts';
import { parseDuration } from '../model/duration.ts';
import { oneLine } from '../model/printable.ts';
import { shortName } from '../model/service-spec.ts';
import { commandHelp, commands } from './commands.ts';
import { JournalFileError, loadBoot, readJournal, type Warn } from './journal-file.ts';
import { readPort } from './listen-options.ts';
import { codeOf, writeAll } from './program-io.ts';

interface Request {
  readonly files: readonly string[];
  readonly boot: string | undefined;
  readonly until: Until | undefined;
  readonly services: readonly string[];
  /** Undefined: as fast as it goes. */
  readonly speed: number | undefined;
  readonly mode: 'transcript' | 'summary' | 'list' | 'diff' | 'web';
  /** Of the page. */
  readonly port: number;
  readonly listen: string | undefined;
  readonly tolerance: Tolerance;
  readonly json: boolean;
}

/** Where output goes, and how time passes; tests have their own. */
export interface ReplayPorts {
  readonly print: (fd: 1 | 2, text: string) => Promise<void>;
  readonly colour: boolean;
  readonly sleep: (ms: number) => Promise<void>;
}

const processPorts: ReplayPorts = {
  print: (fd, text) => writeAll(fd, Buffer.from(text)),
  colour: isatty(1) && (process.env['NO_COLOR'] ?? '') === '',
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Characters that are gathered before they are written. */
const outputPiece = 64 * 1024;
/** ms: no silence of a replay is longer. */
const longestPause = 3_000;

export async function run(words: readonly string[], ports: ReplayPorts = processPorts): Promise<number> {
  try {
    if (words.includes('--help')) {
      const help = commands.find(({ name }) => name === 'replay');
      if (help !== undefined) await ports.print(1, commandHelp('chaperonectl', help));
      return exitStatuses.done;
    }
    const request = readWords(words);
    if (typeof request === 'string') {
      await ports.print(2, `chaperonectl replay: ${oneLine(request)}\ntry "chaperonectl replay --help"\n`);
      return exitStatuses.mistake;
    }
    return await replay(request, ports);
  } catch (error) {
    // A reader that has seen enough is no mistake.
    if (codeOf(error) === 'EPIPE') return exitStatuses.done;
    if (!(error instanceof JournalFileError)) throw error;
    await ports.print(2, `chaperonectl replay: ${oneLine(error.message)}\n`);
    return error.exitStatus;
  }
}

async function replay(request: Request, ports: ReplayPorts): Promise<number> {
  const [first = '', second] = request.files;
  switch (request.mode) {
    case 'list':
      return list(first, request, ports);
    case 'diff':
      return diff(first, second, request, ports);
    case 'summary':
      return summarize(await loadBoot(first, request.boot, warnOn(ports)), request, ports);
    case 'web':
      return show(await loadBoot(first, request.boot, warnOn(ports)), request, ports);
    case 'transcript':
      return transcribe(await loadBoot(first, request.boot, warnOn(ports)), request, ports);
  }
}

async function list(file: string, { json }: Request, ports: ReplayPorts): Promise<number> {
  const boots: { boot: JournalBoot; report: BootReport }[] = [];
  await readJournal(file, warnOn(ports), (boot) => boots.push({ boot, report: reportOf(boot.entries) }));
  const rows = boots.map(({ boot, report: { boot: id, epoch, hostname, ready, end, duration, services } }) => ({
    ...{ number: boot.number, boot: id, epoch, hostname, services: services.length, entries: boot.entries.length },
    ...{ ready, duration, end, torn: boot.torn, version: boot.entry.version },
  }));
  await ports.print(1, json ? `${JSON.stringify(rows)}\n` : renderBoots(boots));
  return exitStatuses.done;
}

/** The boot as a page, until a signal comes. */
async function show(boot: JournalBoot, request: Request, ports: ReplayPorts): Promise<number> {
  const { serveUntilSignal } = await import('./serve-page.ts');
  const { recordedSource } = await import('../runtime/recorded-source.ts');
  const { port, listen } = request;
  const source = recordedSource(shownEntries(boot, request).entries);
  return serveUntilSignal('chaperonectl replay', { port, listen, source }, ports.print);
}

async function summarize(boot: JournalBoot, request: Request, ports: ReplayPorts): Promise<number> {
  const report = reportOf(shownEntries(boot, request).entries);
  const wanted = (name: string): boolean =>
    request.services.length === 0 || isWanted(shortName(name), request.services);
  const services = report.services.filter(({ name }) => wanted(name));
  await ports.print(1, request.json ? `${JSON.stringify({ ...report, services })}\n` : renderReport(report, wanted));
  return exitStatuses.done;
}

async function diff(
  file: string,
  other: string | undefined,
  { json, tolerance }: Request,
  ports: ReplayPorts,
): Promise<number> {
  const a = await loadBoot(file, other === undefined ? '-2' : undefined, warnOn(ports));
  const b = await loadBoot(other ?? file, undefined, warnOn(ports));
  const result = diffBoots(reportOf(a.entries), reportOf(b.entries), tolerance);
  await ports.print(1, json ? `${JSON.stringify(result)}\n` : renderDiff(result));
  return result.regressions.length === 0 ? exitStatuses.done : exitStatuses.failed;
}

async function transcribe(boot: JournalBoot, request: Request, ports: ReplayPorts): Promise<number> {
  const { json, services, speed, until } = request;
  const { entries, reached } = shownEntries(boot, request);
  const transcript = new Transcript({ format: json ? 'json' : 'text', colour: ports.colour && !json, services });
  let text = '';
  let last = 0;
  for (const entry of entries) {
    const piece = transcript.write(entry) + closing(entry, json);
    if (piece === '') continue;
    if (speed !== undefined) {
      await ports.sleep(Math.min(longestPause, (entry.at - last) / speed));
      last = entry.at;
    }
    text += piece;
    if (speed === undefined && text.length < outputPiece) continue;
    await ports.print(1, text);
    text = '';
  }
  if (until !== undefined) text += renderStates(entries, json, services);
  await ports.print(1, text);
  if (until !== undefined && !reached) await ports.print(2, 'chaperonectl replay: that never came: this is the end\n');
  else if (!reached && entries.at(-1)?.type !== '@chaperone.end' && !json) {
    await ports.print(1, `${''.padStart(10)}the record ends here: chaperone was killed, or still runs\n`);
  }
  return exitStatuses.done;
}

/** The last line of a boot. */
function closing(entry: Entry, json: boolean): string {
  if (entry.type !== '@chaperone.end') return '';
  const { at, exitStatus, cause } = entry;
  if (json) return `${JSON.stringify({ at, exitStatus, cause })}\n`;
  return `${(at / 1000).toFixed(3).padStart(8)}  exit status ${exitStatus}: ${oneLine(cause)}\n`;
}

/** Where everything stands at the end of the entries. */
function renderStates(entries: readonly Entry[], json: boolean, services: readonly string[]): string {
  const replica = createReplica();
  for (const entry of entries) applyEntry(replica, entry);
  const { at, seq } = replica;
  const tracks = [
    replica.system,
    ...[...replica.services.values()].filter(
      ({ name }) => services.length === 0 || isWanted(shortName(name), services),
    ),
  ];
  const states = tracks.map(({ name, segments }) => {
    const last = segments.at(-1);
    const pid = last?.context?.['pid'];
    return {
      name: shortName(name),
      state: last?.state ?? '–',
      since: last?.from ?? 0,
      ...(typeof pid === 'number' ? { pid } : {}),
    };
  });
  if (json) return `${JSON.stringify({ at, seq, states })}\n`;
  const rows = states.map(({ name, state, since, pid }) => [
    name,
    state,
    `for ${seconds(at - since)}`,
    pid === undefined ? '' : `pid ${pid}`,
  ]);
  return `\nat ${seconds(at)}, entry ${seq}:\n${aligned(rows)
    .map((row) => `  ${row}\n`)
    .join('')}`;
}

function shownEntries(boot: JournalBoot, { until }: Request) {
  return until === undefined ? { entries: boot.entries, reached: false } : entriesUntil(boot.entries, until);
}

/**
 * @param file may name the boot behind a `#`
 * @param choice a number (from the end where it is negative), or the beginning of an id; the last boot where there is none
 */

const warnOn =
  ({ print }: ReplayPorts): Warn =>
  (line) =>
    print(2, `chaperonectl replay: ${oneLine(line)}\n`);

/** What is wrong with the words, where something is. */
function readWords(words: readonly string[]): Request | string {
  try {
    const { values, positionals } = parseArgs({
      args: joinNegative(words),
      allowPositionals: true,
      options: {
        boot: { type: 'string' },
        diff: { type: 'boolean' },
        json: { type: 'boolean' },
        list: { type: 'boolean' },
        service: { type: 'string', multiple: true },
        speed: { type: 'string' },
        summary: { type: 'boolean' },
        tolerance: { type: 'string' },
        until: { type: 'string' },
        web: { type: 'boolean' },
        port: { type: 'string' },
        listen: { type: 'string' },
      },
    });
    const modes = (['summary', 'list', 'diff', 'web'] as const).filter((mode) => values[mode] === true);
    const [mode = 'transcript'] = modes;
    if (modes.length > 1) return `--${modes.join(' and --')} do not go together`;
    const most = mode === 'diff' ? 2 : 1;
    if (positionals.length === 0) return 'a journal is needed: FILE';
    if (positionals.length > most) return `too many files: ${positionals.slice(most).join(' ')}`;
    const until = values.until === undefined ? undefined : parseUntil(values.until);
    if (values.until !== undefined && until === undefined) {
      return `--until needs a time (1.5, 500ms), an event (unit.leaderExited), a state (web:ready) or #N, not "${values.until}"`;
    }
    const tolerance = readTolerance(values.tolerance);
    if (tolerance === undefined) return `--tolerance needs a share (20%) or a time (0.5s), not "${values.tolerance}"`;
    const speed = readSpeed(values.speed);
    if (speed === 'mistake') return `--speed needs a number above 0, or max, not "${values.speed}"`;
    const port = readPort(values.port);
    if (port === undefined) return `--port needs a port, not "${values.port}"`;
    const misplaced = misplacedOption(values, mode);
    if (misplaced !== undefined) return misplaced;
    return {
      files: positionals,
      boot: values.boot,
      until,
      services: (values.service ?? []).flatMap((names) => names.split(',')).filter((name) => name !== ''),
      speed,
      mode,
      tolerance,
      json: values.json === true,
      port,
      listen: values.listen,
    };
  } catch (error) {
    return error instanceof Error ? (error.message.split(/\.\s/)[0] ?? error.message) : String(error);
  }
}

/** `--boot -1` is a value here, and no option. */
function joinNegative(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    if (joined.at(-1) === '--boot' && /^-\d/.test(word)) joined[joined.length - 1] = `--boot=${word}`;
    else joined.push(word);
  }
  return joined;
}

type Mode = Request['mode'];

/** Where each option means something. */
const optionModes = {
  boot: ['transcript', 'summary', 'web'],
  until: ['transcript', 'summary', 'web'],
  service: ['transcript', 'summary'],
  speed: ['transcript'],
  tolerance: ['diff'],
  port: ['web'],
  listen: ['web'],
} as const satisfies Readonly<Record<string, readonly Mode[]>>;

function misplacedOption(values: Readonly<Record<string, unknown>>, mode: Mode): string | undefined {
  for (const [option, modes] of Object.entries(optionModes)) {
    const fits = modes.some((fitting) => fitting === mode);
    if (values[option] === undefined || fits) continue;
    if (mode === 'transcript') return `--${option} needs --${modes[0]}`;
    const instead = option === 'boot' && mode === 'diff' ? ': name the boots as FILE#N' : '';
    return `--${option} means nothing with --${mode}${instead}`;
  }
  return undefined;
}

function readTolerance(text: string | undefined): Tolerance | undefined {
  if (text === undefined) return defaultTolerance;
  const [, percentage] = /^(\d{1,6}(?:\.\d{1,6})?)\s*%$/.exec(text) ?? [];
  if (percentage !== undefined) return { ...defaultTolerance, share: Number(percentage) / 100 };
  const least = parseDuration(text);
  return least === undefined ? undefined : { share: 0, least };
}

function readSpeed(text: string | undefined): number | undefined | 'mistake' {
  if (text === undefined || text === 'max') return undefined;
  const speed = Number(text);
  return /^\d+(?:\.\d+)?$/.test(text) && speed > 0 ? speed : 'mistake';
}
