import { expect, it } from 'vitest';
import type { Entry } from '../../../src/inspect/entry.ts';
import { Hub } from '../../../src/inspect/hub.ts';
import { insideOf } from '../../../src/platform/inspection/inside.ts';
import { memberEntries, platformSource } from '../../../src/platform/inspection/platform-source.ts';
import { startPlatform } from '../../../src/platform/runtime/platform.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import { createStep, instanceSpec, planOf, project, simulated } from '../../platform/specs.ts';
import { simpleService, systemOf } from '../../simulation/world.ts';
import { recorded } from '../recorded.ts';
import { complete, openPage, serve, useBrowser } from './browser.ts';

useBrowser();

/** ms until the Chaperone inside is up: its database, and then its migrations. */
const inside = { db: 1_000, migrations: 500 };

/** An instance whose migrations wait for a database beside them, linked to another instance that takes 2 s. */
async function recordedPlatform(): Promise<readonly Entry[]> {
  const world = simulated({
    'db-one': { readyAfter: 2_000 },
    'api-2': { readyAfter: inside.db + inside.migrations + 100 },
  });
  const specs = [instanceSpec('db-one'), instanceSpec('api-2', { needs: ['db-one'] })];
  const entries: Entry[] = [];
  let hub: Hub | undefined;
  let upAt: number | undefined;
  const platform = startPlatform({ plan: planOf(specs.map(createStep)), found: [] }, world.ports, (begins) => {
    const source = { platform: begins, project, version: '1', epoch: begins.epoch };
    hub = new Hub(
      platformSource({
        ...source,
        onError: (error) => {
          throw error;
        },
      }),
    );
    hub.watch({
      onEntry: (entry) => {
        entries.push(entry);
        return true;
      },
    });
    begins.feed.facts$.subscribe((fact) => {
      if (fact.type === 'moved' && fact.actor === 'api-2' && fact.to === 'running.asking') upAt = fact.at;
    });
  });
  await world.run(() =>
    entries.some(
      (entry) =>
        entry.type === '@chaperone.fact' &&
        entry.fact.type === 'moved' &&
        entry.fact.actor === 'system' &&
        entry.fact.to === 'up',
    ),
  );
  if (hub === undefined || upAt === undefined) throw new Error('the instance was not started');
  const members = memberEntries(platform.actor.getSnapshot().context.members);
  const room = insideOf('api-2', platform.epoch, 1);
  const started = platform.epoch + upAt;
  const services = [
    simpleService('db', { startupPause: inside.db }),
    simpleService('migrations', { startupPause: inside.migrations, prerequisites: ['db.service'] }),
  ];
  // The end of the container is no part of the recording.
  const told = recorded(systemOf(services)).filter(({ at }) => at < 9_000);
  const news = told.flatMap((entry) =>
    room.take(entry.type === '@chaperone.boot' ? { ...entry, epoch: started } : entry),
  );
  platform.stop();
  // As they would have come: what is told inside stands among what the platform does.
  const [boot, ...rest] = entries;
  if (boot === undefined) throw new Error('the platform told nothing');
  const reload = { type: '@chaperone.reload' as const, at: 0, services: [...members, ...room.services()] };
  const all = [...rest, ...news.map((each) => ({ ...each, at: each.at ?? 0 }))].sort((a, b) => a.at - b.at);
  return [boot, reload, ...all].map((entry, index) => ({ ...entry, seq: index + 1 }));
}

it('leads in two clicks from what the platform took to what the service inside a container waited for', async () => {
  const { address } = await serve(recordedSource(await recordedPlatform()));
  const page = await openPage(address);
  await complete(page);
  // Chaperone inside is asked whether it is ready with pauses that grow, so that each of the two takes longer than it needs.
  expect(await page.locator('[data-ready]').textContent()).toMatch(/^ready in 5\.\d{3} s$/);
  const chain = page.locator('ol.chain').first();
  expect(await chain.locator('li').first().textContent()).toContain('api-2');

  await chain.getByText('api-2', { exact: true }).click();
  const within = page.locator('ol.chain[data-inside="api-2"]');
  await within.waitFor();
  expect(await within.locator('li').allTextContents()).toEqual([
    expect.stringMatching(/^api-2\/migrations .*waited for api-2\/db/),
    expect.stringMatching(/^api-2\/db /),
  ]);

  await within.getByText('api-2/migrations', { exact: true }).click();
  await expect.poll(() => page.locator('aside h2').textContent()).toBe('api-2/migrations');
  expect(await page.locator('aside').textContent()).toMatch(/Waits for\s*api-2\/db/);
});
