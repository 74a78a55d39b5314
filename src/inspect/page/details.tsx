import { remarksOf, tookOf } from '../../facts/critical-chain.ts';
import { type Ties, tieWords } from '../../model/order/prerequisite.ts';
import { describeOutputs } from '../../model/service/output.ts';
import { shortName } from '../../model/service/service-spec.ts';
import type { JsonObject } from '../../model/words/json.ts';
import type { LogEntry, ServiceEntry } from '../entry.ts';
import type { Segment } from '../replica.ts';
import { Act } from './act.tsx';
import { CompareDetails } from './compare.tsx';
import { IncidentList } from './incidents.tsx';
import { blockingPath, type ServiceNow } from './instant.ts';
import { isError } from './recording.ts';
import { chainInside } from './start-chain.ts';
import { ActorDetails } from './statechart.tsx';
import { StateIcon, StateLabel } from './states.tsx';
import { goTo, instant, recording, select, selection, show, version, view } from './store.ts';
import { criticalPath, epoch } from './timeline.tsx';
import { lastNotAbove } from './virtual.tsx';
import { condition, contextLabel, contextText, duration, instantText } from './words.ts';

const shownHistory = 12;

/** Shows the selected service or actor as it is at the shown instant. */
export function Details() {
  version.value;
  const name = selection.value;
  const service = name === undefined ? undefined : instant.value.services.get(name);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <aside class="details" aria-label="Details" tabIndex={0}>
      {view.value === 'statechart' ? (
        <ActorDetails />
      ) : view.value === 'compare' ? (
        <CompareDetails />
      ) : service === undefined ? (
        <SystemDetails />
      ) : (
        <ServiceDetails service={service} />
      )}
    </aside>
  );
}

