import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { defaultTolerance, diffBoots } from '../../../src/inspect/boot-diff.ts';
import { reportOf } from '../../../src/inspect/boot-report.ts';
import type { Entry } from '../../../src/inspect/entry.ts';
import { renderEntry } from '../../../src/inspect/journal-writer.ts';
import { duration } from '../../../src/inspect/page/words.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import { inDist } from '../../dist.ts';
import { simpleService, systemOf } from '../../simulation/world.ts';
import { recorded } from '../recorded.ts';
import { manyRecording } from '../recordings.ts';
import { complete, openPage, serve, useBrowser } from './browser.ts';

useBrowser();

const named = (entries: readonly Entry[], boot: string): readonly Entry[] =>
  entries.map((entry) => (entry.type === '@chaperone.boot' ? { ...entry, boot } : entry));

const [idA, idB] = ['a'.repeat(32), 'b'.repeat(32)] as const;
/** In B web is slower, and cache has come where queue was. */
const bootA = named(
  recorded(
    systemOf([
      simpleService('store', { startupPause: 300 }),
      simpleService('queue', { startupPause: 100 }),
      simpleService('web', { prerequisites: ['store.service'], startupPause: 200 }),
    ]),
  ),
  idA,
);
const bootB = named(
  recorded(
    systemOf([
      simpleService('store', { startupPause: 300 }),
      simpleService('cache', { startupPause: 900 }),
      simpleService('web', { prerequisites: ['cache.service'], startupPause: 1_400 }),
    ]),
  ),
  idB,
);
const difference = diffBoots(reportOf(bootA), reportOf(bootB), defaultTolerance, duration);

function file(entries: readonly Entry[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-compare-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'journal');
  writeFileSync(path, entries.map(renderEntry).join(''));
  return path;
}

