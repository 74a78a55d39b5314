/**
 * Forty mistakes that people make. Each is run by a test, which looks whether chaperone says what is wrong, where, why, and what to do, in
 * eight lines at most; and each becomes a row of docs/guide/troubleshooting.md.
 */
import type { DiagnosticCode } from '../../src/model/words/diagnostic-code.ts';

export type Mistake = {
  /** What somebody has done. */
  readonly done: string;
} & (
  | {
      /** It is told before anything starts: the entry of test/docs/diagnostics.ts that makes it. */
      readonly code: DiagnosticCode;
    }
  | {
      /** It shows at the boot: the title of the entry of test/docs/transcripts.ts that makes it. */
      readonly title: string;
    }
);

export const mistakes: readonly Mistake[] = [
  { done: 'a key is misspelt', code: 'unknown-key' },
  { done: 'a section is misspelt', code: 'unknown-section' },
  { done: 'a quote is not closed', code: 'yaml-syntax' },
  { done: 'a quote in a command is not closed', code: 'unclosed-quote' },
  { done: 'a service waits for one that nobody declares', code: 'unknown-service' },
  { done: 'services wait for each other', code: 'dependency-cycle' },
  { done: 'a service waits for what starts last', code: 'impossible-order' },
  { done: 'a group is misspelt', code: 'empty-group' },
  { done: 'a cron service has no interval', code: 'missing-directive' },
  { done: 'a schedule is no schedule', code: 'bad-schedule' },
  { done: 'the seconds of a schedule stand first', code: 'seconds-first' },
  { done: 'a time zone is misspelt', code: 'unknown-time-zone' },
  { done: 'a log selector has a wrong priority', code: 'bad-selector' },
  { done: 'a log selector takes nothing', code: 'empty-selector' },
  { done: 'output goes into a log that is not there', code: 'unknown-entry' },
  { done: 'a user is missing', code: 'unknown-user' },
  { done: 'a group of accounts is missing', code: 'unknown-group' },
  { done: 'a type is misspelt', code: 'not-a-choice' },
  { done: 'a time has a unit that is none', code: 'not-a-time' },
  { done: 'a signal is misspelt', code: 'not-a-signal' },
  { done: 'a directive does not fit the type', code: 'no-effect' },
  { done: 'a variable is not set', code: 'unknown-variable' },
  { done: 'a variable that has to be set is not', code: 'required-variable' },
  { done: 'a command was written for a shell', code: 'no-shell' },
  { done: 'a program may not be executed', code: 'program-not-executable' },
  { done: 'the account may not execute the program', code: 'program-not-permitted' },
  { done: 'the interpreter of a script is missing', code: 'interpreter-not-found' },
  { done: 'a directory is missing', code: 'directory-not-found' },
  { done: 'a secret stands in a command', code: 'secret-exposed' },
  { done: 'a program is missing', title: 'The container ends at once: a program is missing' },
  { done: 'a service dies at once', title: 'The container ends at once: a service dies in its first half second' },
  { done: 'a preparation fails', title: 'The container ends at once: a preparation fails' },
  {
    done: 'a preparation hangs',
    title: 'The container ends after a while: a preparation does not come to its end',
  },
  {
    done: 'the interpreter of a script is missing when it starts',
    title: 'The container ends at once: a script whose interpreter is missing',
  },
  {
    done: 'a forking service stays in the foreground',
    title: 'A forking service does not become ready: its program stays in the foreground',
  },
  { done: 'a pidfile is never written', title: 'A forking service does not become ready: no pidfile' },
  {
    done: 'a notify service never says READY=1',
    title: 'A notify service does not become ready: its program sends nothing',
  },
  { done: 'redis is not told to notify', title: 'A notify service does not become ready: redis' },
  { done: 'a notify service reports an error', title: 'A notify service reports an error' },
  { done: 'a port is taken', title: 'A port is taken' },
];
