import { didYouMean, nearest } from '../model/nearest.ts';
import { consoleService, shortName } from '../model/service-spec.ts';
import type { NameReference } from './read-names.ts';
import type { Report } from './report.ts';
import type { Place } from './source.ts';
import { isUpperCase } from './validate.ts';
import { quote } from './wording.ts';

/** What one service says about the order. */
export interface OrderWishes {
  /** With its suffix. */
  readonly name: string;
  readonly groups: readonly NameReference[];
  readonly after: readonly NameReference[];
  readonly before: readonly NameReference[];
}

/** One service waits for another, and whose line says so. */
interface Wait {
  readonly target: number;
  readonly reason: Reason;
}

interface Reason {
  /** The service in whose section the line stands. */
  readonly owner: number;
  readonly directive: 'after' | 'before' | 'service_groups';
  readonly name: string;
  readonly place: Place;
}

const reservedGroups: readonly string[] = ['INIT', 'IDLE'];

/**
 * Resolves references and groups by section 2 of the reference: for every service the names it waits for because a line
 * says so, in the order of declaration. What INIT and IDLE imply is left to the dependency graph (for many services it
 * is a great deal), but cycles are found with it. References that are wrong, and cycles, go to the report. Where not every
 * file could be read, `complete` is false: then an undeclared service is no news.
 */
