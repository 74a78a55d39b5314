/** The state in which the body was started, as it has saved it in a file in memory (native/body/brain.c). */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { fromBytes } from './byte-text.ts';

export interface LaunchEnvironment {
  /** The environment of the body. Bytes that are not UTF-8 are as `fromBytes` writes them. */
  readonly environment: Readonly<Record<string, string>>;
  /** RLIMIT_NOFILE before Node raised it; -1 is RLIM_INFINITY. Undefined where nothing was saved. */
  readonly descriptorLimit: { readonly soft: number; readonly hard: number } | undefined;
}

/** Reads the file and closes it. */
export function readLaunchEnvironment(fd: number): LaunchEnvironment {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  for (let at = 0, read = -1; at < bytes.length && read !== 0; at += read) {
    read = readSync(fd, bytes, at, bytes.length - at, at);
  }
  closeSync(fd);
  const [limits = '', ...variables] = fromBytes(bytes).split('\0');
  const pairs = variables.flatMap((variable): readonly (readonly [string, string])[] => {
    const equals = variable.indexOf('=');
    return equals > 0 ? [[variable.slice(0, equals), variable.slice(equals + 1)]] : [];
  });
  const limit = /^(-1|\d+):(-1|\d+)$/.exec(limits);
  return {
    // Not by assignment, which does something else for a variable with the name `__proto__`.
    environment: Object.fromEntries(pairs),
    descriptorLimit: limit === null ? undefined : { soft: Number(limit[1]), hard: Number(limit[2]) },
  };
}

/** The environment of this process, for a program that no body has started. */
export function ownEnvironment(environment: NodeJS.ProcessEnv): LaunchEnvironment {
  const defined = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { environment: Object.fromEntries(defined), descriptorLimit: undefined };
}
