/** `chaperonectl top` at terminals of tmux, and what it says where it cannot run. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FakeSupervisor, serviceStatus } from '../control/fake-supervisor.ts';
import { serve } from '../control/serving.ts';
import { inDist } from '../dist.ts';
import { begin, ctl, up } from './by-hand.ts';
import { type Booted, descendantsOf } from './namespace.ts';
import { openTmux, type Tmux, type TmuxOptions } from './tmux.ts';

const sleeper = { command: '/bin/sleep 1000', startup_pause: 0 };
const sections = {
  'base.service': sleeper,
  'silent.service': { type: 'notify', command: '/bin/sleep 1000', process_timeout: 300, ignore_failures: true },
  'web.service': { ...sleeper, after: 'silent.service' },
  'api.service': { ...sleeper, after: 'web.service' },
  'loud.service': { ...sleeper, command: `/bin/sh -c 'echo one line of loud; exec sleep 1000'` },
};

function open(system: Booted, options: TmuxOptions = {}, program = [inDist('chaperonectl'), 'top']): Tmux {
  const env = { CHAPERONE_SOCKET: system.path('control.sock'), ...options.env };
  // As `docker exec` does, which also has the /proc of the container.
  const enter = system.inside();
  const inside = enter.length === 0 ? [] : [...enter.slice(0, -1), '--mount', ...enter.slice(-1)];
  return openTmux([...inside, ...program], { ...options, env });
}

async function begun(more: Parameters<typeof up>[0] = {}): Promise<Booted> {
  const system = begin({ ...sections, ...more });
  await system.waitForLine(/loud\[\d+\]: one line of loud/);
  return system;
}

/** The screen with the table, once it matches and is drawn down to its last line: a look may meet a half of it. */
async function whole(terminal: Tmux, pattern: RegExp): Promise<string> {
  return terminal.waitFor(
    new RegExp(`(?=[\\s\\S]*?${pattern.source})[\\s\\S]*^s start\\/stop .*\\s*(?![\\s\\S])`, 'm'),
  );
}

const rowOf = (screen: string, name: string): string =>
  screen.split('\n').find((line) => line.slice(2).startsWith(`${name} `)) ?? '';

async function ended(terminal: Tmux, status: number): Promise<string> {
  const screen = await terminal.waitFor(/^icanon$/m);
  expect(screen).toContain(`ended with ${status}\n`);
  expect(terminal.isTaken()).toBe(false);
  return screen;
}

