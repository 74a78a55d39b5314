/**
 * Regular expressions of users, run in the supervisor's own loop: none may hang it.
 *
 * JavaScript's engine backtracks: on a text that does not match, it walks every path through the expression. How many there
 * are decides. Two theorems on ambiguity (Weber and Seidl, "On the degree of ambiguity of finite automata", 1991) tell it
 * from the expression's automaton:
 *
 * - where one state can come back to itself in two ways on the same text, the paths grow exponentially: `(a+)+`, `(a|a)*`;
 * - where p can loop, q can loop and p can lead to q, all three on the same text, they grow by one more power of the text's
 *   length: `a*a*`. Powers add up along a chain of such pairs.
 *
 * The automaton is Glushkov's, one state a character set of the expression, with the number of ways kept at each edge, since
 * the engine walks each; the search for a place to begin is a state of its own before it. What cannot be told apart is
 * counted as more paths, never as fewer: assertions match everywhere, a backreference matches anything, `{n,m}` with many
 * repetitions is a loop that costs at most m.
 *
 * Only whether there is a match matters here, never which one. So an expression is first made simpler: `.*error.*` asks
 * the same as `error`, and `a.*b.*c` is three searches, one after the other, in place of three nested ones.
 */

import { contains, fixedVariants, parseRegex, type RegexNode, regexSource } from './regex-tree.ts';

/** The characters of a text that count on being searched. */
const textLength = 8192;
/** Steps that one search may take at worst; the engine does some hundred million a second. */
const mostSteps = 3e8;
/** States of an automaton that is still judged. */
const mostStates = 500;
/** Steps of the judgement itself. */
const mostWork = 500_000;
/** A bounded repetition up to here is written out, and a loop beyond. */
const mostCopies = 8;
/** Searches that stand for one with alternatives of different lengths. */
const mostVariants = 16;

/**
 * Tells why a regular expression must not be run on texts from outside, or undefined where it may.
 *
 * @param source what JavaScript accepts as a regular expression without the flags u and v
 * @param flags `i` and `s` matter
 */
export function regexHazard(source: string, flags: string): string | undefined {
  try {
    // As it is written: what is catastrophic there had better be written otherwise, even where a search need not do it all.
    new Judgement(parseRegex(source), flags).refuseExponential();
    for (const step of searchSteps(source, flags))
      for (const variant of step) new Judgement(variant, flags).refuseSlow();
    return undefined;
  } catch (error) {
    if (error instanceof Hazard) return error.message;
    throw error;
  }
}

/**
 * Compiles a regular expression to a function that tells whether a text contains a match: the same answer as
 * `new RegExp(source, flags).test(text)`, sometimes much sooner.
 */
export function compileRegex(source: string, flags: string): (text: string) => boolean {
  const steps = searchSteps(source, flags);
  const [only] = steps;
  if (only === undefined) return () => true;
  const [variant] = only;
  if (steps.length === 1 && only.length === 1 && variant !== undefined) {
    const single = new RegExp(regexSource(variant), flags);
    return (text) => single.test(text);
  }
  const searches = steps.map((step) => step.map((one) => new RegExp(regexSource(one), `${flags}g`)));
  return (text) => {
    let from = 0;
    for (const variants of searches) {
      from = earliestEnd(variants, text, from);
      if (from === -1) return false;
    }
    return true;
  };
}

/** Where the match ends that ends first, -1 where there is none. */
function earliestEnd(variants: readonly RegExp[], text: string, from: number): number {
  let end = -1;
  for (const variant of variants) {
    variant.lastIndex = from;
    if (variant.test(text) && (end === -1 || variant.lastIndex < end)) end = variant.lastIndex;
  }
  return end;
}

/** What is searched for at once: expressions one of which has to match. */
type SearchStep = readonly RegexNode[];

/**
 * The searches, one after the other, that together find out whether there is a match: each begins where the one before has
 * ended. None where everything matches.
 *
 * A search finds the leftmost match, and where all matches are of one length that is also the one that ends first, which
 * leaves most for those that follow: therefore only behind such a part may `.*` be cut, or behind several such parts of
 * which the one is taken that ends first.
 */
