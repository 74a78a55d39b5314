/** Reads chaperone's answers from the socket. */
import { type AnswerKind, exitStatuses } from '../../control/answer.ts';

/** The reply to a command. */
export interface CommandReply {
  readonly kind: string;
  readonly text: string;
  readonly exitStatus: number;
  /** The body as it came. */
  readonly json: string;
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
