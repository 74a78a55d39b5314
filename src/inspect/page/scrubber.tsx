import { isServiceMachine } from '../entry.ts';
import { eventText } from './chart-model.ts';
import { connection, cursor, goTo, instant, recording, stepBy, version } from './store.ts';
import { epoch } from './timeline.tsx';
import { instantText } from './words.ts';

/** The slider through time: every view shows the instant at which the slider stands. */
export function Scrubber() {
  version.value;
  const total = recording.entries.length;
  const at = cursor.value ?? total;
  const follows = cursor.value === undefined;
  const complete = connection.value.kind === 'complete';
  const text = `${instantText(instant.value.at, epoch())}, event ${at.toLocaleString('en')} of ${total.toLocaleString('en')}`;
  return (
    <footer class="scrubber">
      <div class="buttons">
        <Button
          label="To the beginning"
          title="To the beginning (Home)"
          path="M-4 -5V5M5 -5L-2 0L5 5Z"
          onClick={() => goTo(1)}
        />
        <Button
          label="One event back"
          title="One event back (←)"
          path="M4 -5L-3 0L4 5Z"
          onClick={() => stepBy(-1, false)}
        />
        {follows ? (
          <Button
            label={complete ? 'Stop at this event' : 'Pause'}
            title="Pause (Space)"
            path="M-3 -5V5M3 -5V5"
            onClick={() => goTo(total)}
          />
        ) : (
          <Button
            label={complete ? 'To the end' : 'Follow what happens'}
            title="Follow (Space)"
            path="M-5 -5L-0.5 0L-5 5ZM0 -5L4.5 0L0 5Z"
            accent
            onClick={() => goTo(undefined)}
          />
        )}
        <Button
          label="One event on"
          title="One event on (→)"
          path="M-4 -5L3 0L-4 5Z"
          onClick={() => stepBy(1, false)}
        />
        <Button
          label="To the end"
          title="To the end (End)"
          path="M4 -5V5M-5 -5L2 0L-5 5Z"
          onClick={() => goTo(complete ? total : undefined)}
        />
      </div>
      <input
        type="range"
        min="1"
        max={Math.max(1, total)}
        value={at}
        aria-label="Event"
        aria-valuetext={text}
        onInput={(event) => goTo(Number(event.currentTarget.value))}
      />
      <p class="where" data-count={at} data-seq={recording.entries[at - 1]?.seq ?? 0} data-at={instant.value.at}>
        <span class="time">{instantText(instant.value.at, epoch())}</span>{' '}
        <span class="soft">
          event {at.toLocaleString('en')} of {total.toLocaleString('en')}
        </span>
        <span class="what soft">{whatText(at - 1)}</span>
      </p>
    </footer>
  );
}

/** Says in a few words what an entry is about. */
function whatText(index: number): string {
  const entry = recording.entries[index];
  if (entry === undefined) return '';
  switch (entry.type) {
    case '@xstate.event':
    case '@xstate.snapshot': {
      const actor = recording.actors.get(entry.sessionId);
      const name =
        actor === undefined
          ? entry.sessionId
          : isServiceMachine(actor.machine)
            ? actor.name
            : `${actor.service ?? ''} ${actor.name}`;
      return `${name.trim()} ${entry.type === '@xstate.event' ? '←' : '·'} ${eventText(entry.event.type)}`;
    }
    case '@xstate.actor':
      return `${entry.name} begins`;
    case '@chaperone.log':
      return `log: ${entry.message}`;
    default:
      return entry.type.replace('@chaperone.', '');
  }
}

function Button({
  label,
  title,
  path,
  accent,
  onClick,
}: {
  readonly label: string;
  readonly title: string;
  readonly path: string;
  readonly accent?: boolean;
  readonly onClick: () => void;
}) {
  return (
    <button type="button" class={accent === true ? 'accent' : ''} aria-label={label} title={title} onClick={onClick}>
      <svg viewBox="-8 -8 16 16" aria-hidden="true">
        <path d={path} />
      </svg>
    </button>
  );
}
