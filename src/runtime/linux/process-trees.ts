/**
 * Which processes a start has left behind.
 *
 * Linux does not tell: a daemon has cut every tie (session, group, parent) to the program that made it, on purpose. What is
 * known of a start while it lasts is its descendants, looked at again and again, 5 ms apart at first. Once its own process has
 * been reaped, what it left is a child of chaperone, and belongs to it
 * - for certain, when it was seen as a descendant, or is of a session in which one was seen;
 * - for certain, when its environment has the INVOCATION_ID of the start (systemd.exec(5)): a fork inherits it, and so does a
 *   program, unless it was started with an environment of its own (env -i);
 * - by circumstance, for forking services, when it is a child of chaperone that nobody started, began after the start did, stands in a session which
 *   no other start knows, and no other start of a forking service was under way: a daemon that was quicker than the looks.
 * Two starts at once that leave daemons behind within milliseconds, without the INVOCATION_ID, lose them to nobody: they are then
 * orphans like those of a simple service, and live until the last round. From then on, descendants and sessions of members are members.
 *
 * A pid may come again: a member is its pid and the time of its beginning.
 *
 * A process group needs no such art: a program leaves it on purpose alone, and its number is given to nobody else while it has a
 * member. After that it may be another's: see `Group`.
 */
import { readFileSync } from 'node:fs';
import type { Clock, ProcessTree, ProcessView, TimerId } from '../kernel.ts';
import { allProcesses, childrenOf, type ProcessEntry, readProcess } from './process-table.ts';

/** ms from one look at the descendants to the next; of what may run for long, the looks become ever rarer. */
const firstLook = 5;
const longestLook = 200;
const lookGrowth = 1.3;
/**
 * ms between two moments at which something is due while a daemon is on its way: whether chaperone has stood still for longer than
 * that shows in how late it comes (`Clock.lateness`), and a daemon may have come and gone meanwhile.
 */
const beat = 50;
/** Starts whose sessions are remembered. */
const mostSessions = 4_096;

export class ProcessTrees {
  readonly #clock: Clock;
  readonly #self: number;
  readonly #ownSession: number | undefined;
  readonly #trees = new Set<Tree>();
  /** Processes that chaperone has started itself and that live. */
  readonly #started = new Set<number>();
  /** Sessions of starts, the latest last: what a simple service leaves behind in its own is nobody's. */
  readonly #sessions = new Set<number>();
  /** The group that is tracked under a number. */
  readonly #groups = new Map<number, Group>();
  readonly #groupExists: (group: number) => boolean;
  #beat: TimerId | undefined;

  /** @param groupExists is true where a group has a member, dead or alive, and costs little */
  constructor(clock: Clock, self: number, groupExists: (group: number) => boolean) {
    this.#clock = clock;
    this.#self = self;
    this.#groupExists = groupExists;
    this.#ownSession = readProcess(self)?.session;
  }

