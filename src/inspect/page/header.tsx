import { readyText } from '../../facts/transitions.ts';
import { publicStates } from '../../model/service/public-state.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { dateOf } from '../../model/words/date.ts';
import { readyTime } from '../replica.ts';
import { IncidentNotice } from './incidents.tsx';
import { views } from './link.ts';
import { StateIcon } from './states.tsx';
import {
  connection,
  helpShown,
  instant,
  live,
  now,
  recording,
  search,
  select,
  show,
  shownStates,
  toggleState,
  version,
  view,
} from './store.ts';
import { toggleTheme } from './theme.ts';
import { epoch } from './timeline.tsx';
import { condition, duration, instantText, names } from './words.ts';

export function Header() {
  version.value;
  const { boot, end } = recording;
  const { services, replica } = instant.value;
  const system = replica.system.segments.at(-1)?.state.split('.')[0];
  const ready = readyTime(replica);
  const counts = publicStates
    .map((state) => ({ state, count: [...services.values()].filter((service) => service.state === state).length }))
    .filter(({ state, count }) => count > 0 || shownStates.value.includes(state));
  return (
    <header class="top">
      <h1>
        chaperone <span class="soft">{boot?.hostname}</span>
      </h1>
      <p class="summary" data-summary>
        {system === undefined ? null : <strong data-system={replica.system.segments.at(-1)?.state}>{system}</strong>}{' '}
        <span class="soft uptime">
          {live.value && end === undefined ? duration(Math.floor(now.value / 1000) * 1000) : ''}
        </span>
        {ready === undefined ? null : (
          <span class="soft ready" data-ready={ready}>
            {readyText(ready)}
          </span>
        )}
        {boot === undefined || connection.value.kind !== 'complete' ? null : (
          <span class="soft which" data-boot={boot.boot}>
            boot {boot.boot.slice(0, 8)}, {dateOf(boot.epoch)}
          </span>
        )}
        {counts.map(({ state, count }) => (
          <button
            key={state}
            type="button"
            class="count"
            data-count={state}
            aria-pressed={shownStates.value.includes(state)}
            title={`Show only services that are ${state}`}
            onClick={() => {
              toggleState(state);
              if (shownStates.value.includes(state)) show('timeline');
            }}
          >
            <StateIcon state={state} />
            {count} <span class="word">{state}</span>
          </button>
        ))}
      </p>
      <ConnectionLabel />
      <input
        id="search"
        type="search"
        placeholder="Search services  /"
        aria-label="Search services"
        value={search.value}
        onInput={(event) => {
          search.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          const first = event.key === 'Enter' ? firstFound() : undefined;
          if (first !== undefined) select(first);
          if (event.key === 'Escape') {
            search.value = '';
            event.currentTarget.blur();
          }
        }}
      />
      <button type="button" class="quiet" onClick={toggleTheme} aria-label="Light or dark" title="Light or dark (d)">
        ◐
      </button>
      <button
        type="button"
        class="quiet"
        onClick={() => {
          helpShown.value = true;
        }}
        aria-label="Keys and help"
        title="Keys and help (?)"
      >
        ?
      </button>
    </header>
  );
}

function firstFound(): string | undefined {
  const wanted = search.value.trim().toLowerCase();
  if (wanted === '') return undefined;
  return [...recording.services.keys()].find((name) => name.toLowerCase().includes(wanted));
}

function ConnectionLabel() {
  const state = connection.value;
  const text = {
    connecting: 'connecting',
    live: recording.end === undefined ? 'live' : 'ended',
    lost: 'lost',
    refused: 'refused',
    complete: 'recording',
  }[state.kind];
  return (
    <span class={`connection c-${state.kind}`} data-connection={state.kind}>
      <span class="dot" aria-hidden="true" />
      {text}
    </span>
  );
}

/** The page warns of a service that holds up others after this many ms. */
const worthTelling = 1_000;
const mostNotices = 2;

