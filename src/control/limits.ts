/** Bounds of the control surface. Sizes are bytes, times ms. */
export const limits = {
  /** One command, on the socket or the FIFO. */
  line: 4_096,
  /** The body of a request. */
  body: 65_536,
  /** The head of a request. */
  head: 16_384,
  /** Connections at once: all, those of callers who may not do everything, and those of one such account. */
  connections: 96,
  guestConnections: 32,
  accountConnections: 16,
  /** Requests of one account: at once, and a second. */
  requestBurst: 100,
  requestsPerSecond: 50,
  /** From the connection to the last byte of the request. */
  requestTime: 10_000,
  /** A command without a newline is complete when nothing more has come for this long: the original's client sends none. */
  quiet: 100,
  /** Without a byte taken by who reads an answer. */
  stalledTime: 30_000,
  /** What may wait for a reader of events or logs; what is over is dropped, counted, and told when it reads again. */
  unread: 262_144,
  /** Records that a request for the log gets at most. */
  records: 10_000,
} as const;
