import { describe, expect, it } from 'vitest';
import { Discarder } from '../../../src/runtime/linux/discarder.ts';
import { LinuxNotifying } from '../../../src/runtime/linux/linux-notifying.ts';
import type { NativeEdge } from '../../../src/runtime/linux/native.ts';
import { linger, lingering, nested } from './lingering.ts';
import { edge, openDescriptors, run, until } from './native-edge.ts';

describe('a notify socket', () => {
  it.each([
    ['a connection', ''],
    ['a connection on its way in a unix socket', nested],
  ])('waits for no end of %s with unsent data, whether it is stored or not', async (_, wrap) => {
    const notifying = new LinuxNotifying(edge, new Discarder(edge), process.pid);
    await notifying.load();
    const socket = notifying.openSocket('web');
    const descriptors: number[] = [];
    socket.datagrams$.subscribe((datagram) => descriptors.push(...datagram.descriptors));
    const script = `${lingering}${wrap}
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(${JSON.stringify(socket.path)})
socket.send_fds(s, [b'READY=1'], [passed.fileno()] * 2)
os._exit(0)`;
    expect(await run(['/usr/bin/env', 'python3', '-c', script])).toMatchObject({ output: '', exit: { status: 0 } });
    await until(() => descriptors.length === 2);
    const begun = performance.now();
    for (const descriptor of descriptors) notifying.closeDescriptor(descriptor);
    await until(() => descriptors.every((descriptor) => !openDescriptors().includes(String(descriptor))));
    await until(() => edge.discard([]) === 0);
    expect(performance.now() - begun).toBeLessThan(linger / 2);
    socket.close();
  });
});

describe('a discarder', () => {
  it('closes what a turn has gathered at once, and asks until all helpers are gone', async () => {
    const calls: (readonly number[])[] = [];
    const helpers = [1, 2, 1, 0];
    const fake: Pick<NativeEdge, 'discard'> = {
      discard: (descriptors) => {
        calls.push(descriptors);
        return helpers[calls.length - 1] ?? 0;
      },
    };
    const discarder = new Discarder(fake);
    discarder.later(5);
    discarder.later(6);
    expect(calls).toEqual([]);
    await Promise.resolve();
    expect(calls).toEqual([[5, 6]]);
    discarder.now([7]);
    await until(() => calls.length === 4);
    expect(calls).toEqual([[5, 6], [7], [], []]);
  });
});
