/** The history of one service since chaperone began, as lines for people and programs. */

import { seconds } from '../model/log/messages.ts';
import { isScheduled, type RunAnswer, type ScheduleNews } from '../model/schedule/scheduled-runs.ts';
import { describeNoAnswer } from '../model/service/condition.ts';
import { describeExit } from '../model/service/exit-status.ts';
import { describeReload, type ReloadNews } from '../model/service/reload-method.ts';
import { describeSpawnError } from '../model/service/spawn-error.ts';
import { describeDuration } from '../model/words/duration.ts';
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
  // All lines are of one actor, whose column needs no other's width.
  const printer = new TerminalPrinter([], colour);
  return lines.map((line) => `${textOfLine(printer, name, line)}\n`).join('');
}

function textOfLine(printer: TerminalPrinter, name: string, line: HistoryLine): string {
  switch (line.kind) {
    case 'transition':
      return printer.line(line);
    case 'note':
      return printer.remark(line.at, name, line.text);
    case 'lost':
      return printer.note(`details begin here; ${lostText(line.count)}`);
  }
}

export function lostText(count: number): string {
  return count === 1 ? '1 fact before is no longer kept' : `${count} facts before are no longer kept`;
}

function noteOf({ type }: ConfiguredService, fact: Fact): string | undefined {
  switch (fact.type) {
    case 'notified':
      return `says ${noticeText(fact.message)}`;
    case 'probed':
      return `${fact.purpose}: ${fact.probe} ${fact.passed ? 'passes' : 'fails'}: ${fact.reason}`;
    case 'service.healthy':
      return 'is healthy';
    case 'service.unhealthy':
      return `is unhealthy; on_unhealthy: ${fact.answer}`;
    case 'requested':
      return `"${fact.verb}" was asked for`;
    case 'run.began':
      if (fact.hook !== undefined) return `${fact.hook} has begun, pid ${fact.pid}`;
      return isScheduled(type) ? `a run has begun, pid ${fact.pid}` : undefined;
    case 'run.ended':
      if (fact.hook !== undefined) return `${fact.hook} has ended with ${describeExit(fact.status)}, pid ${fact.pid}`;
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

function newsText(news: ScheduleNews | ReloadNews): string | undefined {
  switch (news.kind) {
    case 'reloading':
      return 'is reloading';
    case 'reloaded':
      return news.outcome.kind === 'done'
        ? `reloaded in ${describeDuration(news.outcome.took)}`
        : `was not reloaded: ${describeReload(news.outcome)}`;
    case 'skipped':
      return 'a run was skipped, since the one before still goes on';
    case 'queued':
      return news.again ? 'another run is due, and counts with the one that waits' : 'a run waits for the one before';
    case 'replaced':
      return 'a run is ended for the next one';
    case 'unmet':
      return `a run was skipped: ${news.why}`;
    case 'unasked':
      return `a run could not begin: start_if: ${describeNoAnswer(news.failure)}`;
    case 'overran':
      return `a run lasted longer than max_runtime, ${seconds(news.limit)} s, and is ended`;
    case 'runAsked':
      return runAsked(news.answer);
    case 'runUnspawned':
      return `a run could not begin: ${describeSpawnError(news.error)}`;
    case 'reset':
      return 'its runs were told to end by a reset';
    case 'runFailed':
    case 'runAnswered':
    case 'clearing':
      return undefined;
  }
}

function runAsked(answer: RunAnswer): string {
  switch (answer) {
    case 'begun':
      return '"run-now" begins a run';
    case 'waits':
      return '"run-now" lets a run wait for the one before';
    case 'replaces':
      return '"run-now" ends the present run for another one';
    case 'busy':
      return '"run-now" was refused, since a run goes on';
    case 'unscheduled':
      return '"run-now" was refused, since it is not scheduled';
  }
}
