import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ctl, listed, signalInner, untilCount } from './by-hand.ts';
import { type Booted, boot, config, logAll, until } from './namespace.ts';

const sleep = '#!/bin/sh\nexec sleep 1d\n';

/** A shell script that makes folders of services in `service`, and lets the configuration name it. */
function folders(files: Readonly<Record<string, string>>): string {
  const made = Object.entries(files).map(([path, text]) => {
    const mode = text.startsWith('#!') ? 755 : 644;
    return `mkdir -p service/${dirname(path)}\ncat > service/${path} <<'END'\n${text}END\nchmod ${mode} service/${path}`;
  });
  return `{ sed -i "s|@HERE@|$PWD|" chaperone.d/x.conf\n${made.join('\n')}\n}`;
}

function imageOf(files: Readonly<Record<string, string>>): Parameters<typeof boot>[0] {
  return {
    before: folders(files),
    files: { 'x.conf': config({ settings: { compat: { runit: '@HERE@/service' } }, ...logAll }) },
  };
}

/** Boots folders of services. */
async function begin(files: Readonly<Record<string, string>>): Promise<Booted> {
  const system = boot(imageOf(files));
  await system.waitForLine(/chaperone version \S+, ready\.$/);
  return system;
}

function textOf(system: Booted, path: string): string {
  try {
    return readFileSync(system.path(path), 'utf8');
  } catch {
    return '';
  }
}

describe('folders of runit', () => {
  it('are services in their folder, restarted after each end, and finish is told of it', async () => {
    const system = await begin({
      'web/run': '#!/bin/sh\necho "up as $NAME in $(basename "$PWD") by $0"\nexec sleep 1d\n',
      'web/finish': '#!/bin/sh\necho "finish $# $1 $2"\n',
      'web/env/NAME': 'value  \t\nsecond line\n',
    });
    await system.waitForLine(/web\[\d+\]: up as value in web by \.\/run$/);
    const { pid } = await listed(system, 'web');
    signalInner(system, pid ?? 0, 'SIGUSR1');
    await system.waitForLine(/web\[\d+\]: finish 2 -1 10$/);
    await untilCount(system, /web\[\d+\]: up as value/, 2);
    const after = await listed(system, 'web');
    expect([after.state, after.pid === pid]).toEqual(['ready', false]);
    expect((await ctl(system, 'stop', 'web', '--wait')).status).toBe(0);
    await system.waitForLine(/web\[\d+\]: finish 2 -1 15$/);
  });

  it('write to log/run, whose pipe outlives the restarts of either side', async () => {
    const system = await begin({
      'web/run':
        '#!/bin/sh\ntest -e ran && echo again; touch ran\nn=0; while n=$((n + 1)); do echo $n; sleep 0.4; done\n',
      'web/log/run': '#!/bin/sh\nexec cat >> ../../../lines\n',
    });
    expect((await listed(system, 'web')).state).toBe('ready');
    const log = (await listed(system, 'web.log')).pid ?? 0;
    expect(log).toBeGreaterThan(0);
    const arrived = (line: string) =>
      until(`${line} is there`, () => (textOf(system, 'lines').split('\n').includes(line) ? true : undefined));
    await arrived('1');
    signalInner(system, log, 'SIGKILL');
    // What is written meanwhile waits in the pipe.
    await arrived('2');
    expect((await listed(system, 'web.log')).pid).not.toBe(log);
    const web = (await listed(system, 'web')).pid ?? 0;
    signalInner(system, web, 'SIGKILL');
    await until('it counts anew', () => /^(\d+\n)+again\n1\n/.exec(textOf(system, 'lines')) ?? undefined);
  });

  it('are ready when check says so, and not started where there is down', async () => {
    const system = boot(
      imageOf({
        'web/run': sleep,
        'web/check': '#!/bin/sh\ntest -e ../../open\n',
        'later/run': sleep,
        'later/down': '',
      }),
    );
    await system.waitForLine(/web\.service attempting start/);
    expect(await listed(system, 'web')).toMatchObject({ state: 'starting', enabled: true });
    expect(await listed(system, 'later')).toMatchObject({ state: 'disabled', enabled: false });
    writeFileSync(system.path('open'), '');
    await system.waitForLine(/chaperone version \S+, ready\.$/);
    expect((await listed(system, 'web')).state).toBe('ready');
    expect((await ctl(system, 'start', 'later', '--enable', '--wait')).status).toBe(0);
    expect((await listed(system, 'later')).state).toBe('ready');
  });

  it('are stopped by control/t in place of TERM, and told by control/u and control/d', async () => {
    const system = await begin({
      'web/run': '#!/bin/sh\ntrap "" TERM\ntrap "echo interrupted; exit" INT\nwhile :; do sleep 0.1; done\n',
      'web/control/u': '#!/bin/sh\necho control u\n',
      'web/control/t': '#!/bin/sh\necho control t\nkill -INT $MAINPID\n',
      'web/control/d': '#!/bin/sh\necho control d\n',
    });
    await system.waitForLine(/web\[\d+\]: control u$/);
    expect((await ctl(system, 'stop', 'web', '--wait')).status).toBe(0);
    const words = system.lines().flatMap((line) => /web\[\d+\]: (.*)$/.exec(line)?.[1] ?? []);
    expect(words).toEqual(expect.arrayContaining(['control u', 'control t', 'interrupted', 'control d']));
  });

  it('are noticed when they come, get their program, or go', async () => {
    const system = await begin({ 'web/run': sleep });
    const web = (await listed(system, 'web')).pid;
    mkdirSync(system.path('service/late'));
    mkdirSync(system.path('other'));
    writeFileSync(system.path('other/run'), sleep, { mode: 0o755 });
    renameSync(system.path('other'), system.path('service/other'));
    await system.waitForLine(/folders of services: start other\.service$/);
    writeFileSync(system.path('service/late/run'), sleep, { mode: 0o755 });
    await system.waitForLine(/folders of services: start late\.service$/);
    rmSync(system.path('service/other'), { recursive: true });
    await system.waitForLine(/folders of services: stop other\.service$/);
    expect((await listed(system, 'web')).pid).toBe(web);
    expect((await listed(system, 'late')).state).toBe('ready');
  });
});
