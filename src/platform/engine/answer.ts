/** From what a client of the Docker Engine API throws to an answer. */
import type { EngineAnswer, EngineFailure } from './engine.ts';

/** docker-modem wraps the engine's message: `(HTTP code 404) no such container - No such container: x `. */
const wrapped = /^\(HTTP code \d+\) .*? - (.*?)\s*$/s;

export function succeed<T>(value: T): EngineAnswer<T> {
  return { ok: true, value };
}

export function fail<T>(failure: EngineFailure): EngineAnswer<T> {
  return { ok: false, failure };
}

/** @param address of the engine, for a message about an engine that does not answer */
export function failureOf(error: unknown, address: string): EngineFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === 'AbortError') return { kind: 'abandoned', message };
  const status = statusOf(error);
  if (status === undefined) {
    return { kind: 'unreachable', message: `cannot reach the container engine at ${address}: ${message}` };
  }
  return failureOfStatus(status, wrapped.exec(message)?.[1] ?? message);
}

/** The failure that the engine names by the status of its HTTP answer. */
export function failureOfStatus(status: number, message: string): EngineFailure {
  if (status === 404) return { kind: 'absent', message };
  if (status === 409) return { kind: 'conflict', message };
  return { kind: 'refused', status, message };
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

/** Calls the engine; what the client throws becomes an answer. */
export async function answerOf<T>(address: string, call: () => Promise<T>): Promise<EngineAnswer<T>> {
  try {
    return succeed(await call());
  } catch (error) {
    return fail(failureOf(error, address));
  }
}
