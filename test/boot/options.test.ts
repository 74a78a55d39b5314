import { describe, expect, it } from 'vitest';
import { boot, config, isRoot, logAll } from './namespace.ts';

const accounts = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\njoe:x:1234:1235::/tmp/joe:/bin/sh\nann:x:1300:1300::/tmp:/bin/sh\n',
  group: 'root:x:0:\njoe:x:1235:\nann:x:1300:\nextra:x:77:joe\n',
};
const idOf = { command: "sh -c 'echo $(id -u):$(id -g) $HOME $USER $LOGNAME'", type: 'oneshot' } as const;

async function run(sections: Parameters<typeof config>[0], args: readonly string[], env = {}) {
  const system = boot({ accounts, files: { 'x.conf': config(sections) }, args, env });
  const status = await system.exit;
  return { status, out: system.lines('stdout').join('\n'), err: system.lines('stderr').join('\n') };
}

describe.runIf(isRoot)('--user', () => {
  it('is the account of everything that names none, and stays that of the command', async () => {
    const shown = await run({ 'a.service': idOf }, ['--user', 'joe', 'sh', '-c', 'echo console `id -G`']);
    expect(shown.out).toMatch(/a\[\d+\]: 1234:1235 \/tmp\/joe joe joe$/m);
    expect(shown.out).toMatch(/^console 1235 77$/m);

    const settings = await run({ settings: { uid: 'ann' }, 'a.service': idOf }, ['--user=joe', 'id', '-un']);
    expect(settings.out).toMatch(/a\[\d+\]: 1300:1300 \/tmp ann ann$/m);
    expect(settings.out).toMatch(/^joe$/m);
  });

  it('may be a number without an entry, but not an unknown name', async () => {
    const number = await run({}, ['--user', '4711', 'sh', '-c', 'echo `id -u`:`id -g` $HOME']);
    expect(number.out).toMatch(/^4711:0 \/$/m);
    const unknown = await run({}, ['--user', 'nobody-here', 'id']);
    expect([unknown.status, unknown.out]).toEqual([1, '']);
    expect(unknown.err).toContain('--user names "nobody-here", which is no user of this system');
    expect(unknown.err).toContain('--create-user makes one');
  });
});

describe.runIf(isRoot)('--create-user', () => {
  it('beats --user, wherever they come from', async () => {
    const shown = await run({}, ['--user', 'ann', 'id', '-un'], { _CHAP_OPTIONS: '--create-user bob:2000' });
    expect(shown.out).toMatch(/^bob$/m);
    expect(shown.out).toContain('created the user bob (uid 2000, gid 2000)');
    expect(shown.err).toBe('');
  });

  it('says why it cannot', async () => {
    const shown = await run({ 'a.service': idOf }, ['--create-user', 'joe:99', 'id']);
    expect([shown.status, shown.out]).toEqual([1, '']);
    expect(shown.err).toMatch(/joe.*1234/);
    const path = await run({}, ['--create-user', 'bob:/not/there', 'id']);
    expect([path.status, path.out]).toEqual([1, '']);
    expect(path.err).toContain('cannot create the user bob: /not/there');
  });
});

describe('options that change the configuration', () => {
  it('--ignore-failures lets the system go on', async () => {
    const shown = await run({ 'bad.service': { type: 'oneshot', command: 'false' }, ...logAll }, ['--ignore-failures']);
    expect(shown.status).toBe(0);
    expect(shown.out).toContain("bad.service (ignored) failure on start-up with result '<ProcStatus exit_status=1>'");
  });

  it('--log-level and --debug log more, everywhere', async () => {
    const quiet = {
      'a.service': { type: 'oneshot', command: 'true' },
      'l.logging': { selector: '*.err', stdout: true },
    };
    expect((await run(quiet, [])).out).toBe('');
    const level = await run(quiet, ['--log-level', 'info']);
    expect(level.out).toContain("Forcing all log output to 'info' or greater");
    expect(level.out).not.toContain('successfully started');
    const debug = await run(quiet, ['--debug']);
    expect(debug.out).toContain('a.service successfully started');
    expect(debug.out).toContain('a.service environment: PATH=');
  });

  it('--show-dependencies prints who waits for whom, and starts nothing', async () => {
    const shown = await run(
      {
        'web.service': { command: '/not/there', after: 'store.service' },
        'store.service': { command: '/not/there' },
        'init.service': { command: '/not/there', service_groups: 'INIT' },
      },
      ['--show-dependencies'],
    );
    expect([shown.status, shown.err]).toEqual([0, '']);
    expect(`${shown.out}\n`).toBe(
      `        init | store | web
init  | ====
store |     ========
web   |             ======
------> depends on...
init  |
store | init
web   | store, init
`.replace('------>', '------>'),
    );
  });

  it('_CHAP_OPTIONS supplies the command and what is left out', async () => {
    const env = { _CHAP_OPTIONS: "--no-syslog --task sh -c 'echo from options'" };
    expect(await run({}, [], env)).toEqual({ status: 0, out: 'from options', err: '' });
    expect((await run({}, ['--no-defaults', '--task', 'echo', 'given'], env)).out).toBe('given');
    expect((await run({}, ['echo', 'given'], env)).out).toBe('given');
    const mistaken = await run({}, [], { _CHAP_OPTIONS: '--nonsense' });
    expect([mistaken.status, mistaken.err]).toEqual([
      2,
      'chaperone: in _CHAP_OPTIONS: unknown option "--nonsense"\ntry "chaperone --help"',
    ]);
  });
});

describe('the environment of services', () => {
  it('is what env_inherit and env_unset leave', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          settings: { env_inherit: ['PATH', 'K*'], env_set: { GLOBAL: 'g', PATH: '/extra:$(PATH)' } },
          'a.service': {
            type: 'oneshot',
            command: 'env',
            env_inherit: ['PATH', 'GLOBAL'],
            env_set: { OWN: '$(GLOBAL)-$(KEPT)', KEPT2: '$(KEPT2)', GONE: 'x' },
            env_unset: 'GON?',
          },
        }),
      },
      env: { KEPT: 'k', KEPT2: 'k2', DROPPED: 'd' },
    });
    expect(await system.exit).toBe(0);
    const said = system.lines('stdout').flatMap((line) => / a\[\d+\]: (.*)$/.exec(line)?.[1] ?? []);
    expect(said.filter((line) => !/^(?:_|PWD|SHLVL)=?/.test(line)).sort()).toEqual([
      expect.stringMatching(/^CHAPERONE_SOCKET=/),
      'GLOBAL=g',
      expect.stringMatching(/^INVOCATION_ID=[0-9a-f]{32}$/),
      'KEPT2=k2',
      'OWN=g-$(KEPT)',
      expect.stringMatching(/^PATH=\/extra:/),
    ]);
  });
});
