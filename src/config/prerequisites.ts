import type { PrerequisiteStage, Tie, Ties } from '../model/order/prerequisite.ts';
import { consoleService, shortName } from '../model/service/service-spec.ts';
import { templateOf } from '../model/service/template.ts';
import { didYouMean, nearest } from '../model/words/nearest.ts';
import type { NameReference } from './read-names.ts';
import type { OutputReference } from './read-outputs.ts';
import {
  checkSingleTies,
  leastStages,
  type StagedReference,
  type StageWish,
  stagedReference,
  tiesOf,
  tyingDirectives,
} from './read-ties.ts';
import type { Report } from './report.ts';
import type { Place } from './source.ts';
import { isUpperCase } from './validate.ts';
import { quote } from './wording.ts';

/** The directives of one service about the order. */
export interface OrderWishes {
  /** With its suffix. */
  readonly name: string;
  readonly groups: readonly NameReference[];
  readonly after: readonly NameReference[];
  readonly before: readonly NameReference[];
  readonly wants?: readonly NameReference[];
  readonly requires?: readonly NameReference[];
  /** The services that read what it writes: they start before it, and end after it. */
  readonly writesTo?: readonly OutputReference[];
  /** The template that the service is an instance of: a name by which all of them are meant. */
  readonly template?: string;
}

/** Whom a service waits for, and how, as its definition holds it. */
export interface Waiting {
  readonly prerequisites: readonly string[];
  readonly ties?: Ties;
}

/** One service waits for another, and whose line says so. */
interface Wait {
  readonly target: number;
  readonly reason: Reason;
}

interface Reason {
  /** The service in whose section the line stands. */
  readonly owner: number;
  readonly directive: Tie['kind'] | 'before' | 'service_groups' | 'stdout' | 'stderr';
  readonly name: string;
  readonly place: Place;
  /** Absent: ready. */
  readonly stage?: PrerequisiteStage;
}

const reservedGroups: readonly string[] = ['INIT', 'IDLE'];

/**
 * Resolves references and groups by section 2 of the reference: for every service the names it waits for because a directive
 * says so, in the order of declaration, and the stages that others have to reach. What INIT and IDLE imply is left to the dependency graph (for many services it
 * is a great deal), but cycles are found with it. References that are wrong, and cycles, go to the report. Where not every
 * file could be read, `complete` is false: then an undeclared service is not reported. The name of a template, also of one
 * without instances, is that of a group.
 */
export function resolvePrerequisites(
  wishes: readonly OrderWishes[],
  complete: boolean,
  report: Report,
  templates: readonly string[] = [],
): { readonly waiting: readonly Waiting[]; readonly stages: readonly StageWish[] } {
  const names = new NameTable(wishes);
  const graph = new WaitGraph(wishes, names, readLines(names, wishes, { complete, report, templates }));
  const cycles = cyclicComponents(graph.size, (node) => graph.successors(node));
  for (const component of cycles) reportCycle(graph, component, report);
  // In a cycle the members of a large group would yield far too many names, and no service starts anyway.
  if (cycles.length > 0) return { waiting: wishes.map(() => ({ prerequisites: [] })), stages: [] };
  const stages: StageWish[] = [];
  const waiting = wishes.map((wish, index) => {
    const reasons = new Map<number, Reason[]>();
    for (const { target, reason } of graph.explicitWaits(index)) {
      append(reasons, target, reason);
      const { stage, directive, place } = reason;
      const name = wishes[target]?.name;
      if (stage !== undefined && name !== undefined)
        stages.push({ owner: wish.name, directive, target: name, stage, place });
    }
    return waitingOf(wishes, index, reasons);
  });
  return { waiting, stages };
}

function waitingOf(
  wishes: readonly OrderWishes[],
  owner: number,
  reasons: ReadonlyMap<number, readonly Reason[]>,
): Waiting {
  const targets = [...reasons.keys()].sort((a, b) => a - b);
  const named = new Map<string, Tie>();
  for (const target of targets) {
    const name = wishes[target]?.name;
    if (name !== undefined) named.set(name, tieFor(owner, name, reasons.get(target) ?? []));
  }
  const ties = tiesOf(named);
  return { prerequisites: [...named.keys()], ...(ties === undefined ? {} : { ties }) };
}

/** Of several directives the service's own one counts that names the other one itself, then one that names its group. */
function tieFor(owner: number, target: string, reasons: readonly Reason[]): Tie {
  const rank = (reason: Reason): number => {
    if (reason.owner !== owner || reason.directive === 'before') return 0;
    const strength = ['wants', 'after', 'requires'].indexOf(reason.directive);
    return 1 + strength + (reason.name === target ? 3 : 0);
  };
  const [deciding] = [...reasons].sort((a, b) => rank(b) - rank(a));
  const kind = tyingDirectives.find((directive) => directive === deciding?.directive) ?? 'after';
  return { kind, stages: leastStages(new Set(reasons.map(({ stage = 'ready' }) => stage))) };
}

