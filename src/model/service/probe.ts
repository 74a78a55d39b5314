/** Probes: how a service proves that it is ready, and that it stays healthy. */
import { describeDuration } from '../words/duration.ts';

/** What one probe looks at. */
export type ProbeCheck =
  /** READY=1 on the notify socket. */
  | { readonly kind: 'notify' }
  /** A newline on a descriptor that the service gets opened: with this number, or with a free one whose number the variable holds. */
  | { readonly kind: 'fd'; readonly descriptor: number | string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | HttpCheck
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  /** A line of the run's output matches. */
  | { readonly kind: 'log'; readonly pattern: string }
  /** The file exists and has changed since the start. */
  | { readonly kind: 'file'; readonly path: string }
  /** ms */
  | { readonly kind: 'delay'; readonly time: number };

export interface HttpCheck {
  readonly kind: 'http';
  /** Checked. */
  readonly url: string;
  /** Ranges of statuses, both ends included. */
  readonly status: readonly (readonly [number, number])[];
  readonly headers: Readonly<Record<string, string>>;
  /** An expression that matches somewhere in the body. */
  readonly contains?: string;
  /** The path of the socket that is connected to in place of the URL's host. */
  readonly unix?: string;
}

export type ProbeKind = ProbeCheck['kind'];

/** All times are ms. */
export interface Probe {
  readonly kind: 'probe';
  readonly check: ProbeCheck;
  /** The pause between two tries: the first one, which doubles up to `longest`. */
  readonly interval: number;
  readonly longest: number;
  readonly timeout: number;
  /** healthy: so many failures in a row count. */
  readonly retries: number;
  /** healthy: how long, from ready on, failures do not count before the first success. */
  readonly startPeriod: number;
  /** The pause before each try of the start period; the first try waits for it, too. Absent: the first try comes at once. */
  readonly startInterval?: number;
}

export type ProbeTree =
  | Probe
  | { readonly kind: 'all'; readonly of: readonly ProbeTree[] }
  | { readonly kind: 'any'; readonly of: readonly ProbeTree[] };

/** What probes decide. */
export type ProbePurpose = 'ready' | 'healthy';

export type OnUnhealthy = 'restart' | 'log' | 'shutdown';

/** `open`: nothing is decided yet. */
export type ProbeStanding = 'open' | 'passed' | 'failed';

/** What came of one try. */
export interface ProbeResult {
  readonly passed: boolean;
  /** `503 in 12 ms`, `exit 1`. */
  readonly reason: string;
  /** The last output of a command: for those who may read the log. */
  readonly output?: string;
  /** Monotonic ms. */
  readonly at: number;
}

/** How one probe stands, as a plain value. */
export interface ProbeState {
  readonly standing: ProbeStanding;
  /** Failures that count, in a row. */
  readonly failures: number;
  readonly last?: ProbeResult;
}

export const noProbeState: ProbeState = { standing: 'open', failures: 0 };

/** The probes of a tree, from left to right; a probe's place in this list is its number. */
export function probesOf(tree: ProbeTree): readonly Probe[] {
  return tree.kind === 'probe' ? [tree] : tree.of.flatMap(probesOf);
}

/** What the probes of a tree say together. */
export function standingOfTree(tree: ProbeTree, states: readonly ProbeState[]): ProbeStanding {
  let next = 0;
  const look = (node: ProbeTree): ProbeStanding => {
    if (node.kind === 'probe') {
      const state = states[next];
      next += 1;
      return state?.standing ?? 'open';
    }
    // Each branch is looked at, because the probes are counted on the way.
    const inner = node.of.map(look);
    const [decides, needs] = node.kind === 'all' ? (['failed', 'passed'] as const) : (['passed', 'failed'] as const);
    if (inner.includes(decides)) return decides;
    return inner.every((standing) => standing === needs) ? needs : 'open';
  };
  return look(tree);
}

/** True for probes of which one success is final: what they wait for happens once in a run. */
export function happensOnce({ kind }: ProbeCheck): boolean {
  return kind === 'notify' || kind === 'fd' || kind === 'log' || kind === 'delay';
}

/**
 * The name of a probe. It holds no arguments, headers or queries, which may be secret: everybody may read it.
 *
 * @example describeProbe({ kind: 'tcp', host: '127.0.0.1', port: 80 }) // 'tcp 127.0.0.1:80'
 */
export function describeProbe(check: ProbeCheck): string {
  switch (check.kind) {
    case 'notify':
      return 'notify';
    case 'fd':
      return `fd ${check.descriptor}`;
    case 'tcp':
      return `tcp ${check.host.includes(':') ? `[${check.host}]` : check.host}:${check.port}`;
    case 'unix':
      return `unix ${check.path}`;
    case 'http': {
      const { protocol, host, pathname } = new URL(check.url);
      return `http ${protocol}//${host}${pathname}`;
    }
    case 'command':
      return `command ${check.argv[0] ?? ''}`;
    case 'log':
      return `log /${check.pattern}/`;
    case 'file':
      return `file ${check.path}`;
    case 'delay':
      return `delay ${describeDuration(check.time)}`;
  }
}

/** The probe that keeps a tree from passing, and the last thing that it said. */
export function obstacleOf(
  tree: ProbeTree,
  states: readonly ProbeState[],
): { readonly probe: string; readonly reason: string } {
  const probes = probesOf(tree);
  const blocking = probes.findIndex((_, index) => states[index]?.standing === 'failed');
  const open = probes.findIndex((_, index) => states[index]?.standing !== 'passed');
  const index = Math.max(0, blocking < 0 ? open : blocking);
  const check = probes[index]?.check;
  return {
    probe: check === undefined ? '' : describeProbe(check),
    reason: states[index]?.last?.reason ?? (check === undefined ? '' : stillOpen(check)),
  };
}

function stillOpen({ kind }: ProbeCheck): string {
  switch (kind) {
    case 'notify':
      return 'no READY=1';
    case 'fd':
      return 'no newline came';
    case 'log':
      return 'no line matched';
    case 'delay':
      return 'it has not passed';
    case 'tcp':
    case 'unix':
    case 'http':
    case 'command':
    case 'file':
      return 'no answer yet';
  }
}

/** `2 of 3, last: 503 in 12 ms; at the third: restart`; undefined for a probe that does not fail. */
export function describeFailing({ retries }: Probe, { failures, last }: ProbeState, then: string): string | undefined {
  if (failures === 0 || last === undefined) return undefined;
  const next = failures >= retries ? `, ${then}` : `; at the ${ordinal(retries)}: ${then}`;
  return `${Math.min(failures, retries)} of ${retries}, last: ${last.reason}${next}`;
}

const ordinals = [
  'zeroth',
  'first',
  'second',
  'third',
  'fourth',
  'fifth',
  'sixth',
  'seventh',
  'eighth',
  'ninth',
  'tenth',
];

function ordinal(count: number): string {
  return ordinals[count] ?? `${count}th`;
}
