import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { chaperone } from '../../src/cli/chaperone/options.ts';
import { helpText } from '../../src/cli/command-help.ts';
import { type Directive, directives, type SectionKind } from '../../src/config/directives.ts';
import { commandEntry, neededWith, verbs } from '../../src/control/commands.ts';
import { grantableActions } from '../../src/model/service/control-policy.ts';
import { fieldName } from '../../src/model/words/parameter.ts';

const headings: Readonly<Record<SectionKind, string>> = {
  settings: '## settings',
  compat: '## settings: compat',
  inspect: '## settings: inspect',
  metrics: '## settings: metrics',
  service: '## NAME.service',
  logging: '## NAME.logging',
};

const introduction = `# Configuration

Generated from [\`src/config/directives.ts\`](../../src/config/directives.ts) by \`npm run docs\`; do not edit.

A configuration is one file, or the \`*.conf\` and \`*.yaml\` files of a folder in byte order of their names: YAML, in which each
top-level key is \`settings\`, \`NAME.service\` or \`NAME.logging\`. A later \`NAME.service\` replaces an earlier one; \`settings\` and
\`NAME.logging\` are merged key by key. Times are seconds, fractions allowed, or have
units: \`500ms\`, \`1m30s\`, \`12h\`, \`3d\`. A top-level key that begins with \`x-\` is skipped: it is a place for YAML anchors.

In directives marked *env* variables are expanded: \`$(V)\` or \`\${V}\`, \`$(V:-default)\`, \`$(V:+if set)\`, \`$(V:_if not set)\`,
\`$(V:?message)\`, \`$(V:|yes|no)\`, \`$(V:|glob|equal|not equal)\`, \`$(V:/regex/replacement/i)\`. Values in \`env_set\` are expanded too.

*Later*: accepted with a warning, without effect in this version.
`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function defaultOf({ default: value }: Directive): string {
  if (value === undefined) return '–';
  return `\`${typeof value === 'object' ? value.join(', ') : String(value)}\``;
}

function row(directive: Directive): string {
  const choices = directive.choices;
  const notes = [
    directive.expands ? '*env*' : '',
    choices === undefined || directive.kind === 'period' ? '' : `one of ${choices.join(', ')}`,
  ].filter((note) => note !== '');
  const summary = [directive.summary, ...notes].join('; ');
  return `| \`${directive.key}\` | ${defaultOf(directive)} | ${cell(summary)} |`;
}

/** Of the options that need a right besides that of their command. */
function furtherNeeds(): string {
  const needs = verbs.flatMap((verb) =>
    commandEntry(verb).options.flatMap((option) => {
      const more = neededWith(verb, (field) => field === fieldName(option)).filter(
        (action) => !neededWith(verb, () => false).includes(action),
      );
      return more.map((action) => `\`${verb} --${option.name}\` needs \`${action}\``);
    }),
  );
  return needs.join(', ');
}

function configurationPage(): string {
  const sections = (['settings', 'compat', 'inspect', 'metrics', 'service', 'logging'] as const).map((kind) =>
    [
      headings[kind],
      '',
      '| key | default | meaning |',
      '|---|---|---|',
      ...[...directives[kind].values()].map(row),
      '',
    ].join('\n'),
  );
  return [introduction, ...sections, controlNotes].join('\n');
}

const controlNotes = `## Who may control what

The status of the system and of its services is for everybody in the container. Everything else is for root, for the account that
chaperone itself has, and for the accounts that services run as by default (\`--user\`, and \`uid\` of the settings). \`control\` of the
settings opens more, to users, to groups and to everybody who reaches the socket:

\`\`\`yaml
settings:
  control:
    allow:
      users: { deploy: "restart, reload" }
      groups: { ops: all }
      everybody: logs
\`\`\`

Users and groups are names or numbers; one that does not exist is a mistake. Whose member somebody is, is asked of the process that
connects (SO_PEERGROUPS), not of /etc/group. Rights are \`all\` or any of: ${grantableActions.map((action) => `\`${action}\``).join(', ')}.
Options may need more:
${furtherNeeds()}. \`run\`
runs any command as chaperone's own account, so it is as good as \`all\`. The last line that a service wrote is part of \`logs\`. Of two
files with \`control\` the later one counts, as a whole. The FIFO is for chaperone's own account alone (mode 0600).
`;

