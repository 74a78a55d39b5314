import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BootReport, reportOf } from '../../src/inspect/boot-report.ts';
import { type JournalBoot, type JournalEnd, JournalReader } from '../../src/inspect/journal-reader.ts';
import { renderEntry } from '../../src/inspect/journal-writer.ts';
import { inDist } from '../dist.ts';
import { bootEntry, serviceEntry } from '../inspect/hand-made.ts';
import { type Booted, boot, config, logAll, until } from './namespace.ts';

const secret = 'hunter2';

/** @param settings the section `inspect` */
function files(settings: Readonly<Record<string, unknown>> = {}, more: Readonly<Record<string, object>> = {}) {
  return {
    'x.conf': config({
      settings: { env_set: { PASSWORD: secret }, inspect: settings },
      'prepare.service': { type: 'oneshot', command: `sh -c 'true ${secret}'` },
      'web.service': {
        command: `sh -c 'echo here I am; exec sleep 1000' ${secret}`,
        after: 'prepare.service',
        startup_pause: 0.05,
      },
      ...logAll,
      ...more,
    }),
  };
}

interface Journal extends JournalEnd {
  readonly found: readonly (JournalBoot & { readonly report: BootReport })[];
}

function read(path: string): Journal {
  const found: JournalBoot[] = [];
  const reader = new JournalReader((one) => found.push(one));
  reader.push(readFileSync(path));
  return { ...reader.end(), found: found.map((one) => ({ ...one, report: reportOf(one.entries) })) };
}

const chaperonectl = inDist('chaperonectl.cjs');

function replay(...words: readonly string[]) {
  return spawnSync(process.execPath, [chaperonectl, 'replay', ...words], { encoding: 'utf8' });
}

async function stop(system: Booted): Promise<void> {
  await system.waitForLine(/chaperone version .* ready/);
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
}

