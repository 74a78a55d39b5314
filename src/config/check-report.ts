/** What `chaperonectl check` prints: a page for people, an object for programs. */

import { type ServiceSpec, shortName } from '../model/service/service-spec.ts';
import type { Diagnostic } from '../model/words/diagnostic.ts';
import type { ServiceRow } from './check.ts';
import type { ScheduleRow } from './check-schedules.ts';
import { countOf, renderErrors, renderWarnings } from './render-diagnostics.ts';
import { visible } from './wording.ts';

export interface CheckReport {
  readonly diagnostics: readonly Diagnostic[];
  /** Empty where an error of the loader left nothing to list. */
  readonly services: readonly ServiceRow[];
  readonly schedules: readonly ScheduleRow[];
  /** Sections in the files. */
  readonly loggingCount: number;
  /** The time zone in which the schedules' times are given. */
  readonly timeZone: string;
}

/** Warnings and mistakes as the daemon writes them, then what would be started. */
export function renderCheck({ diagnostics, services, schedules, loggingCount, timeZone }: CheckReport): string {
  const errors = countOf(diagnostics.filter(({ severity }) => severity === 'error'));
  const warnings = countOf(diagnostics) - errors;
  const counts = [
    counted(services.length, 'service', 'services'),
    counted(loggingCount, 'logging entry', 'logging entries'),
  ].join(', ');
  const found = [
    errors === 0 ? 'no mistakes' : counted(errors, 'mistake', 'mistakes'),
    ...(warnings === 0 ? [] : [counted(warnings, 'warning', 'warnings')]),
  ].join(', ');
  // The last line is read first, so it tells the mistakes if there are any.
  const lists = errors > 0 ? [] : [serviceTable(services), scheduleTable(schedules, timeZone)];
  const ending = services.length === 0 && errors > 0 ? `${found}\n` : `${counts}: ${found}\n`;
  return [renderWarnings(diagnostics), renderErrors(diagnostics), ...lists, ending]
    .filter((part) => part !== '')
    .join('\n');
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function serviceTable(services: readonly ServiceRow[]): string {
  if (services.length === 0) return '';
  const rows = services.map(({ spec, layer, starts, note }) => [
    String(layer),
    visible(shortName(spec.name)),
    spec.type,
    accountText(spec),
    starts ? '' : `does not start: ${visible(note ?? '')}`,
  ]);
  return `services in start order (those with one number may start together)\n${columns(rows)}`;
}

function accountText({ account }: ServiceSpec): string {
  return account === undefined ? '–' : visible(account.name ?? String(account.uid));
}

function scheduleTable(schedules: readonly ScheduleRow[], timeZone: string): string {
  if (schedules.length === 0) return '';
  const rows = schedules.map(({ service, note, next, timeZone: own }) => [
    visible(shortName(service)),
    visible(own === undefined ? note : `${note}, ${own}`),
    next.length === 0 ? 'never' : next.map((time) => time.replace('T', ' ')).join('  '),
  ]);
  return `schedules and their next times (${timeZone})\n${columns(rows)}`;
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, index) =>
    rows.reduce((most, row) => Math.max(most, (row[index] ?? '').length), 0),
  );
  const lines = rows.map((row) =>
    `  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ')}`.trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** One JSON object and a newline; its form is documented in docs/reference/check.md, and only ever grows. */
export function checkJson({ diagnostics, services, schedules, timeZone }: CheckReport): string {
  const of = (severity: Diagnostic['severity']) =>
    diagnostics.filter((diagnostic) => diagnostic.severity === severity).map(findingJson);
  const errors = of('error');
  const value = {
    ok: errors.length === 0,
    errors,
    warnings: of('warning'),
    services: services.map(serviceJson),
    schedules: schedules.map((row) => ({ timeZone, ...row })),
  };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function findingJson({ code, message, position, hint, related }: Diagnostic) {
  return {
    ...(position === undefined ? {} : place(position)),
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(related === undefined ? {} : { related: { ...place(related.position), message: related.message } }),
  };
}

function place({ file, line, column, length }: NonNullable<Diagnostic['position']>) {
  return { file, line, column, length };
}

function serviceJson({ spec, layer, starts, note }: ServiceRow) {
  const { name, type, command, account, prerequisites, ties, groups } = spec;
  return {
    name,
    type,
    command,
    account: account === undefined ? null : { name: account.name ?? null, uid: account.uid, gid: account.gid },
    after: prerequisites,
    ...(ties === undefined ? {} : { ties }),
    groups,
    layer,
    starts,
    ...(note === undefined ? {} : { note }),
  };
}
