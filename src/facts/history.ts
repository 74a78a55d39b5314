/** The history of one service since chaperone began, as lines for people and programs. */

import { isScheduled, type ScheduleNews } from '../model/schedule/scheduled-runs.ts';
import { describeExit } from '../model/service/exit-status.ts';
import { describeSpawnError } from '../model/service/spawn-error.ts';
import type { Fact } from './fact.ts';
import type { Past } from './feed.ts';
import { TerminalPrinter } from './terminal-printer.ts';
import type { Transition } from './transition.ts';
import { type ConfiguredService, noticeText, Transitions } from './transitions.ts';

export type HistoryLine =
  | ({ readonly kind: 'transition' } & Transition)
  /** An event that was no change of state. */
  | { readonly kind: 'note'; readonly at: number; readonly text: string }
  /** Facts before this line are missing; of the time before only the moves that `KeptMoves` keeps are known. */
  | { readonly kind: 'lost'; readonly at: number; readonly count: number };

/** @param past the facts of this service alone */
export function historyOf(service: ConfiguredService, { kept, lost, since, facts }: Past): readonly HistoryLine[] {
  const transitions = new Transitions();
  transitions.configure([service]);
  const lines = (past: readonly Fact[]): readonly HistoryLine[] =>
    past.flatMap((fact): readonly HistoryLine[] => {
      const moves = transitions.take(fact);
      const text = noteOf(service, fact);
      return [
        ...(text === undefined ? [] : [{ kind: 'note', at: fact.at, text } as const]),
        ...moves.flatMap((line) => (line.kind === 'transition' ? [{ kind: line.kind, ...line.transition }] : [])),
      ];
    });
  const before = lines(kept);
  const mark = lost > 0 ? [{ kind: 'lost', at: since, count: lost } as const] : [];
  return [...before, ...mark, ...lines(facts)];
}

/** The lines as they are printed, each with its end. */
export function renderHistory(name: string, lines: readonly HistoryLine[], colour: boolean): string {
  const printer = new TerminalPrinter([name], colour);
  return lines.map((line) => `${textOfLine(printer, name, line)}\n`).join('');
}

function textOfLine(printer: TerminalPrinter, name: string, line: HistoryLine): string {
  switch (line.kind) {
    case 'transition':
      return printer.line(line);
    case 'note':
      return printer.remark(line.at, name, line.text);
    case 'lost':
      return printer.note(`details begin here; ${line.count} facts before are no longer kept`);
  }
}

function noteOf({ type }: ConfiguredService, fact: Fact): string | undefined {
  switch (fact.type) {
    case 'notified':
      return `says ${noticeText(fact.message)}`;
    case 'requested':
      return `"${fact.verb}" was asked for`;
    case 'run.began':
      return isScheduled(type) ? `a run has begun, pid ${fact.pid}` : undefined;
    case 'run.ended':
      return isScheduled(type) ? `a run has ended with ${describeExit(fact.status)}, pid ${fact.pid}` : undefined;
    case 'service.noticed':
      return newsText(fact.news);
    case 'service.blocked':
      return 'never starts as things stand';
    case 'service.survives':
      return 'a process of it survives SIGKILL';
    default:
      return undefined;
  }
}

function newsText(news: ScheduleNews): string | undefined {
  switch (news.kind) {
    case 'skipped':
      return 'a run was skipped, since the one before still goes on';
    case 'runUnspawned':
      return `a run could not begin: ${describeSpawnError(news.error)}`;
    case 'reset':
      return 'its runs were told to end by a reset';
    case 'runFailed':
    case 'clearing':
      return undefined;
  }
}
