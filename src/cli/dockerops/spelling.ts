/**
 * The original's form of a command, `run:web,instance=a,cache=False`, as words: `run web --instance=a --cache=False`. As in
 * Fabric, whose form it is, a backslash before a comma or an equals sign makes it a part of the text.
 */
export function respelled(given: readonly string[]): readonly string[] {
  const index = given.findIndex((word) => !word.startsWith('-'));
  const [, verb, rest] = /^([A-Za-z][\w-]*):(.*)$/s.exec(given[index] ?? '') ?? [];
  if (verb === undefined || rest === undefined) {
    const old = oldVerbs[given[index] ?? ''];
    return old === undefined ? given : given.with(index, old);
  }
  const names: string[] = [];
  const options: string[] = [];
  for (const part of split(rest, ',')) {
    const [key = '', ...values] = split(part, '=');
    if (values.length > 0) options.push(`--${key.trim().replaceAll('_', '-')}=${values.map(plain).join('=')}`);
    else if (names.length === 0) names.push(plain(key));
    // The second word of the original's tasks is the instance.
    else options.push(`--instance=${plain(key)}`);
  }
  return [
    ...given.slice(0, index),
    oldVerbs[verb] ?? verb,
    ...options,
    ...names.filter((name) => name !== ''),
    ...given.slice(index + 1),
  ];
}

/** Names that the original had for verbs. */
const oldVerbs: Readonly<Record<string, string>> = {
  getip: 'ip',
  run_bash: 'run-bash',
  kill_all: 'killall',
  stop_all: 'stopall',
};

/** Parts with their backslashes, which `plain` takes away. */
function split(text: string, separator: string): readonly string[] {
  const parts: string[] = [''];
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '\\' && index + 1 < text.length) {
      parts.push(`${parts.pop() ?? ''}${character}${text.charAt(index + 1)}`);
      index += 1;
    } else if (character === separator) parts.push('');
    else parts.push(`${parts.pop() ?? ''}${character}`);
  }
  return parts;
}

function plain(text: string): string {
  return text.replace(/\\([,=\\])/g, '$1');
}
