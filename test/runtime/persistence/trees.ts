/** A folder with every kind of file, and everything that can be seen of a folder. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { NativeEdge } from '../../../src/runtime/linux/native.ts';
import { linuxDisk } from '../../../src/runtime/persistence/disk.ts';

const joined = (folder: Buffer, name: Buffer): Buffer => Buffer.concat([folder, Buffer.from('/'), name]);
/** A name that is no UTF-8. */
const strangeName = Buffer.from([0x66, 0xff, 0xfe]);

/** Fills a folder, which is made; `mark` stands in its files. */
export function fill(folder: string, mark: string, edge: NativeEdge): void {
  const at = (name: string): string => `${folder}/${name}`;
  mkdirSync(at('deep/deeper'), { recursive: true });
  writeFileSync(at('plain'), `plain ${mark}`);
  chownSync(at('plain'), 1234, 4321);
  chmodSync(at('plain'), 0o4751);
  linkSync(at('plain'), at('deep/second name'));
  writeFileSync(joined(Buffer.from(folder), strangeName), mark);
  writeFileSync(at('deep/deeper/empty'), '');
  const sparse = openSync(at('sparse'), 'w');
  ftruncateSync(sparse, 8 * 1024 * 1024);
  writeSync(sparse, mark, 4 * 1024 * 1024);
  closeSync(sparse);
  symlinkSync('../plain', at('deep/link'));
  symlinkSync('nowhere', at('dangling'));
  symlinkSync('loop', at('loop'));
  lchownSync(at('dangling'), 77, 78);
  const bytes = Buffer.from(at('fifo'));
  edge.makeNode(bytes, 0o010640, 0);
  edge.makeNode(Buffer.from(at('socket')), 0o140755, 0);
  edge.makeNode(Buffer.from(at('null')), 0o020666, 0x103);
  for (const [name, attribute] of [
    ['plain', 'trusted.mark'],
    ['deep', 'trusted.deep'],
    ['deep/deeper', 'trusted.empty'],
  ] as const) {
    edge.setAttribute(Buffer.from(at(name)), Buffer.from(attribute), Buffer.from(name === 'deep/deeper' ? '' : mark));
  }
  // CAP_NET_BIND_SERVICE, which a change of the owner would drop.
  edge.setAttribute(
    Buffer.from(at('sparse')),
    Buffer.from('security.capability'),
    Buffer.from('0100000200040000000000000000000000000000', 'hex'),
  );
  chmodSync(at('deep'), 0o1777);
  chownSync(at('deep/deeper'), 1, 2);
  chownSync(folder, 10, 11);
  chmodSync(folder, 0o2750);
  setTimes(folder, edge);
}

/** Gives each file a time of its own, with nanoseconds, the first before 1970. */
function setTimes(folder: string, edge: NativeEdge): void {
  let second = -5;
  const walk = (path: Buffer): void => {
    if (lstatSync(path).isDirectory()) {
      for (const name of readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare)) walk(joined(path, name));
    }
    edge.setTimes(path, second, 123_456_789, second, 987_654_321);
    second += 100_000_000;
  };
  walk(Buffer.from(folder));
}

/** Everything about a folder that a program can see, but for the times of access of what a look changes. */
export function seen(folder: string, edge: NativeEdge): Readonly<Record<string, unknown>> {
  const disk = linuxDisk(edge);
  const names = new Map<string, string[]>();
  const entries: Record<string, unknown> = {};
  const walk = (path: Buffer, shown: string): void => {
    const stats = lstatSync(path, { bigint: true });
    if (!stats.isDirectory()) {
      const key = `${stats.dev}:${stats.ino}`;
      names.set(key, [...(names.get(key) ?? []), shown]);
    }
    entries[shown] = {
      mode: stats.mode.toString(8),
      owner: `${stats.uid}:${stats.gid}`,
      changed: stats.mtimeNs,
      device: stats.rdev,
      attributes: disk
        .attributes(path)
        .map((name) => `${name.toString()}=${disk.attribute(path, name).toString('hex')}`)
        .sort(),
      ...(stats.isSymbolicLink() ? { target: readlinkSync(path, 'latin1') } : {}),
      ...(stats.isFile() ? { content: createHash('md5').update(readFileSync(path)).digest('hex') } : {}),
      ...(stats.isFile() ? { isSparse: stats.blocks * 512n < stats.size } : {}),
    };
    if (!stats.isDirectory()) return;
    for (const name of readdirSync(path, { encoding: 'buffer' }))
      walk(joined(path, name), `${shown}/${name.toString('latin1')}`);
  };
  walk(Buffer.from(folder), '');
  const linked = [...names.values()].filter((each) => each.length > 1).map((each) => each.sort());
  return { ...entries, linked };
}
