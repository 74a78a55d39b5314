/** The state that all views share: the recording, the instant, the selection. */
import { batch, computed, signal } from '@preact/signals';
import type { PublicState } from '../../model/service/public-state.ts';
import type { Entry } from '../entry.ts';
import { bootOver, readyTime } from '../replica.ts';
import { graphOf, type Instant, instantOf } from './instant.ts';
import { type Place, parsePlace, renderPlace, type View } from './link.ts';
import type { Sort } from './order.ts';
import { Recording } from './recording.ts';
import { type Domain, domainOf, type Zoom } from './scale.ts';

export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** `since` is the Unix time of the loss in ms. */
  | { readonly kind: 'lost'; readonly since: number }
  | { readonly kind: 'refused'; readonly reason: string }
  /** No entry will follow: the source is a journal, or the boot has ended. */
  | { readonly kind: 'complete' };

export const recording = new Recording();
/** Raised by every batch of entries. */
export const version = signal(0);
export const connection = signal<Connection>({ kind: 'connecting' });
/** The number of entries that are shown; undefined: all, also those that arrive later. */
export const cursor = signal<number | undefined>(undefined);
/** The shown instant between the last shown entry and the next one, in ms; undefined: that of the last shown entry. */
const cursorTime = signal<number | undefined>(undefined);
export const selection = signal<string | undefined>(undefined);
/** The actor that the user chose for the chart; undefined: that of the selected service, or the system's. */
export const actorChoice = signal<string | undefined>(undefined);
/** The incident whose services are lit in the graph and on the timeline. */
export const incidentChoice = signal<{ readonly service: string; readonly at: number } | undefined>(undefined);
export const view = signal<View>('timeline');
/** What of the time the user has zoomed to; undefined: all of it. */
export const zoomed = signal<Zoom | undefined>(undefined);
/** The order of the timeline's rows, and whether services in trouble stand above all others. */
export const sort = signal<Sort>('order');
export const troubleFirst = signal(true);
/** Only services in these states have a row on the timeline; none: all. */
export const shownStates = signal<readonly PublicState[]>([]);
/** What the user looks for in the log. */
export const wantedLines = signal('');
/** The id of the boot that this one is compared with. */
export const otherBoot = signal<string | undefined>(undefined);
/** False: B is the boot that the page was opened for. */
export const swapped = signal(false);
/** How long two compared boots took, and what is recorded of them, in ms; undefined while there are no two. */
export const comparedTimes = signal<{ readonly over: number; readonly last: number } | undefined>(undefined);
export const wallClock = signal(false);
export const search = signal('');
export const helpShown = signal(false);
/** The present time in ms since chaperone began, estimated from the last entry that arrived. */
export const now = signal(0);
/** The text that a screen reader announces. */
export const announcement = signal('');

let heard: { readonly at: number; readonly clock: number } | undefined;

/** The time of chaperone in ms, as far as this page has heard of it. */
function heardNow(): number {
  return heard === undefined ? 0 : heard.at + (performance.now() - heard.clock);
}

/** True where the time was heard after the last entries: it may be that of another boot. */
let isFresh = false;

/** Hears the time of chaperone, which goes on when nothing happens, too. */
export function hearClock(at: number): void {
  heard = { at, clock: performance.now() };
  isFresh = true;
  tick();
}

const graph = computed(() => {
  version.value;
  return graphAt(recording.configuration);
});

let graphMemo: { readonly configuration: number; readonly graph: ReturnType<typeof graphOf> } | undefined;

function graphAt(configuration: number): ReturnType<typeof graphOf> {
  if (graphMemo?.configuration !== configuration)
    graphMemo = { configuration, graph: graphOf(recording.services.values()) };
  return graphMemo.graph;
}

/** The state after the shown entries, at the time of the last one. */
const shownState = computed<Instant>(() => {
  const paused = cursor.value;
  if (paused === undefined) version.value;
  const count = Math.min(paused ?? recording.entries.length, recording.entries.length);
  return instantOf(recording.after(count), count, recording.services, graph.value);
});

/** The instant that every view shows: while the page follows a running system, its time goes on when nothing happens, too. */
export const instant = computed<Instant>(() => {
  const shown = shownState.value;
  const at = cursor.value === undefined ? now.value : (cursorTime.value ?? shown.at);
  return at <= shown.at ? shown : { ...shown, at };
});

/** The scrubber's instant in ms: that of the shown entries, or the present time while the page follows. */
export const cursorAt = computed(() => instant.value.at);

export const live = computed(() => connection.value.kind === 'live' || connection.value.kind === 'connecting');

