/** The HTTP API: every route with what it takes, gives and needs. The OpenAPI file is made of this table, and the server runs it. */
import { Subscription } from 'rxjs';
import type { GrantedAction } from '../model/control-policy.ts';
import type { LogRecord } from '../model/log-record.ts';
import { shortName } from '../model/service-spec.ts';
import { type Answer, exitStatuses, httpStatuses, mistake } from './answer.ts';
import { type CommandParse, parseWords, type Verb } from './command.ts';
import type { Gate } from './gate.ts';
import { limits } from './limits.ts';
import { type ControlCounts, metricsType, renderMetrics } from './metrics.ts';
import { openApi } from './openapi.ts';
import type { Caller } from './rights.ts';
import type { Fields, FieldValue, SchemaName } from './schema.ts';
import { selectServices } from './select-services.ts';
import type { EntryWatch, ServiceStatus } from './supervisor.ts';

/** One request that was understood. */
export interface Call {
  readonly gate: Gate;
  readonly caller: Caller;
  /** The service's name in the path. */
  readonly name: string;
  readonly values: ReadonlyMap<string, FieldValue>;
  /** Ends when nobody is there to take the answer any more. */
  readonly aborted: AbortSignal;
  readonly counts: () => ControlCounts;
}

/** Takes the events of a stream. */
export interface EventSink {
  send(event: string, value: unknown): void;
  readonly hasRoom: boolean;
  onDrain(callback: () => void): void;
  end(): void;
}

export interface JsonReply {
  readonly kind: 'json';
  readonly status: number;
  readonly value: unknown;
}

export type Reply =
  | JsonReply
  | { readonly kind: 'text'; readonly type: string; readonly text: string }
  /** `begin` returns what ends the stream. */
  | { readonly kind: 'events'; readonly begin: (sink: EventSink) => () => void };

export interface Route {
  readonly method: 'GET' | 'POST';
  /** With at most one `{name}`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** What the caller needs beyond reading the status. */
  readonly needs: readonly GrantedAction[];
  /** In the query of a GET, in the body of a POST. */
  readonly fields: Fields;
  readonly gives:
    | { readonly kind: 'schema'; readonly name: SchemaName; readonly list?: true }
    | { readonly kind: 'object' }
    | { readonly kind: 'text'; readonly type: string }
    | { readonly kind: 'events' };
  readonly handle: (call: Call) => Promise<Reply> | Reply;
}

const waiting = {
  wait: { type: 'boolean', summary: 'answer only when it has come about' },
  timeout: { type: 'number', summary: 'seconds to wait at most' },
} as const satisfies Fields;
const force = { type: 'boolean', summary: 'whatever state the service is in' } as const;
const names = { type: 'strings', summary: 'names or globs; none: all' } as const;

const actionRoutes: readonly Route[] = [
  serviceAction('start', { ...waiting, force, enable: { type: 'boolean', summary: 'enable it first' } }),
  serviceAction('stop', {
    ...waiting,
    force,
    disable: { type: 'boolean', summary: 'and keep it from being started' },
    drain: { type: 'boolean', summary: 'cron, inetd: let the runs and connections that there are end by themselves' },
  }),
  serviceAction('restart', {
    ...waiting,
    force: { type: 'boolean', summary: 'also where it could not be started again' },
  }),
  serviceAction('reset', { force }),
  serviceAction('enable', {}),
  serviceAction('disable', {}),
  serviceAction('kill', { signal: { type: 'string', summary: 'name or number', required: true } }),
  serviceAction('wait', {
    for: { type: 'string', summary: 'what to wait for', choices: ['ready', 'stopped', 'failed'] },
    timeout: waiting.timeout,
  }),
];