async function replayed(...words: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [inDist('chaperonectl.cjs'), 'replay', ...words]);
  onTestFinished(() => void child.kill());
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr.on('data', (chunk) => reject(new Error(String(chunk))));
    child.stdout.on('data', (chunk) => {
      text += String(chunk);
      const [, url] = /^inspect at (\S+)\n/m.exec(text) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
}

const changesOn = (page: Page): Promise<Readonly<Record<string, string>>> =>
  page
    .locator('.cmp-row')
    .evaluateAll((rows) =>
      Object.fromEntries(
        rows.map((row) => [row.getAttribute('data-service'), row.querySelector('.cmp-words .soft')?.textContent ?? '']),
      ),
    );

it('shows two journals beside each other, with the words of replay --diff', async () => {
  const page = await openPage(await replayed('--diff', file(bootA), file(bootB), '--web'));
  await page.waitForSelector('.cmp-row');
  const expected = Object.fromEntries(
    difference.services.map(({ name, changes }) => [name, changes.map(({ text }) => text).join('; ')]),
  );
  expect(await changesOn(page)).toEqual(expected);
  expect(expected['web.service']).toContain('+1.2 s (+600 %); waited for cache instead of store');
  // Bars of both begin at 0, and what is in one alone says so.
  const barsOf = (name: string, side: string) =>
    page
      .locator(`[data-service="${name}.service"] [data-side=${side}] .bar rect`)
      .evaluateAll((all) => all.map((rect) => Number(rect.getAttribute('x'))));
  expect((await barsOf('web', 'a'))[0]).toBe(0);
  expect((await barsOf('web', 'b'))[0]).toBe(0);
  expect(await barsOf('cache', 'a')).toEqual([]);
  expect(await page.locator('[data-service="cache.service"] .absent').textContent()).toBe('not in A');
  expect(await page.locator('[data-service="queue.service"] .absent').textContent()).toBe('not in B');
  // The chains, and whether B is worse.
  expect(await page.locator('[data-chain-of=a] li').allTextContents()).toEqual([
    expect.stringMatching(/^web .*200 ms$/),
    expect.stringMatching(/^store not in the other chain300 ms$/),
  ]);
  expect(await page.locator('[data-chain-of=b] li').allTextContents()).toEqual([
    expect.stringMatching(/^web .*1\.4 s \+1\.2 s$/),
    expect.stringMatching(/^cache not in the other chain900 ms$/),
  ]);
  expect(await page.locator('[data-verdict]').textContent()).toBe('B is worse than A:');
  expect(await page.locator('.reasons').textContent()).toBe(difference.regressions.join(''));
  expect(await page.locator('[data-line="ready in"]').textContent()).toContain('500 ms');
});

it('lets the user choose among the boots of a journal, exchange them, and link to that', async () => {
  const journal = file([...bootA, ...bootB]);
  const page = await openPage(await replayed('--web', journal));
  await complete(page);
  await page.locator('.tabs button', { hasText: 'Compare' }).click();
  expect(await page.locator('[data-other=none]').textContent()).toContain('Choose another boot');
  await page.locator('#other').selectOption(idA);
  await page.waitForSelector('.cmp-row');
  await expect.poll(async () => (await changesOn(page))['cache.service']).toBe('added');
  await page.getByRole('button', { name: 'A ⇄ B' }).click();
  await expect.poll(async () => (await changesOn(page))['cache.service']).toBe('removed');
  await page.getByRole('button', { name: 'Only what differs' }).click();
  await expect.poll(async () => Object.keys(await changesOn(page)).includes('store.service')).toBe(false);
  await page.waitForFunction(() => location.hash.includes('as=b') && location.hash.includes('with=a'));
  const again = await openPage(page.url());
  await again.waitForSelector('.cmp-row');
  expect((await changesOn(again))['cache.service']).toBe('removed');
});

it('opens a journal from the files of the user, beside a page that knows no other boot', async () => {
  const { address } = await serve(recordedSource(bootB));
  const page = await openPage(address, { hash: '#view=compare' });
  await complete(page);
  await page.locator('#journal').setInputFiles(file(bootA));
  await page.waitForSelector('.cmp-row');
  expect((await changesOn(page))['queue.service']).toBe('removed');
  const text = join(file(bootA), '..', 'text');
  writeFileSync(text, 'no journal\n');
  await page.locator('#journal').setInputFiles(text);
  await expect.poll(() => page.locator('[data-other]').textContent()).toBe('text cannot be read: it is no journal.');
});

it('asks for a journal that a link names and nobody has', async () => {
  const { address } = await serve(recordedSource(bootB));
  const page = await openPage(address, { hash: `#view=compare&with=${idA}` });
  await complete(page);
  await expect.poll(() => page.locator('[data-other]').textContent()).toContain('choose its journal');
});

for (const [name, look] of Object.entries({
  light: { width: 1440, height: 900 },
  dark: { width: 1024, height: 768, dark: true },
  'a telephone': { width: 360, height: 740 },
})) {
  it(`has nothing that axe objects to: ${name}`, async () => {
    const { address } = await serve({
      ...recordedSource(bootB),
      others: [{ boot: idA, epoch: 0, number: 1, file: 'journal', load: async () => bootA }],
    });
    const page = await openPage(address, { ...look, hash: `#view=compare&with=${idA}` });
    await page.waitForSelector('.cmp-row');
    for (const chosen of [undefined, 'web']) {
      if (chosen !== undefined) await page.getByRole('button', { name: /^web: / }).click();
      await page.evaluate(axe.source);
      const violations = await page.evaluate(
        'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))',
      );
      expect(violations).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(look.width);
    }
  });
}

it('compares 2,000 services, and draws only the rows in sight', async () => {
  const entries = manyRecording(2_000, 5_000);
  const { address } = await serve({
    ...recordedSource(named(entries, idB)),
    others: [{ boot: idA, epoch: 0, number: 1, file: 'journal', load: async () => named(entries, idA) }],
  });
  const page = await openPage(address, { hash: `#view=compare&with=${idA}` });
  await complete(page);
  await page.waitForSelector('[data-changed="0"]');
  expect(await page.locator('[data-verdict]').textContent()).toBe('B is no worse than A.');
  expect(await page.locator('.cmp-row').count()).toBeLessThan(50);
  await page.keyboard.press('ArrowUp');
  await expect.poll(() => page.locator('.tl-row.picked').getAttribute('data-service')).toBe('cache-1999.service');
});