/** The newest known instant in ms. */
export const lastKnown = computed(() => {
  version.value;
  return Math.max(now.value, recording.lastAt);
});

/** The times that the time axis shows. */
export const domain = computed<Domain>(() => {
  version.value;
  const compared = view.value === 'compare' ? comparedTimes.value : undefined;
  if (compared !== undefined) return domainOf(zoomed.value ?? { kind: 'boot' }, compared.over, compared.last, false);
  return domainOf(zoomed.value, bootOver(recording.head), lastKnown.value, live.value);
});

/** When the system was up, as far as that is known at the shown instant. */
export const readyAt = computed(() => readyTime(instant.value.replica));

/** The services whose names contain the searched text, in the order of the configuration. */
export const foundServices = computed<readonly string[]>(() => {
  version.value;
  const wanted = search.value.trim().toLowerCase();
  return namesInOrder().filter((name) => wanted === '' || name.toLowerCase().includes(wanted));
});

let orderMemo: { readonly configuration: number; readonly names: readonly string[] } | undefined;

function namesInOrder(): readonly string[] {
  if (orderMemo?.configuration !== recording.configuration)
    orderMemo = { configuration: recording.configuration, names: graphAt(recording.configuration).names };
  return orderMemo.names;
}

let waiting: Entry[] = [];
let flushing: ReturnType<typeof setTimeout> | undefined;
/** ms between two redraws; the time is longer while many entries arrive, since reading them goes before drawing them. */
const patience = 60;
const longPatience = 400;
const much = 1_000;

export function receive(entries: readonly Entry[]): void {
  for (const entry of entries) waiting.push(entry);
  flushing ??= setTimeout(flush, waiting.length > much ? longPatience : patience);
}

/** Adds the entries that have arrived to the recording at once. */
export function flush(): void {
  clearTimeout(flushing);
  flushing = undefined;
  if (waiting.length === 0) return;
  const entries = waiting;
  waiting = [];
  const before = recording.boot?.boot;
  const at = cursor.value === undefined ? undefined : recording.entries[cursor.value - 1]?.seq;
  recording.append(entries);
  const known = isFresh || before === recording.boot?.boot ? heardNow() : 0;
  heard = { at: Math.max(recording.lastAt, known), clock: performance.now() };
  isFresh = false;
  batch(() => {
    if (before !== undefined && before !== recording.boot?.boot) {
      cursor.value = undefined;
      zoomed.value = undefined;
      announcement.value = 'Another boot has begun.';
    } else if (at !== undefined) {
      // The recording may have dropped its oldest entries; the cursor stays at the same instant.
      cursor.value = Math.max(1, recording.countOfSeq(at));
    }
    tick();
    version.value += 1;
    restorePlace();
  });
}

/** Lets the present time go on while the page is connected to a running system; without a connection it stands still. */
export function tick(): void {
  if (recording.end !== undefined || connection.value.kind === 'complete') now.value = recording.lastAt;
  else if (live.value) now.value = Math.max(recording.lastAt, heardNow());
}

export function goTo(count: number | undefined): void {
  batch(() => {
    cursor.value = count === undefined ? undefined : Math.max(1, Math.min(count, recording.entries.length));
    cursorTime.value = undefined;
  });
}

/** Among so many entries behind a fact stands the step that it was told in. */
const mostBehindFact = 20;

/**
 * Goes to the instant at which the system was up, unless the address or the user has chosen another one: what a recording is opened for is
 * the boot, and its end shows services that have stopped.
 */
function openAtUp(): void {
  const up = recording.head.system.segments.find(({ state }) => state === 'up');
  if (up === undefined || cursor.value !== undefined) return;
  const count = recording.countOfSeq(up.seq);
  // The machine's own step is told right behind the fact.
  const { sessionId } = recording.head.system;
  const step = recording.entries
    .slice(count, count + mostBehindFact)
    .findIndex((entry) => entry.type === '@xstate.snapshot' && entry.sessionId === sessionId);
  goTo(count + step + 1);
}

/** Nothing follows the entries that have arrived. */
export function noteComplete(): void {
  batch(() => {
    connection.value = { kind: 'complete' };
    flush();
    tick();
    // An instant behind the last entry is reached now, also where a flush before has left no entry to this one.
    restorePlace();
    openAtUp();
  });
}

/** Goes to the last entry that is not later than an instant, in ms. */
export function goToTime(at: number): void {
  batch(() => {
    goTo(recording.countAt(at));
    cursorTime.value = Math.min(at, Math.max(now.value, recording.lastAt));
  });
}

export function goToIndex(index: number): void {
  goTo(index + 1);
}

