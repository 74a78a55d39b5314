/** Shows a recorded boot: as it happened, in figures, or compared with another boot. Needs no running chaperone. */
import { basename, join } from 'node:path';
import { isatty } from 'node:tty';
import { exitStatuses } from '../../control/answer.ts';
import { defaultTolerance, diffBoots, renderDiff, type Tolerance } from '../../inspect/boot-diff.ts';
import { type BootReport, reportOf } from '../../inspect/boot-report.ts';
import type { Entry } from '../../inspect/entry.ts';
import type { JournalBoot } from '../../inspect/journal-reader.ts';
import { aligned, renderBoots, renderReport, seconds } from '../../inspect/render-report.ts';
import { applyEntry, createReplica } from '../../inspect/replica.ts';
import { isWanted, Transcript } from '../../inspect/transcript.ts';
import { entriesUntil, parseUntil, type Until } from '../../inspect/until.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { parseDuration } from '../../model/words/duration.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Given, Parameter } from '../../model/words/parameter.ts';
import { oneLine } from '../../model/words/printable.ts';
import type { OtherBoot } from '../../runtime/inspection/page-server.ts';
import { writeAll } from '../program-io.ts';
import { JournalFileError, loadBoot, readJournal, type Warn } from './journal-file.ts';
import type { Request } from './read-words.ts';
import * as options from './verb-options.ts';

interface Replay {
  readonly files: readonly string[];
  readonly boot: string | undefined;
  readonly until: Until | undefined;
  readonly services: readonly string[];
  /** Undefined: as fast as possible. */
  readonly speed: number | undefined;
  readonly mode: Mode;
  /** The address of the page. */
  readonly port: number;
  readonly listen: string | undefined;
  readonly tolerance: Tolerance;
  readonly json: boolean;
}

/** `compare`: --diff and --web. */
type Mode = 'transcript' | 'summary' | 'list' | 'diff' | 'web' | 'compare' | 'html' | 'trace' | 'xstate' | 'otlp';

/** The output and the clock, which tests replace. */
export interface ReplayPorts {
  readonly print: (fd: 1 | 2, text: string) => Promise<void>;
  readonly colour: boolean;
  readonly sleep: (ms: number) => Promise<void>;
}

/** The command that a person has given: its mistakes and warnings begin with it. */
interface Called {
  readonly program: 'chaperonectl' | 'dockerops';
  readonly verb: 'replay' | 'diff';
}

interface NamedPorts extends ReplayPorts {
  /** The command, as a person writes it. */
  readonly command: string;
  /** The command that lists the boots of a file. */
  readonly lister: string;
}