function SystemDetails() {
  const { replica, at, services } = instant.value;
  const segment = replica.system.segments.at(-1);
  const chain = criticalPath();
  const failed = [...services.values()].filter(({ state }) => state === 'failed' || state === 'backoff');
  return (
    <>
      <h2>System</h2>
      {segment === undefined ? null : (
        <p>
          <strong>{segment.state}</strong> <span class="soft">for {duration(Math.max(0, at - segment.from))}</span>
        </p>
      )}
      {failed.length === 0 ? null : (
        <>
          <h3>Trouble</h3>
          <ul class="plain">
            {failed.slice(0, 8).map((service) => (
              <li key={service.name}>
                <ServiceLink name={service.name} />{' '}
                <span class="soft">{String(service.segment?.context?.['cause'] ?? condition(service) ?? '')}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <IncidentList />
      <LastLines service={undefined} />
      <h3>Critical chain</h3>
      {chain.length === 0 ? (
        <p class="soft">Nothing is ready yet.</p>
      ) : (
        <>
          <ol class="plain chain">
            {chain.map((link) => (
              <li key={link.service}>
                <span>
                  <ServiceLink name={link.service} /> <span class="soft">{remarksOf(link).join(', ')}</span>
                </span>
                <span class="number">{duration(tookOf(link))}</span>
              </li>
            ))}
          </ol>
          <p class="soft">The last service to be ready stands first; each waited for the one below it.</p>
        </>
      )}
      {replica.system.segments.length === 0 ? null : (
        <>
          <h3>System states</h3>
          <History segments={replica.system.segments} />
        </>
      )}
    </>
  );
}

/** The probes that are at work for a service: each is an actor of its own. */
function Probes({ service }: { readonly service: string }) {
  const { replica } = instant.value;
  const probes = [...replica.actors.values()].filter(
    (actor) => actor.machine === 'probe' && actor.service === service && actor.ended === undefined,
  );
  if (probes.length === 0) return null;
  return (
    <>
      <h3>Probes</h3>
      <ul class="plain" data-probes>
        {probes.map(({ sessionId, snapshot: { context = {} } }) => (
          <li key={sessionId}>
            {String(context['purpose'])}: {String(context['probe'])}{' '}
            <span class="soft">
              {[context['standing'], probeCount(context), context['last']].filter(Boolean).join(', ')}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** `2 of 3` for a probe that fails. */
function probeCount({ failures, retries }: JsonObject): string | undefined {
  return failures === undefined ? undefined : `${String(failures)} of ${String(retries ?? '∞')}`;
}

function ServiceDetails({ service }: { readonly service: ServiceNow }) {
  const { services, replica, at, graph } = instant.value;
  const { config, name } = service;
  const track = replica.services.get(name);
  const actor = replica.actors.get(track?.sessionId ?? '');
  const because = condition(service);
  const next = service.state === 'failed' ? undefined : service.why?.next;
  const path = [...blockingPath(services, name)].filter(([other]) => other !== name);
  const dependents = graph.nodes[name]?.dependents ?? [];
  return (
    <>
      <div class="details-head">
        <h2>{name}</h2>
        <button type="button" class="quiet" onClick={() => select(undefined)} aria-label="Close" title="Close (Escape)">
          ✕
        </button>
      </div>
      <p data-service-state={service.stage}>
        <StateLabel
          state={service.state}
          detail={service.stage.includes('.') ? service.stage.split('.')[1] : undefined}
        />{' '}
        <span class="soft">for {duration(Math.max(0, at - service.since))}</span>
      </p>
      <Act service={service} />
      <Probes service={name} />
      {because === undefined ? null : (
        <>
          <h3>Why</h3>
          <p data-why>
            {because}
            {next === undefined ? null : <span class="soft">; {next}</span>}
          </p>
          {path.length === 0 ? null : (
            <ul class="plain path">
              {path.slice(0, 10).map(([other, holds]) => {
                const known = services.get(other);
                return known === undefined ? null : (
                  <li key={other} class={holds.length === 0 ? 'root' : ''}>
                    <ServiceLink name={other} />{' '}
                    <span class="soft">
                      {known.stage} for {duration(Math.max(0, at - known.since))}
                      {holds.length === 0 && condition(known) !== undefined ? `, ${condition(known)}` : ''}
                    </span>
                  </li>
                );
              })}
              {path.length > 10 ? <li class="soft">and {path.length - 10} more</li> : null}
            </ul>
          )}
        </>
      )}
      <dl>
        <div>
          <dt>type</dt>
          <dd>{config.type}</dd>
        </div>
        <div>
          <dt>program</dt>
          <dd>{config.program}</dd>
        </div>
        {Object.entries(actor?.snapshot.context ?? {})
          .filter(([key]) => key !== 'service')
          .map(([key, value]) => (
            <div key={key}>
              <dt>{contextLabel(key)}</dt>
              <dd>{contextText(key, value, at)}</dd>
            </div>
          ))}
        <div>
          <dt>groups</dt>
          <dd>{config.groups.join(', ')}</dd>
        </div>
      </dl>
      {config.command === undefined ? null : (
        <>
          <h3>Command</h3>
          <p class="code">{config.command}</p>
        </>
      )}
      {config.environment === undefined ? null : (
        <details>
          <summary>Environment</summary>
          <dl>
            {Object.entries(config.environment).map(([key, value]) => (
              <div key={key}>
                <dt>{key}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      {config.type === 'container' ? <Inside container={name} /> : null}
      <p class="links">
        <button type="button" class="link" onClick={() => show('statechart')}>
          statechart
        </button>
        {view.value === 'messages' ? null : (
          <button type="button" class="link" onClick={() => show('messages')}>
            messages
          </button>
        )}
        {view.value === 'log' ? null : (
          <button type="button" class="link" onClick={() => show('log')}>
            log
          </button>
        )}
      </p>
      <LastLines service={name} />
      <h3>History</h3>
      <History segments={track?.segments ?? []} />
      <Output outputs={config.outputs} />
      <Related title="Waits for" names={config.waitsFor} ties={config.ties} />
      <Related title="Waited for by" names={dependents} />
    </>
  );
}

/** What decided how long the Chaperone in a container took, and what each start waited for. */
function Inside({ container }: { readonly container: string }) {
  const { replica, at } = instant.value;
  const chain = chainInside(replica, container, at);
  if (chain.length === 0) return null;
  return (
    <>
      <h3>Inside</h3>
      <ol class="plain chain" data-inside={container}>
        {chain.map((link) => (
          <li key={link.service}>
            <span>
              <ServiceLink name={link.service} />{' '}
              <span class="soft">
                {[...remarksOf(link), ...(link.waitedFor === undefined ? [] : [`waited for ${link.waitedFor}`])].join(
                  ', ',
                )}
              </span>
            </span>
            <span class="number">{duration(tookOf(link))}</span>
          </li>
        ))}
      </ol>
    </>
  );
}

/** Lines that an instant shows, and how many records are looked at for them. */
const shownLines = 3;
const mostRead = 5_000;

/** The last lines up to the shown instant: those of a service, or of all. */
function LastLines({ service }: { readonly service: string | undefined }) {
  const { count, at } = instant.value;
  const { logs } = recording;
  const lines: { readonly index: number; readonly entry: LogEntry }[] = [];
  const last = lastNotAbove(logs, count - 1);
  for (let place = last; place >= 0 && place > last - mostRead && lines.length < shownLines; place -= 1) {
    const index = logs[place] ?? 0;
    const entry = recording.logAt(index);
    if (entry !== undefined && (service === undefined || entry.service === service)) lines.unshift({ index, entry });
  }
  if (lines.length === 0) return null;
  return (
    <>
      <h3>
        Lines up to {instantText(at, epoch())}{' '}
        <button type="button" class="link" onClick={() => show('log')}>
          show in the log
        </button>
      </h3>
      <ol class="plain lines" data-last-lines>
        {lines.map(({ index, entry }) => (
          <li key={index}>
            <button type="button" class="link time" onClick={() => goTo(index + 1)}>
              {instantText(entry.at, epoch())}
            </button>
            <span class={isError(entry.severity) ? 'bad' : ''}>{entry.message}</span>
          </li>
        ))}
      </ol>
    </>
  );
}

function Output({ outputs }: { readonly outputs: ServiceEntry['outputs'] }) {
  const text = outputs === undefined ? undefined : describeOutputs(outputs);
  return text === undefined ? null : <p class="soft">{text}</p>;
}

function Related({
  title,
  names,
  ties,
}: {
  readonly title: string;
  readonly names: readonly string[];
  readonly ties?: Ties | undefined;
}) {
  if (names.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul class="plain flow">
        {names.slice(0, 24).map((name) => (
          <li key={name}>
            <ServiceLink name={name} />
            {ties?.[name] === undefined ? null : <span class="soft"> {tieWords(ties[name])}</span>}
          </li>
        ))}
        {names.length > 24 ? <li class="soft">and {names.length - 24} more</li> : null}
      </ul>
    </>
  );
}

function History({ segments }: { readonly segments: readonly Segment[] }) {
  // The array of segments stays the same object while it grows, so only the instant tells that it has changed.
  instant.value;
  const last = segments.slice(-shownHistory).reverse();
  return (
    <ol class="plain history">
      {last.map((segment) => (
        <li key={segment.seq}>
          <button type="button" class="link time" onClick={() => goTo(recording.countOfSeq(segment.seq))}>
            {instantText(segment.from, epoch())}
          </button>
          <span>
            {segment.state}
            <span class="soft">{recording.words.get(segment.seq)}</span>
          </span>
        </li>
      ))}
      {segments.length > shownHistory ? <li class="soft">{segments.length - shownHistory} before</li> : null}
    </ol>
  );
}

function ServiceLink({ name }: { readonly name: string }) {
  const state = instant.value.services.get(name)?.state ?? 'disabled';
  return (
    <button type="button" class="link" onClick={() => select(name)}>
      <StateIcon state={state} />
      {shortName(name)}
    </button>
  );
}
