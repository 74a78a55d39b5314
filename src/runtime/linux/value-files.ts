/** Reads whole files and folders for the variables of services, in threads of libuv's pool, so that no disk holds up the loop. */
import { closeSync, constants, fstat, read, readdir, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import {
  type FileRequest,
  type FileResult,
  largestValueFile,
  mostValueFiles,
} from '../../model/service/value-sources.ts';
import { codeOf, messageOf } from '../../model/words/errno.ts';
import { fromBytes } from './byte-text.ts';
import { doLater } from './file-steps.ts';
import { closeFolder, openFile, PathRefusal } from './safe-open.ts';

const later = { fstat: promisify(fstat), read: promisify(read), readdir: promisify(readdir) };
/** A FIFO without a writer, and a terminal, must not be waited for. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** How many starts read at a time: each holds two descriptors. */
const mostReaders = 8;

let readers = 0;
const waiting: (() => void)[] = [];

/** Reads one request after the other. The results have their order. */
export async function readValueFiles(requests: readonly FileRequest[]): Promise<readonly FileResult[]> {
  if (readers >= mostReaders) await new Promise<void>((resolve) => waiting.push(resolve));
  else readers += 1;
  try {
    const results: FileResult[] = [];
    for (const request of requests) results.push(await readOne(request));
    return results;
  } finally {
    const next = waiting.shift();
    if (next === undefined) readers -= 1;
    else next();
  }
}

async function readOne({ kind, path }: FileRequest): Promise<FileResult> {
  try {
    if (kind === 'folder') return { ok: true, texts: await readFolder(path) };
    return {
      ok: true,
      texts: kind === 'place' ? await look(path) : [['', (await readFile(path, largestValueFile)).text]],
    };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const where = error instanceof FileProblem ? { path: error.path } : {};
    const reason = error instanceof PathRefusal || error instanceof FileProblem ? { reason: messageOf(error) } : {};
    return { ok: false, code, ...where, ...reason };
  }
}

/** What is wrong with a file that the kernel would let be read. */
class FileProblem extends Error {
  readonly code: string;
  readonly path: string;

  constructor(code: string, path: string, message: string) {
    super(message);
    this.code = code;
    this.path = path;
  }
}

/** Opens a file for as long as `use` takes. */
async function withFile<Result>(path: string, use: (fd: number, stats: Stats) => Promise<Result>): Promise<Result> {
  const { fd, stats, place } = await doLater(openFile(path, { flags, anyOwner: true, forbidden: 0 }));
  closeFolder(place.folder);
  try {
    return await use(fd, stats);
  } finally {
    closeSync(fd);
  }
}

function requireFile(path: string, stats: Stats): void {
  if (stats.isDirectory()) throw Object.assign(new Error(path), { code: 'EISDIR' });
  if (stats.isFile()) return;
  const kind = stats.isFIFO() ? 'a FIFO' : stats.isSocket() ? 'a socket' : 'a device';
  throw new FileProblem('EINVAL', path, `it is ${kind}, and no regular file`);
}

function look(path: string): Promise<[]> {
  return withFile(path, async (_, stats) => {
    requireFile(path, stats);
    return [];
  });
}

function readFile(path: string, most: number): Promise<{ readonly text: string; readonly size: number }> {
  return withFile(path, async (fd, stats) => {
    requireFile(path, stats);
    // Files of /proc and the like have no size, and others may grow meanwhile.
    if (stats.size > most) throw Object.assign(new Error(path), { code: 'EFBIG' });
    const chunks: Uint8Array[] = [];
    for (let size = 0; ; ) {
      const buffer = Buffer.alloc(Math.min(65_536, most + 1 - size));
      const { bytesRead } = await later.read(fd, buffer, 0, buffer.length, null);
      if (bytesRead === 0) return { text: fromBytes(Buffer.concat(chunks)), size };
      size += bytesRead;
      if (size > most) throw Object.assign(new Error(path), { code: 'EFBIG' });
      chunks.push(buffer.subarray(0, bytesRead));
    }
  });
}

/** Names that begin with a dot are left out: Kubernetes has its links there. */
async function readFolder(path: string): Promise<readonly (readonly [string, string])[]> {
  const names = (await later.readdir(path)).filter((name) => !name.startsWith('.')).sort();
  if (names.length > mostValueFiles) throw new FileProblem('EFBIG', path, `it holds more than ${mostValueFiles} files`);
  const texts: (readonly [string, string])[] = [];
  let left = largestValueFile;
  for (const name of names) {
    const { text, size } = await readFile(`${path}/${name}`, left).catch((error: unknown) => {
      throw inside(error, `${path}/${name}`);
    });
    left -= size;
    texts.push([name, text]);
  }
  return texts;
}

/** Names the file of a folder. */
function inside(error: unknown, path: string): unknown {
  const code = codeOf(error);
  if (code === undefined || error instanceof FileProblem || error instanceof PathRefusal) return error;
  if (code === 'EFBIG') return new FileProblem(code, path, 'the files are larger than 1 MiB together');
  if (code === 'EISDIR') return new FileProblem(code, path, 'it is a directory');
  return new FileProblem(code, path, code);
}
