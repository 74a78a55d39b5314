/** Two boots, one beside the other: bars that begin at the same instant, and what differs, in the words of `replay --diff`. */
import { computed, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { ChainLink } from '../../facts/critical-chain.ts';
import { endOfStart, remarksOf, tookOf } from '../../facts/critical-chain.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { dateOf } from '../../model/words/date.ts';
import { bootLines, changeText, type ServiceDiff, startText, verdictOf } from '../boot-diff.ts';
import type { BootReport, ServiceReport } from '../boot-report.ts';
import { type Replica, readyTime, type Segment } from '../replica.ts';
import { Axis } from './axis.tsx';
import { barsOf } from './bars.ts';
import { choices, openJournal, other, type Pair, pair } from './other.ts';
import type { Domain } from './scale.ts';
import {
  comparedTimes,
  domain,
  otherBoot,
  recording,
  search,
  select,
  selection,
  swapped,
  version,
  zoomed,
} from './store.ts';
import { useInSight, useRows, useWidth } from './virtual.tsx';
import { duration } from './words.ts';
import { wheelOverRows, zoomBy } from './zooming.ts';

const rowHeight = 42;
const barHeight = 10;
const tops = { a: 8, b: 23 } as const;

/** Only services that differ have a row. */
const changedOnly = signal(false);

export function CompareView() {
  version.value;
  const both = pair.value;
  return (
    <section class="compare" aria-label="Compare">
      <Chooser />
      {both === undefined ? <Nothing /> : <Rows both={both} />}
    </section>
  );
}

/** Which boot stands beside this one. */
function Chooser() {
  const boots = choices.value.filter(({ boot }, index, all) => all.findLastIndex((one) => one.boot === boot) === index);
  return (
    <div class="view-tools tl-tools">
      <label class="choice">
        Compare with{' '}
        <select
          id="other"
          value={otherBoot.value ?? ''}
          onChange={(event) => {
            const { value } = event.currentTarget;
            otherBoot.value = value === '' ? undefined : value;
            if (value === '') other.value = { kind: 'none' };
          }}
        >
          <option value="">no other boot</option>
          {boots.map(({ boot, epoch, file, number }) => (
            <option key={boot} value={boot}>
              {`${file}#${number}, ${dateOf(epoch)}${boot === recording.boot?.boot ? ' (this one)' : ''}`}
            </option>
          ))}
        </select>
      </label>
      <label class="file">
        Open a journal…
        <input
          type="file"
          id="journal"
          onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file !== undefined) void openJournal(file);
          }}
        />
      </label>
      <span class="buttons">
        <button
          type="button"
          aria-pressed={zoomed.value === undefined}
          title="Until both systems were up (0)"
          onClick={() => {
            zoomed.value = undefined;
          }}
        >
          Boot
        </button>
        <button
          type="button"
          title="All of both recordings"
          onClick={() => {
            zoomed.value = { kind: 'span', from: 0, to: Math.max(1, comparedTimes.peek()?.last ?? 1) };
          }}
        >
          All
        </button>
        <button type="button" onClick={() => zoomBy(0.5)} aria-label="Zoom in" title="Zoom in (+)">
          +
        </button>
        <button type="button" onClick={() => zoomBy(2)} aria-label="Zoom out" title="Zoom out (−)">
          −
        </button>
      </span>
      <span class="buttons">
        <button
          type="button"
          aria-pressed={changedOnly.value}
          onClick={() => {
            changedOnly.value = !changedOnly.value;
          }}
        >
          Only what differs
        </button>
        <button
          type="button"
          aria-pressed={swapped.value}
          title="Exchange A and B"
          onClick={() => {
            swapped.value = !swapped.value;
          }}
        >
          A ⇄ B
        </button>
      </span>
    </div>
  );
}

function Nothing() {
  const state = other.value;
  return (
    <p class="empty" data-other={state.kind} role="status">
      {state.kind === 'loading'
        ? 'Loading the other boot.'
        : state.kind === 'wrong'
          ? state.reason
          : 'Choose another boot, or open a journal: of another run, or of a simulation (chaperonectl simulate --record FILE).'}
    </p>
  );
}

/** The rows: what has changed most stands above. */
const rows = computed<readonly ServiceDiff[]>(() => {
  const both = pair.value;
  if (both === undefined) return [];
  const found = search.value.trim() === '' ? undefined : search.value.trim().toLowerCase();
  return both.difference.services
    .filter(
      ({ name, changes }) =>
        (found === undefined || name.toLowerCase().includes(found)) && (!changedOnly.value || changes.length > 0),
    )
    .map((service, index) => ({ service, index, weight: weightOf(service) }))
    .sort((one, two) => two.weight - one.weight || one.index - two.index)
    .map(({ service }) => service);
});

/** The services in the order of the rows. */
export const comparedServices = computed(() => rows.value.map(({ name }) => name));

function weightOf({ a, b, changes }: ServiceDiff): number {
  if (changes.length === 0) return 0;
  const kinds = changes.map(({ kind }) => kind);
  if (kinds.includes('failed')) return Number.POSITIVE_INFINITY;
  if (kinds.includes('missing')) return Number.MAX_VALUE;
  if (a?.took === undefined || b?.took === undefined) return 1;
  return 1 + Math.abs(b.took - a.took);
}

