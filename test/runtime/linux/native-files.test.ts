import { closeSync, ftruncateSync, lstatSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { edge, isRoot, scratch } from './native-edge.ts';

const pathOf = (name: string): Buffer => Buffer.from(join(scratch, name));
const withCode = (code: string) => expect.objectContaining({ code });

describe('makeNode', () => {
  it('makes FIFOs and sockets, and replaces nothing', () => {
    edge.makeNode(pathOf('node-fifo'), 0o010600, 0);
    edge.makeNode(pathOf('node-socket'), 0o140600, 0);
    expect([lstatSync(pathOf('node-fifo')).isFIFO(), lstatSync(pathOf('node-socket')).isSocket()]).toEqual([
      true,
      true,
    ]);
    expect(() => edge.makeNode(pathOf('node-fifo'), 0o010600, 0)).toThrow(withCode('EEXIST'));
  });

  it('makes devices for root', (context) => {
    if (!isRoot) context.skip('only root can make devices');
    edge.makeNode(pathOf('node-null'), 0o020666, lstatSync('/dev/null').rdev);
    expect(lstatSync(pathOf('node-null')).rdev).toBe(lstatSync('/dev/null').rdev);
  });
});

describe('extended attributes', () => {
  it('are set, listed and read, also with a name and a path that are no UTF-8', (context) => {
    if (!isRoot) context.skip('only root can set trusted attributes');
    const path = Buffer.concat([pathOf('attributes'), Buffer.from([0xff])]);
    writeFileSync(path, '');
    edge.setAttribute(path, Buffer.from('trusted.one'), Buffer.from([0, 1, 255]));
    edge.setAttribute(path, Buffer.from('trusted.none'), Buffer.alloc(0));
    const names = edge.listAttributes(path).toString().split('\0');
    expect(names).toEqual(expect.arrayContaining(['trusted.one', 'trusted.none', '']));
    expect(edge.getAttribute(path, Buffer.from('trusted.one'))).toEqual(Buffer.from([0, 1, 255]));
    expect(edge.getAttribute(path, Buffer.from('trusted.none'))).toHaveLength(0);
    expect(() => edge.getAttribute(path, Buffer.from('trusted.two'))).toThrow(withCode('ENODATA'));
  });

  it('take no path with a NUL', () => {
    expect(() => edge.listAttributes(Buffer.from('/tmp\0/x'))).toThrow(TypeError);
    expect(() => edge.listAttributes(Buffer.from('/nowhere/at/all'))).toThrow(withCode('ENOENT'));
  });
});

describe('setTimes', () => {
  it('keeps nanoseconds, also before 1970, and follows no link', () => {
    writeFileSync(pathOf('times'), '');
    symlinkSync('times', pathOf('times-link'));
    edge.setTimes(pathOf('times-link'), 5, 123_456_789, -7, 999_999_999);
    const { atimeNs, mtimeNs } = lstatSync(pathOf('times-link'), { bigint: true });
    expect([atimeNs, mtimeNs]).toEqual([5_123_456_789n, -6_000_000_001n]);
    expect(lstatSync(pathOf('times')).mtimeMs).toBeGreaterThan(0);
    expect(() => edge.setTimes(pathOf('times'), 0, 1_000_000_000, 0, 0)).toThrow(TypeError);
  });
});

describe('nextData', () => {
  it('finds the data behind a hole, and none behind the last', () => {
    const fd = openSync(pathOf('hole'), 'w+');
    ftruncateSync(fd, 3 * 1024 * 1024);
    writeSync(fd, 'data', 1024 * 1024);
    const data = edge.nextData(fd, 0);
    expect(data?.begin).toBe(1024 * 1024);
    expect(data?.end).toBeLessThan(2 * 1024 * 1024);
    expect(edge.nextData(fd, data?.end ?? 0)).toBeUndefined();
    closeSync(fd);
  });
});

describe('syncFileSystem', () => {
  it('takes any descriptor of the file system', () => {
    const fd = openSync(scratch, 'r');
    edge.syncFileSystem(fd);
    closeSync(fd);
    expect(() => edge.syncFileSystem(fd)).toThrow(withCode('EBADF'));
  });
});
