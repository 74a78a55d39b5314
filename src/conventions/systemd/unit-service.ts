/** From one unit of systemd to a service. */
import { parseSignal } from '../../model/service/signal.ts';
import { literal } from '../draft.ts';
import type { Drafting } from '../import/drafting.ts';
import { serviceName } from '../written.ts';
import { expandSpecifiers, readCommandLines, splitSystemd, writeCommand } from './command-line.ts';
import type { UnitEntry } from './unit-file.ts';
import { parseTimeSpan, parseUnitBoolean, writeSpan } from './unit-values.ts';

export interface UnitContext {
  readonly drafting: Drafting;
  /** `web.service`. */
  readonly unit: string;
  readonly type: ServiceUnitType;
  /** True where a timer starts it. */
  readonly isTimed: boolean;
  /** Variables of files are known only when it runs. */
  readonly hasFiles: boolean;
  /** Names of all units that become services. */
  readonly known: ReadonlySet<string>;
  /** Units that another one requires. */
  readonly required: ReadonlySet<string>;
  /** Its entries by section and key, in their order; an empty value has dropped those before it. */
  readonly entries: ReadonlyMap<string, readonly UnitEntry[]>;
}

export type ServiceUnitType = 'simple' | 'oneshot' | 'forking' | 'notify';

type Handler = (entries: readonly UnitEntry[], context: UnitContext) => void;

/** The last of several assignments counts. */
function last(read: (value: string, context: UnitContext, entry: UnitEntry) => void): Handler {
  return (entries, context) => {
    const entry = entries.at(-1);
    if (entry !== undefined) read(textOf(entry, context), context, entry);
  };
}

/** Each of several assignments counts. */
function each(read: (value: string, context: UnitContext, entry: UnitEntry) => void): Handler {
  return (entries, context) => {
    for (const entry of entries) read(textOf(entry, context), context, entry);
  };
}

/** The value with its specifiers expanded. */
function textOf({ key, value, place }: UnitEntry, { drafting, unit }: UnitContext): string {
  const { text, unknown } = expandSpecifiers(value, unit);
  for (const specifier of unknown) drafting.remark(`${specifier} in ${key}= has no counterpart`, place);
  return text;
}

const copied = (key: string, comment?: string): Handler =>
  last((value, { drafting }, { place }) => drafting.set(key, literal(value), place, comment));

const boolean = (key: string): Handler =>
  last((value, { drafting }, { key: own, place }) => {
    const truth = parseUnitBoolean(value);
    if (truth === undefined) drafting.remark(`${own}= is neither yes nor no`, place);
    else drafting.set(key, truth, place);
  });

const span = (key: string, infinite?: string): Handler =>
  last((value, { drafting }, { key: own, place }) => {
    const ms = parseTimeSpan(value);
    if (ms === undefined) drafting.remark(`${own}=${value} is no time`, place);
    else if (Number.isFinite(ms)) drafting.set(key, writeSpan(ms), place);
    else if (infinite !== undefined) drafting.set(key, infinite, place, 'infinity');
  });

/** Handles a key that says something that holds anyway, or that has no place in a container: a comment says why. */
const noted = (why: string): Handler =>
  each((_, { drafting }, { key, value }) => void drafting.comments.push(`${key}=${value}: ${why}`));

const signal: Handler = last((value, { drafting }, { key, place }) => {
  const name = parseSignal(value);
  if (name === undefined) drafting.remark(`${key}=${value} is no signal`, place);
  else drafting.set('kill_signal', name, place);
});

/** Commands that are written as they run, with their prefixes. */
function commandsOf(entry: UnitEntry, context: UnitContext, expands: boolean): readonly string[] {
  const read = readCommandLines(textOf(entry, context));
  if (!read.ok) {
    context.drafting.remark(`${entry.key}= cannot be read: ${read.message}`, entry.place);
    return [];
  }
  return read.commands.map((command) => {
    const prefix = `${command.ignoresFailure ? '-' : ''}${command.privileged ? '+' : ''}`;
    return `${prefix}${writeCommand(command, { expands })}`;
  });
}