function Rows({ both }: { readonly both: Pair }) {
  const { ref: plot, width } = useWidth(600);
  const shown = rows.value;
  const { ref, window } = useRows<HTMLDivElement>(shown.length, rowHeight);
  const picked = selection.value;
  useInSight(ref, picked === undefined ? -1 : shown.findIndex(({ name }) => name === picked), rowHeight);
  const span = domain.value;
  const { services } = both.difference;
  const changed = services.filter(({ changes }) => changes.length > 0).length;
  return (
    <>
      <div class="cmp-head">
        <p class="soft tl-count" data-changed={changed}>
          {changed} of {services.length} differ
        </p>
        <div class="tl-plot" ref={plot}>
          <Axis span={span} width={width} />
        </div>
        <p class="soft cmp-words">what differs in B</p>
      </div>
      <div class="tl-body" ref={ref} onWheel={(event) => wheelOverRows(event, plot.current, width)}>
        <ul class="tl-rows" style={{ height: `${shown.length * rowHeight}px` }} aria-label="Services of both boots">
          {shown.slice(window.first, window.last).map((service, offset) => (
            <Row
              key={service.name}
              service={service}
              both={both}
              index={window.first + offset}
              count={shown.length}
              width={width}
              span={span}
            />
          ))}
        </ul>
        {shown.length === 0 ? <p class="empty">No service is like that.</p> : null}
      </div>
    </>
  );
}

interface RowProps {
  readonly service: ServiceDiff;
  readonly both: Pair;
  readonly index: number;
  readonly count: number;
  readonly width: number;
  readonly span: Domain;
}

function Row({ service, both, index, count, width, span }: RowProps) {
  const { name, changes } = service;
  const picked = selection.value === name;
  const words = changeText(service);
  const bad = changes.some(({ kind }) => kind === 'failed' || kind === 'missing');
  return (
    <li
      class={`tl-row cmp-row${picked ? ' picked' : ''}`}
      style={{ top: `${index * rowHeight}px`, height: `${rowHeight}px` }}
      aria-setsize={count}
      aria-posinset={index + 1}
      data-service={name}
      data-changes={changes.map(({ kind }) => kind).join(' ')}
    >
      <button
        type="button"
        class="tl-name"
        aria-label={`${shortName(name)}: ${words === '' ? 'as before' : words}`}
        aria-pressed={picked}
        onClick={() => select(picked ? undefined : name)}
      >
        <span>{shortName(name)}</span>
      </button>
      <svg class="tl-bars" width={width} height={rowHeight} aria-hidden="true">
        {(['a', 'b'] as const).map((side) => (
          <Side
            key={side}
            side={side}
            replica={both[side]}
            report={both.difference[side]}
            name={name}
            width={width}
            span={span}
          />
        ))}
      </svg>
      <span class={`cmp-words${bad ? ' bad' : ''}`} title={words}>
        <span class="number">
          {startText(service.a, duration)} → {startText(service.b, duration)}
        </span>
        <span class="soft">{words}</span>
      </span>
    </li>
  );
}

const none: readonly Segment[] = [];

function Side({
  side,
  replica,
  report,
  name,
  width,
  span,
}: {
  readonly side: 'a' | 'b';
  readonly replica: Replica;
  readonly report: BootReport;
  readonly name: string;
  readonly width: number;
  readonly span: Domain;
}) {
  const top = tops[side];
  const scale = (at: number): number => ((at - span.from) / (span.to - span.from)) * width;
  const segments = replica.services.get(name)?.segments ?? none;
  const link = report.criticalChain.find(({ service }) => service === shortName(name));
  const ready = readyTime(replica);
  return (
    <g data-side={side}>
      {barsOf(segments, { span, width, end: replica.at, shown: replica.at }).map(({ x, width: wide, state, many }) => (
        <g key={x} class={`bar b-${state}${many ? ' many' : ''}`}>
          <rect x={x} y={top} width={wide} height={barHeight} />
        </g>
      ))}
      {segments.length === 0 ? (
        <text class="absent" x="18" y={top + barHeight - 1}>
          not in {side.toUpperCase()}
        </text>
      ) : null}
      {link === undefined ? null : (
        <line
          class="in-chain"
          x1={Math.max(0, scale(link.started))}
          x2={Math.min(width, Math.max(scale(link.started) + 2, scale(endOfStart(link))))}
          y1={top + barHeight + 1.5}
          y2={top + barHeight + 1.5}
        />
      )}
      {ready === undefined || ready < span.from || ready > span.to ? null : (
        <line class="cmp-ready" x1={scale(ready)} x2={scale(ready)} y1={top - 2} y2={top + barHeight + 3} />
      )}
      <text class="side" x="2" y={top + barHeight - 1}>
        {side.toUpperCase()}
      </text>
    </g>
  );
}

