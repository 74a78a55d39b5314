/** The listings of `chaperonectl status`: a table, and everything about one service. */

import { bySlowness, remarksOf, type StartTimes, tookOf, withShortNames } from '../facts/critical-chain.ts';
import { tieTo, tieWords } from '../model/order/prerequisite.ts';
import { describeExit } from '../model/service/exit-status.ts';
import { describePlace } from '../model/service/hook.ts';
import { describeOutputs } from '../model/service/output.ts';
import { shortName } from '../model/service/service-spec.ts';
import { describeDuration, roughDuration } from '../model/words/duration.ts';
import { oneLine } from '../model/words/printable.ts';
import { wrap } from '../model/words/wrap.ts';
import type { ProbeStatus, RestartStatus, ServiceStatus } from './supervisor.ts';

/** Columns that a note has at least where it is broken into lines. */
const narrowestNote = 24;

/**
 * One row for each service.
 *
 * @param now Unix ms
 * @param columns width of the terminal, at which notes are broken into lines below one another; absent where it is no terminal
 */
export function serviceTable(
  services: readonly ServiceStatus[],
  now: number,
  columns = Number.POSITIVE_INFINITY,
): string {
  const head = ['NAME', 'STATE', 'SINCE', 'PID', 'RESTARTS', 'NOTE'];
  const rows = services.map((service) => [
    shortName(service.name),
    stateText(service),
    roughDuration(service.age),
    service.pid === undefined ? '–' : String(service.pid),
    service.restarts === undefined ? '–' : String(service.restarts.used),
    noteText(service, now),
  ]);
  const right = [false, false, true, true, true, false];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const margin = widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
  const room = columns - margin;
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => (right[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .flatMap((line) =>
      room < narrowestNote || line.length <= columns
        ? [line]
        : wrap(line.slice(margin), room).map(
            (part, index) => `${index === 0 ? line.slice(0, margin) : ' '.repeat(margin)}${part}`,
          ),
    )
    .join('\n')
    .concat('\n');
}

function stateText({ state, stage, lastExit, health }: ServiceStatus): string {
  if (state === 'ready' && health === 'unhealthy') return 'ready (unhealthy)';
  if (stage === 'ready.scheduled') return 'ready (scheduled)';
  if (stage === 'ready.exited')
    return lastExit === undefined ? 'ready (exited)' : `ready (exited ${exitWord(lastExit)})`;
  if (state === 'exited' && lastExit !== undefined) return `exited (${exitWord(lastExit)})`;
  return state;
}

function exitWord({ status }: NonNullable<ServiceStatus['lastExit']>): string {
  switch (status.kind) {
    case 'exited':
      return String(status.code);
    case 'signaled':
      return status.signal;
    case 'unknown':
      return 'unknown';
  }
}

/** Why a service is where it is, and what else there is to say of it. `now`: Unix ms. */
export function noteText(service: ServiceStatus, now: number): string {
  const parts = [
    ...(service.state === 'ready' && !isFailing(service) ? [] : [service.why.sentence]),
    ...(service.nextRun === undefined
      ? []
      : [`next ${nextRunText(service.nextRun, service, now)}${lastRunText(service)}`]),
    ...(service.note === undefined ? [] : [oneLine(service.note)]),
    ...(service.linesDropped === undefined ? [] : [`${service.linesDropped} lines dropped by log_rate`]),
    ...(service.enabled || service.state === 'disabled' ? [] : ['disabled']),
  ];
  return parts.join('; ');
}

/** True where a probe of a ready service fails, however often it may. */
function isFailing({ probes = [] }: ServiceStatus): boolean {
  return probes.some(({ failures }) => failures > 0);
}

/** `http http://localhost/health passed: 200 in 3 ms, 2 s ago`. */
function probeText({ probe, standing, failures, retries, last }: ProbeStatus): string {
  const count = failures === 0 || retries === undefined ? '' : `, ${failures} of ${retries}`;
  if (last === undefined) return `${probe}: ${standing}`;
  const output = last.output === undefined ? '' : `: "${oneLine(last.output.trimEnd().slice(-200))}"`;
  return `${probe}: ${standing}${count}; last: ${last.reason}, ${describeDuration(last.age)} ago${output}`;
}

/** `03:00 (in 5 h)`; with its date where that is more than a day away, with seconds where it has some. */
function nextRunText(at: number, { timeZone }: ServiceStatus, now: number): string {
  const format = new Intl.DateTimeFormat('en-US', {
    ...(timeZone === undefined ? {} : { timeZone }),
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const part = (name: Intl.DateTimeFormatPartTypes): string => parts.get(name) ?? '';
  const date = at - now < 86_400_000 ? '' : `${part('year')}-${part('month')}-${part('day')} `;
  const seconds = part('second') === '00' ? '' : `:${part('second')}`;
  return `${date}${part('hour')}:${part('minute')}${seconds} (in ${roughDuration(at - now)})`;
}

function lastRunText({ lastExit }: ServiceStatus): string {
  return lastExit === undefined ? '' : `, last exit ${exitWord(lastExit)}`;
}

/** `3 used, 2 left, the next in 4 s`. */
function restartText({ used, left, nextIn, none }: RestartStatus): string {
  const next = nextIn === undefined ? '' : `, the next in ${describeDuration(nextIn)}`;
  const refusal = none === undefined ? '' : `; no other follows (${none})`;
  return `${used} used, ${left === undefined ? 'no limit' : `${left} left`}${next}${refusal}`;
}

/** @param now Unix ms */
export function serviceDetails(service: ServiceStatus, now: number): string {
  const { why, lastExit, lastWords, restarts } = service;
  const ago = (at: number): string => `${describeDuration(now - at)} ago`;
  const fields: readonly (readonly [string, string | undefined])[] = [
    [
      why.condition === undefined ? 'is' : 'waits for',
      why.condition === undefined ? why.next : `${why.condition}; ${why.next}`,
    ],
    ['owner', why.condition === undefined ? undefined : why.owner],
    ['because', service.cause],
    ['pid', service.pid === undefined ? undefined : String(service.pid)],
    ['hook', service.hook === undefined ? undefined : hookText(service.hook)],
    ['processes', service.running === undefined ? undefined : String(service.running)],
    ['restarts', restarts === undefined ? undefined : restartText(restarts)],
    ['health', service.health],
    ...(service.probes ?? []).map((probe) => [probe.purpose, probeText(probe)] as const),
    ['note', service.note === undefined ? undefined : oneLine(service.note)],
    [
      'last exit',
      lastExit === undefined ? undefined : `${describeExit(lastExit.status)}, pid ${lastExit.pid}, ${ago(lastExit.at)}`,
    ],
    ['next run', service.nextRun === undefined ? undefined : nextRunText(service.nextRun, service, now)],
    ['output', service.outputs === undefined ? undefined : describeOutputs(service.outputs)],
    [
      'input',
      service.waitingInput === undefined
        ? undefined
        : `${service.waitingInput} bytes of other services wait to be read`,
    ],
    ['dropped', service.linesDropped === undefined ? undefined : `${service.linesDropped} lines, because of log_rate`],
    ['after', service.prerequisites.length === 0 ? undefined : waitTexts(service).join(', ')],
    [
      'last words',
      lastWords === undefined
        ? undefined
        : `"${oneLine(lastWords.line)}" (${lastWords.stream}, ${describeDuration(lastWords.age)} ago)`,
    ],
  ];
  const lines = fields.flatMap(([name, text]) => (text === undefined ? [] : [`  ${name.padEnd(10)}  ${text}`]));
  const enabled = service.enabled || service.state === 'disabled' ? '' : ', disabled';
  return `${service.name}  ${service.stage} for ${describeDuration(service.age)} (${service.type}${enabled})\n${lines.join('\n')}\n`;
}

/** The prerequisites, and how they are waited for: `db (requires, healthy)`. */
function waitTexts({ prerequisites, ties }: ServiceStatus): readonly string[] {
  return prerequisites.map((name) => {
    const words = tieWords(tieTo({ ties }, name));
    return words === '' ? shortName(name) : `${shortName(name)} (${words})`;
  });
}

function hookText(hook: NonNullable<ServiceStatus['hook']>): string {
  const process = hook.pid === undefined ? '' : `, pid ${hook.pid}`;
  return `${describePlace(hook)}, for ${describeDuration(hook.ran)}${process}`;
}

/** A first start, and how many ms it took. */
export interface BlameEntry extends StartTimes {
  readonly took: number;
}

/** How long each service took to become ready at its first start, the slowest first; names without their suffix. */
export function blame(services: readonly ServiceStatus[]): readonly BlameEntry[] {
  const starts = services.flatMap(({ name, boot }) => (boot === undefined ? [] : [{ ...boot, service: name }]));
  return bySlowness(starts).map((start) => ({ ...withShortNames(start), took: tookOf(start) }));
}

export function blameText(services: readonly ServiceStatus[]): string {
  return blame(services)
    .map((start) => {
      const took = `${(start.took / 1000).toFixed(3).padStart(9)} s`;
      return `${[took, start.service, ...remarksOf(start).map(oneLine)].join('  ')}\n`;
    })
    .join('');
}
