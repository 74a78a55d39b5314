import { closeSync } from 'node:fs';
import fc from 'fast-check';
import { firstValueFrom, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { Body } from '../../src/runtime/linux/body.ts';
import { decodeFact, encodeRequest, encodeSpawn } from '../../src/runtime/linux/body-protocol.ts';
import { built, compile, devNull, edge, isRoot, Puppet, sanitizers, sourcesOfBody, spawnOf } from './puppet.ts';

const byte = fc.integer({ min: 0, max: 255 });
/** Numbers at the borders of their types, and any others. */
const word = fc.oneof(fc.constantFrom(0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff), fc.nat());

/** A packet whose number is set when it is sent. */
interface Hostile {
  readonly bytes: Uint8Array;
  readonly descriptors: number;
  /** True: the number of a request that was done already. */
  readonly again: boolean;
}

const valid: readonly Uint8Array[] = [
  encodeRequest(0n, { type: 'hello', budget: 5000, words: true }),
  encodeRequest(0n, {
    type: 'signal',
    signal: 0,
    targets: [1, 2, 3].map((pid) => ({ pid, group: pid > 2, spawn: 1n })),
  }),
  encodeRequest(0n, { type: 'signalAll', signal: 0 }),
  encodeRequest(0n, { type: 'acknowledge', fact: 1n }),
  encodeRequest(0n, { type: 'budget', budget: 5000 }),
  encodeRequest(0n, { type: 'watchAlone' }),
  encodeRequest(0n, { type: 'cancel', spawn: 1n }),
  encodeSpawn(0n, spawnOf(['/bin/true', 'x'])).bytes,
  encodeSpawn(
    0n,
    spawnOf(['/bin/true'], { directory: '/', groups: [1, 2], uid: 1, gid: 1, pidVariables: ['A'], umask: 7 }),
  ).bytes,
  encodeSpawn(0n, spawnOf(['/bin/true'], { environment: ['x'.repeat(40_000)] })).bytes,
];

/** A valid request of which bytes and words behind its number are replaced, and the end is cut off or made longer. */
const mutated = fc
  .record({
    bytes: fc.constantFrom(...valid),
    bytesAt: fc.array(fc.tuple(fc.nat({ max: 200 }), byte), { maxLength: 3 }),
    wordsAt: fc.array(fc.tuple(fc.nat({ max: 22 }), word), { maxLength: 3 }),
    cut: fc.option(fc.nat({ max: 220 }), { nil: undefined }),
    more: fc.constantFrom(0, 0, 0, 1, 7, 40_000),
  })
  .map(({ bytes, bytesAt, wordsAt, cut, more }) => {
    const copy = new Uint8Array(bytes.length + more);
    copy.set(bytes);
    const view = new DataView(copy.buffer);
    for (const [at, value] of bytesAt) if (8 + at < copy.length) copy[8 + at] = value;
    for (const [at, value] of wordsAt) if (8 + at * 4 + 4 <= copy.length) view.setUint32(8 + at * 4, value, true);
    return cut === undefined ? copy : copy.slice(0, Math.max(1, cut));
  });

const hostile: fc.Arbitrary<Hostile> = fc.record({
  bytes: fc.oneof(
    { weight: 5, arbitrary: mutated },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 100 }) },
  ),
  descriptors: fc.constantFrom(0, 0, 1, 3, 3, 252, 253),
  again: fc.boolean(),
});

async function sendHostile(body: Puppet, { bytes, descriptors, again }: Hostile): Promise<void> {
  const copy = bytes.slice();
  if (!again) body.number += 1n;
  if (copy.length >= 8) new DataView(copy.buffer).setBigUint64(0, body.number, true);
  await body.send(
    copy,
    Array.from({ length: descriptors }, () => devNull),
  );
}

describe('the body', () => {
  it.runIf(isRoot).each([
    ['as it is built', 500, () => built],
    ['with sanitizers', 60, () => compile('sanitized-fuzzed', sourcesOfBody(), sanitizers)],
  ])('stands any request %s, and answers the next one rightly', async (_, numRuns, program) => {
    // In a namespace of pids, so that what is signalled by chance is nobody's.
    const body = new Puppet({
      wrapper: ['unshare', '--pid', '--fork', '--kill-child'],
      program: program(),
      patience: 500,
      environment: { ASAN_OPTIONS: 'detect_leaks=0' },
    });
    await body.serves();
    const inner = body.children()[0] ?? 0;
    const before = body.descriptors(inner).length;
    await fc.assert(
      fc.asyncProperty(fc.array(hostile, { minLength: 1, maxLength: 20 }), async (packets) => {
        for (const packet of packets) await sendHostile(body, packet);
        await body.serves();
        expect(body.isGapless()).toBe(true);
        body.forget();
      }),
      { numRuns },
    );
    expect(body.stderr).not.toMatch(/Sanitizer|runtime error/);
    // One more at most: the pipe of the last words.
    await body.untilAsked(() => body.descriptors(inner).length <= before + 1);
  });
});

describe('the brain', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const fact = fc.record({ type: fc.nat({ max: 9 }), count: word, bytes });

  it('reads any packet without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 9 }), (packet, type) => {
        decodeFact(packet);
        if (packet.length >= 12) new DataView(packet.buffer).setUint32(8, type, true);
        decodeFact(packet);
      }),
      { numRuns: 5000 },
    );
  });

  it('hears of what follows packets that it cannot read', async () => {
    const [own, others] = edge.packetPair();
    const body = new Body(edge, own, 1);
    let number = 0n;
    const send = (type: number, count: number, rest: Uint8Array): void => {
      number += 1n;
      const packet = new Uint8Array(16 + rest.length);
      packet.set(rest, 16);
      const view = new DataView(packet.buffer);
      view.setBigUint64(0, number, true);
      view.setUint32(8, type, true);
      view.setUint32(12, count, true);
      expect(edge.sendPacket(others, packet, [])).toBe(0);
    };
    const sentinel = 0x5555;
    await fc.assert(
      fc.asyncProperty(fc.array(fact, { maxLength: 10 }), async (facts) => {
        const heard = new Promise<void>((resolve) => {
          const subscription = body.facts$.subscribe((each) => {
            if (each.type !== 'signal' || each.signal !== sentinel) return;
            subscription.unsubscribe();
            resolve();
          });
        });
        for (const each of facts) send(each.type, each.count, each.bytes);
        send(2, 1, new Uint8Array(new Uint32Array([sentinel]).buffer));
        await heard;
        while (edge.receivePacket(others, new Uint8Array(40_000)) > 0);
      }),
      { numRuns: 300 },
    );
    const ends = firstValueFrom(body.gone$.pipe(take(1), toArray()));
    closeSync(others);
    await ends;
    closeSync(own);
  });
});
