/** The images of the guides on persistence and on phusion's images are run as they stand there. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { container, type ImageFile } from '../boot/image.ts';
import { type Booted, isRoot } from '../boot/namespace.ts';
import { loadImage } from '../conventions/memory-image.ts';

beforeEach((context) => {
  if (!isRoot) context.skip('only root can mount the layers of an image');
});

interface Guide {
  readonly files: Readonly<Record<string, ImageFile>>;
  /** What the log shows, by the names of the blocks. */
  readonly logs: ReadonlyMap<string, readonly string[]>;
  readonly recipes: readonly string[];
}

function guide(name: string): Guide {
  const text = readFileSync(new URL(`../../docs/guide/${name}.md`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/<!-- (file|log|recipe)(?:: ([^ ]+))? -->\n+```\w*\n(.*?)```/gs)];
  const of = (kind: string) =>
    blocks.flatMap(([, each, key = '', body = '']) => (each === kind ? [[key, body] as const] : []));
  return {
    files: Object.fromEntries(of('file')),
    logs: new Map(of('log').map(([key, body]) => [key, body.trimEnd().split('\n')])),
    recipes: of('recipe').map(([, body]) => body),
  };
}

/** The lines of programs and of chaperone itself, without times and pids, of those that the guide shows. */
function shown(system: Booted, wanted: readonly string[]): readonly string[] {
  return system
    .lines()
    .map((line) => line.replace(/^\w{3} [ \d]\d [\d:]{8} \S+ /, '').replace(/^chaperone\[\d+\]: /, ''))
    .map((line) => line.replace(/^(\S+)\[\d+\]: /, '$1: '))
    .filter((line) => wanted.includes(line));
}

async function run(
  files: Guide['files'],
  end: RegExp,
  options: Parameters<ReturnType<typeof container>['run']>[0],
  image = container(files, { volume: true }),
) {
  const system = image.run({ args: ['--config', '/etc/chaperone.d'], merge: true, ...options });
  await system.waitForLine(end);
  await system.waitForLine(/ready\.$/);
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
  return { system, image };
}

describe('docs/guide/coming-from-phusion.md', () => {
  it('shows what its image says', async () => {
    const { files, logs } = guide('coming-from-phusion');
    const wanted = logs.get('') ?? [];
    expect(wanted).toHaveLength(4);
    const { system } = await run(files, /web uses/, {});
    expect(shown(system, wanted)).toEqual(wanted);
  });
});

describe('docs/guide/persistence.md', () => {
  it('shows what its image says, the first time and later', async () => {
    const { files, logs } = guide('persistence');
    const [first = [], later = []] = [logs.get(''), logs.get('later')];
    expect([first.length, later.length]).toEqual([2, 2]);
    const options = { env: { PERSISTENT_DATA: 'True' } };
    const { system, image } = await run(files, /: greeting/, options);
    expect(shown(system, first)).toEqual(first);
    image.renew();
    const second = await run(files, /: greeting/, options, image);
    expect(shown(second.system, later)).toEqual(later);
  });
});

describe('the settings of both guides', () => {
  it.each([...guide('coming-from-phusion').recipes, ...guide('persistence').recipes])('are valid: %j', (recipe) => {
    const { diagnostics } = loadImage({ '/etc/chaperone.d/x.conf': `${recipe}main.service: { command: "true" }\n` });
    expect(diagnostics).toEqual([]);
  });
});
