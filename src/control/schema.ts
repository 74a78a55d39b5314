/** JSON Schemas of what the API takes and gives; the routes name them, and the OpenAPI file is made of them. */
import { publicStates } from '../model/public-state.ts';
import { serviceStages } from '../model/why.ts';

export type Schema = Readonly<Record<string, unknown>>;

/** One field of a request's body or query. */
export interface Field {
  readonly type: 'boolean' | 'string' | 'number' | 'strings';
  readonly summary: string;
  readonly required?: true;
  readonly choices?: readonly string[];
}

export type Fields = Readonly<Record<string, Field>>;

export type FieldValue = boolean | string | number | readonly string[];

export type FieldsResult =
  | { readonly kind: 'values'; readonly values: ReadonlyMap<string, FieldValue> }
  | { readonly kind: 'mistake'; readonly message: string };

/** Reads the JSON of a body. An empty body is an empty object. */
export function readBody(bytes: Uint8Array, fields: Fields): FieldsResult {
  let value: unknown = {};
  if (bytes.length > 0) {
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch {
      return { kind: 'mistake', message: 'the body is not JSON' };
    }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { kind: 'mistake', message: 'the body is not a JSON object' };
  }
  return readFields(Object.entries(value), fields);
}

/** Reads the parameters of a query; a list may stand as several parameters of one name. */
export function readQuery(query: URLSearchParams, fields: Fields): FieldsResult {
  const entries: [string, unknown][] = [];
  for (const name of new Set(query.keys())) {
    const texts = query.getAll(name);
    const text = texts.at(-1) ?? '';
    switch (fields[name]?.type) {
      case 'strings':
        entries.push([name, texts]);
        break;
      case 'number':
        entries.push([name, text === '' ? Number.NaN : Number(text)]);
        break;
      case 'boolean':
        entries.push([name, text === '' || text === 'true' ? true : text === 'false' ? false : text]);
        break;
      default:
        entries.push([name, text]);
    }
  }
  return readFields(entries, fields);
}

function readFields(entries: readonly (readonly [string, unknown])[], fields: Fields): FieldsResult {
  const values = new Map<string, FieldValue>();
  for (const [name, value] of entries) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) return { kind: 'mistake', message: `unknown field ${JSON.stringify(name.slice(0, 100))}` };
    if (value === null || value === undefined) continue;
    const read = readValue(value, field);
    if (read === undefined) return { kind: 'mistake', message: `${name} is not ${expectation(field)}` };
    values.set(name, read);
  }
  for (const [name, field] of Object.entries(fields)) {
    if (field.required && !values.has(name)) return { kind: 'mistake', message: `${name} is missing` };
  }
  return { kind: 'values', values };
}

function readValue(value: unknown, { type, choices }: Field): FieldValue | undefined {
  switch (type) {
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
    case 'string':
      return typeof value === 'string' && (choices === undefined || choices.includes(value)) ? value : undefined;
    case 'strings': {
      if (!Array.isArray(value)) return undefined;
      const texts = value.filter((item) => typeof item === 'string');
      return texts.length === value.length ? texts : undefined;
    }
  }
}

function expectation({ type, choices }: Field): string {
  if (choices !== undefined) return `one of ${choices.join(', ')}`;
  switch (type) {
    case 'boolean':
      return 'true or false';
    case 'number':
      return 'a number, 0 or more';
    case 'string':
      return 'a text';
    case 'strings':
      return 'a list of texts';
  }
}

export function fieldSchema({ type, summary, choices }: Field): Schema {
  const described = { description: summary };
  if (choices !== undefined) return { type: 'string', enum: choices, ...described };
  switch (type) {
    case 'strings':
      return { type: 'array', items: { type: 'string' }, ...described };
    case 'number':
      return { type: 'number', minimum: 0, ...described };
    case 'boolean':
    case 'string':
      return { type, ...described };
  }
}

