/** The question of a probe. Loads as little as can be. */
import { exitStatuses } from '../../control/answer.ts';
import { findSocket, request, UnreachableError } from '../../control/client.ts';

export interface Readiness {
  readonly exitStatus: number;
  /** What chaperone answered, JSON; absent where it cannot be reached. */
  readonly body?: string;
  readonly complaint?: string;
}

/** A probe has its own limit, but one that hangs is worse than one that fails. ms. */
const patience = 5_000;

/** Whether all services, or these, are ready: 0 or 1, more where it cannot be known. */
export async function probe(names: readonly string[]): Promise<Readiness> {
  const query = names.map((name) => `name=${encodeURIComponent(name)}`).join('&');
  const path = `/v1/ready${query === '' ? '' : `?${query}`}`;
  try {
    const socket = findSocket({ environment: process.env, uid: process.getuid?.() ?? 0 });
    const { status, body } = await request(socket, { method: 'GET', path, limit: patience });
    if (status === 200) return { exitStatus: exitStatuses.done, body };
    if (status === 503) return { exitStatus: exitStatuses.failed, body };
    // Few: a name that does not exist, too many requests.
    const { readReply } = await import('./reply.ts');
    return { exitStatus: readReply(body).exitStatus, body };
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    return { exitStatus: exitStatuses.unreachable, complaint: error.message };
  }
}
