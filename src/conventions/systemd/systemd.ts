/** Units of systemd, as drafts of services: those of services, and of timers whose times cron can say. */
import { createSource } from '../../config/source.ts';
import { type Draft, literal, type Remark } from '../draft.ts';
import { Drafting } from '../import/drafting.ts';
import type { ImportContext, Imported } from '../import/imported.ts';
import { serviceName } from '../written.ts';
import { readCalendar } from './calendar.ts';
import { readUnitFile, type UnitEntry, type UnitFile } from './unit-file.ts';
import { handlers, type ServiceUnitType, type UnitContext } from './unit-service.ts';
import { parseTimeSpan, parseUnitBoolean, writeSpan } from './unit-values.ts';

interface Unit {
  /** With its suffix. */
  readonly name: string;
  readonly file: UnitFile;
  readonly entries: ReadonlyMap<string, readonly UnitEntry[]>;
}

/** Reads a unit, or all of a folder, with the drop-ins beside them (`NAME.service.d/*.conf`). */
export function importSystemd(paths: readonly string[], context: ImportContext): Imported {
  const files: string[] = [];
  const remarks: Remark[] = [];
  const units = paths.flatMap((path): readonly Unit[] => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const parts = [path, ...dropIns(`${path}.d`, context)].flatMap((file) => {
      const text = context.attempt(file, (reader) => reader.read(file));
      if (text === undefined) return [];
      files.push(file);
      const read = readUnitFile(createSource(file, text, 'kept'));
      for (const place of read.mistakes)
        remarks.push({ message: 'this line is neither a section nor KEY=VALUE', place });
      return [read];
    });
    const [file] = parts;
    return file === undefined ? [] : [{ name, file, entries: collect(parts.flatMap(({ entries }) => entries)) }];
  });
  const timers = units.filter(({ name }) => name.endsWith('.timer'));
  const services = units.filter(({ name }) => name.endsWith('.service'));
  for (const { name, file } of units)
    if (!/\.(?:service|timer)$/.test(name)) remarks.push({ message: `${name} has no counterpart`, place: file.place });
  const timerOf = (service: string): Unit | undefined => timers.find((timer) => serviceOfTimer(timer) === service);
  for (const timer of timers)
    if (!services.some(({ name }) => name === serviceOfTimer(timer)))
      remarks.push({
        message: `${timer.name} is left out: ${serviceOfTimer(timer)} is not among what is imported`,
        place: timer.file.place,
      });
  const known = new Set(services.filter(({ name }) => timerOf(name) === undefined).map(({ name }) => name));
  const required = new Set(
    services.flatMap(({ entries }) =>
      ['Unit.Requires', 'Unit.BindsTo', 'Unit.Requisite'].flatMap((key) =>
        (entries.get(key) ?? []).flatMap(({ value }) => value.split(/\s+/)),
      ),
    ),
  );
  const drafts = services.flatMap((unit) => {
    const made = draftOf(unit, timerOf(unit.name), { known, required });
    remarks.push(...made.remarks);
    return made.drafts;
  });
  return { drafts: withoutDuplicates(drafts), remarks, files };
}

function dropIns(folder: string, { attempt }: ImportContext): readonly string[] {
  if (attempt(folder, (reader) => reader.stat(folder)) !== 'directory') return [];
  return [...(attempt(folder, (reader) => reader.list(folder)) ?? [])]
    .filter((name) => name.endsWith('.conf'))
    .sort()
    .map((name) => `${folder}/${name}`);
}

/** By section and key; an empty value drops those before it. */
function collect(entries: readonly UnitEntry[]): ReadonlyMap<string, readonly UnitEntry[]> {
  const collected = new Map<string, readonly UnitEntry[]>();
  for (const entry of entries) {
    const key = `${entry.section}.${entry.key}`;
    if (entry.value === '') collected.delete(key);
    else collected.set(key, [...(collected.get(key) ?? []), entry]);
  }
  return collected;
}

function lastValue({ entries }: Unit, key: string): string | undefined {
  return entries.get(key)?.at(-1)?.value;
}

function serviceOfTimer(timer: Unit): string {
  return lastValue(timer, 'Timer.Unit') ?? timer.name.replace(/\.timer$/, '.service');
}