function commandPage(): string {
  return `# chaperone\n\nGenerated from \`chaperone --help\` by \`npm run docs\`; do not edit.\n\n\`\`\`\n${helpText('chaperone', chaperone)}\`\`\`\n${commandNotes}`;
}

const commandNotes = `
\`--opt value\` and \`--opt=value\`; an option may be shortened as long as it stays unique (\`--create joe\`), and \`--inspect\`
takes its value only after \`=\`. Options end at the first word that is none.

\`_CHAP_OPTIONS\` is split into words as a shell does it, and supplies what the command line leaves out: options and the command. What
both give, the command line decides. \`--create-user\` beats \`--user\`, and \`--exitkills\` beats \`--no-exitkills\`, wherever they come from.

## A task

Under \`--task\` stdout belongs to the command: \`docker run IMAGE --task get-launcher > launcher.sh\` writes what the command prints and nothing
else. Chaperone logs nothing to stdout and stderr, also where the \`file\` of a \`.logging\` section is one of them (\`/dev/stdout\`); inspectors that
print (\`--inspect\`) print to stderr, and so do warnings about the configuration.

A terminal has one output for both. Where stderr is a terminal, a task shows no warnings about the configuration either: whatever else is on
the screen says why the command could not be run. The terminal ends lines with a carriage return; a command whose output a shell is to
read (\`docker run -t IMAGE --task get-launcher | sh\`) turns that off by \`stty -onlcr\`.

## Inspection

\`--inspect\` is \`--inspect=terminal\`; several kinds stand with commas between, or in several \`--inspect\`. A comma may stand in an
argument, too: only a word that is a kind begins another one (\`terminal:web,store,ws\` is a filter of two services and a WebSocket).
[What they are for](../guide/inspect.md).

| kind | does |
|---|---|
| \`terminal[:SERVICE,…]\` | each change of state on stdout, for people; of services only those that are named (names or globs) |
| \`json[:SERVICE,…]\` | the same, one JSON object a line |
| \`journal:FILE\` | writes everything to a file, to be replayed |
| \`ws[:[ADDRESS:]PORT]\` | a WebSocket that speaks the format of \`@statelyai/inspect\`, for its tools |
| \`web[:[ADDRESS:]PORT][,act]\` | [a page](../guide/inspect-page.md) to watch it all; with \`act\` it [may start and stop services](../guide/inspect-page.md#acting) |

Without a port the system chooses one; without an address it is 127.0.0.1. The URL, with a random token in it, is told on stderr and
in no log. What cannot be opened is a warning, and everything starts all the same.

## Configuration

A relative \`--config\` counts from the home of the user of \`--user\` or \`--create-user\`, else from \`/\`.

## Signals

| signal | means |
|---|---|
| SIGTERM, SIGQUIT, SIGPWR, SIGRTMIN+3 | end the system in order |
| SIGINT | the same, with exit status 130; a second one ends it at once |
| SIGHUP | reload the configuration, as \`chaperonectl reload\` does; what comes of it is in the log |
| SIGUSR1, SIGUSR2 | are logged, nothing else |

## Exit status

| the system ends | its exit status |
|---|---|
| by a signal, and a command or an \`exit_kills\` service was running | that one's: 143 where SIGTERM ended it, what its handler chose, 137 where it had to be killed |
| by a signal, without such a main program | 0; 130 after SIGINT |
| by \`telchap shutdown\` | 0, or the status of a service that had failed |
| because a command or an \`exit_kills\` service has ended | that one's; 127 where it is not found, 126 where it may not run |
| because a service with \`on_failure: shutdown\` has failed | that service's; 1 where chaperone had ended it |
| because everything has ended (\`detect_exit\`) | the command's; else that of the last service that has failed, unless it ignores failures; else 0 |
| because a service failed to start, programs are missing, or the configuration has mistakes | 1 |

A status is 128 + N where signal N ended the process, and 1 where nobody could tell how it ended. Where a service decides, the last lines
of stderr explain its failure.
`;

it.each([
  ['reference/configuration.md', configurationPage],
  ['reference/chaperone.md', commandPage],
] as const)('docs/%s says what the code does (else: npm run docs)', (name, render) => {
  const file = new URL(`../../docs/${name}`, import.meta.url);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, render());
  expect(readFileSync(file, 'utf8')).toBe(render());
});
