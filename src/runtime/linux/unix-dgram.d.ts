/** What is used of the npm package unix-dgram, which brings no types. */
declare module 'unix-dgram' {
  export interface UnixDatagramSocket {
    readonly fd: number;
    on(event: 'message', listener: (bytes: Buffer) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    /** A second call aborts the process. */
    close(): void;
  }
  export function createSocket(type: 'unix_dgram'): UnixDatagramSocket;
}
