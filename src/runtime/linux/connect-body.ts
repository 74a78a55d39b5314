/** Connects to the body: to the one that has started this program, or to one that this program starts. */
// biome-ignore lint/style/noRestrictedImports: the body is the one child of this program
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Body } from './body.ts';
import { type LaunchEnvironment, ownEnvironment, readLaunchEnvironment } from './launch-environment.ts';
import type { NativeEdge } from './native.ts';

/** In the brain's environment: the descriptors of the socket and, where there is one, of the saved environment. */
const bodyVariable = '_CHAPERONE_BODY';
/** In the environment of a body whose brain has started it: the descriptor of the socket. */
const brainVariable = '_CHAPERONE_BRAIN_FD';

export interface Launched extends LaunchEnvironment {
  readonly body: Body;
}

/** The body that has started this program; undefined where none has. */
export function connectBody(edge: NativeEdge, environment: NodeJS.ProcessEnv): Launched | undefined {
  const given = /^(\d+)(?::(\d+))?$/.exec(environment[bodyVariable] ?? '');
  if (given === null) return undefined;
  delete environment[bodyVariable];
  const saved = given[2] === undefined ? ownEnvironment(environment) : readLaunchEnvironment(Number(given[2]));
  return { ...saved, body: new Body(edge, Number(given[1]), process.ppid) };
}

/**
 * Starts a body for this program, which is no init: for commands in backticks that are checked, and for tests. It ends with
 * this program.
 *
 * @param program the path of the program `chaperone`
 */
export function startBody(edge: NativeEdge, program: string): Body {
  const [own, others] = edge.packetPair();
  const child = spawn(program, [], {
    stdio: ['inherit', 'inherit', 'inherit', others],
    env: { [brainVariable]: '3' },
  });
  closeSync(others);
  if (child.pid === undefined) throw new Error(`cannot start ${program}`);
  child.unref();
  return new Body(edge, own, child.pid);
}
