/** From the sections of supervisord's files to its programs, with every default: what `supervisord` itself makes of them. */
import type { Report } from '../../config/report.ts';
import type { Place } from '../../config/source.ts';
import { quote } from '../../config/wording.ts';
import type { SignalName } from '../../model/service/signal.ts';
import { parseSignal } from '../../model/service/signal.ts';
import type { DiagnosticCode } from '../../model/words/diagnostic-code.ts';
import { didYouMean } from '../../model/words/nearest.ts';
import type { IniOption, IniSection } from './ini.ts';
import { type Expansions, formatPython } from './python-format.ts';
import { parseByteSize, parseInt10, parseOctal, parseTruth, readPairs } from './words.ts';

/** The destination of an output stream of a program. */
export interface ProgramLog {
  /** `auto`: a file of a name that supervisord makes up. */
  readonly file: 'auto' | 'none' | { readonly path: string };
  /** Bytes; 0 for no bound. */
  readonly maxBytes: number;
  readonly backups: number;
  readonly syslog: boolean;
}

/** One process that supervisord would run. */
export interface Program {
  readonly name: string;
  readonly group: string;
  readonly section: IniSection;
  readonly groupPriority: number;
  readonly priority: number;
  readonly command: string;
  readonly autostart: boolean;
  readonly autorestart: 'unexpected' | 'always' | 'never';
  /** Seconds. */
  readonly startsecs: number;
  readonly startretries: number;
  readonly exitcodes: readonly number[];
  readonly stopsignal: SignalName;
  /** Seconds. */
  readonly stopwaitsecs: number;
  readonly stopasgroup: boolean;
  readonly killasgroup: boolean;
  readonly user?: string;
  readonly directory?: string;
  readonly umask?: number;
  readonly environment: ReadonlyMap<string, string>;
  readonly redirectStderr: boolean;
  readonly stdout: ProgramLog;
  readonly stderr: ProgramLog;
}

export interface ProgramContext {
  readonly report: Report;
  /** The folder of the main file, for `%(here)s`. */
  readonly here: string;
  readonly hostname: string;
  /** `ENV_NAME` for each variable that supervisord would see, those of `environment` in [supervisord] too. */
  readonly variables: Expansions;
  /** Likewise, for options whose values are texts. */
  readonly textVariables: Expansions;
}

/** The options of [program:x]; those without effect here are told by the caller. */
export const programOptions = [
  'command',
  'process_name',
  'numprocs',
  'numprocs_start',
  'priority',
  'autostart',
  'autorestart',
  'startsecs',
  'startretries',
  'exitcodes',
  'stopsignal',
  'stopwaitsecs',
  'stopasgroup',
  'killasgroup',
  'user',
  'redirect_stderr',
  'stdout_logfile',
  'stdout_logfile_maxbytes',
  'stdout_logfile_backups',
  'stdout_capture_maxbytes',
  'stdout_events_enabled',
  'stdout_syslog',
  'stderr_logfile',
  'stderr_logfile_maxbytes',
  'stderr_logfile_backups',
  'stderr_capture_maxbytes',
  'stderr_events_enabled',
  'stderr_syslog',
  'environment',
  'directory',
  'umask',
  'serverurl',
] as const;

type ProgramOption = (typeof programOptions)[number];

/** Reads options of one section, and tells mistakes in them. */
class Options {
  readonly #section: IniSection;
  readonly #report: Report;
  /** Grows while the section is read, as in supervisord. */
  readonly values: Map<string, string | number>;
  readonly texts: Map<string, string | number>;

  constructor(section: IniSection, context: ProgramContext, more: Expansions) {
    this.#section = section;
    this.#report = context.report;
    this.values = new Map([
      ...context.variables,
      ['here', context.here],
      ['host_node_name', context.hostname],
      ...more,
    ]);
    this.texts = new Map([...this.values, ...context.textVariables]);
  }

  option(key: string): IniOption | undefined {
    return this.#section.options.get(key);
  }

