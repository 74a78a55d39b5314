/** What chaperone uses of unix-dgram 2.0.7. */
declare module 'unix-dgram' {
  import type { EventEmitter } from 'node:events';

  interface Socket extends EventEmitter {
    readonly fd: number;
    /** Emits `error` before it returns where it fails. The path is cut at 107 bytes without a word. */
    bind(path: string): void;
    /** A second call aborts the process. */
    close(): void;
  }

  const library: { createSocket(type: 'unix_dgram', listener?: () => void): Socket };
  export default library;
}