/** What differs between the boots as a whole, or in the chosen service. */
export function CompareDetails() {
  const both = pair.value;
  if (both === undefined) return <h2>Two boots</h2>;
  const { difference } = both;
  const chosen = difference.services.find(({ name }) => name === selection.value);
  return chosen === undefined ? <BootsDetails both={both} /> : <ServiceComparison service={chosen} />;
}

/** Rows of what both boots have, with a column for each boot. */
function BootsTable({ children }: { readonly children: ComponentChildren }) {
  return (
    <table class="boots">
      <thead>
        <tr>
          <td />
          <th scope="col">A</th>
          <th scope="col">B</th>
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}

function BootsDetails({ both: { difference } }: { readonly both: Pair }) {
  const [verdict = '', ...reasons] = verdictOf(difference);
  const { a, b, services } = difference;
  const only = (kind: 'added' | 'removed'): readonly ServiceDiff[] =>
    services.filter(({ changes }) => changes.some((change) => change.kind === kind));
  return (
    <>
      <h2 data-verdict>{verdict}</h2>
      {reasons.length === 0 ? null : (
        <ul class="plain reasons">
          {reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
      <BootsTable>
        {bootLines(difference, duration).map((line) => (
          <tr key={line.what} data-line={line.what}>
            <th scope="row">{line.what}</th>
            <td>{line.a}</td>
            <td>
              {line.b} <span class="soft">{line.change}</span>
            </td>
          </tr>
        ))}
      </BootsTable>
      <Chain title="Critical chain of A" chain={a.criticalChain} other={b.criticalChain} side="a" />
      <Chain title="Critical chain of B" chain={b.criticalChain} other={a.criticalChain} side="b" />
      <OnlyIn title="Only in A" services={only('removed')} />
      <OnlyIn title="Only in B" services={only('added')} />
    </>
  );
}

/** A chain; what is not in the other one is marked. */
function Chain({
  title,
  chain,
  other: against,
  side,
}: {
  readonly title: string;
  readonly chain: readonly ChainLink[];
  readonly other: readonly ChainLink[];
  readonly side: 'a' | 'b';
}) {
  return (
    <>
      <h3>{title}</h3>
      <ol class="plain chain" data-chain-of={side}>
        {chain.map((link) => {
          const same = against.find(({ service }) => service === link.service);
          const longer = same === undefined ? undefined : tookOf(link) - tookOf(same);
          return (
            <li key={link.service} class={same === undefined ? 'alone' : ''}>
              <span>
                {link.service}{' '}
                <span class="soft">
                  {[...remarksOf(link), ...(same === undefined ? ['not in the other chain'] : [])].join(', ')}
                </span>
              </span>
              <span class="number">
                {duration(tookOf(link))}
                {side === 'b' && longer !== undefined && Math.round(longer) !== 0 ? (
                  <span class="soft">
                    {' '}
                    {longer > 0 ? '+' : '−'}
                    {duration(Math.abs(longer))}
                  </span>
                ) : null}
              </span>
            </li>
          );
        })}
      </ol>
    </>
  );
}

function OnlyIn({ title, services }: { readonly title: string; readonly services: readonly ServiceDiff[] }) {
  if (services.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul class="plain flow">
        {services.slice(0, 24).map(({ name }) => (
          <li key={name}>
            <button type="button" class="link" onClick={() => select(name)}>
              {shortName(name)}
            </button>
          </li>
        ))}
        {services.length > 24 ? <li class="soft">and {services.length - 24} more</li> : null}
      </ul>
    </>
  );
}

function ServiceComparison({ service }: { readonly service: ServiceDiff }) {
  const { name, a, b, changes } = service;
  return (
    <>
      <div class="details-head">
        <h2>{name}</h2>
        <button type="button" class="quiet" onClick={() => select(undefined)} aria-label="Close" title="Close (Escape)">
          ✕
        </button>
      </div>
      {changes.length === 0 ? (
        <p class="soft">As before.</p>
      ) : (
        <ul class="plain reasons">
          {changes.map(({ text }) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      <BootsTable>
        {facts.map(([what, read]) => (
          <tr key={what}>
            <th scope="row">{what}</th>
            <td>{a === undefined ? '–' : read(a)}</td>
            <td>{b === undefined ? '–' : read(b)}</td>
          </tr>
        ))}
      </BootsTable>
    </>
  );
}

const timeOf = (ms: number | undefined): string => (ms === undefined ? '–' : duration(ms));

const facts: readonly (readonly [string, (report: ServiceReport) => string])[] = [
  ['start took', (report) => startText(report, duration)],
  ['began after', ({ started }) => timeOf(started)],
  ['ready after', ({ ready }) => timeOf(ready)],
  ['waited for', ({ waitedFor }) => (waitedFor === undefined ? 'nothing' : shortName(waitedFor))],
  ['waited', ({ waited }) => timeOf(waited)],
  ['restarts', ({ restarts }) => String(restarts)],
  [
    'failures',
    ({ failures }) =>
      failures
        .slice(-3)
        .map(({ cause }) => cause)
        .join(', ') || 'none',
  ],
  ['in the end', ({ state }) => state],
];
