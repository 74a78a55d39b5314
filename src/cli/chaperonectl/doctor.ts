import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UnreachableError } from '../../control/client.ts';
import { adviceFor, type Finding } from '../../model/place/place-advice.ts';
import type { PlaceFacts } from '../../model/place/place-facts.ts';
import { parseAccounts } from '../../model/service/accounts.ts';
import type { SystemSpec } from '../../model/service/service-spec.ts';
import { configFiles } from '../../runtime/linux/config-files.ts';
import { findProgram } from '../../runtime/linux/find-program.ts';
import { imageConventions } from '../../runtime/linux/image-files.ts';
import { ownEnvironment } from '../../runtime/linux/launch-environment.ts';
import { lookAtPlace } from '../../runtime/linux/look-at-place.ts';
import { loadWithStandIns } from '../../runtime/simulated/stand-ins.ts';
import { defaultConfig } from '../default-config.ts';
import { get } from './control-call.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { config as configOption, json } from './verb-options.ts';

/** Says what this place allows, and what that means for the configuration. Starts and changes nothing. */
export async function run({ given }: Request): Promise<number> {
  const spec = readConfiguration(resolve('/', given.get(configOption) ?? defaultConfig));
  const place = lookAtPlace({
    environment: process.env,
    uid: process.getuid?.() ?? 0,
    folders: foldersOf(spec),
    isRunning: await isRunning(),
  });
  const findings = adviceFor(place, spec);
  await print(1, given.get(json) ? `${JSON.stringify(asJson(place, findings))}\n` : render(findings));
  return findings.some(({ level }) => level === 'bad') ? 1 : 0;
}

/** The configuration, with nothing run; undefined where there is none, or where it has mistakes, which `check` tells. */
function readConfiguration(configPath: string): SystemSpec | undefined {
  const text = (path: string): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  };
  const { environment } = ownEnvironment(process.env);
  return loadWithStandIns(
    { configPath, assumesRequired: true },
    {
      reader: configFiles,
      environment,
      accounts: parseAccounts(text('/etc/passwd'), text('/etc/group')),
      findProgram,
      conventions: imageConventions(environment),
    },
  ).spec;
}

/** The folders in which log files, the journal and the sockets of the configuration are to be made. */
function foldersOf(spec: SystemSpec | undefined): readonly string[] {
  const files = [
    ...(spec?.logging ?? []).flatMap(({ file, enabled }) => (file === undefined || !enabled ? [] : [file])),
    ...(spec?.journal.path === undefined ? [] : [spec.journal.path]),
    ...(spec?.enableSyslog === true ? [spec.logSocket] : []),
  ];
  // The folder of a path with the time in it has another name each day.
  return files.map(dirname).filter((folder) => folder.startsWith('/') && folder !== '/' && !folder.includes('%'));
}

async function isRunning(): Promise<boolean> {
  try {
    await get('/v1/services');
    return true;
  } catch (error) {
    if (error instanceof UnreachableError) return false;
    throw error;
  }
}

const marks: Readonly<Record<Finding['level'], string>> = { good: ' ', note: '·', bad: '✗' };

function render(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ area }) => area.length));
  const lines = findings.flatMap(({ level, area, text, advice }) => [
    `${marks[level]} ${area.padEnd(width)}  ${text}`,
    ...(advice === undefined ? [] : [`  ${' '.repeat(width)}  ${level === 'bad' ? 'to do' : 'if needed'}: ${advice}`]),
  ]);
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length;
  const bad = count('bad');
  const end =
    bad === 0
      ? 'Nothing here keeps the configuration from working.'
      : `${bad === 1 ? '1 thing' : `${bad} things`} here (✗) cannot work as configured.`;
  return `${lines.join('\n')}\n\n${end}\n`;
}

function asJson(place: PlaceFacts, findings: readonly Finding[]) {
  const { capabilities } = place;
  const named = { effective: [...capabilities.effective], bounding: [...capabilities.bounding] };
  // Without a bound: null, since JSON leaves out what is undefined.
  const limits = place.limits.map(({ name, soft, hard }) => ({ name, soft: soft ?? null, hard: hard ?? null }));
  return { findings, place: { ...place, capabilities: named, limits } };
}
