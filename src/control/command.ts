import type { Severity } from '../model/log/syslog-names.ts';
import type { SignalName } from '../model/service/signal.ts';

/** The states of services that a command can wait for. */
export const waitGoals = ['ready', 'stopped', 'failed'] as const;
export type WaitGoal = (typeof waitGoals)[number];

/** A fully parsed command. Names may lack their suffix and may be globs. Durations are ms. */
export type Command =
  | { readonly verb: 'status'; readonly names: readonly string[] }
  | { readonly verb: 'loglevel'; readonly level?: Severity }
  | ({ readonly verb: 'start'; readonly enable: boolean; readonly withPrerequisites?: true } & ServiceOptions)
  | ({ readonly verb: 'stop'; readonly disable: boolean; readonly drain: boolean } & ServiceOptions)
  | ({ readonly verb: 'reset' } & ServiceOptions)
  | ({ readonly verb: 'restart'; readonly withDependents?: true } & ServiceOptions)
  | {
      readonly verb: 'run-now';
      readonly names: readonly string[];
      readonly wait: boolean;
      readonly timeout?: number;
    }
  | { readonly verb: 'enable'; readonly names: readonly string[] }
  | { readonly verb: 'disable'; readonly names: readonly string[] }
  | { readonly verb: 'dependencies' }
  | { readonly verb: 'shutdown'; readonly delay: number; readonly now: boolean }
  | { readonly verb: 'kill'; readonly names: readonly string[]; readonly signal: SignalName }
  | { readonly verb: 'wait'; readonly names: readonly string[]; readonly goal: WaitGoal; readonly timeout?: number }
  | {
      readonly verb: 'scale';
      readonly names: readonly string[];
      readonly count: number;
      readonly wait: boolean;
      readonly timeout?: number;
    }
  /** Without names: of the configuration. */
  | {
      readonly verb: 'reload';
      readonly names: readonly string[];
      readonly dryRun: boolean;
      readonly force: boolean;
    };

export type Verb = Command['verb'];

/** The command of one verb. */
export type CommandOf<V extends Verb> = Extract<Command, { readonly verb: V }>;

interface ServiceOptions {
  readonly names: readonly string[];
  readonly force: boolean;
  readonly wait: boolean;
  readonly timeout?: number;
}
