import { describe, expect, it } from 'vitest';
import { composeValues } from '../../../src/model/service/compose-values.ts';
import { commandKey } from '../../../src/model/service/late-environment.ts';
import { type FileResult, requestsFor } from '../../../src/model/service/value-sources.ts';
import { loadText, serviceOf } from '../../config/loading.ts';

type Files = Readonly<Record<string, FileResult | string>>;

type Variables = Readonly<Record<string, string>>;

/** Composes the values of a service, with these files. */
function composed(more: string, files: Files, environment: Variables = {}, known: Variables = {}) {
  const text = `web.service: { command: /bin/true, ${more} }`;
  // The commands in backticks are run when the configuration is loaded.
  const outputs = new Map(
    loadText(text, { environment }).commands.map(({ command, account }) => [commandKey(command, account), 'output']),
  );
  const { values } = serviceOf(text, { environment, outputs });
  if (values === undefined) throw new Error('no values');
  const results = requestsFor(values).map(({ kind, path }): FileResult => {
    const file = files[path] ?? { ok: false, code: 'ENOENT' };
    return typeof file === 'string' ? { ok: true, texts: kind === 'place' ? [] : [['', file]] } : file;
  });
  return composeValues(values, results, { INVOCATION_ID: 'i', _CHAP_SERVICE_SERIAL: '3', ...known });
}

function environmentOf(...args: Parameters<typeof composed>) {
  const result = composed(...args);
  if (!result.ok) throw new Error(result.detail);
  const { INVOCATION_ID: invocation, ...rest } = result.environment;
  expect(invocation).toBe('i');
  return rest;
}

const folder = (texts: Readonly<Record<string, string>>): FileResult => ({ ok: true, texts: Object.entries(texts) });

