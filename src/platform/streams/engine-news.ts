/** The engine's events about a project's containers, without a gap: after the stream was lost, all containers are looked at. */
import { Observable, type Subscription } from 'rxjs';
import type { ContainerFacts, Engine, EngineEvent, EngineFailure, LabelFilter } from '../engine/engine.ts';

/** Timers, as the platform's clock has them. */
export interface Timers {
  /** ms from an arbitrary start. */
  now(): number;
  setTimeout(callback: () => void, delay: number): number;
  clearTimeout(id: number): void;
}

export type EngineNews =
  | { readonly type: 'event'; readonly event: Exclude<EngineEvent, { readonly type: 'opened' | 'lost' }> }
  /**
   * All containers of the project, right after the stream was opened. Events that come after it may be older than it is, and what
   * has happened since it was begun (ms of the timers' clock) may be missing in it.
   */
  | { readonly type: 'looked'; readonly containers: readonly ContainerFacts[]; readonly begun: number }
  /** Events may be missing from now until the next look. */
  | { readonly type: 'lost'; readonly why: string }
  /** The engine has been away for as long as somebody may wait. Attempts go on. */
  | { readonly type: 'gone'; readonly why: string };

export interface NewsOptions {
  readonly engine: Pick<Engine, 'events' | 'containers'>;
  readonly labels: readonly LabelFilter[];
  readonly timers: Timers;
  /** ms between two attempts to reach the engine. */
  readonly pause?: number;
  /** ms after which an engine that is away counts as gone. */
  readonly patience?: number;
}

const defaultPause = 500;
const defaultPatience = 20_000;

/** Begins with a look; never errors, and never completes by itself. */
export function engineNews({
  engine,
  labels,
  timers,
  pause = defaultPause,
  patience = defaultPatience,
}: NewsOptions): Observable<EngineNews> {
  return new Observable<EngineNews>((subscriber) => {
    let stream: Subscription | undefined;
    let retry: number | undefined;
    let outage: number | undefined;
    let over = false;
    /** Counts the streams: what an earlier one still does is of no interest. */
    let serial = 0;

    const back = (): void => {
      if (outage !== undefined) timers.clearTimeout(outage);
      outage = undefined;
    };
    const lose = ({ message }: EngineFailure): void => {
      serial += 1;
      stream?.unsubscribe();
      subscriber.next({ type: 'lost', why: message });
      outage ??= timers.setTimeout(() => subscriber.next({ type: 'gone', why: message }), patience);
      retry = timers.setTimeout(open, pause);
    };
    const look = async (mine: number): Promise<void> => {
      const begun = timers.now();
      const looked = await lookAt(engine, labels);
      if (over || mine !== serial) return;
      if (looked.ok) {
        back();
        subscriber.next({ type: 'looked', containers: looked.value, begun });
      } else lose(looked.failure);
    };
    const open = (): void => {
      serial += 1;
      const mine = serial;
      stream = engine.events(labels).subscribe((event) => {
        if (mine !== serial) return;
        if (event.type === 'lost') lose(event.failure);
        // Opened first: what happens during the look arrives as an event.
        else if (event.type === 'opened') void look(mine);
        else subscriber.next({ type: 'event', event });
      });
    };
    open();
    return () => {
      over = true;
      stream?.unsubscribe();
      if (retry !== undefined) timers.clearTimeout(retry);
      back();
    };
  });
}

type Look =
  | { readonly ok: true; readonly value: readonly ContainerFacts[] }
  | { readonly ok: false; readonly failure: EngineFailure };

async function lookAt(engine: Pick<Engine, 'containers'>, labels: readonly LabelFilter[]): Promise<Look> {
  const rows = await engine.containers.list(labels);
  if (!rows.ok) return rows;
  const answers = await Promise.all(rows.value.map(({ id }) => engine.containers.inspect(id)));
  const found: ContainerFacts[] = [];
  for (const answer of answers) {
    if (answer.ok) found.push(answer.value);
    // One that was removed since the list is not there any more.
    else if (answer.failure.kind !== 'absent') return answer;
  }
  return { ok: true, value: found };
}
