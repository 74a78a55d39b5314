/**
 * Imported first, so that its listeners are installed before all else: PID 1 loses a signal without a handler. Signals
 * that arrive before the daemon listens are kept.
 */
import type { SignalName } from '../../model/service/signal.ts';

/** SIGUSR1 and SIGUSR2 are handled although they do nothing: a listener on SIGUSR1 keeps Node's debugger shut. */
const handled = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGPWR', 'SIGUSR1', 'SIGUSR2', 'SIGCHLD'] as const;

type Listener = (signal: SignalName) => void;

const early: SignalName[] = [];
let listener: Listener = (signal) => {
  if (!early.includes(signal)) early.push(signal);
};

/** Takes a signal that has no name in Node (number 37). */
export function announceSignal(signal: SignalName): void {
  listener(signal);
}

for (const signal of handled) process.on(signal, () => listener(signal));

/** Passes signals to the listener, beginning with those that came early. */
export function listenForSignals(next: Listener): void {
  listener = next;
  for (const signal of early.splice(0)) next(signal);
}
