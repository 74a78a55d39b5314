/** The result of a simulated boot, as a page for people and as an object for programs. */

import {
  type ChainLink,
  criticalChain,
  endOfStart,
  renderChain,
  tookOf,
  withShortNames,
} from '../facts/critical-chain.ts';
import type { Mishap } from '../model/order/boot-assumptions.ts';
import type { PublicState } from '../model/service/public-state.ts';
import { type ServiceType, shortName } from '../model/service/service-spec.ts';

/** One service of such a boot; times are ms since chaperone began. */
export interface ForecastService {
  /** With its suffix. */
  readonly name: string;
  readonly type: ServiceType;
  /** The state of the service at READY, or when the system failed. */
  readonly state: PublicState;
  readonly started?: number;
  /** It became ready, or failed. */
  readonly settled?: number;
  /** The prerequisite that the service waited for last, if it had to wait. */
  readonly waitedFor?: string;
  /** The prerequisites that are not ready. */
  readonly unmet?: readonly string[];
}

export type Forecast = {
  /** In start order. */
  readonly services: readonly ForecastService[];
} & (
  | { readonly kind: 'ready'; readonly ready: number }
  /** What chaperone would have printed last, and its exit status. */
  | { readonly kind: 'failed'; readonly exitStatus: number; readonly lines: readonly string[] }
);

/** Where the time comes from that a service takes to become ready. */
export type TimeOrigin = 'given' | 'measured' | 'assumed' | 'startup_pause' | 'schedule';

/** Things that were missing or not run, and for which the simulation used a stand-in. */
export interface StandIns {
  /** Commands in backticks, which stand for no text. */
  readonly commands: readonly string[];
  /** Accounts that this machine does not have. */
  readonly accounts: readonly string[];
  /** Programs that this machine does not have. */
  readonly programs: readonly string[];
}

export interface ForecastReport {
  /** The configuration's path. */
  readonly path: string;
  readonly forecast: Forecast;
  readonly origins: ReadonlyMap<string, TimeOrigin>;
  readonly mishaps: ReadonlyMap<string, Mishap>;
  /** ms that stood for what is assumed. */
  readonly otherwise: number;
  readonly standIns: StandIns;
  readonly whatIf?: WhatIf;
  readonly baseline?: Baseline;
}

export interface WhatIf {
  /** By service: ms until it is ready. */
  readonly times: ReadonlyMap<string, number>;
  readonly forecast: Forecast;
}

export interface Baseline {
  /** ms until READY, then. */
  readonly ready: number;
  /** ms that it may be later now. */
  readonly tolerance: number;
}

/** Later than the baseline allows. */
export function isWorse({ forecast, baseline }: ForecastReport): boolean {
  return baseline !== undefined && forecast.kind === 'ready' && forecast.ready > baseline.ready + baseline.tolerance;
}

/** Columns of the bars. */
const barWidth = 40;
/** Services that are listed as the slowest. */
const longestBlame = 10;

