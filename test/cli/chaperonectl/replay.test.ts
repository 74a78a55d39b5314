import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { readWords } from '../../../src/cli/chaperonectl/read-words.ts';
import { run } from '../../../src/cli/chaperonectl/replay.ts';
import { verbHelp, verbsOf } from '../../../src/cli/chaperonectl/verbs.ts';
import { type Entry, entryVersion } from '../../../src/inspect/entry.ts';
import { renderEntry } from '../../../src/inspect/journal-writer.ts';
import { recorded } from '../../inspect/recorded.ts';
import { simpleService, systemOf } from '../../simulation/world.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chaperone-replay-'));
  const path = folder;
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
});

const services = [
  simpleService('store', { startupPause: 300 }),
  simpleService('web', { prerequisites: ['store.service'], startupPause: 500 }),
];
const [first, second] = [1, 2].map((factor) =>
  recorded(systemOf(services.map((service) => ({ ...service, startupPause: service.startupPause * factor })))),
);

/** A boot under a name of 32 digits. */
function boot(entries: readonly Entry[] = [], digit = 'a', version: number = entryVersion): string {
  return entries
    .map((entry) => (entry.type === '@chaperone.boot' ? { ...entry, boot: digit.repeat(32) } : entry))
    .map(renderEntry)
    .join('')
    .replace(`"version":${entryVersion}`, `"version":${version}`);
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const journal = (): string => file('journal', boot(first, 'a') + boot(second, 'b'));

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly slept: readonly number[];
}

async function replay(...words: readonly string[]): Promise<Outcome> {
  const texts = { 1: '', 2: '' };
  const slept: number[] = [];
  const verb = verbsOf('chaperonectl').find(({ name }) => name === 'replay');
  if (verb === undefined) throw new Error('there is no replay');
  const reading = readWords(verb, words);
  if (reading.kind === 'help') return { status: 0, stdout: verbHelp('chaperonectl', verb), stderr: '', slept };
  if (reading.kind === 'mistake') return { status: 2, stdout: '', stderr: reading.message, slept };
  const status = await run(reading, {
    print: async (fd, text) => {
      texts[fd] += text;
    },
    colour: false,
    sleep: async (ms) => {
      slept.push(ms);
    },
  });
  return { status, stdout: texts[1], stderr: texts[2], slept };
}

