/** Starting, stopping and restarting a service from the page, where it may; else the command to copy. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { shortName } from '../../model/service/service-spec.ts';
import { isOneFile } from './embedded.ts';
import type { ServiceNow } from './instant.ts';
import { announcement, connection, cursor, instant, live } from './store.ts';
import { names } from './words.ts';

type Action = 'start' | 'stop' | 'restart';

const actions = ['start', 'stop', 'restart'] as const;

/** What the server lets this page do; undefined: nothing. */
const may = signal<readonly Action[] | undefined>(undefined);
interface Deed {
  readonly action: Action;
  readonly service: string;
}

/** What the user is asked about. */
const asked = signal<Deed | undefined>(undefined);
const outcome = signal<{ readonly service: string; readonly ok: boolean; readonly text: string } | undefined>(
  undefined,
);

/** Asks the server what this page may do. */
export async function askWhatIsAllowed(): Promise<void> {
  if (isOneFile()) return;
  const response = await fetch('act', { cache: 'no-store', credentials: 'omit' }).catch(() => undefined);
  if (response?.ok !== true) return;
  const answer: { readonly may: readonly Action[] } = await response.json();
  may.value = answer.may;
}

function does(action: Action, { state }: ServiceNow): boolean {
  const isDown = state === 'stopped' || state === 'failed' || state === 'exited' || state === 'pending';
  if (action === 'start') return isDown;
  return action === 'restart'
    ? !isDown && state !== 'disabled'
    : !isDown && state !== 'disabled' && state !== 'stopping';
}

export function Act({ service }: { readonly service: ServiceNow }) {
  // Of the past, and of a recording, nothing can be changed.
  if (!live.value || connection.value.kind !== 'live' || cursor.value !== undefined) return null;
  const allowed = may.value ?? [];
  const useful = actions.filter((action) => does(action, service));
  const done = outcome.value?.service === service.name ? outcome.value : undefined;
  return (
    <div class="act">
      {useful.map((action) =>
        allowed.includes(action) ? (
          <button
            key={action}
            type="button"
            onClick={() => {
              asked.value = { action, service: service.name };
            }}
          >
            {action.charAt(0).toUpperCase() + action.slice(1)}…
          </button>
        ) : (
          <CommandToCopy key={action} text={`chaperonectl ${action} ${shortName(service.name)}`} />
        ),
      )}
      <p role="status" class={done?.ok === false ? 'bad' : 'soft'} data-outcome>
        {done?.text}
      </p>
    </div>
  );
}

function CommandToCopy({ text }: { readonly text: string }) {
  return (
    <span class="copy">
      <code>{text}</code>
      <button
        type="button"
        class="quiet"
        aria-label={`Copy ${text}`}
        title="Copy"
        onClick={() => {
          navigator.clipboard?.writeText(text).then(
            () => {
              announcement.value = 'Copied.';
            },
            () => undefined,
          );
        }}
      >
        ⧉
      </button>
    </span>
  );
}

/** Asks before anything is done, and names who is behind the service. */
export function Confirmation() {
  const ref = useRef<HTMLDialogElement>(null);
  const wanted = asked.value;
  useEffect(() => {
    if (wanted !== undefined && ref.current?.open === false) ref.current.showModal();
    if (wanted === undefined) ref.current?.close();
  }, [wanted]);
  const service = wanted === undefined ? undefined : instant.value.services.get(wanted.service);
  const behind = wanted === undefined ? [] : (instant.value.graph.nodes[wanted.service]?.dependents ?? []);
  return (
    <dialog
      ref={ref}
      class="help confirm"
      aria-labelledby="confirm-title"
      onClose={() => {
        asked.value = undefined;
      }}
    >
      <h2 id="confirm-title">
        {wanted === undefined
          ? ''
          : `${wanted.action.charAt(0).toUpperCase()}${wanted.action.slice(1)} ${shortName(wanted.service)}?`}
      </h2>
      <p>
        It is {service?.stage ?? 'unknown'}.{' '}
        {behind.length === 0
          ? 'No service waits for it.'
          : `${names(behind, 8)} wait${behind.length === 1 ? 's' : ''} for it.`}
      </p>
      <p class="buttons">
        <button
          type="button"
          onClick={() => {
            asked.value = undefined;
          }}
        >
          Cancel
        </button>{' '}
        <button type="button" class="accent" data-confirm onClick={carryOut}>
          {wanted === undefined ? '' : `${wanted.action} ${shortName(wanted.service)}`}
        </button>
      </p>
    </dialog>
  );
}

/** Settles when the last deed has been answered. */
let deeds: Promise<void> = Promise.resolve();

/** Asks for a deed once the one before it has been answered: two connections would not keep their order. */
function carryOut(): void {
  const wanted = asked.value;
  asked.value = undefined;
  if (wanted === undefined) return;
  outcome.value = { service: wanted.service, ok: true, text: `${wanted.action} was asked for` };
  deeds = deeds
    .then(() => send(wanted))
    .catch(() => {
      outcome.value = { service: wanted.service, ok: false, text: 'There is no connection.' };
    });
}

async function send({ action, service }: Deed): Promise<void> {
  const response = await fetch('act', {
    method: 'POST',
    cache: 'no-store',
    credentials: 'omit',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action, service }),
  });
  if (response.ok) {
    const { ok, text }: { readonly ok: boolean; readonly text: string } = await response.json();
    outcome.value = { service, ok, text };
  } else outcome.value = { service, ok: false, text: (await response.text()).trim().replace('\n', ': ') };
}
