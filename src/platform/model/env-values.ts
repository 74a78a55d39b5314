/** Where the values of an instance's variables come from. */
import type { EnvWish } from './run-entry.ts';

export interface EnvSources {
  /** The caller's environment, which wins over the others. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostConf: Readonly<Record<string, string>>;
  /** Addresses of the host's interfaces by name. */
  readonly interfaces: Readonly<Record<string, string>>;
}

export interface EnvResolution {
  readonly values: Readonly<Record<string, string>>;
  /** Variables that nobody gives a value: somebody has to be asked. */
  readonly missing: readonly string[];
  /** Interfaces that the host does not have. */
  readonly problems: readonly string[];
}

export function resolveEnv(wishes: Readonly<Record<string, EnvWish>>, sources: EnvSources): EnvResolution {
  const values: Record<string, string> = {};
  const missing: string[] = [];
  const problems: string[] = [];
  for (const [name, wish] of Object.entries(wishes)) {
    const given = own(sources.environment, name) ?? own(sources.hostConf, name);
    if (given !== undefined) {
      values[name] = given;
      continue;
    }
    switch (wish.kind) {
      case 'value':
        values[name] = wish.value;
        break;
      case 'required':
        missing.push(name);
        break;
      case 'interface': {
        const address = own(sources.interfaces, wish.name);
        if (address !== undefined) values[name] = address;
        else problems.push(noInterface(name, wish.name, sources.interfaces));
        break;
      }
    }
  }
  return { values, missing, problems };
}

/** The name of a variable may be that of a method of every object. */
function own<V>(record: Readonly<Record<string, V>>, name: string): V | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function noInterface(variable: string, name: string, interfaces: Readonly<Record<string, string>>): string {
  const known = Object.keys(interfaces);
  const there = known.length === 0 ? 'it has none with an IPv4 address' : `it has ${known.join(', ')}`;
  return `${variable} is "from_${name}", and the host has no interface ${name} with an IPv4 address: ${there}`;
}
