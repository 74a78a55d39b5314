import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { telchap } from '../boot/by-hand.ts';
import { type Booted, boot } from '../boot/namespace.ts';

const guide = readFileSync(new URL('../../docs/guide/coming-from-python-chaperone.md', import.meta.url), 'utf8');

interface Example {
  readonly name: string;
  readonly config: string;
  /** What is typed, each time with the lines that are shown after it. */
  readonly steps: readonly { readonly typed: string; readonly shown: readonly string[] }[];
}

const examples: readonly Example[] = [
  ...guide.matchAll(/<!-- run: ([\w-]+) -->\n+```yaml\n(.*?)```\n+```\n(.*?)```/gs),
].map(([, name = '', config = '', session = '']) => ({
  name,
  config,
  steps: session
    .trimEnd()
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [typed = '', ...shown] = step.trimEnd().split('\n');
      return { typed, shown };
    }),
}));

/** A line as the guide shows it: without time and host name, and with the pid 15 for every process but PID 1. */
function asShown(line: string, system: Booted): string {
  return line
    .replaceAll(system.directory, '/etc')
    .replace(new RegExp(`^\\w{3} [ \\d]\\d [\\d:]{8} ${hostname()} `), '')
    .replace(/^(?!chaperone\[)(\S+\[)\d+\]:/, '$115]:')
    .replace(/\bpid=\d+/, 'pid=15')
    .replace(/ in [\d.]+ s \(restart_limit\)/, ' in 0.5 s (restart_limit)');
}

/** `docker run [-e NAME=VALUE]… IMAGE [argument…]` */
function parseRun(typed: string): { readonly env: Readonly<Record<string, string>>; readonly args: readonly string[] } {
  const words = [...typed.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  const image = words.indexOf('IMAGE');
  const settings = words.slice(2, image).filter((word) => word !== '-e');
  return {
    env: Object.fromEntries(settings.map((setting) => setting.split(/=(.*)/s, 2))),
    args: words.slice(image + 1),
  };
}

describe('docs/guide/coming-from-python-chaperone.md', () => {
  it('marks each of its configurations to be run', () => {
    expect(examples.map(({ name }) => name)).not.toEqual([]);
    expect(examples).toHaveLength((guide.match(/^```yaml$/gm) ?? []).length);
    expect(new Set(examples.map(({ name }) => name)).size).toBe(examples.length);
  });

  it.each(examples)('shows what happens: $name', async ({ config, steps: [first, ...steps] }) => {
    const { env, args } = parseRun(first?.typed ?? '');
    const system = boot({ merge: true, files: { 'web.conf': config }, env, args });
    const lines = (): readonly string[] => system.lines().map((line) => asShown(line, system));
    let from = 0;
    /** Waits for lines in this order. */
    const follow = async (wanted: readonly string[]): Promise<void> => {
      for (const line of wanted) {
        const index = await system.untilOutput(`line "${line}"`, () => {
          const found = lines().indexOf(line, from);
          return found < 0 ? undefined : found;
        });
        from = index + 1;
      }
    };
    const all = [...(first?.shown ?? []), ...steps.flatMap(({ shown }) => shown)];
    const status = /^exit status (\d+)$/.exec(all.at(-1) ?? '')?.[1];
    const ofSystem = (shown: readonly string[]): readonly string[] =>
      shown.filter((line) => !line.startsWith('exit status '));
    await follow(ofSystem(first?.shown ?? []));
    for (const { typed, shown } of steps) {
      const [program = '', ...words] = typed.split(' ');
      if (program === 'telchap') {
        const { text } = await telchap(system, ...words);
        expect(text).toContain(shown.join('\n'));
        continue;
      }
      expect(typed).toBe('docker stop');
      system.signal('SIGTERM');
      await follow(ofSystem(shown));
    }
    expect(await system.exit).toBe(Number(status));
  });
});
