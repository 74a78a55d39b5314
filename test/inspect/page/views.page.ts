import { expect, it } from 'vitest';
import { contextLabel, contextText } from '../../../src/inspect/page/words.ts';
import { Timeline } from '../../../src/inspect/timeline.ts';
import { recordedSource } from '../../../src/runtime/inspection/recorded-source.ts';
import {
  crashLoopRecording,
  deadlockRecording,
  incidentRecording,
  longRecording,
  manyRecording,
  sampleRecording,
} from '../recordings.ts';
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
  // What is ready later is not known yet.
  expect(chain).toBe('flaky.service store.service prepare.service');
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
  const page = await open(crashLoopRecording(), { hash: '#service=web.service&t=60000' });
  expect(await page.locator('[data-service="web.service"] .m-crash').count()).toBe(6);
  expect(await page.locator('[data-service="web.service"] .m-restart').count()).toBe(5);
  expect(await page.locator('[data-service="report.service"] .m-run').count()).toBeGreaterThan(10);
  expect(await page.locator('[data-service-state]').getAttribute('data-service-state')).toBe('failed');
  expect(await page.locator('[data-why]').textContent()).toContain('exit 1');

  await page.keyboard.press('3');
  await page.waitForSelector('.cs');
  expect(await page.locator('[data-edge="ready.running → judged"]').getAttribute('data-count')).toBe('6');
  expect(await page.locator('[data-edge="judged → backoff"]').getAttribute('data-count')).toBe('5');
  expect(await page.locator('[data-edge="judged → refused"]').getAttribute('data-count')).toBe('1');
  expect(await page.locator('[data-edge="refused → failed"]').getAttribute('data-count')).toBe('1');
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
  expect(await page.locator('.where').textContent()).toContain(' of 100,000');
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
      const active = async (): Promise<string | null | undefined> =>
        (
          await page
            .locator('.cs[data-active=true]')
            .evaluateAll((all) => all.map((one) => one.getAttribute('data-path')))
        ).at(-1);
      // The chart comes once its layout is made.
      await expect.poll(active, { message: `after ${count}` }).toBe(actor.path);
    } else {
      const expected = [...replica.services.values()].map(({ name, segments }) => [
        name,
        segments.at(-1)?.state ?? 'pending',
      ]);
      expect(await statesOf(page), `after ${count}`).toEqual(Object.fromEntries(expected));
      const context = Object.entries(replica.actors.get(web?.sessionId ?? '')?.snapshot.context ?? {});
      const details = await page.locator('.details dl').textContent();
      for (const [key, value] of context)
        if (key !== 'service') expect(details).toContain(`${contextLabel(key)}${contextText(key, value, replica.at)}`);
      expect(await page.locator('[data-system]').count()).toBe(replica.system.segments.length === 0 ? 0 : 1);
      if (replica.system.segments.length > 0)
        expect(await page.locator('[data-system]').getAttribute('data-system')).toBe(
          replica.system.segments.at(-1)?.state,
        );
    }
  }
});

it('opens a recording when the system was up, and says which boot that is and how long it took', async () => {
  const entries = sampleRecording();
  const page = await open(entries);
  const up = entries.find(
    (entry) => entry.type === '@chaperone.fact' && entry.fact.type === 'moved' && entry.fact.to === 'up',
  );
  expect(Number(await page.locator('.where').getAttribute('data-at'))).toBe(up?.at);
  expect(await page.locator('[data-system]').getAttribute('data-system')).toBe('up');
  expect(await page.locator('[data-ready]').textContent()).toBe(`ready in ${((up?.at ?? 0) / 1000).toFixed(3)} s`);
  expect(await page.locator('[data-boot]').textContent()).toMatch(
    /^boot [0-9a-f]{8}, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  );
  await page.keyboard.press('3');
  expect(await page.locator('[data-actor-path]').getAttribute('data-actor-path')).toBe('up');
  // An instant knows no future: before that nobody knows when the system is ready.
  await scrubTo(page, 40);
  expect(await page.locator('[data-ready]').count()).toBe(0);
});

it('says what services did in the words of the terminal', async () => {
  const page = await open(crashLoopRecording(), { hash: '#service=web.service&t=1000' });
  expect(await page.locator('.history').textContent()).toMatch(/backoffexit 1; restart 1 of 5 in 2 s/);
  expect(await page.locator('.readout').textContent()).toMatch(/backoff for \d+ ms: exit 1; restart 1 of 5 in 2 s/);
});