  /** @param within a part of the value, where only that is mistaken */
  error(
    code: DiagnosticCode,
    key: string,
    what: string,
    hint?: string,
    within?: { readonly index: number; readonly length: number },
  ): undefined {
    const option = this.option(key);
    const place = option?.place ?? this.#section.place;
    const isOneLine = within !== undefined && option !== undefined && !option.value.includes('\n');
    const start = isOneLine ? place.start + within.index : place.start;
    const narrowed = isOneLine ? { ...place, start, end: start + within.length } : place;
    this.#report.error(code, `${key} in [${this.#section.name}] ${what}`, narrowed, { hint });
    return undefined;
  }

  /** The text with its values filled in; undefined where that fails, which is told. */
  fill(key: string, text: string, values: Expansions): string | undefined {
    const filled = formatPython(text, values);
    if (filled.ok) return filled.text;
    const { name } = filled;
    const hint = name === undefined ? undefined : didYouMean(name, values.keys());
    const lack = name?.startsWith('ENV_') ? `expected the variable ${name.slice(4)} in the environment` : undefined;
    return this.error('bad-expansion', key, `cannot be filled in: ${filled.message}`, lack ?? hint, filled);
  }

  text(key: ProgramOption): string | undefined {
    const option = this.option(key);
    return option === undefined ? undefined : this.fill(key, option.value, this.texts);
  }

  /** A value that a parser understands, else the default. */
  value<Value>(
    key: string,
    fallback: Value,
    parse: (text: string) => Value | undefined,
    expects: readonly [DiagnosticCode, string],
  ): Value {
    const option = this.option(key);
    if (option === undefined) return fallback;
    const text = this.fill(key, option.value, this.values);
    if (text === undefined) return fallback;
    const value = parse(text);
    if (value !== undefined) return value;
    this.error(expects[0], key, `is ${quote(text)}`, `expected ${expects[1]}`);
    return fallback;
  }

  integer(key: string, fallback: number): number {
    return this.value(key, fallback, parseInt10, ['not-a-number', 'a whole number']);
  }

  boolean(key: string, fallback: boolean): boolean {
    return this.value(key, fallback, parseTruth, ['not-a-boolean', 'true or false']);
  }

  bytes(key: string, fallback: number): number {
    return this.value(key, fallback, parseByteSize, ['not-a-size', 'a number of bytes, or with KB, MB or GB']);
  }
}

/** The programs of all sections, in the order in which supervisord starts them. */
export function readPrograms(sections: readonly IniSection[], context: ProgramContext): readonly Program[] {
  const named = new Map(sections.map((section) => [section.name, section]));
  const taken = new Set<string>();
  const programs: Program[] = [];
  for (const section of sections) {
    const [kind, name = ''] = section.name.split(/:(.*)/s);
    if (kind !== 'group') continue;
    if (!checkName(name, section.place, context)) continue;
    const options = new Options(section, context, new Map());
    const groupPriority = options.integer('priority', 999);
    for (const member of membersOf(section, options, named, context)) {
      taken.add(member.name);
      programs.push(...readProcesses(member, { name: name.trim(), priority: groupPriority }, context));
    }
  }
  for (const section of sections) {
    const [kind, name = ''] = section.name.split(/:(.*)/s);
    if (kind !== 'program' || taken.has(section.name)) continue;
    programs.push(...readProcesses(section, { name: name.trim() }, context));
  }
  const byText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
  return programs.sort(
    (a, b) =>
      a.groupPriority - b.groupPriority ||
      byText(a.group, b.group) ||
      a.priority - b.priority ||
      byText(a.name, b.name),
  );
}

