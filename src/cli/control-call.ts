/** What all verbs that talk to a running chaperone share. */
import { type AnswerKind, exitStatuses } from '../control/answer.ts';
import { findSocket, type ReplyReader, request, UnreachableError } from '../control/client.ts';
import { commandHelp, commandsOf, type Program } from './commands.ts';
import { writeAll } from './program-io.ts';

/** What came back for a command. */
export interface CommandReply {
  readonly kind: string;
  readonly text: string;
  readonly exitStatus: number;
  /** As it came. */
  readonly json: string;
}

export async function print(fd: 1 | 2, text: string): Promise<void> {
  try {
    await writeAll(fd, Buffer.from(text));
  } catch (error) {
    // A reader that has seen enough is no mistake.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
  }
}

export async function get(path: string, reader?: ReplyReader, limit?: number) {
  return request(socketPath(), {
    method: 'GET',
    path,
    ...(reader === undefined ? {} : { reader }),
    ...(limit === undefined ? {} : { limit }),
  });
}

export async function post(path: string, body: unknown, reader?: ReplyReader) {
  return request(socketPath(), { method: 'POST', path, body, ...(reader === undefined ? {} : { reader }) });
}

/** Sends a command as its words. */
export async function sendCommand(words: readonly string[]): Promise<CommandReply> {
  const { body } = await post('/v1/commands', { words });
  return readReply(body);
}

/** An answer, from the body of a reply. */
export function readReply(body: string): CommandReply {
  const value: unknown = parseJson(body);
  if (typeof value === 'object' && value !== null && 'text' in value && typeof value.text === 'string') {
    const kind = 'kind' in value && typeof value.kind === 'string' ? value.kind : 'failed';
    const exitStatus =
      'exitStatus' in value && typeof value.exitStatus === 'number' ? value.exitStatus : statusOf(kind);
    return { kind, text: value.text, exitStatus, json: body };
  }
  return { kind: 'failed', text: `chaperone's answer is not understood: ${body}`, exitStatus: 1, json: body };
}

function statusOf(kind: string): number {
  const kinds = Object.keys(exitStatuses).filter((name): name is AnswerKind => name === kind && name !== 'unreachable');
  return kinds[0] === undefined ? 1 : exitStatuses[kinds[0]];
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Runs a verb: its help, a chaperone that is not there, and what it prints for either. */
export async function withControl(
  program: Program,
  name: string,
  words: readonly string[],
  act: () => Promise<number>,
): Promise<number> {
  const help = commandsOf(program).find((command) => command.name === name);
  const end = words.indexOf('--');
  if (help !== undefined && (end < 0 ? words : words.slice(0, end)).includes('--help') && name !== 'run') {
    await print(1, commandHelp(program, help));
    return 0;
  }
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    await print(2, `${error.message}\n`);
    return exitStatuses.unreachable;
  }
}

/** Says what kept a verb from doing its work; returns the exit status. */
export async function refused(body: string, json: boolean): Promise<number> {
  const reply = readReply(body);
  await print(json ? 1 : 2, json ? reply.json : `${reply.text}\n`);
  return reply.exitStatus;
}

/** For a verb that takes no words: what of them is wrong. */
export async function refuseWords(name: string, words: readonly string[]): Promise<number | undefined> {
  const [word] = words;
  if (word === undefined) return undefined;
  const what = word.startsWith('-') ? `unknown option "${word}"` : `takes no "${word}"`;
  await print(2, `chaperonectl ${name}: ${what}\ntry "chaperonectl ${name} --help"\n`);
  return exitStatuses.mistake;
}

/** The words without an option that only the client knows. */
export function takeFlag(
  words: readonly string[],
  flag: string,
): { readonly set: boolean; readonly rest: readonly string[] } {
  const end = words.indexOf('--');
  const options = end < 0 ? words : words.slice(0, end);
  return {
    set: options.includes(flag),
    rest: [...options.filter((word) => word !== flag), ...words.slice(options.length)],
  };
}

export function socketPath(): string {
  return findSocket({ environment: process.env, uid: process.getuid?.() ?? 0 });
}