describe('a journal', () => {
  it('records a boot from its first entry to its last, and no secrets', async () => {
    const system = boot({ files: files({ journal: '$(_CHAP_CONFIG_DIR)/a/journal' }) });
    await system.waitForLine(/web\[\d+\]: here I am/);
    await stop(system);
    const path = system.path('a/journal');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).not.toContain(secret);
    const { found, skipped, unknown } = read(path);
    expect({ boots: found.length, skipped, unknown }).toEqual({ boots: 1, skipped: 0, unknown: 0 });
    const { entries, report } = found[0] ?? never();
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
    expect(entries.at(-1)).toMatchObject({ type: '@chaperone.end', exitStatus: 0, cause: 'SIGTERM' });
    expect(entries.some(({ type }) => type === '@chaperone.log')).toBe(false);
    expect(report).toMatchObject({
      ready: expect.any(Number),
      services: [
        { name: 'prepare.service', state: 'stopped', took: expect.any(Number) },
        { name: 'web.service', state: 'stopped', waitedFor: 'prepare.service' },
      ],
    });
    const shown = replay(path);
    expect(shown.stderr).toBe('');
    expect(shown.stdout).toMatch(/web +pending → starting\.spawning +was waiting for prepare/);
    expect(shown.stdout).toMatch(/exit status 0: SIGTERM\n$/);
    expect(shown.status).toBe(0);
  });

  it('is what --inspect printed, but for the words of commands', async () => {
    const system = boot({
      args: ['--inspect', '--no-console-log'],
      files: files({ journal: '$(_CHAP_CONFIG_DIR)/journal' }),
    });
    await system.waitForLine(/slowest/);
    system.signal('SIGTERM');
    await system.exit;
    const printed = system.lines('stdout').map((line) => line.replace(/(pid \d+ {2}sh) .*/, '$1'));
    const { stdout } = replay(system.path('journal'));
    expect(stdout.split('\n').slice(0, -2)).toEqual(printed);
  });

  it('is readable after SIGKILL, and after a line that was cut off; the next boot stands behind it', async () => {
    const first = boot({ files: files({ journal: '$(_CHAP_CONFIG_DIR)/journal' }) });
    await first.waitForLine(/chaperone version .* ready/);
    const path = first.path('journal');
    // The journal is read while it is being written.
    await until('web is ready in the journal', () =>
      read(path).found[0]?.report.services[1]?.ready === undefined ? undefined : true,
    );
    first.signal('SIGKILL');
    await first.exit;
    const whole = readFileSync(path);
    const torn = first.path('torn');
    writeFileSync(torn, whole.subarray(0, whole.length - 20));

    const second = boot({ args: [`--inspect=journal:${torn}`], files: files() });
    await stop(second);
    const { found, skipped } = read(torn);
    expect(skipped).toBe(0);
    expect(found.map(({ number, torn: cut, report }) => ({ number, cut, exit: report.end?.exitStatus }))).toEqual([
      { number: 1, cut: true, exit: undefined },
      { number: 2, cut: false, exit: 0 },
    ]);
    expect(found[0]?.report.services[1]?.ready).toEqual(expect.any(Number));
    expect(replay(torn, '--boot', '1').stdout).toContain('the record ends here');
    expect(replay('--list', torn).stdout).toMatch(/^1 .* cut off after .*\n2 .* exit status 0: SIGTERM\n$/m);
    expect(replay('--diff', torn, '--tolerance', '1h').status).toBe(0);
  });

  it('lets the oldest boots go where it would become too large', async () => {
    const old = (digit: string): string =>
      renderEntry(bootEntry([serviceEntry(digit.repeat(20_000))], { boot: digit.repeat(32) }));
    const path = join(mkdtempSync(join(tmpdir(), 'chaperone-journal-')), 'journal');
    onTestFinished(() => rmSync(dirname(path), { recursive: true }));
    writeFileSync(path, '123456789abc'.split('').map(old).join(''));
    const system = boot({ args: [`--inspect=journal:${path}`], files: files({ max_size: '256K' }) });
    await stop(system);
    expect(statSync(path).size).toBeLessThanOrEqual(256 * 1024);
    const { found, skipped } = read(path);
    expect(skipped).toBe(0);
    expect(found.at(-1)?.report.end).toMatchObject({ exitStatus: 0 });
    const kept = found.slice(0, -1).map(({ entry }) => entry.boot.charAt(0));
    expect(kept.length).toBeGreaterThan(0);
    expect('123456789abc'.endsWith(kept.join(''))).toBe(true);
  });

  it('holds log records where the settings ask for them', async () => {
    const system = boot({ files: files({ journal: '$(_CHAP_CONFIG_DIR)/journal', records: true }) });
    await system.waitForLine(/web\[\d+\]: here I am/);
    await stop(system);
    expect(read(system.path('journal')).found[0]?.entries).toContainEqual(
      expect.objectContaining({ type: '@chaperone.log', service: 'web.service', message: 'here I am' }),
    );
  });

  it('that does not fit on its disk is said once, and goes on where there is room again', async () => {
    const system = boot({
      before:
        'mkdir full && mount -t tmpfs -o size=256k tmpfs full && { head -c 1000000 /dev/zero > full/ballast || true; }',
      files: files(
        { journal: '$(_CHAP_CONFIG_DIR)/full/journal' },
        {
          'room.service': {
            type: 'oneshot',
            command: "sh -c 'rm full/ballast'",
            directory: '$(_CHAP_CONFIG_DIR)',
            service_groups: 'IDLE',
          },
        },
      ),
    });
    await system.waitForLine(/cannot write the journal .*full\/journal \(ENOSPC, the disk is full\): entries wait/);
    await system.waitForLine(/chaperone version .* ready/);
    const inside = `/proc/${system.pid()}/root${system.path('full/journal')}`;
    const { found } = await until('the journal is written', () => {
      const journal = read(inside);
      return journal.found[0]?.report.ready === undefined ? undefined : journal;
    });
    expect(found[0]?.entries.map(({ seq }) => seq)).toEqual(found[0]?.entries.map((_, index) => index + 1));
    await stop(system);
    expect(system.lines().filter((line) => line.includes('cannot write'))).toHaveLength(1);
  });

  it('that has found no room until the end is told of then, as the journal that it is', async () => {
    const system = boot({
      before:
        'mkdir full && mount -t tmpfs -o size=256k tmpfs full && { head -c 1000000 /dev/zero > full/ballast || true; }',
      files: files({ journal: '$(_CHAP_CONFIG_DIR)/full/journal' }),
    });
    await system.waitForLine(/cannot write the journal .*full\/journal \(ENOSPC, the disk is full\): entries wait/);
    await stop(system);
    expect(system.lines('stderr')).toContainEqual(
      expect.stringMatching(
        /^chaperone: the journal \S+\/full\/journal did not take the last \d+ bytes of the journal in time$/,
      ),
    );
  });

  it.each([
    [
      'on a read-only file system',
      'mkdir ro && mount -t tmpfs -o ro tmpfs ro',
      'ro/journal',
      /\(EROFS, read-only file system\)/,
    ],
    ['below a file', 'touch ro', 'ro/journal', /\(E\w+, a file stands where a directory should be\)/],
    ['that is something else', 'echo precious > ro', 'ro', /\(it holds something other than a journal\)/],
  ])('%s is said once, and nothing else happens', async (_, before, name, reason) => {
    const system = boot({ before, files: files({ journal: `$(_CHAP_CONFIG_DIR)/${name}` }) });
    const [line] = await system.waitForLine(/cannot write the journal.*/);
    expect(line).toMatch(reason);
    expect(line).toContain('this boot is not recorded');
    await system.waitForLine(/web\[\d+\]: here I am/);
    await stop(system);
    expect(system.lines().filter((text) => text.includes('journal'))).toHaveLength(1);
    if (name === 'ro') expect(readFileSync(system.path('ro'), 'utf8')).toBe('precious\n');
  });
});

function never(): never {
  throw new Error('no boot in the journal');
}
