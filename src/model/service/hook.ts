/**
 * Hooks: commands that run around the main command of a service (systemd.service(5), ExecStartPre= and its like). They are data
 * here; machines/hooks.ts runs them.
 */
import { describeDuration } from '../words/duration.ts';
import { createExpander, ExpansionError, isPlain } from '../words/expand.ts';
import { splitWords } from '../words/words.ts';
import { describeExit, type ExitStatus } from './exit-status.ts';
import type { SignalName } from './signal.ts';
import { describeSpawnError, type SpawnError } from './spawn-error.ts';

/** The moments at which hooks run, by the directives that name them, in the order of a service's life. */
export const hookStages = ['before_start', 'after_start', 'before_stop', 'stop_command', 'after_stop'] as const;

export type HookStage = (typeof hookStages)[number];

export function isHookStage(key: string): key is HookStage {
  return hookStages.some((stage) => stage === key);
}

export interface Hook {
  /** The command as it is written, without its prefixes. It is expanded when it runs. */
  readonly command: string;
  /** `-`: a failure of it is ignored. */
  readonly mayFail?: true;
  /** `+`: it runs under chaperone's own account, and without the limits of the service. */
  readonly asChaperone?: true;
}

/** The hooks of a service. */
export interface Hooks {
  /** By stage; an absent stage has none. */
  readonly commands: Readonly<Partial<Record<HookStage, readonly Hook[]>>>;
  /** Chaperone's own variables (`_CHAP_…`), which hooks may name and do not get. */
  readonly own?: Readonly<Record<string, string>>;
  /** ms until the hooks of after_stop get SIGKILL. */
  readonly afterStopTimeout: number;
}

/** A hook's place in its stage. */
export interface HookPlace {
  readonly stage: HookStage;
  /** Counted from 1. */
  readonly nth: number;
  readonly of: number;
}

/** How a hook has failed. `timeout`: its stage did not end in time, ms. */
export type HookFailure =
  | { readonly kind: 'exit'; readonly status: ExitStatus }
  | { readonly kind: 'spawn'; readonly error: SpawnError }
  | { readonly kind: 'timeout'; readonly timeout: number };

export function hooksOf(hooks: Hooks | undefined, stage: HookStage): readonly Hook[] {
  return hooks?.commands[stage] ?? [];
}

/** `before_start 2 of 3`; `stop_command`, of which there is only one. */
export function describePlace({ stage, nth, of }: HookPlace): string {
  return of === 1 ? stage : `${stage} ${nth} of ${of}`;
}

/** `exit 1`, `no exit within 30 s`. */
export function describeHookFailure(failure: HookFailure): string {
  switch (failure.kind) {
    case 'exit':
      return describeExit(failure.status);
    case 'spawn':
      return describeSpawnError(failure.error);
    case 'timeout':
      return `no exit within ${describeDuration(failure.timeout)}`;
  }
}

/** The words of a hook, or what is wrong with its command. */
export type HookWords =
  | { readonly ok: true; readonly argv: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/**
 * The words of a hook at the moment in which it runs: `$(…)` is expanded, then the text is split as a POSIX shell splits words.
 * Backticks stay as they are, for a shell that the hook calls.
 *
 * @param variables everything that the hook may name
 */
export function hookWords({ command }: Hook, variables: Readonly<Record<string, string>>): HookWords {
  let text = command;
  if (!isPlain(command)) {
    const expander = createExpander([{ values: new Map(Object.entries(variables)), data: 'literal' }]);
    try {
      text = expander.expand(command, { literalBackticks: true });
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      return { ok: false, problem: error.message };
    }
  }
  const split = splitWords(text);
  if (split.kind === 'unclosed') return { ok: false, problem: 'a quote in it is never closed' };
  const [first, ...rest] = split.words;
  if (first === undefined || first.text === '') return { ok: false, problem: 'it is empty' };
  const home = variables['HOME'] ?? '';
  const program = first.tilde && home !== '' ? first.text.replace(/^~(?=\/|$)/, () => home) : first.text;
  return { ok: true, argv: [program, ...rest.map((word) => word.text)] };
}

/** One signal of a stop, and how long the next one, or SIGKILL, waits for what it does, ms. */
export interface KillStep {
  readonly signal: SignalName;
  readonly pause: number;
}
