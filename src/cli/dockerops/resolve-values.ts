/** The values of variables of the instances that shall run; who sits at the terminal is asked for those that are missing. */
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withHostValue } from '../../platform/conf/write-host-conf.ts';
import { type Project, readText } from '../../platform/host/find-project.ts';
import { interfaceAddresses } from '../../platform/host/interfaces.ts';
import { resolveEnv } from '../../platform/model/env-values.ts';
import { instanceKey } from '../../platform/model/instance.ts';
import type { EnvWish, RunEntry } from '../../platform/model/run-entry.ts';
import { ask, canAsk, complain } from './console.ts';
import { exitStatuses, refuse, Told } from './context.ts';

type Values = ReadonlyMap<RunEntry, Readonly<Record<string, string>>>;

/** @param wishes the variables of each entry */
export async function resolveValues(
  project: Project,
  wishes: ReadonlyMap<RunEntry, Readonly<Record<string, EnvWish>>>,
): Promise<Values> {
  const host: Record<string, string> = { ...project.host };
  const sources = { environment: process.env, interfaces: interfaceAddresses() };
  const values = new Map<RunEntry, Readonly<Record<string, string>>>();
  const complaints: string[] = [];
  for (const [entry, own] of wishes) {
    let resolution = resolveEnv(own, { ...sources, hostConf: host });
    for (const name of canAsk() ? resolution.missing : []) {
      const value = await ask(`${instanceKey(entry)} needs a value for ${name} (it is saved in host.conf): `);
      if (value === undefined || value === '') return refuse(`${instanceKey(entry)}: ${name} has no value`);
      host[name] = value;
      saveValue(project, name, value);
    }
    resolution = resolveEnv(own, { ...sources, hostConf: host });
    const missing = resolution.missing.map((name) => `${name} has no value: set it in the environment or in host.conf`);
    complaints.push(...[...missing, ...resolution.problems].map((text) => `${instanceKey(entry)}: ${text}`));
    values.set(entry, resolution.values);
  }
  if (complaints.length === 0) return values;
  for (const complaint of complaints) await complain(complaint);
  throw new Told(exitStatuses.failed);
}

/** A value that a person types may be a secret: only its owner may read the file, unless somebody has given it other rights. */
function saveValue({ places }: Project, name: string, value: string): void {
  const own = join(places.folder, 'host.conf');
  const beside = join(places.containersFolder, 'host.conf');
  const file = !existsSync(own) && existsSync(beside) ? beside : own;
  const before = readText(file);
  writeFileSync(file, withHostValue(before ?? '', name, value), { mode: 0o600 });
  if (before === undefined) chmodSync(file, 0o600);
}