/** Which service has which number, and who is in which group. */
class NameTable {
  /** The services, by name. */
  readonly indexes: ReadonlyMap<string, number>;
  /** The services of each group. */
  readonly members: ReadonlyMap<string, readonly number[]>;
  /** The groups of each service. */
  readonly memberships: readonly ReadonlyMap<string, NameReference>[];

  constructor(wishes: readonly OrderWishes[]) {
    this.indexes = new Map(wishes.map((wish, index) => [wish.name, index]));
    this.memberships = wishes.map(({ groups, template }) => {
      const named = new Map(groups.map((group) => [group.name, group]));
      const [place] = groups;
      if (template !== undefined && place !== undefined) named.set(template, { name: template, place: place.place });
      return named;
    });
    const members = new Map<string, number[]>();
    this.memberships.forEach((groups, index) => {
      for (const name of groups.keys()) append(members, name, index);
    });
    this.members = members;
  }

  isIn(group: string, index: number): boolean {
    return this.memberships[index]?.has(group) ?? false;
  }
}

function append<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** What the lines of all services say. */
interface Lines {
  /** By service: the lines that make it wait, for one service or for a group. */
  readonly waitsFor: readonly (readonly Target[])[];
  /** By group: `before: GROUP` makes every member wait for the owner. */
  readonly groupWaits: ReadonlyMap<string, readonly Reason[]>;
}

interface LineContext {
  readonly complete: boolean;
  readonly templates: readonly string[];
  readonly report: Report;
}

function readLines({ indexes, members }: NameTable, wishes: readonly OrderWishes[], context: LineContext): Lines {
  const waitsFor: Target[][] = wishes.map(() => []);
  const groupWaits = new Map<string, Reason[]>();
  wishes.forEach((wish, owner) => {
    checkGroups(wish, context.report);
    for (const { directive, name, place } of wish.writesTo ?? []) {
      const target = indexes.get(name);
      const reason: Reason = { owner, directive, name, place };
      if (target !== undefined) waitsFor[owner]?.push({ kind: 'service', target, reason });
    }
    for (const [directive, references] of referencesOf(wish, (name) => members.has(name), context.report)) {
      for (const { name, place, stage } of references) {
        const reason: Reason = { owner, directive, name, place, ...(stage === undefined ? {} : { stage }) };
        const kind = classify(reason, wish.name, { ...context, wishes, indexes });
        if (kind === 'service') {
          const target = indexes.get(name);
          if (target === undefined) continue;
          if (directive !== 'before') waitsFor[owner]?.push({ kind: 'service', target, reason });
          else waitsFor[target]?.push({ kind: 'service', target: owner, reason });
        } else if (kind === 'group') {
          if (directive !== 'before') waitsFor[owner]?.push({ kind: 'group', reason });
          else append(groupWaits, name, reason);
        }
      }
    }
  });
  return { waitsFor, groupWaits };
}

/** The references of one service, without those whose stage is wrong. */
function referencesOf(
  wish: OrderWishes,
  isGroup: (name: string) => boolean,
  report: Report,
): readonly (readonly [Tie['kind'] | 'before', readonly StagedReference[]])[] {
  const tying = tyingDirectives.map((directive) => {
    const label = `${directive} of ${wish.name}`;
    const references = wish[directive] ?? [];
    return [directive, references.flatMap((one) => stagedReference(one, label, isGroup, report) ?? [])] as const;
  });
  checkSingleTies(wish.name, tying, report);
  const before = wish.before.flatMap((reference) => {
    const read = stagedReference(reference, `before of ${wish.name}`, isGroup, report);
    if (read?.stage === undefined) return read ?? [];
    const message = `before of ${wish.name} names a stage: ${quote(reference.name)}`;
    report.error('no-effect', message, reference.place, {
      hint: `expected "after: ${wish.name}:${read.stage}" in the section of the service that waits`,
    });
    return [];
  });
  return [...tying, ['before', before]];
}

function checkGroups({ name: owner, groups }: OrderWishes, report: Report): void {
  for (const { name, place } of groups) {
    if (!isUpperCase(name) || reservedGroups.includes(name)) continue;
    report.error('reserved-name', `${owner} is in the group ${quote(name)}: all upper case is reserved`, place, {
      hint: didYouMean(name, reservedGroups) ?? 'expected INIT, IDLE or a name with a lower-case letter',
    });
  }
}

interface ReferenceContext extends LineContext {
  readonly wishes: readonly OrderWishes[];
  readonly indexes: ReadonlyMap<string, number>;
}

