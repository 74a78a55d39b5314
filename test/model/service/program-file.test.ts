import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { headLength, isShell, type ProgramFault, programFault } from '../../../src/model/service/program-file.ts';

const fault = (head: string, there: readonly string[] = ['/bin/sh', '/usr/bin/env'], inPath: readonly string[] = []) =>
  programFault(head, { exists: (path) => there.includes(path), findProgram: (word) => inPath.includes(word) });

/** A binary of one loadable part, and of a loader where one is given. */
function elf({ wide = true, little = true, loader }: { wide?: boolean; little?: boolean; loader?: string }): string {
  const bytes = Buffer.alloc(512);
  const write = (offset: number, size: number, value: number): void => {
    if (little) bytes.writeUIntLE(value, offset, size);
    else bytes.writeUIntBE(value, offset + (size > 6 ? size - 6 : 0), Math.min(size, 6));
  };
  bytes.write('\x7fELF', 'latin1');
  bytes[4] = wide ? 2 : 1;
  bytes[5] = little ? 1 : 2;
  const [table, entry] = wide ? [64, 56] : [52, 32];
  write(wide ? 32 : 28, wide && !little ? 8 : 4, table);
  write(wide ? 54 : 42, 2, entry);
  write(wide ? 56 : 44, 2, loader === undefined ? 1 : 2);
  write(table, 4, 1);
  if (loader !== undefined) {
    const second = table + entry;
    write(second, 4, 3);
    write(second + (wide ? 8 : 4), wide && !little ? 8 : 4, 400);
    write(second + (wide ? 32 : 16), wide && !little ? 8 : 4, loader.length + 1);
    bytes.write(loader, 400, 'latin1');
  }
  return bytes.toString('latin1');
}

describe('what a program file tells', () => {
  it.each<[string, string, ProgramFault | undefined]>([
    ['a script', '#!/bin/sh\nexit\n', undefined],
    ['a script with an option', '#! /bin/sh -e\n', undefined],
    ['a script of one line', '#!/bin/sh', undefined],
    ['no interpreter', '#!/bin/bash\n', { kind: 'interpreter', missing: '/bin/bash', windows: false }],
    ['nothing behind #!', '#!\n', { kind: 'interpreter', missing: '', windows: false }],
    ['Windows line ends', '#!/bin/sh\r\nexit\r\n', { kind: 'interpreter', missing: '/bin/sh\r', windows: true }],
    ['Windows line ends behind an option', '#!/bin/sh -e\r\n', { kind: 'argument', interpreter: '/bin/sh' }],
    [
      'Windows line ends with env',
      '#!/usr/bin/env ruby\r\n',
      { kind: 'interpreter', missing: 'ruby\r', windows: true },
    ],
    ['an unknown program of env', '#!/usr/bin/env ruby\n', { kind: 'interpreter', missing: 'ruby', windows: false }],
    ['only options of env', '#!/usr/bin/env -S\n', undefined],
    ['nothing', '', { kind: 'empty' }],
    ['text', 'echo hello\n', { kind: 'format', windows: false }],
    ['text with Windows line ends', 'echo hello\r\n', { kind: 'format', windows: true }],
  ])('%s', (_, head, found) => {
    expect(fault(head)).toEqual(found);
  });

  it.each([
    { wide: true, little: true },
    { wide: false, little: true },
    { wide: true, little: false },
    { wide: false, little: false },
  ])('the loader of a binary: %j', (form) => {
    const loader = '/lib/ld-musl-x86_64.so.1';
    expect(fault(elf(form))).toBeUndefined();
    expect(fault(elf({ ...form, loader }))).toEqual({ kind: 'loader', missing: loader });
    expect(fault(elf({ ...form, loader }), [loader])).toBeUndefined();
  });

  it('nothing of a binary that is cut off', () => {
    const whole = elf({ loader: '/lib/ld.so' });
    for (let length = 4; length < 411; length += 1)
      expect(fault(whole.slice(0, length)), String(length)).toBeUndefined();
  });

  it('the loader of a program of this machine', () => {
    const buffer = Buffer.alloc(headLength);
    const fd = openSync('/bin/sh', 'r');
    const head = buffer.toString('latin1', 0, readSync(fd, buffer, 0, headLength, 0));
    closeSync(fd);
    const found = fault(head, []);
    if (found?.kind !== 'loader') throw new Error('no loader');
    expect(readFileSync('/bin/sh', 'latin1')).toContain(`${found.missing}\0`);
  });
});

it.each(['sh', 'bash', 'dash', 'ash', 'zsh', 'ksh'])('%s is a shell, wherever it stands', (name) => {
  expect(isShell(name)).toBe(true);
  expect(isShell(`/usr/local/bin/${name}`)).toBe(true);
  expect(isShell(`${name}/x`)).toBe(false);
  expect(isShell(`x${name}`)).toBe(false);
});
