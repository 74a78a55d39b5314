import { expect, it } from 'vitest';
import { Timeline } from '../../../src/inspect/timeline.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import { crashLoopRecording, deadlockRecording, longRecording, manyRecording, sampleRecording } from '../recordings.ts';
import { complete, openPage, scrubTo, serve, statesOf, useBrowser, type ViewOptions } from './browser.ts';

useBrowser();

async function open(entries: ReturnType<typeof sampleRecording>, options: ViewOptions = {}) {
  const { address } = await serve(recordedSource(entries));
  const page = await openPage(address, options);
  await complete(page);
  return page;
}

it('shows the sample configuration in every view, at one instant', async () => {
  const page = await open(sampleRecording(), { hash: '#t=1400&service=flaky.service' });
  expect(await statesOf(page)).toEqual({
    'prepare.service': 'ready.exited',
    'store.service': 'ready.running',
    'stubborn.service': 'ready.running',
    'writer.service': 'ready.running',
    'reader.service': 'ready.running',
    'flaky.service': 'backoff',
    'report.service': 'pending',
  });
  const chain = await page.locator('[data-chain]').getAttribute('data-chain');
  expect(chain).toBe('report.service writer.service store.service prepare.service');
  expect(await page.locator('.m-crash').count()).toBeGreaterThan(0);
  expect(await page.locator('.m-restart').count()).toBe(1);

  await page.keyboard.press('2');
  await page.waitForSelector('.node');
  expect(await statesOf(page, '.node')).toMatchObject({ 'flaky.service': 'backoff', 'report.service': 'pending' });
  expect(await page.locator('.lane text').allTextContents()).toEqual(['default', 'IDLE']);

  await page.keyboard.press('3');
  await page.waitForSelector('.cs');
  expect(
    await page.locator('.cs[data-active=true]').evaluateAll((all) => all.map((one) => one.getAttribute('data-path'))),
  ).toEqual(['backoff']);
  expect(await page.locator('[data-last-transition]').getAttribute('data-last-transition')).toBe('judged → backoff');
  expect(await page.locator('[data-edge="ready.running → judged"]').getAttribute('data-count')).toBe('1');

  await page.keyboard.press('4');
  const current = await page.locator('.seq-row.current').textContent();
  expect(current).toContain('1.312 s');
  expect(await page.locator('.seq-quiet').first().textContent()).toContain('of quiet');

  await page.keyboard.press('5');
  const lines = await page.locator('.log-row .text').allTextContents();
  expect(lines).toContain('out of luck');
  expect(await page.locator('.log-row.current').textContent()).toContain('1.312 s');
});

it('makes plain who waits for whom where a boot does not go on', async () => {
  const page = await open(deadlockRecording());
  const notice = await page.locator('[data-blocker]').textContent();
  expect(notice).toMatch(/store\s*holds up 5: migrate, web, worker, proxy, report/);
  expect(notice).toContain('READY=1');
  await page.getByRole('button', { name: /^proxy, pending/ }).click();
  expect(await page.locator('[data-why]').textContent()).toContain('waits for web, worker to be ready');
  expect(await page.locator('.path .root').textContent()).toContain('store starting.awaitingNotify');
  expect(await page.locator('.readout').textContent()).toContain('waits for web, worker');

  await page.keyboard.press('2');
  await page.waitForSelector('.node.root');
  expect(await page.locator('.node.root').getAttribute('data-service')).toBe('store.service');
  const lit = await page
    .locator('.node.lit')
    .evaluateAll((nodes) => nodes.map((node) => node.getAttribute('data-service')));
  expect(lit.sort()).toEqual(['migrate.service', 'proxy.service', 'store.service', 'web.service', 'worker.service']);
  expect(await page.locator('.edge.lit').count()).toBe(5);
  expect(await page.locator('.why-line').textContent()).toContain('held up by store');

  // Through its group it waits for all that are not in IDLE.
  await page.locator('[data-node="report.service"]').click();
  expect(await page.locator('.edge.lit.staged').count()).toBeGreaterThan(0);
});

