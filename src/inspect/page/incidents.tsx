import { computed } from '@preact/signals';
import { behindEach, type Failure, failuresIn, type Incident, renderIncident } from '../../facts/incidents.ts';
import { coursesOf } from '../recorded-incidents.ts';
import type { Instant } from './instant.ts';
import { chooseIncident, goToTime, incidentChoice, instant, recording } from './store.ts';
import { duration } from './words.ts';

/** The most incidents that are listed, the latest first. */
const mostListed = 8;
/** The most log records that are looked at for the last line of a service. */
const mostRead = 2_000;

interface Known {
  readonly count: number;
  readonly second: number;
  readonly failures: readonly Failure[];
  readonly complete: (failure: Failure) => Incident;
}

let memo: Known | undefined;

/** What has failed up to the shown instant. */
function knownAt({ count, at, replica }: Instant): Known {
  const second = Math.floor(at / 1000);
  if (memo?.count === count && memo.second === second) return memo;
  const courses = coursesOf(replica);
  memo = { count, second, failures: failuresIn(courses, at), complete: behindEach(courses, at) };
  return memo;
}

/** The chosen incident; undefined where the shown instant is before it. */
export const chosenIncident = computed<Incident | undefined>(() => {
  const choice = incidentChoice.value;
  if (choice === undefined) return undefined;
  const { failures, complete } = knownAt(instant.value);
  const found = failures.find(({ service, at }) => service === choice.service && at === choice.at);
  return found === undefined ? undefined : complete(found);
});

/** ms: so long after it was up again a service that has failed still counts as one in trouble, so that its row stays where it is. */
const recovering = 60_000;

/** The services that are down after a failure, or were a moment ago. */
export const inTrouble = computed<ReadonlySet<string>>(() => {
  const { at, services } = instant.value;
  const found = knownAt(instant.value).failures.flatMap(({ service, up, stopped, atLeast }) =>
    stopped !== true && atLeast !== true && (up === undefined || at - up < recovering) ? [service] : [],
  );
  return new Set([
    ...found,
    ...[...services.values()].flatMap(({ name, state }) => (state === 'failed' ? [name] : [])),
  ]);
});

/** The services that wait for the one of the chosen incident, directly or not. */
export const servicesBehind = computed<ReadonlySet<string>>(
  () => new Set(chosenIncident.value?.behind.map(({ service }) => service)),
);

/** The latest incident, above every view, so that nobody has to look for it. */
export function IncidentNotice() {
  const { failures: list, complete } = knownAt(instant.value);
  const last = list.at(-1);
  if (last === undefined) return null;
  const latest = complete(last);
  return (
    <p class="notice incident" data-incident={latest.service}>
      <IncidentLines incident={latest} />
      {list.length === 1 ? null : <span class="soft"> · {list.length.toLocaleString('en')} incidents in all</span>}
    </p>
  );
}

export function IncidentList() {
  const { failures: list, complete } = knownAt(instant.value);
  if (list.length === 0) return null;
  return (
    <>
      <h3>Incidents</h3>
      <ul class="plain incidents">
        {list
          .slice(-mostListed)
          .reverse()
          .map((incident) => (
            <li key={`${incident.service} ${incident.at}`}>
              <IncidentLines incident={complete(incident)} />
            </li>
          ))}
        {list.length > mostListed ? <li class="soft">{list.length - mostListed} before</li> : null}
      </ul>
    </>
  );
}

function IncidentLines({ incident }: { readonly incident: Incident }) {
  const before = lastWords(incident);
  const [first = '', ...others] = renderIncident(
    { ...incident, ...(before === undefined ? {} : { before }) },
    duration,
  );
  const choice = incidentChoice.value;
  return (
    <>
      <button
        type="button"
        class="link"
        aria-pressed={choice?.service === incident.service && choice.at === incident.at}
        onClick={() => {
          chooseIncident(incident);
          goToTime(incident.up ?? instant.peek().at);
        }}
      >
        {first.trim()}
      </button>
      <span class="soft">{others.map((line) => ` · ${line.trim()}`).join('')}</span>
    </>
  );
}

/** The last thing that a service has written before it failed. */
function lastWords({ service, at }: Incident): string | undefined {
  const { logs } = recording;
  for (let index = logs.length - 1; index >= Math.max(0, logs.length - mostRead); index -= 1) {
    const entry = recording.logAt(logs[index] ?? 0);
    if (entry !== undefined && entry.at <= at && entry.service === service) return entry.message;
  }
  return undefined;
}