/** Finds out what a reference refers to, and reports mistakes in it. */
function classify(reason: Reason, owner: string, context: ReferenceContext): 'service' | 'group' | 'nothing' {
  const { directive, name, place } = reason;
  const { wishes, indexes, complete, templates, report } = context;
  if (name === consoleService) return indexes.has(name) ? 'service' : 'nothing';
  if (name === 'INIT' || name === 'IDLE') return isPossible(reason, owner, report) ? 'group' : 'nothing';
  if (isUpperCase(name)) {
    const message = `${quote(name)} in ${directive} of ${owner} is no group: all upper case is reserved`;
    report.error('reserved-name', message, place, {
      hint:
        didYouMean(name, [...reservedGroups, consoleService]) ??
        'expected NAME.service, a group, INIT, IDLE or CONSOLE',
    });
    return 'nothing';
  }
  if (!name.endsWith('.service') || templates.includes(name)) return 'group';
  if (complete && !indexes.has(name)) {
    const message = `${directive} of ${owner} names ${quote(name)}, which is not declared`;
    const instances = templates.includes(templateOf(name) ?? '')
      ? `it is none of the instances of ${templateOf(name)}`
      : undefined;
    const hint = instances ?? nearService(name, owner, wishes) ?? 'it has no effect';
    report.warning('unknown-service', message, place, { hint });
  }
  return 'service';
}

/** Reports `after: IDLE` and `before: INIT`, which no order can satisfy. */
function isPossible({ directive, name, place }: Reason, owner: string, report: Report): boolean {
  if (directive !== 'before' && name === 'IDLE') {
    report.error('impossible-order', `${owner} cannot wait for IDLE: idle services start after all others`, place, {
      hint: 'expected "service_groups: IDLE", to be one of them',
    });
    return false;
  }
  if (directive === 'before' && name === 'INIT') {
    const message = `${owner} cannot start before INIT: its services start before all others`;
    report.error('impossible-order', message, place, { hint: 'expected "service_groups: INIT", to be one of them' });
    return false;
  }
  return true;
}

/** Finds a similar service name, compared without the suffix, which would make short names look alike. */
function nearService(name: string, owner: string, wishes: readonly OrderWishes[]): string | undefined {
  const near = nearest(
    shortName(name),
    wishes.filter((wish) => wish.name !== owner).map((wish) => shortName(wish.name)),
  );
  return near === undefined ? undefined : `did you mean "${near}.service"?`;
}

/** Who waits for whom. INIT and IDLE are a virtual node each, so that n services imply n edges and not n². */
class WaitGraph {
  readonly wishes: readonly OrderWishes[];
  /** Nodes, the virtual ones included. */
  readonly size: number;
  readonly #names: NameTable;
  readonly #lines: Lines;
  readonly #init: number;
  readonly #idle: number;
  readonly #initMembers: readonly number[];

  constructor(wishes: readonly OrderWishes[], names: NameTable, lines: Lines) {
    this.wishes = wishes;
    this.size = wishes.length + 2;
    this.#names = names;
    this.#lines = lines;
    this.#init = wishes.length;
    this.#idle = wishes.length + 1;
    this.#initMembers = names.members.get('INIT') ?? [];
  }

