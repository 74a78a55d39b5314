/** Words that other programs have for what a service's directives say, and what to write here. */
import type { YamlNode } from './parse-yaml.ts';
import type { Foreign } from './validate.ts';

type Origin = 'Compose' | 'systemd' | 'supervisord';

interface ForeignWord {
  /** Programs that have the word. */
  readonly of: readonly Origin[];
  /** The directive that says it here; absent where there is none. */
  readonly here?: string;
  /** Advice where the value does not show what to write. */
  readonly advice: string;
  /** Writes the value as the directive here has it; undefined where it cannot. */
  readonly rewrite?: (node: YamlNode) => string | undefined;
}

/** Looks a key up that is no directive of a service. */
export function foreignWord(key: string, value: YamlNode): Foreign | undefined {
  const word = words.get(key);
  if (word === undefined) return undefined;
  const rewritten = word.rewrite?.(value);
  const advice = rewritten === undefined || rewritten.length > longestAdvice ? word.advice : `write "${rewritten}"`;
  return { origin: word.of.join(' and '), ...(word.here === undefined ? {} : { here: word.here }), advice };
}

/** Says what to write in place of a section of Compose, and of a service whose name has no suffix. */
export function sectionAdvice(name: string, value: YamlNode): string | undefined {
  if (value.kind !== 'map') return undefined;
  const inner = value.entries.map(({ key }) => key.text);
  if (name === 'services') {
    const [first = 'NAME'] = inner;
    return `that is a section of Compose: here each service is a section of its own, such as "${first}.service:"`;
  }
  if (composeSections.includes(name)) return 'that is a section of Compose, for the program that runs the container';
  return inner.includes('command') && !name.includes('.') ? `did you mean "${name}.service"?` : undefined;
}

const composeSections: readonly string[] = ['networks', 'volumes', 'configs', 'secrets'];

const longestAdvice = 120;

/** One text in place of another: `user: joe` becomes `uid: joe`. */
const asText =
  (here: string) =>
  (node: YamlNode): string | undefined =>
    node.kind === 'scalar' && !node.isNull ? `${here}: ${node.text}` : undefined;

/** Names of services, as a list, a map or text with spaces or commas. */
const asServices =
  (here: string) =>
  (node: YamlNode): string | undefined => {
    const names = textsOf(node)
      .flatMap((text) => text.split(/[\s,]+/))
      .filter((name) => name !== '' && !/\.(?:target|socket|mount|timer|path|slice)$/.test(name));
    if (names.length === 0) return undefined;
    return `${here}: ${names.map((name) => `${name.replace(/\.service$/, '')}.service`).join(', ')}`;
  };

