/** Summarizes a recorded boot: how long it took, what decided that, what was restarted, what failed and why. */

import { type ChainLink, criticalChain, withShortNames } from '../facts/critical-chain.ts';
import { hasStarted } from '../facts/fact.ts';
import { startTimes } from '../facts/first-start.ts';
import type { JsonObject } from '../model/words/json.ts';
import type { EndEntry, Entry } from './entry.ts';
import {
  applyEntry,
  bootOver,
  createReplica,
  type Gap,
  type Replica,
  readyTime,
  startsOf,
  type Track,
} from './replica.ts';

export interface ServiceReport {
  /** With its suffix. */
  readonly name: string;
  /**
   * ms since the boot at which it was told to start, and at which it was ready, or had ended normally; absent where that never
   * happened.
   */
  readonly started?: number;
  readonly ready?: number;
  /** How many services were told to start before it. */
  readonly position?: number;
  /** ms from the beginning of its first start until it was ready; absent where that start failed, or was stopped. */
  readonly took?: number;
  /** How its first start failed, if that was not ready in the end. */
  readonly failed?: { readonly at: number; readonly cause: string };
  /** ms since the boot at which the record ends, where its first start was still under way. */
  readonly lasts?: number;
  /** True where a person asked for the first start of the service: that start is no part of the boot. */
  readonly byHand?: true;
  /** The service, by full name, that let it go in the end, and for how many ms it waited. */
  readonly waitedFor?: string;
  readonly waited?: number;
  /** Full names, as configured. */
  readonly waitsFor: readonly string[];
  readonly restarts: number;
  /** At ms since the boot. */
  readonly failures: readonly { readonly at: number; readonly cause: string }[];
  /** The path of the state that it is in at the end. */
  readonly state: string;
}

export interface BootReport {
  readonly boot: string;
  readonly chaperone: string;
  /** Unix ms. */
  readonly epoch: number;
  readonly hostname: string;
  /** ms until the system was up; absent if it never was. */
  readonly ready?: number;
  /** ms of the last entry. */
  readonly duration: number;
  /** How the boot ended; absent if the record breaks off because chaperone was killed or still runs. */
  readonly end?: Pick<EndEntry, 'exitStatus' | 'cause'>;
  /** Entries that are not in the record, and of which times. */
  readonly lost: number;
  readonly gaps: readonly Gap[];
  /** True: only the beginning of the record was asked for, up to `duration`. */
  readonly part?: true;
  /** Up to the instant at which the boot was over, or the record ends: from the last service back; names without suffix. */
  readonly criticalChain: readonly ChainLink[];
  /** In the order of the configuration. */
  readonly services: readonly ServiceReport[];
}

/**
 * Summarizes the entries of one boot.
 *
 * @param extent `part`: these are the first entries of more
 */
export function reportOf(entries: Iterable<Entry>, extent: 'whole' | 'part' = 'whole'): BootReport {
  const replica = createReplica();
  for (const entry of entries) applyEntry(replica, entry);
  return { ...reportOfReplica(replica), ...(extent === 'part' ? { part: true } : {}) };
}

/** ms that each service took from its start until it was ready, by full names; services that never were are not among them. */
export function durationsOf(entries: Iterable<Entry>): Map<string, number> {
  const { services } = reportOf(entries);
  return new Map(services.flatMap(({ name, took }) => (took === undefined ? [] : [[name, took] as const])));
}

/** Summarizes what a replica has been told. */
export function reportOfReplica(replica: Replica): BootReport {
  const { boot, end, at, lost, gaps, services } = replica;
  const positions = startOrder([...services.values()]);
  const reports = [...services.values()].map((track) => serviceReport(track, positions.get(track.name), at));
  const ready = readyTime(replica);
  return {
    boot: boot?.boot ?? '',
    chaperone: boot?.chaperone ?? '',
    epoch: boot?.epoch ?? 0,
    hostname: boot?.hostname ?? '',
    ...(ready === undefined ? {} : { ready }),
    duration: at,
    ...(end === undefined ? {} : { end: { exitStatus: end.exitStatus, cause: end.cause } }),
    lost,
    gaps,
    criticalChain: criticalChain(startsOf(replica, at).map(withShortNames), bootOver(replica)),
    services: reports,
  };
}

function serviceReport(
  { name, config, segments, firstStart }: Track,
  position: number | undefined,
  now: number,
): ServiceReport {
  const { started, ready: firstReady, failed, lasts, byHand, waitedFor } = startTimes(name, firstStart, now) ?? {};
  const ready = segments.find(({ state }) => hasStarted(state))?.from;
  const before = segments.find(({ state }) => state === 'pending');
  const failures = segments
    .filter(({ state }) => state === 'backoff' || state === 'failed')
    .map(({ from, context }) => ({ at: from, cause: textOf(context, 'cause') ?? 'unknown' }));
  return {
    name,
    ...(started === undefined ? {} : { started }),
    ...(ready === undefined ? {} : { ready }),
    ...(position === undefined ? {} : { position }),
    ...(started === undefined || firstReady === undefined ? {} : { took: firstReady - started }),
    ...(failed === undefined ? {} : { failed }),
    ...(lasts === undefined ? {} : { lasts }),
    ...(byHand === undefined ? {} : { byHand }),
    ...(waitedFor === undefined ? {} : { waitedFor }),
    ...(waitedFor === undefined || started === undefined || before === undefined
      ? {}
      : { waited: started - before.from }),
    waitsFor: config?.waitsFor ?? [],
    restarts: segments.filter(({ state }, index) => state.startsWith('starting') && follows(segments, index)).length,
    failures,
    state: segments.at(-1)?.state ?? 'disabled',
  };
}

/** True for a start that is a restart after a failure. */
function follows(segments: Track['segments'], index: number): boolean {
  return segments[index - 1]?.state === 'backoff';
}

/** Numbers the services by their first starts. */
function startOrder(tracks: readonly Track[]): ReadonlyMap<string, number> {
  const starts = tracks.flatMap(({ name, firstStart }) =>
    firstStart === undefined ? [] : [{ name, seq: firstStart.seq }],
  );
  return new Map(starts.sort((left, right) => left.seq - right.seq).map(({ name }, index) => [name, index]));
}

function textOf(object: JsonObject | undefined, key: string): string | undefined {
  const value = object?.[key];
  return typeof value === 'string' ? value : undefined;
}
