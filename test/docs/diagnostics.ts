/**
 * Every code of a diagnostic, with a configuration that yields it. Each entry is run by a test, and becomes a section of
 * docs/errors.md.
 */
import { checkSystem } from '../../src/config/check.ts';
import { type LoadContext, loadConfiguration, readPlaces } from '../../src/config/load.ts';
import { mistakeHelp } from '../../src/config/mistake-help.ts';
import { renderErrors, renderWarnings } from '../../src/config/render-diagnostics.ts';
import { inOrder } from '../../src/config/report.ts';
import type { DiagnosticCode } from '../../src/model/words/diagnostic-code.ts';
import { boot } from '../boot/namespace.ts';
import { type FakeFile, fakeProbe } from '../config/fake-probe.ts';
import { accounts } from '../config/loading.ts';
import { memoryReader } from '../config/memory-reader.ts';
import { loadImage } from '../conventions/memory-image.ts';
import { chaperonectlCheck, reloadWith } from './diagnostic-runs.ts';

export interface DiagnosticEntry {
  /** What it means: a sentence or two, Markdown. */
  readonly meaning: string;
  /** The configuration that yields it, as the page shows it; absent where there is none to be shown. */
  readonly text?: string;
  /** Gives what is told about that configuration; by default it is loaded and checked. */
  readonly run: () => string | Promise<string>;
  /** What to do: a sentence or two, Markdown. */
  readonly advice: string;
}

interface Surroundings {
  readonly context?: Partial<LoadContext>;
  /** What else is there, besides sh, sleep, env and true in /bin. */
  readonly files?: Readonly<Record<string, FakeFile>>;
}

const path = '/etc/chaperone.d/web.conf';

/** What `chaperonectl check` says about a text, on a machine that exists only in memory. */
function told(text: string | { readonly error: string }, { context = {}, files = {} }: Surroundings = {}): string {
  const reader = memoryReader({ [path]: text });
  const environment = { PATH: '/bin' };
  const loaded = loadConfiguration(path, {
    reader,
    environment,
    accounts,
    interactive: false,
    help: mistakeHelp,
    ...context,
  });
  const { spec, diagnostics } = loaded;
  const found =
    spec === undefined
      ? []
      : checkSystem(spec, {
          places: readPlaces(path, { reader }),
          probe: fakeProbe(files),
          nextTimes: () => [],
          inherited: Object.keys(environment),
        }).diagnostics;
  const all = inOrder([...diagnostics, ...found], [path]);
  return `${renderErrors(all)}\n${renderWarnings(all)}`;
}

function entry(meaning: string, text: string, advice: string, surroundings?: Surroundings): DiagnosticEntry {
  return { meaning, text, advice, run: () => told(text, surroundings) };
}

/** What is told about an image that holds one file of another init. */
function imageTold(file: string, text: string): string {
  const { diagnostics } = loadImage({ [file]: text });
  return `${renderErrors(diagnostics)}\n${renderWarnings(diagnostics)}`;
}

