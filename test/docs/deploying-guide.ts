/** The examples of docs/guide/deploying.md, by name, for the tests that read, boot and run them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const guide = readFileSync(join(import.meta.dirname, '../../docs/guide/deploying.md'), 'utf8');

const blocks = (kind: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    [...guide.matchAll(new RegExp(`<!-- ${kind}: (\\S+) -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
      ([, name = '', text = '']) => [name, text],
    ),
  );
export const files = blocks('file');
export const configurations = blocks('configuration');

const named = (texts: Readonly<Record<string, string>>, name: string): string => {
  const text = texts[name];
  if (text === undefined) throw new Error(`docs/guide/deploying.md has no example ${name}`);
  return text;
};
export const file = (name: string): string => named(files, name);
export const configuration = (name: string): string => named(configurations, name);

/** The lines of a block of commands. */
export function commandLines(name: string): readonly string[] {
  const block = new RegExp(`<!-- run: ${name} -->\\s+\`\`\`\\n([\\s\\S]*?)\`\`\``).exec(guide)?.[1];
  if (block === undefined) throw new Error(`docs/guide/deploying.md has no commands ${name}`);
  return block
    .trim()
    .split('\n')
    .map((line) => line.trim());
}
