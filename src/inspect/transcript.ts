import { renderChain, renderSlowest } from '../facts/critical-chain.ts';
import { TerminalPrinter } from '../facts/terminal-printer.ts';
import { type Line, type TransitionOptions, Transitions } from '../facts/transitions.ts';
import { shortName } from '../model/service/service-spec.ts';
import { matchesGlob } from '../model/words/glob.ts';
import type { Entry } from './entry.ts';

export interface TranscriptOptions extends TransitionOptions {
  /** `json`: one transition a line, as `Transition` has it. */
  readonly format: 'text' | 'json';
  readonly colour?: boolean;
  /** Names or globs of services, with or without suffix; empty: all. The system's own lines are always there. */
  readonly services?: readonly string[];
}

/** Entries are missing before this. */
interface Lost {
  readonly kind: 'lost';
  readonly at: number;
  readonly count: number;
}

/** Renders entries as text or JSON lines, live and from a journal. */
export class Transcript {
  readonly #options: TranscriptOptions;
  readonly #transitions: Transitions;
  #printer: TerminalPrinter;

  constructor(options: TranscriptOptions) {
    this.#options = options;
    this.#transitions = new Transitions(options);
    this.#printer = new TerminalPrinter([], options.colour ?? false);
  }

  /** Whole lines, each with its newline; empty if the entry is not shown. */
  write(entry: Entry): string {
    if (entry.type === '@chaperone.boot') this.#transitions.reset();
    if (entry.type === '@chaperone.boot' || entry.type === '@chaperone.reload') {
      this.#transitions.configure(entry.services);
      const names = entry.services.map(({ name }) => shortName(name)).filter((name) => this.#shows(name));
      this.#printer = new TerminalPrinter(['system', ...names], this.#options.colour ?? false);
    }
    if (entry.type === '@chaperone.lost') return this.#writeLine({ kind: 'lost', at: entry.at, count: entry.count });
    if (entry.type !== '@chaperone.fact') return '';
    const lines = this.#transitions.take(entry.fact);
    return lines.length === 0 ? '' : lines.map((line) => this.#writeLine(line)).join('');
  }

  #writeLine(line: Line | Lost): string {
    if (line.kind === 'transition' && !this.#shows(line.transition.actor)) return '';
    if (this.#options.format === 'json') return `${JSON.stringify(jsonOf(line))}\n`;
    switch (line.kind) {
      case 'transition':
        return `${this.#printer.line(line.transition)}\n`;
      case 'ready': {
        const { at, criticalChain: chain, slowest: slow } = line;
        const notes = [renderChain(chain, at), ...(slow.length > 1 ? [renderSlowest(slow)] : [])];
        return notes.map((text) => `${this.#printer.note(text)}\n`).join('');
      }
      case 'lost':
        return `${this.#printer.note(`${line.count} entries were lost here`)}\n`;
    }
  }

  #shows(actor: string): boolean {
    const { services = [] } = this.#options;
    if (services.length === 0 || actor === 'system') return true;
    return isWanted(actor, services);
  }
}

/** @param service without its suffix */
export function isWanted(service: string, wanted: readonly string[]): boolean {
  return wanted.some((name) => matchesGlob(service, shortName(name)));
}

function jsonOf(line: Line | Lost): object {
  switch (line.kind) {
    case 'transition':
      return line.transition;
    case 'ready':
      return { at: line.at, criticalChain: line.criticalChain, slowest: line.slowest };
    case 'lost':
      return { at: line.at, lost: line.count };
  }
}
