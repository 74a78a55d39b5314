import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { Entry } from '../../../src/inspect/entry.ts';
import { hubSource } from '../../../src/runtime/inspection/hub-source.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import { crashLoopRecording, crashLoopWorld, manyRecording, sampleRecording } from '../recordings.ts';
import { complete, openPage, serve, statesOf, useBrowser, type ViewOptions } from './browser.ts';

useBrowser();

async function open(entries: readonly Entry[], options: ViewOptions = {}) {
  const { address } = await serve(recordedSource(entries));
  const page = await openPage(address, options);
  await complete(page);
  return page;
}

/** The ms that the axis shows: from, to. */
async function shown(page: Page): Promise<readonly [number, number]> {
  const text = (await page.locator('.overview').getAttribute('data-overview')) ?? '';
  const [from = Number.NaN, to = Number.NaN] = text.split(' ').map(Number);
  return [from, to];
}

async function boxOf(page: Page, selector: string) {
  const box = await page.locator(selector).first().boundingBox();
  if (box === null) throw new Error(`${selector} is not in sight`);
  return box;
}

async function drag(page: Page, selector: string, from: number, to: number): Promise<void> {
  const { x, y, width, height } = await boxOf(page, selector);
  await page.mouse.move(x + width * from, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width * ((from + to) / 2), y + height / 2);
  await page.mouse.move(x + width * to, y + height / 2);
  await page.mouse.up();
}

const rowsOf = (page: Page): Promise<readonly (string | null)[]> =>
  page
    .locator('.tl-row')
    .evaluateAll((rows) =>
      rows
        .sort((one, other) => Number(one.getAttribute('aria-posinset')) - Number(other.getAttribute('aria-posinset')))
        .map((row) => row.getAttribute('data-service')),
    );

it('zooms by the wheel around the pointer, by a drag over the axis, and by the window in the strip above', async () => {
  const page = await open(crashLoopRecording());
  const [, end] = await shown(page);
  expect(await shown(page)).toEqual([0, end]);

  const { x, y, width } = await boxOf(page, '.axis');
  await page.mouse.move(x + width / 4, y + 20);
  await page.mouse.wheel(0, -600);
  await expect.poll(async () => (await shown(page))[1]).toBeLessThan(end * 0.6);
  const [from, to] = await shown(page);
  // What is under the pointer stays there.
  expect(from + (to - from) / 4).toBeCloseTo(end / 4, -2);

  await page.getByRole('button', { name: 'All', exact: true }).click();
  await expect.poll(() => shown(page)).toEqual([0, end]);
  await drag(page, '.axis', 0.5, 0.75);
  await expect.poll(async () => (await shown(page)).map((at) => Math.round((at / end) * 20) / 20)).toEqual([0.5, 0.75]);

  // The window in the strip stands over the same part, and moves it.
  await drag(page, '.overview', 0.6, 0.35);
  await expect.poll(async () => (await shown(page)).map((at) => Math.round((at / end) * 20) / 20)).toEqual([0.25, 0.5]);
  // Beside the window another part is marked.
  await drag(page, '.overview', 0.8, 0.9);
  await expect.poll(async () => (await shown(page)).map((at) => Math.round((at / end) * 20) / 20)).toEqual([0.8, 0.9]);
  // A drag over the bars moves them along with the pointer.
  await drag(page, '.tl-bars', 0.2, 0.7);
  await expect
    .poll(async () => (await shown(page)).map((at) => Math.round((at / end) * 20) / 20))
    .toEqual([0.75, 0.85]);
});

it('shows the boot and the last minutes at a press, and when the system was up', async () => {
  const entries = crashLoopRecording();
  const seq = (entries.at(-1)?.seq ?? 0) + 1;
  const line = { severity: 'info', facility: 'daemon', program: 'web', message: 'still here' } as const;
  const page = await open([...entries, { type: '@chaperone.log', seq, at: 399_700, ...line }]);
  const ready = Number(await page.locator('[data-ready-line]').getAttribute('data-ready-line'));
  expect(ready).toBe(500);
  expect(await page.locator('.ready-label').textContent()).toContain('READY 0.500 s');
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect.poll(() => shown(page)).toEqual([0, Math.round(ready * 1.05)]);
  // How long each took stands on its bar.
  expect(await page.locator('[data-service="web.service"] .b-starting text').textContent()).toBe('300 ms');
  await page.getByRole('button', { name: 'Last 5 minutes' }).click();
  const last = 399_700;
  await expect.poll(() => shown(page)).toEqual([last - 300_000, last]);
  expect(await page.locator('[data-ready-line]').count()).toBe(0);
  await page.keyboard.press('b');
  await expect.poll(() => shown(page)).toEqual([0, Math.round(ready * 1.05)]);
  await page.keyboard.press('n');
  await expect.poll(() => shown(page)).toEqual([last - 300_000, last]);
});