/** Warnings that every view shows: no connection, missing entries, why the system ended, which service holds up which others. */
export function Notices() {
  version.value;
  const { blockers, services, replica, at } = instant.value;
  const state = connection.value;
  const notices: preact.JSX.Element[] = [];
  let held = 0;
  if (state.kind === 'lost')
    notices.push(
      <p key="lost" class="notice bad" role="status">
        <strong>Connection lost.</strong> What is shown is as of {duration(now.value)} after the boot. Trying again;
        nothing that happens meanwhile is left out.
      </p>,
    );
  if (state.kind === 'refused')
    notices.push(
      <p key="refused" class="notice bad" role="status">
        <strong>No connection.</strong> {state.reason}
      </p>,
    );
  const [gap] = replica.gaps;
  const { detailFrom } = recording;
  if (gap !== undefined)
    notices.push(
      <p key="gap" class="notice" data-notice="gap">
        {replica.lost === 1 ? '1 entry is' : `${replica.lost.toLocaleString('en')} entries are`} missing, from{' '}
        {instantText(gap.from, epoch())} to {instantText(replica.gaps.at(-1)?.to ?? gap.to, epoch())}: of that time only
        the first starts and the last states are known.
      </p>,
    );
  else if (detailFrom > worthTelling)
    notices.push(
      <p key="detail" class="notice" data-notice="detail">
        Every detail is known from {instantText(detailFrom, epoch())} on, when somebody began to watch; of the time
        before, what services did.
      </p>,
    );
  if (state.kind === 'complete' && recording.end === undefined && recording.boot !== undefined)
    notices.push(
      <p key="cut" class="notice" data-notice="cut">
        The record ends at {instantText(recording.lastAt, epoch())} without an end: chaperone was killed, or still ran.
      </p>,
    );
  if (replica.end !== undefined)
    notices.push(
      <p key="end" class={replica.end.exitStatus === 0 ? 'notice' : 'notice bad'}>
        <strong>Ended</strong> with exit status {replica.end.exitStatus}: {replica.end.cause}
      </p>,
    );
  notices.push(<IncidentNotice key="incident" />);
  const ending = replica.system.segments.at(-1)?.state.startsWith('draining') ?? false;
  if (!ending && replica.end === undefined)
    for (const blocker of blockers) {
      const service = services.get(blocker.name);
      // Even in a boot without failures some service always waits for a moment.
      if (service === undefined || at - service.since < worthTelling || held >= mostNotices) continue;
      held += 1;
      const because = condition(service);
      notices.push(
        <p key={blocker.name} class="notice held" data-blocker={blocker.name}>
          <StateIcon state={service.state} />
          <button type="button" class="link" onClick={() => select(blocker.name)}>
            {shortName(blocker.name)}
          </button>{' '}
          {blocker.waiting.length === 0
            ? 'holds up the end of the boot.'
            : `holds up ${blocker.waiting.length}: ${names(blocker.waiting, 6)}.`}{' '}
          <span class="soft">
            {service.stage} for {duration(Math.max(0, at - service.since))}
            {because === undefined ? '' : `, ${because}`}
          </span>{' '}
          <button
            type="button"
            class="link"
            onClick={() => {
              select(blocker.waiting.at(-1) ?? blocker.name);
              show('graph');
            }}
          >
            show the path
          </button>
        </p>,
      );
    }
  return notices.length === 0 ? null : <section aria-label="Notices">{notices}</section>;
}

export function Tabs() {
  const titles = {
    timeline: 'Timeline',
    graph: 'Graph',
    statechart: 'Statechart',
    messages: 'Messages',
    log: 'Log',
    compare: 'Compare',
  };
  return (
    <nav class="tabs" aria-label="Views">
      {views.map((name, index) => (
        <button
          key={name}
          type="button"
          aria-current={view.value === name ? 'page' : undefined}
          onClick={() => show(name)}
          title={`${titles[name]} (${index + 1})`}
        >
          {titles[name]}
        </button>
      ))}
    </nav>
  );
}