function searchSteps(source: string, flags: string): readonly SearchStep[] {
  const tree = parseRegex(source);
  // A backreference needs its group as it stands.
  if (contains(tree, 'backreference')) return [[tree]];
  const items = tree.kind === 'sequence' ? tree.items : [tree];
  const steps: SearchStep[] = [];
  let current: RegexNode[] = [];
  for (const item of items) {
    const least = flags.includes('s') ? anything(item) : undefined;
    const step = least === undefined ? undefined : fixedVariants(trimmed([...current, ...least]), mostVariants);
    if (step === undefined) current.push(item);
    else {
      steps.push(step);
      current = [];
    }
  }
  steps.push([trimmed(current)]);
  return steps.filter(([first]) => first?.kind !== 'sequence' || first.items.length > 0);
}

/** Of `.*` and `.+`, what must be there before anything may follow. */
function anything(node: RegexNode): readonly RegexNode[] | undefined {
  if (node.kind !== 'repeat' || node.max !== Infinity || node.min > 1) return undefined;
  if (node.body.kind !== 'set' || node.body.source !== '.') return undefined;
  return node.min === 0 ? [] : [node.body];
}

/** Without what may be missing at either end: a search need not look for it. */
function trimmed(items: readonly RegexNode[]): RegexNode {
  const rest = [...items];
  const isStart = (node: RegexNode | undefined) => node?.kind === 'assertion' && node.source === '^';
  const isEnd = (node: RegexNode | undefined) => node?.kind === 'assertion' && node.source === '$';
  // What is left alone between `^` and a cut, or a cut and `$`, is true of every text.
  if (rest.length === 1 && (isStart(rest[0]) || isEnd(rest[0]))) return { kind: 'sequence', items: rest };
  for (let last = rest.pop(); last !== undefined; last = rest.pop()) {
    const kept = atLeast(last, 'end');
    if (kept === undefined) continue;
    rest.push(kept);
    break;
  }
  for (let first = rest.shift(); first !== undefined; first = rest.shift()) {
    const kept = atLeast(first, 'start');
    if (kept === undefined) continue;
    rest.unshift(kept);
    break;
  }
  return { kind: 'sequence', items: rest };
}

/** What must be there of the first or last node of a search; undefined where it may be missing. */
function atLeast(node: RegexNode, end: 'start' | 'end'): RegexNode | undefined {
  switch (node.kind) {
    case 'repeat':
      if (node.min === 0) return undefined;
      return node.min === 1 ? node.body : { ...node, max: node.min };
    case 'group':
      return { ...node, body: atLeast(node.body, end) ?? { kind: 'sequence', items: [] } };
    case 'choice':
      return {
        ...node,
        options: node.options.map((option) => atLeast(option, end) ?? { kind: 'sequence', items: [] }),
      };
    case 'sequence': {
      const items = [...node.items];
      for (;;) {
        const outer = end === 'start' ? items.shift() : items.pop();
        if (outer === undefined) return { kind: 'sequence', items };
        const kept = atLeast(outer, end);
        if (kept === undefined) continue;
        if (end === 'start') items.unshift(kept);
        else items.push(kept);
        return { kind: 'sequence', items };
      }
    }
    default:
      return node;
  }
}

/** A refusal on its way out of the judgement. */
class Hazard extends Error {}

/** States and the number of ways to each. Ways are counted up to 2: more is not worse. */
type Ways = ReadonlyMap<number, number>;

/** A part of the automaton under construction. */
interface Fragment {
  /** Ways to match nothing. */
  readonly empty: number;
  readonly first: Ways;
  readonly last: Ways;
}

interface Loop {
  readonly source: string;
  readonly bound: number;
  readonly states: readonly number[];
}

const nothing: Ways = new Map();

class Judgement {
  readonly #flags: string;
  readonly #tree: RegexNode;
  /** The set of characters of each state. */
  readonly #sets: string[] = [];
  /** Where each state leads. */
  readonly #next: Map<number, number>[] = [];
  readonly #loops: Loop[] = [];
  #masks: readonly bigint[] = [];
  #work = 0;

