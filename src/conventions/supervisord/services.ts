/** From the programs of a supervisord to services, and what has no counterpart among them. */
import type { Place } from '../../config/source.ts';
import { type Draft, type DraftDirective, joinWords, literal, type Remark, withHelpers } from '../draft.ts';
import { serviceName, type Written } from '../written.ts';
import type { IniSection } from './ini.ts';
import type { Program, ProgramLog } from './read-programs.ts';
import { splitShlex } from './words.ts';

export interface Services {
  readonly drafts: readonly Draft[];
  readonly remarks: readonly Remark[];
}

/** The entry that writes lines as they are to chaperone's own standard output. */
const streamEntries = { stdout: 'supervisord-stdout.logging', stderr: 'supervisord-stderr.logging' } as const;
/** An entry without a destination: what is sent there goes nowhere. */
const nullEntry = 'supervisord-none.logging';

interface Entries {
  readonly drafts: Map<string, Draft>;
  /** Names of the entries of log files, by their paths. */
  readonly files: Map<string, string>;
}

/**
 * @param common what [supervisord] says for all programs
 * @param directory where supervisord would be started, in which its programs run unless they say otherwise
 */
export function servicesOf(
  programs: readonly Program[],
  common: { readonly environment: ReadonlyMap<string, string>; readonly directory: string },
): Services {
  const remarks: Remark[] = [];
  const entries: Entries = { drafts: new Map(), files: new Map() };
  const names = namesOf(programs);
  const classes = startOrder(programs);
  const drafts = programs.flatMap((program, index) => {
    const split = splitShlex(program.command);
    const place = placeOf(program, 'command');
    if (!split.ok || split.words.length === 0) {
      const why = split.ok ? 'is empty' : `cannot be split: ${split.message}`;
      remarks.push({ place, message: `the command of [${program.section.name}] ${why}, so that it is left out` });
      return [];
    }
    const directives: DraftDirective[] = [
      { key: 'command', value: literal(joinWords(split.words)), place },
      ...startDirectives(program, classes[index]),
      ...restartDirectives(program),
      ...stopDirectives(program),
      ...processDirectives(program, common),
      ...logDirectives(program, names[index] ?? '', entries, common.directory, remarks),
    ];
    remarks.push(...remarksOf(program));
    return [
      {
        name: names[index] ?? '',
        place: program.section.place,
        directives: withHelpers(directives, program.section.place),
      },
    ];
  });
  return { drafts: [...settingsOf(programs), ...drafts, ...entries.drafts.values()], remarks };
}

function placeOf({ section }: Program, key: string): Place {
  return section.options.get(key)?.place ?? section.place;
}

/** A program's own name where no other has it, else with the group's before it, as supervisorctl tells it. */
function namesOf(programs: readonly Program[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { name } of programs) counts.set(name, (counts.get(name) ?? 0) + 1);
  return programs.map(({ name, group }) => serviceName((counts.get(name) ?? 0) > 1 ? `${group}.${name}` : name));
}

interface StartClass {
  readonly group?: string;
  readonly wants?: string;
}

/**
 * Programs of one priority start together, and those behind them once each of them has been started, ready or not: groups carry
 * that. Without different priorities there are none.
 */
function startOrder(programs: readonly Program[]): readonly StartClass[] {
  const keyOf = ({ groupPriority, priority, group }: Program): string =>
    groupPriority === priority ? String(priority) : `${groupPriority}.${group}.${priority}`;
  const keys = [...new Set(programs.map(keyOf))];
  if (keys.length < 2) return programs.map(() => ({}));
  const started = new Set(programs.filter(({ autostart }) => autostart).map(keyOf));
  const classes = new Map<string, StartClass>();
  let before: string | undefined;
  for (const key of keys) {
    classes.set(key, {
      group: `priority-${key}`,
      ...(before === undefined ? {} : { wants: `priority-${before}:started` }),
    });
    if (started.has(key)) before = key;
  }
  return programs.map((program) => classes.get(keyOf(program)) ?? {});
}