describe('the table', { timeout: 120_000 }, () => {
  it.each([
    [80, 24],
    [200, 60],
  ])('fills a terminal of %i × %i with what runs', async (columns, rows) => {
    const system = await begun();
    const terminal = open(system, { columns, rows });
    const screen = await whole(terminal, /base +ready .* \d+ %/);
    const lines = screen.split('\n');
    expect(lines[1]).toMatch(/NAME +STATE +SINCE +PID +CPU +MEM +TRY +LEFT +WHY/);
    expect(rowOf(screen, 'base')).toMatch(/ready +[\d.]+ s +\d+ +\d+ % +\d+M +– +–/);
    expect(rowOf(screen, 'silent')).toMatch(/starting .* [45] m +waits for READY=1/);
    expect(rowOf(screen, 'web')).toMatch(/pending .* +waits for silent/);
    expect(lines[0]).toMatch(/1 starting .*2 ready/);
    expect(lines[rows - 2]).toMatch(/^s start\/stop .* q quit$/);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    terminal.press('q');
    await ended(terminal, 0);
  });

  it('takes the new size of the terminal at once', async () => {
    const terminal = open(await begun());
    await terminal.waitFor(/base +ready/);
    terminal.resize(200, 60);
    const large = await terminal.waitFor(/^s start\/stop.*esc|^s start\/stop.*R reload.*q quit/m);
    expect(large.split('\n')[58]).toMatch(/^s start/);
    expect(large.match(/NAME +STATE/g)).toHaveLength(1);
    terminal.resize(60, 15);
    const small = await terminal.waitFor(/^.*\n +NAME +STATE(?:.*\n){12}s start/);
    expect(small.match(/NAME +STATE/g)).toHaveLength(1);
    terminal.resize(30, 6);
    await terminal.waitFor(/too small/);
    terminal.press('C-c');
    await ended(terminal, 0);
  });

  it('has colours only where they are wanted', async () => {
    const system = await begun();
    const coloured = open(system);
    await coloured.waitFor(/base +ready/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    const colours = /\u001b\[(?:[\d;]*;)?(?:3[0-7]|9[0-7])m/;
    expect(coloured.screen(true)).toMatch(colours);
    const plain = open(system, { env: { NO_COLOR: '1' } });
    await plain.waitFor(/base +ready/);
    expect(plain.screen(true)).not.toMatch(colours);
  });
});

describe('the keys', { timeout: 120_000 }, () => {
  it('filter, sort, and go to what a service waits for', async () => {
    const terminal = open(await begun());
    await terminal.waitFor(/base +ready/);
    terminal.type('/api\r');
    const filtered = await whole(terminal, /only "api"/);
    expect(rowOf(filtered, 'base')).toBe('');
    expect(rowOf(filtered, 'api')).toMatch(/^› api/);
    terminal.press('b');
    expect(rowOf(await whole(terminal, /^› web/), 'base')).not.toBe('');
    terminal.press('b');
    await terminal.waitFor(/^› silent/m);
    terminal.press('b');
    await terminal.waitFor(/silent waits for no other service/);
    terminal.press('o');
    const sorted = await whole(terminal, /by trouble/);
    expect(sorted.split('\n')[2]).toMatch(/silent/);
    terminal.press('?');
    await terminal.waitFor(/ten services up/);
  });

  it('show the changes and the log of the chosen service', async () => {
    const terminal = open(await begun());
    terminal.type('/loud\r');
    await terminal.waitFor(
      /starting\.settling → ready\.running[\s\S]*one line of loud|one line of loud[\s\S]*→ ready\.running/,
    );
    terminal.press('l');
    const log = await terminal.waitFor(/── loud ── log/);
    expect(log).toMatch(/^\d\d:\d\d:\d\d {2}one line of loud/m);
    terminal.press('Enter');
    await terminal.waitFor(/loud\.service {2}ready\.running for/);
    terminal.press('Escape');
    await terminal.waitFor(/── loud ─/);
  });

  it('stop, start and restart a service, once it is agreed where a process ends', async () => {
    const system = await begun();
    const terminal = open(system);
    await terminal.waitFor(/› base +ready/);
    terminal.press('s');
    await terminal.waitFor(/stop base\? y: yes/);
    terminal.press('n');
    await terminal.waitFor(/› base +ready[\s\S]*nothing was done/);
    terminal.press('s', 'y');
    await terminal.waitFor(/› base +stopped/);
    await terminal.waitFor(/services stopping\./);
    terminal.press('s');
    const again = await terminal.waitFor(/› base +ready +[\d.]+ s +\d+/);
    const [, pid] = /› base +ready +[\d.]+ s +(\d+)/.exec(again) ?? [];
    terminal.press('r', 'y');
    await terminal.waitFor(new RegExp(`› base +ready +[\\d.]+ s +(?!${pid} )\\d+`));
    terminal.press('R');
    await terminal.waitFor(/can't reload services: base/);
  });
});

describe('its end', { timeout: 120_000 }, () => {
  const topOf = (terminal: Tmux): number =>
    descendantsOf(terminal.pid()).find(({ name }) => name === 'node' || name === 'chaperonectl')?.pid ?? 0;

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('by %s leaves the terminal as it was', async (signal) => {
    const terminal = open(await begun());
    await terminal.waitFor(/base +ready/);
    expect(terminal.isTaken()).toBe(true);
    const inner = descendantsOf(terminal.pid()).at(-1);
    process.kill(topOf(terminal) || (inner?.pid ?? 0), signal);
    await ended(terminal, 128 + { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }[signal]);
  });

  it('by a fault of its own leaves the terminal as it was, and tells the fault', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-fault-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const fault = join(folder, 'fault.cjs');
    writeFileSync(fault, `process.on('SIGUSR2', () => { throw new Error('planted'); });`);
    const program = [process.execPath, '--require', fault, inDist('chaperonectl.cjs'), 'top'];
    const terminal = open(await begun(), {}, program);
    await terminal.waitFor(/base +ready/);
    process.kill(topOf(terminal), 'SIGUSR2');
    const screen = await ended(terminal, 1);
    expect(screen).toMatch(/chaperonectl top: internal error: Error: planted/);
  });

  it('comes with the shutdown of the system', async () => {
    const system = await begun({ 'slow.service': { command: '$(FIXTURES)/stubborn', startup_pause: 0 } });
    const terminal = open(system);
    await terminal.waitFor(/base +ready/);
    await ctl(system, 'shutdown');
    expect(await ended(terminal, 0)).toContain('chaperonectl top: the system is shutting down');
  });

  it('comes with the end of a chaperone that says nothing', async () => {
    const system = begin(sections, { pid1: false });
    await system.waitForLine(/one line of loud/);
    const terminal = open(system);
    await terminal.waitFor(/base +ready/);
    process.kill(system.brain(), 'SIGKILL');
    expect(await ended(terminal, 6)).toContain('chaperone has gone, and has not said that it ends');
  });
});

describe('where it cannot run', { timeout: 60_000 }, () => {
  const top = (env: Readonly<Record<string, string>> = {}) =>
    spawnSync(inDist('chaperonectl'), ['top'], { encoding: 'utf8', env: { PATH: process.env['PATH'], ...env } });

  it('it says what to use instead', async () => {
    const { status, stderr } = top();
    expect(status).toBe(2);
    expect(stderr).toMatch(/^chaperonectl top: standard input is not a terminal\n"chaperonectl watch" prints/);
    const dumb = openTmux([inDist('chaperonectl'), 'top'], { columns: 160, env: { TERM: 'dumb' } });
    const screen = await ended(dumb, 2);
    expect(screen).toMatch(
      /chaperonectl top: the terminal "dumb" \(TERM\) cannot move its cursor\n"chaperonectl watch"/,
    );
    const gone = openTmux([inDist('chaperonectl'), 'top'], { env: { CHAPERONE_SOCKET: '/nowhere' } });
    expect(await ended(gone, 6)).toMatch(/chaperone does not seem to be listening/);
  });
});

describe('2,000 services', { timeout: 120_000 }, () => {
  it('are shown, filtered and walked through', async () => {
    const list = Array.from({ length: 2_000 }, (_, index) => serviceStatus(`s${index}.service`, 'ready'));
    const { path } = await serve(new FakeSupervisor(list));
    const terminal = openTmux([inDist('chaperonectl'), 'top'], { env: { CHAPERONE_SOCKET: path } });
    await terminal.waitFor(/2000 ready[\s\S]*1 to 11 of 2000/);
    terminal.press('G');
    await terminal.waitFor(/^› s1999/m);
    terminal.type('/s12\r');
    await terminal.waitFor(/only "s12"[\s\S]*of 111\)/);
    terminal.press('q');
    await ended(terminal, 0);
  });
});

describe('chaperonectl watch', { timeout: 60_000 }, () => {
  it('prints the lines of --inspect from the boot on, until chaperone has ended', async () => {
    const system = await up({ 'base.service': sleeper });
    const watched = ctl(system, 'watch');
    const asJson = ctl(system, 'watch', '--json', 'base');
    await ctl(system, 'restart', '--wait', 'base');
    await ctl(system, 'shutdown');
    const { stdout } = await watched;
    expect(stdout).toMatch(/^ +[\d.]+ {2}system +─ → booting/);
    expect(stdout).toMatch(/base +starting\.settling → ready\.running/);
    expect(stdout).toMatch(/base +stopped → starting\.spawning +asked for by "restart"/);
    const lines = (await asJson).stdout.trimEnd().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('at');
    expect(lines.join('\n')).toContain('"actor":"base"');
  });
});
