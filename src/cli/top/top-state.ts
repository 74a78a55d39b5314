/**
 * What `chaperonectl top` knows and shows, as one value, and how news and keys change it. Nothing here talks to chaperone or to a
 * terminal: what has to be done outside is returned as orders.
 */
import type { ControlEvent, ServiceStatus, SystemStatus } from '../../control/supervisor.ts';
import type { HistoryLine } from '../../facts/history.ts';
import { shortName } from '../../model/service/service-spec.ts';
import type { Usage } from '../../runtime/linux/process-usage.ts';
import { type Deed, deedOf, type Key } from './keys.ts';

export const sortKeys = ['start order', 'trouble', 'name', 'since', 'cpu', 'memory', 'restarts'] as const;
export type SortKey = (typeof sortKeys)[number];

/** A log record, as the stream of `/v1/logs` has it. */
export interface LogLine {
  /** Unix ms. */
  readonly time: number;
  readonly text: string;
}

/** The status of a service, and the time of that status: monotonic ms of this process. */
export interface Row {
  readonly service: ServiceStatus;
  readonly taken: number;
}

/** What the lower part shows of the chosen service. */
export type Pane = 'story' | 'log' | 'status' | 'keys';

export interface TopState {
  readonly rows: readonly Row[];
  readonly system?: { readonly status: SystemStatus; readonly taken: number; readonly host: string };
  /** Full name. */
  readonly chosen?: string;
  readonly filter: string;
  /** True while the filter is typed. */
  readonly typing: boolean;
  readonly sort: SortKey;
  readonly reversed: boolean;
  readonly pane: Pane;
  readonly history: readonly HistoryLine[];
  readonly log: readonly LogLine[];
  /** Why the log cannot be shown. */
  readonly noLog?: string;
  /** By pid. */
  readonly usage: ReadonlyMap<number, Usage>;
  /** Monotonic ms of changes of state, the last minute's. */
  readonly changes: readonly number[];
  /** A command that a key has asked for, and that waits for a yes. */
  readonly question?: { readonly words: readonly string[]; readonly text: string };
  /** The answer to the last command, or why a key did nothing. */
  readonly notice?: { readonly text: string; readonly good: boolean };
}

export type Message =
  | { readonly type: 'key'; readonly key: Key }
  | {
      readonly type: 'services';
      readonly services: readonly ServiceStatus[];
      /** True where these are all that there are. */
      readonly all: boolean;
      readonly now: number;
    }
  | { readonly type: 'system'; readonly status: SystemStatus; readonly host: string; readonly now: number }
  | { readonly type: 'event'; readonly event: ControlEvent; readonly now: number }
  | { readonly type: 'history'; readonly name: string; readonly lines: readonly HistoryLine[] }
  | { readonly type: 'log'; readonly name: string; readonly line: LogLine }
  | { readonly type: 'noLog'; readonly name: string; readonly why: string }
  | { readonly type: 'usage'; readonly usage: ReadonlyMap<number, Usage> }
  | { readonly type: 'answer'; readonly text: string; readonly good: boolean };

export type Order =
  | { readonly type: 'command'; readonly words: readonly string[] }
  /** Another service is chosen: its history and its log are wanted. */
  | { readonly type: 'follow'; readonly name: string }
  | { readonly type: 'quit' };

export interface Step {
  readonly state: TopState;
  readonly orders: readonly Order[];
}

/** The most records that are kept of the chosen service. */
const mostRecords = 500;
const minute = 60_000;
/** The most changes of a minute that are remembered. */
const mostChanges = 10_000;
const longestFilter = 100;

export const emptyState: TopState = {
  rows: [],
  filter: '',
  typing: false,
  sort: 'start order',
  reversed: false,
  pane: 'story',
  history: [],
  log: [],
  usage: new Map(),
  changes: [],
};

export function update(state: TopState, message: Message): Step {
  switch (message.type) {
    case 'key':
      return pressed(state, message.key);
    case 'services':
      return choose(message.all ? replaced(state, message) : merged(state, message));
    case 'system': {
      const { status, host, now } = message;
      return still({ ...state, system: { status, host, taken: now } });
    }
    case 'event':
      return still(changed(state, message.event, message.now));
    case 'history':
      return still(message.name === state.chosen ? { ...state, history: message.lines } : state);
    case 'log':
      if (message.name !== state.chosen) return still(state);
      return still({ ...state, log: [...state.log, message.line].slice(-mostRecords) });
    case 'noLog':
      return still(message.name === state.chosen ? { ...state, noLog: message.why } : state);
    case 'usage':
      return still({ ...state, usage: message.usage });
    case 'answer':
      return still({ ...state, notice: { text: message.text, good: message.good } });
  }
}

