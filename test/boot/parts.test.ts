/** The code that a boot does not need is read when it is needed, and then it may not be there. */

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { type Booted, boot, config, logAll } from './namespace.ts';

const home = mkdtempSync(join(tmpdir(), 'chaperone-parts-'));
cpSync(inDist(), home, { recursive: true });
afterAll(() => rmSync(home, { recursive: true }));

function bootHere(services: Parameters<typeof config>[0] = {}): Booted {
  const sleeper = { command: 'sh -c "echo runs; exec sleep 1000"', startup_pause: 0 };
  return boot({
    program: join(home, 'chaperone'),
    merge: true,
    files: { 'x.conf': config({ ...logAll, 'sleeper.service': sleeper, ...services }) },
  });
}

/** Takes away the files of a part, until the function that comes back is called. */
function takeAway(part: string): () => void {
  const folder = join(home, 'parts');
  const names = readdirSync(folder).filter((name) => name.startsWith(`${part}-`));
  if (names.length === 0) throw new Error(`there is no part ${part}`);
  const move = (from: string, to: string): void => {
    for (const name of names) renameSync(join(from, name), join(to, name));
  };
  move(folder, home);
  let away = true;
  const back = (): void => {
    if (away) move(home, folder);
    away = false;
  };
  onTestFinished(back);
  return back;
}

/** What the control socket answers to a line of words; undefined where it closes the connection. */
async function ask(system: Booted, words: string): Promise<string | undefined> {
  const socket = connect(system.path('control.sock'));
  socket.end(`${words}\n`);
  const answer = await text(socket).catch(() => '');
  return answer === '' ? undefined : answer;
}

async function end(system: Booted): Promise<void> {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
}

describe('the file that every boot reads', () => {
  const map: { sources: readonly string[] } = JSON.parse(readFileSync(join(home, 'main.cjs.map'), 'utf8'));

  it.each([
    /node_modules\/(winston|logform|readable-stream|luxon|cron-parser|re2js|ws|unix-dgram)\//,
    /src\/control\/(server|http|routes)\.ts/,
    /src\/inspect\/hub\.ts/,
    /src\/runtime\/(boot\/reloader|linux\/(account-files|ask-server|journal-sink)|logging\/logging|units\/checks)\.ts/,
  ])('holds nothing of %s', (apart) => {
    expect(map.sources.filter((source) => apart.test(source))).toEqual([]);
  });

  it('is small', () => {
    expect(statSync(join(home, 'main.cjs')).size).toBeLessThan(742_000);
  });

  it('begins with the handlers of signals', () => {
    const ours = map.sources.filter((source) => source.includes('.ts'));
    expect(ours[0]).toMatch(/src\/runtime\/linux\/brain-signals\.ts$/);
  });
});

describe('a part that cannot be read', () => {
  it('closes the connection to the control socket and is told; once it is back, the socket answers', async () => {
    const system = bootHere();
    await system.waitForLine(/sleeper\[\d+\]: runs/);
    const back = takeAway('server');
    expect(await ask(system, 'status')).toBeUndefined();
    await system.waitForLine(/chaperone\[1\]: the control socket cannot be served: ENOENT.*parts\/server-\w+\.cjs/);
    back();
    expect(await ask(system, 'status')).toContain('sleeper');
    await end(system);
  });

  it('fails a reload for want of descriptors, and not the next one', async () => {
    const system = bootHere();
    await system.waitForLine(/sleeper\[\d+\]: runs/);
    const limit = (soft: number): void => {
      const { status, stderr } = spawnSync('prlimit', ['--pid', String(system.brain()), `--nofile=${soft}:`]);
      if (status !== 0) throw new Error(String(stderr));
    };
    limit(3);
    system.signal('SIGHUP');
    await system.waitForLine(/chaperone\[1\]: .*EMFILE.*parts\/reloader-\w+\.cjs/);
    limit(1024);
    system.signal('SIGHUP');
    await system.waitForLine(/chaperone\[1\]: .*[Nn]othing (has )?changed/);
    await end(system);
  });

  it('is told without the log where it is the log, which begins once it is back', async () => {
    const back = takeAway('logging');
    const system = bootHere();
    await system.waitForLine(/^chaperone: cannot log: ENOENT.*parts\/logging-\w+\.cjs/);
    expect(system.lines()).toHaveLength(1);
    back();
    await system.waitForLine(/sleeper\[\d+\]: runs/);
    await end(system);
  });

  it('ends a system in order also where nothing could be logged', async () => {
    const back = takeAway('logging');
    const system = bootHere();
    await system.waitForLine(/^chaperone: cannot log: /);
    await end(system);
    back();
  });

  it('fails a cron service, and no other', async () => {
    takeAway('schedule');
    const system = bootHere({
      'tick.service': { type: 'cron', command: 'true', interval: 'hourly', ignore_failures: true },
    });
    await system.waitForLine(/tick.*what reads schedules cannot be loaded: Error: ENOENT/);
    await system.waitForLine(/sleeper\[\d+\]: runs/);
    await end(system);
  });

  it('hinders no boot where it is an inspector', async () => {
    takeAway('inspection');
    const system = boot({
      program: join(home, 'chaperone'),
      args: ['--inspect'],
      merge: true,
      files: { 'x.conf': config({ ...logAll, 'sleeper.service': { command: 'sleep 1000', startup_pause: 0 } }) },
    });
    await system.waitForLine(/cannot inspect to terminal: ENOENT/);
    await system.waitForLine(/sleeper\.service successfully started/);
    await end(system);
  });
});