function membersOf(
  section: IniSection,
  options: Options,
  named: ReadonlyMap<string, IniSection>,
  { report }: ProgramContext,
): readonly IniSection[] {
  const option = section.options.get('programs');
  if (option === undefined) {
    report.error('missing-directive', `[${section.name}] has no programs`, section.place, {
      hint: 'expected programs=NAME,NAME',
    });
    return [];
  }
  const names = (options.fill('programs', option.value, options.values) ?? '').split(',').map((name) => name.trim());
  return names.flatMap((name) => {
    const member = named.get(`program:${name}`);
    // fcgi programs are told where their section stands.
    if (member !== undefined || name === '' || named.has(`fcgi-program:${name}`)) return member ?? [];
    const known = [...named.keys()].flatMap((each) => /^program:(.*)/s.exec(each)?.[1] ?? []);
    const hint = didYouMean(name, known) ?? `expected a section [program:${name}]`;
    report.error(
      'unknown-service',
      `[${section.name}] names the program ${quote(name)}, which is not there`,
      option.place,
      {
        hint,
      },
    );
    return [];
  });
}

/** Names of programs and groups stand in the protocol of supervisord's event listeners, which these characters would break. */
function checkName(name: string, place: Place, { report }: ProgramContext): boolean {
  if (name.trim() !== '' && !/[ :/]/.test(name.trim())) return true;
  report.error('bad-name', `${quote(name)} is no name of a program or a group`, place, {
    hint: 'expected a name without spaces, colons and slashes',
  });
  return false;
}

interface Group {
  readonly name: string;
  /** Absent: that of the program. */
  readonly priority?: number;
}

function readProcesses(section: IniSection, group: Group, context: ProgramContext): readonly Program[] {
  const { report } = context;
  const programName = section.name.slice('program:'.length).trim();
  if (!checkName(programName, section.place, context)) return [];
  warnOfUnknown(section, report);
  const more = new Map([
    ['program_name', programName],
    ['group_name', group.name],
  ]);
  const options = new Options(section, context, more);
  const numprocs = options.integer('numprocs', 1);
  const first = options.integer('numprocs_start', 0);
  const processName = section.options.get('process_name')?.value ?? '%(program_name)s';
  if (numprocs > mostProcesses) {
    options.error('out-of-range', 'numprocs', `is ${numprocs}`, `expected at most ${mostProcesses}`);
    return [];
  }
  if (
    !checkName(
      processName.replaceAll(/%\([^)]*\)/g, '%'),
      section.options.get('process_name')?.place ?? section.place,
      context,
    )
  )
    return [];
  if (numprocs > 1 && !processName.includes('%(process_num)')) {
    const hint = 'expected process_name=%(program_name)s_%(process_num)02d';
    options.error('contradiction', 'numprocs', `is ${numprocs}, and process_name has no %(process_num)`, hint);
    return [];
  }
  if (!section.options.has('command')) {
    report.error('missing-directive', `[${section.name}] has no command`, section.place, {
      hint: 'expected command=PROGRAM ARGUMENTS',
    });
    return [];
  }
  const common = readCommon(options);
  if (common.stopasgroup && !common.killasgroup)
    options.error('contradiction', 'killasgroup', 'is false with stopasgroup=true', 'leave it out');
  return Array.from({ length: Math.max(0, numprocs) }, (_, index) => first + index).flatMap((number) => {
    for (const values of [options.values, options.texts]) values.set('process_num', number).set('numprocs', numprocs);
    return readProcess(section, { ...group, processName }, common, options) ?? [];
  });
}

/** The highest `numprocs` that is taken: a template has no more instances. */
const mostProcesses = 1000;

function warnOfUnknown(section: IniSection, report: Report): void {
  const known: readonly string[] = programOptions;
  for (const { key, keyPlace } of section.options.values()) {
    if (known.includes(key)) continue;
    report.warning('unknown-key', `unknown option ${quote(key)} in [${section.name}]`, keyPlace, {
      hint: didYouMean(key, known) ?? 'supervisord does not look at it',
    });
  }
}

