/** Bounds of the control surface. Sizes are bytes, times ms. */
export const limits = {
  /** One command, on the socket or the FIFO. */
  line: 4_096,
  /** The body of a request. */
  body: 65_536,
  /** The head of a request. */
  head: 16_384,
  /**
   * Connections at once: of root and chaperone's own account, of the other accounts that may do everything, and of guests; and
   * of one guest's account.
   */
  connections: { host: 64, owner: 32, guest: 32 },
  accountConnections: 16,
  /** Requests of one account: in a burst, and per second. */
  requestBurst: 100,
  requestsPerSecond: 50,
  /** A heavy request of a guest counts as several: one more for so many bytes read, steps of globs, and bytes answered. */
  readPerRequest: 4_096,
  stepsPerRequest: 10_000,
  answeredPerRequest: 65_536,
  /** Parameters in a query, and characters of one word. */
  parameters: 1_000,
  word: 4_096,
  /** Globs among the names of a request, the characters of one, and the steps that all of them may take together. */
  globs: 100,
  glob: 1_000,
  globSteps: 300_000,
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
