import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');

/** The table of rooms: each with the text on what it may import. */
const rooms = new Map(
  [...page.matchAll(/^\| `(src\/[\w/]+)` \|.*\| ([^|]+) \|$/gm)].map(([, room = '', imports = '']) => [room, imports]),
);

const onStreams = [
  'src/streams',
  'src/facts',
  'src/control',
  'src/runtime',
  'src/platform/engine',
  'src/platform/streams',
  'src/platform/runtime',
];

/** The rooms that may import a library, with the rooms in them; and how the table of rooms calls it. */
const libraries: Readonly<Record<string, { readonly in: readonly string[]; readonly named: string }>> = {
  xstate: { in: ['src/machines', 'src/runtime', 'src/platform/machines', 'src/platform/runtime'], named: 'XState' },
  rxjs: { in: onStreams, named: 'RxJS' },
  'rxjs/operators': { in: onStreams, named: 'RxJS' },
  winston: { in: ['src/runtime/logging'], named: 'winston' },
  'winston-transport': { in: ['src/runtime/logging'], named: 'winston' },
  yaml: { in: ['src/config', 'src/platform/conf'], named: 'yaml' },
  'cron-parser': { in: ['src/model/schedule'], named: 'cron-parser' },
  re2js: { in: ['src/model/words'], named: 're2js' },
  'fastest-levenshtein': { in: ['src/model/words'], named: 'fastest-levenshtein' },
  'unix-dgram': { in: ['src/runtime/linux'], named: 'unix-dgram' },
  ws: { in: ['src/runtime/inspection'], named: 'ws' },
  preact: { in: ['src/inspect/page'], named: 'preact' },
  'preact/hooks': { in: ['src/inspect/page'], named: 'preact' },
  '@preact/signals': { in: ['src/inspect/page'], named: 'preact' },
  dockerode: { in: ['src/platform/engine'], named: 'dockerode' },
  'tar-fs': { in: ['src/platform/host'], named: 'tar-fs' },
  '@balena/dockerignore': { in: ['src/platform/host'], named: 'dockerignore' },
  'elkjs/lib/elk-api.js': { in: ['src/inspect/page'], named: 'elkjs' },
};

/** For each folder of `src`, what its rooms may import beside their own folder. */
const folders: Readonly<Record<string, readonly string[]>> = {
  model: [],
  config: ['model'],
  conventions: ['model', 'config'],
  machines: ['model'],
  streams: ['model'],
  facts: ['model'],
  inspect: ['model', 'facts'],
  control: ['model', 'facts'],
  runtime: ['model', 'config', 'conventions', 'machines', 'streams', 'facts', 'inspect', 'control'],
  platform: ['model', 'config', 'facts', 'inspect', 'control', 'runtime'],
  cli: ['model', 'config', 'conventions', 'machines', 'streams', 'facts', 'inspect', 'control', 'runtime', 'platform'],
};

/** The folders whose rooms may use Node's modules. */
const onNode = ['control', 'runtime', 'platform', 'cli'];

const folderOf = (room: string): string => room.split('/')[1] ?? '';
const isIn = (room: string, outer: string): boolean => room === outer || room.startsWith(`${outer}/`);

interface Probe {
  readonly room: string;
  readonly imported: string;
  readonly allowed: boolean;
}

const probes: readonly Probe[] = [...rooms.keys()].flatMap((room) => [
  ...Object.entries(libraries).map(([imported, library]) => ({
    ...{ room, imported },
    allowed: library.in.some((outer) => isIn(room, outer)),
  })),
  ...Object.keys(folders).map((folder) => ({
    ...{ room, imported: `${relative(room, `src/${folder}`) || '.'}/any/file.ts` },
    allowed: folder === folderOf(room) || folders[folderOf(room)]?.includes(folder) === true,
  })),
  { room, imported: 'node:fs', allowed: onNode.includes(folderOf(room)) },
  // What starts processes in a container is the supervisor alone; on a host, dockerops runs ssh.
  { room, imported: 'node:child_process', allowed: room === 'src/platform/host' },
]);

const tree = mkdtempSync(join(tmpdir(), 'directions-'));
afterAll(() => rmSync(tree, { recursive: true }));

/** The imports that the linter refuses, of files that have one import each. */
function refused(): readonly Probe[] {
  cpSync(join(root, 'biome.json'), join(tree, 'biome.json'));
  probes.forEach(({ room, imported }, index) => {
    mkdirSync(join(tree, room), { recursive: true });
    writeFileSync(join(tree, room, `probe-${index}.ts`), `export * from '${imported}';\n`);
  });
  const biome = join(root, 'node_modules/.bin/biome');
  const words = ['lint', '--only=style/noRestrictedImports', '--max-diagnostics=none', '--colors=off', '.'];
  const { stdout, stderr } = spawnSync(biome, words, { cwd: tree, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const found = [...`${stdout}${stderr}`.matchAll(/probe-(\d+)\.ts:\d+:\d+ lint\/style\/noRestrictedImports/g)];
  return [...new Set(found.map(([, index]) => Number(index)))].flatMap((index) => probes[index] ?? []);
}

describe('the directions of imports', () => {
  it('are held by the linter for every room, folder and library', () => {
    const shown = (list: readonly Probe[]) => list.map(({ room, imported }) => `${room}: ${imported}`).sort();
    expect(rooms.size).toBeGreaterThan(20);
    expect(shown(refused())).toEqual(shown(probes.filter(({ allowed }) => !allowed)));
  });

  it.each(Object.values(libraries))('$named stands in docs/architecture.md where it may be imported', (library) => {
    const naming = [...rooms].filter(([, imports]) => imports.split(/[^\w-]+/).includes(library.named));
    expect(naming.map(([room]) => room).sort()).toEqual([...library.in].sort());
  });

  it('are held for every library that the program is made of', () => {
    const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    );
    expect(Object.keys(dependencies).filter((name) => libraries[name] === undefined)).toEqual([]);
  });
});
