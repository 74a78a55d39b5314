/** Reads the directives about values that are read at each start: files of variables, folders and secrets. */
import type { SecretSource, ValueSources } from '../model/service/value-sources.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import { type Environment, type EnvironmentLevel, type ExpansionContext, expandDirective } from './environment.ts';
import { placeWithin, type YamlScalar } from './parse-yaml.ts';
import type { Report } from './report.ts';
import { expandedText, scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';
import { quote } from './wording.ts';

const valueKeys: readonly string[] = ['env_file', 'env_dir', 'secrets'];

export function hasValues(section: Section): boolean {
  return valueKeys.some((key) => section.values.has(key));
}

/** A secret as it is written; a list of names has them in the usual folder. */
interface WrittenSecret {
  readonly name: string;
  readonly scalar: YamlScalar;
  /** Absent: /run/secrets/NAME. */
  readonly path?: YamlScalar;
}

const secretsFolder = '/run/secrets';

function writtenSecrets(section: Section): readonly WrittenSecret[] {
  const value = section.values.get('secrets');
  if (value?.kind === 'textMap')
    return [...value.entries].map(([name, scalar]) => ({
      name,
      scalar,
      ...(scalar.isNull || scalar.text.trim() === '' ? {} : { path: scalar }),
    }));
  if (value?.kind !== 'scalars') return [];
  return value.scalars.flatMap((scalar) =>
    [...scalar.text.matchAll(/[^\s,]+/g)].map(({ 0: name, index }) => ({
      name,
      scalar: { ...scalar, place: placeWithin(scalar, index, name.length) },
    })),
  );
}

export function secretNamesOf(section: Section): readonly string[] {
  return writtenSecrets(section).map(({ name }) => name);
}

/** Such a variable holds the path of the secret, which is none itself. */
function isPlaceName(name: string): boolean {
  return name.endsWith('_FILE');
}

/** The innermost level: stand-ins for secrets, and the paths of those that are given by path. */
export function secretLevels(section: Section): readonly EnvironmentLevel[] {
  const secrets = writtenSecrets(section);
  if (secrets.length === 0) return [];
  const values = new Map(secrets.filter(({ name }) => !isPlaceName(name)).map(({ name }) => [name, '***']));
  const paths = secrets.filter(({ name }) => isPlaceName(name));
  return [
    { values: new Map(paths.map(({ name, path }) => [name, path?.text ?? `${secretsFolder}/${name}`])) },
    { values, data: 'literal', secret: true },
  ];
}

/** @param outer so many of the levels stand further out than what is read; see `ValueSources` */
export function readValues(
  section: Section,
  environment: Environment,
  { enabled, report }: Pick<ExpansionContext, 'enabled' | 'report'>,
  outer: number,
): ValueSources {
  const envDir = expandedText(section, 'env_dir', environment, enabled, report)?.trim();
  const dirScalar = scalarOf(section, 'env_dir');
  if (envDir !== undefined && dirScalar !== undefined) checkPath(section, 'env_dir', dirScalar, envDir, report);
  const secrets = readSecrets(section, environment, { enabled, report });
  const { levels, commands } = environment;
  return {
    ...(envDir === undefined ? {} : { envDir }),
    envFiles: readEnvFiles(section, environment, { enabled, report }),
    secrets: secrets.filter(({ name }) => !isPlaceName(name)),
    places: secrets.filter(({ name }) => isPlaceName(name)),
    levels: levels
      .filter(({ secret }) => secret !== true)
      .map(({ owner: _owner, scalars: _scalars, secret: _secret, ...level }) => level),
    outer,
    outputs: commands.outputs,
  };
}

function readEnvFiles(
  section: Section,
  environment: Environment,
  { enabled, report }: Pick<ExpansionContext, 'enabled' | 'report'>,
): ValueSources['envFiles'] {
  const value = section.values.get('env_file');
  if (value?.kind !== 'scalars') return [];
  return value.scalars.flatMap((scalar) => {
    const text = expandDirective(environment, 'env_file', scalar, { owner: section.name, enabled, report })?.trim();
    if (text === undefined || text === '') return [];
    const optional = text.startsWith('-');
    const path = optional ? text.slice(1).trim() : text;
    return checkPath(section, 'env_file', scalar, path, report) ? [{ path, optional }] : [];
  });
}

function readSecrets(
  section: Section,
  environment: Environment,
  { enabled, report }: Pick<ExpansionContext, 'enabled' | 'report'>,
): readonly SecretSource[] {
  const set = section.values.get('env_set');
  return writtenSecrets(section).flatMap(({ name, scalar, path }) => {
    const complain = (code: DiagnosticCode, message: string, hint: string): readonly SecretSource[] => {
      report.error(code, message, scalar.place, { hint });
      return [];
    };
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      const message = `${quote(name)} in secrets of ${section.name} is not a name for a variable`;
      return complain('bad-variable-name', message, 'expected letters, digits and underscores');
    }
    if (set?.kind === 'textMap' && set.entries.has(name)) {
      const message = `${name} stands in secrets and in env_set of ${section.name}`;
      return complain('contradiction', message, 'expected only one of them');
    }
    if (path === undefined) return [{ name, path: `${secretsFolder}/${name}` }];
    const text = expandDirective(environment, 'secrets', path, { owner: section.name, enabled, report })?.trim();
    if (text === undefined) return [];
    return checkPath(section, `${name} in secrets`, scalar, text, report) ? [{ name, path: text }] : [];
  });
}

function checkPath(section: Section, label: string, { place }: YamlScalar, path: string, report: Report): boolean {
  if (path.startsWith('/')) return true;
  report.error('bad-path', `${label} of ${section.name} is no absolute path: ${quote(path)}`, place, {
    hint: 'expected a path that begins with /',
  });
  return false;
}
