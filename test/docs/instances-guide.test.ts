import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type BootOptions, boot, config, isRoot, logAll, until } from '../boot/namespace.ts';

const guide = readFileSync(new URL('../../docs/guide/instances.md', import.meta.url), 'utf8');
const recipes = new Map(
  [...guide.matchAll(/<!-- recipe: (\w+) -->\n+```yaml\n(.*?)```/gs)].map(([, name = '', text = '']) => [name, text]),
);
const tried = new Set<string>();

/** Boots a recipe as it stands, with more files beside it. */
function run(name: string, options: BootOptions = {}) {
  tried.add(name);
  const recipe = recipes.get(name);
  if (recipe === undefined) throw new Error(`docs/guide/instances.md has no recipe ${name}`);
  return boot({ ...options, files: { ...options.files, 'recipe.conf': recipe } });
}

describe.runIf(isRoot)('docs/guide/instances.md', () => {
  it('has workers, whose number a variable tells', async () => {
    const system = run('workers', {
      env: { WORKERS: '3' },
      files: { work: '#!/bin/sh\necho "worker $WORKER in $(pwd)"\nexec sleep 1000\n', 'log.conf': config(logAll) },
      before:
        'mount -t tmpfs tmpfs /srv && mkdir /srv/jobs && install -m 755 chaperone.d/work /srv/work && mount -t tmpfs tmpfs /var/log',
    });
    await Promise.all([1, 2, 3].map((nth) => system.waitForLine(new RegExp(`: worker ${nth} in /srv/jobs$`))));
    await system.waitForLine(/report\[\d+\]: all workers are there$/);
    await system.waitForLine(/ready\.$/);
    const kept = await until('the file has all lines', () => {
      const lines = readFileSync(`/proc/${system.pid()}/root/var/log/workers.log`, 'utf8').trim().split('\n');
      return lines.length < 3 ? undefined : lines;
    });
    expect(kept.map((line) => /worker@\d\[\d+\]: worker \d/.exec(line)?.[0].replace(/\[\d+\]/, ''))).toEqual(
      expect.arrayContaining(['worker@1: worker 1', 'worker@2: worker 2', 'worker@3: worker 3']),
    );
    expect(kept).toHaveLength(3);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('has one instance that differs', async () => {
    const system = run('differing', { files: { 'log.conf': config(logAll) } });
    expect(await system.exit).toBe(0);
    const said = system.lines().flatMap((line) => /worker@\w+\[\d+\]: (?:ordinary|special) \w+/.exec(line)?.[0] ?? []);
    expect(said.map((line) => line.replace(/\[\d+\]/, '')).sort()).toEqual([
      'worker@mail: ordinary mail',
      'worker@web: special web',
    ]);
  });

  it('has a port for each', async () => {
    const system = run('ports', { files: { 'log.conf': config(logAll) } });
    await system.waitForLine(/inetd service echo@1\.service listening on port 7001/);
    await system.waitForLine(/inetd service echo@2\.service listening on port 7002/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('has no recipe that is not tried here', () => {
    expect([...recipes.keys()].sort()).toEqual([...tried].sort());
  });
});
