declare module 'tar-fs' {
  import type { Readable } from 'node:stream';

  interface Header {
    name: string;
    uid: number;
    gid: number;
    uname?: string;
    gname?: string;
    mtime: Date;
  }

  interface PackOptions {
    /** Gets the path of a file below the folder, with the folder; true leaves it out. */
    readonly ignore?: (path: string) => boolean;
    readonly map?: (header: Header) => Header;
    readonly sort?: boolean;
    /** False: more entries are added before `finalize`. */
    readonly finalize?: boolean;
  }

  export function pack(folder: string, options?: PackOptions): Readable;
}
