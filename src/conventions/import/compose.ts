/** A file of Compose: its services, put into one container. */
import { parseYaml, type YamlEntry, type YamlNode } from '../../config/parse-yaml.ts';
import { createSource, type Place } from '../../config/source.ts';
import { describeSyntax } from '../../config/yaml-mistakes.ts';
import { parseSignal } from '../../model/service/signal.ts';
import { joinWords, literal, type Remark, variableMark } from '../draft.ts';
import { splitShlex } from '../supervisord/words.ts';
import { serviceName, type Written } from '../written.ts';
import { Drafting } from './drafting.ts';
import type { ImportContext, Imported } from './imported.ts';

interface ComposeContext {
  readonly drafting: Drafting;
  /** All services by their names. */
  readonly all: ReadonlyMap<string, Drafting>;
  /** Services whose success others wait for. */
  readonly awaited: Set<Drafting>;
  /** The words of `entrypoint` and `command`, by service. */
  readonly words: Map<Drafting, CommandWords>;
}

/** `entrypoint` stands before `command`. */
interface CommandWords {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly place: Place;
}

type Handler = (node: YamlNode, context: ComposeContext, entry: YamlEntry) => void;

export function importCompose(path: string, { attempt, report }: ImportContext): Imported {
  const text = attempt(path, (reader) => reader.read(path)) ?? '';
  const roots = parseYaml(createSource(path, text), report, { describeSyntax, foreignFile: () => undefined }) ?? [];
  const remarks: Remark[] = [];
  const entries = roots.flatMap((root) => (root.kind === 'map' ? root.entries : []));
  const services = entries.find(({ key }) => key.text === 'services')?.value;
  const all = new Map<string, Drafting>();
  const awaited = new Set<Drafting>();
  const words = new Map<Drafting, CommandWords>();
  const found = services?.kind === 'map' ? services.entries : [];
  for (const { key } of found) all.set(key.text, new Drafting(serviceName(key.text), key.place));
  for (const { key, value } of found) {
    const drafting = all.get(key.text);
    if (drafting === undefined || value.kind !== 'map') continue;
    for (const entry of value.entries) apply(entry, { drafting, all, awaited, words });
    complete(drafting, words.get(drafting), value.entries);
  }
  // The failure of a service does not end those beside it, unless these wait for its success.
  for (const drafting of all.values())
    if (!awaited.has(drafting))
      drafting.set('ignore_failures', true, drafting.place, 'a failure does not end the others');
  for (const { key } of entries)
    if (!/^(?:services|version|name|x-.*)$/.test(key.text))
      remarks.push({
        message: `${key.text} has no counterpart: it is for the program that runs containers`,
        place: key.place,
      });
  if (found.length > 1)
    remarks.push({ message: 'services reach each other at localhost, not at their names', place: found[0]?.key.place });
  const drafts = [...all.values()].map((drafting) => drafting.finish());
  return { drafts, remarks: [...remarks, ...[...all.values()].flatMap((drafting) => drafting.remarks)], files: [path] };
}

function apply(entry: YamlEntry, context: ComposeContext): void {
  const { key, value } = entry;
  const handler = handlers.get(key.text);
  if (handler !== undefined) handler(value, context, entry);
  else if (!key.text.startsWith('x-'))
    context.drafting.remark(
      `${key.text} of ${context.drafting.name} has no counterpart: it is for the program that runs containers`,
      key.place,
    );
}

/** Compose's variables become marks of chaperone's forms; `$$` is a dollar. */
function marked(text: string): string {
  return text.replace(
    /\$\$|\$\{([A-Za-z_]\w*)(?:(:?[-+?])([^{}]*))?\}|\$([A-Za-z_]\w*)/g,
    (whole, braced?: string, operator = '', operand = '', bare?: string) => {
      if (whole === '$$') return '$';
      const sign = String(operator).slice(-1);
      return variableMark(`${braced ?? bare}:${sign === '' ? '-' : sign}${operand}`);
    },
  );
}

function textOf(text: string): string {
  return literal(marked(text));
}

function scalarText(node: YamlNode): string {
  return node.kind === 'scalar' ? textOf(node.text) : '';
}

