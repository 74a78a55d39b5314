/** The inspector page: six views of one stream of entries. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { askWhatIsAllowed, Confirmation } from './act.tsx';
import { CompareView } from './compare.tsx';
import { type ConnectionPorts, followEntries } from './connection.ts';
import { Details } from './details.tsx';
import { embeddedEntries } from './embedded.ts';
import { GraphView, prepareGraph } from './graph.tsx';
import { Header, Notices, Tabs } from './header.tsx';
import { Help, handleKey } from './keys.tsx';
import type { View } from './link.ts';
import { LogView } from './log.tsx';
import { MessagesView } from './messages.tsx';
import { findBoots } from './other.ts';
import { Scrubber } from './scrubber.tsx';
import { prepareChart, StatechartView } from './statechart.tsx';
import { Patterns } from './states.tsx';
import {
  announcement,
  connection,
  flush,
  hearClock,
  noteComplete,
  openPlace,
  placeHash,
  receive,
  recording,
  tick,
  version,
  view,
} from './store.ts';
import { initTheme } from './theme.ts';
import { TimelineView } from './timeline.tsx';

const viewsByName: Readonly<Record<View, () => preact.JSX.Element>> = {
  timeline: TimelineView,
  graph: GraphView,
  statechart: StatechartView,
  messages: MessagesView,
  log: LogView,
  compare: CompareView,
};

function Page() {
  const Shown = viewsByName[view.value];
  return (
    <>
      <Patterns />
      <Header />
      <Notices />
      <Tabs />
      <main class="main">
        <Shown />
        <Details />
      </main>
      <Scrubber />
      <Help />
      <Confirmation />
      <div class="unseen" aria-live="polite">
        {announcement.value}
      </div>
    </>
  );
}

initTheme();
const root = document.getElementById('page');
if (root !== null) render(<Page />, root);
document.addEventListener('keydown', handleKey);
addEventListener('hashchange', () => {
  if (location.hash !== (placeHash.peek() ?? location.hash)) openPlace(location.hash);
});

let written: ReturnType<typeof setTimeout> | undefined;
effect(() => {
  const hash = placeHash.value;
  if (hash === undefined) return;
  // Browsers refuse more than about a hundred changes of the address in a minute.
  clearTimeout(written);
  written = setTimeout(() => {
    if (location.hash !== hash) history.replaceState(null, '', `${location.pathname}${hash}`);
  }, 200);
});

setInterval(tick, 1000);

// A layout takes long, so the worker begins with it as soon as the first view is drawn.
let prepared = false;
effect(() => {
  version.value;
  if (prepared || recording.boot === undefined) return;
  if (recording.definition('service') === undefined && recording.definition('scheduled') === undefined) return;
  prepared = true;
  setTimeout(() => {
    prepareChart();
    prepareGraph();
  }, 700);
});

const ports: ConnectionPorts = {
  lastSeq: () => {
    flush();
    return recording.lastSeq;
  },
  boot: () => {
    flush();
    return recording.boot?.boot;
  },
  onEntries: receive,
  onClock: hearClock,
  onOpen: () => {
    announcement.value = connection.value.kind === 'lost' ? 'Connected again.' : '';
    connection.value = { kind: 'live' };
  },
  onLost: () => {
    if (connection.value.kind === 'lost') return;
    connection.value = { kind: 'lost', since: Date.now() };
    announcement.value = 'Connection lost.';
  },
  onComplete: noteComplete,
  onRefused: (reason) => {
    connection.value = { kind: 'refused', reason };
  },
};

void embeddedEntries().then((entries) => {
  if (entries === undefined) {
    void findBoots();
    void askWhatIsAllowed();
    return followEntries(ports);
  }
  ports.onOpen();
  ports.onEntries(entries);
  return ports.onComplete();
});
