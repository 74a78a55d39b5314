/** A request of `--inspect`; each kind may be given once. */
export type InspectRequest =
  | { readonly kind: 'terminal' | 'json'; readonly services: readonly string[] }
  | { readonly kind: 'journal'; readonly file: string }
  /** Without a port the system chooses one; without an address it is the loopback one. */
  | { readonly kind: 'ws' | 'web'; readonly address?: string; readonly port?: number };

type Kind = InspectRequest['kind'];

export type InspectRequests =
  | { readonly kind: 'requests'; readonly requests: readonly InspectRequest[] }
  | { readonly kind: 'mistake'; readonly message: string };

const forms: Readonly<Record<Kind, string>> = {
  terminal: 'terminal[:SERVICE,…]',
  json: 'json[:SERVICE,…]',
  journal: 'journal:FILE',
  ws: 'ws[:[ADDRESS:]PORT]',
  web: 'web[:[ADDRESS:]PORT]',
};

const highestPort = 65_535;

/**
 * Reads `KIND[:ARGUMENT]` with commas between. A comma may stand in an argument, too: only a word that is a kind begins
 * another one, so that `terminal:web,store,journal:FILE` is a filter of two services and a journal.
 */
export function parseInspectRequests(text: string): InspectRequests {
  const requests: InspectRequest[] = [];
  for (const { word, argument } of splitKinds(text)) {
    if (!isKind(word)) {
      return { kind: 'mistake', message: `cannot inspect to "${word}": expected ${Object.values(forms).join(', ')}` };
    }
    const request = readRequest(word, argument);
    if (request === undefined) {
      const given = argument === undefined ? word : `${word}:${argument}`;
      return { kind: 'mistake', message: `cannot inspect to "${given}": expected ${forms[word]}` };
    }
    requests.push(request);
  }
  return { kind: 'requests', requests };
}

function splitKinds(text: string): readonly { readonly word: string; readonly argument: string | undefined }[] {
  const parts: { word: string; argument: string | undefined }[] = [];
  for (const part of text.split(',')) {
    const [word = '', ...rest] = part.split(':');
    const last = parts.at(-1);
    if (last?.argument !== undefined && !isKind(word)) last.argument += `,${part}`;
    else parts.push({ word, argument: rest.length === 0 ? undefined : rest.join(':') });
  }
  return parts;
}

/** Undefined if the argument is not valid for this kind. */
function readRequest(kind: Kind, argument: string | undefined): InspectRequest | undefined {
  switch (kind) {
    case 'terminal':
    case 'json': {
      const services = argument === undefined ? [] : argument.split(',');
      return services.includes('') ? undefined : { kind, services };
    }
    case 'journal':
      return argument === undefined || argument === '' ? undefined : { kind, file: argument };
    case 'ws':
    case 'web':
      return argument === undefined ? { kind } : readEndpoint(kind, argument);
  }
}

function readEndpoint(kind: 'ws' | 'web', text: string): InspectRequest | undefined {
  const [, bracketed, plain, digits = ''] = /^(?:\[([0-9a-fA-F:.]+)\]:|([^:[\]]+):)?(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  const port = Number(digits);
  if (digits === '' || port > highestPort) return undefined;
  return { kind, port, ...(address === undefined ? {} : { address }) };
}

function isKind(word: string): word is Kind {
  return Object.hasOwn(forms, word);
}