function readCommon(options: Options) {
  const stopasgroup = options.boolean('stopasgroup', false);
  return {
    priority: options.integer('priority', 999),
    autostart: options.boolean('autostart', true),
    autorestart: options.value<Program['autorestart']>('autorestart', 'unexpected', parseAutorestart, [
      'not-a-choice',
      'true, false or unexpected',
    ]),
    startsecs: options.integer('startsecs', 1),
    startretries: options.integer('startretries', 3),
    exitcodes: options.value('exitcodes', [0], parseExitCodes, ['not-an-ending', 'numbers from 0 to 255 with commas']),
    stopsignal: options.value<SignalName>('stopsignal', 'SIGTERM', parseSignal, [
      'not-a-signal',
      'a signal such as TERM',
    ]),
    stopwaitsecs: options.integer('stopwaitsecs', 10),
    stopasgroup,
    killasgroup: options.boolean('killasgroup', stopasgroup),
    redirectStderr: options.boolean('redirect_stderr', false),
  };
}

function parseAutorestart(text: string): Program['autorestart'] | undefined {
  if (text.toLowerCase() === 'unexpected') return 'unexpected';
  const truth = parseTruth(text);
  return truth === undefined ? undefined : truth ? 'always' : 'never';
}

function parseExitCodes(text: string): readonly number[] | undefined {
  if (text === '') return [];
  const codes = text.split(',').map(parseInt10);
  const valid = codes.flatMap((code) => (code !== undefined && code >= 0 && code <= 255 ? [code] : []));
  return valid.length === codes.length ? valid : undefined;
}

function readProcess(
  section: IniSection,
  group: Group & { readonly processName: string },
  common: ReturnType<typeof readCommon>,
  options: Options,
): Program | undefined {
  const environment = readEnvironment('environment', options);
  for (const [name, value] of environment) {
    options.values.set(`ENV_${name}`, value);
    options.texts.set(`ENV_${name}`, value);
  }
  const user = options.text('user');
  const directory = options.text('directory');
  const umask = options.value<number | undefined>('umask', undefined, parseOctal, ['not-a-mode', 'an octal number']);
  const stdout = readLog('stdout', options);
  const stderr = readLog('stderr', options);
  const command = options.text('command');
  const name = options.fill('process_name', group.processName, options.values);
  if (command === undefined || name === undefined) return undefined;
  return {
    ...common,
    name,
    group: group.name,
    section,
    groupPriority: group.priority ?? common.priority,
    command,
    ...(user === undefined ? {} : { user }),
    ...(directory === undefined ? {} : { directory }),
    ...(umask === undefined ? {} : { umask }),
    environment,
    stdout,
    stderr: common.redirectStderr ? { ...stderr, file: 'none' } : stderr,
  };
}

/** Reads the option `environment` of a program or of supervisord. */
export function readEnvironmentOption(section: IniSection, context: ProgramContext): ReadonlyMap<string, string> {
  return readEnvironment('environment', new Options(section, context, new Map()));
}

function readEnvironment(key: 'environment', options: Options): ReadonlyMap<string, string> {
  const text = options.text(key);
  if (text === undefined) return new Map();
  const read = readPairs(text);
  if (read.ok) return read.pairs;
  options.error('bad-variable-name', key, `cannot be read: ${read.message}`, 'expected NAME="VALUE",NAME="VALUE"');
  return new Map();
}

function readLog(stream: 'stdout' | 'stderr', options: Options): ProgramLog {
  const once = options.text(`${stream}_logfile`);
  // supervisord fills in the name of a log file twice.
  const text = once === undefined ? undefined : options.fill(`${stream}_logfile`, once, options.texts);
  const lower = text?.toLowerCase() ?? 'auto';
  const isSyslog = lower === 'syslog';
  const file =
    lower === 'auto' ? 'auto' : lower === 'none' || lower === 'off' || isSyslog ? 'none' : { path: text ?? '' };
  return {
    file,
    maxBytes: options.bytes(`${stream}_logfile_maxbytes`, 50 * 1024 ** 2),
    backups: options.integer(`${stream}_logfile_backups`, 10),
    syslog: options.boolean(`${stream}_syslog`, false) || isSyslog,
  };
}
