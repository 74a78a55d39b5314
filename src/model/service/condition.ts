/** The conditions of `start_if`: they are asked at each start, and a service whose conditions are not met is skipped. */
import { describeDuration } from '../words/duration.ts';
import { describeExit, type ExitStatus } from './exit-status.ts';
import type { HelperCommand } from './helper-command.ts';
import { describeSpawnError, type SpawnError } from './spawn-error.ts';

export type Condition =
  | Question
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'all'; readonly of: readonly Condition[] };

/** A condition that is asked of the system. */
export type Question =
  | { readonly kind: 'file'; readonly path: string }
  /** The variable is set in the environment of the service, to this value if one is given. */
  | { readonly kind: 'env'; readonly name: string; readonly value?: string }
  /** The command ends with 0: yes; with 1 to 254: no. */
  | ({ readonly kind: 'command' } & HelperCommand);

/** Why a question has no answer. `timeout`: process_timeout, ms. */
export type NoAnswer =
  | { readonly kind: 'exit'; readonly status: ExitStatus }
  | { readonly kind: 'spawn'; readonly error: SpawnError }
  | { readonly kind: 'timeout'; readonly timeout: number };

/** What is known so far: the answer to each question, in the order in which they are written. */
export type Answers = readonly (boolean | undefined)[];

export type Judgement =
  | { readonly kind: 'met' }
  /** `why`: `the file /etc/web.conf is not there`. */
  | { readonly kind: 'unmet'; readonly why: string }
  /** The question that has to be answered next. */
  | { readonly kind: 'open'; readonly index: number };

/** All questions, in the order in which they are written. */
export function questionsOf(condition: Condition): readonly Question[] {
  switch (condition.kind) {
    case 'not':
      return questionsOf(condition.of);
    case 'all':
      return condition.of.flatMap(questionsOf);
    default:
      return [condition];
  }
}

/** The answers that an environment gives; files and commands have none. */
export function answersOf(condition: Condition, environment: Readonly<Record<string, string>>): Answers {
  return questionsOf(condition).map((question) => {
    if (question.kind !== 'env') return undefined;
    const value = environment[question.name];
    return question.value === undefined ? value !== undefined : value === question.value;
  });
}

/** Judges the conditions by what is known so far. What can no longer change the result is not asked. */
export function judge(condition: Condition, answers: Answers): Judgement {
  return judgeFrom(condition, answers, 0, true);
}

/** @param wanted false inside of an odd number of `not` */
function judgeFrom(condition: Condition, answers: Answers, index: number, wanted: boolean): Judgement {
  switch (condition.kind) {
    case 'not':
      return judgeFrom(condition.of, answers, index, !wanted);
    case 'all':
      return wanted ? judgeAll(condition.of, answers, index) : judgeNone(condition.of, answers, index);
    default: {
      const answer = answers[index];
      if (answer === undefined) return { kind: 'open', index };
      return answer === wanted ? { kind: 'met' } : { kind: 'unmet', why: describeAnswer(condition, answer) };
    }
  }
}

function judgeAll(conditions: readonly Condition[], answers: Answers, from: number): Judgement {
  let index = from;
  for (const condition of conditions) {
    const judgement = judgeFrom(condition, answers, index, true);
    if (judgement.kind !== 'met') return judgement;
    index += questionsOf(condition).length;
  }
  return { kind: 'met' };
}

/** `not` of a list is met where one of its conditions is not. */
function judgeNone(conditions: readonly Condition[], answers: Answers, from: number): Judgement {
  let index = from;
  const whys: string[] = [];
  for (const condition of conditions) {
    const judgement = judgeFrom(condition, answers, index, false);
    if (judgement.kind !== 'unmet') return judgement;
    whys.push(judgement.why);
    index += questionsOf(condition).length;
  }
  return { kind: 'unmet', why: whys.join(', and ') };
}

/** The answer of a command by its exit status; undefined where it has given none: 255, or a signal. */
export function answerOf(status: ExitStatus): boolean | undefined {
  return status.kind !== 'exited' || status.code === 255 ? undefined : status.code === 0;
}

/** The value of a variable may be a secret, and is never told. */
function describeAnswer(question: Question, answer: boolean): string {
  switch (question.kind) {
    case 'file':
      return `the file ${question.path} is ${answer ? '' : 'not '}there`;
    case 'env': {
      if (question.value === undefined) return `${question.name} is ${answer ? '' : 'not '}set`;
      return answer ? `${question.name} has the value that is excluded` : `${question.name} has another value`;
    }
    case 'command':
      return `its command in start_if says ${answer ? 'yes' : 'no'}`;
  }
}

/** `exit 255`, `no answer within 30 s (process_timeout)`. */
export function describeNoAnswer(failure: NoAnswer): string {
  switch (failure.kind) {
    case 'exit':
      return describeExit(failure.status);
    case 'spawn':
      return describeSpawnError(failure.error);
    case 'timeout':
      return `no answer within ${describeDuration(failure.timeout)} (process_timeout)`;
  }
}
