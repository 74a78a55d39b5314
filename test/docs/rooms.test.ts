import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publicStateOf } from '../../src/model/service/public-state.ts';
import { phaseOfPath } from '../../src/model/service/service-phase.ts';
import { serviceStages } from '../../src/model/service/service-stage.ts';

const root = join(import.meta.dirname, '../..');
const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))
  .map((file) => `src/${file}`);
const known = new Set(files);

/** What each file imports of its own project, types and dynamic imports included. */
const imports = new Map(
  files.map((file): [string, readonly string[]] => {
    const text = readFileSync(join(root, file), 'utf8');
    const found = [...text.matchAll(/(?:from |import\()'(\.[^']+)'/g)];
    return [file, found.map(([, path = '']) => normalize(join(dirname(file), path))).filter((path) => known.has(path))];
  }),
);

/** Files that import each other, directly or not: Tarjan's strongly connected components of more than one. */
function circles(): readonly (readonly string[])[] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    const own = index.size;
    index.set(file, own);
    low.set(file, own);
    stack.push(file);
    for (const next of imports.get(file) ?? []) {
      const reached = index.has(next) ? (stack.includes(next) ? index.get(next) : undefined) : visit(next);
      low.set(file, Math.min(low.get(file) ?? own, reached ?? own));
    }
    if (low.get(file) === own) {
      const circle = stack.splice(stack.indexOf(file));
      if (circle.length > 1) found.push(circle);
    }
    return low.get(file) ?? own;
  };
  for (const file of files) if (!index.has(file)) visit(file);
  return found;
}

const roomOf = (file: string): string => file.split('/').slice(0, -1).slice(0, 3).join('/');

/** What each room of the runtime may import of the others (docs/architecture.md); the linter holds the rooms above them. */
const runtimeRooms: Readonly<Record<string, readonly string[]>> = {
  'src/runtime': ['logging', 'units'],
  'src/runtime/boot': ['', 'control', 'inspection', 'linux', 'logging', 'persistence', 'units'],
  'src/runtime/control': ['', 'inspection', 'linux'],
  'src/runtime/inspection': ['', 'logging'],
  'src/runtime/linux': [''],
  'src/runtime/logging': [''],
  'src/runtime/persistence': ['', 'linux'],
  'src/runtime/simulated': ['', 'boot', 'logging', 'units'],
  'src/runtime/units': [''],
};

describe('the rooms of src', () => {
  it('have no circles between their files', () => {
    expect(files.length).toBeGreaterThan(200);
    expect(circles()).toEqual([]);
  });

  it.each(Object.entries(runtimeRooms))('%s imports of the runtime only %j', (room, allowed) => {
    const may = new Set([room, ...allowed.map((name) => (name === '' ? 'src/runtime' : `src/runtime/${name}`))]);
    const others = files
      .filter((file) => roomOf(file) === room)
      .flatMap((file) => (imports.get(file) ?? []).map((other) => `${file} imports ${other}`))
      .filter((line) => {
        const other = roomOf(line.split(' imports ')[1] ?? '');
        return other.startsWith('src/runtime') && !may.has(other);
      });
    expect(others).toEqual([]);
  });

  it('are all named in docs/architecture.md, and no other', () => {
    const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
    const named = new Set([...page.matchAll(/^\| `(src\/[\w/]+)` \|/gm)].map(([, room = '']) => room));
    const rooms = new Set(files.map(roomOf));
    expect([...named].sort()).toEqual([...rooms].filter((room) => room !== 'src').sort());
  });
});

it('the table of states in docs/architecture.md says what the code does', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const rows = serviceStages.map((stage) => {
    const phase = phaseOfPath(stage);
    return `| \`${stage}\` | \`${phase}\` | \`${phase === undefined ? '' : publicStateOf(phase)}\` |`;
  });
  expect(page).toContain(`|---|---|---|\n${rows.join('\n')}\n`);
});

describe('the walks of docs/architecture.md', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const walks = page.split(/^## /m).filter((section) => section.startsWith('One '));

  it.each(
    walks.map((walk) => [walk.split('\n')[0] ?? '', walk]),
  )('%s names at most seven files, and all exist', (_, walk) => {
    const named = [...new Set([...walk.matchAll(/[\w/.-]+\.(?:tsx?|c)\b/g)].map(([file]) => file))];
    expect(named.length).toBeGreaterThan(2);
    expect(named.length).toBeLessThanOrEqual(7);
    for (const file of named) expect(readFileSync(join(root, file), 'utf8')).not.toBe('');
  });

  it('tell of an exit, a notification, a restart and a line of output', () => {
    const titles = walks.map((walk) => walk.split('\n')[0]);
    expect(titles).toEqual(expect.arrayContaining(['One SIGCHLD', 'One READY=1', 'One restart', 'One line of output']));
  });
});