it('shows a crash loop: each crash, each restart, and what it came to', async () => {
  const page = await open(crashLoopRecording(), { hash: '#service=web.service' });
  expect(await page.locator('[data-service="web.service"] .m-crash').count()).toBe(6);
  expect(await page.locator('[data-service="web.service"] .m-restart').count()).toBe(5);
  expect(await page.locator('[data-service="report.service"] .m-run').count()).toBeGreaterThan(10);
  expect(await page.locator('[data-service-state]').getAttribute('data-service-state')).toBe('failed');
  expect(await page.locator('[data-why]').textContent()).toContain('exit 1');

  await page.keyboard.press('3');
  await page.waitForSelector('.cs');
  expect(await page.locator('[data-edge="ready.running → judged"]').getAttribute('data-count')).toBe('6');
  expect(await page.locator('[data-edge="judged → backoff"]').getAttribute('data-count')).toBe('5');
  expect(await page.locator('[data-edge="judged → failed"]').getAttribute('data-count')).toBe('1');
  // To the beginning of this state, and to the one before.
  await page.keyboard.press('[');
  await page.keyboard.press('[');
  expect(await page.locator('[data-actor-path]').getAttribute('data-actor-path')).not.toBe('failed');
});

it('keeps 300 services legible: rows as needed, groups that fold, and a search', async () => {
  const page = await open(manyRecording());
  expect(await page.locator('.tl-row').count()).toBeLessThan(80);
  await page.locator('#search').fill('db-29');
  expect(Object.keys(await statesOf(page))).toEqual(['db-294.service']);
  await page.locator('#search').press('Enter');
  expect(await page.locator('.details h2').textContent()).toBe('db-294.service');

  await page.locator('#search').fill('');
  await page.locator('.tabs button', { hasText: 'Graph' }).click();
  await page.waitForSelector('.node');
  expect(await page.locator('.node').count()).toBe(300);
  const text = await page
    .locator('.node text')
    .first()
    .evaluate((node) => node.getBoundingClientRect().height);
  expect(text).toBeGreaterThan(8);
  await page.getByRole('button', { name: 'db 50' }).click();
  await page.waitForSelector('[data-node="group:db"]');
  expect(await page.locator('.node').count()).toBe(251);
  expect(await page.locator('[data-node="group:db"]').getAttribute('aria-label')).toContain('50 services: 50 ready');
});

it('opens a recording of 100,000 entries, and goes anywhere in it', async () => {
  const entries = longRecording(100_000);
  const page = await open(entries);
  expect(await page.locator('.where').textContent()).toContain('event 100,000 of 100,000');
  const timeline = new Timeline(entries);
  for (const count of [1, 777, 20_000, 99_999, 50_123, 4]) {
    await scrubTo(page, count);
    const replica = timeline.after(count);
    const shown = await statesOf(page);
    for (const [name, state] of Object.entries(shown))
      expect(state, `${name} after ${count}`).toBe(replica.services.get(name)?.segments.at(-1)?.state ?? 'pending');
    expect(Object.keys(shown).length).toBeGreaterThan(10);
  }
});

it('shows at 50 random instants exactly what the entries add up to', async () => {
  const entries = crashLoopRecording();
  const page = await open(entries, { hash: '#service=web.service&view=statechart' });
  await page.waitForSelector('.cs');
  const timeline = new Timeline(entries);
  let seed = 7;
  for (let instant = 0; instant < 50; instant += 1) {
    seed = (seed * 48_271) % 2_147_483_647;
    const count = 1 + (seed % entries.length);
    await page.keyboard.press(instant % 2 === 0 ? '3' : '1');
    await scrubTo(page, count);
    const replica = timeline.after(count);
    const web = replica.services.get('web.service');
    expect(await page.locator('.where').getAttribute('data-seq')).toBe(String(replica.seq));
    if (instant % 2 === 0) {
      const actor = replica.actors.get(web?.sessionId ?? '');
      if (actor === undefined || actor.path === '') continue;
      expect(await page.locator('[data-actor-path]').getAttribute('data-actor-path'), `after ${count}`).toBe(
        actor.path,
      );
      const active = await page
        .locator('.cs[data-active=true]')
        .evaluateAll((all) => all.map((one) => one.getAttribute('data-path')));
      expect(active.at(-1), `after ${count}`).toBe(actor.path);
    } else {
      const expected = [...replica.services.values()].map(({ name, segments }) => [
        name,
        segments.at(-1)?.state ?? 'pending',
      ]);
      expect(await statesOf(page), `after ${count}`).toEqual(Object.fromEntries(expected));
      const context = Object.entries(replica.actors.get(web?.sessionId ?? '')?.snapshot.context ?? {});
      const details = await page.locator('.details dl').textContent();
      for (const [key, value] of context) if (key !== 'service') expect(details).toContain(`${key}${String(value)}`);
      expect(await page.locator('[data-system]').count()).toBe(replica.system.segments.length === 0 ? 0 : 1);
      if (replica.system.segments.length > 0)
        expect(await page.locator('[data-system]').getAttribute('data-system')).toBe(
          replica.system.segments.at(-1)?.state,
        );
    }
  }
});