export function renderForecast(report: ForecastReport): string {
  const { path, forecast } = report;
  const chain = chainOf(forecast);
  const parts = [
    `the boot of ${path} in virtual time: nothing was started\n`,
    timeline(report),
    chain.length === 0 ? '' : `${renderChain(chain)}\n${pauses(chain)}`,
    blame(forecast),
    assumptions(report),
    whatIfText(report),
    baselineText(report),
    forecast.kind === 'ready' ? `ready in ${seconds(forecast.ready)} s\n` : `${forecast.lines.join('\n')}\n`,
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function timeline(report: ForecastReport): string {
  const { forecast } = report;
  const { services } = forecast;
  if (services.length === 0) return '';
  const end = endOf(forecast);
  const width = Math.max(...services.map(({ name }) => shortName(name).length));
  const scale = `0 s${`${seconds(end)} s`.padStart(barWidth - 3)}`;
  const head = `  ${''.padEnd(width)}  ${scale}  started    ready     took\n`;
  const rows = inTime(services).map((service) => {
    const { name, state, started, settled } = service;
    const ready = state === 'failed' ? undefined : settled;
    const cells = [started, ready, started === undefined || ready === undefined ? undefined : ready - started]
      .map((time) => (time === undefined ? '–' : seconds(time)).padStart(7))
      .join('  ');
    return `  ${shortName(name).padEnd(width)}  ${bar(service, end)}  ${cells}  ${remark(service, report)}`.trimEnd();
  });
  return `${head}${rows.join('\n')}\n  ${''.padEnd(width)}  · waits  █ starts  ─ is ready  × failed\n`;
}

/** As they start; what never started last. */
function inTime(services: readonly ForecastService[]): readonly ForecastService[] {
  return [...services].sort((left, right) => {
    const [a, b] = [left.started, right.started].map((time) => time ?? Number.MAX_VALUE);
    return (a ?? 0) - (b ?? 0);
  });
}

function bar({ state, started, settled }: ForecastService, end: number): string {
  if (state === 'disabled') return ''.padEnd(barWidth);
  const cell = (time: number): number => (end === 0 ? 0 : Math.round((time / end) * barWidth));
  if (started === undefined) return '·'.repeat(barWidth);
  const from = Math.min(cell(started), barWidth - 1);
  const to = settled === undefined ? barWidth : Math.max(from + 1, cell(settled));
  const failed = state === 'failed';
  const starts = '█'.repeat(to - from - (failed ? 1 : 0));
  return `${'·'.repeat(from)}${starts}${failed ? '×' : ''}`.padEnd(barWidth, failed ? ' ' : '─');
}

function remark({ name, type, state, unmet }: ForecastService, { origins, mishaps }: ForecastReport): string {
  if (state === 'disabled') return 'disabled';
  if (state === 'pending') {
    return unmet === undefined ? 'never started' : `never started: waits for ${unmet.map(shortName).join(', ')}`;
  }
  const mishap = mishaps.get(name);
  const origin = origins.get(name);
  const how = mishap !== undefined ? describeMishap(mishap) : origin === 'schedule' ? undefined : origin;
  return [type, ...(how === undefined ? [] : [how]), ...(state === 'failed' ? ['failed'] : [])].join(', ');
}

function describeMishap(mishap: Mishap): string {
  switch (mishap.kind) {
    case 'exit':
      return `exit ${mishap.code}`;
    case 'signal':
      return mishap.signal;
    case 'hang':
      return 'hangs';
    case 'late':
      return `${seconds(mishap.by)} s late`;
  }
}

function chainOf({ services }: Forecast): readonly ChainLink[] {
  // Of those that settled in one instant, the one that failed is what it is about.
  const failedFirst = [...services].sort(
    (left, right) => Number(right.state === 'failed') - Number(left.state === 'failed'),
  );
  const chain = criticalChain(
    failedFirst.flatMap(({ name, started, settled, waitedFor }) =>
      started === undefined || settled === undefined
        ? []
        : [
            withShortNames({
              service: name,
              started,
              ready: settled,
              ...(waitedFor === undefined ? {} : { waitedFor }),
            }),
          ],
    ),
  );
  // In virtual time some take none.
  return chain.filter((link) => tookOf(link) > 0);
}

/** Where nothing was started that the boot waited for. */
function pauses(chain: readonly ChainLink[]): string {
  return chain
    .flatMap(({ service, started }, index) => {
      const before = chain[index + 1];
      const pause = started - (before === undefined ? 0 : endOfStart(before));
      return pause > 0 ? [`and ${seconds(pause)} s of idle_delay before ${service}\n`] : [];
    })
    .join('');
}

function blame({ services }: Forecast): string {
  const rows = services
    .flatMap(({ name, started, settled, state }) =>
      started === undefined || settled === undefined || state === 'failed' ? [] : [{ name, took: settled - started }],
    )
    .filter(({ took }) => took > 0)
    .sort((left, right) => right.took - left.took);
  const shown = rows
    .slice(0, longestBlame)
    .map(({ name, took }) => `${seconds(took).padStart(9)} s  ${shortName(name)}\n`);
  const more = rows.length > longestBlame ? `${''.padEnd(13)}and ${rows.length - longestBlame} more\n` : '';
  return shown.length === 0 ? '' : `the time that each took to become ready\n${shown.join('')}${more}`;
}

function assumptions({ origins, otherwise, standIns, forecast }: ForecastReport): string {
  const assumed = assumedNames(forecast, origins).map(shortName);
  const { commands, accounts, programs } = standIns;
  return [
    assumed.length === 0 ? '' : `assumed: ${seconds(otherwise)} s (--assume) until ready: ${assumed.join(', ')}\n`,
    commands.length === 0
      ? ''
      : `not run, and took as giving nothing: ${commands.map((command) => `\`${command}\``).join(', ')}\n`,
    accounts.length === 0 ? '' : `not on this machine, and taken as there: the accounts ${accounts.join(', ')}\n`,
    programs.length === 0 ? '' : `not on this machine, and taken as there: the programs ${programs.join(', ')}\n`,
  ].join('');
}

/** The services whose start time is assumed. */
function assumedNames({ services }: Forecast, origins: ForecastReport['origins']): readonly string[] {
  return services
    .filter(({ name, state }) => origins.get(name) === 'assumed' && state !== 'disabled' && state !== 'pending')
    .map(({ name }) => name);
}

function whatIfText({ forecast, whatIf }: ForecastReport): string {
  if (whatIf === undefined) return '';
  const changes = [...whatIf.times].map(([name, time]) => `${shortName(name)} in ${seconds(time)} s`).join(', ');
  const after = whatIf.forecast;
  if (after.kind === 'failed') return `with ${changes}: never ready\n${after.lines.join('\n')}\n`;
  const chain = `${renderChain(chainOf(after))}\n`;
  if (forecast.kind === 'failed') return `with ${changes}: ready in ${seconds(after.ready)} s\n${chain}`;
  const gain = forecast.ready - after.ready;
  const verdict = gain === 0 ? 'no gain' : gain > 0 ? `${seconds(gain)} s sooner` : `${seconds(-gain)} s later`;
  return `with ${changes}: ready in ${seconds(after.ready)} s instead of ${seconds(forecast.ready)} s: ${verdict}\n${chain}`;
}

function baselineText(report: ForecastReport): string {
  const { forecast, baseline } = report;
  if (baseline === undefined || forecast.kind === 'failed') return '';
  const later = forecast.ready - baseline.ready;
  const change = later === 0 ? 'as soon as' : `${seconds(Math.abs(later))} s ${later > 0 ? 'later' : 'sooner'} than`;
  const allowed = isWorse(report) ? `; ${seconds(baseline.tolerance)} s are allowed (--tolerance)` : '';
  return `ready ${change} in the baseline (${seconds(baseline.ready)} s)${allowed}\n`;
}

/** ms of the whole page. */
function endOf(forecast: Forecast): number {
  if (forecast.kind === 'ready') return forecast.ready;
  return Math.max(...forecast.services.flatMap(({ started = 0, settled = 0 }) => [started, settled]), 0);
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}

/** One JSON object and a newline; its form is documented in docs/reference/simulate.md, and only ever grows. */
export function forecastJson(report: ForecastReport): string {
  const { path, forecast, origins, otherwise, standIns, whatIf, baseline } = report;
  const value = {
    config: path,
    ...outcomeJson(forecast),
    services: forecast.services.map((service) => ({
      ...service,
      ...(service.state === 'failed' || service.started === undefined || service.settled === undefined
        ? {}
        : { took: service.settled - service.started }),
      timeFrom: origins.get(service.name) ?? 'schedule',
    })),
    assumed: { ms: otherwise, services: assumedNames(forecast, origins) },
    standIns,
    ...(whatIf === undefined
      ? {}
      : { whatIf: { times: Object.fromEntries(whatIf.times), ...outcomeJson(whatIf.forecast) } }),
    ...(baseline === undefined ? {} : { baseline: { ...baseline, worse: isWorse(report) } }),
  };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function outcomeJson(forecast: Forecast) {
  const criticalChain = chainOf(forecast).map(({ service }) => service);
  if (forecast.kind === 'ready') return { ready: true, readyAfter: forecast.ready, criticalChain };
  return { ready: false, exitStatus: forecast.exitStatus, explanation: forecast.lines, criticalChain };
}

/**
 * Reads the baseline out of such an object: ms until READY; undefined where the text is none, or tells of a boot that failed.
 */
export function readBaseline(text: string): number | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('readyAfter' in value)) return undefined;
    return typeof value.readyAfter === 'number' ? value.readyAfter : undefined;
  } catch {
    return undefined;
  }
}
