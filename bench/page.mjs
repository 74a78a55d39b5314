// What the inspector page takes for a recording of 100,000 entries, in a real browser: until it is open, and for a jump to another instant.
// Prints medians in ms, and ends with 1 where they are over the bounds, which are for a machine that does nothing else.
// CHROMIUM=PATH names the browser; ENTRIES and ROUNDS are numbers.
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('..', import.meta.url));
const size = Number(process.env.ENTRIES ?? 100_000);
const rounds = Number(process.env.ROUNDS ?? 5);
const jumps = 40;
const bounds = { open: 2_000, jump: 50 };

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function recording(folder) {
  const outfile = join(folder, 'recordings.mjs');
  await build({
    stdin: {
      contents: `import { longRecording } from './test/inspect/recordings.ts'; export const entries = longRecording(${size});`,
      resolveDir: root,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
    logLevel: 'error',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    alias: { rxjs: join(root, 'node_modules/rxjs/dist/esm/index.js') },
  });
  const { entries } = await import(pathToFileURL(outfile).href);
  return Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
}

/** Serves the page and the recording, without the work of a journal. */
function serve(lines) {
  const types = { html: 'text/html', css: 'text/css', js: 'text/javascript' };
  const server = createServer(async ({ url }, response) => {
    const path = url.split('?')[0].slice(1) || 'index.html';
    if (path === 'entries') response.writeHead(200, { 'chaperone-stream': 'complete' }).end(lines);
    else if (path === 'boots' || path === 'act') response.end(path === 'boots' ? '[]' : '{"may":[]}');
    else {
      const content = await readFile(join(root, 'dist/inspect-page', path)).catch(() => undefined);
      response.writeHead(content === undefined ? 404 : 200, {
        'content-type': types[path.split('.').at(-1)] ?? 'text/plain',
      });
      response.end(content);
    }
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** ms from a move of the scrubber until the views show that instant. */
function measureJumps(page) {
  return page.evaluate(
    async ([count, total]) => {
      const input = document.querySelector('.scrubber input');
      const where = document.querySelector('.where');
      const times = [];
      for (let jump = 1; jump <= count; jump += 1) {
        const target = 1 + ((jump * 48_271 * 7) % total);
        const from = performance.now();
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, String(target));
        input.dispatchEvent(new Event('input', { bubbles: true }));
        while (where.dataset.count !== String(target)) await new Promise((resolve) => setTimeout(resolve, 0));
        times.push(performance.now() - from);
      }
      return times;
    },
    [jumps, size],
  );
}

const folder = mkdtempSync(join(tmpdir(), 'chaperone-bench-page-'));
const places = [
  process.env.CHROMIUM,
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
];
const { existsSync } = await import('node:fs');
const server = await serve(await recording(folder));
const browser = await chromium.launch({
  executablePath: places.find((path) => path && existsSync(path)),
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  const open = [];
  const jump = [];
  for (let round = 0; round < rounds; round += 1) {
    const page = await browser.newPage();
    const from = performance.now();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForSelector('[data-connection=complete]');
    await page.waitForSelector('.tl-row');
    open.push(performance.now() - from);
    // The first way through makes the keyframes that later jumps use.
    await measureJumps(page);
    jump.push(...(await measureJumps(page)));
    await page.close();
  }
  const result = { open: median(open), jump: median(jump) };
  process.stdout.write(
    `${size} entries: open in ${result.open.toFixed(0)} ms, a jump in ${result.jump.toFixed(1)} ms\n`,
  );
  if (result.open > bounds.open || result.jump > bounds.jump) process.exitCode = 1;
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
