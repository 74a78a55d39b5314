import { useEffect, useRef } from 'preact/hooks';
import { comparedServices } from './compare.tsx';
import { views } from './link.ts';
import { shownServices } from './rows.ts';
import { Legend } from './states.tsx';
import {
  cursor,
  goTo,
  helpShown,
  recording,
  search,
  select,
  selection,
  show,
  shownStates,
  stepBy,
  view,
  wallClock,
  zoomed,
} from './store.ts';
import { toggleTheme } from './theme.ts';
import { stepSegment } from './timeline.tsx';
import { lately, panBy, zoomBy } from './zooming.ts';

interface Key {
  /** The values of `event.key`, with `Shift+` in front where the shift key matters. */
  readonly keys: readonly string[];
  readonly shown: string;
  readonly does: string;
  readonly act: () => void;
}

const keys: readonly Key[] = [
  ...views.map(
    (name, index): Key => ({
      keys: [String(index + 1)],
      shown: String(index + 1),
      does: `${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      act: () => show(name),
    }),
  ),
  { keys: ['ArrowLeft', ','], shown: '←', does: 'one event back', act: () => stepBy(-1, false) },
  { keys: ['ArrowRight', '.'], shown: '→', does: 'one event on', act: () => stepBy(1, false) },
  {
    keys: ['Shift+ArrowLeft', '<'],
    shown: 'Shift ←',
    does: 'one event of the chosen service back',
    act: () => stepBy(-1, true),
  },
  {
    keys: ['Shift+ArrowRight', '>'],
    shown: 'Shift →',
    does: 'one event of the chosen service on',
    act: () => stepBy(1, true),
  },
  { keys: ['['], shown: '[', does: 'to its state before', act: () => stepSegment(-1) },
  { keys: [']'], shown: ']', does: 'to its next state', act: () => stepSegment(1) },
  { keys: ['Home'], shown: 'Home', does: 'to the beginning', act: () => goTo(1) },
  { keys: ['End'], shown: 'End', does: 'to the end, and follow', act: () => goTo(undefined) },
  {
    keys: [' '],
    shown: 'Space',
    does: 'pause, or follow',
    act: () => goTo(cursor.value === undefined ? recording.entries.length : undefined),
  },
  { keys: ['ArrowUp', 'k'], shown: '↑', does: 'the service above', act: () => stepSelection(-1) },
  { keys: ['ArrowDown', 'j'], shown: '↓', does: 'the service below', act: () => stepSelection(1) },
  { keys: ['+', '='], shown: '+', does: 'zoom the time axis in', act: () => zoomBy(0.5) },
  { keys: ['-'], shown: '−', does: 'zoom out', act: () => zoomBy(2) },
  {
    keys: ['0'],
    shown: '0',
    does: 'show all of the time',
    act: () => {
      zoomed.value = undefined;
    },
  },
  {
    keys: ['b'],
    shown: 'b',
    does: 'show the boot',
    act: () => {
      zoomed.value = { kind: 'boot' };
    },
  },
  {
    keys: ['n'],
    shown: 'n',
    does: 'show the last 5 minutes',
    act: () => {
      zoomed.value = { kind: 'last', ms: lately };
    },
  },
  { keys: ['h'], shown: 'h', does: 'earlier', act: () => panBy(-0.25) },
  { keys: ['l'], shown: 'l', does: 'later', act: () => panBy(0.25) },
  {
    keys: ['c'],
    shown: 'c',
    does: 'wall clock, or time since the boot',
    act: () => {
      wallClock.value = !wallClock.value;
    },
  },
  { keys: ['/'], shown: '/', does: 'search', act: () => document.getElementById('search')?.focus() },
  { keys: ['d'], shown: 'd', does: 'light or dark', act: toggleTheme },
  {
    keys: ['?'],
    shown: '?',
    does: 'this help',
    act: () => {
      helpShown.value = true;
    },
  },
  {
    keys: ['Escape'],
    shown: 'Escape',
    does: 'choose nothing',
    act: () => {
      if (search.value !== '') search.value = '';
      else if (shownStates.value.length > 0 && selection.value === undefined) shownStates.value = [];
      else select(undefined);
    },
  },
];

function stepSelection(by: 1 | -1): void {
  const services = view.value === 'compare' ? comparedServices.value : shownServices.value;
  const at = selection.value === undefined ? -1 : services.indexOf(selection.value);
  const next = at < 0 ? (by > 0 ? 0 : services.length - 1) : Math.max(0, Math.min(services.length - 1, at + by));
  select(services[next]);
}

/** Handles a key anywhere but in a text field; the shortcuts of the browser stay its own. */
export function handleKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || helpShown.value) return;
  const { target } = event;
  const typing = target instanceof HTMLInputElement && target.type === 'search';
  if (typing || target instanceof HTMLSelectElement) return;
  // The browser presses a focused button, or moves a focused slider, by these keys.
  if (target instanceof HTMLButtonElement && (event.key === ' ' || event.key === 'Enter')) return;
  if (target instanceof HTMLInputElement && /^(Arrow|Home|End)/.test(event.key) && !event.shiftKey) return;
  const name = event.shiftKey && event.key.startsWith('Arrow') ? `Shift+${event.key}` : event.key;
  const key = keys.find((known) => known.keys.includes(name));
  if (key === undefined) return;
  key.act();
  event.preventDefault();
}

export function Help() {
  const ref = useRef<HTMLDialogElement>(null);
  const shown = helpShown.value;
  useEffect(() => {
    if (shown && ref.current?.open === false) ref.current.showModal();
    if (!shown) ref.current?.close();
  }, [shown]);
  return (
    <dialog
      ref={ref}
      class="help"
      aria-labelledby="help-title"
      onClose={() => {
        helpShown.value = false;
      }}
    >
      <div class="details-head">
        <h2 id="help-title">Keys and shapes</h2>
        <button type="button" class="quiet" onClick={() => ref.current?.close()} aria-label="Close">
          ✕
        </button>
      </div>
      {shown ? (
        <>
          <dl class="keys">
            {keys.map(({ shown: text, does }) => (
              <div key={text}>
                <dt>
                  <kbd>{text}</kbd>
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
          <Legend />
          <p class="soft">
            Marks above a bar: flag spawned, T ended, red cross ended abnormally, diamond notified, turning arrow
            restarted, ring a run of a schedule; below it a triangle: an error in the log. The line through the bars is
            the critical chain. In the graph and the statechart: drag moves, Ctrl and the wheel scale, arrow keys go
            from one to the next.
          </p>
          <p class="soft">Graphs are laid out by elkjs (EPL-2.0, github.com/kieler/elkjs).</p>
        </>
      ) : null}
    </dialog>
  );
}
