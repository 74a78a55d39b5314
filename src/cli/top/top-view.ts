/** What `chaperonectl top` draws: lines of pieces, from the state and the size of the terminal alone. */
import { noteText, serviceDetails } from '../../control/listing.ts';
import type { ServiceStatus } from '../../control/supervisor.ts';
import { lostText } from '../../facts/history.ts';
import { type Hue, hueOf } from '../../facts/hues.ts';
import type { Transition } from '../../facts/transition.ts';
import { publicStates } from '../../model/service/public-state.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { describeDuration, roughDuration } from '../../model/words/duration.ts';
import { oneLine } from '../../model/words/printable.ts';
import { cutTo, inCell, widthOf } from './cell-width.ts';
import { keyTable } from './keys.ts';
import { chosenRow, type Row, shownRows, type TopState } from './top-state.ts';

export interface Piece {
  readonly text: string;
  readonly hue?: Hue;
  readonly strong?: true;
}

/** A line of the screen, no wider than the terminal. */
export type ViewLine = readonly Piece[];

export interface Place {
  readonly rows: number;
  readonly columns: number;
  /** Monotonic ms. */
  readonly now: number;
  /** Unix ms at the same instant. */
  readonly wallTime: number;
}

export const smallest = { rows: 10, columns: 50 } as const;

/** The share of the screen that belongs to the chosen service, and its fewest lines. */
const lowerShare = 0.36;
const fewestLower = 4;

/** The whole screen, line by line. */
export function view(state: TopState, place: Place): readonly ViewLine[] {
  const { rows, columns } = place;
  if (rows < smallest.rows || columns < smallest.columns)
    return [
      [
        {
          text: cutTo(`too small: ${columns} × ${rows}, not ${smallest.columns} × ${smallest.rows}; q quits`, columns),
        },
      ],
    ];
  const lower = lowerRows(state, place);
  const room = rows - lower - otherLines;
  const table = tableLines(state, place, room);
  return [
    headLine(state, place),
    ...table,
    titleLine(state, place),
    ...filled(lowerLines(state, place, lower), lower),
    bottomLine(state, columns),
  ];
}

/** The heading, the names of the columns, the line above the lower part, and the bottom line. */
const otherLines = 4;

/** The number of lines of the lower part: a part that a key has asked for may be taller. */
function lowerRows(state: TopState, { rows, columns, wallTime }: Place): number {
  const usual = Math.max(fewestLower, Math.floor(rows * lowerShare));
  const most = rows - otherLines - 2;
  if (state.pane === 'keys') return Math.min(most, Math.max(usual, Math.ceil(keyTable.length / keysAcross(columns))));
  if (state.pane !== 'status') return usual;
  return Math.min(most, Math.max(usual, detailLines(state, wallTime).length));
}

function filled(lines: readonly ViewLine[], count: number): readonly ViewLine[] {
  return [...lines.slice(0, count), ...Array.from({ length: Math.max(0, count - lines.length) }, () => [])];
}

/** `api-7f9c  up 21 m 13 s   11 ready · 1 backoff   ▁▂▁▁▇▂▁ changes   / filter  ? keys`. */
function headLine(state: TopState, { columns, now }: Place): ViewLine {
  const { system } = state;
  if (system === undefined) return [{ text: 'chaperone is asked …' }];
  const { status, host, taken } = system;
  const counts = publicStates.flatMap((name): readonly Piece[] => {
    const count = state.rows.filter(({ service }) => service.state === name).length;
    return count === 0 ? [] : [piece(`${count} ${name}`, hueOf(name))];
  });
  const order =
    state.sort === 'start order' && !state.reversed ? '' : `  by ${state.sort}${state.reversed ? ' ↑' : ''}`;
  const filter = state.filter === '' ? '' : `  only "${state.filter}"`;
  return cutPieces(
    [
      { text: host, strong: true },
      piece(`  ${status.state} `, hueOf(status.state)),
      { text: `${describeDuration(status.uptime + now - taken)}   ` },
      ...counts.flatMap((count, index) => (index === 0 ? [count] : [{ text: ' · ' }, count])),
      { text: `${filter}${order}   ${spark(state.changes, now)} changes` },
    ],
    columns,
  );
}