export const routes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/status',
    id: 'status',
    summary: 'The system as a whole.',
    needs: [],
    fields: {},
    gives: { kind: 'schema', name: 'System' },
    handle: ({ gate }) => json(gate.supervisor.status()),
  },
  {
    method: 'GET',
    path: '/v1/services',
    id: 'services',
    summary: 'Services in start order.',
    needs: [],
    fields: { name: names },
    gives: { kind: 'schema', name: 'Service', list: true },
    handle: (call) => {
      const selected = select(call);
      return 'kind' in selected ? answer(selected) : json(selected.map((service) => visible(service, call)));
    },
  },
  {
    method: 'GET',
    path: '/v1/services/{name}',
    id: 'service',
    summary: 'One service.',
    needs: [],
    fields: {},
    gives: { kind: 'schema', name: 'Service' },
    handle: (call) => {
      const selected = selectServices(call.gate.supervisor.services(), [call.name]);
      if (selected.kind === 'answer') return answer(selected.answer);
      return json(visible(selected.services[0], call));
    },
  },
  ...actionRoutes,
  {
    method: 'POST',
    path: '/v1/commands',
    id: 'command',
    summary: 'A command of telchap or chaperonectl as its words, with the answer that telchap prints.',
    // What it needs depends on the command.
    needs: [],
    fields: { words: { type: 'strings', summary: 'the command and its arguments', required: true } },
    gives: { kind: 'schema', name: 'Answer' },
    handle: (call) => command(call, parseWords(textsOf(call, 'words'))),
  },
  {
    method: 'GET',
    path: '/v1/ready',
    id: 'ready',
    summary:
      'For probes: 200 where every service, or each that is named, is ready or disabled; 503 otherwise. One that has ended ' +
      'normally counts as ready with remain_after_exit; else it counts only where it is named, and as not ready.',
    needs: [],
    fields: { name: names },
    gives: { kind: 'object' },
    handle: (call) => {
      const selected = select(call);
      if ('kind' in selected) return answer(selected);
      const named = textsOf(call, 'name').length > 0;
      const wanting = selected.filter((service) => !isFineFor(service, named));
      const { state } = call.gate.supervisor.status();
      const ready = wanting.length === 0 && state !== 'draining';
      const waitsFor = Object.fromEntries(wanting.map(({ name, why }) => [name, why.sentence]));
      return json({ ready, system: state, waitsFor }, ready ? 200 : 503);
    },
  },
  {
    method: 'GET',
    path: '/v1/dependencies',
    id: 'dependencies',
    summary: 'Who waits for whom, as a chart of text.',
    needs: [],
    fields: {},
    gives: { kind: 'text', type: 'text/plain; charset=utf-8' },
    handle: ({ gate }) => ({
      kind: 'text',
      type: 'text/plain; charset=utf-8',
      text: gate.supervisor.dependencyChart(),
    }),
  },
  {
    method: 'POST',
    path: '/v1/loglevel',
    id: 'loglevel',
    summary: 'Widens every log selector to a priority.',
    needs: ['loglevel'],
    fields: { level: { type: 'string', summary: 'a priority', required: true } },
    gives: { kind: 'schema', name: 'Answer' },
    handle: (call) => command(call, parseWords(['loglevel', textOf(call, 'level')])),
  },
  {
    method: 'POST',
    path: '/v1/shutdown',
    id: 'shutdown',
    summary: 'Ends the system in order.',
    needs: ['shutdown'],
    fields: { delay: { type: 'number', summary: 'seconds from now' } },
    gives: { kind: 'schema', name: 'Answer' },
    handle: (call) => {
      const delay = call.values.get('delay');
      return command(call, parseWords(['shutdown', ...(delay === undefined ? [] : [String(delay)])]));
    },
  },
  {
    method: 'POST',
    path: '/v1/reload',
    id: 'reload',
    summary: 'Reads the configuration anew and carries out what has changed; or only says what that would be.',
    needs: ['reload'],
    fields: {
      dryRun: { type: 'boolean', summary: 'plan, and change nothing' },
      force: { type: 'boolean', summary: 'also where services would be stopped that could not be started again' },
    },
    gives: { kind: 'schema', name: 'Answer' },
    handle: (call) => {
      const options = [
        ...(call.values.get('dryRun') === true ? ['--dry-run'] : []),
        ...(call.values.get('force') === true ? ['--force'] : []),
      ];
      return command(call, parseWords(['reload', ...options]));
    },
  },
  {
    method: 'POST',
    path: '/v1/run',
    id: 'run',
    summary: 'Runs a command beside the services: events `output` and, last, `end`. It ends with the connection.',
    needs: ['run'],
    fields: { argv: { type: 'strings', summary: 'the program and its arguments', required: true } },
    gives: { kind: 'events' },
    handle: (call) => {
      const argv = textsOf(call, 'argv');
      if (argv.length === 0) return answer(mistake('argv is empty'));
      return { kind: 'events', begin: (sink) => runCommand(call.gate, argv, sink) };
    },
  },
  {
    method: 'GET',
    path: '/v1/logs',
    id: 'logs',
    summary: 'Log records as events `record`: the last ones, and with `follow` those to come.',
    needs: ['logs'],
    fields: {
      name: names,
      lines: {
        type: 'number',
        summary: 'how many of the last records; default 10 with follow, else all that are kept',
      },
      follow: { type: 'boolean', summary: 'go on with what comes' },
    },
    gives: { kind: 'events' },
    handle: (call) => {
      const selected = select(call);
      if ('kind' in selected) return answer(selected);
      const all = textsOf(call, 'name').length === 0;
      const wanted = new Set(selected.map(({ name }) => name));
      return { kind: 'events', begin: (sink) => sendLogs(call, sink, (record) => all || concerns(record, wanted)) };
    },
  },
  {
    method: 'GET',
    path: '/v1/events',
    id: 'events',
    summary: 'Changes of state as they happen: events `service` and `system`.',
    needs: [],
    fields: { name: names },
    gives: { kind: 'events' },
    handle: (call) => {
      const selected = select(call);
      if ('kind' in selected) return answer(selected);
      const all = textsOf(call, 'name').length === 0;
      const wanted = new Set(selected.map(({ name }) => name));
      return {
        kind: 'events',
        begin: (sink) => {
          const subscription = call.gate.supervisor.events$.subscribe((event) => {
            if (all || event.type === 'system' || wanted.has(event.service)) sink.send(event.type, event);
          });
          return () => subscription.unsubscribe();
        },
      };
    },
  },
  {
    method: 'GET',
    path: '/v1/inspect',
    id: 'inspect',
    summary:
      'Everything that happens inside, as events `entry`: first what there is, then what comes. Only for owners of the socket.',
    needs: [],
    fields: {
      records: { type: 'boolean', summary: 'log records, too' },
      from: { type: 'number', summary: 'only entries from this number on, as far as they are kept' },
    },
    gives: { kind: 'events' },
    handle: ({ gate, caller, values }) => {
      if (!gate.rights.isOwner(caller)) {
        return answer({ kind: 'forbidden', text: `Command error: not permitted for uid ${caller.uid}: inspect` });
      }
      const from = values.get('from');
      const request = { records: values.get('records') === true, from: typeof from === 'number' ? from : 0 };
      return { kind: 'events', begin: (sink) => sendEntries(gate, request, sink) };
    },
  },
  {
    method: 'GET',
    path: '/metrics',
    id: 'metrics',
    summary: 'Prometheus metrics.',
    needs: [],
    fields: {},
    gives: { kind: 'text', type: metricsType },
    handle: ({ gate, counts }) => ({ kind: 'text', type: metricsType, text: renderMetrics(gate.supervisor, counts()) }),
  },
  {
    method: 'GET',
    path: '/openapi.json',
    id: 'openapi',
    summary: 'This description.',
    needs: [],
    fields: {},
    gives: { kind: 'object' },
    handle: ({ gate }) => json(openApi(routes, gate.supervisor.status().version)),
  },
];

