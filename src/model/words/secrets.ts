/**
 * Keeps secrets out of chaperone's own words: the log, explanations, the journal, pages, the API and dry runs. What services
 * print is theirs and is not looked at. Which variables hold secrets is guessed from their names, as people choose them.
 */

/** Stands for a secret. */
export const masked = '***';

/** The shortest value that is looked for in other texts: a shorter one would be found in words that mean something else. */
const shortestValue = 4;

const secretName = /PASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|CREDENTIAL|APIKEY|(?:^|_)(?:KEY|PASS|PWD|AUTH|PIN)$/i;
/** Names of this shape say where a secret is: the path itself is none. */
const placeName = /_(?:FILE|PATH|DIR)$/i;
/** A shell's own, and the name of a socket. */
const harmless: ReadonlySet<string> = new Set(['PWD', 'OLDPWD', 'SSH_AUTH_SOCK']);

/**
 * Tells whether a variable's value is not to be shown: `*PASSWORD*`, `*PASSWD*`, `*PASSPHRASE*`, `*TOKEN*`, `*SECRET*`,
 * `*CREDENTIAL*`, `*APIKEY*`, and what ends in `_KEY`, `_PASS`, `_PWD`, `_AUTH` or `_PIN`, in any case of letters.
 */
export function isSecretName(name: string): boolean {
  return secretName.test(name) && !harmless.has(name.toUpperCase());
}

/** A variable's value as it may be shown. */
export function shownValue(name: string, value: string): string {
  return value !== '' && isSecretName(name) ? masked : maskUrls(value);
}

/**
 * An environment as it may be shown: a value that has another one's secret in it is masked there.
 *
 * @param hidden further variables that hold secrets, whatever their names are
 */
export function shownEnvironment(
  environment: Readonly<Record<string, string>>,
  hidden: ReadonlySet<string> = new Set(),
): Readonly<Record<string, string>> {
  const secrets = hidden.size === 0 ? secretsIn(environment) : secretValues(Object.entries(environment), hidden);
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      hidden.has(name) ? masked : maskSecrets(shownValue(name, value), secrets),
    ]),
  );
}

/**
 * The values to look for in other texts, the longest first, since one may be a part of another.
 *
 * @param hidden further variables that hold secrets
 */
export function secretValues(
  variables: Iterable<readonly [string, string]>,
  hidden?: ReadonlySet<string>,
): readonly string[] {
  const values = new Set<string>();
  for (const [name, value] of variables) {
    const isSecret = hidden?.has(name) === true || (isSecretName(name) && !placeName.test(name));
    if (value.length >= shortestValue && isSecret) values.add(value);
  }
  return [...values].sort((one, other) => other.length - one.length);
}

/** By environment, since many services share one, and each start asks. */
const known = new WeakMap<Readonly<Record<string, string>>, readonly string[]>();

/** The values of an environment to look for in other texts. */
export function secretsIn(environment: Readonly<Record<string, string>>): readonly string[] {
  const found = known.get(environment) ?? secretValues(Object.entries(environment));
  known.set(environment, found);
  return found;
}

/** A text without the secrets in it. */
export function maskSecrets(text: string, secrets: readonly string[]): string {
  return maskUrls(secrets.reduce((rest, secret) => rest.replaceAll(secret, () => masked), text));
}

/** The command of a service as it may be shown. */
export function shownCommand({
  command,
  environment,
}: {
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
}): string {
  return maskSecrets(command, secretsIn(environment));
}

/** The password in `scheme://user:password@host`. */
function maskUrls(text: string): string {
  return text.includes('://') ? text.replace(/(:\/\/[^\s/:@"']{0,200}):[^\s/@"']{1,1000}@/g, `$1:${masked}@`) : text;
}

/**
 * A line of a configuration without the secrets that are written in it, at the same length, so that columns keep their
 * meaning: the value behind `NAME:` or `NAME=` with the name of a secret. A value that is expanded is none.
 */
export function maskAssignments(line: string): string {
  let shown = '';
  let copied = 0;
  for (const match of line.matchAll(/(?<![$][({])\b([A-Za-z_]\w{0,200})["']?(?:\s{0,20}:\s{1,20}|["']:|=)/g)) {
    const [assignment, name = ''] = match;
    const from = match.index + assignment.length;
    if (from < copied || !isSecretName(name)) continue;
    const value = valueAt(line, from, assignment.endsWith('='));
    if (value === '' || /^["']?[{[]|\$[({]|`/.test(value)) continue;
    shown += line.slice(copied, from) + value.replace(/[^\s"']/gu, '*');
    copied = from + value.length;
  }
  return shown + line.slice(copied);
}

/** The value that begins at an index: in quotes, or up to what ends a plain one. */
function valueAt(line: string, from: number, isWord: boolean): string {
  const at = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = from;
    return pattern.exec(line)?.[0];
  };
  return at(/\s*(?:"(?:[^"\\]|\\.)*"|'[^']*')/y) ?? at(isWord ? /[^\s"']*/y : /(?:(?! #)[^,}\]])*/y) ?? '';
}
