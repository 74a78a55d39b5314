import { createSource, type Place } from '../config/source.ts';
import { quote } from '../config/wording.ts';
import { parseScheduleFields } from '../model/schedule/schedule-fields.ts';
import type { Convention, ConventionContext, ImageEntry } from './convention.ts';
import { type CrontabEntry, readCrontab } from './crontab-lines.ts';
import { type Draft, type DraftDirective, joinWords, literal, withHelpers, writtenOf } from './draft.ts';
import { placeOfFile, serviceName } from './written.ts';

/** cron(8) of a whole system: its crontabs, and the folders of scripts that run-parts(8) runs. */
export const crontab: Convention = {
  name: 'crontab',
  read: (context) => {
    const files = context.paths.flatMap((path) => filesOf(path, context));
    const read = files.map((file) => ({ file, ...draftsOf(file, context) }));
    const commands = read.flatMap(({ entries }) => entries.map(({ command }) => command));
    const folders = context.paths.flatMap((path) => folderDraft(path, commands, context) ?? []);
    return { sections: [...read.flatMap(({ drafts }) => drafts), ...folders].map(writtenOf), files };
  },
};

/** Names that cron and run-parts take; they pass over all others, such as those of backups. */
const takenName = /^[\w-]+$/;

/** The times at which Debian runs the scripts of these folders. */
const folderTimes: ReadonlyMap<string, string> = new Map([
  ['cron.hourly', '17 * * * *'],
  ['cron.daily', '25 6 * * *'],
  ['cron.weekly', '47 6 * * 7'],
  ['cron.monthly', '52 6 1 * *'],
]);

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The crontabs at a path: the file itself, or the files of the folder, where that is not a folder of scripts. */
function filesOf(path: string, context: ConventionContext): readonly string[] {
  const kind = context.attempt(path, (reader) => reader.look(path))?.kind;
  if (kind === 'file') return isTrusted(path, context) ? [path] : [];
  if (kind !== 'directory' || folderTimes.has(baseName(path))) return [];
  return takenNames(path, context)
    .map((name) => `${path}/${name}`)
    .filter((file) => isTrusted(file, context));
}

function takenNames(folder: string, { attempt, report }: ConventionContext): readonly string[] {
  const names = [...(attempt(folder, (reader) => reader.list(folder)) ?? [])].sort();
  for (const name of names) {
    // Hidden files, and what dpkg and editors leave behind, are no jobs of anybody.
    if (takenName.test(name) || /^\.|~$|\.(?:dpkg|ucf)-/.test(name)) continue;
    report.warning('not-read', `${quote(`${folder}/${name}`)} is not read: cron passes over its name`, undefined, {
      hint: 'expected letters, digits, - and _ only',
    });
  }
  return names.filter((name) => takenName.test(name));
}

/** cron reads only files that nobody but root can have written. */
function isTrusted(file: string, { attempt, report }: ConventionContext): boolean {
  const entry = attempt(file, (reader) => reader.look(file));
  if (entry?.kind !== 'file') return false;
  if (entry.uid === 0 && (entry.mode & 0o022) === 0) return true;
  const why = entry.uid === 0 ? 'others than root may write to it' : 'it is not owned by root';
  report.warning('not-read', `${quote(file)} is not read: ${why}`, undefined);
  return false;
}

function draftsOf(
  file: string,
  context: ConventionContext,
): { readonly drafts: readonly Draft[]; readonly entries: readonly CrontabEntry[] } {
  const { report } = context;
  const text = context.attempt(file, (reader) => reader.read(file)) ?? '';
  const { entries, variables, mistakes } = readCrontab(createSource(file, text, 'kept'));
  for (const place of mistakes)
    report.warning('not-read', 'this line is no entry of a crontab', place, {
      hint: 'expected MINUTE HOUR DAY MONTH WEEKDAY USER COMMAND',
    });
  const mail = variables.get('MAILTO');
  if (mail !== undefined)
    report.warning('no-counterpart', 'MAILTO has no counterpart: what a command writes goes into the log', mail);
  const valid = entries.filter((entry) => isScheduled(entry, context));
  const stem = baseName(file) === 'crontab' ? 'crontab' : `cron-${baseName(file)}`;
  const drafts = valid.map((entry, index) => draftOf(entry, valid.length === 1 ? stem : `${stem}-${index + 1}`));
  return { drafts, entries: valid };
}