const types: Readonly<Record<string, ServiceUnitType>> = {
  simple: 'simple',
  exec: 'simple',
  idle: 'simple',
  dbus: 'simple',
  oneshot: 'oneshot',
  forking: 'forking',
  notify: 'notify',
  'notify-reload': 'notify',
};

function draftOf(
  unit: Unit,
  timer: Unit | undefined,
  set: Pick<UnitContext, 'known' | 'required'>,
): { readonly drafts: readonly Draft[]; readonly remarks: readonly Remark[] } {
  const stem = unit.name.replace(/\.service$/, '');
  // A template keeps its @, and needs to know its instances.
  const name = stem.endsWith('@') ? `${stem}.service` : serviceName(stem);
  const drafting = new Drafting(name, unit.file.place);
  const given = lastValue(unit, 'Service.Type') ?? (unit.entries.has('Service.BusName') ? 'dbus' : 'simple');
  const typePlace = unit.entries.get('Service.Type')?.at(-1)?.place ?? unit.file.place;
  const type = types[given] ?? 'simple';
  if (types[given] === undefined || given === 'dbus')
    drafting.remark(`Type=${given} has no counterpart, and becomes simple`, typePlace);
  drafting.set('type', timer === undefined ? type : 'cron', typePlace);
  if (given === 'idle') drafting.set('service_groups', 'IDLE', typePlace);
  const context: UnitContext = {
    ...set,
    drafting,
    unit: unit.name,
    type,
    isTimed: timer !== undefined,
    hasFiles: unit.entries.has('Service.EnvironmentFile'),
    entries: unit.entries,
  };
  applyEntries(unit, context);
  complete(unit, context, given);
  if (timer !== undefined) applyTimer(timer, context);
  return { drafts: [drafting.finish(), ...logEntries(unit)], remarks: drafting.remarks };
}

function applyEntries(unit: Unit, context: UnitContext): void {
  for (const [key, entries] of unit.entries) {
    const handler = handlers.get(key);
    if (handler !== undefined) handler(entries, context);
    else if (!/^X-/.test(key.replace(/^\w+\./, '')) && !key.startsWith('X-'))
      for (const { key: own, value, keyPlace } of entries)
        context.drafting.remark(`${own}=${value} has no counterpart`, keyPlace);
  }
}

/** Adds what systemd does by default to a unit that does not say otherwise. */
function complete(unit: Unit, { drafting, type, required }: UnitContext, given: string): void {
  const { place } = unit.file;
  if (!drafting.has('command')) {
    if (type !== 'oneshot') drafting.remark(`${unit.name} has no ExecStart=`, place);
    drafting.set('command', type === 'oneshot' ? 'true' : 'false', place, 'without ExecStart=');
    if (type !== 'oneshot') drafting.set('enabled', false, place);
  }
  if (drafting.has('gid') && !drafting.has('uid')) drafting.set('uid', 'root', place, 'Group= without User=');
  if (!unit.entries.has('Service.WorkingDirectory')) drafting.set('directory', '/', place, "systemd's default");
  if (given === 'notify-reload' && !drafting.has('reload_signal')) drafting.set('reload_signal', 'SIGHUP', place);
  if (type === 'oneshot' && !drafting.has('process_timeout'))
    drafting.set('process_timeout', '10000h', place, 'systemd lets a oneshot run as long as it likes');
  if (type === 'oneshot' && (drafting.has('reload_command') || drafting.has('reload_signal'))) {
    drafting.drop('reload_command');
    drafting.drop('reload_signal');
    drafting.remark('ExecReload= has no counterpart in a oneshot', place);
  }
  if (unit.name.endsWith('@.service')) {
    drafting.set('instances', 0, place, 'name the instances: [NAME, NAME]');
    drafting.remark(`${unit.name} has no instances yet: name them in "instances"`, place);
  }
  drafting.exclude('wants', drafting.values('requires'));
  if (required.has(unit.name))
    drafting.comments.push('another unit requires it: where it does not start, the system ends');
  // The failure of a unit does not end a system of systemd.
  if (!required.has(unit.name) && !drafting.has('on_failure') && !drafting.has('ignore_failures'))
    drafting.set('ignore_failures', true, place, 'a failure does not end the system');
}