  started(pid: number): void {
    this.#started.add(pid);
    // The number is another's now.
    this.#groups.get(pid)?.vanish();
    this.#groups.delete(pid);
    for (const tree of this.#trees) tree.loseSession(pid);
    this.#sessions.delete(pid);
    this.#sessions.add(pid);
    if (this.#sessions.size > mostSessions)
      for (const oldest of this.#sessions) {
        this.#sessions.delete(oldest);
        break;
      }
  }

  ended(pid: number): void {
    this.#started.delete(pid);
  }

  track(pid: number, invocation: string, forks: boolean): ProcessTree {
    const tree = new Tree(pid, invocation, forks, this.#clock, {
      ownSession: this.#ownSession,
      isStrange: (entry) => this.#isStrange(entry),
      isAlone: (own) => ![...this.#trees].some((other) => other !== own && other.underWay),
      onForget: (own) => this.#trees.delete(own),
    });
    this.#trees.add(tree);
    if (forks) this.#goOn();
    return tree;
  }

  invocationOf(pid: number): string | undefined {
    const entry = readProcess(pid);
    if (entry === undefined || this.#trees.size === 0) return undefined;
    const seen = [...this.#trees].find((tree) => tree.hasSeen(entry));
    if (seen !== undefined) return seen.invocation;
    const mark = markOf(pid);
    return [...this.#trees].find((tree) => tree.mark === mark)?.invocation;
  }

  trackGroup(pid: number): ProcessTree {
    const group = new Group(pid, this.#groupExists, () => {
      if (this.#groups.get(pid) === group) this.#groups.delete(pid);
    });
    this.#groups.set(pid, group);
    return group;
  }

  #goOn(): void {
    if (this.#beat !== undefined) return;
    this.#beat = this.#clock.setTimeout(() => {
      this.#beat = undefined;
      if ([...this.#trees].some(({ underWay }) => underWay)) this.#goOn();
    }, beat);
  }

  /** A child of chaperone that nobody started, and that is in no session of a start. */
  #isStrange(entry: ProcessEntry): boolean {
    const { pid, parent, session } = entry;
    if (parent !== this.#self || this.#started.has(pid) || this.#sessions.has(session)) return false;
    return session !== this.#ownSession && ![...this.#trees].some((tree) => tree.hasSeen(entry));
  }
}

interface Surroundings {
  readonly ownSession: number | undefined;
  readonly isStrange: (entry: ProcessEntry) => boolean;
  /** No other start that is tracked is under way. */
  readonly isAlone: (own: Tree) => boolean;
  readonly onForget: (own: Tree) => void;
}

/** `INVOCATION_ID=…` as a process was started with it; undefined where it has none, or chaperone may not look. */
function markOf(pid: number): string | undefined {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
    return variables.find((variable) => variable.startsWith('INVOCATION_ID='));
  } catch {
    return undefined;
  }
}

class Tree implements ProcessTree {
  /** A start that is to leave a daemon behind, and has not ended yet. */
  underWay: boolean;
  readonly #root: ProcessEntry | undefined;
  readonly #longestLook: number;
  readonly invocation: string;
  /** What stands in the environment of its members. */
  readonly mark: string;
  readonly #clock: Clock;
  readonly #around: Surroundings;
  /** When each member began. */
  readonly #known = new Map<number, number>();
  readonly #sessions = new Set<number>();
  #timer: TimerId | undefined;
  /** From the first moment on, no other start was under way. */
  #alone: boolean;

  constructor(pid: number, invocation: string, forks: boolean, clock: Clock, around: Surroundings) {
    this.#clock = clock;
    this.invocation = invocation;
    this.mark = `INVOCATION_ID=${invocation}`;
    this.#around = around;
    this.underWay = forks;
    this.#longestLook = forks ? longestLook : Number.POSITIVE_INFINITY;
    this.#alone = forks && around.isAlone(this);
    this.#root = readProcess(pid);
    if (this.#root !== undefined) this.#note(this.#root);
    this.#planLook(firstLook);
  }

  hasSeen({ pid, session, startTime }: ProcessEntry): boolean {
    return this.#known.get(pid) === startTime || this.#sessions.has(session);
  }

  /** Its number is another process's now, which may lead another session: nobody of the old one lives. */
  loseSession(session: number): void {
    this.#sessions.delete(session);
  }

  startEnded(): void {
    this.underWay = false;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#alone &&= this.#around.isAlone(this);
    const root = this.#root;
    if (root === undefined) return;
    for (const entry of allProcesses()) {
      if (entry.startTime >= root.startTime && this.#isLeftBehind(entry)) this.#note(entry);
    }
  }

  /** Decided on one look at it: the next one may find that it has left the session of the start. */
  #isLeftBehind(entry: ProcessEntry): boolean {
    if (this.#sessions.has(entry.session)) return true;
    if (!this.#around.isStrange(entry)) return false;
    const mark = markOf(entry.pid);
    return mark === undefined ? this.#alone : mark === this.mark;
  }

  members(): readonly Pick<ProcessView, 'pid' | 'group'>[] {
    const entries = allProcesses();
    const since = this.#root?.startTime ?? Number.POSITIVE_INFINITY;
    const members = new Map<number, ProcessEntry>();
    for (const entry of entries) {
      const isKnown = this.#known.get(entry.pid) === entry.startTime;
      if (isKnown || (this.#sessions.has(entry.session) && entry.startTime >= since)) members.set(entry.pid, entry);
    }
    // A set grows while it is walked: children of children come, too.
    for (const pid of members.keys()) {
      for (const entry of entries) if (entry.parent === pid && !members.has(entry.pid)) members.set(entry.pid, entry);
    }
    this.#known.clear();
    for (const entry of members.values()) this.#note(entry);
    return [...members.values()].filter(({ zombie }) => !zombie).map(({ pid, group }) => ({ pid, group }));
  }

  forget(): void {
    this.underWay = false;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#around.onForget(this);
  }

  #note(entry: ProcessEntry): void {
    this.#known.set(entry.pid, entry.startTime);
    if (entry.session !== this.#around.ownSession) this.#sessions.add(entry.session);
  }

  #planLook(delay: number): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#alone &&= this.#around.isAlone(this);
      // A map grows while it is walked.
      for (const pid of this.#known.keys()) {
        for (const child of childrenOf(pid)) {
          const entry = this.#known.has(child) ? undefined : readProcess(child);
          if (entry !== undefined) this.#note(entry);
        }
      }
      this.#planLook(Math.min(this.#longestLook, delay * lookGrowth));
    }, delay);
  }
}

/**
 * The process group that a start leads. It is gone for good, and whoever has its number is a stranger,
 * - once the group was seen to have no member any more, dead or alive, after the end of the start;
 * - once another process has the leader's pid: it is not given away while a group goes by it;
 * - where neither the leader nor any member of an earlier look is there: unless what is there is of the leader's session.
 */
class Group implements ProcessTree {
  readonly #pid: number;
  readonly #exists: (group: number) => boolean;
  readonly #onForget: () => void;
  readonly #leader: ProcessEntry | undefined;
  /** When each member of the last look began. */
  #known: ReadonlyMap<number, number> = new Map();
  #ended = false;
  #gone = false;

  constructor(pid: number, exists: (group: number) => boolean, onForget: () => void) {
    this.#pid = pid;
    this.#exists = exists;
    this.#onForget = onForget;
    this.#leader = readProcess(pid);
  }

  /** One look now, while nobody else can have the number: what it finds is known from here on. */
  startEnded(): void {
    this.#ended = true;
    this.members();
  }

  members(): readonly Pick<ProcessView, 'pid' | 'group'>[] {
    const leader = this.#leader;
    if (this.#gone || leader === undefined) return [];
    if (!this.#exists(this.#pid)) {
      this.#gone = this.#ended;
      return [];
    }
    const entries = allProcesses();
    const namesake = entries.find(({ pid }) => pid === this.#pid);
    if (namesake !== undefined && namesake.startTime !== leader.startTime) {
      this.#gone = true;
      return [];
    }
    const inGroup = entries.filter(({ group }) => group === this.#pid);
    const goesOn = namesake !== undefined || inGroup.some((entry) => this.#known.get(entry.pid) === entry.startTime);
    const own = goesOn ? inGroup : inGroup.filter(({ session }) => session === leader.session);
    this.#known = new Map(own.map(({ pid, startTime }) => [pid, startTime]));
    return own.filter(({ zombie }) => !zombie).map(({ pid, group }) => ({ pid, group }));
  }

  vanish(): void {
    this.#gone = true;
  }

  forget(): void {
    this.#onForget();
  }
}
