/**
 * Finds the processes that a start has left behind.
 *
 * Linux does not tell: a daemon cuts every tie (session, group, parent) to the program that made it, on purpose. During
 * a start its descendants are known, by looks that are 5 ms apart at first. Once the started process has been reaped,
 * the processes that it left are children of chaperone. A process belongs to the start
 * - for certain, when it was seen as a descendant, or is in a session in which a descendant was seen;
 * - for certain, when its environment has the INVOCATION_ID of the start (systemd.exec(5)): a fork inherits it, and so
 *   does a program, unless it was started with an environment of its own (env -i);
 * - by circumstance, for forking services, when it is a child of chaperone that no service started, began after the
 *   start did, is in a session which no other start knows, no other start of a forking service was under way, and no
 *   start of any service is under way now: such a daemon was faster than the looks. Daemons without the INVOCATION_ID that two simultaneous starts leave within
 *   milliseconds belong to neither. They are orphans like those of a simple service, and live until the shutdown. After
 *   its start, a member's descendants and its session are members, too.
 *
 * A pid may be reused: a member is identified by its pid and the time of its start.
 *
 * A process group is simpler: a program leaves it only on purpose, and the kernel does not reuse its number while it
 * has a member. After that the number may belong to another group: see `Group`.
 */
import { readFileSync } from 'node:fs';
import type { Clock, ProcessTree, TimerId, TreeMember } from '../kernel.ts';
import { allProcesses, childrenOf, type ProcessEntry, readProcess } from './process-table.ts';

/** ms from one look at the descendants to the next; the looks at a start that takes long become ever rarer. */
const firstLook = 5;
const longestLook = 200;
const lookGrowth = 1.3;
/**
 * ms between two timers while a daemon is expected. Their lateness (`Clock.lateness`) shows whether chaperone was
 * stopped for longer than this, so that a daemon may have come and gone unseen.
 */
const beat = 50;
/** How many sessions of starts are remembered. */
const mostSessions = 4_096;

export class ProcessTrees {
  readonly #clock: Clock;
  readonly #self: number;
  readonly #ownSession: number | undefined;
  readonly #trees = new Set<Tree>();
  /** The living processes that chaperone has started itself, and what is known of those that were reaped by then. */
  readonly #started = new Map<number, ProcessEntry | undefined>();
  /** Sessions of starts, the latest last: processes that a simple service leaves in its session are in no tree. */
  readonly #sessions = new Set<number>();
  /** The tracked groups, by number. */
  readonly #groups = new Map<number, Group>();
  readonly #groupExists: (group: number) => boolean;
  /** Starts that were asked for, and of which nothing was heard yet: their processes look like orphans. */
  #requested = 0;
  #beat: TimerId | undefined;

  /** @param groupExists a cheap test that is true where a group has a member, dead or alive */
  constructor(clock: Clock, self: number, groupExists: (group: number) => boolean) {
    this.#clock = clock;
    this.#self = self;
    this.#groupExists = groupExists;
    this.#ownSession = readProcess(self)?.session;
  }

  /** Call this when a start is asked for; returns the function to call once it is known what came of that, after `started`. */
  requested(): () => void {
    this.#requested += 1;
    return () => {
      this.#requested -= 1;
    };
  }

