import { renderChain, renderSlowest } from '../facts/critical-chain.ts';
import { systemActor } from '../facts/fact.ts';
import { TerminalPrinter } from '../facts/terminal-printer.ts';
import { type Line, type TransitionOptions, Transitions } from '../facts/transitions.ts';
import { shortName } from '../model/service/service-spec.ts';
import { matchesGlob } from '../model/words/glob.ts';
import type { Entry } from './entry.ts';
import { gapText } from './render-report.ts';

export interface TranscriptOptions extends TransitionOptions {
  /** `json`: one transition a line, as `Transition` has it. */
  readonly format: 'text' | 'json';
  readonly colour?: boolean;
  /** Names or globs of services, with or without suffix; empty: all. The system's own lines are always there. */
  readonly services?: readonly string[];
}

/** Entries are missing before this: from `from` to `at`, both in ms. */
interface Lost {
  readonly kind: 'lost';
  readonly from: number;
  readonly at: number;
  readonly count: number;
}

/** Renders entries as text or JSON lines, live and from a journal. */
export class Transcript {
  readonly #options: TranscriptOptions;
  readonly #transitions: Transitions;
  #printer: TerminalPrinter;
  #lastAt = 0;
  /** A platform is no system: its transitions have a name of their own. */
  #systemName: string = systemActor;

  constructor(options: TranscriptOptions) {
    this.#options = options;
    this.#transitions = new Transitions(options);
    this.#printer = new TerminalPrinter([], options.colour ?? false);
  }

  /** Whole lines, each with its newline; empty if the entry is not shown. */
  write(entry: Entry): string {
    if (entry.type === '@chaperone.boot') {
      this.#transitions.reset();
      this.#systemName = entry.project === undefined ? systemActor : 'platform';
    }
    if (entry.type === '@chaperone.boot' || entry.type === '@chaperone.reload') {
      this.#transitions.configure(entry.services);
      const names = entry.services.map(({ name }) => shortName(name)).filter((name) => this.#shows(name));
      this.#printer = new TerminalPrinter([this.#systemName, ...names], this.#options.colour ?? false);
    }
    const before = this.#lastAt;
    this.#lastAt = entry.at;
    if (entry.type === '@chaperone.lost') {
      const { at, from = before, count } = entry;
      return this.#writeLine({ kind: 'lost', from, at, count });
    }
    if (entry.type !== '@chaperone.fact') return '';
    const lines = this.#transitions.take(entry.fact);
    return lines.length === 0 ? '' : lines.map((line) => this.#writeLine(this.#named(line))).join('');
  }

  #named(line: Line): Line {
    if (line.kind !== 'transition' || line.transition.actor !== systemActor) return line;
    return { ...line, transition: { ...line.transition, actor: this.#systemName } };
  }

  #writeLine(line: Line | Lost): string {
    if (line.kind === 'transition' && !this.#shows(line.transition.actor)) return '';
    if (this.#options.format === 'json') return `${JSON.stringify(jsonOf(line))}\n`;
    switch (line.kind) {
      case 'transition':
        return `${this.#printer.line(line.transition)}\n`;
      case 'booted': {
        const { at, criticalChain: chain, slowest: slow } = line;
        const notes = [renderChain(chain, at), ...(slow.length > 1 ? [renderSlowest(slow)] : [])];
        return notes.map((text) => `${this.#printer.note(text)}\n`).join('');
      }
      case 'lost':
        return `${this.#printer.note(gapText({ from: line.from, to: line.at, count: line.count }))}\n`;
    }
  }

  #shows(actor: string): boolean {
    const { services = [] } = this.#options;
    if (services.length === 0 || actor === this.#systemName) return true;
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
    case 'booted':
      return { at: line.at, criticalChain: line.criticalChain, slowest: line.slowest };
    case 'lost':
      return { at: line.at, from: line.from, lost: line.count };
  }
}
