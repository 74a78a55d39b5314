/** The state before Node started, as the launcher has saved it. */
export interface LaunchEnvironment {
  /** The environment that the launcher was started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** RLIMIT_NOFILE before Node raised it; -1 is RLIM_INFINITY. Undefined where there was no launcher. */
  readonly descriptorLimit: { readonly soft: number; readonly hard: number } | undefined;
}

const keptPrefix = '_CHAPERONE_KEEP_';
const limitName = '_CHAPERONE_NOFILE';

/** Reads the launcher's notes from the environment that it made (native/launcher.c). */
export function readLaunchEnvironment(environment: NodeJS.ProcessEnv): LaunchEnvironment {
  const original: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || name === limitName) continue;
    original[name.startsWith(keptPrefix) ? name.slice(keptPrefix.length) : name] = value;
  }
  const limit = /^(-1|\d+):(-1|\d+)$/.exec(environment[limitName] ?? '');
  return {
    environment: original,
    descriptorLimit: limit === null ? undefined : { soft: Number(limit[1]), hard: Number(limit[2]) },
  };
}
