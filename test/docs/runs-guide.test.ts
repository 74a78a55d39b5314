import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Booted, boot, config, logAll, until } from '../boot/namespace.ts';
import { loadImage } from '../conventions/memory-image.ts';
import { inDist } from '../dist.ts';

/** The examples of a guide page, by their names. */
function recipesOf(page: string): ReadonlyMap<string, string> {
  const guide = readFileSync(new URL(`../../docs/guide/${page}.md`, import.meta.url), 'utf8');
  const found = guide.matchAll(/<!-- recipe: (\w+) -->\n+```yaml\n(.*?)```/gs);
  return new Map([...found].map(([, name = '', text = '']) => [name, text]));
}

function bootRecipe(page: string, name: string): Booted {
  const recipe = recipesOf(page).get(name);
  if (recipe === undefined) throw new Error(`docs/guide/${page}.md has no recipe ${name}`);
  return boot({ files: { 'all.conf': config(logAll), 'recipe.conf': recipe } });
}

/** Runs chaperonectl inside of the system. */
function ctl(system: Booted, ...words: readonly string[]): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = [...system.inside(), join(inDist(), 'chaperonectl'), ...words];
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], CHAPERONE_SOCKET: system.path('control.sock') },
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        text += String(chunk);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? -1, text }));
  });
}

const timesSaid = (system: Booted, pattern: RegExp): number =>
  system.lines().filter((line) => pattern.test(line)).length;

describe('docs/guide/schedules.md', () => {
  it('has an example for each directive', () => {
    expect([...recipesOf('schedules').keys()]).toEqual([
      'timezone',
      'overlap',
      'jitter',
      'run_at_start',
      'catch_up',
      'max_runtime',
      'run_now',
      'crontab',
    ]);
  });

  it('crontab: lines of the image are cron services where it is asked for', () => {
    const image = {
      '/etc/crontab': 'LEVEL=low\n25 6 * * * www /usr/bin/tidy --$LEVEL\n',
      '/etc/cron.d/report': '@weekly root /usr/bin/report\n',
      '/etc/cron.d/report.bak': '@weekly root /usr/bin/report\n',
      '/etc/cron.daily/rotate': '#!/bin/sh\n',
    };
    const { spec, diagnostics } = loadImage({
      ...image,
      '/etc/chaperone.d/all.conf': recipesOf('schedules').get('crontab') ?? '',
    });
    expect(diagnostics.map(({ message }) => message)).toEqual([
      '"/etc/cron.d/report.bak" is not read: cron passes over its name',
    ]);
    expect(spec?.services.map(({ name, interval, account }) => `${name} ${interval} ${account?.name}`)).toEqual([
      'crontab.service 25 6 * * * www',
      'cron-report.service @weekly root',
      'cron-daily.service 25 6 * * * root',
    ]);
    expect(loadImage(image).spec?.services).toEqual([]);
  });

  it('timezone', async () => {
    const system = bootRecipe('schedules', 'timezone');
    await system.waitForLine(/scheduled using interval spec/);
    const status = JSON.parse((await ctl(system, 'status', '--json', 'report')).text);
    const [{ nextRun, timeZone }] = status;
    expect(timeZone).toBe('Asia/Kolkata');
    expect(new Date(nextRun).toISOString().slice(11, 16)).toBe('21:30');
  });

  it('overlap: queue runs back to back, and says that a run waits', async () => {
    const system = bootRecipe('schedules', 'overlap');
    await system.waitForLine(/the next run waits for its end/);
    await until('it has run three times', () => timesSaid(system, /import\[\d+\]: importing/) >= 3 || undefined);
    expect(timesSaid(system, /will not run again/)).toBe(0);
  });

  it.each([
    ['jitter', /fetch\[\d+\]: fetched/],
    ['catch_up', /sample\[\d+\]: sampled/],
    ['run_at_start', /cache\[\d+\]: the cache is warm/],
  ])('%s', async (name, line) => {
    const system = bootRecipe('schedules', name);
    await system.waitForLine(line);
  });

  it('max_runtime ends the run, and the service stays scheduled', async () => {
    const system = bootRecipe('schedules', 'max_runtime');
    await system.waitForLine(/sync\.service ran longer than max_runtime, 1 s: pid \d+ is ended/);
    await system.waitForLine(/sync\.service exit status for pid=\d+ is '<ProcStatus signal=15>'/);
    expect((await ctl(system, 'status', 'sync')).text).toContain('ready');
  });

  it('run-now', async () => {
    const system = bootRecipe('schedules', 'run_now');
    await system.waitForLine(/scheduled using interval spec/);
    expect(await ctl(system, 'run-now', '--wait', 'backup')).toEqual({ status: 0, text: 'runs ended.\n' });
    await system.waitForLine(/backup\[\d+\]: the backup is made/);
    expect(await ctl(system, 'run-now', 'nobody')).toMatchObject({ status: 4 });
  });
});

describe('docs/guide/conditions.md', () => {
  it('has an example for each kind of condition', () => {
    expect([...recipesOf('conditions').keys()]).toEqual(['file', 'env', 'command', 'not']);
  });

  it('a file that is not there: the service is skipped, and its dependents go on', async () => {
    const system = bootRecipe('conditions', 'file');
    await system.waitForLine(/web\.service skipped: the file \/etc\/web\.conf is not there/);
    await system.waitForLine(/client\[\d+\]: the client runs/);
    expect(await system.exit).toBe(0);
    expect(timesSaid(system, /web runs/)).toBe(0);
  });

  it.each([
    ['env', /debugger\[\d+\]: the debugger runs/],
    ['command', /migrate\.service skipped: its command in start_if says no/],
    ['not', /init-data\[\d+\]: data is made/],
  ])('%s', async (name, line) => {
    const system = bootRecipe('conditions', name);
    await system.waitForLine(line);
    expect(await system.exit).toBe(0);
  });
});

describe('docs/guide/reload.md', () => {
  it.each(['signal', 'command'])('reloads one service by a %s', async (name) => {
    const system = bootRecipe('reload', name);
    await system.waitForLine(/web\[\d+\]: up/);
    await until('it is ready', () => timesSaid(system, /web\.service successfully started/) > 0 || undefined);
    expect(await ctl(system, 'reload', 'web')).toEqual({ status: 0, text: 'services reloaded.\n' });
    await system.waitForLine(/web\[\d+\]: read again/);
    expect((await ctl(system, 'reload', 'nobody')).status).toBe(4);
  });
});