const bars = '▁▂▃▄▅▆▇█';
const sparkCells = 8;
/** ms of each cell. */
const sparkStep = 7_500;

/** The changes of state of the last minute. */
export function spark(changes: readonly number[], now: number): string {
  const cells = Array.from({ length: sparkCells }, () => 0);
  for (const at of changes) {
    const cell = sparkCells - 1 - Math.floor((now - at) / sparkStep);
    if (cells[cell] !== undefined) cells[cell] += 1;
  }
  const most = Math.max(1, ...cells);
  return cells.map((count) => bars[Math.round((count / most) * (bars.length - 1))]).join('');
}

interface Column {
  /** The narrowest terminal that has the column; any where this is absent. */
  readonly from?: number;
  readonly title: string;
  readonly side: 'left' | 'right';
  readonly width: (cells: readonly string[], columns: number) => number;
  readonly text: (row: Row, state: TopState, place: Place) => string;
}

const none = '–';

/** Gives a column the width of its widest cell, between two bounds. */
function between(least: number, most: number): Column['width'] {
  return (cells) => Math.min(most, Math.max(least, ...cells.map(widthOf)));
}

const columnTable: readonly Column[] = [
  {
    title: 'NAME',
    side: 'left',
    width: (cells, columns) => between(8, Math.max(14, Math.floor(columns / 5)))(cells, columns),
    text: ({ service }) => oneLine(shortName(service.name)),
  },
  { title: 'STATE', side: 'left', width: between(8, 9), text: ({ service }) => stateText(service) },
  {
    title: 'SINCE',
    side: 'right',
    width: between(5, 6),
    text: ({ service, taken }, _, { now }) => roughDuration(service.age + now - taken),
  },
  {
    from: 54,
    title: 'PID',
    side: 'right',
    width: between(3, 7),
    text: ({ service: { pid } }) => (pid === undefined ? none : String(pid)),
  },
  {
    from: 76,
    title: 'CPU',
    side: 'right',
    width: between(5, 6),
    text: (row, { usage }) => cpuText(row.service, usage),
  },
  {
    from: 76,
    title: 'MEM',
    side: 'right',
    width: between(4, 5),
    text: (row, { usage }) => memoryText(row.service, usage),
  },
  { from: 58, title: 'TRY', side: 'right', width: between(3, 5), text: ({ service }) => triesText(service) },
  {
    title: 'LEFT',
    side: 'right',
    width: between(4, 6),
    text: ({ service, taken }, _, { now }) => {
      const { left } = service.why;
      return left === undefined ? none : roughDuration(left - (now - taken));
    },
  },
];

/** The names of the columns, and the rows round the chosen one. */
function tableLines(state: TopState, place: Place, room: number): readonly ViewLine[] {
  const { columns, wallTime } = place;
  const { all, begin, rows } = visibleRows(state, place);
  const shown = columnTable.filter(({ from = 0 }) => columns >= from);
  const cells = rows.map((row) => shown.map(({ text }) => text(row, state, place)));
  const gap = columns < 100 ? ' ' : '  ';
  const widths = shown.map(({ title, width }, index) =>
    Math.max(
      widthOf(title),
      width(
        cells.map((row) => row[index] ?? ''),
        columns,
      ),
    ),
  );
  const marked = 2;
  const left = columns - marked - widths.reduce((sum, width) => sum + width + gap.length, 0);
  const title = all.length > room ? `WHY  (${begin + 1} to ${begin + rows.length} of ${all.length})` : 'WHY';
  const heads = shown.map(({ title: head, side }, index) => inCell(head, widths[index] ?? 0, side));
  const lines = rows.map((row, nth): ViewLine => {
    const isChosen = row.service.name === state.chosen;
    const strong = isChosen ? { strong: true as const } : {};
    const hue = hueOf(row.service.health === 'unhealthy' ? 'failed' : row.service.state);
    return [
      { text: isChosen ? '› ' : '  ', ...strong },
      ...shown.map(({ side }, index) => ({
        text: `${inCell(cells[nth]?.[index] ?? '', widths[index] ?? 0, side)}${gap}`,
        ...(shown[index]?.title === 'STATE' && hue !== undefined ? { hue } : {}),
        ...strong,
      })),
      { text: cutTo(plain(noteText(row.service, wallTime)), left), ...strong },
    ];
  });
  return [[{ text: `  ${heads.join(gap)}${gap}${cutTo(title, left)}`, hue: 'grey' }], ...filled(lines, room)];
}