const processPorts: ReplayPorts = {
  print: (fd, text) => writeAll(fd, Buffer.from(text)),
  colour: isatty(1) && (process.env['NO_COLOR'] ?? '') === '',
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** Characters that are collected before they are written. */
const outputPiece = 64 * 1024;
/** The longest pause of a replay, ms. */
const longestPause = 3_000;

export async function run(
  given: Request,
  replaced: ReplayPorts = processPorts,
  { program, verb }: Called = { program: 'chaperonectl', verb: 'replay' },
): Promise<number> {
  const command = `${program} ${verb}`;
  const ports: NamedPorts = { ...replaced, command, lister: `${program} replay --list` };
  try {
    const request = readRequest(given);
    if (typeof request === 'string') {
      await ports.print(2, `${command}: ${oneLine(request)}\ntry "${command} --help"\n`);
      return exitStatuses.mistake;
    }
    return await replay(request, ports);
  } catch (error) {
    // A reader that closes the pipe early is no error.
    if (codeOf(error) === 'EPIPE') return exitStatuses.done;
    if (!(error instanceof JournalFileError)) throw error;
    await ports.print(2, `${command}: ${oneLine(error.message)}\n`);
    return error.exitStatus;
  }
}

async function replay(request: Replay, ports: NamedPorts): Promise<number> {
  const [first = '', second] = request.files;
  switch (request.mode) {
    case 'list':
      return list(first, request, ports);
    case 'diff':
      return diff(first, second, request, ports);
    case 'summary':
      return summarize(await load(first, request.boot, ports), request, ports);
    case 'web':
      return show(await shownBoot(first, request.boot, ports), request, ports);
    case 'compare':
      return compare(first, second, request, ports);
    case 'html':
    case 'trace':
    case 'xstate':
      return exportAs(request.mode, await load(first, request.boot, ports), request, ports);
    case 'otlp':
      return send(await load(first, request.boot, ports), request, ports);
    case 'transcript':
      return transcribe(await load(first, request.boot, ports), request, ports);
  }
}

async function list(file: string, { json }: Replay, ports: NamedPorts): Promise<number> {
  const boots: { boot: JournalBoot; report: BootReport }[] = [];
  await readJournal(file, warnOn(ports), (boot) => boots.push({ boot, report: reportOf(boot.entries) }));
  const rows = boots.map(({ boot, report: { boot: id, epoch, hostname, ready, end, duration, services } }) => ({
    ...{ number: boot.number, boot: id, epoch, hostname, services: services.length, entries: boot.entries.length },
    ...{ ready, duration, end, torn: boot.torn, version: boot.entry.version },
  }));
  await ports.print(1, json ? `${JSON.stringify(rows)}\n` : renderBoots(boots));
  return exitStatuses.done;
}

/** A boot with all of its journal, of which the page can show another one beside it. */
interface ShownBoot {
  readonly boot: JournalBoot;
  readonly others: readonly OtherBoot[];
}

async function shownBoot(file: string, choice: string | undefined, ports: NamedPorts): Promise<ShownBoot> {
  const others: OtherBoot[] = [];
  const boot = await load(file, choice, ports, ({ number, entry }, path) =>
    others.push({
      ...{ boot: entry.boot, epoch: entry.epoch, number, file: basename(path) },
      load: async () => (await load(`${path}#${number}`, undefined, ports)).entries,
    }),
  );
  return { boot, others };
}

/** Serves the boot as a page until a signal comes. */
async function show({ boot, others }: ShownBoot, request: Replay, ports: NamedPorts, hash = ''): Promise<number> {
  const { serveUntilSignal } = await import('./serve-page.ts');
  const { recordedSource } = await import('../../runtime/inspection/recorded-source.ts');
  const { port, listen } = request;
  const { entries, reached } = shownEntries(boot, request);
  if (request.until !== undefined && !reached) return neverCame(ports);
  const source = { ...recordedSource(entries), others };
  return serveUntilSignal(ports.command, { port, listen, source, hash }, ports.print);
}

/** Serves a page that shows B beside A. */
async function compare(file: string, other: string | undefined, request: Replay, ports: NamedPorts): Promise<number> {
  const a = await shownBoot(file, other === undefined ? '-2' : undefined, ports);
  const b = await shownBoot(other ?? file, undefined, ports);
  const others = other === undefined ? a.others : [...a.others, ...b.others];
  const place = new URLSearchParams({ view: 'compare', with: a.boot.entry.boot });
  return show({ boot: b.boot, others }, request, ports, `#${place}`);
}

/** Prints the boot for another program, or for a browser. */
async function exportAs(
  mode: 'html' | 'trace' | 'xstate',
  boot: JournalBoot,
  request: Replay,
  ports: NamedPorts,
): Promise<number> {
  const { entries, reached } = shownEntries(boot, request);
  if (request.until !== undefined && !reached) return neverCame(ports);
  if (mode === 'trace') {
    const { traceOf } = await import('../../inspect/trace.ts');
    await ports.print(1, `${JSON.stringify(traceOf(entries))}\n`);
  } else if (mode === 'xstate') {
    const { messagesOf } = await import('../../inspect/wire.ts');
    let text = '';
    for (const message of messagesOf(entries)) {
      text += `${JSON.stringify(message)}\n`;
      if (text.length < outputPiece) continue;
      await ports.print(1, text);
      text = '';
    }
    await ports.print(1, text);
  } else {
    const { pageFile } = await import('./page-file.ts');
    await ports.print(1, pageFile(entries, join(__dirname, 'inspect-page')));
  }
  return exitStatuses.done;
}

/** Sends the boot to a collector of traces, and tells how many of its spans were taken. */
async function send(boot: JournalBoot, request: Replay, ports: NamedPorts): Promise<number> {
  const { entries, reached } = shownEntries(boot, request);
  if (request.until !== undefined && !reached) return neverCame(ports);
  const { sendRecording } = await import('./otlp.ts');
  const result = await sendRecording(entries, process.env);
  const { collector, sent, lost, problem } = result;
  if (request.json) await ports.print(1, `${JSON.stringify(result)}\n`);
  else if (problem === undefined) await ports.print(1, `${sent} spans were sent to ${collector}\n`);
  else
    await ports.print(
      2,
      `${ports.command}: ${lost} spans were not taken by ${oneLine(collector)}, and ${sent} were: ${oneLine(problem)}\n`,
    );
  return problem === undefined ? exitStatuses.done : exitStatuses.failed;
}

async function summarize(boot: JournalBoot, request: Replay, ports: NamedPorts): Promise<number> {
  const { entries, reached } = shownEntries(boot, request);
  if (request.until !== undefined && !reached) return neverCame(ports);
  const report = reportOf(entries, request.until === undefined ? 'whole' : 'part');
  const wanted = (name: string): boolean =>
    request.services.length === 0 || isWanted(shortName(name), request.services);
  const services = report.services.filter(({ name }) => wanted(name));
  await ports.print(1, request.json ? `${JSON.stringify({ ...report, services })}\n` : renderReport(report, wanted));
  return exitStatuses.done;
}

async function diff(
  file: string,
  other: string | undefined,
  { json, tolerance }: Replay,
  ports: NamedPorts,
): Promise<number> {
  const a = await load(file, other === undefined ? '-2' : undefined, ports);
  const b = await load(other ?? file, undefined, ports);
  const result = diffBoots(reportOf(a.entries), reportOf(b.entries), tolerance);
  await ports.print(1, json ? `${JSON.stringify(result)}\n` : renderDiff(result));
  return result.regressions.length === 0 ? exitStatuses.done : exitStatuses.failed;
}

async function transcribe(boot: JournalBoot, request: Replay, ports: NamedPorts): Promise<number> {
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
  if (until !== undefined && !reached) return neverCame(ports);
  if (!reached && entries.at(-1)?.type !== '@chaperone.end' && !json) {
    const cut = boot.torn ? ' in the middle of a line' : '';
    await ports.print(1, `${''.padStart(10)}the record ends here${cut}: chaperone was killed, or still runs\n`);
  }
  return exitStatuses.done;
}

async function neverCame(ports: NamedPorts): Promise<number> {
  await ports.print(2, `${ports.command}: what --until names never came\n`);
  return exitStatuses.failed;
}

/** The last line of a boot. */
function closing(entry: Entry, json: boolean): string {
  if (entry.type !== '@chaperone.end') return '';
  const { at, exitStatus, cause } = entry;
  if (json) return `${JSON.stringify({ at, exitStatus, cause })}\n`;
  return `${(at / 1000).toFixed(3).padStart(8)}  exit status ${exitStatus}: ${oneLine(cause)}\n`;
}

/** The state of the system and of all services at the end of the entries. */
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

function shownEntries(boot: JournalBoot, { until }: Replay) {
  return until === undefined ? { entries: boot.entries, reached: false } : entriesUntil(boot.entries, until);
}

type OnBoot = (boot: JournalBoot, path: string) => void;

function load(file: string, choice: string | undefined, ports: NamedPorts, onBoot?: OnBoot): Promise<JournalBoot> {
  return loadBoot(file, choice, warnOn(ports), onBoot, ports.lister);
}

const warnOn =
  ({ print, command }: NamedPorts): Warn =>
  (line) =>
    print(2, `${command}: ${oneLine(line)}\n`);

/** The mistake in the request; undefined if there is none. */
function readRequest({ given: { get, has }, words: files }: Request): Replay | string {
  const modes = modeOptions.filter(([, option]) => get(option)).map(([name]) => name);
  const isComparison = modes.length === 2 && modes.includes('diff') && modes.includes('web');
  if (modes.length > 1 && !isComparison) return `--${modes.join(' and --')} do not go together`;
  const mode: Mode = isComparison ? 'compare' : (modes[0] ?? 'transcript');
  const most = mode === 'diff' || mode === 'compare' ? 2 : 1;
  if (files.length === 0) return 'a journal is needed: FILE';
  if (files.length > most) return `too many files: ${files.slice(most).join(' ')}`;
  const point = get(options.until);
  const until = point === undefined ? undefined : parseUntil(point);
  if (point !== undefined && until === undefined) return options.until.wrong(point);
  const tolerance = readTolerance(get(options.tolerance));
  if (tolerance === undefined) return options.tolerance.wrong(get(options.tolerance) ?? '');
  const speed = get(options.speed);
  const misplaced = misplacedOption(has, mode);
  if (misplaced !== undefined) return misplaced;
  return {
    files,
    boot: get(options.boot),
    until,
    services: get(options.service)
      .flatMap((names) => names.split(','))
      .filter((name) => name !== ''),
    speed: speed === undefined || speed === 'max' ? undefined : Number(speed),
    mode,
    tolerance,
    json: get(options.json),
    port: get(options.port) ?? 0,
    listen: get(options.listen),
  };
}

const modeOptions = [
  ['summary', options.summary],
  ['list', options.list],
  ['diff', options.diff],
  ['web', options.web],
  ['html', options.html],
  ['trace', options.trace],
  ['xstate', options.xstate],
  ['otlp', options.otlp],
] as const;

/** The forms of replay in which each option is allowed. */
const optionModes: readonly (readonly [Parameter<unknown>, readonly [Mode, ...Mode[]]])[] = [
  [options.boot, ['transcript', 'summary', 'web', 'html', 'trace', 'xstate', 'otlp']],
  [options.until, ['transcript', 'summary', 'web', 'html', 'trace', 'xstate', 'otlp']],
  [options.service, ['transcript', 'summary']],
  [options.speed, ['transcript']],
  [options.tolerance, ['diff']],
  [options.port, ['web', 'compare']],
  [options.listen, ['web', 'compare']],
];

function misplacedOption(has: Given['has'], mode: Mode): string | undefined {
  for (const [option, modes] of optionModes) {
    if (!has(option) || modes.includes(mode)) continue;
    if (mode === 'transcript') return `--${option.name} needs --${modes[0]}`;
    const ofTwo = mode === 'diff' || mode === 'compare';
    const instead = option === options.boot && ofTwo ? ': name the boots as FILE#N' : '';
    return `--${option.name} means nothing with --${mode === 'compare' ? 'diff --web' : mode}${instead}`;
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
