import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { ctl } from './by-hand.ts';
import { type Booted, boot, config, logAll } from './namespace.ts';

const chaperonectl = inDist('chaperonectl.cjs');
/** Secrets that come from outside, that are written in the settings, and that a single service has. */
const secrets = { DB_PASSWORD: 'outer-word-1', api_token: 'settings-word-2', SIGNING_KEY: 'service-word-3' } as const;
const words = Object.values(secrets);

function sections() {
  return {
    ...logAll,
    settings: {
      debug: true,
      env_set: { api_token: secrets.api_token, GREETING: 'hello-there', DSN: 'db://app:$(DB_PASSWORD)@db' },
    },
    'web.service': {
      command: 'sh -c "exec sleep 1000" --key $(SIGNING_KEY) --password $(DB_PASSWORD)',
      env_set: { SIGNING_KEY: secrets.SIGNING_KEY },
      startup_pause: 0,
    },
    'talk.service': { type: 'oneshot', command: 'sh -c "echo own words: $DB_PASSWORD; exec true"' },
    'tick.service': { type: 'cron', command: 'true $(api_token)', interval: '* * * * * *' },
    'gone.service': {
      type: 'oneshot',
      command: 'sh -c "exit 3" $(api_token)',
      directory: '/',
      ignore_failures: true,
      env_set: { OUT: '`echo $(api_token) >&2; exit 4`' },
    },
    'last.service': { type: 'oneshot', command: 'sh -c "exit 5" $(DB_PASSWORD)', enabled: false },
  };
}

async function up(args: readonly string[] = []): Promise<Booted> {
  const system = boot({
    files: { 'x.conf': config(sections()) },
    env: { DB_PASSWORD: secrets.DB_PASSWORD },
    args,
  });
  await system.waitForLine(/ready\.$/);
  return system;
}

/** The secrets in a text, but for what a service has printed itself. */
function found(text: string): readonly string[] {
  const own = text.replaceAll('own words: outer-word-1', '');
  return words.filter((word) => own.includes(word));
}

describe('secrets', () => {
  it('stand in no word of the log, the terminal, the journal, the status or the API', async () => {
    const system = await up(['--inspect=terminal', '--inspect-reveal']);
    await system.waitForLine(/talk\[\d+\]: own words: outer-word-1/);
    await system.waitForLine(/cron service tick\.service running CMD \( true \*\*\* \)/);
    for (const line of [
      /web\.service environment: DB_PASSWORD=\*\*\*$/,
      /web\.service environment: api_token=\*\*\*$/,
      /web\.service environment: DSN=db:\/\/app:\*\*\*@db$/,
      /web\.service environment: GREETING=hello-there$/,
      /web\.service attempting start '.* --key \*\*\* --password \*\*\*'/,
      /the command `echo \*\*\* >&2; exit 4` in the configuration failed/,
    ]) {
      await system.waitForLine(line);
    }
    const told = [
      await ctl(system, 'status'),
      await ctl(system, 'status', '--json'),
      await ctl(system, 'status', '--history'),
      await ctl(system, 'status', 'web', 'gone'),
      await ctl(system, 'why', 'gone'),
      await ctl(system, 'start', '--enable', '--wait', 'last'),
    ];
    for (const { text } of told) expect(found(text)).toEqual([]);
    expect(found((await ctl(system, 'logs')).text)).toEqual([]);
    system.signal('SIGTERM');
    await system.exit;
    expect(found(system.lines().join('\n'))).toEqual([]);
  });

  it('stand in no journal, also where it shows commands and environments', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'chaperone-secrets-')), 'boot.journal');
    onTestFinished(() => rmSync(dirname(file), { recursive: true }));
    const system = boot({
      files: { 'x.conf': config(sections()) },
      env: { DB_PASSWORD: secrets.DB_PASSWORD },
      args: [`--inspect=journal:${file}`, '--inspect-reveal'],
    });
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    await system.exit;
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('hello-there');
    expect(found(text)).toEqual([]);
  });

  it('stand in no explanation of an end', async () => {
    const { 'last.service': last, ...rest } = sections();
    const system = boot({
      files: { 'x.conf': config({ ...rest, 'last.service': { ...last, enabled: true, after: 'talk.service' } }) },
      env: { DB_PASSWORD: secrets.DB_PASSWORD },
    });
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toMatch(/^ {2}command +sh -c "exit 5" \*\*\*$/m);
    expect(found(system.lines().join('\n'))).toEqual([]);
  });

  it('stand in no dry run: check, simulate, reload --dry-run', async () => {
    const system = await up();
    const path = join(system.directory, 'chaperone.d');
    const dry = (...args: readonly string[]): string => {
      const { stdout, stderr } = spawnSync(process.execPath, [chaperonectl, ...args, '--config', path], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], DB_PASSWORD: secrets.DB_PASSWORD },
      });
      return `${stdout}${stderr}`;
    };
    expect(found(dry('check'))).toEqual([]);
    expect(found(dry('simulate'))).toEqual([]);
    // Mistakes beside a secret, and in what a secret was expanded to.
    writeFileSync(
      join(path, 'x.conf'),
      `
settings: { env_set: { api_token: ${secrets.api_token}, "bad name": x }, api_token: ${secrets.api_token} }
web.service:
  command: "true"
  uid: $(DB_PASSWORD)
  type: $(api_token)
  env_set: { SIGNING_KEY: "${secrets.SIGNING_KEY}", OTHER: [ ${secrets.SIGNING_KEY.length} ] }
`,
    );
    for (const text of [dry('check'), dry('check', '--json'), dry('simulate')]) {
      expect(text).toContain('web.service');
      expect(found(text)).toEqual([]);
    }
    expect(found((await ctl(system, 'reload', '--dry-run')).text)).toEqual([]);
  });
});
