/** Shows what runs, live, at a terminal; the keys act. The terminal is as it was before, however this ends. */
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { exitStatuses } from '../../control/answer.ts';
import { UnreachableError } from '../../control/client.ts';
import { TopFeed } from '../top/top-feed.ts';
import type { Screen } from '../top/top-screen.ts';
import { emptyState, type Message, type Order, update } from '../top/top-state.ts';
import { type Place, view, visibleRows } from '../top/top-view.ts';
import { get, withControl } from './control-call.ts';
import { print } from './print.ts';

/** xterm's other screen, without a cursor; and back. */
const enter = '\u001b[?1049h\u001b[H\u001b[?25l';
const leave = '\u001b[?25h\u001b[?1049l';
/** ms between two drawings of a table in which nothing has changed but the time. */
const tick = 1_000;
const instead = '"chaperonectl watch" prints what happens, a line each; "chaperonectl status" prints the table';

export async function run(): Promise<number> {
  const reason = whyNot();
  if (reason !== undefined) {
    await print(2, `chaperonectl top: ${reason}\n${instead}\n`);
    return exitStatuses.mistake;
  }
  return withControl(async () => {
    // Whether chaperone is there is told on the usual screen.
    await get('/v1/status');
    return show();
  });
}

/** Why this terminal cannot show the table. */
function whyNot(): string | undefined {
  if (!isatty(0) || !isatty(1)) return `standard ${isatty(0) ? 'output' : 'input'} is not a terminal`;
  const { TERM: kind = '' } = process.env;
  if (kind === '' || kind === 'dumb') return `the terminal "${kind}" (TERM) cannot move its cursor`;
  return undefined;
}

/** How it ends: what is printed once the terminal is as before, and the exit status. */
interface End {
  readonly status: number;
  readonly text?: string;
}

async function show(): Promise<number> {
  const { openScreen } = await import('../top/screen.ts');
  let screen: Screen | undefined;
  let taken = true;
  const restore = (): void => {
    if (!taken) return;
    taken = false;
    screen?.close();
    try {
      writeSync(1, leave);
    } catch {
      // The terminal has gone.
    }
  };
  const colour = (process.env['NO_COLOR'] ?? '') === '';
  try {
    const { status, text } = await new Promise<End>((resolve) => {
      endWithSignals(resolve);
      writeSync(1, enter);
      live((onKey) => {
        screen = openScreen({ colour, onKey });
        return screen;
      }, resolve);
    });
    restore();
    if (text !== undefined) await print(2, `chaperonectl top: ${text}\n`);
    return status;
  } finally {
    restore();
  }
}

/** Signals, the end of the terminal, and what nobody has caught, are ends, too. */
function endWithSignals(end: (how: End) => void): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)
    process.on(signal, () => end({ status: 128 + constants.signals[signal] }));
  const crash = (error: unknown): void =>
    end({
      status: exitStatuses.failed,
      text: `internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    });
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  for (const stream of [process.stdin, process.stdout]) stream.on('error', () => end({ status: exitStatuses.failed }));
  process.stdin.on('end', () => end({ status: exitStatuses.failed }));
}

/** Joins the state, the feed and the screen. */
function live(open: (onKey: (key: string) => void) => Screen, end: (how: End) => void): void {
  let state = emptyState;
  let drawing = false;
  const take = (message: Message): void => {
    const step = update(state, message);
    state = step.state;
    for (const order of step.orders) carryOut(order);
    // The end of PID 1 kills everything in its container, and nobody would give the terminal back then.
    if (state.system?.status.state === 'draining') {
      finish({ status: exitStatuses.done, text: 'the system is shutting down; "chaperonectl watch" prints how' });
      return;
    }
    // Of what comes in one turn of the loop one drawing is made.
    if (drawing) return;
    drawing = true;
    setImmediate(draw);
  };
  const draw = (): void => {
    drawing = false;
    screen.draw(view(state, place()));
  };
  const finish = (how: End): void => {
    feed.close();
    clearInterval(clock);
    end(how);
  };
  const carryOut = (order: Order): void => {
    switch (order.type) {
      case 'quit':
        finish({ status: exitStatuses.done });
        break;
      case 'command':
        feed.command(order.words);
        break;
      case 'follow':
        feed.follow(order.name);
        break;
    }
  };
  const screen = open((key) => take({ type: 'key', key }));
  const feed = new TopFeed({
    tell: take,
    state: () => state,
    visiblePids: () => visibleRows(state, place()).rows.flatMap(({ service: { pid } }) => pid ?? []),
    onEnd: (reason) => finish(endOf(reason)),
  });
  const clock = setInterval(draw, tick);
  process.stdout.on('resize', () => {
    screen.wipe();
    draw();
  });
  feed.begin();
  draw();
}

function endOf(reason: UnreachableError | string): End {
  if (!(reason instanceof UnreachableError)) return { status: exitStatuses.failed, text: reason };
  return { status: exitStatuses.unreachable, text: 'chaperone has gone, and has not said that it ends' };
}

/** A terminal of which nobody has said the size is of the usual size. The last line stays free, so that nothing scrolls. */
function place(): Place {
  const { rows, columns } = process.stdout;
  return { rows: (rows || 24) - 1, columns: columns || 80, now: performance.now(), wallTime: Date.now() };
}