/** What each verb has to be to stand in a path. */
type PathVerb = Exclude<Verb, 'status' | 'loglevel' | 'dependencies' | 'shutdown' | 'reload'>;

function serviceAction(verb: PathVerb, fields: Fields): Route {
  return {
    method: 'POST',
    path: `/v1/services/{name}/${verb}`,
    id: verb,
    summary: `${verb.charAt(0).toUpperCase()}${verb.slice(1)} of a service; a glob means several.`,
    needs: verb === 'wait' ? [] : [verb],
    fields,
    gives: { kind: 'schema', name: 'Answer' },
    handle: (call) => {
      const options = Object.entries(fields).flatMap(([name, { type }]) => {
        const value = call.values.get(name);
        if (value === undefined || name === 'signal') return [];
        return type === 'boolean' ? (value === true ? [`--${name}`] : []) : [`--${name}=${String(value)}`];
      });
      const signal = verb === 'kill' ? [textOf(call, 'signal')] : [];
      return command(call, parseWords([verb, ...options, '--', call.name, ...signal]));
    },
  };
}

async function command({ gate, caller, aborted }: Call, parse: CommandParse): Promise<Reply> {
  return answer(await gate.command(parse, caller, { aborted }));
}

/** An answer as the body of a response. */
export function answer(given: Answer): JsonReply {
  return json({ ...given, exitStatus: exitStatuses[given.kind] }, httpStatuses[given.kind]);
}

