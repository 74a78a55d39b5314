/**
 * Imported before every library. The first use of `process.stdout` or `process.stderr` makes Node set O_NONBLOCK on the
 * pipe behind it; the services share that pipe and would die of EAGAIN. Libraries use the streams (colour detection,
 * stream checks), and so does Node itself when a socket closes. They find harmless objects here; chaperone writes only
 * through the kernel port.
 */
for (const [name, fd] of [
  ['stdout', 1],
  ['stderr', 2],
] as const) {
  Object.defineProperty(process, name, {
    configurable: true,
    value: { fd, isTTY: false, writable: false, write: () => true, on: () => undefined, once: () => undefined },
  });
}