/** The services that are shown, in their order. */
export function shownRows({ rows, filter, sort, reversed, usage }: TopState): readonly Row[] {
  const wanted = filter.toLowerCase();
  const found =
    wanted === ''
      ? rows
      : rows.filter(({ service: { name, stage, health } }) =>
          [shortName(name), stage, health ?? ''].some((text) => text.toLowerCase().includes(wanted)),
        );
  const sorted = sort === 'start order' ? found : [...found].sort((a, b) => compare(sort, a, b, usage));
  return reversed ? [...sorted].reverse() : sorted;
}

/** The row of the chosen service. */
export function chosenRow({ rows, chosen }: TopState): Row | undefined {
  return rows.find(({ service }) => service.name === chosen);
}

/** Lower is more urgent. */
const urgency: Readonly<Record<ServiceStatus['state'], number>> = {
  failed: 0,
  backoff: 1,
  stopping: 3,
  starting: 4,
  pending: 5,
  stopped: 6,
  exited: 7,
  ready: 8,
  disabled: 9,
};

function urgencyOf({ state, health }: ServiceStatus): number {
  return health === 'unhealthy' ? 2 : urgency[state];
}

function compare(sort: SortKey, a: Row, b: Row, usage: TopState['usage']): number {
  const of = ({ service: { pid } }: Row): Usage | undefined => (pid === undefined ? undefined : usage.get(pid));
  switch (sort) {
    case 'start order':
      return 0;
    case 'trouble':
      return urgencyOf(a.service) - urgencyOf(b.service);
    case 'name':
      return a.service.name < b.service.name ? -1 : 1;
    case 'since':
      return a.service.age - a.taken - (b.service.age - b.taken);
    case 'cpu':
      return (of(b)?.cpu ?? -1) - (of(a)?.cpu ?? -1);
    case 'memory':
      return (of(b)?.memory ?? -1) - (of(a)?.memory ?? -1);
    case 'restarts':
      return (b.service.restarts?.used ?? -1) - (a.service.restarts?.used ?? -1);
  }
}

function still(state: TopState): Step {
  return { state, orders: [] };
}

function replaced(state: TopState, { services, now }: Message & { readonly type: 'services' }): TopState {
  return { ...state, rows: services.map((service) => ({ service, taken: now })) };
}

function merged(state: TopState, { services, now }: Message & { readonly type: 'services' }): TopState {
  const news = new Map(services.map((service) => [service.name, service]));
  const rows = state.rows.map((row) => {
    const service = news.get(row.service.name);
    return service === undefined ? row : { service, taken: now };
  });
  return { ...state, rows };
}

/** An event comes before the services that it is about are asked again: the state is known at once, the reason later. */
function changed(state: TopState, event: ControlEvent, now: number): TopState {
  const changes = [...state.changes, now].filter((at) => now - at < minute).slice(-mostChanges);
  if (event.type === 'system') {
    const { system } = state;
    return {
      ...state,
      changes,
      ...(system === undefined ? {} : { system: { ...system, status: { ...system.status, state: event.state } } }),
    };
  }
  const rows = state.rows.map((row) =>
    row.service.name === event.service
      ? { service: { ...row.service, state: event.state, stage: event.stage, age: 0 }, taken: now }
      : row,
  );
  return { ...state, rows, changes };
}

/** Lets some shown service be the chosen one, where there is any. */
function choose(state: TopState): Step {
  const shown = shownRows(state);
  const { chosen } = state;
  if (shown.some(({ service }) => service.name === chosen)) return still(state);
  const [first] = shown;
  return first === undefined ? still(state) : chose(state, first.service.name);
}

function chose(state: TopState, name: string): Step {
  if (state.chosen === name) return still(state);
  const { noLog: _, ...rest } = state;
  return { state: { ...rest, chosen: name, history: [], log: [] }, orders: [{ type: 'follow', name }] };
}

