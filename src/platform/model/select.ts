/** Which instances a command is about. */
import { alternatives, didYouMean } from '../../model/words/nearest.ts';
import { oneLine } from '../../model/words/printable.ts';
import { type InstanceKey, instanceKey } from './instance.ts';
import { isInstanceName } from './project.ts';
import type { RunEntry } from './run-entry.ts';

export interface Selection {
  /** `all`, containers and instances. */
  readonly words: readonly string[];
  readonly instance?: string;
  readonly group?: string;
}

interface Named {
  readonly container: string;
  readonly instance: string;
}

export type Selected<T> =
  | { readonly kind: 'selected'; readonly items: readonly T[] }
  | { readonly kind: 'mistake'; readonly message: string };

/** The existing items that the words name; a word that names none is a mistake. */
export function selectFrom<T extends Named>(
  items: readonly T[],
  { words, instance, group }: Selection,
  groupOf: (key: InstanceKey) => string | undefined,
): Selected<T> {
  const inGroup = (item: T): boolean => group === undefined || groupOf(instanceKey(item)) === group;
  const isInstance = (item: T): boolean => instance === undefined || item.instance === instance;
  const found = new Set<T>();
  for (const word of words.length === 0 ? ['all'] : words) {
    const named = items.filter((item) => word === 'all' || item.container === word || instanceKey(item) === word);
    const meant = named.filter((item) => inGroup(item) && isInstance(item));
    if (meant.length === 0 && word !== 'all')
      return { kind: 'mistake', message: unknown(word, items, { instance, group }) };
    for (const item of meant) found.add(item);
  }
  if (found.size === 0 && group !== undefined)
    return { kind: 'mistake', message: `no instance is of the group "${oneLine(group)}"` };
  if (found.size === 0 && instance !== undefined)
    return { kind: 'mistake', message: `there is no instance "${oneLine(instance)}"` };
  return { kind: 'selected', items: items.filter((item) => found.has(item)) };
}

function unknown(
  word: string,
  items: readonly Named[],
  { instance, group }: { readonly instance: string | undefined; readonly group: string | undefined },
): string {
  const names = [...new Set(items.flatMap((item) => [item.container, instanceKey(item)]))];
  const hint =
    didYouMean(word, names) ??
    (items.length === 0 ? 'there is none' : `there is ${alternatives(items.map(instanceKey))}`);
  const which = instance === undefined ? '' : ` "${oneLine(instance)}"`;
  const where = group === undefined ? '' : ` of the group "${oneLine(group)}"`;
  return `there is no instance${which} of "${oneLine(word)}"${where}: ${hint}`;
}

/**
 * The entries to run. A container of the project that no entry names gets an entry of its own: its instance is the one
 * that the command names, else `standard`.
 */
export function selectEntries(
  entries: readonly RunEntry[],
  selection: Selection,
  containers: ReadonlySet<string>,
): Selected<RunEntry> {
  const { words, instance } = selection;
  if (instance !== undefined && !isInstanceName(instance)) {
    return { kind: 'mistake', message: `no instance can have the name "${oneLine(instance)}"` };
  }
  const added = words
    .filter((word) => containers.has(word))
    .filter(
      (word) => !entries.some((entry) => entry.container === word && entry.instance === (instance ?? entry.instance)),
    )
    .map((word) => entryOf(word, instance ?? 'standard'));
  const all = [...entries, ...added];
  if (all.length === 0) return { kind: 'mistake', message: 'there is no run.conf, so a container has to be named' };
  return selectFrom(all, selection, (key) => all.find((entry) => instanceKey(entry) === key)?.group);
}

function entryOf(container: string, instance: string): RunEntry {
  return { container, instance, sleep: 0, links: [], env: {}, volumes: [], dependsOn: [] };
}
