/** What an instance's chart is told and asked: commands, facts, and answers to its requests. */
import type { ContainerStatus, EngineFailure, Health } from '../engine/engine.ts';
import type { InstanceKey, InstanceSpec, WaitFor } from '../model/instance.ts';

/** The commands to the chart of an instance. */
export type InstanceCommand =
  /** `anew`: a container that is there is removed first, for these reasons. `waitedFor`: the last one that it waited for. */
  | {
      readonly type: 'instance.start';
      readonly anew: boolean;
      readonly reasons: readonly string[];
      readonly waitedFor?: InstanceKey;
    }
  /** `timeout`: seconds until SIGKILL. */
  | { readonly type: 'instance.stop'; readonly timeout?: number; readonly waitedFor?: InstanceKey }
  | { readonly type: 'instance.kill'; readonly signal: string; readonly waitedFor?: InstanceKey }
  | { readonly type: 'instance.remove'; readonly waitedFor?: InstanceKey };

/** What the engine tells of a container: by its events, or by a look at it after events may have been missed. */
export type ContainerNews =
  | { readonly type: 'container.started'; readonly id: string; readonly at: number }
  | {
      readonly type: 'container.exited';
      readonly id: string;
      /** Unix ms, on the engine's clock. */
      readonly at: number;
      readonly exitCode: number;
      readonly outOfMemory: boolean;
    }
  | { readonly type: 'container.health'; readonly id: string; readonly health: Health }
  | { readonly type: 'container.removed'; readonly id: string }
  /** A look at the instance's container. */
  | { readonly type: 'container.seen'; readonly seen: Seen }
  /** A look has found no container of the instance. */
  | { readonly type: 'container.missing' }
  /** The engine has not answered for so long that nobody waits for it any more. */
  | { readonly type: 'engine.gone'; readonly why: string };

/** A container at one instant. Times are Unix ms on the engine's clock. */
export interface Seen {
  readonly id: string;
  readonly status: ContainerStatus;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  readonly health: Health;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  /** On the project's network, or the engine's own. */
  readonly address?: string;
}

export type InstanceEvent = InstanceCommand | ContainerNews;

/** What the chart tells the platform's: each command is answered once, by `step.done` or `step.failed`. */
export type InstanceReport =
  | { readonly type: 'step.done'; readonly key: InstanceKey }
  | { readonly type: 'step.failed'; readonly key: InstanceKey; readonly cause: string }
  /** An instance that was up has failed since: the instances that wait for it, directly or not, do not begin. */
  | { readonly type: 'step.fell'; readonly key: InstanceKey; readonly cause: string };

// ---- requests and their answers

export interface CreateRequest {
  readonly spec: InstanceSpec;
}

export type CreateAnswer =
  | { readonly kind: 'created'; readonly id: string }
  | { readonly kind: 'failed'; readonly failure: EngineFailure };

export interface StartRequest {
  readonly id: string;
  readonly spec: InstanceSpec | undefined;
}

export type StartAnswer =
  | { readonly kind: 'started'; readonly seen: Seen }
  /** The container was made with addresses of links that are others now: it has to be made anew. */
  | { readonly kind: 'outdated'; readonly aliases: readonly string[] }
  | { readonly kind: 'failed'; readonly failure: EngineFailure };

export interface AskRequest {
  readonly id: string;
  readonly key: InstanceKey;
  readonly wait: WaitFor;
}

/** The answer of the Chaperone inside a container, once the answer will not change. */
export type AskAnswer =
  | { readonly kind: 'ready' }
  /** There is no Chaperone inside. */
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly cause: string };

export interface StopRequest {
  readonly id: string;
  readonly timeout: number | undefined;
}

export type StopAnswer =
  | { readonly kind: 'stopped'; readonly exitCode: number; readonly at: number }
  | { readonly kind: 'failed'; readonly failure: EngineFailure };

export interface KillRequest {
  readonly id: string;
  readonly signal: string;
}

export interface RemoveRequest {
  readonly key: InstanceKey;
  readonly id: string;
}

export type PlainAnswer = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly failure: EngineFailure };