/** Variables, as a map, a list of `NAME=VALUE`, or a text with several of those. */
function asVariables(node: YamlNode): string | undefined {
  const pairs =
    node.kind === 'map'
      ? node.entries.map(({ key, value }) => [key.text, value.kind === 'scalar' ? value.text : ''])
      : textsOf(node).flatMap((text) =>
          [...text.matchAll(/([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s,"']*)/g)].map(([, name = '', given = '']) => [
            name,
            given.replace(/^["']|["']$/g, ''),
          ]),
        );
  if (pairs.length === 0) return undefined;
  return `env_set: { ${pairs.map(([name, given = '']) => `${name}: ${given === '' ? "''" : given}`).join(', ')} }`;
}

function textsOf(node: YamlNode): readonly string[] {
  switch (node.kind) {
    case 'scalar':
      return [node.text];
    case 'list':
      return node.items.flatMap((item) => (item.kind === 'scalar' ? [item.text] : []));
    case 'map':
      return node.entries.map(({ key }) => key.text);
  }
}

/** A command that a list has word by word. */
function asCommand(node: YamlNode): string | undefined {
  const texts = textsOf(node);
  if (node.kind === 'map' || texts.join('') === '') return undefined;
  const quoted = texts.map((text) => (node.kind === 'list' && /[\s"'\\]/.test(text) ? `'${text}'` : text));
  return `command: ${quoted.join(' ')}`;
}

/** Words of a restart policy. supervisord's `true` restarts after every end, its `unexpected` after abnormal ones. */
function asRestart(node: YamlNode): string | undefined {
  if (node.kind !== 'scalar') return undefined;
  if (/^(?:no|never|false|0)$/i.test(node.text)) return 'restart: no';
  return `restart: ${/^(?:always|unless-stopped|true|1)$/i.test(node.text) ? 'always' : 'on-failure'}`;
}

/** Exit codes and signals, with spaces or commas between them. */
function asEndings(here: string) {
  return (node: YamlNode): string | undefined => {
    const endings = textsOf(node).flatMap((text) => text.split(/[\s,]+/).filter((word) => word !== ''));
    return node.kind === 'map' || endings.length === 0 ? undefined : `${here}: ${endings.join(', ')}`;
  };
}

function row(
  of: readonly Origin[],
  here: string | undefined,
  advice: string,
  rewrite?: ForeignWord['rewrite'],
): ForeignWord {
  return { of, ...(here === undefined ? {} : { here }), advice, ...(rewrite === undefined ? {} : { rewrite }) };
}

const compose: readonly Origin[] = ['Compose'];
const systemd: readonly Origin[] = ['systemd'];
const supervisord: readonly Origin[] = ['supervisord'];

const noCounterpart = 'nothing says this here: it is for the program that runs the container';
const order = 'write "after: NAME.service"';
const variables = 'write "env_set: { NAME: VALUE }"';
const logFile = 'write a section NAME.logging with "file: PATH" and "selector: \'[SERVICE].*\'"';

const words: ReadonlyMap<string, ForeignWord> = new Map<string, ForeignWord>([
  ['depends_on', row(compose, 'after', order, asServices('after'))],
  ['environment', row(['Compose', 'supervisord'], 'env_set', variables, asVariables)],
  ['env', row(compose, 'env_set', variables, asVariables)],
  ['ulimits', row(compose, 'limits', 'write "limits: { nofile: 1024:4096 }"')],
  ['cap_add', row(compose, 'capabilities', 'write "capabilities", all that it may have')],
  ['cap_drop', row(compose, 'capabilities', 'write "capabilities", all that it may have')],
  ['group_add', row(compose, 'supplementary_groups', 'write "supplementary_groups: [NAME]"')],
  ['oom_score_adj', row(compose, 'oom_score_adjust', 'write "oom_score_adjust: N"', asText('oom_score_adjust'))],
  ['cpuset', row(compose, 'cpu_affinity', 'write "cpu_affinity: 0-3"', asText('cpu_affinity'))],
  ['security_opt', row(compose, 'no_new_privileges', 'write "no_new_privileges: true"')],
  ['entrypoint', row(compose, 'command', 'write "command: PROGRAM ARGUMENTS"', asCommand)],
  ['user', row(['Compose', 'supervisord'], 'uid', 'write "uid: NAME"', asText('uid'))],
  ['group', row(compose, 'gid', 'write "gid: NAME"', asText('gid'))],
  ['working_dir', row(compose, 'directory', 'write "directory: PATH"', asText('directory'))],
  ['cwd', row(compose, 'directory', 'write "directory: PATH"', asText('directory'))],
  ['stop_signal', row(compose, 'kill_signal', 'write "kill_signal: SIGTERM"', asText('kill_signal'))],
  ['stop_grace_period', row(compose, 'stop_timeout', 'write "stop_timeout: SECONDS"', asText('stop_timeout'))],
  ['ports', row(compose, undefined, noCounterpart)],
  ['expose', row(compose, undefined, noCounterpart)],
  ['volumes', row(compose, undefined, noCounterpart)],
  ['networks', row(compose, undefined, noCounterpart)],
  ['image', row(compose, undefined, noCounterpart)],
  ['build', row(compose, undefined, noCounterpart)],
  ['container_name', row(compose, undefined, noCounterpart)],
  ['labels', row(compose, undefined, noCounterpart)],
  ['deploy', row(compose, undefined, noCounterpart)],
  ['ExecStart', row(systemd, 'command', 'write "command: PROGRAM ARGUMENTS"', asCommand)],
  [
    'ExecStartPre',
    row(systemd, 'before_start', 'write "before_start: COMMAND", or a list of them', asText('before_start')),
  ],
  [
    'ExecStartPost',
    row(systemd, 'after_start', 'write "after_start: COMMAND", or a list of them', asText('after_start')),
  ],
  ['ExecStop', row(systemd, 'stop_command', 'write "stop_command: COMMAND"', asText('stop_command'))],
  ['ExecStopPost', row(systemd, 'after_stop', 'write "after_stop: COMMAND", or a list of them', asText('after_stop'))],
  ['ExecReload', row(systemd, undefined, 'send the signal by hand: chaperonectl kill NAME SIGHUP')],
  ['Type', row(systemd, 'type', 'write "type", in lower case', lowerText('type'))],
  ['User', row(systemd, 'uid', 'write "uid: NAME"', asText('uid'))],
  ['Group', row(systemd, 'gid', 'write "gid: NAME"', asText('gid'))],
  ['WorkingDirectory', row(systemd, 'directory', 'write "directory: PATH"', asText('directory'))],
  ['Environment', row(systemd, 'env_set', variables, asVariables)],
  ['EnvironmentFile', row(systemd, 'env_file', 'write "env_file: PATH"', asText('env_file'))],
  ['LoadCredential', row(systemd, 'secrets', 'write "secrets: { NAME: PATH }"')],
  ...['NOFILE', 'CORE', 'NPROC', 'AS', 'MEMLOCK', 'STACK', 'FSIZE', 'CPU', 'DATA', 'RTPRIO'].map(
    (limit): readonly [string, ForeignWord] => [
      `Limit${limit}`,
      row(systemd, 'limits', `write "limits: { ${limit.toLowerCase()}: VALUE }"`),
    ],
  ),
  ['Nice', row(systemd, 'nice', 'write "nice: N"', asText('nice'))],
  ['UMask', row(systemd, 'umask', 'write "umask: 0027"', asText('umask'))],
  ['OOMScoreAdjust', row(systemd, 'oom_score_adjust', 'write "oom_score_adjust: N"', asText('oom_score_adjust'))],
  ['CPUAffinity', row(systemd, 'cpu_affinity', 'write "cpu_affinity: 0-3"', asText('cpu_affinity'))],
  [
    'NoNewPrivileges',
    row(systemd, 'no_new_privileges', 'write "no_new_privileges: true"', asText('no_new_privileges')),
  ],
  ['CapabilityBoundingSet', row(systemd, 'capabilities', 'write "capabilities: [NAME]"')],
  ['AmbientCapabilities', row(systemd, 'capabilities', 'write "capabilities: [NAME]"')],
  ['SupplementaryGroups', row(systemd, 'supplementary_groups', 'write "supplementary_groups: [NAME]"')],
  ['PassEnvironment', row(systemd, 'env_inherit', 'write "env_inherit: [NAME]"')],
  ['After', row(systemd, 'after', order, asServices('after'))],
  ['Before', row(systemd, 'before', 'write "before: NAME.service"', asServices('before'))],
  ['Requires', row(systemd, 'after', order, asServices('after'))],
  ['Wants', row(systemd, 'after', order, asServices('after'))],
  ['WantedBy', row(systemd, 'enabled', 'leave it out: what is enabled starts')],
  ['Description', row(systemd, undefined, 'write it as a comment: # …')],
  ['Restart', row(systemd, 'restart', 'write "restart: on-failure"', asRestart)],
  ['RestartSec', row(systemd, 'restart_delay', 'write "restart_delay: SECONDS"', asText('restart_delay'))],
  ['StartLimitBurst', row(systemd, 'restart_limit', 'write "restart_limit: N"', asText('restart_limit'))],
  ['StartLimitIntervalSec', row(systemd, 'restart_window', 'write "restart_window: TIME"', asText('restart_window'))],
  [
    'RestartMaxDelaySec',
    row(systemd, 'restart_delay_max', 'write "restart_delay_max: TIME"', asText('restart_delay_max')),
  ],
  ['RestartSteps', row(systemd, 'restart_backoff', 'write "restart_backoff: 2", the factor of each further pause')],
  ['SuccessExitStatus', row(systemd, 'success_exit', 'write "success_exit: CODES"', asEndings('success_exit'))],
  [
    'RestartPreventExitStatus',
    row(systemd, 'restart_prevent', 'write "restart_prevent: CODES"', asEndings('restart_prevent')),
  ],
  ['FailureAction', row(systemd, 'on_failure', 'write "on_failure: shutdown"')],
  ['SuccessAction', row(systemd, 'on_success', 'write "on_success: shutdown"')],
  ['TimeoutStartSec', row(systemd, 'process_timeout', 'write "process_timeout: SECONDS"', asText('process_timeout'))],
  ['TimeoutStopSec', row(systemd, 'stop_timeout', 'write "stop_timeout: SECONDS"', asText('stop_timeout'))],
  ['KillSignal', row(systemd, 'kill_signal', 'write "kill_signal: SIGTERM"', asText('kill_signal'))],
  ['KillMode', row(systemd, 'kill_mode', 'write "kill_mode: group", "process" or "mixed"')],
  ['PIDFile', row(systemd, 'pidfile', 'write "pidfile: PATH"', asText('pidfile'))],
  ['WatchdogSec', row(systemd, 'watchdog', 'write "watchdog: SECONDS"', asText('watchdog'))],
  [
    'RemainAfterExit',
    row(systemd, 'remain_after_exit', 'write "remain_after_exit: true"', asText('remain_after_exit')),
  ],
  ['OnCalendar', row(systemd, 'interval', 'write "type: cron" and "interval", as in a crontab: "0 3 * * *"')],
  ['StandardOutput', row(systemd, 'stdout', 'write "stdout: log" or "stdout: inherit"')],
  ['StandardError', row(systemd, 'stderr', 'write "stderr: log" or "stderr: inherit"')],
  ['autostart', row(supervisord, 'enabled', 'write "enabled: true"', asText('enabled'))],
  ['autorestart', row(supervisord, 'restart', 'write "restart: on-failure"', asRestart)],
  ['startsecs', row(supervisord, 'startup_pause', 'write "startup_pause: SECONDS"', asText('startup_pause'))],
  ['startretries', row(supervisord, 'restart_limit', 'write "restart_limit: N"', asText('restart_limit'))],
  ['priority', row(supervisord, 'after', `the order is in words here: ${order}`)],
  ['stopsignal', row(supervisord, 'kill_signal', 'write "kill_signal: SIGTERM"', asSignal)],
  ['stopwaitsecs', row(supervisord, 'stop_timeout', 'write "stop_timeout: SECONDS"', asText('stop_timeout'))],
  ['stopasgroup', row(supervisord, 'kill_mode', 'leave it out: signals go to the group (kill_mode: group)')],
  ['killasgroup', row(supervisord, 'kill_mode', 'leave it out: signals go to the group (kill_mode: group)')],
  ['stdout_logfile', row(supervisord, 'stdout', logFile)],
  ['stderr_logfile', row(supervisord, 'stderr', logFile)],
  ['redirect_stderr', row(supervisord, 'stderr', 'leave it out: Chaperone logs both outputs')],
  ['numprocs', row(supervisord, undefined, 'write one section for each process')],
  ['exitcodes', row(supervisord, 'success_exit', 'write "success_exit: CODES"', asEndings('success_exit'))],
]);

function lowerText(here: string) {
  return (node: YamlNode): string | undefined =>
    node.kind === 'scalar' ? `${here}: ${node.text.toLowerCase()}` : undefined;
}

function asSignal(node: YamlNode): string | undefined {
  return node.kind === 'scalar' ? `kill_signal: SIG${node.text.replace(/^SIG/, '')}` : undefined;
}