/** The rows that are drawn, from the top, and the place of the first among all that could be. */
export function visibleRows(
  state: TopState,
  place: Place,
): { readonly all: readonly Row[]; readonly begin: number; readonly rows: readonly Row[] } {
  const all = shownRows(state);
  const room = Math.max(0, place.rows - lowerRows(state, place) - otherLines);
  const chosen = all.findIndex(({ service }) => service.name === state.chosen);
  const begin = Math.max(0, Math.min(all.length - room, chosen - Math.floor(room / 2)));
  return { all, begin, rows: all.slice(begin, begin + room) };
}

function stateText({ state, health }: ServiceStatus): string {
  return state === 'ready' && health === 'unhealthy' ? 'unhealthy' : state;
}

function cpuText({ pid }: ServiceStatus, usage: TopState['usage']): string {
  const cpu = pid === undefined ? undefined : usage.get(pid)?.cpu;
  return cpu === undefined ? none : `${Math.round(cpu)} %`;
}

function memoryText({ pid }: ServiceStatus, usage: TopState['usage']): string {
  const memory = pid === undefined ? undefined : usage.get(pid)?.memory;
  if (memory === undefined) return none;
  const mebibytes = memory / 1_048_576;
  return mebibytes < 1000 ? `${Math.max(1, Math.round(mebibytes))}M` : `${(mebibytes / 1024).toFixed(1)}G`;
}

/** The restarts that are used up, and the most there may be: `3/5`. */
function triesText({ restarts }: ServiceStatus): string {
  if (restarts === undefined) return none;
  return restarts.left === undefined || restarts.used === 0
    ? String(restarts.used)
    : `${restarts.used}/${restarts.used + restarts.left}`;
}

/** `── web ── waits for READY=1 on its notify socket ───────`. */
function titleLine(state: TopState, { columns, wallTime }: Place): ViewLine {
  const { chosen = '', pane } = state;
  const row = chosenRow(state);
  const why = row === undefined ? '' : plain(noteText(row.service, wallTime));
  const words = { story: why, log: 'log', status: 'status', keys: '' }[pane];
  const names = [pane === 'keys' ? 'keys' : plain(shortName(chosen)), words].filter((text) => text !== '');
  const title = cutTo(`── ${names.join(' ── ')} `, columns);
  return [
    { text: title, strong: true },
    { text: '─'.repeat(Math.max(0, columns - widthOf(title))), hue: 'grey' },
  ];
}

function lowerLines(state: TopState, place: Place, room: number): readonly ViewLine[] {
  const { columns } = place;
  switch (state.pane) {
    case 'keys':
      return keyLines(columns);
    case 'status':
      return detailLines(state, place.wallTime).map((line) => [{ text: cutTo(plain(line), columns) }]);
    case 'log':
      return logLines(state, columns).slice(-room);
    case 'story':
      return storyLines(state, place).slice(-room);
  }
}

function detailLines(state: TopState, wallTime: number): readonly string[] {
  const row = chosenRow(state);
  return row === undefined ? [] : serviceDetails(row.service, wallTime).trimEnd().split('\n');
}

