/** The boot that is shown beside the one that the page was opened for: another one of the journal, or of a file that the user chooses. */
import { batch, computed, effect, signal } from '@preact/signals';
import { type BootDiff, defaultTolerance, diffBoots } from '../boot-diff.ts';
import { reportOfReplica } from '../boot-report.ts';
import { type Entry, isReadable } from '../entry.ts';
import { isKnownVersion, type JournalBoot, JournalReader, versionText } from '../journal-reader.ts';
import { applyEntry, bootOver, createReplica, type Replica } from '../replica.ts';
import { comparedTimes, connection, otherBoot, recording, swapped, version, view } from './store.ts';
import { duration } from './words.ts';

/** A boot that can be chosen. */
export interface Choice {
  readonly boot: string;
  /** Unix ms. */
  readonly epoch: number;
  readonly number: number;
  readonly file: string;
  /** Loads its entries. */
  readonly load: () => Promise<readonly Entry[]>;
}

export type Other =
  | { readonly kind: 'none' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'wrong'; readonly reason: string }
  | { readonly kind: 'here'; readonly replica: Replica };

/** The boots that can be chosen: those of the server first. */
export const choices = signal<readonly Choice[]>([]);
export const other = signal<Other>({ kind: 'none' });

/** Asks the server which boots it has. A page that is one file has none. */
export async function findBoots(): Promise<void> {
  const response = await fetch('boots', { cache: 'no-store', credentials: 'omit' }).catch(() => undefined);
  if (response?.ok !== true) return;
  const list: readonly Omit<Choice, 'load'>[] = await response.json();
  addChoices(list.map((choice, index) => ({ ...choice, load: () => loadBoot(index) })));
}

async function loadBoot(index: number): Promise<readonly Entry[]> {
  const response = await fetch(`boot?index=${index}`, { cache: 'no-store', credentials: 'omit' });
  const text = await response.text();
  if (!response.ok) throw new Error(text.split('\n')[1] || 'the server does not send it');
  const lines = text.split('\n').filter((line) => line !== '');
  return JSON.parse(`[${lines.join(',')}]`);
}

function addChoices(more: readonly Choice[]): void {
  choices.value = [...choices.value, ...more];
}

/** Reads a journal from the user's own files; the last boot in it is shown. */
export async function openJournal(file: File): Promise<void> {
  other.value = { kind: 'loading' };
  const boots: JournalBoot[] = [];
  const reader = new JournalReader((boot) => boots.push(boot));
  const stream = file.stream().getReader();
  for (;;) {
    const { done, value } = await stream.read();
    if (done) break;
    reader.push(value);
  }
  reader.end();
  const readable = boots.filter(isKnownVersion);
  const last = readable.at(-1);
  if (last === undefined) {
    const [first] = boots;
    const reason = first === undefined ? 'it is no journal' : `its journal has ${versionText(first)}`;
    other.value = { kind: 'wrong', reason: `${file.name} cannot be read: ${reason}.` };
    return;
  }
  batch(() => {
    addChoices(
      readable.map(({ entry, number, entries }) => ({
        ...{ boot: entry.boot, epoch: entry.epoch, number, file: file.name },
        load: () => Promise.resolve(entries),
      })),
    );
    otherBoot.value = last.entry.boot;
  });
}

let loaded: string | undefined;

// The boot that the address or the user names is loaded once it is known where from.
effect(() => {
  const wanted = otherBoot.value;
  const choice = choices.value.findLast(({ boot }) => boot === wanted);
  if (wanted === undefined || view.value !== 'compare') return;
  if (choice === undefined) {
    if (loaded !== wanted) other.value = { kind: 'wrong', reason: 'That boot is not at hand: choose its journal.' };
    return;
  }
  if (loaded === wanted) return;
  loaded = wanted;
  other.value = { kind: 'loading' };
  choice.load().then(
    (entries) => show(wanted, entries),
    (error: unknown) => fail(wanted, error instanceof Error ? error.message : String(error)),
  );
});

function show(boot: string, entries: readonly Entry[]): void {
  if (otherBoot.value !== boot) return;
  const [first] = entries;
  if (first?.type !== '@chaperone.boot' || !isReadable(first)) {
    fail(boot, 'It comes from another version of chaperone.');
    return;
  }
  const replica = createReplica();
  for (const entry of entries) applyEntry(replica, entry);
  other.value = { kind: 'here', replica };
}

function fail(boot: string, reason: string): void {
  if (otherBoot.value !== boot) return;
  loaded = undefined;
  other.value = { kind: 'wrong', reason };
}

/** Two boots; B is the one that the page was opened for, unless the user has exchanged them. */
export interface Pair {
  readonly a: Replica;
  readonly b: Replica;
  readonly difference: BootDiff;
}

/** ms between two comparisons while a system goes on. */
const pause = 1_000;

let made: { readonly key: string; readonly at: number; readonly pair: Pair } | undefined;

/** The two boots and what differs, in the words of `replay --diff`. */
export const pair = computed<Pair | undefined>(() => {
  version.value;
  const here = other.value;
  if (here.kind !== 'here' || recording.boot === undefined) return undefined;
  const ends = connection.value.kind === 'complete' || recording.end !== undefined;
  const key = `${otherBoot.value} ${recording.boot.boot} ${swapped.value} ${ends ? recording.lastSeq : ''}`;
  const fresh = made !== undefined && (ends || performance.now() - made.at < pause);
  if (made?.key === key && fresh) return made.pair;
  const [a, b] = swapped.value ? [recording.head, here.replica] : [here.replica, recording.head];
  const difference = diffBoots(reportOfReplica(a), reportOfReplica(b), defaultTolerance, duration);
  made = { key, at: performance.now(), pair: { a, b, difference } };
  return made.pair;
});

// The time axis shows both boots.
effect(() => {
  const both = pair.value;
  comparedTimes.value =
    both === undefined
      ? undefined
      : { over: Math.max(endOfBoot(both.a), endOfBoot(both.b)), last: Math.max(both.a.at, both.b.at) };
});

function endOfBoot(replica: Replica): number {
  return bootOver(replica) ?? replica.at;
}
