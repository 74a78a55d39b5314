/** What moves of folders need, for tests. */
import { dirname } from 'node:path';
import type { PersistentFolder } from '../../../src/model/place/persistent-folders.ts';
import type { NativeEdge } from '../../../src/runtime/linux/native.ts';
import type { Disk } from '../../../src/runtime/persistence/disk.ts';
import type { PersistPorts } from '../../../src/runtime/persistence/persist.ts';

/** Calls back before each operation. */
export function counted(disk: Disk, before: (name: string) => void): Disk {
  return new Proxy(disk, {
    get(target, name, receiver) {
      const operation: unknown = Reflect.get(target, name, receiver);
      if (typeof operation !== 'function') return operation;
      return (...values: readonly unknown[]): unknown => {
        before(String(name));
        return Reflect.apply(operation, target, values);
      };
    },
  });
}

/** A disk that dies before one operation: from then on nothing can be done, as after a SIGKILL. Faster than a program of its own. */
export function mortal(disk: Disk, cut: number): Disk {
  let count = 0;
  const dying = counted(disk, () => {
    count += 1;
    if (count >= cut) throw new Error('killed');
  });
  // The kernel closes the descriptors of a program that is killed.
  const close = (fd: number): void => {
    disk.close(fd);
    count += 1;
    if (count > cut) throw new Error('killed');
  };
  return new Proxy(dying, { get: (target, name) => (name === 'close' ? close : Reflect.get(target, name)) });
}

/** A disk on which no folder that has content can be renamed, as in the layers of an image, but for copies that are complete. */
export function layered(disk: Disk): Disk {
  return {
    ...disk,
    rename: (from, to) => {
      if (from.toString().includes('chaperone-new')) disk.rename(from, to);
      else throw Object.assign(new Error('EXDEV'), { code: 'EXDEV' });
    },
  };
}

export function portsFor(folders: readonly PersistentFolder[], disk: Disk, edge: NativeEdge): PersistPorts {
  return {
    disk,
    mounts: folders.map(({ home }) => dirname(home)),
    own: [],
    token: () => edge.randomHex(8),
    breathe: async () => undefined,
    say: () => undefined,
    lock: async () => () => undefined,
  };
}
