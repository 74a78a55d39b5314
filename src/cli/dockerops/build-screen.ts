/** The progress of builds: on a terminal a line an image that changes in place, else a line for each step. */
import { oneLine } from '../../model/words/printable.ts';
import type { BuildEvent, EngineFailure } from '../../platform/engine/engine.ts';
import type { BuildNotice } from '../../platform/work/build-images.ts';
import { LiveLines } from './console.ts';

interface Row {
  state: 'waiting' | 'building' | 'built' | 'failed';
  begun: number;
  ended: number;
  step: number;
  steps: number;
  text: string;
  /** Bytes of each layer that comes in, and how many it has. */
  readonly layers: Map<string, { readonly done: number; readonly total: number }>;
  /** The last lines of what steps have printed. */
  readonly output: string[];
}

const keptLines = 20;

export class BuildScreen {
  readonly #live = new LiveLines(1);
  readonly #rows: Map<string, Row>;
  readonly #isVerbose: boolean;
  readonly #now: () => number;

  constructor(images: readonly string[], isVerbose: boolean, now: () => number) {
    this.#isVerbose = isVerbose;
    this.#now = now;
    this.#rows = new Map(images.map((image) => [image, newRow()]));
  }

  tell(image: string, notice: BuildNotice, wordsFor: (failure: EngineFailure) => string): void {
    const row = this.#rows.get(image);
    if (row === undefined) return;
    switch (notice.kind) {
      case 'begun':
        row.state = 'building';
        row.begun = this.#now();
        break;
      case 'event':
        this.#take(image, row, notice.event);
        break;
      case 'built':
        row.state = 'built';
        row.ended = this.#now();
        this.#live.say(`${image}: built in ${seconds(notice.ms)}`);
        break;
      case 'failed':
        row.state = 'failed';
        row.ended = this.#now();
        this.#live.say(failed(image, row, notice.step, wordsFor(notice.failure)));
        break;
    }
    this.#show();
  }

  async end(): Promise<void> {
    await this.#live.end();
  }

  #take(image: string, row: Row, event: BuildEvent): void {
    switch (event.type) {
      case 'step':
        Object.assign(row, { step: event.step, steps: event.steps, text: oneLine(event.instruction) });
        row.layers.clear();
        if (!this.#live.isTerminal) this.#live.say(`${image}: step ${event.step}/${event.steps} ${row.text}`);
        break;
      case 'cached':
        if (!this.#live.isTerminal) this.#live.say(`${image}: step ${event.step}/${row.steps} was in the cache`);
        break;
      case 'layer':
        if (event.total !== undefined) row.layers.set(event.layer, { done: event.done ?? 0, total: event.total });
        else row.text = `${oneLine(event.status)} ${oneLine(event.layer)}`.trim();
        break;
      case 'output':
        row.output.push(oneLine(event.text));
        if (row.output.length > keptLines) row.output.shift();
        if (this.#isVerbose) this.#live.say(`${image}: ${oneLine(event.text)}`);
        break;
      case 'built':
      case 'failed':
        break;
    }
  }

  #show(): void {
    const width = Math.max(...[...this.#rows.keys()].map((image) => image.length));
    this.#live.show(
      [...this.#rows]
        .filter(([, { state }]) => state === 'waiting' || state === 'building')
        .map(([image, row]) => `${image.padEnd(width)}  ${progress(row, this.#now())}`),
    );
  }
}

function newRow(): Row {
  return { state: 'waiting', begun: 0, ended: 0, step: 0, steps: 0, text: '', layers: new Map(), output: [] };
}

const barWidth = 12;

function progress(row: Row, now: number): string {
  if (row.state === 'waiting') return '·';
  const layers = [...row.layers.values()];
  const [done, total] = [sum(layers.map((layer) => layer.done)), sum(layers.map((layer) => layer.total))];
  const share = row.steps === 0 ? 0 : (row.step - 1) / row.steps;
  const bar = '█'.repeat(Math.round(share * barWidth)).padEnd(barWidth, '░');
  const coming = total === 0 ? '' : `  ${layers.length} layers, ${megabytes(done)} of ${megabytes(total)}`;
  return `${bar} ${row.step}/${row.steps}  ${seconds(now - row.begun)}${coming}  ${row.text}`;
}

function failed(image: string, row: Row, step: number | undefined, message: string): string {
  const where = step === undefined ? '' : ` at step ${step}${row.steps === 0 ? '' : `/${row.steps}`} ${row.text}`;
  const last = row.output.map((line) => `  | ${line}`);
  return [`${image}: the build has failed${where}: ${oneLine(message)}`, ...last].join('\n');
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
