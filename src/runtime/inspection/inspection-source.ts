import { randomBytes } from 'node:crypto';
import { Boundary } from '../../control/boundary.ts';
import { type Fact, isShown } from '../../facts/fact.ts';
import type { Past } from '../../facts/feed.ts';
import { entryVersion } from '../../inspect/entry.ts';
import type { HubSource, News } from '../../inspect/hub.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import type { Assembly } from '../assembly.ts';
import type { Clock, Kernel } from '../kernel.ts';
import {
  configurationOf,
  eventView,
  killTimeOf,
  machineOf,
  serviceEntries,
  serviceOf,
  snapshotView,
} from './entry-views.ts';
import { Observation, type Tell, type Views } from './observation.ts';

export interface InspectionPorts {
  readonly assembly: Pick<Assembly, 'system' | 'feed' | 'records$' | 'outcome$' | 'nextRun'>;
  readonly kernel: Pick<Kernel, 'hostname' | 'pid'>;
  readonly clock: Clock;
  readonly version: string;
  /** True where entries show the command lines and environments of services, which may be secret. */
  readonly reveal?: boolean;
  readonly onError: (error: unknown) => void;
}

/** Turns the events of an assembly into entries. It listens to the machines only from `open` until it is closed. */
export function inspectionSource(ports: InspectionPorts): HubSource {
  const { assembly, onError, reveal = false } = ports;
  const boot = randomBytes(16).toString('hex');
  return {
    now: () => assembly.feed.now(),
    open: (tellHub) => {
      const boundary = new Boundary(onError);
      const tell = boundary.guard(tellHub);
      tell(bootNews(ports, boot));
      tellPast(assembly.feed.past(), tell);
      const observation = new Observation(tell, viewsOf(assembly, reveal));
      observation.begin(assembly.system);
      const observer = assembly.system.system.inspect((event) => {
        try {
          observation.take(event);
        } catch (error) {
          observer.unsubscribe();
          onError(error);
        }
      });
      const facts = assembly.feed.facts$.subscribe(
        boundary.guard((fact: Fact) => {
          if (isShown(fact)) tell({ type: '@chaperone.fact', at: fact.at, fact });
        }),
      );
      return () => {
        observer.unsubscribe();
        facts.unsubscribe();
      };
    },
    openRecords: (tell) => {
      const take = new Boundary(onError).guard((record: LogRecord) => {
        if (record.revealing !== true) tell(recordNews(record));
      });
      const records = assembly.records$.subscribe(take);
      return () => records.unsubscribe();
    },
    onError,
  };
}

/** What is shown of the supervisor's machines. */
function viewsOf(assembly: Pick<Assembly, 'nextRun' | 'system'>, reveal: boolean): Views {
  return {
    machineOf,
    serviceOf,
    eventView,
    configurationOf,
    services: (snapshot) => serviceEntries(snapshot, reveal),
    snapshotView: (snapshot, { service, waitedFor }) => {
      if (service === undefined) return snapshotView(snapshot, { waitedFor });
      const nextRun = assembly.nextRun(service);
      const killAt = killTimeOf(assembly.system.getSnapshot(), service);
      return snapshotView(snapshot, { waitedFor, nextRun, killAt });
    },
  };
}

function bootNews({ assembly, kernel, clock, version, reveal = false }: InspectionPorts, boot: string): News {
  return {
    type: '@chaperone.boot',
    // What is told next has happened before, and no entry is earlier than the one before it.
    at: 0,
    version: entryVersion,
    chaperone: version,
    boot,
    epoch: clock.wallTime() - assembly.feed.now(),
    hostname: kernel.hostname,
    pid: kernel.pid,
    services: serviceEntries(assembly.system.getSnapshot(), reveal),
  };
}

/** Sends the kept facts of the past, with a mark where the facts become complete. */
function tellPast({ kept, lost, since, facts }: Past, tell: Tell): void {
  const tellAll = (past: readonly Fact[]): void => {
    for (const fact of past) if (isShown(fact)) tell({ type: '@chaperone.fact', at: fact.at, fact });
  };
  tellAll(kept);
  if (lost > 0) tell({ type: '@chaperone.lost', at: since, from: 0, count: lost });
  tellAll(facts);
}

function recordNews({ severity, facility, program, pid, service, message }: LogRecord): News {
  return {
    type: '@chaperone.log',
    severity,
    facility,
    program,
    ...(pid === undefined ? {} : { pid }),
    ...(service === undefined ? {} : { service }),
    message,
  };
}