/** A service of which one line is of interest. */
function service(...lines: readonly string[]): string {
  return `web.service:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

const sleep = 'command: sleep infinity';

export const diagnosticEntries: Readonly<Record<DiagnosticCode, DiagnosticEntry>> = {
  // Files
  'no-configuration': {
    meaning:
      'Nothing is at the path of `--config`. Only a check says so: a start may do without, where there is a command.',
    run: () => chaperonectlCheck({ config: '/nonexistent/chaperone.d' }),
    advice: 'Correct the path. A relative one counts from the home of `--user`, else from `/`.',
  },
  unreadable: {
    meaning: 'A file or folder of the configuration cannot be read, or is neither a file nor a folder.',
    run: () => told({ error: 'EACCES' }),
    advice: 'The end of the line says why: correct its permissions, or take it away. A file is at most 16 MiB long.',
  },
  'not-text': entry(
    'The file holds a NUL byte, or bytes that are not UTF-8.',
    '# caf\ufffd\nweb.service: { command: sleep infinity }\n',
    'Save it as UTF-8, or take it out of the folder.',
  ),
  'too-many': {
    meaning: 'It stands for mistakes, or for warnings, beyond the first 500.',
    run: () => told(service(sleep, ...Array.from({ length: 520 }, (_, index) => `key${index}: x`))),
    advice: 'Mend those that are shown: most of the others are often of the same cause.',
  },

  'not-read': {
    meaning:
      'A file in the folder of the configuration looks like one of its files, and its name says otherwise; or it is a folder.',
    run: () => {
      const reader = memoryReader({ [path]: service(sleep), '/etc/chaperone.d/db.yml': service(sleep) });
      const surroundings = { reader, environment: { PATH: '/bin' }, accounts, interactive: false };
      return renderWarnings(loadConfiguration('/etc/chaperone.d', surroundings).diagnostics);
    },
    advice: 'Rename it: only `*.conf` and `*.yaml` are read, in the byte order of their names. Or move it elsewhere.',
  },
  'no-counterpart': {
    meaning: 'A file of another init asks for something that chaperone does not have, or does in another way.',
    text: '[supervisord]\nlogfile=/var/log/supervisord.log\n[eventlistener:mail]\ncommand=crashmail\n',
    run: () =>
      imageTold(
        '/etc/supervisord.conf',
        '[supervisord]\nlogfile=/var/log/supervisord.log\n[eventlistener:mail]\ncommand=crashmail\n',
      ),
    advice: 'Everything else in the file counts. Where nothing is missing, take it away, or leave it and the warning.',
  },
  'ini-syntax': {
    meaning: "A line of one of supervisord's files is neither a section nor an option.",
    text: '[program:web]\ncommand\n',
    run: () => imageTold('/etc/supervisord.conf', '[program:web]\ncommand\n'),
    advice: 'Write `NAME=VALUE` behind a section such as `[program:NAME]`. Further lines of a value are indented.',
  },
  // YAML
  'yaml-syntax': entry(
    'The file is not YAML. Its other mistakes are told once it is.',
    'web.service: { command: "sleep infinity }\n',
    'Look at the place of the caret, and at what stands before it: a quote or a bracket that is not closed, or a wrong indentation.',
  ),
  'yaml-tag': entry(
    'A value has a YAML tag, a word that begins with `!`.',
    service('command: !sleep infinity'),
    'Take it away, or put quotes around a text that begins with `!`.',
  ),
  'nested-too-deep': entry(
    'Values stand inside of each other more than 100 deep.',
    `web.service: ${'['.repeat(110)}\n`,
    'Look for an opening bracket that was repeated.',
  ),
  'unknown-alias': entry(
    'An alias (`*name`) names an anchor (`&name`) that does not stand before it in the file.',
    'web.service: &comon { command: sleep infinity }\nstore.service: *common\n',
    'Correct the name, or move the anchor up.',
  ),
  'recursive-alias': entry(
    'An alias stands inside of the value that its anchor names.',
    'web.service: &web { command: sleep infinity, env_set: *web }\n',
    'Give the inner value a name of its own.',
  ),
  'too-many-aliases': entry(
    'Aliases of aliases stand for more than a million values.',
    `a: &a [x,x,x,x,x,x,x,x,x,x]\n${[...'bcdefg']
      .map(
        (name, index) =>
          `${name}: &${name} [${Array<string>(10)
            .fill(`*${'abcdef'.charAt(index)}`)
            .join(',')}]\n`,
      )
      .join('')}`,
    'Write out what is meant.',
  ),
  'bad-key': entry(
    'A key is a list or a map, and not a name.',
    'web.service:\n  [command]: sleep infinity\n',
    'Take away the brackets.',
  ),
  'bad-merge': entry(
    '`<<` takes over the keys of a map, and its value is none.',
    service(sleep, '<<: common'),
    'Name a map by an alias: `<<: *common`.',
  ),
  'duplicate-key': entry(
    'A key stands twice in a section, or a section twice in a file. The last one counts.',
    service('command: sleep 1', sleep),
    'Take one of them away. A section that stands in two files is no mistake: the later file counts.',
  ),

  // Sections and keys
  'not-sections': entry(
    'The file holds a text, or a list of more than names, in place of sections.',
    'sleep infinity\n',
    'Put it into a section: `web.service: { command: sleep infinity }`.',
  ),
  'unknown-section': entry(
    'A section is neither `settings` nor `NAME.service` nor `NAME.logging`.',
    'web.servce: { command: sleep infinity }\n',
    'Correct its name.',
  ),
  'bad-section-name': entry(
    'The name of a section holds spaces or commas, or nothing.',
    'my web.service: { command: sleep infinity }\n',
    'Take them out: names of services stand in lists with commas between them.',
  ),
  'reserved-name': entry(
    'A service, a logging entry or a group is named in upper case. `INIT`, `IDLE` and `CONSOLE` are the only such names.',
    service(sleep, 'service_groups: MAIN'),
    'Choose a name with a lower-case letter.',
  ),
  'unknown-key': entry(
    'A section has no such directive.',
    service('comand: sleep infinity'),
    'Correct it; [the directives](reference/configuration.md) of each kind of section are listed.',
  ),
  'old-spelling': entry(
    'The directive has another name today.',
    service(sleep, 'service_group: IDLE'),
    'Use the new name, which the hint says.',
  ),
  'missing-directive': entry(
    'A directive is missing without which the service cannot be: every service has a `command`, a cron service an `interval`, an inetd service a `port`.',
    service('type: cron', 'command: backup'),
    'Add it.',
  ),
  'no-effect': entry(
    'A directive is given that has no use here: the service is not of the type for it, or the logging entry has no file or no rotation.',
    service(sleep, 'port: 8080'),
    'Take it away, or correct the `type`; give the entry what the hint names.',
  ),
  contradiction: entry(
    'Two directives of a service ask for opposite things.',
    service(sleep, 'exit_kills: true', 'on_failure: shutdown'),
    'Keep one of them.',
  ),

  // Values
  'wrong-shape': entry(
    'A value is a list or a map where a text is expected, or the other way round.',
    service('command: [sleep, infinity]'),
    'Write it as the hint says. A command is one text, split as a shell splits words.',
  ),
  'empty-value': entry(
    'A value that cannot be empty is empty, often because a variable is.',
    service('command: $(PROGRAM:-)'),
    'Give the variable a default that is not empty, `$(PROGRAM:-sleep infinity)`, or disable the service where it is not set.',
  ),
  'not-a-boolean': entry(
    'The value is neither true nor false.',
    service(sleep, 'setpgrp: maybe'),
    'Write `true` or `false`.',
  ),
  'not-a-time': entry(
    'The value is not a time.',
    service(sleep, 'restart: true', 'restart_delay: 5 minutes'),
    'Write seconds without a unit: `300`, or `0.5`. `rotate_every` and `max_age` of a logging entry take units, too: `12h`.',
  ),
  'not-a-number': entry(
    'The value is not a whole number.',
    service(sleep, 'restart: true', 'restart_limit: many'),
    'Write digits alone.',
  ),
  'not-a-size': entry(
    'The value is not a number of bytes.',
    'settings:\n  inspect: { journal: /var/log/boot.journal, max_size: 16 megabytes }\nweb.service: { command: sleep infinity }\n',
    'Write a number, with K, M or G directly behind it for 1,024 bytes and so on.',
  ),
  'not-a-mode': entry(
    'The value is not the mode of a file.',
    'all.logging: { file: /var/log/all.log, mode: rw-r----- }\nweb.service: { command: sleep infinity }\n',
    'Write three octal digits, with a 0 before them if you like: `0640`.',
  ),
  'not-a-signal': entry(
    'The value names no signal.',
    service(sleep, 'kill_signal: SIGTREM'),
    'Write a name such as `SIGTERM`, or its number.',
  ),
  'not-an-ending': entry(
    'The value is a list of ends of processes, and something in it is neither an exit code nor a signal.',
    service(sleep, 'restart: true', 'restart_prevent: EX_CONFIG'),
    'Write exit codes from 0 to 255 and names of signals, with commas between them: `78, SIGSYS`.',
  ),
  'not-a-rate': entry(
    'The value is no number of lines in a time.',
    service(sleep, 'log_rate: many'),
    'Write `1000/s`, `5000/m` or `10/500ms`; the number is 1 or more.',
  ),
  'not-a-choice': entry(
    'The value is none of those that the directive can have.',
    service(sleep, 'type: simpel'),
    'Take one of those that the hint names.',
  ),
  'out-of-range': entry(
    'A number or a time is too small or too large.',
    service('type: inetd', 'command: cat', 'port: 80800'),
    'Stay within the limits that the hint names.',
  ),
  'nul-character': entry(
    'A text holds a NUL character, which no program can be handed.',
    service('command: "echo \\0"'),
    'Take it out, or let the program make it: `printf "\\0"`.',
  ),
  'bad-name': entry(
    'A name in a list holds a space.',
    service(sleep, 'after: store.service cache.service'),
    'Put commas between names.',
  ),
  'bad-variable-name': entry(
    'The name of a variable is empty, or holds `=`.',
    service(sleep, 'env_set: { "MODE=fast": "" }'),
    'Write `NAME: value`.',
  ),
  'bad-path': entry(
    'The log socket, the journal or a probe has a path that is not absolute, or a socket one that is too long for the kernel.',
    'settings: { log_socket: run/log }\nweb.service: { command: sleep infinity }\n',
    'Begin it with `/`. A socket has a path of at most 107 bytes.',
  ),
  'bad-url': entry(
    'The `http` probe of a service names no URL of http or https.',
    service(sleep, 'ready: { http: "localhost:8080/health" }'),
    'Write it whole: `http://localhost:8080/health`.',
  ),
  'bad-address': entry(
    'The address of `metrics` is no address with a port. Names are none, since what they mean may change.',
    'settings: { metrics: { listen: "localhost:9101" } }\nweb.service: { command: sleep infinity }\n',
    'Write `127.0.0.1:9101`, `[::1]:9101` or only the port, which is one of 127.0.0.1 then.',
  ),
  'bad-schedule': entry(
    'The `interval` of a cron service is no schedule.',
    service('type: cron', 'command: backup', 'interval: "61 * * * *"'),
    'Write five fields (minute, hour, day, month, weekday), six with the seconds last, or a name such as `@daily`.',
  ),
  'bad-selector': entry(
    'The selector of a logging entry cannot be read.',
    'all.logging: { stdout: true, selector: "*.inof" }\nweb.service: { command: sleep infinity }\n',
    'Write `FACILITY.PRIORITY`, several with `;` between them; [the logging guide](guide/logging.md) has examples.',
  ),
  'empty-selector': entry(
    'A selector takes nothing, so that the entry stays empty.',
    'all.logging: { stdout: true, selector: "!*.info" }\nweb.service: { command: sleep infinity }\n',
    'Add what is to be taken, or set `enabled: false`.',
  ),
  'seconds-first': entry(
    'An `interval` of six fields looks as if its seconds stood first. Here the sixth field is the second.',
    service('type: cron', 'command: "true"', 'interval: "0 2 4 * * *"'),
    'Move the first field to the end. Where it is meant as it stands, the warning can be left alone.',
  ),
  'unclosed-quote': entry(
    'A quote in a command is never closed.',
    service('command: sh -c "sleep infinity'),
    'Close it. YAML has quotes of its own around the whole of a value, which a shell does not see.',
  ),
  'unknown-right': entry(
    '`control` grants a right that does not exist.',
    'settings: { control: { allow: { everybody: reboot } } }\nweb.service: { command: sleep infinity }\n',
    'Take one of those that the hint names.',
  ),
  'unknown-time-zone': entry(
    'The time zone of cron services is not known here. If it comes from `TZ`, it is a warning, and they run by UTC.',
    'settings: { timezone: Europe/Berlim }\nweb.service: { command: sleep infinity }\n',
    'Write a name of the tz database, such as `Europe/Berlin`.',
  ),

  // Variables and commands in backticks
  'unknown-variable': entry(
    '`$(NAME)` names a variable that nobody sets, so that the text stays as it is.',
    service('command: sleep $(DURATION)', 'env_set:', '  DURATIONS: 3'),
    'Correct the name, set the variable in `env_set` or for the container, or write `$(NAME:-DEFAULT)`.',
  ),
  'required-variable': entry(
    'A variable is not set that `$(NAME:?message)` requires. The message is the one that the configuration gives.',
    service('command: sleep "$(SECONDS:?say how long)"'),
    'Set it, as with `docker run --env SECONDS=5`, or give it a default: `$(SECONDS:-5)`.',
  ),
  'bad-expansion': entry(
    'A form `$(NAME:/REGEX/REPLACEMENT/)` is not complete, or has unknown flags.',
    service('command: sleep $(_CHAP_SERVICE:/web)'),
    'Write all three slashes; one inside is written as `\\/`.',
  ),
  'bad-regex': entry(
    'The regular expression in `$(NAME:/REGEX/REPLACEMENT/)` is none, is too large, or has look-around or back-references, which cannot be had in linear time.',
    service('command: sleep $(_CHAP_SERVICE:/*web//)'),
    'Correct it; a character that stands for itself is written with a backslash: `\\*`. [What can be written](reference/regular-expressions.md), and what in place of the rest.',
  ),
  'expansion-too-large': entry(
    'Variables expand to more than 128 KiB, or refer to each other too deeply.',
    service(
      sleep,
      `env_set: { A: 0123456789, ${[...'BCDEF'].map((name, index) => `${name}: "${`$(${'ABCDE'.charAt(index)})`.repeat(10)}"`).join(', ')} }`,
    ),
    'Look for variables that multiply each other.',
  ),
  'late-command': entry(
    'A command in backticks depends on what differs from start to start, and it is run only once, when the configuration is read.',
    service(sleep, 'env_set: { NAME: "`echo $(_CHAP_SERVICE_SERIAL)`" }'),
    'Let a shell do it, as part of the command of the service.',
  ),
  'secret-exposed': entry(
    'A directive is made of a variable of `secrets`. The command lines of all processes are public, and what directives say stands in logs.',
    service("command: sh -c 'exec db --password $(DB_PASSWORD)'", 'secrets: [DB_PASSWORD]'),
    'Let the program take it from its environment. A shell has it as `$DB_PASSWORD`, which stays as it is, or take `DB_PASSWORD_FILE`, whose value is the path.',
  ),
  'unexpanded-value': {
    meaning:
      'A variable that chaperone has inherited holds what looks like a form or a command in backticks. Inherited values are data: they are passed on as they are, and nothing in them is run.',
    run: () => chaperonectlCheck({ text: service(sleep), env: { GREETING: 'hello $(NAME)' } }),
    advice:
      'If the value means what it says, nothing is to be done. If variables in it shall be expanded, write `env_expand: inherited` in the settings; backticks in it stay as they are in any case.',
  },
  'command-failed': {
    meaning: 'A command in backticks has failed, and counts as one that printed nothing.',
    text: service(sleep, 'env_set: { NAME: "`exit 3`" }'),
    run: () => chaperonectlCheck({ text: service(sleep, 'env_set: { NAME: "`exit 3`" }') }),
    advice: 'Run it by hand, as the account of the service.',
  },
  'commands-too-deep': {
    meaning: 'The text of a command in backticks comes from the output of another, and so on, more than 20 deep.',
    run: () =>
      chaperonectlCheck({
        text: service(
          sleep,
          'env_set:',
          '  V0: "`echo 0`"',
          ...Array.from({ length: 21 }, (_, index) => `  V${index + 1}: "\`echo .$(V${index})\`"`),
        ),
      }),
    advice: 'Let one command do it all.',
  },

  'exposed-metrics': entry(
    'Metrics and health are served at an address that others than this container reach. Nobody is asked who he is there.',
    'settings: { metrics: { listen: "0.0.0.0:9101" } }\nweb.service: { command: sleep infinity }\n',
    'Serve them at 127.0.0.1, or let only the network of whoever collects them reach the port.',
  ),
  // Accounts
  'unknown-user': entry(
    'A user does not exist on this system: in `uid`, in `control`, or in `--user`.',
    service(sleep, 'uid: ww'),
    'Correct the name, create the user in the image, or with `--create-user`. A number needs no entry.',
  ),
  'unknown-group': entry(
    'A group does not exist on this system: in `gid`, or in `control`.',
    service(sleep, 'uid: www', 'gid: web'),
    'Correct the name, or create the group in the image. A number needs no entry.',
  ),
  'gid-without-uid': entry(
    'A group is given, and nobody says for which user.',
    service(sleep, 'gid: adm'),
    'Add a `uid`, here or in the settings.',
  ),
  'user-not-created': {
    meaning: 'The user of `--create-user` cannot be created.',
    run: async () => {
      const system = boot({ merge: true, args: ['--create-user', 'joe:/nonexistent'] });
      await system.exit;
      return system.lines().join('\n');
    },
    advice:
      'The end of the line says why. With `NAME:PATH` the user gets the numbers of the owner of what is at the path.',
  },

  // Order
  'empty-group': entry(
    'A name in `after` or `before` is that of a group, since it has no suffix, and no service is in that group; a service has nearly that name.',
    `${service(sleep, 'after: db')}db.service:\n  ${sleep}\n`,
    'Write `db.service` for the service. Groups are what `service_groups` of other services names.',
  ),
  'unknown-service': entry(
    '`after` or `before` names a service that no file declares. It has no effect.',
    `store.service: { command: sleep infinity }\n${service(sleep, 'after: stor.service')}`,
    'Correct the name, or take it away.',
  ),
  'impossible-order': entry(
    'A service is to come after `IDLE`, which is what comes last, or before `INIT`, which comes first.',
    service(sleep, 'after: IDLE'),
    'Let it be one of them: `service_groups: IDLE`.',
  ),
  'unknown-entry': entry(
    '`stdout` or `stderr` names a logging entry that no file declares.',
    `audit.logging: { stdout: true }\n${service(sleep, 'stdout: audt.logging')}`,
    'Correct the name, or declare the entry.',
  ),
  'dependency-cycle': entry(
    'Services wait for each other in a circle, so that none could start.',
    'web.service: { command: sleep infinity, after: store.service }\nstore.service: { command: sleep infinity, after: web.service }\n',
    'Take out the `after` or `before` that is not needed for readiness.',
  ),
  'never-ready': entry(
    'A service has no time to become ready: its `process_timeout` is 0.',
    service('type: oneshot', 'command: "true"', 'process_timeout: 0'),
    'Give it the seconds that it may take.',
  ),
  'never-starts': entry(
    'A service waits for one that can never become ready, also through others.',
    'web.service: { command: sleep infinity, after: store.service }\nstore.service: { type: oneshot, command: "true", exit_kills: true }\n',
    'Mend what the line names, or set `ignore_failures` or `optional` for it.',
  ),
  'shutdown-too-short': entry(
    'Services stop one layer after the other, and `shutdown_timeout` gives each of them less than a second.',
    'settings: { shutdown_timeout: 1 }\nweb.service: { command: sleep infinity, after: store.service }\nstore.service: { command: sleep infinity }\n',
    'Raise it, and what the container engine gives (`docker stop --time`), which is to be more.',
  ),

  // Services as a whole, and what they share
  'no-services': entry(
    'There are no services, so that without a command there is nothing to run.',
    'settings: { idle_delay: 0 }\n',
    'Is it the right folder? Only its `*.conf` and `*.yaml` files are read.',
  ),
  'all-disabled': entry(
    'Every service is disabled, so that without a command the system ends at once.',
    service(sleep, 'enabled: "$(WEB:-no)"'),
    'Look at the variables that `enabled` depends on.',
  ),
  'same-port': entry(
    'Two inetd services want the same port. Only one of them can listen on it.',
    'a.service: { type: inetd, command: sh, port: 8080 }\nb.service: { type: inetd, command: sh, port: 8080 }\n',
    'Give one of them another port, or disable it.',
  ),
  'same-pidfile': entry(
    'Two services follow the same pidfile, and would follow the same process.',
    'a.service: { type: forking, command: sh, pidfile: /run/web.pid }\nb.service: { type: forking, command: sh, pidfile: /run/web.pid }\n',
    'Give each its own.',
  ),

  // Programs and directories
  'program-not-found': entry(
    'The program of a service is not there. With `ignore_failures` it is a warning.',
    service('command: nginx'),
    'Install it, correct `command` or the PATH of the service, or set `optional: true` or `enabled: false`.',
  ),
  'program-not-executable': entry(
    'The program of a service is a directory, or a file that nobody may execute.',
    service('command: /srv/serve'),
    '`chmod +x` it in the image.',
    { files: { '/srv/serve': { mode: 0o644 } } },
  ),
  'program-not-permitted': entry(
    'By its permission bits the account of the service may not execute the program.',
    service('command: /srv/serve', 'uid: www'),
    'Correct owner or mode. Access lists and capabilities are not looked at, so it may be meant as it is.',
    { files: { '/srv/serve': { mode: 0o700, text: '\x7fELF' } } },
  ),
  'no-shell': entry(
    'The command holds what only a shell understands, such as `&&`, `>` or `$HOME`, and Chaperone starts programs without a shell: it goes to the program as an argument.',
    service("command: sh -c 'exec sleep infinity' > /dev/null"),
    "Write what the hint says: a directive, `$(NAME)` for a variable, or a shell, whose script stands in quotes: `command: sh -c 'cd /srv && exec ./serve'`.",
  ),
  'relative-program': entry(
    'The program has a relative path, which means another file in each directory.',
    service('command: ./serve'),
    'Write the whole path, or give the service a `directory`.',
  ),
  'unknown-format': entry(
    'The program is neither a binary nor a script with a `#!` line, so the kernel would not take it (ENOEXEC).',
    service('command: /srv/serve'),
    'Let its first line be `#!/bin/sh`, or run it by a shell: `command: sh /srv/serve`.',
    { files: { '/srv/serve': { text: 'exec sleep infinity\n' } } },
  ),
  'interpreter-not-found': entry(
    'What the `#!` line of a script names is not there.',
    service('command: /srv/serve'),
    'Install it, or correct the line. A file with Windows line ends names a program that ends in a carriage return.',
    { files: { '/srv/serve': { text: '#!/usr/bin/python4\n' } } },
  ),
  'directory-not-found': entry(
    'The `directory` of a service is not there, and no service that starts before could create it.',
    service(sleep, 'directory: /srv/wbe'),
    'Correct it, create it in the image, or in a oneshot service that the service comes `after`.',
  ),
  'not-a-directory': entry(
    'The `directory` of a service is a file.',
    service(sleep, 'directory: /bin/sh'),
    'Correct it.',
  ),
  'values-not-found': entry(
    'A file of `env_file` or `secrets`, or the folder of `env_dir`, is not there. It is read at each start, which fails without it.',
    service(sleep, 'env_file: /etc/web.env', 'secrets: [DB_PASSWORD]'),
    'Nothing, where it will be there when the service starts. Otherwise correct the path, or let an `env_file` be missing: `-/etc/web.env`.',
  ),
  'values-unreadable': entry(
    'What `env_file` or `secrets` names is no file, or what `env_dir` names is no folder.',
    service(sleep, 'env_file: /etc'),
    'Name a file, or the folder in `env_dir`.',
    { files: { '/etc': { kind: 'directory' } } },
  ),
  'addon-not-loaded': {
    meaning:
      'The new configuration has services of type notify, and `unix_dgram.node`, which they need, cannot be loaded. Only a reload tells it by a code.',
    run: () => reloadWith('cannot load unix_dgram.node, which web.service needs: not built for this system'),
    advice: 'Install Chaperone anew on this system, or use another `type`.',
  },
};
