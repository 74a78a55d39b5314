/**
 * The HTTP API: every route with what it takes, gives and needs. The OpenAPI file is made of this table, and the server runs
 * it.
 */
import { Subscription } from 'rxjs';
import type { LogRecord } from '../model/log/log-record.ts';
import { shortName } from '../model/service/service-spec.ts';
import { count, flag, type Parameter, values } from '../model/words/parameter.ts';
import { actionRoutes } from './action-routes.ts';
import { type Answer, httpStatuses, mistake } from './answer.ts';
import { parseWords } from './command-words.ts';
import type { Fields } from './fields.ts';
import type { Gate } from './gate.ts';
import { limits } from './limits.ts';
import { follow, lines } from './log-parameters.ts';
import { metricsType, renderMetrics } from './metrics.ts';
import { openApi } from './openapi.ts';
import { readinessOf } from './readiness.ts';
import { describeCaller } from './rights.ts';
import { answer, type Call, type EventSink, json, type Reply, type Route } from './route.ts';
import { selectServices } from './select-services.ts';
import type { CommandOutput, ControlEvent, EntryWatch, ProbeStatus, ServiceStatus } from './supervisor.ts';

const names = values('name', 'NAME', 'names or globs; none: all');
const words = values('words', 'WORD', 'the command and its arguments');
const argv = values('argv', 'WORD', 'the program and its arguments');
const records = flag('records', 'log records, too');
const from = count('from', 'NUMBER', 'only entries from this number on, as far as they are kept');

const noFields: Fields = { parameters: [], required: [] };

function fields(...parameters: readonly Parameter<unknown>[]): Fields {
  return { parameters, required: [] };
}

