/** Reads what a single probe looks at: `tcp: 5432`, `http: URL` with its further keys, `log: /RE/` and the others. */
import { isConsumer, isEntry } from '../model/service/output.ts';
import type { HttpCheck, ProbeCheck, ProbeKind, ProbePurpose } from '../model/service/probe.ts';
import { compileRegex } from '../model/words/regex.ts';
import type { YamlEntry, YamlNode } from './parse-yaml.ts';
import type { ProbeValues } from './probe-values.ts';
import { describeNode } from './read-names.ts';
import { quote } from './wording.ts';

/** The keys by which probes are known, in the order of the reference. */
export const checkKeys: readonly ProbeKind[] = [
  'notify',
  'fd',
  'tcp',
  'unix',
  'http',
  'command',
  'log',
  'file',
  'delay',
];

const httpKeys = ['status', 'contains', 'headers', 'unix'] as const;

export interface ReadCheck {
  /** Undefined where there is a mistake. */
  readonly check: ProbeCheck | undefined;
  /** The further keys that this kind of probe has. */
  readonly keys: readonly string[];
  /** Those of them that are given. */
  readonly taken: readonly string[];
}

/** @param entries what stands beside the probe in its map */
export function readCheck(
  kind: ProbeKind,
  node: YamlNode,
  entries: readonly YamlEntry[],
  purpose: ProbePurpose,
  label: string,
  reader: ProbeValues,
): ReadCheck {
  if (kind !== 'http')
    return { check: readSimple(kind, node, purpose, `${kind} in ${label}`, reader), keys: [], taken: [] };
  const more = entries.filter(({ key }) => httpKeys.some((each) => each === key.text));
  return {
    check: readHttp(node, more, `http in ${label}`, reader),
    keys: httpKeys,
    taken: more.map(({ key }) => key.text),
  };
}

function readSimple(
  kind: Exclude<ProbeKind, 'http'>,
  node: YamlNode,
  purpose: ProbePurpose,
  label: string,
  reader: ProbeValues,
): ProbeCheck | undefined {
  switch (kind) {
    case 'notify':
      return readNotify(node, purpose, label, reader);
    case 'fd':
      return readDescriptor(node, label, reader);
    case 'tcp':
      return readTcp(node, label, reader);
    case 'unix':
    case 'file': {
      const path = readPath(node, label, reader, kind === 'unix');
      return path === undefined ? undefined : { kind, path };
    }
    case 'command': {
      if (node.kind !== 'scalar')
        return reader.wrong(
          'wrong-shape',
          `${label} is ${describeNode(node)}`,
          node.place,
          'expected a program and its arguments as one text',
        );
      const words = reader.context.words(node, label);
      return words === undefined ? undefined : { kind, argv: words.argv };
    }
    case 'log':
      return readLog(node, label, reader);
    case 'delay': {
      const time = reader.time(node, label);
      return time === undefined ? undefined : { kind, time };
    }
  }
}

function readNotify(node: YamlNode, purpose: ProbePurpose, label: string, reader: ProbeValues): ProbeCheck | undefined {
  if (node.kind !== 'scalar' || node.text.trim() !== 'notify')
    return reader.wrong(
      'wrong-shape',
      `${label} has a value`,
      node.place,
      'expected the word "notify" in place of the map',
    );
  const { type } = reader.context;
  if (type !== 'notify')
    return reader.wrong(
      'no-effect',
      `${label} has no effect: its type is ${type}`,
      node.place,
      'expected type notify, whose services have a socket for READY=1',
    );
  if (purpose === 'healthy')
    return reader.wrong(
      'no-effect',
      `${label} has no effect: READY=1 comes once`,
      node.place,
      'expected "watchdog", for which the service sends WATCHDOG=1 again and again',
    );
  return { kind: 'notify' };
}

function readDescriptor(node: YamlNode, label: string, reader: ProbeValues): ProbeCheck | undefined {
  const hint = 'expected a number from 3 to 1023, or the name of a variable that gets a free one';
  const text = reader.text(node, label, hint);
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) {
    const descriptor = Number(text);
    if (descriptor >= 3 && descriptor <= 1023) return { kind: 'fd', descriptor };
    return reader.wrong('out-of-range', `${label} is out of range: ${quote(text)}`, node.place, hint);
  }
  if (/^[A-Za-z_]\w*$/.test(text)) return { kind: 'fd', descriptor: text };
  return reader.wrong('bad-variable-name', `${label} is neither a number nor a name: ${quote(text)}`, node.place, hint);
}

