/** Asks chaperone for a probe whether services are ready. Loads as little code as possible. */
import { exitStatuses } from '../../control/answer.ts';
import { findSocket, request, UnreachableError } from '../../control/client.ts';

export interface Readiness {
  readonly exitStatus: number;
  /** Chaperone's answer, JSON; absent if it cannot be reached. */
  readonly body?: string;
  readonly complaint?: string;
}

/** Time limit, ms. A probe has its own, but a probe that hangs is worse than one that fails. */
const patience = 5_000;

/** Whether all services, or the named ones, are ready: 0 or 1; higher if that cannot be known. */
export async function probe(names: readonly string[]): Promise<Readiness> {
  const query = names.map((name) => `name=${encodeURIComponent(name)}`).join('&');
  const path = `/v1/ready${query === '' ? '' : `?${query}`}`;
  try {
    const socket = findSocket({ environment: process.env, uid: process.getuid?.() ?? 0 });
    const { status, body } = await request(socket, { method: 'GET', path, limit: patience });
    if (status === 200) return { exitStatus: exitStatuses.done, body };
    if (status === 503) return { exitStatus: exitStatuses.failed, body };
    // Other statuses are rare: a name that does not exist, too many requests.
    const { readReply } = await import('./reply.ts');
    return { exitStatus: readReply(body).exitStatus, body };
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    return { exitStatus: exitStatuses.unreachable, complaint: error.message };
  }
}