/** Tells a schedule that cannot be read: the line is left out, and the others count. */
function isScheduled({ schedule, schedulePlace }: CrontabEntry, { report }: ConventionContext): boolean {
  if (schedule.toLowerCase() === '@reboot') return true;
  const read = parseScheduleFields(schedule);
  if (!read.ok) {
    // One slip often makes every field behind it look wrong.
    const [problem] = read.problems;
    if (problem !== undefined) report.warning('bad-schedule', problem.message, schedulePlace, { hint: problem.hint });
    return false;
  }
  const [, , day = '', , weekday = ''] = schedule.split(' ');
  const fields = [day, weekday];
  if (fields.some((field) => field.startsWith('*/')) && fields.every((field) => field !== '*'))
    report.warning('no-counterpart', 'cron wants both days to match here, and chaperone either of them', schedulePlace);
  return true;
}

function draftOf(entry: CrontabEntry, stem: string): Draft {
  const { schedule, schedulePlace, user, userPlace, command, commandPlace, input, environment } = entry;
  const shell = environment.get('SHELL') ?? '/bin/sh';
  const others = [...environment].filter(([name]) => !['MAILTO', 'CRON_TZ', 'SHELL'].includes(name));
  const zone = environment.get('CRON_TZ');
  // Nothing of the command is a comment up to the closing brace, which stands on a line of its own.
  const script =
    input === undefined ? command : `printf '%s\\n' '${input.replaceAll("'", "'\\''")}' | {\n${command}\n}`;
  const isCron = schedule.toLowerCase() !== '@reboot';
  const directives: readonly DraftDirective[] = [
    { key: 'type', value: isCron ? 'cron' : 'simple', place: schedulePlace },
    { key: 'command', value: literal(joinWords([shell, '-c', script])), place: commandPlace },
    ...(isCron
      ? [{ key: 'interval', value: schedule, place: schedulePlace }]
      : [
          { key: 'service_groups', value: 'IDLE', place: schedulePlace },
          { key: 'startup_pause', value: 0, place: schedulePlace },
          { key: 'ignore_failures', value: true, place: schedulePlace },
        ]),
    ...(zone === undefined || !isCron ? [] : [{ key: 'timezone', value: literal(zone), place: schedulePlace }]),
    { key: 'uid', value: literal(user), place: userPlace },
    // cron passes over the line of an account that does not exist.
    { key: 'optional', value: true, place: userPlace },
    ...(others.length === 0
      ? []
      : [
          {
            key: 'env_set',
            value: Object.fromEntries(others.map(([name, value]) => [name, literal(value)])),
            place: commandPlace,
          },
        ]),
  ];
  return { name: serviceName(stem), place: schedulePlace, directives: withHelpers(directives, commandPlace) };
}

/** One service that runs the scripts of a folder one after the other, unless a line of a crontab runs them already. */
function folderDraft(path: string, commands: readonly string[], context: ConventionContext): Draft | undefined {
  const folder = baseName(path);
  const interval = folderTimes.get(folder);
  if (interval === undefined || commands.some((command) => command.includes(path))) return undefined;
  const scripts = takenNames(path, context)
    .map((name) => `${path}/${name}`)
    .filter((script) => isProgram(context.attempt(script, (reader) => reader.look(script))));
  if (scripts.length === 0) return undefined;
  const place: Place = placeOfFile(path);
  const script = `status=0; for script in ${joinWords(scripts)}; do "$script" || status=$?; done; exit $status`;
  const directives = { type: 'cron', interval, command: joinWords(['/bin/sh', '-c', script]), uid: 'root' };
  return {
    name: serviceName(folder.replace('.', '-')),
    place,
    directives: Object.entries(directives).map(([key, value]) => ({ key, value, place })),
  };
}

function isProgram(entry: ImageEntry | undefined): boolean {
  return entry?.kind === 'file' && entry.executable;
}
