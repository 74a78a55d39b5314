/**
 * Imported first, so that its listeners are the first thing chaperone does: as PID 1 a signal without a handler is lost.
 * What arrives before somebody listens is kept.
 */
import type { SignalName } from '../../model/service/signal.ts';

/** SIGUSR1 and SIGUSR2 are here although they do nothing: a listener on SIGUSR1 keeps Node's debugger shut. */
const handled = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGPWR', 'SIGUSR1', 'SIGUSR2', 'SIGCHLD'] as const;

type Listener = (signal: SignalName) => void;

const early: SignalName[] = [];
let listener: Listener = (signal) => {
  if (!early.includes(signal)) early.push(signal);
};

/** Takes a signal that Node cannot listen to (37). */
export function announceSignal(signal: SignalName): void {
  listener(signal);
}

for (const signal of handled) process.on(signal, () => listener(signal));

/** Hands over: what came early first, then what comes. */
export function listenForSignals(next: Listener): void {
  listener = next;
  for (const signal of early.splice(0)) next(signal);
}