/** Goes one entry forwards or back; with `own`, only entries about the selected service count. */
export function stepBy(by: 1 | -1, own: boolean): void {
  const at = cursor.value ?? recording.entries.length;
  const name = selection.value;
  if (!own || name === undefined) {
    goTo(at + by);
    return;
  }
  for (let count = at + by; count >= 1 && count <= recording.entries.length; count += by)
    if (concerns(count - 1, name)) {
      goTo(count);
      return;
    }
}

/** True where an entry is about a service. */
export function concerns(index: number, service: string): boolean {
  const entry = recording.entries[index];
  switch (entry?.type) {
    case '@xstate.event':
    case '@xstate.snapshot':
      return recording.actors.get(entry.sessionId)?.service === service;
    case '@xstate.actor':
    case '@chaperone.log':
      return entry.service === service;
    default:
      return false;
  }
}

export function select(name: string | undefined): void {
  batch(() => {
    if (selection.value !== name) {
      actorChoice.value = undefined;
      incidentChoice.value = undefined;
    }
    selection.value = name;
  });
}

export function chooseIncident({ service, at }: { readonly service: string; readonly at: number }): void {
  batch(() => {
    select(service);
    incidentChoice.value = { service, at };
  });
}

export function show(name: View): void {
  view.value = name;
}

/** The instant in the page's address, until its entry has arrived. */
const wanted = signal(typeof location === 'undefined' ? undefined : parsePlace(location.hash));

/** Goes to the instant in the page's address once its entry has arrived. */
function restorePlace(): void {
  const place = wanted.value;
  if (place === undefined || recording.boot === undefined) return;
  const { t, event, service, actor } = place;
  if (service !== undefined && recording.services.has(service)) selection.value = service;
  if (actor !== undefined && recording.actors.has(actor)) actorChoice.value = actor;
  if (t !== undefined) {
    // The entry may not have arrived yet.
    if (recording.lastAt < t && live.value) return;
    const count = event === undefined ? 0 : recording.countOfSeq(event);
    // Several entries may have the same millisecond; behind the last of them the address means the instant, not an entry.
    if (count > 0 && count < recording.countAt(t)) goTo(count);
    else goToTime(t);
  }
  wanted.value = undefined;
}

export function openPlace(hash: string): void {
  const place = parsePlace(hash);
  wanted.value = place;
  batch(() => {
    if (place.t === undefined) goTo(undefined);
    selection.value = place.service;
    actorChoice.value = place.actor;
    showAs(place);
    restorePlace();
  });
}

/** Shows what an address says of the views: that needs no entries. */
function showAs(place: Place): void {
  view.value = place.view;
  zoomed.value = place.zoom;
  sort.value = place.sort;
  troubleFirst.value = place.troubleFirst;
  shownStates.value = place.states;
  search.value = place.find;
  wantedLines.value = place.lines;
  wallClock.value = place.wallClock;
  otherBoot.value = place.other;
  swapped.value = place.swapped;
}

const opened = wanted.peek();
if (opened !== undefined) showAs(opened);

/** The address of what the page shows; undefined until the page has reached the instant of the address that it was opened with. */
export const placeHash = computed<string | undefined>(() => {
  const paused = cursor.value;
  const last = paused === undefined ? undefined : recording.entries[paused - 1];
  const service = selection.value;
  const actor = actorChoice.value;
  const zoom = zoomed.value;
  const other = otherBoot.value;
  const text = renderPlace({
    view: view.value,
    sort: sort.value,
    troubleFirst: troubleFirst.value,
    states: shownStates.value,
    find: search.value.trim(),
    lines: wantedLines.value.trim(),
    wallClock: wallClock.value,
    swapped: swapped.value,
    ...(zoom === undefined ? {} : { zoom }),
    ...(other === undefined ? {} : { other }),
    ...(last === undefined ? {} : { t: cursorTime.value ?? last.at, event: last.seq }),
    ...(service === undefined ? {} : { service }),
    ...(actor === undefined ? {} : { actor }),
  });
  return wanted.value === undefined ? text : undefined;
});

/** Shows only services in this state, too, or no longer. */
export function toggleState(state: PublicState): void {
  const known = shownStates.value;
  shownStates.value = known.includes(state) ? known.filter((other) => other !== state) : [...known, state];
}

/** The actor whose chart is shown. */
export const chartActor = computed<string | undefined>(() => {
  const { replica } = instant.value;
  const chosen = actorChoice.value;
  if (chosen !== undefined && recording.actors.has(chosen)) return chosen;
  const service = selection.value;
  return service === undefined ? replica.system.sessionId : replica.services.get(service)?.sessionId;
});
