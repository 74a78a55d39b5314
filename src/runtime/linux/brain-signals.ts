/**
 * Signals for chaperone go to the body, which passes them on. A signal that is sent to the brain itself, such as by
 * `kill -TERM -1` in a service, must not end the brain; and without a listener SIGUSR1 would open Node's debugger.
 */
const ignored = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGPWR',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTTIN',
  'SIGTTOU',
] as const;

for (const signal of ignored) process.on(signal, () => undefined);