it('lets the last minutes go on with a running system', async () => {
  const world = crashLoopWorld();
  world.assembly.start();
  world.clock.run(400_000);
  const { address } = await serve(hubSource(world.inspection.hub));
  const page = await openPage(address, { hash: '#zoom=last-300000' });
  await page.waitForSelector('[data-connection=live]');
  await expect.poll(async () => (await shown(page))[1]).toBeGreaterThanOrEqual(400_000);
  const [from, to] = await shown(page);
  expect(to - from).toBe(300_000);
  world.clock.run(460_000);
  await expect.poll(async () => (await shown(page))[1]).toBeGreaterThanOrEqual(460_000);
});

it('filters by the counts in the header, and sorts by what the user chooses', async () => {
  const page = await open(sampleRecording(), { hash: '#t=1400' });
  await page.locator('[data-count=backoff]').click();
  await expect.poll(() => rowsOf(page)).toEqual(['flaky.service']);
  await page.locator('[data-count=pending]').click();
  await expect.poll(() => rowsOf(page)).toEqual(['flaky.service', 'report.service']);
  expect(await page.locator('.tl-count').textContent()).toBe('2 of 7 services');
  await page.locator('[data-count=backoff]').click();
  await expect.poll(() => rowsOf(page)).toEqual(['report.service']);
  await page.keyboard.press('Escape');
  await expect.poll(async () => (await rowsOf(page)).length).toBe(7);

  // flaky is in trouble, and stands first until nobody wants that.
  expect((await rowsOf(page))[0]).toBe('flaky.service');
  await page.getByRole('button', { name: 'Trouble first' }).click();
  await expect.poll(async () => (await rowsOf(page))[0]).toBe('prepare.service');
  await page.locator('#sort').selectOption('name');
  await expect
    .poll(async () => (await rowsOf(page)).slice(0, 3))
    .toEqual(['flaky.service', 'prepare.service', 'reader.service']);
  await page.locator('#sort').selectOption('duration');
  await expect.poll(async () => (await rowsOf(page))[0]).toBe('stubborn.service');
});

it('keeps all of the view in the link', async () => {
  const entries = sampleRecording();
  const { address } = await serve(recordedSource(entries));
  const page = await openPage(address, { hash: '#t=1400' });
  await complete(page);
  await page.locator('[data-count=ready]').click();
  await page.locator('#sort').selectOption('state');
  await page.getByRole('button', { name: 'Trouble first' }).click();
  await page.getByRole('button', { name: /^store, / }).click();
  await page.locator('#search').fill('e');
  await page.keyboard.press('Escape');
  await page.locator('#search').fill('r');
  await drag(page, '.axis', 0.1, 0.2);
  await page.getByRole('button', { name: 'Clock' }).click();
  const before = { rows: await rowsOf(page), shown: await shown(page) };
  await page.waitForFunction(() => location.hash.includes('clock=wall') && location.hash.includes('zoom='));
  const again = await openPage(page.url());
  await complete(again);
  await again.waitForSelector('.where[data-at="1400"]');
  await expect.poll(() => rowsOf(again)).toEqual(before.rows);
  expect(await shown(again)).toEqual(before.shown);
  expect(await again.locator('.tl-row.picked').getAttribute('data-service')).toBe('store.service');
  expect(await again.locator('[data-count=ready]').getAttribute('aria-pressed')).toBe('true');
  expect(await again.locator('#sort').inputValue()).toBe('state');
  expect(await again.getByRole('button', { name: 'Trouble first' }).getAttribute('aria-pressed')).toBe('false');
  expect((await again.locator('.axis text').allTextContents()).join(' ')).toMatch(/\d\d:\d\d/);
});

it('draws only the rows in sight of 2,000 services, and reaches all of them', async () => {
  const page = await open(manyRecording(2_000, 8_000));
  expect(await page.locator('.tl-row').count()).toBeLessThan(60);
  const body = page.locator('.tl-body');
  await body.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await expect.poll(async () => (await rowsOf(page)).at(-1)).toBe('cache-1999.service');
  expect(await page.locator('.tl-row').count()).toBeLessThan(60);
  // The wheel is for the rows where they scroll; with Ctrl it zooms.
  const [, end] = await shown(page);
  const { x, y, width } = await boxOf(page, '.tl-body');
  await page.mouse.move(x + width * 0.6, y + 200);
  await page.mouse.wheel(0, -900);
  await expect.poll(async () => (await rowsOf(page)).at(-1)).not.toBe('cache-1999.service');
  expect(await shown(page)).toEqual([0, end]);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -600);
  await page.keyboard.up('Control');
  await expect.poll(async () => (await shown(page))[1]).toBeLessThan(end);
  expect(Object.keys(await statesOf(page)).length).toBeGreaterThan(10);
});
