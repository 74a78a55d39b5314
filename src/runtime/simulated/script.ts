import type { SignalName } from '../../model/service/signal.ts';

/** One step of a simulated program. After the last step the program exits with 0. */
export type Step =
  | { readonly do: 'print'; readonly text: string; readonly to?: 'stdout' | 'stderr' }
  /** ms of virtual time. */
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'exit'; readonly code: number }
  | { readonly do: 'die'; readonly signal: SignalName }
  /** Forks a child that holds the same standard streams; a `detached` child has a process group of its own. */
  | { readonly do: 'fork'; readonly script: Script; readonly detached?: boolean }
  /** Writes a file; `$$` in the text stands for the process's own pid. */
  | { readonly do: 'write'; readonly path: string; readonly text: string }
  /** Sends a datagram to NOTIFY_SOCKET, if that is set; `$$` stands for the process's own pid. */
  | { readonly do: 'notify'; readonly text: string; readonly descriptors?: number }
  /** Waits until a signal comes. */
  | { readonly do: 'hang' };

export interface Script {
  readonly steps: readonly Step[];
  /** The reactions to signals; a signal without an entry ends the program. SIGKILL cannot be caught. */
  readonly onSignal?: Readonly<Partial<Record<SignalName, 'ignore' | readonly Step[]>>>;
  /** ms for which SIGKILL has no effect, as for a process that waits for a disk. */
  readonly stuck?: number;
  /** ms until the program reaps an ended child; absent: at once. Others do not get the child's status before. */
  readonly reapsAfter?: number;
}
