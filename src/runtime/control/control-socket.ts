/**
 * Opens the control socket and the FIFO where possible (reference, section 5.3). It does so before the first service
 * starts, because the environment of services names the socket. The code that answers is loaded with the first
 * connection.
 */
import { accessSync, closeSync, constants, lstatSync, openSync, readFileSync, unlinkSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { type ControlPlace, longestSocketPath } from '../../control/places.ts';
import { writableFolderHint } from '../../model/service/spawn-error.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { NativeEdge } from '../linux/native.ts';
import { checkFolder, makeOwnFolder, PathRefusal, withMode } from '../linux/safe-open.ts';

export interface ControlSocketOptions {
  readonly edge: Pick<NativeEdge, 'makeFifo'>;
  /** The possible paths, the best one first: `placesFor`. */
  readonly places: readonly ControlPlace[];
  readonly uid: number;
}

export interface Farewell {
  /** Ends the answers that last; resolves once their readers have got the rest. */
  readonly end: () => Promise<void>;
  /** Resolves once the processes that have asked for the end of the system have ended. */
  readonly shutdownCallersGone: () => Promise<void>;
}

export interface ControlSocket {
  /** Absent where no path was possible. */
  readonly path?: string;
  readonly fifo?: string;
  /** Reasons why a file could not be created, for the log. */
  readonly problems: readonly string[];
  /**
   * Passes connections on from now on, beginning with those that have waited.
   *
   * @param farewell what `end` and `shutdownCallersGone` do from now on
   */
  readonly serve: (
    onConnection: (socket: Socket) => void,
    onLines: (chunk: Buffer) => void,
    farewell: Farewell,
  ) => void;
  readonly end: Farewell['end'];
  readonly shutdownCallersGone: Farewell['shutdownCallersGone'];
  /** Removes the created files. */
  readonly close: () => void;
}

interface Made {
  readonly path: string;
  readonly inode: number;
}

/** The most connections that wait for the server to be loaded. */
const mostWaiting = 64;

export function openControlSocket(options: ControlSocketOptions): ControlSocket {
  const problems: string[] = [];
  const waiting: Socket[] = [];
  const chunks: Buffer[] = [];
  let handOver: ((socket: Socket) => void) | undefined;
  let takeLines: ((chunk: Buffer) => void) | undefined;
  const made: Made[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    if (handOver !== undefined) handOver(socket);
    else if (waiting.length < mostWaiting) waiting.push(socket);
    else socket.destroy();
  });
  server.on('error', () => undefined);

  const place = options.places.find((each) => isUsable(each, problems));
  const path = place === undefined ? undefined : listen(server, place.socket, made, options, problems);
  const fifo =
    place === undefined
      ? undefined
      : openFifo(place.fifo, made, options, problems, (chunk) => {
          if (takeLines !== undefined) takeLines(chunk);
          else if (chunks.length < mostWaiting) chunks.push(chunk);
        });
  if (place === undefined) {
    const tried = options.places.map(({ directory }) => directory).join(', ');
    problems.push(
      `no directory for the control socket can be written, so telchap and chaperonectl cannot reach this chaperone (tried: ${tried}): ${writableFolderHint}`,
    );
  }

  let farewell: Farewell = { end: () => Promise.resolve(), shutdownCallersGone: () => Promise.resolve() };
  return {
    ...(path === undefined ? {} : { path }),
    ...(fifo === undefined ? {} : { fifo: fifo.path }),
    problems,
    end: () => farewell.end(),
    shutdownCallersGone: () => farewell.shutdownCallersGone(),
    serve: (onConnection, onLines, served) => {
      farewell = served;
      handOver = onConnection;
      takeLines = onLines;
      for (const socket of waiting.splice(0)) onConnection(socket);
      for (const chunk of chunks.splice(0)) onLines(chunk);
    },
    close: () => {
      server.close();
      fifo?.socket.destroy();
      for (const { path: file, inode } of made) removeOwn(file, inode);
    },
  };
}

function isUsable({ directory, own, socket }: ControlPlace, problems: string[]): boolean {
  if (Buffer.byteLength(socket) > longestSocketPath) return false;
  try {
    // In a folder where another account could replace files, none is made: a socket has no descriptor to be changed by.
    if (own) makeOwnFolder(directory, 0o700);
    else checkFolder(directory);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof PathRefusal) problems.push(`no control socket is made in ${directory}: ${error.message}`);
    return false;
  }
  return !isListening(socket);
}

/** True where another chaperone listens there: proc_net_unix(5), flag SO_ACCEPTCON. */
function isListening(path: string): boolean {
  try {
    lstatSync(path);
    return readFileSync('/proc/net/unix', 'latin1')
      .split('\n')
      .some((line) => line.endsWith(` ${path}`) && line.split(/\s+/)[3] === '00010000');
  } catch {
    return false;
  }
}

function listen(
  server: Server,
  path: string,
  made: Made[],
  { uid }: ControlSocketOptions,
  problems: string[],
): string | undefined {
  try {
    removeStale(path, uid);
    // bind(2) and listen(2) have been called when this returns; an error comes later as an event, and there is no file
    // then.
    withMode(0o666, () => server.listen(path));
    made.push({ path, inode: lstatSync(path).ino });
    return path;
  } catch (error) {
    problems.push(`cannot create the control socket ${path}: ${codeOf(error) ?? String(error)}`);
    return undefined;
  }
}

function openFifo(
  path: string,
  made: Made[],
  { edge, uid }: ControlSocketOptions,
  problems: string[],
  onData: (chunk: Buffer) => void,
): { readonly path: string; readonly socket: Socket } | undefined {
  try {
    removeStale(path, uid);
    withMode(0o600, () => edge.makeFifo(path, 0o600));
    made.push({ path, inode: lstatSync(path).ino });
    // Opened for reading and writing, the FIFO always has a writer: it never ends, and the opening does not block.
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const socket = new Socket({ fd, readable: true, writable: false });
      socket.on('error', () => undefined);
      socket.on('data', onData);
      return { path, socket };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  } catch (error) {
    problems.push(`cannot create the command FIFO ${path}: ${codeOf(error) ?? String(error)}`);
    return undefined;
  }
}

/** Removes the file that an earlier chaperone has left; a file of another kind is kept. */
function removeStale(path: string, uid: number): void {
  try {
    const stats = lstatSync(path);
    if ((stats.isSocket() || stats.isFIFO()) && (stats.uid === uid || uid === 0)) unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Removes the file only if it is still this one's, because another chaperone may have replaced it. */
function removeOwn(path: string, inode: number): void {
  try {
    if (lstatSync(path).ino === inode) unlinkSync(path);
  } catch {
    // The file is gone already.
  }
}
