import type { SignalName } from '../../model/service/signal.ts';

/** A TCP port, or the path of a socket. */
export type ServedPlace = number | string;

/** `hangs`: connections are accepted, and nothing is answered; `refuses`: as if nobody were there. */
export type ServedAnswer =
  | 'hangs'
  | 'refuses'
  /** `delay`: ms until the answer. */
  | { readonly status: number; readonly body?: string; readonly delay?: number };

/** One step of a simulated program. After the last step the program exits with 0. */
export type Step =
  /** `fd`: the number of a descriptor, or the name of the variable that holds it. */
  | {
      readonly do: 'print';
      readonly text: string;
      readonly to?: 'stdout' | 'stderr' | { readonly fd: number | string };
    }
  /** From now on the process answers at a place, in place of whoever did so before, until it ends. */
  | { readonly do: 'serve'; readonly at: ServedPlace; readonly answer: ServedAnswer }
  /** ms of virtual time. */
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'exit'; readonly code: number }
  | { readonly do: 'die'; readonly signal: SignalName }
  /**
   * Forks a child that holds the same standard streams; a `detached` child has a process group of its own, and one with a `uid` becomes that
   * account.
   */
  | { readonly do: 'fork'; readonly script: Script; readonly detached?: boolean; readonly uid?: number }
  /** Writes a file; `$$` in the text stands for the process's own pid. */
  | { readonly do: 'write'; readonly path: string; readonly text: string }
  /** Sends a datagram to NOTIFY_SOCKET, if that is set; `$$` stands for the process's own pid. */
  | { readonly do: 'notify'; readonly text: string; readonly descriptors?: number }
  /**
   * Prints each line of its standard input on its standard output as it comes, and pauses for `ms` after each; goes on at the end of
   * the input. A line that is taken is printed, whatever becomes of the process.
   */
  | { readonly do: 'relay'; readonly ms: number }
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