const text = { type: 'string' };
const count = { type: 'integer', minimum: 0 };
const ms = (description: string) => ({ type: 'number', description: `${description}, ms` });
const names = { type: 'array', items: text };

function object(properties: Readonly<Record<string, Schema>>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required };
}

const exitStatus: Schema = {
  oneOf: [
    object({ kind: { const: 'exited' }, code: count }),
    object({ kind: { const: 'signaled' }, signal: text, coreDumped: { type: 'boolean' }, oomKilled: { const: true } }, [
      'oomKilled',
    ]),
    object({ kind: { const: 'unknown' } }),
  ],
};

const state = { enum: publicStates };
const stage = { enum: serviceStages };

const plan = object({
  steps: {
    type: 'array',
    items: object({ action: { enum: ['start', 'stop', 'restart', 'change', 'keep'] }, name: text, reasons: names }),
  },
  settings: names,
});

/** The named schemas of the API. */
export const schemas = {
  Service: object(
    {
      name: text,
      type: { enum: ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'] },
      enabled: { type: 'boolean' },
      remainAfterExit: { const: true, description: 'a normal end counts as up' },
      state,
      stage,
      since: ms('Unix time at which it came to its stage'),
      age: ms('how long it has been there'),
      why: object({ condition: text, owner: text, since: ms('Unix time'), next: text, sentence: text }, ['condition']),
      pid: count,
      running: count,
      restarts: object({ used: count, left: count }),
      note: text,
      lastExit: object({ pid: count, status: exitStatus, at: ms('Unix time') }),
      cause: text,
      nextRun: ms('Unix time of the next run of a cron service'),
      timeZone: { type: 'string', description: 'of its schedule, where it is not that of the container' },
      lastWords: object({ stream: { enum: ['stdout', 'stderr'] }, line: text, age: ms('how long ago') }),
      prerequisites: names,
      prerequisitesReady: { type: 'boolean' },
      boot: object(
        {
          started: ms('since chaperone began'),
          ready: ms('since chaperone began'),
          failed: object({ at: ms('since chaperone began'), cause: text }),
          waitedFor: text,
        },
        ['ready', 'failed', 'waitedFor'],
      ),
    },
    [
      ...['remainAfterExit', 'pid', 'running', 'restarts', 'note', 'lastExit', 'cause', 'nextRun', 'timeZone'],
      ...['lastWords', 'boot'],
    ],
  ),
  System: object(
    {
      version: text,
      state: { enum: ['booting', 'up', 'draining'] },
      uptime: ms('since chaperone began'),
      pid: count,
      services: count,
      enabled: count,
      states: object(Object.fromEntries(publicStates.map((name) => [name, count]))),
      logLevel: text,
      shutdownAt: ms('Unix time'),
    },
    ['logLevel', 'shutdownAt'],
  ),
  Answer: object(
    {
      kind: { enum: ['done', 'refused', 'noSuchService', 'forbidden', 'mistake', 'failed', 'timedOut', 'busy'] },
      text: { type: 'string', description: 'what telchap prints' },
      exitStatus: { type: 'integer', description: 'what telchap exits with' },
      reason: text,
      names,
      plan,
      unstartable: {
        type: 'array',
        description: 'the services that the plan would stop, and that could not start again in the new configuration',
        items: object({ name: text, reason: text }),
      },
    },
    ['reason', 'names', 'plan', 'unstartable'],
  ),
  Record: object(
    { time: ms('Unix time'), facility: text, severity: text, program: text, pid: count, message: text, service: text },
    ['pid', 'service'],
  ),
  Event: {
    oneOf: [
      object({ type: { const: 'service' }, time: ms('Unix time'), service: text, state, stage }),
      object({ type: { const: 'system' }, time: ms('Unix time'), state: { enum: ['booting', 'up', 'draining'] } }),
    ],
  },
} as const satisfies Readonly<Record<string, Schema>>;

export type SchemaName = keyof typeof schemas;