it('marks the time of which entries are missing, and where a record has no end', async () => {
  const entries = crashLoopRecording();
  const from = entries.findLast(({ at }) => at < 10_000);
  const to = entries.find(({ at }) => at > 30_000);
  const lost = {
    type: '@chaperone.lost',
    seq: (to?.seq ?? 0) - 1,
    at: to?.at ?? 0,
    from: from?.at ?? 0,
    count: 77,
  } as const;
  const page = await open([
    ...entries.filter(({ at }) => at < 10_000),
    lost,
    ...entries.filter(({ at }) => at > 30_000),
  ]);
  expect(await page.locator('[data-gap]').getAttribute('data-gap')).toBe('77');
  const [plot, gap] = [await page.locator('.tl-unknown').boundingBox(), await page.locator('[data-gap]').boundingBox()];
  expect((gap?.width ?? 0) / (plot?.width ?? 1)).toBeCloseTo(20_000 / 60_600, 1);
  await page.keyboard.press('End');
  expect(await page.locator('[data-notice=gap]').textContent()).toMatch(/^77 entries are missing, from \S+ s to \S+ s/);
  expect(await page.locator('[data-notice=cut]').textContent()).toContain('without an end');
});

it('marks where every detail begins for one who comes late', async () => {
  const entries = crashLoopRecording();
  const facts = entries.filter(({ type }) => type === '@chaperone.boot' || type === '@chaperone.fact');
  const actors = entries.flatMap((entry, index) =>
    entry.type === '@xstate.actor' && entry.machine === 'service'
      ? [{ ...entry, at: 61_000, seq: 100_000 + index }]
      : [],
  );
  const page = await open([...facts, ...actors], { hash: '#t=61000' });
  expect(await page.locator('[data-detail]').getAttribute('data-detail')).toBe('61000');
  expect(await page.locator('[data-notice=detail]').textContent()).toContain('from 1:01.000 on');
  expect(await page.locator('[data-service="web.service"] .m-crash').count()).toBe(6);
});

it('tells an incident on the first screen, and lights what is behind it in the graph and on the timeline', async () => {
  const page = await open(incidentRecording(), { hash: '#t=4000' });
  // It has not happened yet.
  expect(await page.locator('[data-incident]').count()).toBe(0);
  await page.keyboard.press('End');
  const notice = page.locator('[data-incident]');
  expect(await notice.textContent()).toMatch(
    /^5\.000 s {2}db: exit 3, down for 2\.1 s · 2 behind it: api kept · web kept · before it: "cannot fork: out of memory"$/,
  );
  expect(await page.locator('.incidents li').count()).toBe(1);
  await notice.getByRole('button').click();
  await page.waitForSelector('.tl-row.behind');
  const behind = await page
    .locator('.tl-row.behind')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-service')));
  expect(behind).toEqual(['api.service', 'web.service']);
  expect(await page.locator('.tl-row.picked').getAttribute('data-service')).toBe('db.service');
  await page.keyboard.press('2');
  await page.waitForSelector('.node.lit');
  const lit = await page
    .locator('.node.lit')
    .evaluateAll((nodes) => nodes.map((node) => node.getAttribute('data-service')));
  expect(lit.sort()).toEqual(['api.service', 'db.service', 'web.service']);
  expect(await page.locator('.edge.lit').count()).toBe(2);
  await page.keyboard.press('Escape');
  await expect.poll(() => page.locator('.node.lit').count()).toBe(0);
});

it('finds a text or an expression in the log, and leads from a line to its instant', async () => {
  const page = await open(incidentRecording(), { hash: '#t=9000&view=log' });
  const lines = page.locator('.log-row .text');
  const all = await lines.count();
  await page.locator('#log-search').fill('OUT of');
  await expect.poll(() => lines.allTextContents()).toEqual(['cannot fork: out of memory']);
  expect(await page.locator('.log-row mark').textContent()).toBe('out of');
  await page.locator('#log-search').fill('/memory$|no such thing/');
  await expect.poll(() => page.locator('.log-row mark').textContent()).toBe('memory');
  await page.locator('.log-row').first().click();
  await page.waitForSelector('.where[data-at="5000"]');
  await page.locator('#log-search').fill('/(/');
  expect(await page.locator('#log-search').getAttribute('aria-invalid')).toBe('true');
  await expect.poll(() => lines.count()).toBe(all);
});