  constructor(tree: RegexNode, flags: string) {
    this.#tree = tree;
    this.#flags = flags;
  }

  /** @throws Hazard where the ways grow exponentially */
  refuseExponential(): void {
    for (const component of this.#looping()) this.#refuseExponential(component);
  }

  /** @throws Hazard where the ways grow so much with the text that one search would be noticed */
  refuseSlow(): void {
    const looping = this.#looping();
    for (const component of looping) this.#refuseExponential(component);
    const steps = textLength * this.#chain(looping) * this.#finiteWays(looping);
    if (steps > mostSteps) {
      throw new Hazard(
        `a message could take it some ${inWords(steps)} steps, because parts of it can match the same text in many ways ` +
          '(backtracking); begin it with "^", or say more exactly what ".*" and the like may match, such as [^ ]*',
      );
    }
  }

  /** Builds the automaton, and finds the parts of it that a text can go around in. */
  #looping(): readonly (readonly number[])[] {
    const start = this.#state('[^]');
    const self: Ways = new Map([[start, 1]]);
    // The search tries each place, unless the expression can only match at the start.
    if (!isAnchored(this.#tree)) this.#loop([start], Infinity, '', self, self);
    this.#connect(self, this.#build(this.#tree, 1).first);
    this.#masks = characterMasks(this.#sets, regexSource(this.#tree), this.#flags);
    return stronglyConnected(this.#next).filter(
      ({ length, 0: state = 0 }) => length > 1 || this.#next[state]?.has(state) === true,
    );
  }

  #state(set: string): number {
    if (this.#sets.length >= mostStates) throw new Hazard('it is too long for its worst case to be found out');
    this.#sets.push(set);
    this.#next.push(new Map());
    return this.#sets.length - 1;
  }

  #connect(from: Ways, to: Ways): void {
    for (const [state, ways] of from) {
      const next = this.#next[state];
      if (next === undefined) continue;
      for (const [target, more] of to) {
        this.#spend(1);
        next.set(target, Math.min(2, (next.get(target) ?? 0) + ways * more));
      }
    }
  }

  #loop(states: readonly number[], bound: number, source: string, from: Ways, to: Ways): void {
    this.#loops.push({ source, bound, states });
    this.#connect(from, to);
  }

  #spend(work: number): void {
    this.#work += work;
    if (this.#work > mostWork) throw new Hazard('it is too intricate for its worst case to be found out');
  }

  /** @param copies how often what surrounds it is written out */
  #build(node: RegexNode, copies: number): Fragment {
    switch (node.kind) {
      case 'set': {
        const only: Ways = new Map([[this.#state(node.source), 1]]);
        return { empty: 0, first: only, last: only };
      }
      case 'assertion':
        return { empty: 1, first: nothing, last: nothing };
      case 'backreference': {
        const state = this.#state('[^]');
        const only: Ways = new Map([[state, 1]]);
        this.#loop([state], Infinity, node.source, only, only);
        return { empty: 1, first: only, last: only };
      }
      case 'look':
        // A way of its own that ends there, beside the way on.
        return { empty: 1, first: this.#build(node.body, copies).first, last: nothing };
      case 'group':
        return this.#build(node.body, copies);
      case 'sequence':
        return node.items.reduce<Fragment>((before, item) => this.#append(before, this.#build(item, copies)), {
          empty: 1,
          first: nothing,
          last: nothing,
        });
      case 'choice': {
        const options = node.options.map((option) => this.#build(option, copies));
        return {
          empty: Math.min(
            2,
            options.reduce((sum, { empty }) => sum + empty, 0),
          ),
          first: sum(options.map(({ first }) => first)),
          last: sum(options.map(({ last }) => last)),
        };
      }
      case 'repeat':
        return this.#repeat(node, copies);
    }
  }

  #append(before: Fragment, after: Fragment): Fragment {
    this.#connect(before.last, after.first);
    return {
      empty: Math.min(2, before.empty * after.empty),
      first: sum([before.first, times(after.first, before.empty)]),
      last: sum([after.last, times(before.last, after.empty)]),
    };
  }

  #repeat(node: Extract<RegexNode, { kind: 'repeat' }>, copies: number): Fragment {
    const { body, min, max } = node;
    if (max === 0) return { empty: 1, first: nothing, last: nothing };
    if (max * copies <= mostCopies) return this.#writtenOut(body, min, max, copies * max);
    const once = this.#build(body, copies);
    if (min > 1 && once.empty > 0) {
      throw new Hazard(
        `"${shorten(regexSource(node))}" repeats at least ${min} times what may be empty, and which of them are can be ` +
          'chosen in too many ways (catastrophic backtracking)',
      );
    }
    this.#loop([...once.first.keys()], max, regexSource(node), once.last, once.first);
    // A repetition that must be there may be empty first, and is then followed by others.
    return min === 0
      ? { empty: 1, first: once.first, last: once.last }
      : { empty: once.empty, first: times(once.first, 1 + once.empty), last: once.last };
  }

  /** `xx(x(x)?)?` for x{2,4}. */
  #writtenOut(body: RegexNode, min: number, max: number, copies: number): Fragment {
    let optional: Fragment | undefined;
    for (let count = min; count < max; count++) {
      const once = this.#build(body, copies);
      const all: Fragment = optional === undefined ? once : this.#append(once, optional);
      // What may be left out is not matched by nothing besides.
      optional = { ...all, empty: 1 };
    }
    let whole: Fragment = { empty: 1, first: nothing, last: nothing };
    for (let count = 0; count < min; count++) whole = this.#append(whole, this.#build(body, copies));
    return optional === undefined ? whole : this.#append(whole, optional);
  }

