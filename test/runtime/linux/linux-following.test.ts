import { readFileSync } from 'node:fs';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { LinuxClock } from '../../../src/runtime/linux/linux-clock.ts';
import { LinuxFollowing } from '../../../src/runtime/linux/linux-following.ts';
import type { NativeEdge } from '../../../src/runtime/linux/native.ts';
import { childrenOf, readProcess } from '../../../src/runtime/linux/process-table.ts';
import { ProcessTrees } from '../../../src/runtime/linux/process-trees.ts';
import { edge, exited, exitOf, openDescriptors, spawned, tested, until } from './native-edge.ts';

const refuse = (code: string) => (): never => {
  throw Object.assign(new Error(code), { code });
};

function followingOn(kernel: Partial<NativeEdge>): LinuxFollowing {
  const clock = new LinuxClock();
  return new LinuxFollowing(
    { ...edge, ...kernel },
    clock,
    new ProcessTrees(clock, tested.body.pid, () => true),
    tested.body,
  );
}

describe('the end of a process on an older kernel', () => {
  it.each([
    ['without PIDFD_GET_INFO', { pidfdExit: refuse('ENOTTY') }],
    ['without pidfds', { openPidfd: refuse('ENOSYS') }],
  ])('%s is told without a status, and no sooner than waitid(2) could tell it', async (_name, kernel) => {
    const before = openDescriptors();
    const pid = await spawned(['/bin/sh', '-c', 'sleep 0.05; exit 3']);
    const end = firstValueFrom(followingOn(kernel).watchEnd(pid)).then((status) => [
      status,
      readProcess(pid)?.zombie ?? 'gone',
    ]);
    expect(await exitOf(pid)).toMatchObject({ status: exited(3) });
    // Reaped, or about to be: nothing orders the news of the body and this look.
    expect(await end).toEqual([{ kind: 'unknown' }, expect.toBeOneOf([true, 'gone'])]);
    expect(openDescriptors()).toEqual(before);
  });

  it('is not told to a subscriber that has gone, also while the kernel is being asked', async () => {
    const before = openDescriptors();
    const pid = await spawned(['/bin/sleep', '1000']);
    let asked = 0;
    const following = followingOn({
      pidfdExit: () => {
        asked += 1;
        return undefined;
      },
    });
    let told = false;
    const watch = following.watchEnd(pid).subscribe(() => {
      told = true;
    });
    edge.kill(pid, 9);
    while (asked < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    watch.unsubscribe();
    const sofar = asked;
    await exitOf(pid);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([told, asked]).toEqual([false, sofar]);
    expect(openDescriptors()).toEqual(before);
  });
});

it('a session is no longer that of a start once chaperone has started something else under its number', async () => {
  const trees = new ProcessTrees(new LinuxClock(), tested.body.pid, () => true);
  const root = await spawned(['/bin/sh', '-c', 'sleep 1000 & wait']);
  const child = await until(() => childrenOf(root)[0]);
  const tree = trees.track(root, 'first', true);
  // No look has found the child by now; it belongs to the session of the start.
  expect(trees.invocationOf(child)).toBe('first');
  trees.started(root, 0, true);
  expect(trees.invocationOf(child)).toBeUndefined();
  tree.forget();
  edge.kill(-root, 9);
  await exitOf(root);
});

describe('a process that nobody knows when a start of a forking service ends', () => {
  /** A process without the mark of any start: it ends its own parent, and so becomes a child of the body. */
  async function stranger(): Promise<{ readonly root: number; readonly daemon: number }> {
    const root = await spawned(['/bin/sh', '-c', 'env -i setsid sleep 1000 & exit 0']);
    await exitOf(root);
    const daemon = await until(() =>
      childrenOf(tested.body.pid).find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sleep')),
    );
    return { root, daemon };
  }

  it.each([
    ['belongs to the start', false],
    ['belongs to nobody while another service is being started, whose process it may be', true],
  ])('%s', async (_name, isStarting) => {
    const trees = new ProcessTrees(new LinuxClock(), tested.body.pid, () => true);
    const root = await spawned(['/bin/sleep', '1000']);
    const tree = trees.track(root, 'first', true);
    const settle = isStarting ? trees.requested() : undefined;
    const { daemon } = await stranger();
    tree.startEnded();
    settle?.();
    expect(tree.members().map(({ pid }) => pid)).toEqual(isStarting ? [root] : expect.arrayContaining([root, daemon]));
    tree.forget();
    for (const pid of [root, daemon]) edge.kill(pid, 9);
    await exitOf(root);
  });
});

it('a process group is gone once chaperone has started something else under its number', async () => {
  const trees = new ProcessTrees(new LinuxClock(), tested.body.pid, (group) => edge.kill(-group, 0) === 0);
  const pid = await spawned(['/bin/sleep', '1000']);
  const old = trees.trackGroup(pid);
  expect(old.members()).toMatchObject([{ pid, group: pid }]);
  trees.started(pid, 0, true);
  expect(old.members()).toEqual([]);
  const group = trees.trackGroup(pid);
  // This forgets the old tree late, which must not touch the new one.
  old.forget();
  expect(group.members()).toHaveLength(1);
  edge.kill(pid, 9);
  await exitOf(pid);
  group.startEnded();
  expect(group.members()).toEqual([]);
});
