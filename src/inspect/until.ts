import { shortName } from '../model/service/service-spec.ts';
import { parseDuration } from '../model/words/duration.ts';
import type { Entry } from './entry.ts';

/** Where a replay ends. */
export type Until =
  /** ms since the boot: with the last entry that is not later. */
  | { readonly kind: 'time'; readonly at: number }
  /** With the entry of this number. */
  | { readonly kind: 'seq'; readonly seq: number }
  /** With the first event of this type. */
  | { readonly kind: 'event'; readonly type: string }
  /** As soon as the actor is in the state, or in one within it. */
  | { readonly kind: 'state'; readonly actor: string; readonly state: string };

/** Reads `1.5`, `500ms`, `2m` (time), `#418` (number), `unit.leaderExited` (event), `web:ready` (state); undefined where it is none. */
export function parseUntil(text: string): Until | undefined {
  const at = parseDuration(text);
  if (at !== undefined) return { kind: 'time', at };
  const [, seq] = /^#(\d+)$/.exec(text) ?? [];
  if (seq !== undefined) return { kind: 'seq', seq: Number(seq) };
  const [, actor, state] = /^([^:\s]+):([a-zA-Z.]+)$/.exec(text) ?? [];
  if (actor !== undefined && state !== undefined) return { kind: 'state', actor: shortName(actor), state };
  return /^[a-zA-Z][\w.]*$/.test(text) ? { kind: 'event', type: text } : undefined;
}

/** The entries up to that point, and whether it was reached: a replay until something that never happened goes to the end. */
export function entriesUntil(
  entries: readonly Entry[],
  until: Until,
): { readonly entries: readonly Entry[]; readonly reached: boolean } {
  const count = countUntil(entries, until);
  return { entries: entries.slice(0, count ?? entries.length), reached: count !== undefined };
}

function countUntil(entries: readonly Entry[], until: Until): number | undefined {
  switch (until.kind) {
    case 'time': {
      const later = entries.findIndex(({ at }) => at > until.at);
      return later === -1 ? undefined : later;
    }
    case 'seq':
      return through(entries.findIndex(({ seq }) => seq >= until.seq));
    case 'event':
      return through(
        entries.findIndex(
          (entry) =>
            (entry.type === '@xstate.event' || entry.type === '@xstate.snapshot') && entry.event.type === until.type,
        ),
      );
    case 'state':
      return through(stateIndex(entries, until.actor, until.state));
  }
}

function through(index: number): number | undefined {
  return index === -1 ? undefined : index + 1;
}

function stateIndex(entries: readonly Entry[], actor: string, state: string): number {
  return entries.findIndex((entry) => {
    if (entry.type !== '@chaperone.fact' || entry.fact.type !== 'moved') return false;
    const { fact } = entry;
    return shortName(fact.actor) === actor && (fact.to === state || fact.to.startsWith(`${state}.`));
  });
}