  #overlap(one: number, other: number): boolean {
    this.#spend(1);
    return ((this.#masks[one] ?? 0n) & (this.#masks[other] ?? 0n)) !== 0n;
  }

  /** Refuses two ways from a state back to itself on the same text. */
  #refuseExponential(component: readonly number[]): void {
    const inside = new Set(component);
    const edges = (state: number) => [...(this.#next[state] ?? [])].filter(([target]) => inside.has(target));
    // Pairs that can be reached from one state by two ways on the same text, and the pairs they were reached from.
    const reachedFrom = new Map<number, number[]>();
    const size = this.#sets.length;
    const queue = component.map((state) => state * size + state);
    const seen = new Set(queue);
    for (const pair of queue) {
      const one = Math.floor(pair / size);
      const other = pair % size;
      for (const [target, ways] of edges(one)) {
        for (const [otherTarget] of edges(other)) {
          if (!this.#overlap(target, otherTarget)) continue;
          if (one === other && target === otherTarget && ways > 1) this.#exponential(component);
          const reached = target * size + otherTarget;
          const sources = reachedFrom.get(reached);
          if (sources === undefined) reachedFrom.set(reached, [pair]);
          else sources.push(pair);
          if (!seen.has(reached)) {
            seen.add(reached);
            queue.push(reached);
          }
        }
      }
    }
    // Back from the pairs of one state with itself.
    const back = component.map((state) => state * size + state);
    const met = new Set(back);
    for (const pair of back) {
      for (const source of reachedFrom.get(pair) ?? []) {
        if (met.has(source)) continue;
        if (Math.floor(source / size) !== source % size) this.#exponential(component);
        met.add(source);
        back.push(source);
      }
    }
  }

  #exponential(component: readonly number[]): never {
    const inside = new Set(component);
    // The outermost loop comes last.
    const loop = this.#loops.findLast(({ states }) => states.some((state) => inside.has(state)));
    throw new Hazard(
      `"${shorten(loop?.source ?? '')}" can match the same text in exponentially many ways, so that one message could ` +
        'hang the container (catastrophic backtracking)',
    );
  }

  /** By how much the number of ways can grow with the length of the text: the product along the worst chain of loops. */
  #chain(looping: readonly (readonly number[])[]): number {
    // Components come in the order in which they can be reached.
    const best = looping.map(() => 1);
    const reaches = looping.map((component) => this.#reachable(component));
    looping.forEach((component, index) => {
      let most = 1;
      for (let before = 0; before < index; before++) {
        const earlier = looping[before];
        if (earlier === undefined || component[0] === undefined || reaches[before]?.has(component[0]) !== true)
          continue;
        const so = best[before] ?? 1;
        if (so * this.#bound(component) > most && this.#grows(earlier, component)) most = so * this.#bound(component);
        most = Math.max(most, so);
      }
      best[index] = most;
    });
    return Math.max(1, ...best);
  }

  #reachable(from: readonly number[]): ReadonlySet<number> {
    const seen = new Set(from);
    for (const state of seen) for (const target of this.#next[state]?.keys() ?? []) seen.add(target);
    return seen;
  }

  #bound(component: readonly number[]): number {
    const inside = new Set(component);
    const product = this.#loops
      .filter(({ states }) => states.some((state) => inside.has(state)))
      .reduce((so, { bound }) => so * bound, 1);
    return Math.min(textLength, product);
  }

  /** Whether a state p of the one and a state q of the other have a text on which p → p, p → q and q → q. */
  #grows(one: readonly number[], other: readonly number[]): boolean {
    return one.some((p) => other.some((q) => this.#growsBetween(p, q, new Set(one), new Set(other))));
  }

  #growsBetween(p: number, q: number, around: ReadonlySet<number>, beyond: ReadonlySet<number>): boolean {
    const size = this.#sets.length;
    const key = (a: number, b: number, c: number) => (a * size + b) * size + c;
    const goal = key(p, q, q);
    const queue: (readonly [number, number, number])[] = [[p, p, q]];
    const seen = new Set([key(p, p, q)]);
    for (const [a, b, c] of queue) {
      for (const nextA of this.#next[a]?.keys() ?? []) {
        if (!around.has(nextA)) continue;
        for (const nextC of this.#next[c]?.keys() ?? []) {
          if (!beyond.has(nextC) || !this.#overlap(nextA, nextC)) continue;
          for (const nextB of this.#next[b]?.keys() ?? []) {
            this.#spend(1);
            const common = (this.#masks[nextA] ?? 0n) & (this.#masks[nextB] ?? 0n) & (this.#masks[nextC] ?? 0n);
            if (common === 0n) continue;
            const reached = key(nextA, nextB, nextC);
            if (reached === goal) return true;
            if (seen.has(reached)) continue;
            seen.add(reached);
            queue.push([nextA, nextB, nextC]);
          }
        }
      }
    }
    return false;
  }

  /**
   * The ways that come from choices outside of loops, such as `a?a?a?a?`: those of the text that at each character keeps
   * most of them open.
   */
  #finiteWays(looping: readonly (readonly number[])[]): number {
    const home = new Map(looping.flatMap((component, index) => component.map((state) => [state, index] as const)));
    let ways = new Map([[0, 1]]);
    let most = 1;
    for (let step = 0; step < this.#sets.length && ways.size > 0; step++) {
      const reached = new Map<number, number>();
      for (const [state, count] of ways) {
        for (const [target, more] of this.#next[state] ?? []) {
          this.#spend(1);
          if (home.has(state) && home.get(state) === home.get(target)) continue;
          reached.set(target, (reached.get(target) ?? 0) + count * more);
        }
      }
      let open = new Map<number, number>();
      let count = 0;
      for (const state of reached.keys()) {
        const mask = this.#masks[state] ?? 0n;
        // One character of the set, so that all states that take it are counted.
        const together = [...reached].filter(([other]) => ((this.#masks[other] ?? 0n) & mask & -mask) !== 0n);
        this.#spend(reached.size);
        const total = together.reduce((so, [, ways]) => so + ways, 0);
        if (total > count) {
          count = total;
          open = new Map(together);
        }
      }
      ways = open;
      most = Math.max(most, count);
    }
    return most;
  }
}

/** Whether it can only match at the start of the text. */
function isAnchored(node: RegexNode): boolean {
  switch (node.kind) {
    case 'assertion':
      return node.source === '^';
    case 'group':
      return isAnchored(node.body);
    case 'sequence': {
      const [first] = node.items;
      return first !== undefined && isAnchored(first);
    }
    case 'choice':
      return node.options.every(isAnchored);
    default:
      return false;
  }
}

function sum(all: readonly Ways[]): Ways {
  const total = new Map<number, number>();
  for (const ways of all) {
    for (const [state, count] of ways) total.set(state, Math.min(2, (total.get(state) ?? 0) + count));
  }
  return total;
}

function times(ways: Ways, factor: number): Ways {
  if (factor === 0) return nothing;
  return factor === 1 ? ways : new Map([...ways].map(([state, count]) => [state, Math.min(2, count * factor)]));
}

/** Characters that sets tell apart: ASCII and Latin-1, kinds of white space and line ends, odd partners of letters. */
const usualCharacters: readonly number[] = [
  ...Array.from({ length: 256 }, (_, code) => code),
  ...[0x130, 0x131, 0x178, 0x17f, 0x391, 0x3b1, 0x3bc, 0x1680, 0x1e9e, 0x2000, 0x2028, 0x2029, 0x212a, 0x212b, 0x3000],
  ...[0x4e00, 0xd800, 0xdc00, 0xfeff, 0xffff],
];

/**
 * For each set the characters in it, one bit for each group of characters that no set tells apart. JavaScript itself is asked
 * which are in it.
 */
function characterMasks(sets: readonly string[], source: string, flags: string): readonly bigint[] {
  const characters = new Set(usualCharacters.map((code) => String.fromCharCode(code)));
  const named = [...source.matchAll(/\\(?:x|u)([\da-fA-F]{2,4})|[\u0100-\uffff]/g)].map((match) =>
    match[1] === undefined ? match[0].charCodeAt(0) : Number.parseInt(match[1], 16),
  );
  for (const code of named) {
    for (const near of [code - 1, code, code + 1]) {
      const character = String.fromCharCode(Math.max(0, near));
      for (const form of [character, character.toLowerCase(), character.toUpperCase()]) characters.add(form.charAt(0));
    }
  }
  const different = [...new Set(sets)];
  const tests = different.map((set) => new RegExp(`^(?:${set})$`, flags));
  // One character stands for all that are in the same sets.
  const groups = new Set<string>();
  for (const character of characters) groups.add(tests.map((test) => (test.test(character) ? '1' : '0')).join(''));
  const masks = new Map(different.map((set) => [set, 0n]));
  [...groups].forEach((group, bit) => {
    different.forEach((set, index) => {
      if (group[index] === '1') masks.set(set, (masks.get(set) ?? 0n) | (1n << BigInt(bit)));
    });
  });
  return sets.map((set) => masks.get(set) ?? 0n);
}

/** The strongly connected components in the order in which they can be reached (Tarjan 1972, without recursion). */
function stronglyConnected(next: readonly ReadonlyMap<number, number>[]): readonly (readonly number[])[] {
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const stack: number[] = [];
  const onStack = new Set<number>();
  const components: number[][] = [];
  for (let root = 0; root < next.length; root++) {
    if (index.has(root)) continue;
    const path: { readonly state: number; readonly targets: Iterator<number> }[] = [];
    const enter = (state: number) => {
      index.set(state, index.size);
      low.set(state, index.get(state) ?? 0);
      stack.push(state);
      onStack.add(state);
      path.push({ state, targets: (next[state] ?? new Map<number, number>()).keys() });
    };
    enter(root);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { state } = top;
      const step = top.targets.next();
      if (step.done !== true) {
        const target = step.value;
        if (!index.has(target)) enter(target);
        else if (onStack.has(target)) low.set(state, Math.min(low.get(state) ?? 0, index.get(target) ?? 0));
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent !== undefined) low.set(parent.state, Math.min(low.get(parent.state) ?? 0, low.get(state) ?? 0));
      if (low.get(state) !== index.get(state)) continue;
      const component: number[] = [];
      for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
        onStack.delete(member);
        component.push(member);
        if (member === state) break;
      }
      components.push(component);
    }
  }
  return components.reverse();
}

function shorten(source: string): string {
  return source.length > 40 ? `${source.slice(0, 40)}…` : source;
}

function inWords(steps: number): string {
  if (steps < 1e9) return `${Math.round(steps / 1e6)} million`;
  return steps < 1e12 ? `${Math.round(steps / 1e9)} thousand million` : `10^${Math.floor(Math.log10(steps))}`;
}