function startDirectives(program: Program, { group, wants }: StartClass = {}): readonly DraftDirective[] {
  const own = program.group === program.name ? [] : [program.group];
  const groups = [...own, ...(group === undefined ? [] : [group])];
  const at = (key: string): Place => placeOf(program, key);
  return [
    ...(program.autostart ? [] : [{ key: 'enabled', value: false, place: at('autostart') }]),
    ...(groups.length === 0 ? [] : [{ key: 'service_groups', value: ['default', ...groups], place: at('priority') }]),
    ...(wants === undefined ? [] : [{ key: 'wants', value: wants, place: at('priority') }]),
    // supervisord goes on whatever becomes of a program.
    { key: 'ignore_failures', value: true, place: program.section.place },
    ...(program.startsecs > 0
      ? [{ key: 'ready', value: { delay: `${program.startsecs}s` }, place: at('startsecs') }]
      : [{ key: 'startup_pause', value: 0, place: at('startsecs') }]),
    ...(program.startsecs > 25
      ? [{ key: 'process_timeout', value: program.startsecs + 5, place: at('startsecs') }]
      : []),
  ];
}

/** The pauses of supervisord between tries grow by a second each. */
function restartDirectives(program: Program): readonly DraftDirective[] {
  const { autorestart, startretries, exitcodes } = program;
  const at = (key: string): Place => placeOf(program, key);
  const others = exitcodes.filter((code) => code !== 0);
  const success =
    others.length === 0 ? [] : [{ key: 'success_exit', value: others.join(', '), place: at('exitcodes') }];
  // An exit with 0 is a normal end here, which `on-failure` does not follow.
  const isZeroUnexpected = autorestart === 'unexpected' && !exitcodes.includes(0);
  const mode =
    autorestart === 'always' || isZeroUnexpected ? 'always' : autorestart === 'unexpected' ? 'on-failure' : undefined;
  if (mode === undefined) return success;
  return [
    { key: 'restart', value: mode, place: at('autorestart') },
    ...success,
    ...(isZeroUnexpected && others.length > 0
      ? [{ key: 'restart_prevent', value: others.join(', '), place: at('exitcodes') }]
      : []),
    { key: 'restart_on_start_failure', value: true, place: at('startretries') },
    { key: 'restart_limit', value: startretries, place: at('startretries') },
    { key: 'restart_delay', value: 1, place: at('startretries') },
    { key: 'restart_backoff', value: 2, place: at('startretries') },
    { key: 'restart_delay_max', value: Math.max(1, startretries), place: at('startretries') },
  ];
}

function stopDirectives(program: Program): readonly DraftDirective[] {
  const { stopsignal, stopasgroup, killasgroup, stopwaitsecs } = program;
  const at = (key: string): Place => placeOf(program, key);
  const mode = stopasgroup ? undefined : killasgroup ? 'mixed' : 'process';
  return [
    ...(stopsignal === 'SIGTERM' ? [] : [{ key: 'kill_signal', value: stopsignal, place: at('stopsignal') }]),
    ...(mode === undefined ? [] : [{ key: 'kill_mode', value: mode, place: at('killasgroup') }]),
    ...(program.section.options.has('stopwaitsecs')
      ? [{ key: 'stop_timeout', value: stopwaitsecs, place: at('stopwaitsecs') }]
      : []),
  ];
}