  /** Every explicit wait of a service, generated lazily because large groups that wait for each other have very many. */
  *explicitWaits(index: number): Generator<Wait> {
    const { members, memberships } = this.#names;
    for (const line of this.#lines.waitsFor[index] ?? []) {
      if (line.kind === 'service') yield line;
      else {
        // Waits for INIT and IDLE are implied for services outside the group, and there may be thousands on either side.
        if (
          reservedGroups.includes(line.reason.name) &&
          isImplied(line.reason) &&
          !this.#names.isIn(line.reason.name, index)
        )
          continue;
        for (const target of members.get(line.reason.name) ?? []) {
          if (target !== index) yield { target, reason: line.reason };
        }
      }
    }
    for (const group of memberships[index]?.keys() ?? []) {
      for (const reason of this.#lines.groupWaits.get(group) ?? []) {
        if (reason.owner !== index && !(group === 'IDLE' && !this.#names.isIn('IDLE', reason.owner))) {
          yield { target: reason.owner, reason };
        }
      }
    }
  }

  *successors(node: number): Generator<number> {
    if (node === this.#init) yield* this.#initMembers;
    else if (node === this.#idle) {
      for (const index of this.wishes.keys()) if (!this.#names.isIn('IDLE', index)) yield index;
    } else {
      for (const wait of this.explicitWaits(node)) yield wait.target;
      if (this.#initMembers.length > 0 && !this.#names.isIn('INIT', node)) yield this.#init;
      if (this.#names.isIn('IDLE', node)) yield this.#idle;
    }
  }

  /** The steps of a path through the graph, the virtual nodes replaced by the membership that they stand for. */
  stepsOf(path: readonly number[]): Wait[] {
    const steps: Wait[] = [];
    path.forEach((node, position) => {
      if (node >= this.wishes.length) return;
      const next = path[(position + 1) % path.length] ?? node;
      if (next < this.wishes.length) {
        for (const wait of this.explicitWaits(node)) {
          if (wait.target !== next) continue;
          steps.push(wait);
          return;
        }
        return;
      }
      const target = path[(position + 2) % path.length] ?? node;
      const group = next === this.#init ? 'INIT' : 'IDLE';
      const owner = next === this.#init ? target : node;
      const membership = this.#names.memberships[owner]?.get(group);
      if (membership === undefined) return;
      const reason: Reason = { owner, directive: 'service_groups', name: group, place: membership.place };
      steps.push({ target, reason });
    });
    return steps;
  }
}

/** True for a reference to INIT that says no more than what INIT means anyway. */
function isImplied({ directive, stage = 'ready' }: Reason): boolean {
  return directive !== 'requires' && stage === 'ready';
}

function reportCycle(graph: WaitGraph, component: ReadonlySet<number>, report: Report): void {
  const { wishes } = graph;
  const services = [...component].filter((node) => node < wishes.length).sort((a, b) => a - b);
  const last = services.at(-1);
  if (last === undefined) return;
  // The service declared last closes the cycle. If it waits only because of a group, a more explicit directive is shown
  // instead.
  const path = shortestCycle(last, component, (node) => graph.successors(node));
  const steps = graph.stepsOf(path);
  const start = Math.max(
    0,
    steps.findIndex((step) => step.reason.directive !== 'service_groups'),
  );
  const ordered = [...steps.slice(start), ...steps.slice(0, start)];
  const [first, second] = ordered;
  if (first === undefined) return;
  const before = ordered.at(-1)?.target ?? last;
  const chain = [before, ...ordered.map((step) => step.target)].map((node) => shortName(wishes[node]?.name ?? ''));
  const shown = chain.length > 12 ? [...chain.slice(0, 6), '…', ...chain.slice(-5)] : chain;
  const message = `${wishes[before]?.name} waits for itself: ${shown.join(' → ')}`;
  report.error('dependency-cycle', message, first.reason.place, {
    related:
      // The group of the command line's command is in no file, so there is no place to show.
      second === undefined || second.reason.place.source.file === ''
        ? undefined
        : {
            message: `${wishes[second.reason.owner]?.name} says "${second.reason.directive}: ${second.reason.name}"`,
            place: second.reason.place,
          },
  });
}

type Target =
  | { readonly kind: 'service'; readonly target: number; readonly reason: Reason }
  | { readonly kind: 'group'; readonly reason: Reason };

/** Tarjan's strongly connected components, without recursion; only those that hold a cycle. */
function cyclicComponents(size: number, successors: (node: number) => Generator<number>): Set<number>[] {
  const order = new Array<number>(size).fill(-1);
  const low = new Array<number>(size);
  const onStack = new Set<number>();
  const selfWaits = new Set<number>();
  const stack: number[] = [];
  const found: Set<number>[] = [];
  let counter = 0;

  for (let root = 0; root < size; root += 1) {
    if (order[root] !== -1) continue;
    const visits: { readonly node: number; readonly rest: Generator<number> }[] = [];
    const enter = (node: number): void => {
      order[node] = counter;
      low[node] = counter;
      counter += 1;
      stack.push(node);
      onStack.add(node);
      visits.push({ node, rest: successors(node) });
    };
    enter(root);
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      const { node } = visit;
      const step = visit.rest.next();
      if (step.done !== true) {
        const next = step.value;
        if (next === node) selfWaits.add(node);
        if (order[next] === -1) enter(next);
        else if (onStack.has(next)) low[node] = Math.min(low[node] ?? 0, order[next] ?? 0);
        continue;
      }
      visits.pop();
      const parent = visits.at(-1)?.node;
      if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[node] ?? 0);
      if (low[node] !== order[node]) continue;
      const component = new Set<number>();
      for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
        onStack.delete(member);
        component.add(member);
        if (member === node) break;
      }
      if (component.size > 1 || selfWaits.has(node)) found.push(component);
    }
  }
  return found;
}

/** The nodes of a shortest way from a node back to itself, the node first; breadth first within its component. */
function shortestCycle(
  start: number,
  component: ReadonlySet<number>,
  successors: (node: number) => Generator<number>,
): number[] {
  const cameFrom = new Map<number, number>();
  const queue = [start];
  for (const node of queue) {
    for (const next of successors(node)) {
      if (next === start) {
        const path = [node];
        for (let step = node; step !== start; ) {
          step = cameFrom.get(step) ?? start;
          path.push(step);
        }
        return path.reverse();
      }
      if (!component.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return [start];
}
