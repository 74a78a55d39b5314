/** The status of a service, in the words of sv(8). */
import type { ServiceStatus } from '../../control/supervisor.ts';
import { isObject } from '../../model/words/json.ts';

/** The status that runsv(8) would keep in supervise/status. */
export interface Standing {
  readonly state: 'run' | 'finish' | 'down';
  /** 0 where nothing runs. */
  readonly pid: number;
  /** Unix ms at which the process was started, or at which the last one ended. */
  readonly since: number;
  readonly wants: 'up' | 'down';
  readonly isPaused: boolean;
  /** True where the service is to end, and has not ended yet. */
  readonly gotTerm: boolean;
  /** True where the service does its work, as far as its `check` can tell. */
  readonly isReady: boolean;
}

/** The facts about a process that are read from /proc. */
export interface ProcessLook {
  /** Unix ms. */
  readonly started: number;
  readonly isStopped: boolean;
}

export function standingOf(
  status: ServiceStatus,
  look: (pid: number) => ProcessLook | undefined,
  now: number,
): Standing {
  const { state, hook, lastExit } = status;
  const finishing = hook?.stage === 'after_stop';
  const pid = (finishing ? hook.pid : status.pid) ?? 0;
  const seen = pid === 0 ? undefined : look(pid);
  const ended = isObject(lastExit) && typeof lastExit.at === 'number' ? lastExit.at : undefined;
  const wants = status.enabled && state !== 'stopped' ? 'up' : 'down';
  return {
    state: pid === 0 ? 'down' : finishing ? 'finish' : 'run',
    pid,
    since: (pid === 0 || finishing ? ended : seen?.started) ?? now - status.age,
    wants,
    isPaused: seen?.isStopped === true,
    gotTerm: state === 'stopping' && pid !== 0 && !finishing,
    isReady: state === 'ready',
  };
}

/** A line of `sv status`, without the log behind it. */
export function standingLine(
  name: string,
  standing: Standing,
  { now, isDown }: { readonly now: number; readonly isDown: boolean },
): string {
  const { state, pid, since, wants, isPaused, gotTerm } = standing;
  const seconds = `${Math.max(0, Math.floor(now / 1000) - Math.floor(since / 1000))}s`;
  const marks =
    pid === 0
      ? [...(isDown ? [] : ['normally up']), ...(wants === 'up' ? ['want up'] : [])]
      : [
          ...(isDown ? ['normally down'] : []),
          ...(isPaused ? ['paused'] : []),
          ...(wants === 'down' ? ['want down'] : []),
          ...(gotTerm ? ['got TERM'] : []),
        ];
  const process = pid === 0 ? '' : `(pid ${pid}) `;
  return [`${state}: ${name}: ${process}${seconds}`, ...marks].join(', ');
}
