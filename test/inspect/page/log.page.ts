import axe from 'axe-core';
import { expect, it } from 'vitest';
import type { Entry, LogEntry } from '../../../src/inspect/entry.ts';
import type { LogRecord } from '../../../src/model/log/log-record.ts';
import { hubSource } from '../../../src/runtime/inspection/hub-source.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import { crashLoopWorld, incidentRecording } from '../recordings.ts';
import { complete, openPage, serve, useBrowser } from './browser.ts';

useBrowser();

/** A recording with one more line at its end. */
function withLine(message: string): readonly Entry[] {
  const entries = incidentRecording();
  const { seq = 0, at = 0 } = entries.at(-1) ?? {};
  const line: LogEntry = {
    ...{ type: '@chaperone.log', seq: seq + 1, at, severity: 'info', facility: 'daemon' },
    ...{ program: 'web', service: 'web.service', message },
  };
  return [...entries, line];
}

it('goes on where an expression takes too long, and says so', async () => {
  const { address } = await serve(recordedSource(withLine(`${'a'.repeat(60)}!`)));
  const page = await openPage(address, { hash: '#view=log' });
  await complete(page);
  await page.locator('#log-search').fill('/^(a+a+)+$/');
  await expect
    .poll(() => page.locator('[data-lines]').textContent())
    .toContain('the expression takes too long for the rest of the log');
  // The page was never held up, and the next expression is looked for anew.
  await page.locator('#log-search').fill('/^a{3,}!/');
  await expect.poll(() => page.locator('.log-row mark').allTextContents()).toEqual([`${'a'.repeat(60)}!`]);
  expect(await page.locator('[data-lines]').getAttribute('data-lines')).toBe('1');
});

it('fetches older records from the server, those that are looked for, and each once', async () => {
  const world = crashLoopWorld();
  const epoch = world.clock.wallTime();
  world.assembly.start();
  world.clock.run(20_000);
  const record = (at: number, message: string): LogRecord => ({
    ...{ time: epoch + at, severity: 'info', facility: 'daemon', program: 'web', service: 'web.service', message },
  });
  const kept = [record(100, 'listening'), record(7_000, 'exit 7 seen'), record(8_000, 'exit 8 seen')];
  // The last one is what the page was told itself.
  let told: LogRecord | undefined;
  world.assembly.records$.subscribe((each) => {
    told ??= each;
  });
  const source = hubSource(world.inspection.hub, () => (told === undefined ? kept : [...kept, told]));
  world.clock.run(60_000);
  const { address } = await serve(source);
  const page = await openPage(address, { hash: '#view=log' });
  await page.waitForSelector('.log-row');
  const lines = async (): Promise<number> => Number(await page.locator('[data-lines]').getAttribute('data-lines'));
  await expect.poll(lines).toBeGreaterThan(10);
  const held = await lines();
  await page.locator('#older').click();
  await expect.poll(() => page.locator('.log-row.old').count()).toBe(3);
  expect(await lines()).toBe(held + 3);
  expect(await page.locator('#older').textContent()).toBe('3 older, no more');
  await page.locator('.log-row.old').first().click();
  await page.waitForSelector('.where[data-at="100"]');

  await page.locator('#log-search').fill('/EXIT [78]/i');
  await page.locator('#older').click();
  await expect.poll(() => page.locator('.log-row.old .text').allTextContents()).toEqual(['exit 7 seen', 'exit 8 seen']);
  // What the engine of the server cannot do, it says.
  await page.locator('#log-search').fill('/(?=exit)exit/');
  await page.locator('#older').click();
  await expect.poll(() => page.locator('.view-tools').textContent()).toContain('look');
  expect(await page.locator('.log-row.old').count()).toBe(0);
});

it('leads from an instant to its lines, and from a line to its instant', async () => {
  const { address } = await serve(recordedSource(incidentRecording()));
  const page = await openPage(address, { hash: '#t=5200&service=db.service' });
  await complete(page);
  const lines = page.locator('[data-last-lines]');
  expect(await lines.locator('li').last().textContent()).toContain('cannot fork: out of memory');
  await lines.locator('button').last().click();
  await page.waitForSelector('.where[data-at="5000"]');
  await page.getByRole('button', { name: 'show in the log' }).click();
  expect(await page.locator('.log-row.current').textContent()).toContain('cannot fork: out of memory');
  // Without a service: the lines of all. An instant knows no later ones.
  await page.keyboard.press('Escape');
  await page.keyboard.press('1');
  await page.keyboard.press('Home');
  await expect.poll(() => page.locator('[data-last-lines]').count()).toBe(0);
});

it('keeps what is looked for in the link, and has nothing that axe objects to', async () => {
  const { address } = await serve(recordedSource(incidentRecording()));
  const page = await openPage(address, { width: 360, height: 740, hash: '#t=5200&view=log&lines=%2Fmemory%24%2F' });
  await complete(page);
  await expect.poll(() => page.locator('.log-row mark').allTextContents()).toEqual(['memory']);
  await page.evaluate(axe.source);
  const violations = await page.evaluate(
    'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))',
  );
  expect(violations).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
});
