/** A recorded boot in figures, as people read them. */

import { bySlowness, remarksOf, renderChain, tookOf } from '../facts/critical-chain.ts';
import { readyText } from '../facts/transitions.ts';
import { shortName } from '../model/service/service-spec.ts';
import { dateOf } from '../model/words/date.ts';
import { oneLine } from '../model/words/printable.ts';
import type { BootReport, ServiceReport } from './boot-report.ts';
import type { JournalBoot } from './journal-reader.ts';
import { isKnownVersion, versionText } from './journal-reader.ts';
import type { Gap } from './replica.ts';

/** @param wanted services that are told of, by full name */
export function renderReport(report: BootReport, wanted: (service: string) => boolean = () => true): string {
  const services = report.services.filter(({ name }) => wanted(name));
  const { ready, end, gaps, duration, part } = report;
  const lines = [
    oneLine(
      `boot ${report.boot.slice(0, 8)}  ${dateOf(report.epoch)}  ${report.hostname}, chaperone ${report.chaperone}`,
    ),
    ...(part === undefined ? [] : [`only up to ${seconds(duration)}, and as it was known then:`]),
    ready === undefined ? (part === undefined ? 'never became ready' : 'not ready yet') : readyText(ready),
    ...(report.criticalChain.length === 0 ? [] : [oneLine(renderChain(report.criticalChain, ready))]),
    ...(end !== undefined
      ? [`ended after ${seconds(duration)} with exit status ${end.exitStatus}: ${oneLine(end.cause)}`]
      : part === undefined
        ? [`no end recorded; the last entry is from ${seconds(duration)}`]
        : []),
    ...gaps.map((gap) => `${gapText(gap)}: what happened then is not counted`),
    ...section('blame', blame(services)),
    ...section('restarts', restarts(services)),
    ...section('failures', failures(services)),
    ...section(part === undefined ? 'never ready' : 'not ready yet', neverReady(services)),
  ];
  return `${lines.join('\n')}\n`;
}

/** A line a boot. */
export function renderBoots(boots: readonly { readonly boot: JournalBoot; readonly report: BootReport }[]): string {
  const rows = [
    ['N', 'BOOT', 'BEGAN', 'SERVICES', 'ENTRIES', 'READY', 'END'],
    ...boots.map(({ boot, report }) => [
      String(boot.number),
      report.boot.slice(0, 8),
      dateOf(report.epoch),
      String(report.services.length),
      String(boot.entries.length),
      report.ready === undefined ? 'never' : seconds(report.ready),
      isKnownVersion(boot) ? endOf(report, boot) : versionText(boot),
    ]),
  ];
  return `${aligned(rows).join('\n')}\n`;
}

function endOf({ end, duration }: BootReport, { torn }: JournalBoot): string {
  if (end !== undefined) return `exit status ${end.exitStatus}: ${end.cause}`;
  return `${torn ? 'cut off' : 'none'} after ${seconds(duration)}`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

/** As `chaperonectl blame`, with what each start waited for. */
function blame(services: readonly ServiceReport[]): readonly string[] {
  const starts = services.flatMap((service) => {
    const { name, started, took, failed, lasts, byHand, waitedFor, waited = 0 } = service;
    if (started === undefined) return [];
    const wait = waitedFor === undefined ? '' : `waited ${seconds(waited)} for ${shortName(waitedFor)}`;
    const end = {
      ...(took === undefined ? {} : { ready: started + took }),
      ...(failed === undefined ? {} : { failed }),
      ...(lasts === undefined ? {} : { lasts }),
    };
    return [{ name, started, ...(byHand === undefined ? {} : { byHand }), ...end, wait }];
  });
  return aligned(
    bySlowness<(typeof starts)[number]>(starts).map((start) => [
      seconds(tookOf(start)).padStart(10),
      shortName(start.name),
      start.wait,
      ...remarksOf(start),
    ]),
  );
}

function restarts(services: readonly ServiceReport[]): readonly string[] {
  return aligned(
    services
      .filter((service) => service.restarts > 0)
      .map(({ name, restarts: count }) => [shortName(name), `${count}`]),
  );
}

/** A line a service and cause: what fails once a second for a week is one line, too. */
function failures(services: readonly ServiceReport[]): readonly string[] {
  const groups = new Map<string, { name: string; cause: string; first: number; last: number; count: number }>();
  for (const { name, failures: list } of services) {
    for (const { at, cause } of list) {
      const key = JSON.stringify([name, cause]);
      const group = groups.get(key) ?? { name, cause, first: at, last: at, count: 0 };
      groups.set(key, { ...group, last: at, count: group.count + 1 });
    }
  }
  return aligned(
    [...groups.values()]
      .sort((left, right) => left.first - right.first)
      .map(({ name, cause, first, last, count }) => [
        seconds(first).padStart(10),
        shortName(name),
        cause,
        count === 1 ? '' : `${count} times until ${seconds(last)}`,
      ]),
  );
}

function neverReady(services: readonly ServiceReport[]): readonly string[] {
  return aligned(
    services
      .filter(({ ready, state }) => ready === undefined && state !== 'disabled')
      .map(({ name, state }) => [shortName(name), state]),
  );
}

/** `of the time from 280.000 s to 1260.000 s 12,345 entries are missing`. */
export function gapText({ from, to, count }: Gap): string {
  const missing = count === 1 ? '1 entry is missing' : `${count.toLocaleString('en')} entries are missing`;
  return `of the time from ${seconds(from)} to ${seconds(to)} ${missing}`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}

/** Lays out all columns but the last. */
export function aligned(cells: readonly (readonly string[])[]): readonly string[] {
  // Whatever a journal holds, it steers no terminal. Spaces in front are ours.
  const rows = cells.map((row) => row.map((cell) => `${/^ */.exec(cell)?.[0] ?? ''}${oneLine(cell)}`));
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    column === count - 1 ? 0 : rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
