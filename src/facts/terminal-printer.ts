import { type Hue, hueOf } from './hues.ts';
import type { Transition } from './transition.ts';

/** SGR parameters. */
const sgr: Readonly<Record<Hue, string>> = {
  grey: '90',
  blue: '34',
  green: '32',
  cyan: '36',
  amber: '33',
  purple: '35',
  red: '31',
};

const narrowestActor = 10;
const stateWidth = 24;

/** Prints transitions as aligned lines, in colour at a terminal; the text says everything without colour, too. */
export class TerminalPrinter {
  readonly #actorWidth: number;
  readonly #colour: boolean;

  /**
   * @param actors the names of all actors that will be printed, for the width of their column
   */
  constructor(actors: readonly string[], colour: boolean) {
    this.#actorWidth = Math.min(30, Math.max(narrowestActor, ...actors.map((actor) => actor.length)));
    this.#colour = colour;
  }

  line({ at, actor, from, to, detail }: Transition): string {
    const time = (at / 1000).toFixed(3).padStart(8);
    const left = from.padStart(stateWidth);
    const right = to.padEnd(stateWidth);
    return `${time}  ${actor.padEnd(this.#actorWidth)} ${this.#paint('90', left)} → ${this.#paintState(to, right)} ${detail}`.trimEnd();
  }

  /** A line for an event that was no change of state. */
  remark(at: number, actor: string, text: string): string {
    const time = (at / 1000).toFixed(3).padStart(8);
    return `${time}  ${actor.padEnd(this.#actorWidth)} ${this.#paint('90', '·'.padStart(stateWidth))} ${text}`;
  }

  /** A line that belongs to the line above. */
  note(text: string): string {
    return `${''.padStart(10)}${text}`;
  }

  #paintState(state: string, text: string): string {
    const hue = hueOf(state);
    return hue === undefined ? text : this.#paint(sgr[hue], text);
  }

  #paint(parameters: string, text: string): string {
    return this.#colour ? `\u001b[${parameters}m${text}\u001b[0m` : text;
  }
}