describe('chaperonectl replay', () => {
  it('shows the last boot as it went', async () => {
    const { status, stdout, stderr, slept } = await replay(journal());
    expect(status).toBe(0);
    expect(stderr).toBe('');
    expect(slept).toEqual([]);
    expect(stdout).toMatchInlineSnapshot(`
      "   0.000  system                            ─ → booting.starting         2 services, 2 layers, 1 file
         0.000  store                       pending → starting.spawning        service.start
         0.000  store             starting.spawning → starting.settling        pid 2  store
         0.600  store             starting.settling → ready.running            startup_pause of 0.6 s passed
         0.600  web                         pending → starting.spawning        was waiting for store, 600 ms
         0.600  web               starting.spawning → starting.settling        pid 3  web
         1.600  web               starting.settling → ready.running            startup_pause of 1 s passed
         1.600  system             booting.starting → up                       ready in 1.600 s
                critical chain: web 1.000 s (63 %) ← store 0.600 s (38 %)
                slowest: web 1.000 s, store 0.600 s
        10.000  system                           up → draining.stopping        SIGTERM; 2 to stop within 8 s
        10.000  web                   ready.running → stopping.terminating     SIGTERM to pid 3, SIGKILL after 3.8 s
        10.000  web            stopping.terminating → stopped                  SIGTERM after 9.4 s
        10.000  store                 ready.running → stopping.terminating     SIGTERM to pid 2, SIGKILL after 7.5 s
        10.000  store          stopping.terminating → stopped                  SIGTERM after 10.0 s
        10.000  system            draining.stopping → draining.clearing        SIGTERM to what is left
        10.000  system            draining.clearing → halted                   no process is left
        10.000  exit status 0: SIGTERM
      "
    `);
  });

  it.each([
    ['1', '0.800'],
    ['2', '1.600'],
    ['-1', '1.600'],
    ['-2', '0.800'],
    ['a', '0.800'],
    ['bbbb', '1.600'],
  ])('shows the boot that is named by %s', async (name, ready) => {
    const path = journal();
    expect((await replay(path, '--boot', name)).stdout).toContain(`ready in ${ready} s`);
    expect((await replay(`${path}#${name}`)).stdout).toContain(`ready in ${ready} s`);
  });

  it.each(['0', '3', '-3', 'c', 'abc'])('knows no boot %s', async (name) => {
    const { status, stderr } = await replay(journal(), '--boot', name);
    expect(status).toBe(2);
    expect(stderr).toMatch(/there is no boot \S+ in .*, which has 2; see "chaperonectl replay --list"/);
  });

  it('wants more of an id that is not unique', async () => {
    const path = file('journal', boot(first, 'a') + boot(second, 'a'));
    expect(await replay(path, '--boot', 'aa')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('boot aa is not unique'),
    });
  });

  it('lists the boots', async () => {
    const path = file('journal', boot(first, 'a') + boot(second, 'b').slice(0, -30));
    const { stdout } = await replay(path, '--list');
    expect(stdout.replace(/ +\d+ +(?=\d\.\d{3} s)/g, ' N ')).toMatchInlineSnapshot(`
      "N  BOOT      BEGAN                 SERVICES  ENTRIES  READY    END
      1  aaaaaaaa  2030-01-01T00:00:00Z  2 N 0.800 s  exit status 0: SIGTERM
      2  bbbbbbbb  2030-01-01T00:00:00Z  2 N 1.600 s  cut off after 10.000 s
      "
    `);
    const rows: unknown = JSON.parse((await replay(path, '--list', '--json')).stdout);
    expect(rows).toMatchObject([
      { number: 1, boot: 'a'.repeat(32), ready: 800, end: { exitStatus: 0, cause: 'SIGTERM' }, torn: false },
      { number: 2, boot: 'b'.repeat(32), ready: 1600, torn: true },
    ]);
  });

  it('shows only the services that are asked for', async () => {
    const { stdout } = await replay(journal(), '--service', 'w*');
    expect(stdout).toContain(' web ');
    expect(stdout).not.toMatch(/^ +[\d.]+ +store/m);
    expect((await replay(journal(), '--service', 'web,store.service')).stdout).toMatch(/^ +[\d.]+ +store/m);
  });

  it('prints JSON, a line a transition', async () => {
    const { stdout } = await replay(journal(), '--json', '--service', 'web');
    const lines = stdout
      .split('\n')
      .slice(0, -1)
      .map((line): unknown => JSON.parse(line));
    expect(lines[1]).toMatchObject({ actor: 'web', from: 'pending', to: 'starting.spawning', waitedFor: 'store' });
    expect(lines.at(-1)).toEqual({ at: expect.any(Number), exitStatus: 0, cause: 'SIGTERM' });
  });

  it.each([
    ['0.4', 'at 0.000 s'],
    ['650ms', 'at 0.600 s'],
    ['web:starting', 'at 0.600 s'],
    ['system:up', 'at 1.600 s'],
    ['unit.leaderExited', 'at 10.000 s'],
    ['#9', 'entry 9:'],
  ])('stops at %s, and says where everything stands then', async (until, found) => {
    const { status, stdout, stderr } = await replay(journal(), '--until', until);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(found);
    expect(stdout).not.toContain('exit status 0');
  });

  it('says where everything stands', async () => {
    const { stdout } = await replay(journal(), '--until', 'web:starting.settling');
    expect(stdout.split('\n\n')[1]?.replace(/entry \d+/, 'entry N')).toMatchInlineSnapshot(`
      "at 0.600 s, entry N:
        system  booting.starting   for 0.600 s
        store   ready.running      for 0.000 s  pid 2
        web     starting.settling  for 0.000 s  pid 3
      "
    `);
    const { stdout: json } = await replay(journal(), '--until', 'web:starting.settling', '--json');
    expect(JSON.parse(json.trim().split('\n').at(-1) ?? '')).toMatchObject({
      at: 600,
      states: [{ name: 'system', state: 'booting.starting' }, { name: 'store' }, { name: 'web', since: 600 }],
    });
  });

  it('goes to the end where that never came, says so, and exits with 1', async () => {
    const { status, stdout, stderr } = await replay(journal(), '--until', 'web:backoff');
    expect(stdout).toContain('exit status 0');
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('never came') });
  });

  it('prints the boot as trace events, of a part, too', async () => {
    const { status, stdout } = await replay(journal(), '--trace');
    expect(status).toBe(0);
    const { traceEvents, displayTimeUnit } = JSON.parse(stdout);
    expect(displayTimeUnit).toBe('ms');
    expect(traceEvents).toContainEqual(expect.objectContaining({ ph: 'X', name: 'ready.running' }));
    const part = await replay(journal(), '--trace', '--until', 'web:starting.settling');
    expect(JSON.parse(part.stdout).traceEvents.length).toBeLessThan(traceEvents.length);
    expect(await replay(journal(), '--trace', '--service', 'web')).toMatchObject({ status: 2 });
  });

  it("prints the boot as messages for Stately's tools, one a line, of a part, too", async () => {
    const messages = async (...words: readonly string[]) =>
      (await replay(journal(), '--xstate', ...words)).stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
    const whole = await messages();
    expect(whole[0]).toMatchObject({ type: '@xstate.actor', name: 'system' });
    const part = await messages('--until', '600ms');
    expect(part).toEqual(whole.slice(0, part.length));
    expect(part.length).toBeLessThan(whole.length);
    const web = whole.find(({ type, name }) => type === '@xstate.actor' && name === 'web.service')?.sessionId;
    expect(part.findLast(({ type, sessionId }) => type === '@xstate.snapshot' && sessionId === web)).toMatchObject({
      snapshot: { value: { starting: 'settling' } },
    });
    expect(await replay(journal(), '--xstate', '--service', 'web')).toMatchObject({ status: 2 });
    expect(await replay(journal(), '--xstate', '--trace')).toMatchObject({ status: 2 });
    expect(await replay(journal(), '--xstate', '--until', 'web:backoff')).toMatchObject({ status: 1, stdout: '' });
  });

  it('gives no figures of a part as those of the boot', async () => {
    const { status, stdout } = await replay(journal(), '--until', 'web:starting.settling', '--summary');
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /^only up to 0\.600 s, and as it was known then:\nnot ready yet\ncritical chain: web 0\.000 s, not ready yet/m,
    );
    expect(stdout).not.toMatch(/never|no end recorded/);
    const missed = await replay(journal(), '--until', 'web:backoff', '--summary');
    expect(missed).toMatchObject({ status: 1, stdout: '', stderr: expect.stringContaining('never came') });
  });

  it('takes its time where it is asked to, but no pause is longer than three seconds', async () => {
    const { slept, stdout } = await replay(journal(), '--speed', '0.5');
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBe(2 * 1_600 + 3_000);
    expect(stdout).toBe((await replay(journal())).stdout);
    expect((await replay(journal(), '--speed', 'max')).slept).toEqual([]);
    expect(Math.max(...(await replay(journal(), '--speed', '10')).slept)).toBe(840);
  });

  it('gives figures', async () => {
    const { stdout } = await replay(journal(), '--summary', '--service', 'web');
    expect(stdout).toContain('ready in 1.600 s');
    expect(stdout).toContain('1.000 s  web');
    expect(stdout).not.toContain('0.600 s  store');
    const report: unknown = JSON.parse((await replay(journal(), '--summary', '--json', '--boot', '1')).stdout);
    expect(report).toMatchObject({ ready: 800, services: [{ name: 'store.service', took: 300 }, { took: 500 }] });
  });

  it('says that a record breaks off, and that a line is skipped', async () => {
    const torn = file('torn', `${boot(first).slice(0, -30)}`);
    expect((await replay(torn)).stdout).toMatch(
      /the record ends here in the middle of a line: chaperone was killed, or still runs\n$/,
    );
    const [head = '', ...rest] = boot(first).split('\n');
    const { status, stdout, stderr } = await replay(file('odd', [head, 'odd', ...rest].join('\n')));
    expect(status).toBe(0);
    expect(stdout).toContain('ready in 0.800 s');
    expect(stderr).toBe(`chaperonectl replay: ${folder}/odd:2:1: skipped: this is no JSON: "odd"\n`);
  });
});

