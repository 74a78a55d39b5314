import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { pageFile } from '../../../src/cli/chaperonectl/page-file.ts';
import type { Entry } from '../../../src/inspect/entry.ts';
import { incidentRecording } from '../recordings.ts';
import { assets, complete, openPage, useBrowser } from './browser.ts';

useBrowser();

/** The address of a file with the page and these entries. */
function fileOf(entries: readonly Entry[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'boot.html');
  writeFileSync(path, pageFile(entries, assets));
  return `file://${path}`;
}

it('is one file that needs no server: the timeline, the graph and the charts are drawn from it', async () => {
  const hostile = '</script><script>document.title = "broken"</script><!--';
  const entries = incidentRecording().map((entry) =>
    entry.type === '@chaperone.log' ? { ...entry, message: hostile } : entry,
  );
  const page = await openPage(fileOf(entries));
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await complete(page);
  expect(await page.locator('[data-ready]').textContent()).toBe('ready in 0.300 s');
  expect(await page.locator('.tl-row').count()).toBe(4);
  await page.keyboard.press('2');
  await page.waitForSelector('.node');
  await page.keyboard.press('3');
  await page.waitForSelector('.cs');
  await page.keyboard.press('End');
  await page.keyboard.press('5');
  expect(await page.locator('.log-row .text').first().textContent()).toBe(hostile);
  expect(await page.title()).toBe('chaperone');
  expect(asked.filter((url) => !/^(blob|data):/.test(url))).toEqual([]);
});