describe('the environment of a start', () => {
  it('has values by the order of precedence', () => {
    const names = ['INHERITED', 'DIR', 'FILE1', 'FILE2', 'SET', 'UNSET', 'SECRET'];
    const inherited = Object.fromEntries(names.map((name) => [name, 'inherited']));
    const lines = (from: number, value: string) =>
      names
        .slice(from)
        .map((name) => `${name}=${value}\n`)
        .join('');
    const files = {
      '/dir': folder(Object.fromEntries(names.slice(1).map((name) => [name, 'dir']))),
      '/1': lines(2, 'one'),
      '/2': lines(3, 'two'),
      '/s': 'secret\n',
    };
    const directives =
      'env_dir: /dir, env_file: [/1, /2], env_set: { SET: set, UNSET: set }, env_unset: [UNSET], secrets: { SECRET: /s }';
    expect(environmentOf(directives, files, inherited)).toEqual({
      INHERITED: 'inherited',
      DIR: 'dir',
      FILE1: 'one',
      FILE2: 'two',
      SET: 'set',
      SECRET: 'secret',
    });
  });

  it('has secrets though everything else is dropped, and the file of variables wins over the account', () => {
    expect(
      environmentOf('uid: www, env_unset: "*", env_file: /1, secrets: { K: /s }', { '/1': 'A=1', '/s': 'x' }),
    ).toEqual({ K: 'x' });
    expect(environmentOf('uid: www, env_file: /1', { '/1': 'HOME=/other\n' })).toMatchObject({
      HOME: '/other',
      USER: 'www',
    });
  });

  it('has values that are data, and what env_set makes of them', () => {
    const files = { '/1': "A='$(B) `id` {HOME}'\nB=b\n", '/s': '$(B)`id`\n\n' };
    expect(
      environmentOf('env_file: /1, secrets: { K: /s }, env_set: { C: "<$(A)|$(K)>", D: "$(X:-d)" }', files),
    ).toEqual({
      A: '$(B) `id` {HOME}',
      B: 'b',
      K: '$(B)`id`\n',
      C: '<$(B) `id` {HOME}|$(B)`id`\n>',
      D: 'd',
    });
  });

  it('has the variables of the run as they are', () => {
    expect(environmentOf('env_file: /1', { '/1': 'B=b\n' }, {}, { WHY: '$(B) `id`' })).toEqual({
      B: 'b',
      WHY: '$(B) `id`',
    });
  });

  it('tells what is hidden: what was read, and what is made of it', () => {
    const result = composed(
      'env_file: /1, env_dir: /d, secrets: { K: /s, P_FILE: /p }, env_set: { C: "$(A)", D: plain, E: "$(C)", F: "$(P_FILE)" }',
      { '/1': 'A=1', '/d': folder({ Z: '1' }), '/s': 'x', '/p': '' },
    );
    expect(result.ok && [...result.hidden].sort()).toEqual(['A', 'C', 'E', 'K', 'Z']);
    expect(result.ok && result.environment).toMatchObject({ P_FILE: '/p', F: '/p' });
  });

  it('has the first line of each file of a folder, drops what is empty, and passes hidden variables on', () => {
    const files = { '/d': folder({ A: 'one  \ntwo\n', B: 'x\0y', GONE: '', C: '\n' }) };
    expect(environmentOf('env_dir: /d', files, { GONE: 'x', KEPT: 'k' })).toEqual({
      A: 'one',
      B: 'x\ny',
      C: '',
      KEPT: 'k',
    });
  });

  it('has variables that a file only names from where chaperone was started', () => {
    const files = { '/1': 'TZ\nNOWHERE\nA=1\n' };
    expect(environmentOf('env_inherit: [], env_file: /1', files, { TZ: 'CET' })).toMatchObject({ TZ: 'CET', A: '1' });
    const only = environmentOf('env_inherit: [PATH], env_file: /1', files, { TZ: 'CET', OTHER: 'x' });
    expect(only).toEqual({ TZ: 'CET', A: '1' });
  });

  it('does without an optional file that is missing, and without no other', () => {
    expect(environmentOf('env_file: [-/gone, /1]', { '/1': 'A=1' })).toEqual({ A: '1' });
    const noFolder: FileResult = { ok: false, code: 'ENOTDIR' };
    expect(environmentOf('env_file: -/gone/x', { '/gone/x': noFolder })).toEqual({});
    const denied: FileResult = { ok: false, code: 'EACCES' };
    expect(composed('env_file: -/1', { '/1': denied })).toMatchObject({ ok: false, code: 'EACCES' });
  });

  it('tells lines that say nothing', () => {
    expect(composed('env_file: [/1, /2]', { '/1': 'A=1\nexport B=2\n', '/2': 'C=3' })).toMatchObject({
      ignored: [{ path: '/1', lines: [2] }],
    });
  });

  it.each<[string, string, Files, string]>([
    ['a missing file', 'env_file: /1', {}, 'read env_file /1: it does not exist (ENOENT)'],
    ['a missing secret', 'secrets: { K: /s }', {}, 'read the secret K /s: it does not exist (ENOENT)'],
    ['a missing path', 'secrets: { K_FILE: /s }', {}, 'read the secret K_FILE /s: it does not exist (ENOENT)'],
    [
      'a large file',
      'env_file: /1',
      { '/1': { ok: false, code: 'EFBIG' } },
      'read env_file /1: it is larger than 1 MiB (EFBIG)',
    ],
    [
      'a directory',
      'env_file: /1',
      { '/1': { ok: false, code: 'EISDIR' } },
      'read env_file /1: it is a directory (EISDIR)',
    ],
    [
      'a closed file',
      'env_dir: /d',
      { '/d': { ok: false, code: 'EACCES' } },
      'read env_dir /d: permission denied (EACCES)',
    ],
    [
      'a FIFO in a folder',
      'env_dir: /d',
      { '/d': { ok: false, code: 'EINVAL', path: '/d/x', reason: 'it is a FIFO, and no regular file' } },
      'read env_dir /d: /d/x: it is a FIFO, and no regular file',
    ],
    ['binary data', 'env_file: /1', { '/1': 'A=\0b' }, 'read env_file /1: it is binary, and holds a NUL byte'],
    ['bytes that are no text', 'env_file: /1', { '/1': 'A=\udcff' }, 'read env_file /1: it is not UTF-8 text'],
    [
      'a binary secret',
      'secrets: { K: /s }',
      { '/s': 'a\0' },
      'read the secret K /s: it is binary, and holds a NUL byte',
    ],
    [
      'a strange name',
      'env_dir: /d',
      { '/d': folder({ 'a-b': 'x' }) },
      'read env_dir /d: "a-b" is no name of a variable',
    ],
    ['a long value', 'secrets: { K: /s }', { '/s': 'x'.repeat(131_072) }, 'pass K on: it is longer than 128 KiB'],
    [
      'a variable that is missing after all',
      'env_file: /1, env_set: { A: "$(B:?needed)" }',
      { '/1': '' },
      'expand A of env_set: a variable that it requires is not set',
    ],
    [
      'a command that depends on a file',
      'env_file: /1, env_set: { A: "`echo $(B)`" }',
      { '/1': 'B=very-secret' },
      'expand A of env_set: its command in backticks depends on what is read at the start',
    ],
  ])('cannot be made of %s', (_, directives, files, detail) => {
    expect(composed(directives, files)).toMatchObject({ ok: false, detail });
  });

  it('never has a value in what it says of a failure', () => {
    for (const operand of ['$(K:?it is $(K))$(X:?no $(K))', '`$(K)`', '$(K:|$(K)|`$(K)`|)', '$(K:/(/x/)']) {
      const result = composed(`env_file: /1, env_set: { A: ${JSON.stringify(operand)} }`, {
        '/1': 'K=very-secret',
      });
      expect(JSON.stringify(result.ok ? '' : result)).not.toContain('very-secret');
    }
  });
});
