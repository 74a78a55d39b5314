/** The keys of `chaperonectl top`, with their words for help and documentation. */

/** A key as it was pressed: a character, or the name of a key that has none. */
export type Key = string;

export interface KeyEntry {
  readonly keys: readonly Key[];
  /** How help shows the keys. */
  readonly shown: string;
  readonly deed: Deed;
  readonly words: string;
  /** True: the bottom line of a narrow terminal has it, too. */
  readonly foremost?: true;
}

export type Deed =
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'first'
  | 'last'
  | 'toggle'
  | 'restart'
  | 'reload'
  | 'log'
  | 'blocker'
  | 'status'
  | 'filter'
  | 'sort'
  | 'reverse'
  | 'back'
  | 'help'
  | 'quit';

export const keyTable: readonly KeyEntry[] = [
  { keys: ['s'], shown: 's', deed: 'toggle', words: 'start/stop', foremost: true },
  { keys: ['r'], shown: 'r', deed: 'restart', words: 'restart', foremost: true },
  { keys: ['R'], shown: 'R', deed: 'reload', words: 'reload' },
  { keys: ['l'], shown: 'l', deed: 'log', words: 'log', foremost: true },
  { keys: ['b'], shown: 'b', deed: 'blocker', words: 'what it waits for', foremost: true },
  { keys: ['return'], shown: 'enter', deed: 'status', words: 'status' },
  { keys: ['/'], shown: '/', deed: 'filter', words: 'filter', foremost: true },
  { keys: ['o'], shown: 'o', deed: 'sort', words: 'sort' },
  { keys: ['O'], shown: 'O', deed: 'reverse', words: 'reverse' },
  { keys: ['?'], shown: '?', deed: 'help', words: 'keys', foremost: true },
  { keys: ['q', 'ctrl+c'], shown: 'q', deed: 'quit', words: 'quit', foremost: true },
  { keys: ['up', 'k'], shown: '↑ k', deed: 'up', words: 'one service up' },
  { keys: ['down', 'j'], shown: '↓ j', deed: 'down', words: 'one service down' },
  { keys: ['pageUp'], shown: 'page up', deed: 'pageUp', words: 'ten services up' },
  { keys: ['pageDown', ' '], shown: 'page down, space', deed: 'pageDown', words: 'ten services down' },
  { keys: ['home', 'g'], shown: 'home g', deed: 'first', words: 'the first service' },
  { keys: ['end', 'G'], shown: 'end G', deed: 'last', words: 'the last service' },
  { keys: ['escape'], shown: 'esc', deed: 'back', words: 'back, and no filter' },
];

const deeds: ReadonlyMap<Key, Deed> = new Map(keyTable.flatMap(({ keys, deed }) => keys.map((key) => [key, deed])));

export function deedOf(key: Key): Deed | undefined {
  return deeds.get(key);
}
