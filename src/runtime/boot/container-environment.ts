/**
 * The folder with a file for each variable: before each program starts, chaperone looks at what scripts have changed in it, and
 * writes the files that other programs read.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type Message, warning } from '../../model/log/messages.ts';
import {
  dumpedVariables,
  jsonDump,
  shellDump,
  valueOfFile,
  whyNoValue,
  withFolder,
} from '../../model/service/container-environment.ts';
import { codeOf, messageOf } from '../../model/words/errno.ts';
import { oneLine } from '../../model/words/printable.ts';
import type { Kernel } from '../kernel.ts';
import { fromBytes, toBytes } from '../linux/byte-text.ts';

/** A file that a shell reads at its start in images of this kind. */
const shellFile = '/env.sh';
/** A FIFO without a writer must not be waited for. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** The most bytes of one file. */
const largestFile = 1024 * 1024;

/** How much is remembered: texts of one variable, names of variables, and problems that were told. Scripts may write others for years. */
const mostTexts = 64;
const mostNames = 10_000;
const mostProblems = 256;

export interface FolderPorts {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** What the container was started with. */
  readonly given: Readonly<Record<string, string | undefined>>;
  readonly say: (message: Message) => void;
  /** Where `/env.sh` is written; tests have another place. */
  readonly shellFile?: string;
}

interface Read {
  readonly values: ReadonlyMap<string, string>;
  /** What is wrong with files, one sentence each. */
  readonly problems: readonly string[];
}

/** The variables of one container, as far as files tell of them. */
export class ContainerEnvironment {
  readonly #ports: FolderPorts;
  readonly #first: ReadonlyMap<string, string>;
  readonly #seen = new Map<string, Set<string>>();
  readonly #said = new Set<string>();
  #now: ReadonlyMap<string, string>;
  /** What the files were when they were read. */
  #state = '';
  #hasWritten = false;

  constructor(ports: FolderPorts) {
    this.#ports = ports;
    this.#state = stateOf(ports.folder);
    const { values, problems } = readFolder(ports.folder);
    // The reader of the configuration has told of these.
    for (const problem of problems) this.#said.add(problem);
    this.#first = values;
    this.#now = values;
    this.#note(values);
  }

  /** The kernel, which starts each program with what stands in the folder by then. */
  wrap(kernel: Kernel): Kernel {
    return new Proxy(kernel, {
      get: (target, name) => {
        if (name === 'spawn') {
          const spawn: Kernel['spawn'] = (request, told) =>
            target.spawn({ ...request, environment: this.environmentFor(request.environment) }, told);
          return spawn;
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  environmentFor(environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    this.#look();
    return withFolder(environment, {
      given: this.#ports.given,
      now: this.#now,
      first: this.#first,
      seen: this.#seen,
    });
  }

  #look(): void {
    const { folder, say } = this.#ports;
    const state = stateOf(folder);
    if (state !== this.#state) {
      this.#state = state;
      const { values, problems } = readFolder(folder);
      this.#now = values;
      this.#note(values);
      for (const problem of problems) {
        if (this.#saysAnew(problem)) say(warning(problem));
      }
    } else if (this.#hasWritten) return;
    this.#hasWritten = true;
    this.#write();
  }

  /** True where nothing was said of the problem yet; the oldest ones are forgotten. */
  #saysAnew(problem: string): boolean {
    if (this.#said.has(problem)) return false;
    remember(this.#said, problem, mostProblems);
    return true;
  }

  #note(values: ReadonlyMap<string, string>): void {
    for (const [name, value] of values) {
      // The reader of the configuration sees text, where bytes that are no UTF-8 are not told apart.
      const texts = this.#seen.get(name) ?? new Set();
      this.#seen.delete(name);
      this.#seen.set(name, texts);
      remember(texts, value, mostTexts);
      remember(texts, Buffer.from(toBytes(value)).toString('utf8'), mostTexts);
    }
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= mostNames) return;
      this.#seen.delete(oldest);
    }
  }

  /** Writes the files. What cannot be written is told, and nothing fails because of it. */
  #write(): void {
    const { folder, given, say, shellFile: path = shellFile } = this.#ports;
    const current: Record<string, string> = {};
    for (const [name, value] of Object.entries(given)) if (value !== undefined) current[name] = value;
    for (const [name, value] of this.#now) {
      if (given[name] === undefined || value !== this.#first.get(name)) current[name] = value;
    }
    const variables = dumpedVariables(current);
    const texts = [
      [`${folder}.sh`, toBytes(shellDump(variables))],
      [`${folder}.json`, Buffer.from(jsonDump(variables))],
      [path, toBytes(shellDump(variables))],
    ] as const;
    for (const [file, bytes] of texts) {
      try {
        replaceFile(file, bytes);
      } catch (error) {
        const problem = `cannot write the environment to ${file}: ${codeOf(error) ?? messageOf(error)}`;
        if (this.#saysAnew(problem)) say(warning(problem));
      }
    }
  }
}

/** Adds a text as the newest; the oldest ones have to leave. */
function remember(texts: Set<string>, text: string, most: number): void {
  texts.delete(text);
  texts.add(text);
  for (const oldest of texts) {
    if (texts.size <= most) return;
    texts.delete(oldest);
  }
}

/** What tells whether a folder or a file in it has changed. */
function stateOf(folder: string): string {
  try {
    const stateOfOne = (path: string): string => {
      const { ino, ctimeNs, mtimeNs, size } = lstatSync(path, { bigint: true });
      return [ino, ctimeNs, mtimeNs, size].join(' ');
    };
    return readdirSync(folder)
      .map((name) => `${name} ${stateOfOne(`${folder}/${name}`)}`)
      .sort()
      .join('\n');
  } catch (error) {
    return codeOf(error) ?? '';
  }
}

function readFolder(folder: string): Read {
  const values = new Map<string, string>();
  const problems: string[] = [];
  let names: readonly string[] = [];
  try {
    names = readdirSync(folder).sort();
  } catch (error) {
    problems.push(`"${folder}" is not read: ${codeOf(error) ?? messageOf(error)}`);
  }
  for (const name of names) {
    const path = `${folder}/${name}`;
    const read = readValue(path, name);
    if ('value' in read) values.set(name, read.value);
    else problems.push(`"${oneLine(path)}" is not read: ${read.why}`);
  }
  return { values, problems };
}

function readValue(path: string, name: string): { readonly value: string } | { readonly why: string } {
  try {
    const fd = openSync(path, flags);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) return { why: 'it is no file' };
      if (stats.size > largestFile) return { why: 'it is longer than 128 KiB' };
      const text = fromBytes(readFileSync(fd));
      const why = whyNoValue(name, text);
      return why === undefined ? { value: valueOfFile(text) } : { why };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return { why: codeOf(error) ?? messageOf(error) };
  }
}

/** Only root, or chaperone's own account, may read it; whoever reads it sees the old text or the new one. */
function replaceFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.chaperone-new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}
