/** The parts that chaperone uses of the npm package unix-dgram 2.0.7, which has no types. */
declare module 'unix-dgram' {
  export interface UnixDatagramSocket {
    readonly fd: number;
    on(event: 'message', listener: (bytes: Buffer) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    /** Emits `error` before it returns where it fails. A path of more than 107 bytes is cut silently. */
    bind(path: string): void;
    /** A second call aborts the process. */
    close(): void;
  }
  export function createSocket(type: 'unix_dgram', listener?: () => void): UnixDatagramSocket;
}