function texts(node: YamlNode): readonly string[] {
  if (node.kind === 'list') return node.items.map(scalarText);
  return node.kind === 'scalar' && !node.isNull ? [scalarText(node)] : [];
}

/** A command as a list of words, or as text that is split as a shell would; variables are marks. */
function wordsOf(node: YamlNode): readonly string[] {
  if (node.kind === 'list') return node.items.map((item) => (item.kind === 'scalar' ? marked(item.text) : ''));
  if (node.kind !== 'scalar' || node.isNull) return [];
  const split = splitShlex(node.text);
  return split.ok ? split.words.map(marked) : [marked(node.text)];
}

const command =
  (key: 'entrypoint' | 'command'): Handler =>
  (node, { drafting, words }) => {
    const before = words.get(drafting) ?? { entrypoint: [], command: [], place: node.place };
    words.set(drafting, { ...before, [key]: wordsOf(node) });
  };

const environment: Handler = (node, { drafting }, { key }) => {
  const pairs =
    node.kind === 'map'
      ? node.entries.map(
          ({ key: name, value }) =>
            [name.text, value.kind === 'scalar' && value.isNull ? undefined : scalarText(value)] as const,
        )
      : texts(node).map((text) => {
          const [name = '', ...rest] = text.split('=');
          return [name, rest.length === 0 ? undefined : rest.join('=')] as const;
        });
  // A name without a value is that of the caller, and inherited.
  const given = pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  if (given.length > 0) drafting.merge('env_set', Object.fromEntries(given), key.place);
};

const conditions: Readonly<Record<string, string>> = {
  service_started: ':started',
  service_healthy: ':healthy',
  service_completed_successfully: ':exited',
};

const dependsOn: Handler = (node, { drafting, all, awaited }) => {
  const wanted =
    node.kind === 'map'
      ? node.entries.map(({ key, value }) => ({ name: key.text, place: key.place, value }))
      : texts(node).map((name) => ({ name, place: node.place, value: undefined }));
  for (const { name, place, value } of wanted) {
    const other = all.get(name);
    if (other === undefined) {
      drafting.remark(`depends_on names ${name}, which is not there`, place);
      continue;
    }
    const inner = (key: string): string | undefined => {
      const found = value?.kind === 'map' ? value.entries.find((entry) => entry.key.text === key)?.value : undefined;
      return found?.kind === 'scalar' ? found.text : undefined;
    };
    const stage = conditions[inner('condition') ?? 'service_started'] ?? ':started';
    if (stage === ':exited') asOneshot(other);
    if (stage !== ':started') awaited.add(other);
    // A oneshot is ready when it has ended well.
    const reference = `${other.name}${stage === ':exited' ? '' : stage}`;
    if (inner('restart') === 'true') {
      drafting.add('requires', [reference], place);
      drafting.set('on_prerequisite_restart', 'restart', place);
    } else {
      drafting.add(inner('required') === 'false' ? 'wants' : 'after', [reference], place);
    }
  }
};

function asOneshot(other: Drafting): void {
  other.set('type', 'oneshot', other.place, 'another service waits for its end');
  other.set('process_timeout', '10000h', other.place, 'Compose waits for it as long as it takes');
}

const healthcheck: Handler = (node, { drafting }) => {
  const written = writtenNode(node);
  if (written !== undefined) drafting.set('healthcheck', written, node.place);
};

function writtenNode(node: YamlNode): Written | undefined {
  switch (node.kind) {
    case 'scalar':
      return node.isNull
        ? undefined
        : node.plain && /^(?:true|false|\d+)$/.test(node.text)
          ? plainValue(node.text)
          : scalarText(node);
    case 'list':
      return node.items.flatMap((item) => writtenNode(item) ?? []);
    case 'map':
      return Object.fromEntries(
        node.entries.flatMap(({ key, value }) => {
          const inner = writtenNode(value);
          return inner === undefined ? [] : [[key.text, inner] as const];
        }),
      );
  }
}

function plainValue(text: string): Written {
  return text === 'true' || text === 'false' ? text === 'true' : Number(text);
}

