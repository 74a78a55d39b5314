import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import axe from 'axe-core';
import { expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { openPage, statesOf, useBrowser } from '../inspect/page/browser.ts';
import { type Booted, boot } from './namespace.ts';

useBrowser();

const chaperonectl = inDist('chaperonectl.cjs');
const files = {
  'services.conf': `
store.service: { type: oneshot, command: "sh -c 'echo the store is there'" }
web.service: { command: "sleep 1000", startup_pause: 0.1, after: store.service, env_set: { TOKEN: hush-hush, GREETING: hello-there } }
flaky.service: { command: "sh -c 'test -e $0 && exec sleep 1000; touch $0; sleep 0.3; exit 3' crashed", directory: $(_CHAP_CONFIG_DIR), startup_pause: 0.1, restart: true, restart_delay: 0.2 }
all.logging: { selector: "*.info", stdout: true }
`,
};

async function pageOf(system: Booted): Promise<string> {
  const [, url = ''] = await system.waitForLine(/^chaperone: inspect at (http:\S+)$/);
  return url;
}

/** Runs chaperonectl until it prints the address of the page. */
function control(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  inside: readonly string[] = [],
): Promise<string> {
  const [file = '', ...args] = [...inside, process.execPath, chaperonectl, ...words];
  const child = spawn(file, args, { env: { ...process.env, ...env } });
  onTestFinished(() => {
    child.kill();
  });
  return new Promise((resolve, reject) => {
    let errors = '';
    child.stderr.on('data', (text) => {
      errors += String(text);
    });
    createInterface(child.stdout).once('line', (line) => resolve(line.replace('inspect at ', '')));
    child.once('exit', (status) => reject(new Error(`chaperonectl ended with ${status}: ${errors}`)));
  });
}

it('shows a real boot: --inspect=web', async () => {
  const system = boot({ files, args: ['--inspect=web'] });
  const page = await openPage(await pageOf(system));
  await page.waitForSelector('[data-system=up]');
  await page.waitForSelector('[data-service="flaky.service"] .m-restart', { state: 'attached' });
  await page.waitForSelector('[data-service="flaky.service"][data-state="ready.running"]');
  expect(await statesOf(page)).toEqual({
    'store.service': 'ready.exited',
    'web.service': 'ready.running',
    'flaky.service': 'ready.running',
  });
  await page.keyboard.press('5');
  await page.waitForSelector('.log-row >> text=the store is there');
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
  await page.waitForSelector('[data-connection=lost], [data-connection=complete]');
  await page.waitForSelector('.notice >> text=exit status 0');
});

it('shows a chaperone that runs: chaperonectl inspect, over its socket or through a command', async () => {
  const system = boot({ files });
  await system.waitForLine(/ready\.$/);
  const socket = system.path('control.sock');
  const near = await openPage(await control(['inspect'], { CHAPERONE_SOCKET: socket }, system.inside()));
  await near.waitForSelector('[data-service="web.service"][data-state="ready.running"]');

  // `docker exec -i NAME` runs a command where chaperone is; this script does the same.
  const reach = system.path('reach');
  writeFileSync(
    reach,
    `#!/bin/sh\n[ "$1" = chaperonectl ] || exit 9\nshift\nCHAPERONE_SOCKET=${socket} exec ${system.inside().join(' ')} ${process.execPath} ${chaperonectl} "$@"\n`,
  );
  chmodSync(reach, 0o755);
  const far = await openPage(await control(['inspect', '--via', reach], { CHAPERONE_SOCKET: '/nowhere' }));
  await far.waitForSelector('[data-service="web.service"][data-state="ready.running"]');
  await far.waitForSelector('[data-connection=live]');

  const whole = await openPage(
    await control(['inspect', '--via', `${reach} chaperonectl inspect --stdio`], { CHAPERONE_SOCKET: '/nowhere' }),
  );
  await whole.waitForSelector('[data-service="web.service"][data-state="ready.running"]');
});

it('acts where that is asked for, for an account that the kernel names, after a question, and is seen as an event from outside', async () => {
  const system = boot({ files, args: ['--inspect=web,act'] });
  const url = await pageOf(system);
  await system.waitForLine(/ready\.$/);
  // This browser is outside of the PID namespace: it is told the commands instead.
  const outside = await openPage(url, { hash: '#service=web.service' });
  await outside.waitForSelector('[data-service="web.service"][data-state="ready.running"]');
  await expect
    .poll(() => outside.locator('.act code').allTextContents())
    .toEqual(['chaperonectl stop web', 'chaperonectl restart web']);
  const send = (where: readonly string[], action: string): string => {
    const body = JSON.stringify({ action, service: 'web.service' });
    const program = `fetch(process.argv[1], { method: 'POST', body: process.argv[2], headers: { 'content-type': 'application/json', origin: new URL(process.argv[1]).origin } }).then(async (r) => console.log(r.status, await r.text()))`;
    const [file = '', ...args] = [...where, process.execPath, '-e', program, `${url}act`, body];
    return execFileSync(file, args, { encoding: 'utf8' });
  };
  expect(send([], 'stop')).toMatch(/^403 .*\nnot permitted for uid \d+ from outside of the container: stop/);
  expect(send(system.inside(), 'stop')).toMatch(/^200 \{"ok":true/);
  await outside.waitForSelector('[data-service="web.service"][data-state="stopped"]');
  await outside.keyboard.press('4');
  await outside.waitForSelector('.seq-row >> text=service.stop');

  // The page of chaperonectl acts with the rights of who runs it.
  const reach = system.path('reach-act');
  const inner = [...system.inside(), process.execPath, chaperonectl].join(' ');
  writeFileSync(reach, `#!/bin/sh\nshift\nCHAPERONE_SOCKET=${system.path('control.sock')} exec ${inner} "$@"\n`);
  chmodSync(reach, 0o755);
  const page = await openPage(await control(['inspect', '--act', '--via', reach], { CHAPERONE_SOCKET: '/nowhere' }), {
    hash: '#service=web.service',
  });
  await page.getByRole('button', { name: 'Start…' }).click();
  expect(await page.locator('dialog[open] h2').textContent()).toBe('Start web?');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.waitForSelector('.confirm:not([open])', { state: 'attached' });
  expect(await page.locator('[data-service-state]').getAttribute('data-service-state')).toBe('stopped');
  await page.getByRole('button', { name: 'Start…' }).click();
  await page.locator('[data-confirm]').click();
  await page.waitForSelector('[data-service="web.service"][data-state="ready.running"]');
  await page.getByRole('button', { name: 'Restart…' }).click();
  await page.evaluate(axe.source);
  expect(
    await page.evaluate('axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))'),
  ).toEqual([]);

  // Two deeds keep their order: the second waits for the answer to the first.
  const sent: string[] = [];
  let answerFirst = (): void => {};
  const firstAnswer = new Promise<void>((resolve) => {
    answerFirst = resolve;
  });
  await page.route('**/act', async (route) => {
    const body = route.request().postData();
    if (body === null) return route.fallback();
    sent.push(String(JSON.parse(body).action));
    if (sent.length === 1) await firstAnswer;
    await route.fulfill({ json: { ok: true, text: `answer ${sent.length}` } });
  });
  await page.locator('[data-confirm]').click();
  await page.getByRole('button', { name: 'Stop…' }).click();
  await page.locator('[data-confirm]').click();
  await page.getByText('stop was asked for').waitFor();
  // What the page sends after this request has been answered, it could have sent before.
  await page.evaluate("fetch('boots').then((answer) => answer.status)");
  expect(sent).toEqual(['restart']);
  answerFirst();
  await page.getByText('answer 2').waitFor();
  expect(sent).toEqual(['restart', 'stop']);
});

it('tells command lines and environments only where that is asked for', async () => {
  const read = async (args: readonly string[]): Promise<string> => {
    const system = boot({ files, args: ['--inspect=web', ...args] });
    const url = await pageOf(system);
    await system.waitForLine(/ready\.$/);
    const { body } = await fetch(`${url}entries`);
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.includes('"value":"up"')) break;
    }
    system.signal('SIGTERM');
    await system.exit;
    return text;
  };
  const hidden = await read([]);
  expect(hidden).toContain('"name":"web.service"');
  expect(hidden).not.toContain('hello-there');
  expect(hidden).not.toContain('hush-hush');
  expect(hidden).not.toContain('sleep 1000');
  const revealed = await read(['--inspect-reveal']);
  expect(revealed).toContain('"GREETING":"hello-there"');
  expect(revealed).toContain('"TOKEN":"***"');
  expect(revealed).not.toContain('hush-hush');
  expect(revealed).toContain('"command":"sleep 1000"');
});

it('shows a journal: chaperonectl replay --web', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const journal = join(folder, 'boots');
  const system = boot({ files, args: [`--inspect=journal:${journal}`] });
  await system.waitForLine(/ready\.$/);
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
  const page = await openPage(await control(['replay', '--web', journal], {}));
  await page.waitForSelector('[data-connection=complete]');
  // It opens where the system was up.
  expect(await statesOf(page)).toMatchObject({ 'web.service': 'ready.running' });
  await page.keyboard.press('End');
  await expect.poll(() => statesOf(page)).toMatchObject({ 'web.service': 'stopped' });
});