function processDirectives(
  program: Program,
  common: { readonly environment: ReadonlyMap<string, string>; readonly directory: string },
): readonly DraftDirective[] {
  const at = (key: string): Place => placeOf(program, key);
  const { user, directory, umask } = program;
  const variables = new Map([
    ['SUPERVISOR_ENABLED', '1'],
    ['SUPERVISOR_PROCESS_NAME', program.name],
    ['SUPERVISOR_GROUP_NAME', program.group],
    ...common.environment,
    ...program.environment,
  ]);
  const env: Written = Object.fromEntries([...variables].map(([name, value]) => [name, literal(value)]));
  return [
    ...(user === undefined ? [] : [{ key: 'uid', value: literal(user), place: at('user') }]),
    { key: 'directory', value: literal(directory ?? common.directory), place: at('directory') },
    ...(umask === undefined
      ? []
      : [{ key: 'umask', value: (umask & 0o777).toString(8).padStart(4, '0'), place: at('umask') }]),
    { key: 'env_set', value: env, place: at('environment') },
  ];
}

function logDirectives(
  program: Program,
  owner: string,
  entries: Entries,
  directory: string,
  remarks: Remark[],
): readonly DraftDirective[] {
  const at = (stream: string): Place => placeOf(program, `${stream}_logfile`);
  const target = (stream: 'stdout' | 'stderr') => targetOf(program, stream, owner, entries, directory, remarks);
  const stdout = target('stdout');
  const stderr = program.redirectStderr ? 'stdout' : target('stderr');
  return [
    ...(stdout === 'log' ? [] : [{ key: 'stdout', value: stdout, place: at('stdout') }]),
    ...(stderr === 'log' ? [] : [{ key: 'stderr', value: stderr, place: at('stderr') }]),
  ];
}

function targetOf(
  program: Program,
  stream: 'stdout' | 'stderr',
  owner: string,
  entries: Entries,
  directory: string,
  remarks: Remark[],
): string {
  const log: ProgramLog = program[stream];
  const place = placeOf(program, `${stream}_logfile`);
  const add = (name: string, directives: readonly Omit<DraftDirective, 'place'>[]): string => {
    if (!entries.drafts.has(name)) {
      const placed = directives.map((directive) => ({ ...directive, place }));
      entries.drafts.set(name, { name, place, directives: placed });
    }
    return name;
  };
  // What supervisord keeps in a file of its own making, or sends to syslog, goes into the log.
  if (log.file === 'auto') return 'log';
  if (log.file === 'none') return log.syslog ? 'log' : add(nullEntry, []);
  const standard = /^\/(?:dev\/(?:(stdout)|(stderr)|fd\/([12]))|proc\/self\/fd\/([12]))$/.exec(log.file.path);
  if (standard !== null) {
    const isError = standard[2] !== undefined || (standard[3] ?? standard[4]) === '2';
    const name = isError ? 'stderr' : 'stdout';
    return add(streamEntries[name], [
      { key: name, value: true },
      { key: 'format', value: 'plain' },
    ]);
  }
  if (log.syslog)
    remarks.push({ place, message: `${stream}_syslog in [${program.section.name}] has no effect beside a log file` });
  const path = log.file.path.startsWith('/') ? log.file.path : `${directory.replace(/\/$/, '')}/${log.file.path}`;
  const known = entries.files.get(path) ?? `${owner.replace(/\.service$/, '')}-${stream}.logging`;
  entries.files.set(path, known);
  return add(known, [
    { key: 'file', value: literal(path.replaceAll('%', '%%')) },
    { key: 'format', value: 'plain' },
    { key: 'mode', value: '0644' },
    ...(log.maxBytes === 0
      ? []
      : [
          { key: 'max_size', value: String(Math.max(1024, log.maxBytes)) },
          { key: 'keep', value: log.backups },
        ]),
  ]);
}