export const routes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/status',
    id: 'status',
    summary: 'The system as a whole.',
    needs: [],
    fields: noFields,
    gives: { kind: 'schema', name: 'System' },
    handle: ({ gate }) => json(gate.supervisor.status()),
  },
  {
    method: 'GET',
    path: '/v1/services',
    id: 'services',
    summary: 'Services in start order.',
    needs: [],
    fields: fields(names),
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
    fields: noFields,
    gives: { kind: 'schema', name: 'Service' },
    handle: (call) => {
      const selected = selectServices(call.gate.supervisor.services(), [call.name], call.meter);
      if (selected.kind === 'answer') return answer(selected.answer);
      return json(visible(selected.services[0], call));
    },
  },
  {
    method: 'GET',
    path: '/v1/services/{name}/history',
    id: 'history',
    summary: 'What has happened to one service since chaperone began, as far as that is kept.',
    needs: [],
    fields: noFields,
    gives: { kind: 'schema', name: 'HistoryLine', list: true },
    handle: (call) => {
      const selected = selectServices(call.gate.supervisor.services(), [call.name], call.meter);
      if (selected.kind === 'answer') return answer(selected.answer);
      const [service] = selected.services;
      return json(service === undefined ? [] : (call.gate.supervisor.history(service.name) ?? []));
    },
  },
  ...actionRoutes,
  {
    method: 'POST',
    path: '/v1/commands',
    id: 'command',
    summary: 'A command of telchap or chaperonectl as its words, with the answer that telchap prints.',
    // The rights depend on the command.
    needs: [],
    fields: { parameters: [words], required: [words] },
    gives: { kind: 'schema', name: 'Answer' },
    handle: async ({ gate, caller, aborted, meter, given }) =>
      answer(await gate.words(parseWords(given.get(words)), caller, { aborted, meter })),
  },
  {
    method: 'GET',
    path: '/v1/ready',
    id: 'ready',
    summary:
      'For probes: 200 where every service, or each that is named, is ready and not unhealthy, or disabled; 503 otherwise. One that has ended ' +
      'normally counts as ready with remain_after_exit; else it counts only where it is named, and as not ready.',
    needs: [],
    fields: fields(names),
    gives: { kind: 'object' },
    handle: (call) => {
      const selected = select(call);
      if ('kind' in selected) return answer(selected);
      const { state } = call.gate.supervisor.status();
      const { ready, wanting, text } = readinessOf(selected, call.given.get(names).length > 0, state);
      if (ready) return json({ ready, system: state, waitsFor: {} });
      const waitsFor = Object.fromEntries(wanting.map(({ name, why }) => [name, why.sentence]));
      // The text comes first: a client may read no further.
      return json({ ready, system: state, text, waitsFor }, 503);
    },
  },
  {
    method: 'GET',
    path: '/v1/dependencies',
    id: 'dependencies',
    summary: 'Who waits for whom, as a chart of text.',
    needs: [],
    fields: noFields,
    gives: { kind: 'text', type: 'text/plain; charset=utf-8' },
    handle: ({ gate }) => ({
      kind: 'text',
      type: 'text/plain; charset=utf-8',
      text: gate.supervisor.dependencyChart(),
    }),
  },
  {
    method: 'POST',
    path: '/v1/run',
    id: 'run',
    summary: 'Runs a command beside the services: events `output` and, last, `end`. It ends with the connection.',
    needs: ['run'],
    fields: { parameters: [argv], required: [argv] },
    gives: { kind: 'events' },
    handle: ({ gate, given }) => {
      const command = given.get(argv);
      if (command.length === 0) return answer(mistake('argv is empty'));
      return { kind: 'events', begin: (sink) => runCommand(gate, command, sink) };
    },
  },
  {
    method: 'POST',
    path: '/v1/services/{name}/program',
    id: 'program',
    summary:
      'What `chaperonectl shell` needs to run a command as the service, its secrets included. Only for owners of the socket.',
    needs: [],
    fields: { parameters: [argv], required: [argv] },
    gives: { kind: 'object' },
    handle: programAsService,
  },
  {
    method: 'GET',
    path: '/v1/logs',
    id: 'logs',
    summary: 'Log records as events `record`: the last ones, and with `follow` those to come.',
    needs: ['logs'],
    fields: fields(names, lines, follow),
    gives: { kind: 'events' },
    handle: (call) => {
      const selected = select(call);
      if ('kind' in selected) return answer(selected);
      const all = call.given.get(names).length === 0;
      const selects = all ? () => true : ofServices(selected.map(({ name }) => name));
      return { kind: 'events', begin: (sink) => sendLogs(call, sink, selects) };
    },
  },
  {
    method: 'GET',
    path: '/v1/events',
    id: 'events',
    summary: 'Changes of state as they happen: events `service` and `system`.',
    needs: [],
    fields: fields(names),
    gives: { kind: 'events' },
    handle: (call) => {
      const selected = select(call);
      if ('kind' in selected) return answer(selected);
      const all = call.given.get(names).length === 0;
      const wanted = new Set(selected.map(({ name }) => name));
      return {
        kind: 'events',
        begin: (sink) => {
          const subscription = call.gate.supervisor.events$.subscribe(
            call.gate.boundary.guard((event: ControlEvent) => {
              if (all || event.type === 'system' || wanted.has(event.service)) sink.send(event.type, event);
            }),
          );
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
    fields: fields(records, from),
    gives: { kind: 'events' },
    handle: ({ gate, caller, given }) => {
      if (!gate.rights.isOwner(caller)) {
        return answer({
          kind: 'forbidden',
          text: `Command error: not permitted for ${describeCaller(caller)}: inspect`,
        });
      }
      const request = { records: given.get(records), from: given.get(from) ?? 0 };
      return { kind: 'events', patient: true, begin: (sink) => sendEntries(gate, request, sink) };
    },
  },
  {
    method: 'GET',
    path: '/metrics',
    id: 'metrics',
    summary: 'Prometheus metrics.',
    needs: [],
    fields: noFields,
    gives: { kind: 'text', type: metricsType },
    handle: ({ gate, counts }) => ({ kind: 'text', type: metricsType, text: renderMetrics(gate.supervisor, counts()) }),
  },
  {
    method: 'GET',
    path: '/openapi.json',
    id: 'openapi',
    summary: 'This description.',
    needs: [],
    fields: noFields,
    gives: { kind: 'object' },
    handle: ({ gate }) => json(description(gate.supervisor.status().version)),
  },
];

let described: { readonly version: string; readonly value: object } | undefined;

/** The OpenAPI description, which is made once. */
function description(version: string): object {
  if (described?.version !== version) described = { version, value: openApi(routes, version) };
  return described.value;
}

/** The services that the query names, or all; an answer if one does not exist. */
function select(call: Call): readonly ServiceStatus[] | Answer {
  const services = call.gate.supervisor.services();
  const wanted = call.given.get(names);
  if (wanted.length === 0) return services;
  const selected = selectServices(services, wanted, call.meter);
  return selected.kind === 'answer' ? selected.answer : selected.services;
}

/** The part of a service's status that the caller may see. */
function visible(service: ServiceStatus | undefined, { gate, caller }: Call): Partial<ServiceStatus> {
  if (service === undefined) return {};
  if (gate.rights.may(caller, 'logs')) return service;
  const { lastWords: _, probes, ...rest } = service;
  return probes === undefined ? rest : { ...rest, probes: probes.map(withoutOutput) };
}

/** Leaves the output of a probe's command out: like the log, it may hold secrets of the service. */
function withoutOutput({ last, ...probe }: ProbeStatus): ProbeStatus {
  if (last === undefined) return probe;
  const { output: _, ...rest } = last;
  return { ...probe, last: rest };
}

/** Tells whether a record is of one of these services; one that came through syslog is known by its program's name. */
function ofServices(names: readonly string[]): (record: LogRecord) => boolean {
  const services = new Set(names);
  const programs = new Set(names.map(shortName));
  return ({ service, program }) =>
    service === undefined ? program !== undefined && programs.has(program) : services.has(service);
}

function sendLogs({ gate, given }: Call, sink: EventSink, selects: (record: LogRecord) => boolean): () => void {
  const { supervisor, boundary } = gate;
  const follows = given.get(follow);
  const wanted = Math.min(limits.records, given.get(lines) ?? (follows ? 10 : limits.records));
  const last = supervisor.recentRecords().filter(selects);
  for (const record of wanted === 0 ? [] : last.slice(-wanted)) sink.send('record', recordJson(record));
  if (!follows) {
    sink.end();
    return () => undefined;
  }
  const subscription = supervisor.records$.subscribe(
    boundary.guard((record: LogRecord) => {
      if (selects(record)) sink.send('record', recordJson(record));
    }),
  );
  return () => subscription.unsubscribe();
}

function sendEntries(
  { supervisor, boundary }: Gate,
  request: { readonly records: boolean; readonly from: number },
  sink: EventSink,
): () => void {
  let watch: EntryWatch | undefined;
  let over = false;
  const onEntry = (entry: object): boolean => {
    sink.send('entry', entry);
    return sink.hasRoom;
  };
  const begin = async (): Promise<void> => {
    const begun = await supervisor.watch({ ...request, onEntry });
    watch = begun;
    if (over) begun.close();
    else sink.onDrain(() => begun.resume());
  };
  boundary.settle(begin(), () => sink.end());
  return () => {
    over = true;
    watch?.close();
  };
}

function recordJson({ time, facility, severity, program, pid, message, service, continuation }: LogRecord): object {
  return { time, facility, severity, program, pid, message, service, continuation };
}

async function programAsService({ gate, caller, name, given, meter }: Call): Promise<Reply> {
  if (!gate.rights.isOwner(caller)) {
    return answer({ kind: 'forbidden', text: `Command error: not permitted for ${describeCaller(caller)}: shell` });
  }
  const command = given.get(argv);
  if (command.length === 0) return answer(mistake('argv is empty'));
  const selected = selectServices(gate.supervisor.services(), [name], meter);
  if (selected.kind === 'answer') return answer(selected.answer);
  const [service] = selected.services;
  if (service === undefined || selected.services.length > 1) return answer(mistake('exactly one service is needed'));
  const program = await gate.supervisor.programOf(service.name, command);
  if (program instanceof Uint8Array) return json({ program: Buffer.from(program).toString('base64') });
  const { message, exitStatus } = program;
  const failed = { kind: 'failed', names: [service.name], text: `Command error: ${message}` } as const;
  return json({ ...failed, exitStatus }, httpStatuses.failed);
}

function runCommand({ supervisor, boundary }: Gate, argv: readonly string[], sink: EventSink): () => void {
  const run = supervisor.run(argv);
  const subscription = new Subscription();
  subscription.add(run.output$.subscribe(boundary.guard((output: CommandOutput) => sink.send('output', output))));
  const finish = async (): Promise<void> => {
    sink.send('end', await run.outcome);
    sink.end();
  };
  boundary.settle(finish(), () => sink.end());
  return () => {
    subscription.unsubscribe();
    run.cancel();
  };
}