const hooks = (key: string): Handler =>
  each((_, context, entry) => context.drafting.add(key, commandsOf(entry, context, true), entry.place));

/** The last command is that of the service, and those before it prepare it: only a oneshot has several. */
const start: Handler = (entries, context) => {
  const { drafting } = context;
  const all = entries.flatMap((entry) =>
    commandsOf(entry, context, !context.hasFiles).map((text) => ({ text, entry })),
  );
  all.forEach(({ text, entry }, index) => {
    if (index < all.length - 1) {
      drafting.add('before_start', [text], entry.place);
      return;
    }
    const [, prefixes = '', command = ''] = /^([-+]*)(.*)$/s.exec(text) ?? [];
    drafting.set('command', command, entry.place);
    if (prefixes.includes('+'))
      drafting.remark(`${entry.key}=+ has no counterpart: the command runs as User=`, entry.place);
    if (prefixes.includes('-'))
      drafting.set('ignore_failures', true, entry.place, `${entry.key}=-: its failure is ignored`);
  });
};

/** Commands that stop it run one after the other, and then come the signals. */
const stop: Handler = (entries, context) => {
  const all = entries.flatMap((entry) => commandsOf(entry, context, true).map((text) => ({ text, entry })));
  all.forEach(({ text, entry }, index) => {
    if (index < all.length - 1) context.drafting.add('before_stop', [text], entry.place);
    else context.drafting.set('stop_command', text, entry.place);
  });
};

const reload: Handler = (entries, context) => {
  const [first] = entries;
  const { drafting } = context;
  if (first === undefined) return;
  const texts = entries.flatMap((entry) => commandsOf(entry, context, false));
  const [, name] =
    /^\S*\bkill (?:-s )?-?(\w+) (?:"?\$\(MAINPID:-\)"?)$/.exec(
      entries.length === 1 ? (commandsOf(first, context, true)[0] ?? '') : '',
    ) ?? [];
  const sent = name === undefined ? undefined : parseSignal(name);
  if (sent !== undefined) drafting.set('reload_signal', sent, first.place);
  else if (texts.length === 1) drafting.set('reload_command', texts[0] ?? '', first.place);
  else drafting.set('reload_command', `/bin/sh -c '${texts.join(' && ').replaceAll("'", "'\\''")}'`, first.place);
};

