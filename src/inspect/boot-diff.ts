/** What changed from one recorded boot to another. */
import { remarksOf } from '../facts/critical-chain.ts';
import { shortName } from '../model/service/service-spec.ts';
import { dateOf } from '../model/words/date.ts';
import { oneLine } from '../model/words/printable.ts';
import type { BootReport, ServiceReport } from './boot-report.ts';
import { aligned, seconds } from './render-report.ts';

export type ServiceChangeKind =
  | 'added'
  | 'removed'
  | 'slower'
  | 'faster'
  | 'failed'
  | 'recovered'
  /** The service was ready in `a`, and in `b` it neither became ready nor failed. */
  | 'missing'
  | 'restarts'
  | 'waits'
  | 'order'
  | 'dependencies';

export interface ServiceDiff {
  /** With its suffix. */
  readonly name: string;
  readonly a?: ServiceReport;
  readonly b?: ServiceReport;
  /** Each kind with what it means in words. */
  readonly changes: readonly { readonly kind: ServiceChangeKind; readonly text: string }[];
}

export interface BootDiff {
  readonly a: BootReport;
  readonly b: BootReport;
  /** In the order of `b`, those that were removed last. */
  readonly services: readonly ServiceDiff[];
  /** The reasons why `b` is worse; empty if it is not. */
  readonly regressions: readonly string[];
}

export interface Tolerance {
  /** How much longer `b` may take until it is ready, as a share of what `a` took: 0.2 is a fifth. */
  readonly share: number;
  /** ms by which `b` may be longer in any case, since times vary between runs. */
  readonly least: number;
}

export const defaultTolerance: Tolerance = { share: 0.2, least: 100 };

/** Writes a duration, ms. */
export type Span = (ms: number) => string;

/** @param span writes durations in what is said of services, and of what became worse */
export function diffBoots(a: BootReport, b: BootReport, tolerance: Tolerance, span: Span = seconds): BootDiff {
  const before = new Map(a.services.map((service) => [service.name, service]));
  const after = new Map(b.services.map((service) => [service.name, service]));
  const moved = movedServices(before, after);
  const services = [...after.values()].map((service) =>
    diffService(before.get(service.name), service, moved.has(service.name), tolerance, span),
  );
  const removed = [...before.values()]
    .filter(({ name }) => !after.has(name))
    .map((service) => diffService(service, undefined, false, tolerance, span));
  const all = [...services, ...removed];
  return { a, b, services: all, regressions: regressionsOf(a, b, all, tolerance, span) };
}

function diffService(
  a: ServiceReport | undefined,
  b: ServiceReport | undefined,
  moved: boolean,
  tolerance: Tolerance,
  span: Span,
): ServiceDiff {
  const changes: { kind: ServiceChangeKind; text: string }[] = [];
  const note = (kind: ServiceChangeKind, text: string): void => void changes.push({ kind, text });
  const name = b?.name ?? a?.name ?? '';
  if (a === undefined) note('added', 'added');
  if (b === undefined) note('removed', 'removed');
  const failure = b === undefined ? undefined : lastFailure(b);
  if (failure !== undefined && (a === undefined || lastFailure(a) === undefined)) note('failed', `failed: ${failure}`);
  if (a !== undefined && b !== undefined) {
    if (lastFailure(a) !== undefined && failure === undefined && b.ready !== undefined)
      note('recovered', 'did not fail this time');
    if (a.took !== undefined && b.took !== undefined && differs(a.took, b.took, tolerance)) {
      note(b.took > a.took ? 'slower' : 'faster', describeChange(a.took, b.took, span));
    }
    if (a.restarts !== b.restarts) note('restarts', `restarts: ${b.restarts} instead of ${a.restarts}`);
    if (a.took !== undefined && b.took === undefined && failure === undefined)
      note('missing', `never ready: ${b.state}`);
    const bothStarted = a.started !== undefined && b.started !== undefined;
    if (bothStarted && a.waitedFor !== b.waitedFor) note('waits', `waited for ${waited(b)} instead of ${waited(a)}`);
    else if (a.waited !== undefined && b.waited !== undefined && differs(a.waited, b.waited, tolerance)) {
      note('waits', `waited for ${waited(b)} ${span(b.waited)} instead of ${span(a.waited)}`);
    }
    if (moved) note('order', `started as number ${(b.position ?? 0) + 1} instead of ${(a.position ?? 0) + 1}`);
    const [gone, come] = [without(a.waitsFor, b.waitsFor), without(b.waitsFor, a.waitsFor)];
    if (gone.length > 0) note('dependencies', `no longer after ${gone.map(shortName).join(', ')}`);
    if (come.length > 0) note('dependencies', `now after ${come.map(shortName).join(', ')}`);
  }
  return { name, ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }), changes };
}