describe('chaperonectl replay --diff', () => {
  it('says what changed between the last two boots, or any two', async () => {
    const path = journal();
    const { status, stdout } = await replay('--diff', path);
    expect(status).toBe(1);
    expect(stdout).toMatch(/ready in +0\.800 s +1\.600 s +\+0\.800 s \(\+100 %\)/);
    expect(stdout).toContain('B is worse than A:');
    expect((await replay('--diff', `${path}#1`, `${path}#2`)).stdout).toBe(stdout);
    const other = file('other', boot(first, 'c'));
    expect(await replay('--diff', other, `${path}#a`)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('B is no worse than A.'),
    });
  });

  it.each([
    ['99%', 1],
    ['100%', 0],
    ['250.5 %', 0],
    ['799ms', 1],
    ['0.8', 0],
    ['1s', 0],
  ])('judges by the tolerance: %s', async (tolerance, status) => {
    expect((await replay('--diff', journal(), '--tolerance', tolerance)).status).toBe(status);
  });

  it('prints JSON', async () => {
    const result: unknown = JSON.parse((await replay('--diff', journal(), '--json')).stdout);
    expect(result).toMatchObject({
      a: { ready: 800 },
      b: { ready: 1600 },
      services: [{ name: 'store.service', changes: [{ kind: 'slower' }] }, { name: 'web.service' }],
      regressions: [expect.stringContaining('ready later')],
    });
  });

  it('needs two boots', async () => {
    expect(await replay('--diff', file('one', boot(first)))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('there is no boot -2'),
    });
  });
});

