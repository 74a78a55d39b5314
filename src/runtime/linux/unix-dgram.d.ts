/** What chaperone uses of the npm package unix-dgram 2.0.7, which brings no types. */
declare module 'unix-dgram' {
  export interface UnixDatagramSocket {
    readonly fd: number;
    on(event: 'message', listener: (bytes: Buffer) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    /** Emits `error` before it returns where it fails. The path is cut at 107 bytes without a word. */
    bind(path: string): void;
    /** A second call aborts the process. */
    close(): void;
  }
  export function createSocket(type: 'unix_dgram', listener?: () => void): UnixDatagramSocket;
}
