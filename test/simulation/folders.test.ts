import { describe, expect, it } from 'vitest';
import type { Scales } from '../../src/config/templates.ts';
import type { Configured } from '../../src/runtime/boot/configure.ts';
import { Reloader } from '../../src/runtime/boot/reloader.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { type ImageFile, loadImage } from '../conventions/memory-image.ts';
import { supervised } from './supervised.ts';
import { createWorld } from './world.ts';

const program = '#!/bin/sh\n';
const endless: Script = { steps: [{ do: 'hang' }] };

/** Boots the folders of an image, which may change while the system runs. */
async function booted(files: Record<string, ImageFile>) {
  let changed = false;
  const read = (): Configured => {
    const { spec, diagnostics } = loadImage(files);
    return {
      ...(spec === undefined ? {} : { spec }),
      ...{ diagnostics, messages: [], path: '/etc/chaperone.d' },
      again: async (_: Scales) => read(),
      refresh: () => {
        const was = changed;
        changed = false;
        return was;
      },
    };
  };
  const { spec, again, refresh } = read();
  if (spec === undefined) throw new Error('the configuration has mistakes');
  const world = createWorld(spec, { has: () => true, script: () => endless });
  const { assembly, kernel, clock } = world;
  new Reloader({
    ...{ kernel, clock, assembly, again, refresh },
    configure: async () => read(),
    prepare: async () => undefined,
  });
  const said: string[] = [];
  assembly.records$.subscribe(({ program: from, message }) => {
    if (from === 'chaperone' && message.startsWith('folders of services')) said.push(message);
  });
  assembly.start();
  clock.run(1_000);
  const supervisor = supervised(world, {});
  return {
    said,
    pids: () => new Map(supervisor.services().flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, pid]]))),
    /** Puts other files in the place of those that there are, and lets time pass. */
    async change(other: Record<string, ImageFile>, ms: number) {
      for (const path of Object.keys(files)) delete files[path];
      Object.assign(files, other);
      changed = true;
      await this.pass(ms);
    },
    async pass(ms: number) {
      clock.run(clock.now() + ms);
      await new Promise((resolve) => setImmediate(resolve));
      clock.run(clock.now() + 100);
    },
  };
}

describe('folders of services while the system runs', () => {
  it('are noticed within five seconds, and no others are touched', async () => {
    const system = await booted({ '/etc/service/a/run': program, '/etc/service/b/run': program });
    const before = system.pids();
    expect([...before.keys()]).toEqual(['a.service', 'b.service']);
    await system.change({ '/etc/service/b/run': program, '/etc/service/c/run': program }, 3_800);
    expect(system.pids()).toEqual(before);
    await system.pass(200);
    expect([...system.pids().keys()]).toEqual(['b.service', 'c.service']);
    expect(system.pids().get('b.service')).toBe(before.get('b.service'));
    expect(system.said).toEqual(['folders of services: stop a.service', 'folders of services: start c.service']);
    // The next looks come at the same pace.
    await system.change({ '/etc/service/': '' }, 6_000);
    expect([...system.pids().keys()]).toEqual([]);
    await system.change({ '/etc/service/d/run': program }, 6_000);
    expect([...system.pids().keys()]).toEqual(['d.service']);
  });

  it('that cannot be used change nothing', async () => {
    const system = await booted({ '/etc/service/a/run': program });
    const before = system.pids();
    await system.change({ '/etc/service/a/run': program, '/etc/service/b/run': 'text' }, 6_000);
    expect(system.pids()).toEqual(before);
    expect(system.said).toEqual([]);
  });
});