function json(value: unknown, status = 200): JsonReply {
  return { kind: 'json', status, value };
}

function textsOf({ values }: Call, name: string): readonly string[] {
  const value = values.get(name);
  return Array.isArray(value) ? value : [];
}

function textOf({ values }: Call, name: string): string {
  const value = values.get(name);
  return typeof value === 'string' ? value : '';
}

/** The services that the query names, or all; an answer where one does not exist. */
function select(call: Call): readonly ServiceStatus[] | Answer {
  const services = call.gate.supervisor.services();
  const wanted = textsOf(call, 'name');
  if (wanted.length === 0) return services;
  const selected = selectServices(services, wanted);
  return selected.kind === 'answer' ? selected.answer : selected.services;
}

/** A probe has nothing against it. Where all are asked for, one that has ended normally is neither ready nor unready. */
function isFineFor({ state, remainAfterExit }: ServiceStatus, named: boolean): boolean {
  switch (state) {
    case 'ready':
    case 'disabled':
      return true;
    case 'exited':
      return !named || remainAfterExit === true;
    case 'pending':
    case 'starting':
    case 'stopping':
    case 'backoff':
    case 'stopped':
    case 'failed':
      return false;
  }
}

/** What the caller may see of a service. */
function visible(service: ServiceStatus | undefined, { gate, caller }: Call): Partial<ServiceStatus> {
  if (service === undefined) return {};
  if (gate.rights.may(caller, 'logs')) return service;
  const { lastWords: _, ...rest } = service;
  return rest;
}

function concerns({ service, program }: LogRecord, wanted: ReadonlySet<string>): boolean {
  if (service !== undefined) return wanted.has(service);
  return [...wanted].some((name) => shortName(name) === program);
}

function sendLogs({ gate, values }: Call, sink: EventSink, selects: (record: LogRecord) => boolean): () => void {
  const { supervisor } = gate;
  const follow = values.get('follow') === true;
  const lines = values.get('lines');
  const count = Math.min(limits.records, typeof lines === 'number' ? Math.floor(lines) : follow ? 10 : limits.records);
  const last = supervisor.recentRecords().filter(selects);
  for (const record of count === 0 ? [] : last.slice(-count)) sink.send('record', recordJson(record));
  if (!follow) {
    sink.end();
    return () => undefined;
  }
  const subscription = supervisor.records$.subscribe((record) => {
    if (selects(record)) sink.send('record', recordJson(record));
  });
  return () => subscription.unsubscribe();
}

function sendEntries(
  { supervisor }: Gate,
  request: { readonly records: boolean; readonly from: number },
  sink: EventSink,
): () => void {
  let watch: EntryWatch | undefined;
  let over = false;
  const onEntry = (entry: object): boolean => {
    sink.send('entry', entry);
    return sink.hasRoom;
  };
  supervisor.watch({ ...request, onEntry }).then(
    (begun) => {
      watch = begun;
      if (over) begun.close();
      else sink.onDrain(() => begun.resume());
    },
    () => sink.end(),
  );
  return () => {
    over = true;
    watch?.close();
  };
}

function recordJson({ time, facility, severity, program, pid, message, service }: LogRecord): object {
  return { time, facility, severity, program, pid, message, service };
}

function runCommand({ supervisor }: Gate, argv: readonly string[], sink: EventSink): () => void {
  const run = supervisor.run(argv);
  const subscription = new Subscription();
  subscription.add(run.output$.subscribe((output) => sink.send('output', output)));
  run.outcome.then(
    (outcome) => {
      sink.send('end', outcome);
      sink.end();
    },
    () => sink.end(),
  );
  return () => {
    subscription.unsubscribe();
    run.cancel();
  };
}
