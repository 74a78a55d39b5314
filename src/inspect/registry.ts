import { systemActor } from '../facts/fact.ts';
import { KeptMoves } from '../facts/milestones.ts';
import type { ActorEntry, BootEntry, DefinitionEntry, Entry, FactEntry } from './entry.ts';

/**
 * The sum of a stream of entries: the boot, the definitions, every live actor with its state, and how each service came to its
 * state. It can be written as entries again, fewer than those that it was given.
 */
export class Registry {
  #boot: BootEntry | undefined;
  #root: string | undefined;
  readonly #definitions = new Map<string, DefinitionEntry>();
  readonly #actors = new Map<string, ActorEntry>();
  readonly #moves = new KeptMoves<FactEntry>(({ fact }) => (fact.type === 'moved' ? fact : undefined));

  get boot(): BootEntry | undefined {
    return this.#boot;
  }

  /** Actors that have not ended, parents before their children. */
  get actors(): ReadonlyMap<string, ActorEntry> {
    return this.#actors;
  }

  /** The session of the system's own actor, also when it has ended. */
  get root(): string | undefined {
    return this.#root;
  }

  definition(machine: string): DefinitionEntry | undefined {
    return this.#definitions.get(machine);
  }

  apply(entry: Entry): void {
    switch (entry.type) {
      case '@chaperone.boot':
        this.#boot = entry;
        this.#root = undefined;
        this.#definitions.clear();
        this.#actors.clear();
        this.#moves.clear();
        break;
      case '@chaperone.reload':
        if (this.#boot !== undefined) this.#boot = { ...this.#boot, services: entry.services };
        this.#forgetRemoved(entry.services);
        break;
      case '@chaperone.definition':
        this.#definitions.set(entry.machine, entry);
        break;
      case '@xstate.actor':
        if (entry.parentId === undefined) this.#root ??= entry.sessionId;
        this.#actors.set(entry.sessionId, entry);
        break;
      case '@xstate.snapshot': {
        const actor = this.#actors.get(entry.sessionId);
        if (actor === undefined) break;
        if (entry.snapshot.status === 'active') {
          this.#actors.set(entry.sessionId, { ...actor, snapshot: entry.snapshot });
        } else this.#actors.delete(entry.sessionId);
        break;
      }
      case '@chaperone.fact':
        this.#moves.take(entry);
        break;
      case '@xstate.event':
      case '@chaperone.log':
      case '@chaperone.lost':
      case '@chaperone.end':
        break;
    }
  }

  /** Forgets how the services of earlier configurations came to their states, once their actors have ended. */
  #forgetRemoved(services: readonly { readonly name: string }[]): void {
    const names = new Set([systemActor, ...services.map(({ name }) => name)]);
    for (const { name } of this.#actors.values()) names.add(name);
    this.#moves.keepOnly(names);
  }

  /** In the order of their numbers. */
  entries(): readonly Entry[] {
    const boot = this.#boot === undefined ? [] : [this.#boot];
    return [...boot, ...this.#definitions.values(), ...this.#actors.values(), ...this.#moves.items()].sort(
      (a, b) => a.seq - b.seq,
    );
  }
}
