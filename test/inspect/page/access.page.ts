import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import { deadlockRecording, sampleRecording } from '../recordings.ts';
import { complete, openPage, serve, statesOf, useBrowser } from './browser.ts';

useBrowser();

const views = ['timeline', 'graph', 'statechart', 'messages', 'log'] as const;
const landmarks = { timeline: '.tl-row', graph: '.node', statechart: '.cs', messages: '.seq-row', log: '.log-row' };

async function violations(page: Page): Promise<unknown> {
  // As text: nothing may be loaded from elsewhere.
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await (
      globalThis as unknown as {
        axe: {
          run: () => Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
        };
      }
    ).axe.run();
    return violations.map(({ id, nodes }) => [
      id,
      nodes.slice(0, 3).map(({ html, failureSummary }) => [html, failureSummary]),
    ]);
  });
}

for (const [name, look] of Object.entries({
  light: { width: 1280 },
  dark: { width: 1280, dark: true },
  'a telephone, light': { width: 360, height: 740 },
  'a telephone, dark': { width: 360, height: 740, dark: true },
})) {
  it(`has nothing that axe objects to: ${name}`, async () => {
    const { address } = await serve(recordedSource(deadlockRecording()));
    const page = await openPage(address, { ...look, hash: '#service=store.service' });
    await complete(page);
    for (const [index, view] of views.entries()) {
      await page.keyboard.press(String(index + 1));
      await page.waitForSelector(landmarks[view]);
      expect(await violations(page), view).toEqual([]);
      // Nothing is wider than the screen.
      expect(await page.evaluate(() => document.documentElement.scrollWidth), view).toBeLessThanOrEqual(look.width);
    }
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    expect(await violations(page), 'help').toEqual([]);
  });
}

it('is used by keys alone', async () => {
  const entries = sampleRecording();
  const { address } = await serve(recordedSource(entries));
  const page = await openPage(address);
  await complete(page);
  const { keyboard } = page;
  const count = async (): Promise<number> => Number(await page.locator('.where').getAttribute('data-count'));
  const opened = await count();
  // The page is drawn a moment after the key.
  const shows = <T>(read: () => Promise<T>, expected: unknown): Promise<void> =>
    expect.poll(read, { timeout: 30_000 }).toEqual(expected);
  await keyboard.press('ArrowLeft');
  await shows(count, opened - 1);
  await keyboard.press('Home');
  await shows(count, 1);
  await keyboard.press('ArrowRight');
  await shows(count, 2);
  await keyboard.press('ArrowDown');
  await keyboard.press('ArrowDown');
  await shows(() => page.locator('.tl-row.picked').getAttribute('data-service'), 'store.service');
  await keyboard.press('Shift+ArrowRight');
  await shows(() => page.locator('.where .what').textContent(), expect.stringContaining('store.service'));
  // Its actor begins, and only then is pending, and so on.
  for (const state of ['pending', 'starting.spawning', 'starting.settling']) {
    await keyboard.press(']');
    await shows(async () => (await statesOf(page))['store.service'], state);
  }
  await keyboard.press('/');
  await keyboard.type('fla');
  await keyboard.press('Enter');
  await shows(() => page.locator('.details h2').textContent(), 'flaky.service');
  await keyboard.press('Escape');
  await keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  await keyboard.press('Escape');
  await page.waitForSelector('dialog[open]', { state: 'detached' });
  await keyboard.press('2');
  await page.waitForSelector('.node');
  await page.locator('[data-node="flaky.service"]').focus();
  await keyboard.press('ArrowLeft');
  await page.waitForSelector('.node.picked[data-service="store.service"]');
  await keyboard.press('End');
  await shows(count, entries.length);
});

it('opens again where a link says', async () => {
  const { address } = await serve(recordedSource(sampleRecording()));
  const page = await openPage(address);
  await complete(page);
  await page.getByRole('button', { name: /^store, / }).click();
  await page.keyboard.press('Home');
  for (let step = 0; step < 70; step += 1) await page.keyboard.press('ArrowRight');
  await page.keyboard.press('3');
  await page.waitForFunction(() => location.hash.includes('view=statechart') && location.hash.includes('event=71'));
  const link = page.url();
  const state = await page.locator('[data-actor-path]').getAttribute('data-actor-path');
  const again = await openPage(link);
  await complete(again);
  await again.waitForSelector('.where[data-count="71"]');
  expect(await again.locator('[data-actor-path]').getAttribute('data-actor-path')).toBe(state);
  expect(await again.locator('.tabs [aria-current]').textContent()).toBe('Statechart');
  expect(new URL(again.url()).hash).toContain('service=store.service');
  // By its time alone: everything of that millisecond.
  const coarse = await openPage(`${address}#t=1312&service=flaky.service`);
  await complete(coarse);
  await coarse.waitForSelector('.where[data-at="1312"]');
  expect((await statesOf(coarse))['flaky.service']).toBe('backoff');
});

it('zooms, pans and tells the time of the wall clock', async () => {
  const { address } = await serve(recordedSource(sampleRecording()));
  const page = await openPage(address);
  await complete(page);
  const axis = async (): Promise<string> => (await page.locator('.axis text').allTextContents()).join(' ');
  const all = await axis();
  await page.keyboard.press('+');
  const near = await axis();
  expect(near).not.toBe(all);
  await page.keyboard.press('l');
  expect(await axis()).not.toBe(near);
  await page.keyboard.press('0');
  expect(await axis()).toBe(all);
  await page.keyboard.press('c');
  expect(await axis()).toMatch(/\d\d:\d\d:\d\d/);
  await page.locator('[data-service="flaky.service"] .tl-bars').hover({ position: { x: 5, y: 14 } });
  expect(await page.locator('.readout').textContent()).toMatch(/flaky · .* waited .* for store/);
});
