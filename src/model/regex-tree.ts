/** The syntax tree of a regular expression, as far as the time that it takes depends on it. */
export type RegexNode =
  /** One character of a set: `x`, `\d`, `[a-z]`, `.`. */
  | { readonly kind: 'set'; readonly source: string }
  /** `^`, `$`, `\b`, `\B`. */
  | { readonly kind: 'assertion'; readonly source: string }
  /** `\1`, `\k<name>`. */
  | { readonly kind: 'backreference'; readonly source: string }
  /** `(?=…)` and its kin. */
  | { readonly kind: 'look'; readonly open: string; readonly body: RegexNode }
  | { readonly kind: 'group'; readonly open: string; readonly body: RegexNode }
  | { readonly kind: 'sequence'; readonly items: readonly RegexNode[] }
  | { readonly kind: 'choice'; readonly options: readonly RegexNode[] }
  | {
      readonly kind: 'repeat';
      readonly body: RegexNode;
      readonly min: number;
      /** Infinity where there is no bound. */
      readonly max: number;
      readonly lazy: boolean;
    };

const opening = /\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?/y;
const quantifier = /(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})(\??)/y;
const escaped = /\\(?:k<[^>]*>|[1-9]\d*|0\d*|x[\da-fA-F]{2}|u[\da-fA-F]{4}|c[a-zA-Z]|.)/sy;
const characterClass = /\[(?:\\.|[^\]\\])*\]/sy;

/** Parses what JavaScript has accepted as a regular expression without the flags u and v. */
export function parseRegex(source: string): RegexNode {
  let at = 0;

  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match !== null) at += match[0].length;
    return match;
  };

  const choice = (): RegexNode => {
    const options = [sequence()];
    while (source[at] === '|') {
      at += 1;
      options.push(sequence());
    }
    const [only] = options;
    return only !== undefined && options.length === 1 ? only : { kind: 'choice', options };
  };

  const sequence = (): RegexNode => {
    const items: RegexNode[] = [];
    while (at < source.length && source[at] !== '|' && source[at] !== ')') items.push(quantified(single()));
    return { kind: 'sequence', items };
  };

  const single = (): RegexNode => {
    const open = take(opening)?.[0];
    if (open !== undefined) {
      const body = choice();
      at += 1;
      return /^\(\?<?[=!]/.test(open) ? { kind: 'look', open, body } : { kind: 'group', open, body };
    }
    const text = (take(escaped) ?? take(characterClass))?.[0] ?? source[at++] ?? '';
    if (/^(?:[\^$]|\\[bB])$/.test(text)) return { kind: 'assertion', source: text };
    // An octal escape is taken for a backreference: that only makes the verdict stricter.
    if (/^\\(?:[1-9]|0\d|k<)/.test(text)) return { kind: 'backreference', source: text };
    return { kind: 'set', source: text };
  };

  const quantified = (body: RegexNode): RegexNode => {
    const match = take(quantifier);
    if (match === null) return body;
    const [, sign, least, comma, most, lazy] = match;
    const [min, max] =
      sign === undefined
        ? [Number(least), comma === undefined ? Number(least) : most === '' ? Infinity : Number(most)]
        : [sign === '+' ? 1 : 0, sign === '?' ? 1 : Infinity];
    return { kind: 'repeat', body, min, max, lazy: lazy === '?' };
  };

  return choice();
}

/** The regular expression that a tree stands for. */
export function regexSource(node: RegexNode): string {
  switch (node.kind) {
    case 'set':
    case 'assertion':
    case 'backreference':
      return node.source;
    case 'look':
    case 'group':
      return `${node.open}${regexSource(node.body)})`;
    case 'sequence':
      return node.items
        .map((item) => (item.kind === 'choice' ? `(?:${regexSource(item)})` : regexSource(item)))
        .join('');
    case 'choice':
      return node.options.map(regexSource).join('|');
    case 'repeat':
      return regexSource(node.body) + quantifierSource(node);
  }
}

function quantifierSource({ min, max, lazy }: { min: number; max: number; lazy: boolean }): string {
  const greedy =
    min === 0 && max === Infinity
      ? '*'
      : min === 1 && max === Infinity
        ? '+'
        : min === 0 && max === 1
          ? '?'
          : min === max
            ? `{${min}}`
            : `{${min},${max === Infinity ? '' : max}}`;
  return greedy + (lazy ? '?' : '');
}

/** How many characters each match has, or undefined where that varies or is not known. */
function fixedLength(node: RegexNode): number | undefined {
  switch (node.kind) {
    case 'set':
      return 1;
    case 'assertion':
    case 'look':
      return 0;
    case 'backreference':
      return undefined;
    case 'group':
      return fixedLength(node.body);
    case 'sequence':
      return node.items
        .map(fixedLength)
        .reduce((sum, length) => (sum === undefined || length === undefined ? undefined : sum + length), 0);
    case 'choice': {
      const [first, ...others] = node.options.map(fixedLength);
      return others.every((length) => length === first) ? first : undefined;
    }
    case 'repeat': {
      const length = fixedLength(node.body);
      return length !== undefined && (node.min === node.max || length === 0) ? length * node.min : undefined;
    }
  }
}

/**
 * Expressions of fixed length that match what a node matches, all together; undefined where there are none or more than
 * `most`. `POSTs?|GET` becomes `POST`, `POSTs` and `GET`.
 */
export function fixedVariants(node: RegexNode, most: number): readonly RegexNode[] | undefined {
  if (fixedLength(node) !== undefined) return [node];
  switch (node.kind) {
    case 'group':
      return fixedVariants(node.body, most)?.map((body) => ({ ...node, body }));
    case 'choice':
      return all(node.options.map((option) => fixedVariants(option, most)))?.reduce<readonly RegexNode[] | undefined>(
        (so, variants) => atMost(most, so, variants, (before) => [...before, ...variants]),
        [],
      );
    case 'sequence':
      return all(node.items.map((item) => fixedVariants(item, most)))?.reduce<readonly RegexNode[] | undefined>(
        (so, variants) =>
          atMost(most, so, variants, (before) =>
            before.flatMap((one) => variants.map((other) => ({ kind: 'sequence', items: [one, other] }))),
          ),
        [empty],
      );
    case 'repeat': {
      if (node.min !== 0 || node.max !== 1) return undefined;
      const variants = fixedVariants(node.body, most);
      return variants === undefined ? undefined : [empty, ...variants];
    }
    default:
      return undefined;
  }
}

const empty: RegexNode = { kind: 'sequence', items: [] };

function all<Value>(values: readonly (Value | undefined)[]): readonly Value[] | undefined {
  const found = values.filter((value) => value !== undefined);
  return found.length === values.length ? found : undefined;
}

function atMost<Value>(
  most: number,
  before: readonly Value[] | undefined,
  added: readonly Value[],
  join: (before: readonly Value[]) => readonly Value[],
): readonly Value[] | undefined {
  if (before === undefined || before.length * added.length > most * most) return undefined;
  const joined = join(before);
  return joined.length > most ? undefined : joined;
}

/** Whether a node of that kind stands anywhere in it. */
export function contains(node: RegexNode, kind: RegexNode['kind']): boolean {
  if (node.kind === kind) return true;
  switch (node.kind) {
    case 'look':
    case 'group':
    case 'repeat':
      return contains(node.body, kind);
    case 'sequence':
      return node.items.some((item) => contains(item, kind));
    case 'choice':
      return node.options.some((option) => contains(option, kind));
    default:
      return false;
  }
}