describe('chaperonectl replay, with mistakes', () => {
  it.each([
    [[], 'a journal is needed: FILE'],
    [['a', 'b'], 'too many files: b'],
    [['a', '--until', '5 o clock'], '--until needs'],
    [['a', '--speed', '0'], '--speed needs'],
    [['a', '--speed', 'fast'], '--speed needs'],
    [['a', '--tolerance', '5'], '--tolerance needs --diff'],
    [['a', '--diff', '--tolerance', 'few'], '--tolerance needs a share'],
    [['a', '--diff', '--summary'], '--summary and --diff do not go together'],
    [['a', '--diff', '--boot', '1'], 'name the boots as FILE#N'],
    [['a', '--diff', '--web', '--boot', '1'], '--boot means nothing with --diff --web: name the boots as FILE#N'],
    [['a', '--diff', '--web', '--tolerance', '5'], '--tolerance means nothing with --diff --web'],
    [['a', '--diff', '--html'], '--diff and --html do not go together'],
    [['a', '--diff', '--web', '--html'], '--diff and --web and --html do not go together'],
    [['a', 'b', '--web'], 'too many files: b'],
    [['a', '--summary', '--speed', '1'], '--speed means nothing with --summary'],
    [['a', '--fast'], 'unknown option "--fast"'],
    [['a', '--untl', '1'], 'unknown option "--untl": did you mean "--until"?'],
    [['a', '--s', '1'], '"--s" may be --service or --speed or --summary'],
  ])('%j', async (words, message) => {
    expect(await replay(...words)).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('has a file that is not there, is no journal, or is empty', async () => {
    expect(await replay(join(folder, 'none'))).toMatchObject({
      status: 2,
      stderr: `chaperonectl replay: cannot read ${folder}/none: no such file or directory\n`,
    });
    expect((await replay(folder)).stderr).toContain('illegal operation on a directory');
    expect(await replay(file('text', '# x\n'))).toMatchObject({
      status: 2,
      stderr: `chaperonectl replay: ${folder}/text:1:1: this is not a journal: this is no JSON: "# x"\n`,
    });
    expect((await replay(file('empty', ''))).stderr).toContain('is empty: no boot is recorded in it');
  });

  it.runIf(process.getuid?.() !== 0)('has a file that may not be read', async () => {
    const path = journal();
    chmodSync(path, 0);
    expect((await replay(path)).status).toBe(5);
  });

  it.each([
    [entryVersion - 1, 'older'],
    [entryVersion + 1, 'newer'],
  ])('refuses a boot of version %i, and only that', async (version, word) => {
    const path = file('journal', boot(first, 'a') + boot(second, 'b', version));
    const { status, stdout, stderr } = await replay(path);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe(
      `chaperonectl replay: boot 2 in ${path} was recorded by chaperone 0.0.0, and cannot be read: its journal has version ${version}, which is ${word}\n`,
    );
    expect((await replay('--diff', path)).status).toBe(2);
    expect((await replay(path, '--boot', '1')).status).toBe(0);
    expect((await replay(path, '--list')).stdout).toContain(`version ${version}, which is ${word}`);
  });

  it('does not let a journal steer the terminal', async () => {
    const path = file('journal', boot(first).replaceAll('SIGTERM', '\\u001b[2J'));
    const outcomes = await Promise.all([
      replay(path),
      replay(path, '--summary'),
      replay(path, '--list'),
      replay('--diff', path, path),
      replay(file('esc', '\u001b[2J')),
    ]);
    for (const { stdout, stderr } of outcomes) expect(stdout + stderr).not.toContain('\u001b');
  });

  it('knows its help', async () => {
    const { status, stdout } = await replay('--help');
    expect(status).toBe(0);
    for (const option of ['--boot', '--diff', '--until', '--speed', '--tolerance']) expect(stdout).toContain(option);
  });
});