const restart: Handler = (node, { drafting }) => {
  const [mode = '', count] = scalarText(node).split(':');
  if (mode === 'no' || mode === '') return;
  drafting.set('restart', count === undefined ? mode : `${mode}:${count}`, node.place);
  drafting.set('restart_on_start_failure', true, node.place);
  drafting.set('restart_delay', '100ms', node.place, 'as Docker begins');
  drafting.set('restart_backoff', 2, node.place);
  if (count === undefined) drafting.set('restart_limit', 'unlimited', node.place);
};

const user: Handler = (node, { drafting }) => {
  const [name = '', group] = scalarText(node).split(/:(?!-)/);
  drafting.set('uid', name, node.place);
  if (group !== undefined) drafting.set('gid', group, node.place);
};

const copied =
  (key: string): Handler =>
  (node, { drafting }) =>
    drafting.set(key, scalarText(node), node.place);

const listed =
  (key: string): Handler =>
  (node, { drafting }) =>
    drafting.add(key, texts(node), node.place);

const signal: Handler = (node, { drafting }) => {
  const name = parseSignal(scalarText(node));
  if (name === undefined) drafting.remark(`stop_signal ${scalarText(node)} is not known`, node.place);
  else drafting.set('kill_signal', name, node.place);
};

const ulimits: Handler = (node, { drafting }) => {
  if (node.kind !== 'map') return;
  const number = (text: string): string => (text === '-1' ? 'unlimited' : text);
  for (const { key, value } of node.entries) {
    const bound = (name: string): string => {
      const inner = value.kind === 'map' ? value.entries.find((entry) => entry.key.text === name)?.value : undefined;
      return inner?.kind === 'scalar' ? number(inner.text) : 'unlimited';
    };
    const text = value.kind === 'scalar' ? number(value.text) : `${bound('soft')}:${bound('hard')}`;
    drafting.merge('limits', { [key.text]: text }, key.place);
  }
};

const envFile: Handler = (node, { drafting }) => {
  for (const item of node.kind === 'list' ? node.items : [node]) {
    const inner = (key: string): string | undefined => {
      const found = item.kind === 'map' ? item.entries.find((entry) => entry.key.text === key)?.value : undefined;
      return found?.kind === 'scalar' ? found.text : undefined;
    };
    const path = item.kind === 'map' ? inner('path') : scalarText(item);
    if (path === undefined) continue;
    const { file } = item.place.source;
    const absolute = path.startsWith('/')
      ? path
      : `${file.slice(0, file.lastIndexOf('/'))}/${path.replace(/^\.\//, '')}`;
    drafting.add('env_file', [`${inner('required') === 'false' ? '-' : ''}${absolute}`], item.place);
  }
};

const nothing: Handler = () => undefined;

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['command', command('command')],
  ['entrypoint', command('entrypoint')],
  ['environment', environment],
  ['env_file', envFile],
  ['depends_on', dependsOn],
  ['healthcheck', healthcheck],
  ['restart', restart],
  ['stop_grace_period', copied('stop_timeout')],
  ['stop_signal', signal],
  ['user', user],
  ['working_dir', copied('directory')],
  ['ulimits', ulimits],
  ['group_add', listed('supplementary_groups')],
  ['oom_score_adj', copied('oom_score_adjust')],
  ['cpuset', copied('cpu_affinity')],
  ['init', nothing],
]);

/** A service without a command runs the command of its image, which an import cannot know. */
function complete(drafting: Drafting, words: CommandWords | undefined, entries: readonly YamlEntry[]): void {
  const all = [...(words?.entrypoint ?? []), ...(words?.command ?? [])];
  if (all.length === 0) {
    drafting.set('command', 'false', drafting.place, 'write the command of its image here');
    drafting.set('enabled', false, drafting.place);
    drafting.remark(
      `the command of ${drafting.name} is that of its image: write it in its section, and take "enabled" away`,
      drafting.place,
    );
  } else {
    const hasEntrypoint = (words?.entrypoint.length ?? 0) > 0;
    drafting.set('command', literal(joinWords(all)), words?.place);
    if (!hasEntrypoint) drafting.comments.push('where its image has an ENTRYPOINT, that stands before the command');
  }
  if (entries.some(({ key }) => key.text === 'profiles'))
    drafting.set('enabled', false, drafting.place, 'it has profiles');
}