  /**
   * @param since a time before the start of the process, as `timeOfStarts` gives it
   * @param leads true where the process leads a session
   */
  started(pid: number, since: number, leads: boolean): void {
    this.#started.set(pid, readProcess(pid) ?? this.#vanished(pid, since, leads));
    // Another process has this number now.
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

  /** The entry of a process that the body had reaped before chaperone heard of the process's start. */
  #vanished(pid: number, startTime: number, leads: boolean): ProcessEntry {
    const session = leads ? pid : (this.#ownSession ?? 0);
    return { pid, parent: this.#self, group: pid, session, startTime, zombie: true };
  }

  ended(pid: number): void {
    this.#started.delete(pid);
  }

  track(pid: number, invocation: string, forks: boolean): ProcessTree {
    const tree = new Tree(this.#started.get(pid) ?? readProcess(pid), invocation, forks, this.#clock, {
      ownSession: this.#ownSession,
      isStrange: (entry) => this.#isStrange(entry),
      isAlone: (own) => ![...this.#trees].some((other) => other !== own && other.underWay),
      isSettled: () => this.#requested === 0,
      onForget: (own) => this.#trees.delete(own),
    });
    // A daemon that names no start cannot be told from one of another start that is under way at the same time.
    if (forks) for (const other of this.#trees) other.meet();
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

  daemonsOf(variable: string): readonly number[] {
    return allProcesses()
      .filter(({ pid, parent, zombie }) => parent === this.#self && !zombie && !this.#started.has(pid))
      .map(({ pid }) => pid)
      .filter((pid) => environmentOf(pid).includes(variable));
  }

  trackGroup(pid: number): ProcessTree {
    const group = new Group(pid, this.#started.get(pid) ?? readProcess(pid), this.#groupExists, () => {
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

  /** True for a child of chaperone that no service started, and that is in no session of a start. */
  #isStrange(entry: ProcessEntry): boolean {
    const { pid, parent, session } = entry;
    if (parent !== this.#self || this.#started.has(pid) || this.#sessions.has(session)) return false;
    return session !== this.#ownSession && ![...this.#trees].some((tree) => tree.hasSeen(entry));
  }
}

interface Surroundings {
  readonly ownSession: number | undefined;
  readonly isStrange: (entry: ProcessEntry) => boolean;
  /** True where no other tracked start is under way. */
  readonly isAlone: (own: Tree) => boolean;
  /** True where chaperone knows of all processes that it has started. */
  readonly isSettled: () => boolean;
  readonly onForget: (own: Tree) => void;
}

/** `INVOCATION_ID=…` from a process's initial environment; undefined where it is absent or not readable. */
function markOf(pid: number): string | undefined {
  return environmentOf(pid).find((variable) => variable.startsWith('INVOCATION_ID='));
}

/** The variables of a process's initial environment; none where they are not readable. */
function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return [];
  }
}

function isAlive({ zombie }: ProcessEntry): boolean {
  return !zombie;
}

function memberOf({ pid, group, startTime }: ProcessEntry): TreeMember {
  return { pid, group, began: startTime };
}

class Tree implements ProcessTree {
  /** True until the start has ended, where it is to leave a daemon behind. */
  underWay: boolean;
  readonly #root: ProcessEntry | undefined;
  readonly #longestLook: number;
  readonly invocation: string;
  /** The variable that the environment of each member holds. */
  readonly mark: string;
  readonly #clock: Clock;
  readonly #around: Surroundings;
  /** The start time of each member. */
  readonly #known = new Map<number, number>();
  readonly #sessions = new Set<number>();
  #timer: TimerId | undefined;
  /** True where no other start was under way at any moment. */
  #alone: boolean;

  constructor(root: ProcessEntry | undefined, invocation: string, forks: boolean, clock: Clock, around: Surroundings) {
    this.#clock = clock;
    this.invocation = invocation;
    this.mark = `INVOCATION_ID=${invocation}`;
    this.#around = around;
    this.underWay = forks;
    this.#longestLook = forks ? longestLook : Number.POSITIVE_INFINITY;
    this.#alone = forks && around.isAlone(this);
    this.#root = root;
    if (this.#root !== undefined) this.#note(this.#root);
    this.#planLook(firstLook);
  }

  hasSeen({ pid, session, startTime }: ProcessEntry): boolean {
    return this.#known.get(pid) === startTime || this.#sessions.has(session);
  }

  /** Another start begins. */
  meet(): void {
    if (this.underWay) this.#alone = false;
  }

  /** Another process has the session's number now and may lead another session: no member of the old one is alive. */
  loseSession(session: number): void {
    this.#sessions.delete(session);
  }

  startEnded(): void {
    this.underWay = false;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#alone &&= this.#around.isAlone(this) && this.#around.isSettled();
    const root = this.#root;
    if (root === undefined) return;
    for (const entry of allProcesses()) {
      if (entry.startTime >= root.startTime && this.#isLeftBehind(entry)) this.#note(entry);
    }
  }

  /** Decides on the first look at the process, because it may have left the session of the start by the next one. */
  #isLeftBehind(entry: ProcessEntry): boolean {
    if (this.#sessions.has(entry.session)) return true;
    if (!this.#around.isStrange(entry)) return false;
    const mark = markOf(entry.pid);
    return mark === undefined ? this.#alone : mark === this.mark;
  }

  members(): readonly TreeMember[] {
    const entries = allProcesses();
    const since = this.#root?.startTime ?? Number.POSITIVE_INFINITY;
    const members = new Map<number, ProcessEntry>();
    for (const entry of entries) {
      const isKnown = this.#known.get(entry.pid) === entry.startTime;
      if (isKnown || (this.#sessions.has(entry.session) && entry.startTime >= since)) members.set(entry.pid, entry);
    }
    // A set grows while it is iterated: this also finds children of children.
    for (const pid of members.keys()) {
      for (const entry of entries) if (entry.parent === pid && !members.has(entry.pid)) members.set(entry.pid, entry);
    }
    this.#known.clear();
    for (const entry of members.values()) this.#note(entry);
    return [...members.values()].filter(isAlive).map(memberOf);
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
      // A map grows while it is iterated.
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
 * The process group that a start leads. The group is gone for good, and a process with its number is a foreign one,
 * - once the group was seen without any member, dead or alive, after the end of the start;
 * - once another process has the leader's pid, which the kernel does not reuse while the group exists;
 * - where neither the leader nor any member of an earlier look is there, unless the present members are of the leader's
 *   session.
 */
class Group implements ProcessTree {
  readonly #pid: number;
  readonly #exists: (group: number) => boolean;
  readonly #onForget: () => void;
  readonly #leader: ProcessEntry | undefined;
  /** The start time of each member of the last look. */
  #known: ReadonlyMap<number, number> = new Map();
  #ended = false;
  #gone = false;

  constructor(pid: number, leader: ProcessEntry | undefined, exists: (group: number) => boolean, onForget: () => void) {
    this.#pid = pid;
    this.#exists = exists;
    this.#onForget = onForget;
    this.#leader = leader;
  }

  /** Looks now, while the kernel cannot have reused the number: the members that it finds are known from here on. */
  startEnded(): void {
    this.#ended = true;
    this.members();
  }

  members(): readonly TreeMember[] {
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
    return own.filter(isAlive).map(memberOf);
  }

  vanish(): void {
    this.#gone = true;
  }

  forget(): void {
    this.#onForget();
  }
}