/** Options of a program whose value asks for something that there is not. */
function remarksOf({ section, exitcodes, autorestart, redirectStderr }: Program): readonly Remark[] {
  const given = (key: string): string | undefined => section.options.get(key)?.value;
  const isOn = (key: string): boolean => !/^(?:0|false|no|off|)(?:[kmg]b)?$/i.test(given(key) ?? '');
  const of = (key: string, why: string): Remark => ({
    place: section.options.get(key)?.place ?? section.place,
    message: `${key} in [${section.name}] has no counterpart: ${why}`,
  });
  const events = [
    'stdout_capture_maxbytes',
    'stdout_events_enabled',
    'stderr_capture_maxbytes',
    'stderr_events_enabled',
  ];
  return [
    ...events.filter(isOn).map((key) => of(key, 'there are no event listeners; chaperonectl follows events instead')),
    ...(given('serverurl') === undefined || /^auto$/i.test(given('serverurl') ?? '')
      ? []
      : [of('serverurl', 'chaperonectl finds the socket itself')]),
    ...(!exitcodes.includes(0) && autorestart !== 'unexpected' && section.options.has('exitcodes')
      ? [of('exitcodes', 'exit status 0 is always a normal end')]
      : []),
    ...(redirectStderr &&
    given('stderr_logfile') !== undefined &&
    !/^(?:none|off|auto)$/i.test(given('stderr_logfile') ?? '')
      ? [of('stderr_logfile', 'redirect_stderr sends everything to stdout_logfile')]
      : []),
  ];
}

/** supervisord goes on when nothing is left, and gives each program its time to stop. */
function settingsOf(programs: readonly Program[]): readonly Draft[] {
  const [first] = programs;
  if (first === undefined) return [];
  const place = first.section.place;
  const longest = programs
    .filter(({ section }) => section.options.has('stopwaitsecs'))
    .reduce<Program | undefined>(
      (most, each) => (each.stopwaitsecs > (most?.stopwaitsecs ?? 8) ? each : most),
      undefined,
    );
  return [
    {
      name: 'settings',
      place,
      directives: [
        { key: 'detect_exit', value: false, place, comment: 'supervisord goes on when no program is left' },
        ...(longest === undefined
          ? []
          : [
              {
                key: 'shutdown_timeout',
                value: longest.stopwaitsecs + 2,
                place: placeOf(longest, 'stopwaitsecs'),
                comment: 'the longest stopwaitsecs, and a moment; "docker stop" needs --time for it',
              },
            ]),
      ],
    },
  ];
}

const ownSections: readonly (readonly [RegExp, string])[] = [
  [/^(?:unix_http_server|inet_http_server)(?::|$)/, 'chaperonectl speaks to a socket of its own'],
  [/^(?:supervisorctl|ctlplugin:.*)$/, 'chaperonectl takes its place'],
  [/^rpcinterface:/, 'chaperone has an API of its own'],
  [/^fcgi-program:/, 'chaperone opens no socket for the standard input of a service, so that the program does not run'],
  [/^eventlistener:/, 'events of chaperone are followed with chaperonectl, so that the listener does not run'],
];

/** The options of [supervisord] that are read. */
const readOptions: readonly string[] = ['environment'];

/** What sections say that are not of programs. Where there is nothing to run, as Debian's package leaves it, nothing is missing. */
export function remarksOfSections(sections: readonly IniSection[]): readonly Remark[] {
  if (!sections.some(({ name }) => /^(?:program|fcgi-program|eventlistener):/.test(name))) return [];
  return sections.flatMap((section): readonly Remark[] => {
    const { name, place } = section;
    if (/^(?:program|group):/.test(name)) return [];
    if (name === 'supervisord') {
      const others = [...section.options.keys()].filter((key) => !readOptions.includes(key));
      if (others.length === 0) return [];
      return [
        {
          place,
          message: `${others.join(', ')} in [supervisord] ${others.length === 1 ? 'is' : 'are'} about supervisord itself, and not used`,
        },
      ];
    }
    const [, why] = ownSections.find(([pattern]) => pattern.test(name)) ?? [];
    return why === undefined ? [] : [{ place, message: `[${name}] has no counterpart: ${why}` }];
  });
}

/** A section that supervisord itself knows. */
export function isKnownSection(name: string): boolean {
  return (
    name === 'supervisord' || /^(?:program|group):/.test(name) || ownSections.some(([pattern]) => pattern.test(name))
  );
}
