import { endsStart, type Happening, type Moved, type RequestVerb, systemActor, textOf } from './fact.ts';

const asksForNeither: readonly RequestVerb[] = ['kill', 'run-now', 'reload'];

/** The past facts, by number, that may be the cause of a service's next move. */
interface Known {
  /** The service became ready, or has ended: this released its dependents, or decided that they never start. */
  outcome: number | undefined;
  /** Somebody asked for the service by hand, and no start has answered the request yet. */
  request: number | undefined;
  /** The last of the service's processes has ended. */
  end: number | undefined;
  moved: number | undefined;
  /** Something has happened to a prerequisite, and this service has not started since. */
  tied: number | undefined;
}

/** Finds the fact that caused a happening. It keeps four numbers for each service. */
export class Causes {
  readonly #known = new Map<string, Known>();
  /** The service that was taken out last, and the number of that fact. */
  #removed: { readonly service: string; readonly seq: number } | undefined;
  #draining: number | undefined;
  #reload: number | undefined;
  #signal: number | undefined;
  #shutdown: number | undefined;

  /** The number of the fact that caused the happening; call this before `note`. */
  of(happening: Happening): number | undefined {
    switch (happening.type) {
      case 'moved':
        return happening.actor === systemActor ? this.#ofSystem(happening) : this.#ofService(happening);
      case 'service.changed': {
        // The service reports these two before it says in which of their states it is.
        const { phase } = happening.change;
        return phase === 'starting' || phase === 'stopping' ? undefined : this.#known.get(happening.service)?.moved;
      }
      case 'service.tied': {
        const other = this.#known.get(happening.cause.prerequisite);
        // One that is to be stopped has not moved yet: those that require it end first.
        if (happening.cause.how !== 'stopped') return other?.moved;
        return other?.request ?? other?.tied ?? this.#reload ?? other?.moved;
      }
      case 'system.draining': {
        const { end } = happening;
        if (end.kind === 'signal') return this.#signal;
        if (end.kind === 'command') return this.#shutdown;
        return 'service' in end ? this.#known.get(end.service)?.moved : undefined;
      }
      default:
        return undefined;
    }
  }

  note(happening: Happening, seq: number): void {
    switch (happening.type) {
      case 'moved':
        this.#noteMove(happening, seq);
        break;
      case 'run.ended': {
        const known = this.#known.get(happening.service);
        if (known !== undefined) known.end = seq;
        break;
      }
      case 'requested':
        if (happening.verb === 'shutdown') this.#shutdown = seq;
        // Another number of instances is another configuration.
        if (happening.verb === 'scale') this.#reload = seq;
        // A signal, a run or a reload by hand asks neither for a start nor for a stop.
        else if (!asksForNeither.includes(happening.verb))
          for (const service of happening.services) this.#of(service).request = seq;
        break;
      case 'reloaded':
        this.#reload = seq;
        break;
      case 'service.tied':
        this.#of(happening.service).tied = seq;
        break;
      case 'signalled':
        this.#signal = seq;
        break;
      case 'system.draining':
        this.#draining = seq;
        break;
      case 'service.removed':
        this.#known.delete(happening.service);
        this.#removed = { service: happening.service, seq };
        break;
      default:
    }
  }

  #ofService({ actor, event }: Moved): number | undefined {
    const known = this.#known.get(actor);
    switch (event.type) {
      case 'instance.start':
      case 'service.start': {
        const waitedFor = textOf(event, 'waitedFor');
        if (waitedFor !== undefined) return this.#known.get(waitedFor)?.outcome ?? this.#removal(waitedFor);
        return this.#askedBy(textOf(event, 'askedBy'), known);
      }
      case 'service.stop':
        return this.#askedBy(textOf(event, 'why'), known);
      case 'service.retire':
        return this.#draining;
      case 'service.reset':
        return known?.request;
      // SIGKILL comes of the stop before it.
      case 'service.kill':
        return this.#draining ?? known?.moved;
      case 'unit.leaderExited':
        return known?.end;
      default:
        return undefined;
    }
  }

  /** The ledger says who has asked for a start or a stop; the fact of that is the last one of its kind. */
  #askedBy(reason: string | undefined, known: Known | undefined): number | undefined {
    switch (reason) {
      case 'hand':
      case 'disabled':
        return known?.request;
      case 'reload':
      case 'gone':
        return this.#reload;
      case 'shutdown':
        return this.#draining;
      case 'prerequisite':
        return known?.tied;
      default:
        return undefined;
    }
  }

  /** A service that a reload takes out lets go whoever has waited for it, too. */
  #removal(service: string): number | undefined {
    return this.#removed?.service === service ? this.#removed.seq : undefined;
  }

  #ofSystem({ to }: Moved): number | undefined {
    return to.startsWith('draining') ? this.#draining : undefined;
  }

  #noteMove({ actor, to, event }: Moved, seq: number): void {
    if (actor === systemActor) return;
    const known = this.#of(actor);
    known.moved = seq;
    // Some wait for the spawn alone.
    if (endsStart(to) || event.type === 'unit.spawned') known.outcome = seq;
    if (event.type !== 'service.start' && event.type !== 'instance.start') return;
    // The request is answered: a later start of the service has another cause.
    known.request = undefined;
    known.tied = undefined;
  }

  #of(service: string): Known {
    const known = this.#known.get(service);
    if (known !== undefined) return known;
    const made: Known = { outcome: undefined, request: undefined, end: undefined, moved: undefined, tied: undefined };
    this.#known.set(service, made);
    return made;
  }
}
