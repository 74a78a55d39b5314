import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  dumpedVariables,
  jsonDump,
  shellDump,
  whyNoValue,
  withFolder,
} from '../../../src/model/service/container-environment.ts';
import { fromBytes, toBytes } from '../../../src/runtime/linux/byte-text.ts';
import { Random } from '../../simulation/random.ts';

const scratch = mkdtempSync(join(tmpdir(), 'chaperone-dump-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const shells = [['dash'], ['bash', '--norc'], ['bash', '--norc', '--posix'], ['busybox', 'sh']];
/** What shells have their own ideas about, and bytes that are no UTF-8. */
const pieces = [
  ...[
    '\n',
    '\r\n',
    '\t',
    "'",
    "''",
    '"',
    '\\',
    '\\\\',
    '$',
    '$HOME',
    '$(echo x)',
    '`id`',
    '!',
    '!!',
    '#',
    ';',
    '&',
    '|',
    '~',
    '*',
  ],
  ...['%s', '%', '=', ' ', '{a,b}', '[a]', '<(x)', 'é', '漢', '\u0001', '\u007f', "\\'", "'\\''", '-n', 'export X=1'],
].map((text) => Buffer.from(text));
const strange = [[0xff], [0xc3], [0x80, 0x27], [0xe2, 0x82], [0x81, 0x5c], [0xed, 0xa0, 0x80]].map((bytes) =>
  Buffer.from(bytes),
);

/** The values that a shell has of variables once it has read the file. */
function sourced(shell: readonly string[], dump: string, names: readonly string[]): readonly Buffer[] {
  const file = join(scratch, 'environment.sh');
  writeFileSync(file, toBytes(dump));
  const [program = '', ...args] = shell;
  const script = `. ${file}; exec env -0`;
  const { stdout, status, stderr } = spawnSync(program, [...args, '-c', script], {
    env: { PATH: process.env['PATH'] },
  });
  expect([status, String(stderr)]).toEqual([0, '']);
  const found = new Map<string, Buffer>();
  for (let begin = 0; begin < stdout.length; ) {
    const end = stdout.indexOf(0, begin);
    const equals = stdout.indexOf('=', begin);
    found.set(stdout.toString('latin1', begin, equals), stdout.subarray(equals + 1, end));
    begin = end + 1;
  }
  return names.map((name) => found.get(name) ?? Buffer.from('(unset)'));
}

describe.each(shells.map((shell) => ({ shell, title: shell.join(' ') })))('what $title reads of the file', ({
  shell,
}) => {
  it('is what the variables were, byte for byte', () => {
    const random = new Random(20_261_129);
    const values: Record<string, Buffer> = { EMPTY: Buffer.alloc(0), LONG: Buffer.alloc(100_000, "a'b") };
    for (let number = 0; number < 400; number += 1) {
      const parts = Array.from({ length: random.integer(0, 8) }, () =>
        random.pick(random.chance(0.2) ? strange : pieces),
      );
      values[`V${number}`] = Buffer.concat(parts);
    }
    for (let byte = 1; byte < 256; byte += 1) values[`B${byte}`] = Buffer.from([byte]);
    const texts = Object.fromEntries(Object.entries(values).map(([name, bytes]) => [name, fromBytes(bytes)]));
    const variables = dumpedVariables(texts);
    expect(variables).toHaveLength(Object.keys(values).length);
    const names = variables.map(([name]) => name);
    expect(sourced(shell, shellDump(variables), names)).toEqual(names.map((name) => values[name]));
    expect(JSON.parse(jsonDump(variables))).toEqual(texts);
  });
});

describe('what is dumped', () => {
  it('holds no secrets, nothing of an account, and nothing of chaperone itself', () => {
    const variables = dumpedVariables({
      ...{ SHOWN: 'x', DB_PASSWORD: 'hunter22', API_TOKEN: 'tok', HOME: '/root', PWD: '/', _CHAP_OPTIONS: '--debug' },
      ...{ NOTIFY_SOCKET: '/run/x', DSN: 'db://app:hunter22@db/x', 'BASH_FUNC_x%%': '() { :; }', ALSO: 'y' },
    });
    expect(variables).toEqual([
      ['ALSO', 'y'],
      ['SHOWN', 'x'],
    ]);
  });

  it.each([
    ...['HOME', 'USER', 'LOGNAME', 'GROUP', 'UID', 'GID', 'SHELL', 'PWD', 'OLDPWD', 'SHLVL', '_'],
    ...['NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES', 'WATCHDOG_USEC', 'WATCHDOG_PID'],
    'CHAPERONE_SOCKET',
  ])('is not the variable %s', (name) => {
    expect(dumpedVariables({ [name]: 'x', B: 'b', A: 'a', C: 'c' })).toEqual([
      ['A', 'a'],
      ['B', 'b'],
      ['C', 'c'],
    ]);
  });
});

describe('a file of the folder', () => {
  it('may be as long as a program can get it together with its name', () => {
    expect(whyNoValue('ABCD', 'x'.repeat(131_066))).toBeUndefined();
    expect(whyNoValue('ABCD', 'x'.repeat(131_067))).toBe('it is longer than 128 KiB');
  });

  it.each([
    ['1ST', 'x', 'its name is no name of a variable'],
    ['a b', 'x', 'its name is no name of a variable'],
    ['X', 'a\0', 'it holds a NUL byte, which no variable can hold'],
    ['X', 'é'.repeat(65_536), 'it is longer than 128 KiB'],
    ['_x9', '', undefined],
  ])('named %j gives no variable: %#', (name, text, why) => {
    expect(whyNoValue(name, text)).toBe(why);
  });
});

describe('the environment of a program', () => {
  const history = {
    given: { GIVEN: 'g', BOTH: 'given' },
    first: new Map([
      ['FOLDER', 'f'],
      ['BOTH', 'folder'],
      ['GONE', 'x'],
    ]),
    seen: new Map([
      ['FOLDER', new Set(['f', 'f2'])],
      ['BOTH', new Set(['folder', 'b2'])],
      ['GONE', new Set(['x'])],
    ]),
  };
  const inherited = { GIVEN: 'g', BOTH: 'given', FOLDER: 'f', GONE: 'x' };
  const given = (now: Readonly<Record<string, string>>, environment: Readonly<Record<string, string>> = inherited) =>
    withFolder(environment, { ...history, now: new Map(Object.entries(now)) });

  it('stays as it is where nothing has changed', () => {
    expect(given({ FOLDER: 'f', BOTH: 'folder', GONE: 'x' })).toEqual(inherited);
  });

  it('has what was changed, added and removed', () => {
    expect(given({ FOLDER: 'f2', BOTH: 'b2', NEW: 'n', GIVEN: 'changed' })).toEqual({
      ...{ GIVEN: 'changed', BOTH: 'b2', FOLDER: 'f2', NEW: 'n' },
    });
  });

  it('keeps what the service sets, and lacks what it does not inherit', () => {
    const own = { FOLDER: 'own', NEW: 'own' };
    expect(given({ FOLDER: 'f2', BOTH: 'b2', NEW: 'n' }, own)).toEqual(own);
  });
});
