/** Values that services read from files at each start, and secrets, which are shown nowhere. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { ask, ctl, put, type Sections, up } from './by-hand.ts';
import { type Booted, boot, config, isRoot, logAll, until } from './namespace.ts';
import { freePort, talk } from './ports.ts';

/** A folder that everybody may read, with these files. */
function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const path = mkdtempSync(join(tmpdir(), 'chaperone-values-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  spawnSync('chmod', ['755', path]);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

async function stop(system: Booted): Promise<void> {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
}

/** Without it a system ends whose other services have ended. */
const idle = { 'idle.service': { command: 'sleep 1002', startup_pause: 0 } };

describe('values from files', () => {
  it('are in the environment by their order, and nothing in them is expanded', async () => {
    const path = folder({
      'one.env': 'A=one\nB=one\nC="$(HOME) `id` $HOME"\n',
      'two.env': "B='two words'\n",
      S: 'geheim\n',
    });
    mkdirSync(join(path, 'dir'));
    writeFileSync(join(path, 'dir', 'A'), 'dir');
    writeFileSync(join(path, 'dir', 'D'), 'dir  \nsecond line\n');
    const system = boot({
      env: { A: 'inherited', I: 'inherited' },
      files: {
        'x.conf': config({
          ...logAll,
          'x.service': {
            type: 'oneshot',
            command: 'env',
            env_file: [join(path, 'one.env'), `-${path}/gone.env`, join(path, 'two.env')],
            env_dir: join(path, 'dir'),
            secrets: { S: join(path, 'S'), S_FILE: join(path, 'S') },
            env_set: { E: 'made of $(B)', F: 'and of $(S)' },
          },
        }),
      },
    });
    for (const line of [
      'A=one',
      'B=two words',
      'C=\\$\\(HOME\\) `id` \\$HOME',
      'D=dir',
      'E=made of two words',
      'F=and of geheim',
      'I=inherited',
      'S=geheim',
      `S_FILE=${path}/S`,
    ])
      await system.waitForLine(new RegExp(`x\\[\\d+\\]: ${line}$`));
    // Nothing is left then.
    expect(await system.exit).toBe(0);
  });

  it('are read at each start: anew, and a start without them has failed', async () => {
    const path = folder({ 'x.env': 'V=first' });
    const system = await up({
      ...idle,
      'x.service': { command: `sh -c 'echo v=$V; exec sleep 1000'`, env_file: join(path, 'x.env'), startup_pause: 0 },
    });
    await system.waitForLine(/x\[\d+\]: v=first$/);
    writeFileSync(join(path, 'x.env'), 'V=second');
    expect((await ctl(system, 'restart', '--wait', 'x')).status).toBe(0);
    await system.waitForLine(/x\[\d+\]: v=second$/);
    rmSync(join(path, 'x.env'));
    const failed = await ctl(system, 'restart', '--wait', 'x');
    expect(failed.status).not.toBe(0);
    expect(failed.text).toContain(`cannot read env_file ${path}/x.env: it does not exist (ENOENT)`);
    expect((await ctl(system, 'status', 'x')).text).toContain(`${path}/x.env: it does not exist (ENOENT)`);
    writeFileSync(join(path, 'x.env'), 'V=third');
    expect((await ctl(system, 'start', '--force', '--wait', 'x')).status).toBe(0);
    await system.waitForLine(/x\[\d+\]: v=third$/);
    await stop(system);
  });

  it('are read for each run of a cron service and for each client of an inetd service', async () => {
    const path = folder({ 'x.env': 'V=first' });
    const port = await freePort();
    const env_file = join(path, 'x.env');
    const system = await up({
      'tick.service': { type: 'cron', interval: '* * * * * *', command: "sh -c 'echo tick $V'", env_file },
      'echo.service': { type: 'inetd', port, command: "sh -c 'echo echo $V'", env_file },
    });
    await system.waitForLine(/tick\[\d+\]: tick first$/);
    expect(await talk(port, '')).toBe('echo first\n');
    writeFileSync(env_file, 'V=second');
    await system.waitForLine(/tick\[\d+\]: tick second$/);
    expect(await talk(port, '')).toBe('echo second\n');
    rmSync(env_file);
    expect(await talk(port, '')).toBe('');
    await system.waitForLine(/tick\.service.*cannot read env_file .*it does not exist \(ENOENT\)/);
    await stop(system);
  });

  it.each<[string, (path: string) => void, Sections[string], RegExp]>([
    [
      '5 MB',
      (path) => writeFileSync(`${path}/x`, `A=${'x'.repeat(5 * 1024 * 1024)}`),
      { env_file: 'x' },
      /cannot read env_file \S+\/x: it is larger than 1 MiB \(EFBIG\)/,
    ],
    [
      'binary data',
      (path) => writeFileSync(`${path}/x`, readFileSync('/bin/true').subarray(0, 10_000)),
      { env_file: 'x' },
      /cannot read env_file \S+\/x: it is binary, and holds a NUL byte/,
    ],
    [
      'a directory',
      (path) => mkdirSync(`${path}/x`),
      { env_file: 'x' },
      /env_file \S+\/x: it is a directory \(EISDIR\)/,
    ],
    [
      'a FIFO',
      (path) => spawnSync('mkfifo', [`${path}/x`]),
      { env_file: 'x' },
      /env_file \S+\/x: it is a FIFO, and no regular file/,
    ],
    ['nothing', () => undefined, { env_file: 'x' }, /env_file \S+\/x: it does not exist \(ENOENT\)/],
    ['no secret', () => undefined, { secrets: { K: 'x' } }, /the secret K \S+\/x: it does not exist \(ENOENT\)/],
    [
      'a file in place of a folder',
      (path) => writeFileSync(`${path}/x`, ''),
      { env_dir: 'x' },
      /env_dir \S+\/x: it is no directory \(ENOTDIR\)/,
    ],
    [
      'a long secret',
      (path) => writeFileSync(`${path}/x`, 'x'.repeat(200_000)),
      { secrets: { K: 'x' } },
      /cannot pass K on: it is longer than 128 KiB/,
    ],
  ])('that are %s fail the start, and nothing else waits', async (_, make, directives, message) => {
    const path = folder({});
    make(path);
    const absolute = JSON.parse(JSON.stringify(directives).replaceAll('"x"', JSON.stringify(`${path}/x`)));
    const system = boot({
      files: {
        'x.conf': config({
          ...logAll,
          ...idle,
          'x.service': { command: 'sleep 1000', ignore_failures: true, ...absolute },
          'y.service': { type: 'oneshot', command: 'echo goes on' },
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    await system.waitForLine(/y\[\d+\]: goes on/);
    await system.waitForLine(message);
    expect((await ctl(system, 'status', 'x')).text).toMatch(message);
    await stop(system);
  });

  it('may be a start that is stopped while it reads', async () => {
    const path = folder({ K: 'x' });
    const secrets = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`K${index}`, join(path, 'K')]));
    const system = await up({
      ...idle,
      'x.service': { command: 'sleep 1000', enabled: false, startup_pause: 0, secrets },
    });
    const starts = Array.from({ length: 5 }, async () => {
      await ctl(system, 'start', '--enable', 'x');
      await ctl(system, 'stop', 'x');
    });
    await Promise.all(starts);
    expect((await ctl(system, 'start', '--wait', 'x')).status).toBe(0);
    await stop(system);
  });

  it.runIf(isRoot)('are read with the rights of chaperone, and not through links of others', async () => {
    const path = folder({ K: 'root-only', V: 'V=theirs' });
    spawnSync('chmod', ['600', join(path, 'K')]);
    mkdirSync(join(path, 'theirs'));
    spawnSync('ln', ['-s', join(path, 'V'), join(path, 'theirs', 'link')]);
    spawnSync('chown', ['10033', join(path, 'theirs')]);
    const common = { type: 'oneshot', uid: 10_033, gid: 10_033, ignore_failures: true };
    const system = await up({
      ...idle,
      'x.service': { ...common, command: "sh -c 'echo $(id -u) has $K'", secrets: { K: join(path, 'K') } },
      'y.service': { ...common, command: 'echo runs', env_file: join(path, 'theirs', 'link') },
    });
    await system.waitForLine(/x\[\d+\]: 10033 has root-only$/);
    await system.waitForLine(/cannot read env_file \S+\/link: \S+ is a symbolic link that another account has made/);
    await stop(system);
  });
});

describe('a secret', () => {
  const words = ['wrd-from-secret', 'wrd-from-file', 'wrd-from-dir', 'wrd-of-run'] as const;

  function sections(path: string) {
    const secrets = { DB: join(path, 'secret') };
    const env = { secrets, env_file: join(path, 'file'), env_dir: join(path, 'dir') };
    return {
      settings: { debug: true },
      'web.service': {
        command: `sh -c 'test "$DB" = "$(cat $WHERE)" && echo has it; exec sleep 1000'`,
        ...env,
        env_set: { URL: 'db://app:$(DB)@h/$(F)', WHERE: join(path, 'secret'), OTHER: 'plain-word' },
        startup_pause: 0,
      },
      'fails.service': {
        type: 'oneshot',
        command: 'sh -c "exit 3"',
        ...env,
        env_set: { URL: '$(DB)$(F)$(D)' },
        ignore_failures: true,
      },
      'never.service': {
        command: '/nowhere/program',
        ...env,
        env_set: { A: '$(DB:+x)$(F)' },
        optional: true,
        ignore_failures: true,
      },
      'tick.service': { type: 'cron', interval: '* * * * * *', command: 'true', ...env },
    };
  }

  function secretFolder(): string {
    const path = folder({ secret: `${words[0]}\n`, file: `F=${words[1]}\nR='${words[3]}'\n` });
    mkdirSync(join(path, 'dir'));
    writeFileSync(join(path, 'dir', 'D'), words[2]);
    return path;
  }

  const found = (text: string): readonly string[] => words.filter((word) => text.includes(word));

  /** The body of an answer, or what has come of it until `wanted` has. */
  function fetchUntil(url: string, wanted?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      get(url, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
          if (wanted === undefined || !text.includes(wanted)) return;
          resolve(text);
          answer.destroy();
        });
        answer.on('end', () => resolve(text));
        answer.on('error', () => resolve(text));
      }).on('error', reject);
    });
  }

  it('is in the environment of its service, and in no word of chaperone', async () => {
    const path = secretFolder();
    const system = boot({
      files: { 'x.conf': config({ ...logAll, ...sections(path) }) },
      args: [`--inspect=terminal,journal:${path}/boot.journal,web`, '--inspect-reveal'],
    });
    await system.waitForLine(/ready\.$/);
    await system.waitForLine(/web\[\d+\]: has it/);
    await system.waitForLine(/cron service tick\.service running CMD/);
    for (const line of [
      /web\.service environment: DB=\*\*\*$/,
      /web\.service environment: URL=\*\*\*$/,
      /web\.service environment: F=\*\*\*$/,
      /web\.service environment: D=\*\*\*$/,
      /web\.service environment: OTHER=plain-word$/,
    ])
      await system.waitForLine(line);

    const sleep = await until('web sleeps', () => system.processes().find(({ name }) => name === 'sleep'));
    const own = readFileSync(`/proc/${sleep.pid}/environ`, 'latin1').split('\0');
    expect(own).toEqual(
      expect.arrayContaining([
        `DB=${words[0]}`,
        `F=${words[1]}`,
        `D=${words[2]}`,
        `URL=db://app:${words[0]}@h/${words[1]}`,
      ]),
    );

    const [, url = ''] = await system.waitForLine(/inspect at (http:\S+)/);
    const told: Readonly<Record<string, string>> = {
      status: (await ctl(system, 'status')).text,
      json: (await ctl(system, 'status', '--json')).text,
      history: (await ctl(system, 'status', '--history')).text,
      one: (await ctl(system, 'status', 'web', 'fails', 'never')).text,
      logs: (await ctl(system, 'logs')).text,
      blame: (await ctl(system, 'blame')).text,
      restart: (await ctl(system, 'restart', '--wait', 'web')).text,
      dry: (await ctl(system, 'reload', '--dry-run')).text,
      metrics: await ask(system, 'GET', '/metrics'),
      services: await ask(system, 'GET', '/v1/services'),
      web: await ask(system, 'GET', '/v1/services/web'),
      past: await ask(system, 'GET', '/v1/services/web/history'),
      dependencies: await ask(system, 'GET', '/v1/dependencies'),
      page: await fetchUntil(url),
      entries: await fetchUntil(`${url}entries`, 'ready.running'),
    };
    for (const [name, text] of Object.entries(told)) {
      expect(text, name).not.toBe('');
      expect(found(text), name).toEqual([]);
    }
    expect(told['entries']).toContain('web.service');

    // Of all processes, chaperone's own included, nobody's command line has it, and only its services have it in /proc.
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const line = spawnSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'latin1' }).stdout;
      expect(found(line)).toEqual([]);
    }
    for (const pid of [system.pid(), system.brain()])
      expect(found(readFileSync(`/proc/${pid}/environ`, 'latin1'))).toEqual([]);
    if (isRoot) {
      const other = ['setpriv', '--reuid', '10034', '--regid', '10034', '--clear-groups'];
      const [file = '', ...args] = [...other, 'cat', `/proc/${sleep.pid}/environ`];
      const { stdout, status } = spawnSync(file, args, { encoding: 'latin1' });
      expect([stdout, status]).toEqual(['', 1]);
    }
    await stop(system);
    expect(found(system.lines().join('\n'))).toEqual([]);
    const journal = readFileSync(`${path}/boot.journal`, 'latin1');
    expect(journal).toContain('plain-word');
    expect(found(journal)).toEqual([]);
  });

  it('is in no explanation of an end, and in no dry run', async () => {
    const path = secretFolder();
    const { 'fails.service': fails, settings, 'web.service': web } = sections(path);
    const { ignore_failures: _, ...last } = fails;
    const system = boot({
      files: {
        'x.conf': config({
          ...logAll,
          settings,
          'web.service': web,
          'last.service': { ...last, after: 'web.service' },
        }),
      },
    });
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toMatch(/^ {2}command +sh -c "exit 3"$/m);
    expect(found(system.lines().join('\n'))).toEqual([]);
    const chaperonectl = inDist('chaperonectl.cjs');
    const conf = join(path, 'chaperone.d');
    mkdirSync(conf);
    writeFileSync(join(conf, 'x.conf'), config(sections(path)));
    for (const args of [['check'], ['check', '--json'], ['simulate'], ['simulate', '--json']]) {
      const { stdout, stderr } = spawnSync(process.execPath, [chaperonectl, ...args, '--config', conf], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'] },
      });
      expect(`${stdout}${stderr}`).toContain('web');
      expect(found(`${stdout}${stderr}`)).toEqual([]);
    }
  });

  it('is told to no other service, and to no command in backticks', async () => {
    const path = secretFolder();
    const system = await up({
      settings: { env_set: { SHARED: 'x$(DB)y' } },
      'a.service': { command: 'sleep 1000', startup_pause: 0, secrets: { DB: join(path, 'secret') } },
      'b.service': { command: 'sleep 1001', startup_pause: 0, env_set: { OUT: '`env | tr "\\n" " "`' } },
    });
    const environments = system.processes().map(({ pid }) => readFileSync(`/proc/${pid}/environ`, 'latin1'));
    expect(environments.filter((text) => found(text).length > 0)).toHaveLength(1);
    expect(environments.find((text) => found(text).length > 0)).toContain(`SHARED=x${words[0]}y`);
    put(system, 'done');
    await stop(system);
  });

  it('in the command is a mistake that check tells, and nothing starts', async () => {
    const system = boot({
      files: { 'x.conf': 'web.service: { command: "echo $(DB)", secrets: [DB] }\n' },
    });
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toMatch(/command of web\.service would show a secret \[secret-exposed\]/);
  });
});