const environment: Handler = each((value, { drafting }, { key, place }) => {
  const split = splitSystemd(value);
  if (split === undefined) drafting.remark(`${key}= has a quote that is never closed`, place);
  const pairs = (split ?? []).flatMap(({ text }) => {
    const [, name, given = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    return name === undefined ? [] : [[name, literal(given)] as const];
  });
  drafting.merge('env_set', Object.fromEntries(pairs), place);
});

/** Other units that this one names. */
function units(value: string, { known, drafting, unit }: UnitContext, { key, place }: UnitEntry): readonly string[] {
  const names = value.split(/\s+/).filter((name) => name !== '');
  return names.flatMap((name) => {
    if (known.has(name) && name !== unit) return [serviceName(name.replace(/\.service$/, ''))];
    drafting.remark(`${key}=${name} is left out: ${name} is not among what is imported`, place);
    return [];
  });
}

const relation = (key: 'wants' | 'requires' | 'before', comment?: string): Handler =>
  each((value, context, entry) => {
    const { drafting } = context;
    const names = units(value, context, entry);
    if (names.length > 0) drafting.add(key, names, entry.place);
    if (names.length > 0 && comment !== undefined) drafting.comments.push(`${entry.key}=${value}: ${comment}`);
  });

/** Handles Wants=: such a unit starts anyway, and without After= no unit waits for it. */
const wanted: Handler = each((value, context, entry) => {
  const after = (context.entries.get('Unit.After') ?? []).flatMap((other) => other.value.split(/\s+/));
  const others = value.split(/\s+/).filter((name) => name !== '' && !after.includes(name));
  for (const name of units(others.join(' '), context, entry))
    context.drafting.comments.push(`${entry.key}=${name}: it starts by itself, and nothing waits for it`);
});

const restarts: Readonly<Record<string, readonly [string, string?]>> = {
  no: ['no'],
  always: ['always'],
  'on-failure': ['on-failure'],
  'on-abnormal': ['on-failure', 'an exit status other than 0 is an abnormal end here, too'],
  'on-abort': ['on-failure', 'an exit status other than 0 is an abnormal end here, too'],
  'on-watchdog': ['on-failure', 'every abnormal end is followed by a restart here'],
  'on-success': ['always', 'an abnormal end is followed by a restart here, too'],
};

const restart: Handler = last((value, context, { place }) => {
  const { drafting, type } = context;
  const [mode = 'no', remark] = restarts[value] ?? [];
  if (restarts[value] === undefined) drafting.remark(`Restart=${value} is not known`, place);
  if (remark !== undefined)
    drafting.remark(`Restart=${value} has no counterpart, and becomes ${mode}: ${remark}`, place);
  if (mode === 'no') return;
  const isOneshot = type === 'oneshot';
  if (type === 'forking' && !context.entries.has('Service.PIDFile')) {
    drafting.remark(`Restart=${value} needs a PIDFile= here, since nothing else tells which process to watch`, place);
    return;
  }
  drafting.set('restart', isOneshot ? 'on-failure' : mode, place);
  drafting.set('restart_on_start_failure', true, place);
  const given = context.entries.get('Service.RestartSec');
  if (given === undefined) drafting.set('restart_delay', '100ms', place, "systemd's default");
  const limits = [
    'Unit.StartLimitBurst',
    'Service.StartLimitBurst',
    'Unit.StartLimitIntervalSec',
    'Service.StartLimitInterval',
  ];
  if (limits.some((key) => context.entries.has(key))) return;
  drafting.set('restart_limit', 5, place, "systemd's default");
  drafting.set('restart_window', '10s', place, "systemd's default");
});

const startLimit: Handler = last((value, { drafting }, { key, place }) => {
  const ms = parseTimeSpan(value);
  if (ms === undefined) drafting.remark(`${key}=${value} is no time`, place);
  else if (ms === 0) drafting.set('restart_limit', 'unlimited', place);
  else if (Number.isFinite(ms)) drafting.set('restart_window', writeSpan(ms), place);
});

const startBurst: Handler = last((value, { drafting, entries }, { place }) => {
  const interval = (entries.get('Unit.StartLimitIntervalSec') ?? entries.get('Unit.StartLimitInterval'))?.at(-1)?.value;
  if (interval !== undefined && parseTimeSpan(interval) === 0) return;
  drafting.set('restart_limit', Number(value), place);
  if (interval === undefined) drafting.set('restart_window', '10s', place, "systemd's default");
});

const killMode: Handler = last((value, { drafting }, { place }) => {
  if (value === 'mixed' || value === 'process') drafting.set('kill_mode', value, place);
  if (value === 'none') {
    drafting.set('kill_mode', 'process', place);
    drafting.remark('KillMode=none has no counterpart, and becomes process: the main process is signalled', place);
  }
});

const limit = (name: string): Handler =>
  last((value, { drafting }, { key, place }) => {
    const one = (part: string): string => (part === 'infinity' ? 'unlimited' : part);
    if (!/^(?:infinity|\d+[KMG]?)(?::(?:infinity|\d+[KMG]?))?$/.test(value)) {
      drafting.remark(`${key}=${value} cannot be written here`, place);
      return;
    }
    drafting.merge('limits', { [name]: value.split(':').map(one).join(':') }, place);
  });

const workingDirectory: Handler = last((value, { drafting }, { place }) => {
  const path = value.replace(/^-/, '');
  if (value.startsWith('-'))
    drafting.remark(`WorkingDirectory=${value} must be there here: the - has no counterpart`, place);
  // Without a directory it is the account's home.
  if (path !== '~') drafting.set('directory', literal(path), place);
});

const output = (stream: 'stdout' | 'stderr'): Handler =>
  last((value, { drafting, unit }, { key, place }) => {
    const [, kind = '', path = ''] = /^(file|append|truncate):(.*)$/.exec(value) ?? [];
    const stem = unit.replace(/\.service$/, '');
    if (kind !== '') drafting.set(stream, `${stem}-${stream}.logging`, place, path);
    else if (value === 'null') drafting.set(stream, 'systemd-null.logging', place);
    else if (value === 'inherit' && stream === 'stderr') drafting.set(stream, 'stdout', place);
    else if (!/^(?:journal|syslog|kmsg)(?:\+console)?$|^inherit$/.test(value))
      drafting.remark(`${key}=${value} has no counterpart: it goes into the log`, place);
  });

const notifyAccess: Handler = last((value, { drafting, type }, { place }) => {
  if (type !== 'notify') return;
  if (value === 'none') drafting.remark('NotifyAccess=none has no counterpart in a service of type notify', place);
  else drafting.set('notify_access', value, place);
});

const onlyNotify = (key: string): Handler =>
  last((value, context, entry) => {
    const { drafting, type } = context;
    if (type === 'notify') span(key)([entry], context);
    else drafting.remark(`${entry.key}=${value} needs Type=notify here`, entry.place);
  });

/** Folders that systemd makes for a unit are made before its start. */
const folder = (root: string): Handler =>
  each((value, { drafting, entries }, { key, place }) => {
    const owner = (name: 'User' | 'Group'): string | undefined => entries.get(`Service.${name}`)?.at(-1)?.value;
    const mode = entries.get(`Service.${key}Mode`)?.at(-1)?.value ?? '0755';
    const rights = [`-m ${mode}`, ...(owner('User') === undefined ? [] : [`-o ${owner('User')}`])];
    if (owner('Group') !== undefined) rights.push(`-g ${owner('Group')}`);
    const paths = value.split(/\s+/).map((name) => `${root}/${name}`);
    drafting.add('before_start', [`+install -d ${rights.join(' ')} ${paths.map(literal).join(' ')}`], place);
    drafting.comments.push(`${key}=${value}: made before each start`);
  });

const condition =
  (make: (value: string) => Readonly<Record<string, string>>): Handler =>
  (entries, context) => {
    for (const entry of entries) {
      const value = textOf(entry, context);
      const [, mark = '', rest = ''] = /^([|!]*)(.*)$/s.exec(value) ?? [];
      if (mark.includes('|'))
        context.drafting.remark(`${entry.key}=| has no counterpart: all conditions have to be met`, entry.place);
      const asked = make(literal(rest));
      context.drafting.add('start_if', [mark.includes('!') ? { not: asked } : asked], entry.place);
    }
  };

const endings = (key: string): Handler =>
  each((value, { drafting }, { place }) => drafting.add(key, value.split(/\s+/), place));

const action = (key: 'on_failure' | 'on_success'): Handler =>
  last((value, { drafting }, { key: own, place }) => {
    if (/^(?:exit|poweroff|reboot|halt)(?:-force|-immediate)?$/.test(value))
      drafting.set(key, 'shutdown', place, `${own}=${value}`);
    else if (value !== 'none') drafting.remark(`${own}=${value} has no counterpart`, place);
  });

const list = (key: string): Handler =>
  each((value, { drafting }, { place }) => drafting.add(key, value.split(/\s+/).map(literal), place));

const capabilities: Handler = each((value, { drafting }, { key, place }) => {
  if (value.startsWith('~')) drafting.remark(`${key}=${value} has no counterpart: name those that it may have`, place);
  else
    drafting.add(
      'capabilities',
      value.split(/\s+/).map((name) => name.replace(/^CAP_/, '')),
      place,
    );
});

const inherits = 'the environment of the container is inherited';
const limitNames = [
  'CPU',
  'FSIZE',
  'DATA',
  'STACK',
  'CORE',
  'RSS',
  'NOFILE',
  'AS',
  'NPROC',
  'MEMLOCK',
  'LOCKS',
  'SIGPENDING',
];

/** How each key is translated. A key that is missing here has no counterpart, and a remark says so. */
export const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['Unit.Description', last((value, { drafting }) => void drafting.comments.push(value))],
  ['Unit.Documentation', noted('see there')],
  ['Unit.After', relation('wants')],
  ['Unit.Before', relation('before')],
  ['Unit.Requires', relation('requires', 'it stops with it, also where it has failed')],
  ['Unit.Requisite', relation('requires', 'it waits for it')],
  ['Unit.BindsTo', relation('requires')],
  ['Unit.Wants', wanted],
  ['Unit.StartLimitIntervalSec', startLimit],
  ['Unit.StartLimitInterval', startLimit],
  ['Service.StartLimitInterval', startLimit],
  ['Unit.StartLimitBurst', startBurst],
  ['Service.StartLimitBurst', startBurst],
  ['Unit.FailureAction', action('on_failure')],
  ['Unit.SuccessAction', action('on_success')],
  ['Unit.ConditionPathExists', condition((value) => ({ file: value }))],
  ['Unit.ConditionEnvironment', condition((value) => ({ env: value }))],
  ['Unit.DefaultDependencies', noted('there are none here')],
  // Read before the others.
  ['Service.Type', () => undefined],
  ['Service.ExecStart', start],
  ['Service.ExecStartPre', hooks('before_start')],
  ['Service.ExecCondition', condition((value) => ({ command: value }))],
  ['Service.ExecStartPost', hooks('after_start')],
  ['Service.ExecStop', stop],
  ['Service.ExecStopPost', hooks('after_stop')],
  ['Service.ExecReload', reload],
  ['Service.User', copied('uid')],
  ['Service.Group', copied('gid')],
  ['Service.SupplementaryGroups', list('supplementary_groups')],
  ['Service.WorkingDirectory', workingDirectory],
  ['Service.Environment', environment],
  [
    'Service.EnvironmentFile',
    each((value, { drafting }, { place }) => drafting.add('env_file', [literal(value)], place)),
  ],
  ['Service.UnsetEnvironment', list('env_unset')],
  ['Service.PassEnvironment', noted(inherits)],
  ['Service.Restart', restart],
  ['Service.RestartSec', span('restart_delay')],
  ['Service.RestartMaxDelaySec', span('restart_delay_max')],
  ['Service.SuccessExitStatus', endings('success_exit')],
  ['Service.RestartPreventExitStatus', endings('restart_prevent')],
  ['Service.RemainAfterExit', boolean('remain_after_exit')],
  [
    'Service.TimeoutSec',
    (entries, context) => {
      span('process_timeout', '10000h')(entries, context);
      span('stop_timeout')(entries, context);
    },
  ],
  ['Service.TimeoutStartSec', span('process_timeout', '10000h')],
  ['Service.TimeoutStopSec', span('stop_timeout')],
  ['Service.RuntimeMaxSec', span('max_runtime')],
  ['Service.WatchdogSec', onlyNotify('watchdog')],
  ['Service.NotifyAccess', notifyAccess],
  [
    'Service.PIDFile',
    last((value, { drafting }, { place }) =>
      drafting.set('pidfile', literal(value.startsWith('/') ? value : `/run/${value}`), place),
    ),
  ],
  ['Service.KillSignal', signal],
  ['Service.KillMode', killMode],
  ['Service.UMask', copied('umask')],
  ['Service.Nice', copied('nice')],
  ['Service.OOMScoreAdjust', copied('oom_score_adjust')],
  ['Service.CPUAffinity', list('cpu_affinity')],
  ['Service.NoNewPrivileges', boolean('no_new_privileges')],
  ['Service.AmbientCapabilities', capabilities],
  ...limitNames.map((name): readonly [string, Handler] => [`Service.Limit${name}`, limit(name.toLowerCase())]),
  ['Service.StandardOutput', output('stdout')],
  ['Service.StandardError', output('stderr')],
  ['Service.RuntimeDirectory', folder('/run')],
  ['Service.StateDirectory', folder('/var/lib')],
  ['Service.CacheDirectory', folder('/var/cache')],
  ['Service.LogsDirectory', folder('/var/log')],
  // Read with the folder itself.
  ...['Runtime', 'State', 'Cache', 'Logs'].map((name): readonly [string, Handler] => [
    `Service.${name}DirectoryMode`,
    () => undefined,
  ]),
  ['Install.WantedBy', noted('all services start that are not disabled')],
  ['Install.RequiredBy', noted('all services start that are not disabled')],
]);
