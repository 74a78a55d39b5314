import { describe, expect, it } from 'vitest';
import { checkSystem } from '../../src/config/check.ts';
import { loadConfiguration, readPlaces } from '../../src/config/load.ts';
import { fakeProbe } from './fake-probe.ts';
import { accounts, errorsOf, serviceOf, warningsOf } from './loading.ts';
import { memoryReader } from './memory-reader.ts';

const web = (more: string, command = '/bin/true'): string => `web.service: { command: ${command}, ${more} }`;
const values = (more: string, environment: Readonly<Record<string, string>> = {}) => {
  const found = serviceOf(web(more), { environment }).values;
  if (found === undefined) return undefined;
  const { envDir, envFiles, secrets, places } = found;
  return { ...(envDir === undefined ? {} : { envDir }), envFiles, secrets, places };
};
const nothing = { envFiles: [], secrets: [], places: [] };
const secret = (name: string, path = `/run/secrets/${name}`) => ({ name, path });

describe('values that are read at each start', () => {
  it.each([
    ['env_file: /etc/web.env', { ...nothing, envFiles: [{ path: '/etc/web.env', optional: false }] }],
    ['env_file: -/etc/web.env', { ...nothing, envFiles: [{ path: '/etc/web.env', optional: true }] }],
    [
      'env_file: [/a, "-/b c"]',
      {
        ...nothing,
        envFiles: [
          { path: '/a', optional: false },
          { path: '/b c', optional: true },
        ],
      },
    ],
    ['env_file: []', nothing],
    ['env_file: ""', nothing],
    ['env_file: "$(CONF)/x"', { ...nothing, envFiles: [{ path: '/conf/x', optional: false }] }],
    ['env_dir: /etc/env', { ...nothing, envDir: '/etc/env' }],
    ['env_dir: $(CONF)', { ...nothing, envDir: '/conf' }],
    ['secrets: [A, B]', { ...nothing, secrets: [secret('A'), secret('B')] }],
    ['secrets: "A, B"', { ...nothing, secrets: [secret('A'), secret('B')] }],
    ['secrets: A', { ...nothing, secrets: [secret('A')] }],
    ['secrets: { A: /x/a, B: }', { ...nothing, secrets: [secret('A', '/x/a'), secret('B')] }],
    ['secrets: { A: $(CONF)/a }', { ...nothing, secrets: [secret('A', '/conf/a')] }],
    [
      'secrets: { A_FILE: /x/a, B: /y }',
      { ...nothing, secrets: [secret('B', '/y')], places: [secret('A_FILE', '/x/a')] },
    ],
  ])('are named by %s', (text, expected) => {
    expect(values(text, { CONF: '/conf' })).toEqual(expected);
  });

  it('are absent without a directive, and stand in no environment', () => {
    expect(values('')).toBeUndefined();
    const service = serviceOf(web('secrets: [KEY], env_set: { URL: "x$(KEY)y", A: b, C: "$(D)" }'));
    expect(service.environment).toEqual({ A: 'b', C: '$(D)' });
    expect(service.late).toBeUndefined();
  });

  it('may be required, and be of a directive where they are paths', () => {
    expect(errorsOf(web('env_file: /x, env_set: { A: "$(B:?B is needed)" }'))).toBe('');
    expect(serviceOf(web('secrets: { K_FILE: /x/k }', 'app $(K_FILE)')).argv).toEqual(['app', '/x/k']);
  });

  it.each([
    ['env_file: web.env', 'env_file of web.service is no absolute path: "web.env"'],
    ['env_dir: env', 'env_dir of web.service is no absolute path: "env"'],
    ['env_file: { a: b }', 'env_file of web.service is a map'],
    ['env_file: [[a]]', 'env_file of web.service holds a list'],
    ['env_dir: [a]', 'env_dir of web.service is a list'],
    ['secrets: { A: x }', 'A in secrets of web.service is no absolute path: "x"'],
    ['secrets: { A: [x] }', 'A in secrets of web.service is a list'],
    ['secrets: [a-b]', '"a-b" in secrets of web.service is not a name for a variable'],
    ['secrets: [/run/secrets/a]', '"/run/secrets/a" in secrets of web.service is not a name for a variable'],
    ['secrets: { "": /x }', 'is not a name for a variable'],
    ['secrets: [A], env_set: { A: b }', 'A stands in secrets and in env_set of web.service'],
    ['secrets: { A_FILE: /x }, env_set: { A_FILE: b }', 'A_FILE stands in secrets and in env_set'],
  ])('are refused: %s', (text, message) => {
    expect(errorsOf(web(text))).toContain(message);
  });

  it.each([
    ['command', web('secrets: [KEY]', '"app --key $(KEY)"')],
    ['command', web('secrets: [KEY], env_set: { URL: "db://u:$(KEY)@h" }', 'app $(URL)')],
    ['command', web('secrets: [KEY]', '"app $(KEY:+yes)"')],
    ['command', `settings: { env_set: { URL: "x$(KEY)" } }\n${web('secrets: [KEY]', 'app $(URL)')}`],
    ['directory', web('secrets: [KEY], directory: "/srv/$(KEY)"')],
    ['env_file', web('secrets: [KEY], env_file: /x/$(KEY)')],
    ['env_dir', web('secrets: [KEY], env_dir: /x/$(KEY)')],
    ['secrets', web('secrets: { A: "/x/$(B)", B: /y }')],
    ['pidfile', web('secrets: [KEY], pidfile: /run/$(KEY)')],
    ['uid', web('secrets: [KEY], uid: $(KEY)')],
    ['limits', web('secrets: [KEY], limits: { core: $(KEY) }')],
    ['interval', web('secrets: [KEY], type: cron, interval: $(KEY)')],
  ])('are refused in %s, which is public: %s', (key, text) => {
    expect(errorsOf(text)).toContain(`${key} of web.service would show a secret`);
    expect(errorsOf(text)).toContain('[secret-exposed]');
  });

  it('are refused in a command in backticks', () => {
    expect(errorsOf(web('secrets: [KEY], env_set: { A: "`echo $(KEY)`" }'))).toContain('[late-command]');
  });

  it('are no unknown variables', () => {
    expect(warningsOf(web('secrets: [KEY], env_set: { A: "$(KEY)" }'))).toBe('');
  });
});

