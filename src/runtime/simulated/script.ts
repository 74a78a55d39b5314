import type { SignalName } from '../../model/service/signal.ts';

/** What a simulated program does, one step after the other. After the last step it exits with 0. */
export type Step =
  | { readonly do: 'print'; readonly text: string; readonly to?: 'stdout' | 'stderr' }
  /** ms of virtual time. */
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'exit'; readonly code: number }
  | { readonly do: 'die'; readonly signal: SignalName }
  /** A child that holds the same standard streams; `detached` has a process group of its own. */
  | { readonly do: 'fork'; readonly script: Script; readonly detached?: boolean }
  /** Writes a file, `$$` in its text being its own pid. */
  | { readonly do: 'write'; readonly path: string; readonly text: string }
  /** Sends a datagram to NOTIFY_SOCKET, where it has one; `$$` is its own pid. */
  | { readonly do: 'notify'; readonly text: string; readonly descriptors?: number }
  /** Until a signal comes. */
  | { readonly do: 'hang' };

export interface Script {
  readonly steps: readonly Step[];
  /** What it does about signals; without an entry a signal ends it. SIGKILL cannot be caught. */
  readonly onSignal?: Readonly<Partial<Record<SignalName, 'ignore' | readonly Step[]>>>;
  /** ms for which SIGKILL has no effect: it waits for a disk, as it were. */
  readonly stuck?: number;
  /** ms until it waits for a child that has ended; absent: it does so at once. Nobody is told the child's status before. */
  readonly reapsAfter?: number;
}
