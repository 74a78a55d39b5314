import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import type { Entry } from '../../../src/inspect/entry.ts';
import { applyEntry, createReplica } from '../../../src/inspect/replica.ts';
import { hubSource } from '../../../src/runtime/inspection/hub-source.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import type { World } from '../../simulation/world.ts';
import { crashLoopWorld, hangingWorld, sampleRecording } from '../recordings.ts';
import { openPage, serve, statesOf, token, useBrowser } from './browser.ts';

useBrowser();

/** Everything that the hub has told. */
function watched(world: World): readonly Entry[] {
  const entries: Entry[] = [];
  world.inspection.hub.watch({
    records: true,
    onEntry: (entry) => {
      entries.push(entry);
      return true;
    },
  });
  return entries;
}

function statesAfter(entries: readonly Entry[]): Readonly<Record<string, string>> {
  const replica = createReplica();
  for (const entry of entries) applyEntry(replica, entry);
  return Object.fromEntries(
    [...replica.services.values()].map(({ name, segments }) => [name, segments.at(-1)?.state ?? 'pending']),
  );
}

async function caughtUp(page: Page, entries: readonly Entry[]): Promise<void> {
  await page.waitForSelector(`.where[data-seq="${entries.at(-1)?.seq}"]`);
}

it('shows who comes late the states of now, and what happens then', async () => {
  const world = crashLoopWorld();
  world.assembly.start();
  world.clock.run(5_000);
  const source = hubSource(world.inspection.hub);
  const entries = watched(world);
  const { address } = await serve(source);
  const page = await openPage(address);
  await page.waitForSelector('[data-connection=live]');
  await caughtUp(page, entries);
  expect(await statesOf(page)).toEqual(statesAfter(entries));
  world.clock.run(9_000);
  await caughtUp(page, entries);
  expect(await statesOf(page)).toEqual(statesAfter(entries));
  expect(await page.locator('.m-crash').count()).toBeGreaterThan(0);
});

it('says that the connection is lost, and catches up without losing an event', async () => {
  const world = crashLoopWorld();
  const source = hubSource(world.inspection.hub);
  const entries = watched(world);
  world.assembly.start();
  world.clock.run(3_000);
  const first = await serve(source);
  const page = await openPage(first.address);
  await caughtUp(page, entries);
  first.close();
  await page.waitForSelector('[data-connection=lost]');
  expect(await page.locator('.notice.bad').textContent()).toContain('Connection lost');
  world.clock.run(25_000);
  await serve(source, Number(new URL(first.address).port));
  await page.waitForSelector('[data-connection=live]');
  await caughtUp(page, entries);
  // Every entry came, and none came twice.
  expect(await page.locator('.where').getAttribute('data-count')).toBe(String(entries.length));
  expect(await statesOf(page)).toEqual(statesAfter(entries));
  expect(await page.locator('.notice.bad').count()).toBe(0);
});

it('begins anew with another boot', async () => {
  const before = sampleRecording();
  const after = sampleRecording();
  let entries = before;
  const ends: (() => void)[] = [];
  const { address } = await serve({
    complete: false,
    boot: () => (entries[0]?.type === '@chaperone.boot' ? entries[0].boot : undefined),
    watch: (from, take, end) => {
      ends.push(end);
      return recordedSource(entries).watch(from, take, () => undefined);
    },
  });
  const page = await openPage(address);
  await caughtUp(page, before);
  entries = after.slice(0, 100);
  for (const end of ends) end();
  await caughtUp(page, entries);
  expect(await page.locator('.where').getAttribute('data-count')).toBe('100');
  expect(await statesOf(page)).toEqual(statesAfter(entries));
});

it('stands still while it is paused, and follows again', async () => {
  const world = crashLoopWorld();
  const source = hubSource(world.inspection.hub);
  const entries = watched(world);
  world.assembly.start();
  world.clock.run(3_000);
  const { address } = await serve(source);
  const page = await openPage(address);
  await caughtUp(page, entries);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  const count = entries.length;
  const states = await statesOf(page);
  world.clock.run(20_500);
  await page.waitForFunction(
    (total) => document.querySelector('.where')?.textContent?.includes(total),
    entries.length.toLocaleString('en'),
  );
  expect(await page.locator('.where').getAttribute('data-count')).toBe(String(count));
  expect(await statesOf(page)).toEqual(states);
  await page.getByRole('button', { name: 'Follow what happens' }).click();
  await caughtUp(page, entries);
  expect(await statesOf(page)).toEqual(statesAfter(entries));
});

it('cannot be read by a page of another origin', async () => {
  const { address } = await serve(recordedSource(sampleRecording()));
  const elsewhere = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>elsewhere</title>');
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    elsewhere.closeAllConnections();
    elsewhere.close();
  });
  const { port } = elsewhere.address() as AddressInfo;
  const page = await openPage(`http://localhost:${port}/`);
  const read = await page.evaluate(async (base) => {
    const attempt = async (path: string, init: RequestInit): Promise<string> => {
      try {
        const response = await fetch(`${base}${path}`, init);
        return response.type === 'opaque' ? 'opaque' : await response.text();
      } catch {
        return 'refused';
      }
    };
    const script = await new Promise<string>((resolve) => {
      const element = document.createElement('script');
      element.src = `${base}page.js`;
      element.onload = () => resolve('loaded');
      element.onerror = () => resolve('refused');
      document.head.append(element);
    });
    return [await attempt('entries', {}), await attempt('', {}), await attempt('entries', { mode: 'no-cors' }), script];
  }, address);
  expect(read).toEqual(['refused', 'refused', 'refused', 'refused']);
});

it('opens to nobody without the token, under another name, or from another origin', async () => {
  const { address } = await serve(recordedSource(sampleRecording()));
  const { host, origin } = new URL(address);
  const status = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> => {
    const { request } = await import('node:http');
    return new Promise((resolve, reject) => {
      request(url, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
  };
  expect(await status(address)).toBe(200);
  expect(await status(`${origin}/`)).toBe(401);
  expect(await status(`${origin}/${token.replace('0', '1')}/entries`)).toBe(401);
  expect(await status(address, { host: 'attacker.example' })).toBe(421);
  expect(await status(`${address}entries`, { host: `attacker.example:${host.split(':')[1]}` })).toBe(421);
  expect(await status(`${address}entries`, { origin: 'http://attacker.example' })).toBe(403);
  expect(await status(`${address}../../etc/passwd`)).not.toBe(200);
  expect(await status(`${address}%2e%2e/main.cjs`)).not.toBe(200);
});

it('lets the time go on when nothing happens: a page that comes late knows how long the last service has hung', async () => {
  const world = hangingWorld();
  world.assembly.start();
  world.clock.run(21 * 60_000);
  const { address } = await serve(hubSource(world.inspection.hub));
  const page = await openPage(address);
  await page.waitForSelector('[data-connection=live]');
  const notice = page.locator('[data-blocker="web.service"]');
  await notice.waitFor();
  expect(await notice.textContent()).toMatch(
    /web holds up the end of the boot\. starting\.awaitingNotify for (20 m 59 s|21 m( \d+ s)?), waits for READY=1/,
  );
  expect(await page.locator('.uptime').textContent()).toMatch(/^21 m(?: [1-9] s)?$/);
});
