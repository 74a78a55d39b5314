import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import * as library from '../../../src/runtime/linux/datagram-library.ts';
import { Discarder } from '../../../src/runtime/linux/discarder.ts';
import { openLogSocket } from '../../../src/runtime/linux/log-socket.ts';
import { edge } from './native-edge.ts';

let directory: string;
const ports = { edge, library, discarder: new Discarder(edge) };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'chaperone-log-'));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

/** Until something holds, one turn of the loop after the other. */
async function turnsUntil(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

it('leaves the loop to others while records take long, and keeps their order', async () => {
  const path = join(directory, 'log');
  const opened = openLogSocket(ports, path, () => false);
  if (!opened.ok) throw new Error(opened.code);
  const sent: string[] = [];
  const send = (): void => {
    for (let full = false; !full; ) {
      const text = `record ${sent.length}`;
      full = edge.sendDatagram(path, Buffer.from(text)) !== 0;
      if (!full) sent.push(text);
    }
  };
  send();
  expect(sent.length).toBeGreaterThan(8);
  // The clock moves on by a second with each record, as if each took that long.
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const got: string[] = [];
  const inTurns: number[] = [];
  let turn = 0;
  let counting = true;
  const count = (): void => {
    turn += 1;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const decoder = new TextDecoder();
  opened.datagrams$.subscribe((datagrams) => {
    now += 1_000 * datagrams.length;
    got.push(...datagrams.map(({ content }) => (typeof content === 'string' ? content : decoder.decode(content))));
    inTurns.push(turn);
  });
  await turnsUntil(() => got.length === sent.length);
  send();
  await turnsUntil(() => got.length === sent.length);
  counting = false;
  expect(got).toEqual(sent);
  // No turn has handled more than one slice.
  expect(new Set(inTurns).size).toBe(inTurns.length);
  opened.close();
});

it('emits at its end what was held back', async () => {
  const path = join(directory, 'log');
  const opened = openLogSocket(ports, path, () => false);
  if (!opened.ok) throw new Error(opened.code);
  let sent = 0;
  while (edge.sendDatagram(path, Buffer.from('x')) === 0) sent += 1;
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  let got = 0;
  opened.datagrams$.subscribe((datagrams) => {
    now += 1_000;
    got += datagrams.length;
  });
  await turnsUntil(() => got > 0);
  expect(got).toBeLessThan(sent);
  opened.close();
  expect(got).toBe(sent);
});
