/**
 * Imported before every library: the first look at `process.stdout` or `process.stderr` makes Node set O_NONBLOCK on the pipe
 * behind it, which the services share, and they die of EAGAIN. Libraries look (colour detection, stream checks), and so does
 * Node itself when a socket closes. They find something harmless; chaperone writes through the kernel port alone.
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
