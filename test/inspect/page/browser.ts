/** A real browser, and pages of it that show what they are given. */

import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, vi } from 'vitest';
import { type EntrySource, type PageServer, servePage } from '../../../src/runtime/inspection/page-server.ts';
import { inDist } from '../../dist.ts';

export const assets = inDist('inspect-page');
const places = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
];

export function findBrowser(): string {
  const found = places.find((place) => place !== undefined && existsSync(place));
  if (found === undefined)
    throw new Error(
      'the tests of the inspector page need Chromium: apt-get install chromium-headless-shell, or say where one is in CHROMIUM',
    );
  return found;
}

let browser: Browser | undefined;

/** ms: a browser on a busy machine. */
const patience = 60_000;

/** One browser for all tests of a file. */
export function useBrowser(): void {
  vi.setConfig({ testTimeout: 3 * patience, hookTimeout: patience });
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: findBrowser(),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
  });
  afterAll(async () => {
    await browser?.close();
  });
}

export interface ViewOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** What stands behind the address: `#view=graph`. */
  readonly hash?: string;
}

/** Opens an address. A test fails where the page breaks a rule of its own policy, or throws. */
export async function openPage(url: string, { width = 1280, height = 760, dark = false, hash = '' }: ViewOptions = {}) {
  if (browser === undefined) throw new Error('internal error: useBrowser() was not called');
  const context: BrowserContext = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const mistakes: string[] = [];
  page.on('pageerror', (error) => mistakes.push(String(error.stack)));
  page.on('console', (message) => {
    // What a connection that is lost or refused leaves in the console is no mistake of the page.
    if (message.type() === 'error' && !/ERR_|CORS policy/.test(message.text())) mistakes.push(message.text());
  });
  onTestFinished(async () => {
    await context.close();
    expect(mistakes).toEqual([]);
  });
  page.setDefaultTimeout(patience);
  await page.goto(`${url}${hash}`);
  return page;
}

export const token = '0123456789abcdef0123456789abcdef';

/** Serves the built page until the test has finished. */
export async function serve(source: EntrySource, port = 0): Promise<PageServer & { readonly address: string }> {
  const server = servePage({
    door: { address: '127.0.0.1', token },
    port,
    assets,
    source,
    onError: (error) => expect.fail(String(error)),
  });
  onTestFinished(() => server.close());
  return { ...server, address: await server.url };
}

/** Everything has come. */
export async function complete(page: Page): Promise<void> {
  await page.waitForSelector('[data-connection=complete]');
}

/** Moves the scrubber behind so many entries. */
export async function scrubTo(page: Page, count: number): Promise<void> {
  await page.locator('.scrubber input').fill(String(count));
  await page.waitForSelector(`.where[data-count="${count}"]`);
}

/** The state of each service whose row is in sight. */
export async function statesOf(page: Page, selector = '.tl-row'): Promise<Readonly<Record<string, string>>> {
  const states = await page
    .locator(selector)
    .evaluateAll((rows) =>
      rows.map((row) => [row.getAttribute('data-service') ?? '', row.getAttribute('data-state') ?? '']),
    );
  return Object.fromEntries(states);
}
