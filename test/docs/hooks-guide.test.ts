import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { type Booted, boot, config, expectOrder, logAll } from '../boot/namespace.ts';

const guide = readFileSync(new URL('../../docs/guide/hooks.md', import.meta.url), 'utf8');
const recipes = new Map(
  [...guide.matchAll(/<!-- recipe: (\w+) -->\n+```yaml\n(.*?)```/gs)].map(([, name = '', text = '']) => [name, text]),
);
const tried = new Set<string>();

/** Boots a recipe as it stands. */
function start(name: string): Booted {
  tried.add(name);
  const recipe = recipes.get(name);
  if (recipe === undefined) throw new Error(`docs/guide/hooks.md has no recipe ${name}`);
  return boot({ files: { 'recipe.conf': recipe, 'logging.conf': config(logAll) } });
}

async function stop(system: Booted): Promise<readonly string[]> {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
  return system.lines('stdout');
}

describe('docs/guide/hooks.md', () => {
  it('before_start', async () => {
    const system = start('before_start');
    await system.waitForLine(/web\[\d+\]: hello/);
    expectOrder(await stop(system), [
      /web\.service running before_start 1 of 3 'mkdir -p \/.*\/data'/,
      /web\.service before_start 3 of 3|web\.service running before_start 3 of 3/,
      /web\.service attempting start/,
      /web\[\d+\]: hello/,
    ]);
  });

  it('after_start', async () => {
    const system = start('after_start');
    await system.waitForLine(/app\[\d+\]: app starts/);
    const lines = await stop(system);
    expectOrder(lines, [/web\[\d+\]: announced as pid \d+/, /app\.service attempting start/, /app\[\d+\]: app starts/]);
    const pid = /announced as pid (\d+)/.exec(lines.join('\n'))?.[1];
    expect(lines.some((line) => line.includes(`web.service exit status for pid=${pid} `))).toBe(true);
  });

  it('before_stop', async () => {
    const system = start('before_stop');
    await system.waitForLine(/web\.service successfully started/);
    expectOrder(await stop(system), [
      /web\[\d+\]: leaves the load balancer/,
      /using SIGTERM to terminate web/,
      /web\[\d+\]: ends/,
    ]);
  });

  it('stop_command', async () => {
    const system = start('stop_command');
    await system.waitForLine(/web\.service successfully started/);
    const lines = await stop(system);
    expectOrder(lines, [/web\.service running stop_command/, /web\[\d+\]: told to finish/]);
    expect(lines.filter((line) => /using SIG\w+ to terminate web/.test(line))).toEqual([]);
  });

  it('after_stop', async () => {
    const system = start('after_stop');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /web\.service exit status .*exit_status=3/,
      /web\[\d+\]: exit-code, exited, 3/,
    ]);
  });

  it('kill_signal', async () => {
    const system = start('kill_signal');
    await system.waitForLine(/web\.service successfully started/);
    const lines = await stop(system);
    expectOrder(lines, [
      /using SIGQUIT to terminate web/,
      /web\[\d+\]: finishes its requests/,
      /using SIGTERM to terminate web/,
      /web\[\d+\]: gives up/,
    ]);
  });

  it('stop_timeout', async () => {
    const system = start('stop_timeout');
    await system.waitForLine(/web\[\d+\]: deaf/);
    await system.waitForLine(/web\.service successfully started/);
    expectOrder(await stop(system), [
      /using SIGTERM to terminate web/,
      /using SIGKILL to terminate web\.service \(pid \d+\): it has not ended within 1(\.\d+)? s of SIGTERM/,
    ]);
  });

  it('kill_mode', async () => {
    const system = start('kill_mode');
    await system.waitForLine(/web\[\d+\]: up/);
    await system.waitForLine(/web\.service successfully started/);
    const lines = await stop(system);
    expectOrder(lines, [/web\[\d+\]: main ends/, /using SIGKILL to terminate web\.service \(pid \d+/]);
    expect(lines.some((line) => /web\[\d+\]: worker was told/.test(line))).toBe(false);
  });

  afterAll(() => {
    expect([...tried].sort()).toEqual([...recipes.keys()].sort());
  });
});
