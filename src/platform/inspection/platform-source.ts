/** A platform as the hub's source of entries: its instances are services, and its chart is the system. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type Fact, isShown } from '../../facts/fact.ts';
import { statePath } from '../../facts/transition.ts';
import { entryVersion, type ServiceEntry, type SnapshotView } from '../../inspect/entry.ts';
import type { HubSource } from '../../inspect/hub.ts';
import { isObject } from '../../model/words/json.ts';
import { statusOf } from '../../runtime/inspection/entry-views.ts';
import { Observation, type Views } from '../../runtime/inspection/observation.ts';
import { instanceMachine } from '../machines/instance.ts';
import { type Member, platformMachine } from '../machines/platform.ts';
import type { InstanceKey } from '../model/instance.ts';
import type { Platform } from '../runtime/platform.ts';
import { eventView, instanceContext, platformContext } from '../runtime/views.ts';

export interface PlatformSourceOptions {
  readonly platform: Pick<Platform, 'actor' | 'feed'>;
  readonly project: string;
  /** The version of dockerops. */
  readonly version: string;
  /** Unix ms at which the feed's time is 0. */
  readonly epoch: number;
  /** Images of containers that no specification names, and what they wait for, by key. */
  readonly known?: ReadonlyMap<InstanceKey, { readonly image: string; readonly waitsFor: readonly InstanceKey[] }>;
  readonly onError: (error: unknown) => void;
}

type InstanceSnapshot = ReturnType<typeof instanceMachine.getInitialSnapshot>;
type PlatformSnapshot = ReturnType<typeof platformMachine.getInitialSnapshot>;

function isOf<S>(snapshot: unknown, id: string): snapshot is S {
  if (!isObject(snapshot)) return false;
  const { machine } = snapshot;
  return isObject(machine) && machine['id'] === id;
}

const isInstance = (snapshot: unknown): snapshot is InstanceSnapshot => isOf(snapshot, instanceMachine.id);
const isPlatform = (snapshot: unknown): snapshot is PlatformSnapshot => isOf(snapshot, platformMachine.id);

/** The entries of a platform's instances, as those of services. */
export function memberEntries(
  members: readonly Member[],
  known: PlatformSourceOptions['known'] = new Map(),
): readonly ServiceEntry[] {
  const waits = new Map(
    members.map(({ key, spec }) => [key, spec === undefined ? (known.get(key)?.waitsFor ?? []) : spec.dependsOn]),
  );
  const layerOf = (key: InstanceKey, path: readonly InstanceKey[]): number => {
    if (path.includes(key)) return 0;
    return Math.max(0, ...(waits.get(key) ?? []).map((other) => layerOf(other, [...path, key]) + 1));
  };
  return members.map(({ key, spec }) => ({
    name: key,
    type: 'container',
    program: spec?.image ?? known.get(key)?.image ?? '',
    killSignal: 'SIGTERM',
    startupPause: 0,
    enabled: true,
    groups: spec?.group === undefined ? [] : [spec.group],
    waitsFor: (waits.get(key) ?? []).filter((other) => waits.has(other)),
    layer: layerOf(key, []),
    ignoreFailures: false,
  }));
}

const views: Views = {
  machineOf: (snapshot) => (isInstance(snapshot) ? 'instance' : isPlatform(snapshot) ? 'platform' : undefined),
  serviceOf: (snapshot) => (isInstance(snapshot) ? snapshot.context.key : undefined),
  eventView,
  configurationOf: () => undefined,
  services: () => [],
  snapshotView: (snapshot): SnapshotView => {
    const status = statusOf(snapshot);
    if (!isInstance(snapshot) && !isPlatform(snapshot)) return { status };
    const path = statePath(snapshot.value);
    const context = isInstance(snapshot)
      ? instanceContext(snapshot.context, path)
      : platformContext(snapshot.context, path);
    return { status, value: snapshot.value, context };
  },
};

export function platformSource({
  platform: { actor, feed },
  project,
  version,
  epoch,
  known,
  onError,
}: PlatformSourceOptions): HubSource {
  const boot = randomBytes(16).toString('hex');
  return {
    now: () => feed.now(),
    open: (tell) => {
      tell({
        type: '@chaperone.boot',
        at: 0,
        version: entryVersion,
        chaperone: version,
        boot,
        epoch,
        hostname: hostname(),
        pid: process.pid,
        project,
        services: memberEntries(actor.getSnapshot().context.members, known),
      });
      const tellFact = (fact: Fact): void => {
        if (isShown(fact)) tell({ type: '@chaperone.fact', at: fact.at, fact });
      };
      const { kept, facts } = feed.past();
      for (const fact of [...kept, ...facts]) tellFact(fact);
      const observation = new Observation(tell, views);
      // Before the first step there is nothing that could be told as being there.
      if (actor.getSnapshot().context.ledger.steps.length > 0 || facts.length > 0) observation.begin(actor);
      const observer = actor.system.inspect((event) => {
        try {
          observation.take(event);
        } catch (error) {
          observer.unsubscribe();
          onError(error);
        }
      });
      const told = feed.facts$.subscribe(tellFact);
      return () => {
        observer.unsubscribe();
        told.unsubscribe();
      };
    },
    openRecords: () => () => {},
    onError,
  };
}