function pressed(given: TopState, key: Key): Step {
  const { notice: _, ...state } = given;
  if (state.question !== undefined) return answered(state, key);
  if (state.typing) return typed(state, key);
  const deed = deedOf(key);
  return deed === undefined ? still(state) : did(state, deed);
}

function answered(state: TopState, key: Key): Step {
  const { question, ...rest } = state;
  const agreed = key === 'y' || key === 'Y';
  if (question === undefined || !agreed) return still({ ...rest, notice: { text: 'nothing was done', good: true } });
  return { state: rest, orders: [{ type: 'command', words: question.words }] };
}

function typed(state: TopState, key: Key): Step {
  switch (key) {
    case 'return':
      return choose({ ...state, typing: false });
    case 'escape':
    case 'ctrl+c':
      return choose({ ...state, typing: false, filter: '' });
    case 'backspace':
      return choose({ ...state, filter: state.filter.slice(0, -1) });
    default:
      if (!/^[^\p{Cc}]$/u.test(key)) return still(state);
      return choose({ ...state, filter: `${state.filter}${key}`.slice(0, longestFilter) });
  }
}

const page = 10;

function did(state: TopState, deed: Deed): Step {
  switch (deed) {
    case 'quit':
      return { state, orders: [{ type: 'quit' }] };
    case 'up':
      return moved(state, -1);
    case 'down':
      return moved(state, 1);
    case 'pageUp':
      return moved(state, -page);
    case 'pageDown':
      return moved(state, page);
    case 'first':
      return moved(state, Number.NEGATIVE_INFINITY);
    case 'last':
      return moved(state, Number.POSITIVE_INFINITY);
    case 'filter':
      return still({ ...state, typing: true });
    case 'sort':
      return still({ ...state, sort: sortKeys[(sortKeys.indexOf(state.sort) + 1) % sortKeys.length] ?? 'start order' });
    case 'reverse':
      return still({ ...state, reversed: !state.reversed });
    case 'back':
      return choose({ ...state, pane: 'story', filter: '' });
    case 'log':
    case 'status':
      return still({ ...state, pane: state.pane === deed ? 'story' : deed });
    case 'help':
      return still({ ...state, pane: state.pane === 'keys' ? 'story' : 'keys' });
    case 'blocker':
      return followed(state);
    case 'toggle':
    case 'restart':
    case 'reload':
      return asked(state, deed);
  }
}

function moved(state: TopState, by: number): Step {
  const shown = shownRows(state);
  const at = shown.findIndex(({ service }) => service.name === state.chosen);
  const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))];
  return next === undefined ? still(state) : chose(state, next.service.name);
}

/** Goes to the service that the chosen one waits for. */
function followed(state: TopState): Step {
  const service = chosenRow(state)?.service;
  if (service === undefined) return still(state);
  const known = new Set(state.rows.map((row) => row.service.name));
  const [blocker] = (service.why.services ?? []).filter((name) => known.has(name));
  if (blocker === undefined)
    return still({
      ...state,
      notice: { text: `${shortName(service.name)} waits for no other service`, good: true },
    });
  const isShown = shownRows(state).some((row) => row.service.name === blocker);
  return chose(isShown ? state : { ...state, filter: '' }, blocker);
}

function asked(state: TopState, deed: 'toggle' | 'restart' | 'reload'): Step {
  const service = chosenRow(state)?.service;
  if (service === undefined) return still(state);
  const name = shortName(service.name);
  const verb = deed === 'toggle' ? (isUp(service) ? 'stop' : 'start') : deed;
  const words = [verb, service.name];
  // What ends a process is asked for once more: a key is pressed by mistake sooner than a command is typed.
  if (verb === 'stop' || verb === 'restart') return still({ ...state, question: { words, text: `${verb} ${name}?` } });
  return {
    state: { ...state, notice: { text: `${verb} ${name} …`, good: true } },
    orders: [{ type: 'command', words }],
  };
}

/** True where the service has something to stop. */
function isUp({ state }: ServiceStatus): boolean {
  switch (state) {
    case 'starting':
    case 'ready':
    case 'backoff':
    case 'stopping':
      return true;
    case 'pending':
    case 'disabled':
    case 'exited':
    case 'stopped':
    case 'failed':
      return false;
  }
}
