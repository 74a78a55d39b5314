/**
 * A recorded boot in the Trace Event Format, which Perfetto (https://ui.perfetto.dev) and chrome://tracing open: a track for each service
 * with the states that it was in, an arrow from each service that let another one go, and tracks for the critical chain and for
 * what failed.
 */
import { criticalChain, endOfStart, remarksOf } from '../facts/critical-chain.ts';
import { renderIncident } from '../facts/incidents.ts';
import { Transitions } from '../facts/transitions.ts';
import { shortName } from '../model/service/service-spec.ts';
import type { Entry } from './entry.ts';
import { linesIn, recordedIncidents } from './recorded-incidents.ts';
import { applyEntry, bootOver, createReplica, type Replica, startsOf, type Track } from './replica.ts';

/** Times in µs. */
export interface TraceEvent {
  readonly ph: 'M' | 'X' | 'i' | 's' | 'f' | 'b' | 'e';
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: number;
  readonly cat?: string;
  /** `e`: an arrow ends at the slice in which it ends. */
  readonly bp?: 'e';
  readonly s?: 't';
  readonly args?: Readonly<Record<string, string | number>>;
}

export interface Trace {
  readonly traceEvents: readonly TraceEvent[];
  readonly displayTimeUnit: 'ms';
  readonly otherData: Readonly<Record<string, string>>;
}

/** The one process of the trace. */
const pid = 1;
/** The tracks above those of the services. */
const chainTrack = 1;
const systemTrack = 2;
const firstService = 3;

export function traceOf(entries: readonly Entry[]): Trace {
  const replica = createReplica();
  const transitions = new Transitions();
  /** What each move means, by the number of its entry. */
  const words = new Map<number, string>();
  for (const entry of entries) {
    applyEntry(replica, entry);
    if (entry.type === '@chaperone.boot' || entry.type === '@chaperone.reload') transitions.configure(entry.services);
    if (entry.type !== '@chaperone.fact') continue;
    for (const line of transitions.take(entry.fact))
      if (line.kind === 'transition') words.set(entry.seq, line.transition.detail);
  }
  const services = [...replica.services.values()];
  const trackOf = new Map(services.map(({ name }, index) => [name, firstService + index]));
  const { boot } = replica;
  return {
    traceEvents: [
      named('process_name', 0, `chaperone on ${boot?.hostname ?? ''}`),
      ...track(chainTrack, 'critical chain'),
      ...track(systemTrack, 'system'),
      ...services.flatMap(({ name }) => track(trackOf.get(name) ?? 0, shortName(name))),
      ...chainSlices(replica),
      ...incidentSlices(replica, entries),
      ...stays(replica.system, systemTrack, replica.at, words),
      ...services.flatMap((service) => stays(service, trackOf.get(service.name) ?? 0, replica.at, words)),
      ...releases(services, trackOf),
      ...instants(entries, trackOf),
    ],
    displayTimeUnit: 'ms',
    otherData: {
      boot: boot?.boot ?? '',
      began: new Date(boot?.epoch ?? 0).toISOString(),
      hostname: boot?.hostname ?? '',
      chaperone: boot?.chaperone ?? '',
      ...(replica.lost === 0 ? {} : { missing: `${replica.lost} entries` }),
    },
  };
}

function named(name: string, tid: number, text: string): TraceEvent {
  return { ph: 'M', pid, tid, name, args: { name: text } };
}

function track(tid: number, name: string): readonly TraceEvent[] {
  return [named('thread_name', tid, name), { ph: 'M', pid, tid, name: 'thread_sort_index', args: { sort_index: tid } }];
}

function micro(ms: number): number {
  return Math.round(ms * 1000);
}

function slice(tid: number, name: string, from: number, to: number, args: TraceEvent['args'] = {}): TraceEvent {
  return { ph: 'X', pid, tid, name, ts: micro(from), dur: Math.max(0, micro(to) - micro(from)), args };
}

function stays(
  { segments }: Track,
  tid: number,
  end: number,
  words: ReadonlyMap<number, string>,
): readonly TraceEvent[] {
  return segments.map(({ state, from, to = end, seq }) => {
    const meaning = words.get(seq) ?? '';
    return slice(tid, state, from, to, { entry: seq, ...(meaning === '' ? {} : { meaning }) });
  });
}

function chainSlices(replica: Replica): readonly TraceEvent[] {
  return criticalChain(startsOf(replica, replica.at), bootOver(replica)).map((link) => {
    const remarks = remarksOf(link).join(', ');
    return slice(
      chainTrack,
      shortName(link.service),
      link.started,
      endOfStart(link),
      remarks === '' ? {} : { remarks },
    );
  });
}

/** Incidents may overlap, so each has a track of its own, which the viewer makes. */
function incidentSlices(replica: Replica, entries: readonly Entry[]): readonly TraceEvent[] {
  return recordedIncidents(replica, replica.at, linesIn(entries)).flatMap((incident, index): readonly TraceEvent[] => {
    const { service, at, up } = incident;
    const common = { pid, tid: 0, cat: 'incident', id: index + 1, name: `incident: ${shortName(service)}` };
    const text = renderIncident(incident)
      .map((line) => line.trim())
      .join('; ');
    return [
      { ph: 'b', ...common, ts: micro(at), args: { text } },
      { ph: 'e', ...common, ts: micro(up ?? replica.at) },
    ];
  });
}

/** An arrow from each service to those that it has let go. */
function releases(services: readonly Track[], trackOf: ReadonlyMap<string, number>): readonly TraceEvent[] {
  return services.flatMap(({ name, firstStart }, index): readonly TraceEvent[] => {
    const other = firstStart?.waitedFor;
    const [from, to] = [trackOf.get(other ?? ''), trackOf.get(name)];
    if (firstStart === undefined || from === undefined || to === undefined) return [];
    const arrow = { pid, name: 'waited for', cat: 'wait', id: index + 1, ts: micro(firstStart.at) } as const;
    return [
      { ph: 's', tid: from, ...arrow },
      { ph: 'f', bp: 'e', tid: to, ...arrow },
    ];
  });
}

/** What happened to services in one moment: processes that began and ended. */
function instants(entries: readonly Entry[], trackOf: ReadonlyMap<string, number>): readonly TraceEvent[] {
  return entries.flatMap((entry): readonly TraceEvent[] => {
    if (entry.type !== '@chaperone.fact') return [];
    const { fact } = entry;
    if (fact.type !== 'run.began' && fact.type !== 'run.ended') return [];
    const tid = trackOf.get(fact.service);
    if (tid === undefined) return [];
    const name = fact.type === 'run.began' ? 'process began' : 'process ended';
    return [{ ph: 'i', s: 't', pid, tid, name, ts: micro(fact.at), args: { pid: fact.pid } }];
  });
}