function readTcp(node: YamlNode, label: string, reader: ProbeValues): ProbeCheck | undefined {
  const hint = 'expected PORT, HOST:PORT or [ADDRESS]:PORT';
  const text = reader.text(node, label, hint);
  if (text === undefined) return undefined;
  const [, address, name, digits = ''] = /^(?:\[([\da-fA-F:.]+)\]:|([^\s:[\]/]+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '') return reader.wrong('not-a-number', `${label} names no port: ${quote(text)}`, node.place, hint);
  if (port < 1 || port > 65_535)
    return reader.wrong('out-of-range', `${label} is out of range: ${quote(text)}`, node.place, hint);
  return { kind: 'tcp', host: address ?? name ?? 'localhost', port };
}

/** The most bytes of a socket's path, unix(7). */
const longestSocketPath = 107;

function readPath(node: YamlNode, label: string, reader: ProbeValues, isSocket: boolean): string | undefined {
  const hint = 'expected an absolute path';
  const text = reader.text(node, label, hint);
  if (text === undefined) return undefined;
  if (!text.startsWith('/'))
    return reader.wrong('bad-path', `${label} is not an absolute path: ${quote(text)}`, node.place, hint);
  if (isSocket && Buffer.byteLength(text) > longestSocketPath)
    return reader.wrong(
      'bad-path',
      `${label} is longer than ${longestSocketPath} bytes`,
      node.place,
      'expected a shorter path, as unix(7) has it',
    );
  return text;
}

function readLog(node: YamlNode, label: string, reader: ProbeValues): ProbeCheck | undefined {
  const { stdout, stderr } = reader.context;
  const isUnseen = [stdout, stderr].every((target) => target !== 'log' && !isEntry(target));
  if (isUnseen) {
    const whither = isConsumer(stdout) || isConsumer(stderr) ? 'go elsewhere than into the log' : 'are inherit';
    return reader.wrong(
      'no-effect',
      `${label} has no effect: stdout and stderr ${whither}`,
      node.place,
      'expected "log" or a logging entry for one of them: chaperone does not see what is inherited, or goes to a service',
    );
  }
  const pattern = readRegex(node, label, reader);
  return pattern === undefined ? undefined : { kind: 'log', pattern };
}

/** `/RE/`, also with the flag i. */
function readRegex(node: YamlNode, label: string, reader: ProbeValues): string | undefined {
  const hint = 'expected /RE/, an expression between slashes';
  const text = reader.text(node, label, hint);
  if (text === undefined) return undefined;
  const [, inner, flag] = /^\/(.+)\/(i?)$/s.exec(text) ?? [];
  if (inner === undefined)
    return reader.wrong('bad-regex', `${label} is not an expression: ${quote(text)}`, node.place, hint);
  const pattern = flag === 'i' ? `(?i)${inner}` : inner;
  const compiled = compileRegex(pattern);
  return compiled.ok
    ? pattern
    : reader.wrong('bad-regex', `${label} is not valid: ${compiled.reason}`, node.place, hint);
}

function readHttp(
  node: YamlNode,
  more: readonly YamlEntry[],
  label: string,
  reader: ProbeValues,
): HttpCheck | undefined {
  const url = readUrl(node, label, reader);
  let complete = url !== undefined;
  let read: Omit<HttpCheck, 'kind' | 'url'> = { status: [[200, 399]], headers: {} };
  for (const { key, value } of more) {
    const part = readHttpPart(key.text, value, `${key.text} of ${label}`, reader);
    if (part === undefined) complete = false;
    else read = { ...read, ...part };
  }
  return complete && url !== undefined ? { kind: 'http', url, ...read } : undefined;
}

function readHttpPart(
  key: string,
  node: YamlNode,
  label: string,
  reader: ProbeValues,
): Partial<Omit<HttpCheck, 'kind' | 'url'>> | undefined {
  switch (key) {
    case 'status': {
      const status = readStatus(node, label, reader);
      return status === undefined ? undefined : { status };
    }
    case 'contains': {
      const contains = readRegex(node, label, reader);
      return contains === undefined ? undefined : { contains };
    }
    case 'unix': {
      const unix = readPath(node, label, reader, true);
      return unix === undefined ? undefined : { unix };
    }
    default: {
      const headers = readHeaders(node, label, reader);
      return headers === undefined ? undefined : { headers };
    }
  }
}

function readUrl(node: YamlNode, label: string, reader: ProbeValues): string | undefined {
  const hint = 'expected a URL such as http://localhost:8080/health';
  const text = reader.text(node, label, hint);
  if (text === undefined) return undefined;
  if (!URL.canParse(text)) return reader.wrong('bad-url', `${label} is not a URL: ${quote(text)}`, node.place, hint);
  const { protocol, hostname } = new URL(text);
  if ((protocol !== 'http:' && protocol !== 'https:') || hostname === '')
    return reader.wrong('bad-url', `${label} is neither http nor https: ${quote(text)}`, node.place, hint);
  return text;
}

/** `200`, `200-399`, or several of them with commas. */
function readStatus(node: YamlNode, label: string, reader: ProbeValues): HttpCheck['status'] | undefined {
  const hint = 'expected statuses such as 200, 200-399 or "200, 404"';
  const text = reader.text(node, label, hint);
  if (text === undefined) return undefined;
  const ranges: (readonly [number, number])[] = [];
  for (const part of text.split(',')) {
    const [, from = '', to = from] = /^\s*(\d{3})(?:\s*-\s*(\d{3}))?\s*$/.exec(part) ?? [];
    const [low, high] = [Number(from), Number(to)];
    if (from === '' || low < 100 || high < low)
      return reader.wrong('out-of-range', `${label} is no status: ${quote(part.trim())}`, node.place, hint);
    ranges.push([low, high]);
  }
  return ranges;
}

function readHeaders(node: YamlNode, label: string, reader: ProbeValues): Readonly<Record<string, string>> | undefined {
  const hint = 'expected a map of names to texts';
  if (node.kind !== 'map') return reader.wrong('wrong-shape', `${label} is ${describeNode(node)}`, node.place, hint);
  const headers: Record<string, string> = {};
  let complete = true;
  for (const { key, value } of node.entries) {
    const text = reader.text(value, `${key.text} in ${label}`);
    // RFC 9110, section 5: a token, and a line of printable characters.
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(key.text))
      reader.wrong('bad-name', `${quote(key.text)} in ${label} is no name of a header`, key.place, hint);
    else if (text !== undefined && /[^\t\x20-\x7e\x80-\xff]/.test(text))
      reader.wrong(
        'bad-name',
        `${key.text} in ${label} holds characters that no header may hold`,
        value.place,
        'expected one line of text',
      );
    else if (text !== undefined) {
      headers[key.text] = text;
      continue;
    }
    complete = false;
  }
  return complete ? headers : undefined;
}
