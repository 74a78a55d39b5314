/** `GET /metrics`: the Prometheus text format, version 0.0.4. */
import { publicStates, systemStates } from '../model/service/public-state.ts';
import { shortName } from '../model/service/service-spec.ts';
import type { ServiceStatus, Supervisor } from './supervisor.ts';

/** Measurements of the control surface itself. */
export interface ControlCounts {
  readonly connections: number;
  /** Connections that were refused because there were too many. */
  readonly refused: number;
  /** Events and records that readers did not take in time. */
  readonly unread: number;
}

/** What metrics are made of. */
export type Measured = Pick<Supervisor, 'status' | 'services' | 'measurements'>;

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly (readonly [Labels, number])[];
}

export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

export function renderMetrics(supervisor: Measured, control: ControlCounts): string {
  return families(supervisor, control).map(renderFamily).join('');
}

function families(supervisor: Measured, control: ControlCounts): readonly Family[] {
  const status = supervisor.status();
  const services = supervisor.services();
  const measured = supervisor.measurements();
  const each = (value: (service: (typeof services)[number]) => number | undefined): Family['samples'] =>
    services.flatMap((service) => {
      const number = value(service);
      return number === undefined ? [] : [[{ service: shortName(service.name) }, number] as const];
    });
  const sinks = Object.entries(measured.sinks);
  return [
    gauge('chaperone_info', 'The version that runs.', [[{ version: status.version }, 1]]),
    gauge('chaperone_uptime_seconds', 'Time since chaperone began.', [[{}, status.uptime / 1000]]),
    gauge(
      'chaperone_system_state',
      'Where the system stands: 1 for its state.',
      systemStates.map((state) => [{ state }, status.state === state ? 1 : 0] as const),
    ),
    gauge(
      'chaperone_services',
      'Services by state.',
      publicStates.map((state) => [{ state }, status.states[state]] as const),
    ),
    gauge(
      'chaperone_service_state',
      'Where each service stands: 1 for its state.',
      services.flatMap(({ name, state: current }) =>
        publicStates.map((state) => [{ service: shortName(name), state }, state === current ? 1 : 0] as const),
      ),
    ),
    gauge(
      'chaperone_service_time_to_ready_seconds',
      'From the first start to readiness.',
      each(({ boot }) => (boot?.ready === undefined ? undefined : (boot.ready - boot.started) / 1000)),
    ),
    counter(
      'chaperone_service_restarts_total',
      'Restarts after an abnormal end.',
      each(({ name }) => measured.restarts[name] ?? 0),
    ),
    gauge('chaperone_service_healthy', healthHelp, each(healthOf)),
    counter(
      'chaperone_service_exits_total',
      'Ends of processes, by exit code or signal.',
      measured.exits.map(({ service, status: how, count }) => [{ service: shortName(service), status: how }, count]),
    ),
    counter('chaperone_orphans_reaped_total', 'Processes that no service owned.', [[{}, measured.orphansReaped]]),
    counter('chaperone_log_records_total', 'Log records taken in.', [[{}, measured.recordsIn]]),
    counter(
      'chaperone_log_records_dropped_total',
      'Log records that a sink did not take in time.',
      sinks.map(([sink, { dropped }]) => [{ sink }, dropped]),
    ),
    gauge(
      'chaperone_log_queue_bytes',
      'What waits for a sink.',
      sinks.map(([sink, { waitingBytes }]) => [{ sink }, waitingBytes]),
    ),
    gauge('chaperone_loop_delay_seconds', 'The longest time that the event loop was late since the last look.', [
      [{}, measured.loopDelay / 1000],
    ]),
    counter('chaperone_trace_spans_total', 'Spans for the collector of traces, by what became of them.', [
      ...Object.entries(measured.traces ?? {}).map(([result, count]) => [{ result }, count] as const),
    ]),
    gauge('process_resident_memory_bytes', 'Resident set of chaperone.', [[{}, measured.memory.resident]]),
    gauge('chaperone_heap_bytes', 'JavaScript heap in use.', [[{}, measured.memory.heap]]),
    gauge('chaperone_control_connections', 'Connections to the control socket.', [[{}, control.connections]]),
    counter('chaperone_control_refused_total', 'Connections over the limit.', [[{}, control.refused]]),
    counter('chaperone_control_unread_total', 'Events and records that a reader did not take in time.', [
      [{}, control.unread],
    ]),
  ];
}

const healthHelp = 'What the probes of healthy say: 1 or 0; absent until they say something.';

function healthOf({ health }: ServiceStatus): number | undefined {
  return health === 'healthy' ? 1 : health === 'unhealthy' ? 0 : undefined;
}

function gauge(name: string, help: string, samples: Family['samples']): Family {
  return { name, type: 'gauge', help, samples };
}

function counter(name: string, help: string, samples: Family['samples']): Family {
  return { name, type: 'counter', help, samples };
}

function renderFamily({ name, type, help, samples }: Family): string {
  const lines = samples.map(([labels, value]) => `${name}${renderLabels(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