/** Directives that a cron service has none of. */
const notTimed = [
  ...['restart', 'restart_on_start_failure', 'restart_delay', 'restart_limit', 'restart_window', 'restart_delay_max'],
  ...[
    'restart_prevent',
    'remain_after_exit',
    'process_timeout',
    'after_start',
    'before_stop',
    'stop_command',
    'watchdog',
  ],
  ...['pidfile', 'reload_command', 'reload_signal', 'on_failure', 'on_success', 'notify_access', 'ignore_failures'],
];

function applyTimer(timer: Unit, { drafting }: UnitContext): void {
  for (const key of notTimed) {
    if (!drafting.has(key)) continue;
    drafting.drop(key);
    if (
      ![
        'process_timeout',
        'ignore_failures',
        'restart_delay',
        'restart_limit',
        'restart_window',
        'restart_on_start_failure',
      ].includes(key)
    )
      drafting.remark(`${key} has no counterpart in a service that a timer starts`, drafting.place);
  }
  let isSet = false;
  for (const [key, entries] of timer.entries) {
    const entry = entries.at(-1);
    if (entry === undefined) continue;
    if (key === 'Timer.OnCalendar') {
      for (const calendar of entries) isSet = applyCalendar(calendar, isSet, drafting) || isSet;
    } else if (key === 'Timer.RandomizedDelaySec') {
      const ms = parseTimeSpan(entry.value);
      if (ms !== undefined && Number.isFinite(ms)) drafting.set('jitter', writeSpan(ms), entry.place);
    } else if (key === 'Timer.Persistent' && parseUnitBoolean(entry.value) !== false) {
      drafting.remark(
        'Persistent= has no counterpart: a run that was missed while the container was down is not made up for',
        entry.place,
      );
    } else if (!/^(?:Timer\.Unit|Timer\.Persistent|Timer\.AccuracySec|Unit\.Description|Install\..*)$/.test(key)) {
      for (const { key: own, value, keyPlace } of entries)
        drafting.remark(`${own}=${value} has no counterpart`, keyPlace);
    }
  }
  if (isSet) return;
  drafting.set('interval', '@daily', timer.file.place, 'no time of the timer can be said here');
  drafting.set('enabled', false, timer.file.place);
}

/** @returns true where it became the interval */
function applyCalendar(entry: UnitEntry, isSet: boolean, drafting: Drafting): boolean {
  const read = readCalendar(entry.value);
  if (!read.ok) drafting.remark(`OnCalendar=${entry.value} has no counterpart: ${read.message}`, entry.place);
  else if (isSet)
    drafting.remark(
      `OnCalendar=${entry.value} has no counterpart beside another one: a service has one interval`,
      entry.place,
    );
  else {
    drafting.set('interval', read.interval, entry.place, `OnCalendar=${entry.value}`);
    if (read.timeZone !== undefined) drafting.set('timezone', read.timeZone, entry.place);
    return true;
  }
  return false;
}

/** Entries of the log that a unit's outputs go to. */
function logEntries(unit: Unit): readonly Draft[] {
  const stem = unit.name.replace(/\.service$/, '');
  return (['Output', 'Error'] as const).flatMap((key): readonly Draft[] => {
    const entry = unit.entries.get(`Service.Standard${key}`)?.at(-1);
    if (entry === undefined) return [];
    const { place, value } = entry;
    if (value === 'null') return [{ name: 'systemd-null.logging', place, directives: [] }];
    const [, kind, path] = /^(file|append|truncate):(.*)$/.exec(value) ?? [];
    if (path === undefined) return [];
    const entryDraft = new Drafting(`${stem}-${key === 'Output' ? 'stdout' : 'stderr'}.logging`, place);
    entryDraft.set('file', literal(path.replaceAll('%', '%%')), place);
    entryDraft.set('format', 'plain', place);
    if (kind === 'truncate') entryDraft.set('overwrite', true, place);
    return [entryDraft.finish()];
  });
}

function withoutDuplicates(drafts: readonly Draft[]): readonly Draft[] {
  return [...new Map(drafts.map((draft) => [draft.name, draft])).values()];
}
