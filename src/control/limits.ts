/** Bounds of the control surface. Sizes are bytes, times ms. */
export const limits = {
  /** One command, on the socket or the FIFO. */
  line: 4_096,
  /** The body of a request. */
  body: 65_536,
  /** The head of a request. */
  head: 16_384,
  /** Connections at once: of all callers, of all callers without full rights, and of one such account. */
  connections: 96,
  guestConnections: 32,
  accountConnections: 16,
  /** Requests of one account: in a burst, and per second. */
  requestBurst: 100,
  requestsPerSecond: 50,
  /** From the connection to the last byte of the request. */
  requestTime: 10_000,
  /**
   * A command without a newline is complete when nothing more has come for this long: the original's client sends no newline.
   */
  quiet: 100,
  /** How long a reader may take no byte of an answer before it is disconnected. */
  stalledTime: 30_000,
  /** Bytes that may wait for a reader of events or logs; events beyond that are dropped and counted, and the reader is told. */
  unread: 262_144,
  /** Most records that a request for the log gets. */
  records: 10_000,
} as const;