function keysAcross(columns: number): number {
  return Math.max(1, Math.floor(columns / 38));
}

function keyLines(columns: number): readonly ViewLine[] {
  const texts = keyTable.map(({ shown, words }) => `${shown.padEnd(17)} ${words}`);
  const across = keysAcross(columns);
  const width = Math.floor(columns / across);
  const down = Math.ceil(texts.length / across);
  return Array.from({ length: down }, (_, line) => [
    {
      text: texts
        .filter((_, index) => index % down === line)
        .map((text) => inCell(text, width - 1))
        .join(' '),
    },
  ]);
}

function logLines({ log, noLog }: TopState, columns: number): readonly ViewLine[] {
  if (noLog !== undefined) return [[{ text: cutTo(plain(noLog), columns) }]];
  return log.map(({ time, text }) => [{ text: cutTo(`${clockText(time)}  ${plain(text)}`, columns) }]);
}

/** Transitions and log records in the order of their times. */
function storyLines(state: TopState, { columns, now, wallTime }: Place): readonly ViewLine[] {
  const { system, history, log } = state;
  if (system === undefined) return [];
  const epoch = wallTime - (system.status.uptime + now - system.taken);
  const records = log.map(({ time, text }) => ({
    time,
    line: [{ text: cutTo(`${clockText(time)}    ${plain(text)}`, columns) }] satisfies ViewLine,
  }));
  const moves = history.map((line) => {
    const time = epoch + line.at;
    const head = `${clockText(time)}  `;
    if (line.kind === 'transition') return { time, line: moveLine(head, line, columns) };
    const text = line.kind === 'note' ? `· ${line.text}` : lostText(line.count);
    return { time, line: [{ text: cutTo(`${head}${plain(text)}`, columns) }] satisfies ViewLine };
  });
  return [...records, ...moves].sort((a, b) => a.time - b.time).map(({ line }) => line);
}

function moveLine(head: string, { from, to, detail }: Transition, columns: number): ViewLine {
  return cutPieces([{ text: `${head}${from} → ` }, piece(to, hueOf(to)), { text: `  ${plain(detail)}` }], columns);
}

/** The wall clock's time of Unix ms, to the second. */
function clockText(time: number): string {
  const date = new Date(time);
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function bottomLine({ question, typing, filter, notice }: TopState, columns: number): ViewLine {
  if (question !== undefined)
    return [{ text: cutTo(`${question.text} y: yes, any other key: no`, columns), strong: true }];
  if (typing) return [{ text: cutTo(`/${filter}▏ enter: keep, esc: no filter`, columns), strong: true }];
  if (notice !== undefined)
    return [{ text: cutTo(plain(notice.text), columns), ...(notice.good ? {} : { hue: 'red' }), strong: true }];
  const wide = keyTable.filter(({ keys }) => keys.some((key) => key.length === 1 || key === 'return'));
  const texts = wide.filter(({ deed }) => !['up', 'down', 'pageDown', 'first', 'last'].includes(deed));
  const whole = texts.map(({ shown, words }) => `${shown} ${words}`).join('  ');
  const narrow = texts.filter(({ foremost }) => foremost === true).map(({ shown, words }) => `${shown} ${words}`);
  return [{ text: cutTo(widthOf(whole) <= columns ? whole : narrow.join('  '), columns), hue: 'grey' }];
}

function piece(text: string, hue: Hue | undefined): Piece {
  return hue === undefined ? { text } : { text, hue };
}

/** Text of services as one line that cannot move the cursor. */
function plain(text: string): string {
  return oneLine(text).replaceAll('\t', ' ');
}

function cutPieces(pieces: readonly Piece[], columns: number): ViewLine {
  let left = columns;
  return pieces.flatMap((each) => {
    const text = cutTo(each.text, left);
    left -= widthOf(text);
    return text === '' ? [] : [{ ...each, text }];
  });
}