function lastFailure({ failures }: ServiceReport): string | undefined {
  return failures.at(-1)?.cause;
}

function waited({ waitedFor }: ServiceReport): string {
  return waitedFor === undefined ? 'nothing' : shortName(waitedFor);
}

function without(names: readonly string[], others: readonly string[]): readonly string[] {
  return names.filter((name) => !others.includes(name));
}

function differs(a: number, b: number, { share, least }: Tolerance): boolean {
  return Math.abs(b - a) > Math.max(least, Math.min(a, b) * share);
}

/**
 * Services that moved in the start order of those that both boots started: the fewest whose removal leaves one order. One
 * that was overtaken by another is not called moved, too.
 */
function movedServices(
  before: ReadonlyMap<string, ServiceReport>,
  after: ReadonlyMap<string, ServiceReport>,
): ReadonlySet<string> {
  const both = [...after.values()]
    .flatMap(({ name, position }) => {
      const old = before.get(name)?.position;
      return position === undefined || old === undefined ? [] : [{ name, position, old }];
    })
    .sort((left, right) => left.position - right.position);
  const kept = new Set(longestRising(both.map(({ old }) => old)));
  return new Set(both.filter((_, index) => !kept.has(index)).map(({ name }) => name));
}

/** The indices of a longest rising part of distinct numbers (patience sorting). */
function longestRising(numbers: readonly number[]): readonly number[] {
  /** By length: the index at which a rising part of that length ends lowest. */
  const ends: number[] = [];
  const previous: number[] = [];
  numbers.forEach((value, index) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((numbers[ends[middle] ?? 0] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    previous[index] = low === 0 ? -1 : (ends[low - 1] ?? -1);
    ends[low] = index;
  });
  const part: number[] = [];
  for (let at = ends.at(-1) ?? -1; at >= 0; at = previous[at] ?? -1) part.push(at);
  return part;
}

function regressionsOf(
  a: BootReport,
  b: BootReport,
  services: readonly ServiceDiff[],
  { share, least }: Tolerance,
  span: Span,
): readonly string[] {
  const found: string[] = [];
  if (b.ready === undefined) found.push('the system did not become ready');
  else if (a.ready !== undefined && b.ready - a.ready > Math.max(least, a.ready * share)) {
    found.push(
      `ready later by more than ${describeTolerance({ share, least }, span)}: ${describeChange(a.ready, b.ready, span)}`,
    );
  }
  const { end } = b;
  if (end !== undefined && !isOrderly(end.exitStatus))
    found.push(`ended with exit status ${end.exitStatus}: ${end.cause}`);
  for (const { name, changes } of services) {
    const failure = changes.find(({ kind }) => kind === 'failed');
    if (failure !== undefined) found.push(`${shortName(name)} ${failure.text}`);
  }
  return found;
}

/** Asked to end: 130 is Ctrl-C. */
function isOrderly(exitStatus: number): boolean {
  return exitStatus === 0 || exitStatus === 130;
}

function describeTolerance({ share, least }: Tolerance, span: Span): string {
  return share === 0 ? span(least) : `${Math.round(share * 100)} % (and ${span(least)})`;
}

/** `+0.533 s (+79 %)`. */
function describeChange(a: number, b: number, span: Span): string {
  const sign = b >= a ? '+' : '−';
  const part = a === 0 ? '' : ` (${sign}${Math.round((Math.abs(b - a) / a) * 100)} %)`;
  return `${sign}${span(Math.abs(b - a))}${part}`;
}

/** A line about the boots as a whole. */
export interface DiffLine {
  readonly what: string;
  readonly a: string;
  readonly b: string;
  readonly change: string;
}

/** What can be said of both boots as a whole. */
export function bootLines({ a, b }: BootDiff, span: Span = seconds): readonly DiffLine[] {
  const change = a.ready === undefined || b.ready === undefined ? '' : describeChange(a.ready, b.ready, span);
  const missing = {
    what: 'missing',
    a: missingOf(a, span),
    b: missingOf(b, span),
    change: 'what happened then is not compared',
  };
  return [
    { what: 'boot', a: nameOf(a), b: nameOf(b), change: '' },
    { what: 'ready in', a: readyOf(a, span), b: readyOf(b, span), change },
    { what: 'ended', a: endOf(a, span), b: endOf(b, span), change: '' },
    ...(a.lost + b.lost === 0 ? [] : [missing]),
  ];
}

/** What has changed of a service, in words; empty where nothing has. */
export function changeText({ changes }: ServiceDiff): string {
  return changes.map(({ text }) => text).join('; ');
}

/** Whether `b` is worse than `a`: a sentence, and the reasons. */
export function verdictOf({ regressions }: BootDiff): readonly string[] {
  return regressions.length === 0 ? ['B is no worse than A.'] : ['B is worse than A:', ...regressions];
}

/** The difference as people read it: what changed, in aligned columns, and in the end whether `b` is worse. */
export function renderDiff(difference: BootDiff): string {
  const { a, b, services } = difference;
  const changed = services.filter(({ changes }) => changes.length > 0);
  const rows = [
    ['', 'A', 'B', ''],
    ...bootLines(difference).map((line) => [line.what, line.a, line.b, line.change]),
    ['', '', '', ''],
    ...(changed.length === 0 ? [] : [['SERVICE', '', '', 'CHANGES']]),
    ...changed.map((service) => [
      shortName(service.name),
      startText(service.a),
      startText(service.b),
      changeText(service),
    ]),
  ];
  const same = services.length - changed.length;
  const rest = same === 0 ? [] : [`${same} ${same === 1 ? 'service' : 'services'} as before`];
  const [verdict = '', ...reasons] = verdictOf(difference);
  const chains =
    chainOf(a) === chainOf(b) ? [] : ['', `critical chain A  ${chainOf(a)}`, `critical chain B  ${chainOf(b)}`];
  return `${[...aligned(rows), ...rest, ...chains, '', verdict, ...reasons.map((text) => `  ${text}`)].join('\n')}\n`;
}

function nameOf({ epoch, boot }: BootReport): string {
  return `${dateOf(epoch)} ${boot.slice(0, 8)}`;
}

function readyOf({ ready }: BootReport, span: Span): string {
  return ready === undefined ? 'never' : span(ready);
}

function endOf({ end, duration }: BootReport, span: Span): string {
  return end === undefined ? `no end within ${span(duration)}` : `exit status ${end.exitStatus}`;
}

/** `12,345 entries, 280.000 s to 1260.000 s`. */
function missingOf({ gaps, lost }: BootReport, span: Span): string {
  const [first] = gaps;
  const last = gaps.at(-1);
  if (first === undefined || last === undefined) return '–';
  return `${lost.toLocaleString('en')} entries, ${span(first.from)} to ${span(last.to)}`;
}

function chainOf({ criticalChain }: BootReport): string {
  if (criticalChain.length === 0) return '–';
  return criticalChain.map((link) => [link.service, ...remarksOf(link).map(oneLine)].join(', ')).join(' ← ');
}

/** How long the first start took, also where it failed or was not over: the boot waited for it all the same. */
export function startText(service: ServiceReport | undefined, span: Span = seconds): string {
  if (service === undefined) return '–';
  const { started, took, failed, lasts, state } = service;
  if (took !== undefined) return span(took);
  if (started === undefined) return state;
  if (failed !== undefined) return `${span(failed.at - started)}, failed`;
  return lasts === undefined ? state : `${span(lasts - started)}, not ready`;
}