export function resolvePrerequisites(
  wishes: readonly OrderWishes[],
  complete: boolean,
  report: Report,
): readonly (readonly string[])[] {
  const indexes = new Map(wishes.map((wish, index) => [wish.name, index]));
  const members = new Map<string, number[]>();
  const memberships = wishes.map((wish) => new Map(wish.groups.map((group) => [group.name, group])));
  memberships.forEach((groups, index) => {
    for (const name of groups.keys()) {
      const group = members.get(name);
      if (group === undefined) members.set(name, [index]);
      else group.push(index);
    }
  });
  const isIn = (group: string, index: number): boolean => memberships[index]?.has(group) ?? false;

  /** Lines that make a service wait: for one service, or for a group. */
  const waitsFor: Target[][] = wishes.map(() => []);
  /** `before: GROUP` makes every member wait for the owner. */
  const groupWaits = new Map<string, Reason[]>();

  wishes.forEach((wish, owner) => {
    for (const group of wish.groups) {
      if (isUpperCase(group.name) && !reservedGroups.includes(group.name)) {
        report.error(
          'reserved-name',
          `${wish.name} is in the group ${quote(group.name)}: all upper case is reserved`,
          group.place,
          { hint: didYouMean(group.name, reservedGroups) ?? 'expected INIT, IDLE or a name with a lower-case letter' },
        );
      }
    }
    for (const directive of ['after', 'before'] as const) {
      for (const { name, place } of wish[directive]) {
        const reason: Reason = { owner, directive, name, place };
        const kind = classify(reason, wish.name);
        if (kind === 'service') {
          const target = indexes.get(name);
          if (target === undefined) continue;
          if (directive === 'after') waitsFor[owner]?.push({ kind: 'service', target, reason });
          else waitsFor[target]?.push({ kind: 'service', target: owner, reason });
        } else if (kind === 'group') {
          if (directive === 'after') waitsFor[owner]?.push({ kind: 'group', reason });
          else {
            const reasons = groupWaits.get(name);
            if (reasons === undefined) groupWaits.set(name, [reason]);
            else reasons.push(reason);
          }
        }
      }
    }
  });

  /** Reports what is wrong with a reference, and says what it refers to. */
  function classify({ directive, name, place }: Reason, owner: string): 'service' | 'group' | 'nothing' {
    if (name === consoleService) return indexes.has(name) ? 'service' : 'nothing';
    if (name === 'INIT' || name === 'IDLE') {
      if (directive === 'after' && name === 'IDLE') {
        report.error('impossible-order', `${owner} cannot wait for IDLE: idle services start after all others`, place, {
          hint: 'expected "service_groups: IDLE", to be one of them',
        });
        return 'nothing';
      }
      if (directive === 'before' && name === 'INIT') {
        report.error(
          'impossible-order',
          `${owner} cannot start before INIT: its services start before all others`,
          place,
          { hint: 'expected "service_groups: INIT", to be one of them' },
        );
        return 'nothing';
      }
      return 'group';
    }
    if (isUpperCase(name)) {
      report.error(
        'reserved-name',
        `${quote(name)} in ${directive} of ${owner} is no group: all upper case is reserved`,
        place,
        {
          hint:
            didYouMean(name, [...reservedGroups, consoleService]) ??
            'expected NAME.service, a group, INIT, IDLE or CONSOLE',
        },
      );
      return 'nothing';
    }
    if (!name.endsWith('.service')) return 'group';
    if (complete && !indexes.has(name)) {
      report.warning('unknown-service', `${directive} of ${owner} names ${quote(name)}, which is not declared`, place, {
        hint: nearService(name, owner) ?? 'it has no effect',
      });
    }
    return 'service';
  }

  /** Compares without the suffix, which would make short names look alike. */
  function nearService(name: string, owner: string): string | undefined {
    const near = nearest(
      shortName(name),
      wishes.filter((wish) => wish.name !== owner).map((wish) => shortName(wish.name)),
    );
    return near === undefined ? undefined : `did you mean "${near}.service"?`;
  }

  /** Every explicit wait of a service; lazily, since large groups that wait for each other have very many. */
  function* explicitWaits(index: number): Generator<Wait> {
    for (const line of waitsFor[index] ?? []) {
      if (line.kind === 'service') yield line;
      else {
        // Implied for everybody outside the group, and there may be thousands on either side.
        if (reservedGroups.includes(line.reason.name) && !isIn(line.reason.name, index)) continue;
        for (const target of members.get(line.reason.name) ?? []) {
          if (target !== index) yield { target, reason: line.reason };
        }
      }
    }
    for (const group of memberships[index]?.keys() ?? []) {
      for (const reason of groupWaits.get(group) ?? []) {
        if (reason.owner !== index && !(group === 'IDLE' && !isIn('IDLE', reason.owner))) {
          yield { target: reason.owner, reason };
        }
      }
    }
  }

  // INIT and IDLE become a virtual node each, so that n services imply n edges and not n².
  const init = wishes.length;
  const idle = wishes.length + 1;
  const initMembers = members.get('INIT') ?? [];
  const all = wishes.map((_, index) => index);

  function* successors(node: number): Generator<number> {
    if (node === init) yield* initMembers;
    else if (node === idle) yield* all.filter((index) => !isIn('IDLE', index));
    else {
      for (const wait of explicitWaits(node)) yield wait.target;
      if (initMembers.length > 0 && !isIn('INIT', node)) yield init;
      if (isIn('IDLE', node)) yield idle;
    }
  }

  /** The steps of a path through the graph, the virtual nodes replaced by the membership that they stand for. */
  function stepsOf(path: readonly number[]): Wait[] {
    const steps: Wait[] = [];
    path.forEach((node, position) => {
      if (node >= wishes.length) return;
      const next = path[(position + 1) % path.length] ?? node;
      if (next < wishes.length) {
        for (const wait of explicitWaits(node)) {
          if (wait.target !== next) continue;
          steps.push(wait);
          return;
        }
        return;
      }
      const target = path[(position + 2) % path.length] ?? node;
      const group = next === init ? 'INIT' : 'IDLE';
      const owner = next === init ? target : node;
      const membership = memberships[owner]?.get(group);
      if (membership === undefined) return;
      const reason: Reason = { owner, directive: 'service_groups', name: group, place: membership.place };
      steps.push({ target, reason });
    });
    return steps;
  }

  function reportCycle(component: ReadonlySet<number>): void {
    const services = [...component].filter((node) => node < wishes.length).sort((a, b) => a - b);
    const last = services.at(-1);
    if (last === undefined) return;
    // The service declared last closes the cycle, unless it waits only by a group: then a line that says more is better.
    const path = shortestCycle(last, component, successors);
    const steps = stepsOf(path);
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
    report.error(
      'dependency-cycle',
      `${wishes[before]?.name} waits for itself: ${shown.join(' → ')}`,
      first.reason.place,
      {
        related:
          // What no line says (the command's group) has no place to show.
          second === undefined || second.reason.place.source.file === ''
            ? undefined
            : {
                message: `${wishes[second.reason.owner]?.name} says "${second.reason.directive}: ${second.reason.name}"`,
                place: second.reason.place,
              },
      },
    );
  }

  const cycles = cyclicComponents(wishes.length + 2, successors);
  for (const component of cycles) reportCycle(component);
  // Members of a large group that wait for each other would make far too many names, and nothing starts anyway.
  if (cycles.length > 0) return wishes.map(() => []);
  return all.map((index) => {
    const targets = new Set<number>();
    for (const wait of explicitWaits(index)) targets.add(wait.target);
    return [...targets].sort((a, b) => a - b).flatMap((target) => wishes[target]?.name ?? []);
  });
}

type Target =
  | { readonly kind: 'service'; readonly target: number; readonly reason: Reason }
  | { readonly kind: 'group'; readonly reason: Reason };

/** Tarjan's strongly connected components, without recursion; only those that hold a cycle. */
function cyclicComponents(size: number, successors: (node: number) => Generator<number>): Set<number>[] {
  const order = new Array<number>(size).fill(-1);
  const low = new Array<number>(size).fill(0);
  const onStack = new Array<boolean>(size).fill(false);
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
      onStack[node] = true;
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
        else if (onStack[next] === true) low[node] = Math.min(low[node] ?? 0, order[next] ?? 0);
        continue;
      }
      visits.pop();
      const parent = visits.at(-1)?.node;
      if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[node] ?? 0);
      if (low[node] !== order[node]) continue;
      const component = new Set<number>();
      for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
        onStack[member] = false;
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