describe('a check of what is read at each start', () => {
  /** What is told about a service whose files are these. */
  function checked(more: string, files: Parameters<typeof fakeProbe>[0] = {}): readonly string[] {
    const reader = memoryReader({ '/etc/x.conf': web(more) });
    const loaded = loadConfiguration('/etc/x.conf', {
      reader,
      environment: { PATH: '/bin' },
      accounts,
      interactive: false,
    });
    if (loaded.spec === undefined) throw new Error('no configuration');
    const places = readPlaces('/etc/x.conf', { reader });
    const found = checkSystem(loaded.spec, {
      places,
      probe: fakeProbe(files),
      nextTimes: () => [],
      inherited: ['PATH'],
    });
    return found.diagnostics.map(({ severity, code, message }) => `${severity} ${code}: ${message}`);
  }
  const missing = (key: string, path: string) =>
    `warning values-not-found: ${key} of web.service names "${path}", which does not exist`;

  it('warns of what is missing and may not be', () => {
    expect(checked('env_file: [/a, -/b], env_dir: /c, secrets: { K: /d, K_FILE: /e }')).toEqual(
      [
        ['env_file', '/a'],
        ['env_dir', '/c'],
        ['secrets', '/d'],
        ['secrets', '/e'],
      ].map(([key = '', path = '']) => missing(key, path)),
    );
    expect(checked('env_file: /a, env_dir: /c', { '/a': {}, '/c': { kind: 'directory' } })).toEqual([]);
    expect(checked('env_file: /a, enabled: false')).not.toContain(missing('env_file', '/a'));
  });

  it('refuses what is there and cannot be read', () => {
    expect(checked('env_file: -/a, env_dir: /b', { '/a': { kind: 'directory' }, '/b': {} })).toEqual([
      'error values-unreadable: env_file of web.service names "/a", which is a directory',
      'error values-unreadable: env_dir of web.service names "/b", which is a file',
    ]);
  });

  it('does not take for unknown what a file may set', () => {
    const files = { '/a': {} };
    expect(checked('env_file: /a, env_set: { URL: "http://$(HOST)/" }', files)).toEqual([]);
    expect(checked('env_set: { URL: "http://$(HOST)/" }')[0]).toContain('warning unknown-variable');
  });
});

describe('words of other programs', () => {
  it.each([
    ['EnvironmentFile: /etc/x', 'is a word of systemd', 'write "env_file: /etc/x"'],
    ['LimitNOFILE: 1024', 'is a word of systemd', 'write "limits: { nofile: VALUE }"'],
    ['AmbientCapabilities: CAP_KILL', 'is a word of systemd', 'write "capabilities: [NAME]"'],
    ['UMask: "0027"', 'is a word of systemd', 'write "umask: 0027"'],
    ['LoadCredential: a', 'is a word of systemd', 'write "secrets: { NAME: PATH }"'],
    ['ulimits: { nofile: 5 }', 'is a word of Compose', 'write "limits: { nofile: 1024:4096 }"'],
    ['group_add: [a]', 'is a word of Compose', 'write "supplementary_groups: [NAME]"'],
    ['oom_score_adj: 5', 'is a word of Compose', 'write "oom_score_adjust: 5"'],
  ])('are told apart: %s', (text, message, advice) => {
    expect(errorsOf(web(text))).toContain(message);
    expect(errorsOf(web(text))).toContain(advice);
  });
});
