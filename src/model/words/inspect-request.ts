/** A request of `--inspect`; each kind may be given once. */
export type InspectRequest =
  | { readonly kind: 'terminal' | 'json'; readonly services: readonly string[] }
  | { readonly kind: 'journal'; readonly file: string }
  /** Without a port the system chooses one; without an address it is the loopback one. */
  | { readonly kind: 'ws'; readonly address?: string; readonly port?: number }
  /** `act`: the page may start and stop services, as far as who uses it may. */
  | { readonly kind: 'web'; readonly address?: string; readonly port?: number; readonly act?: true };

type Kind = InspectRequest['kind'];

export type InspectRequests =
  | { readonly kind: 'requests'; readonly requests: readonly InspectRequest[] }
  | { readonly kind: 'mistake'; readonly message: string };

const forms: Readonly<Record<Kind, string>> = {
  terminal: 'terminal[:SERVICE,…]',
  json: 'json[:SERVICE,…]',
  journal: 'journal:FILE',
  ws: 'ws[:[ADDRESS:]PORT]',
  web: 'web[:[ADDRESS:]PORT][,act]',
};

const highestPort = 65_535;

/**
 * Reads `KIND[:ARGUMENT]` with commas between. A comma may stand in an argument, too: only a word that is a kind begins
 * another one, so that `terminal:web,store,journal:FILE` is a filter of two services and a journal.
 */
export function parseInspectRequests(text: string): InspectRequests {
  const requests: InspectRequest[] = [];
  for (const { word, argument, act } of splitKinds(text)) {
    if (!isKind(word)) {
      return { kind: 'mistake', message: `cannot inspect to "${word}": expected ${Object.values(forms).join(', ')}` };
    }
    const request = readRequest(word, argument, act);
    if (request === undefined) {
      const given = argument === undefined ? word : `${word}:${argument}`;
      return { kind: 'mistake', message: `cannot inspect to "${given}": expected ${forms[word]}` };
    }
    requests.push(request);
  }
  return { kind: 'requests', requests };
}

interface Part {
  readonly word: string;
  argument: string | undefined;
  /** `act` stood behind `web`. */
  act: boolean;
}

function splitKinds(text: string): readonly Part[] {
  const parts: Part[] = [];
  for (const part of text.split(',')) {
    const [word = '', ...rest] = part.split(':');
    const last = parts.at(-1);
    if (last?.word === 'web' && part === 'act' && !last.act) last.act = true;
    else if (last?.argument !== undefined && !isKind(word)) last.argument += `,${part}`;
    else parts.push({ word, argument: rest.length === 0 ? undefined : rest.join(':'), act: false });
  }
  return parts;
}

/** Undefined if the argument is not valid for this kind. */
function readRequest(kind: Kind, argument: string | undefined, act: boolean): InspectRequest | undefined {
  switch (kind) {
    case 'terminal':
    case 'json': {
      const services = argument === undefined ? [] : argument.split(',');
      return services.includes('') ? undefined : { kind, services };
    }
    case 'journal':
      return argument === undefined || argument === '' ? undefined : { kind, file: argument };
    case 'ws': {
      const place = readEndpoint(argument);
      return place === undefined ? undefined : { kind, ...place };
    }
    case 'web': {
      const place = readEndpoint(argument);
      return place === undefined ? undefined : { kind, ...place, ...(act ? { act } : {}) };
    }
  }
}

/** The place to listen at: the system's choice without an argument; undefined where the argument is no place. */
function readEndpoint(text: string | undefined): { readonly port?: number; readonly address?: string } | undefined {
  if (text === undefined) return {};
  const [, bracketed, plain, digits = ''] = /^(?:\[([0-9a-fA-F:.]+)\]:|([^:[\]]+):)?(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  const port = Number(digits);
  if (digits === '' || port > highestPort) return undefined;
  return { port, ...(address === undefined ? {} : { address }) };
}

function isKind(word: string): word is Kind {
  return Object.hasOwn(forms, word);
}
