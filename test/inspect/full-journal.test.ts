import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { reportOf } from '../../src/inspect/boot-report.ts';
import type { Entry } from '../../src/inspect/entry.ts';
import { JournalReader } from '../../src/inspect/journal-reader.ts';
import { JournalWriter } from '../../src/inspect/journal-writer.ts';
import { renderReport } from '../../src/inspect/render-report.ts';
import { applyEntry, createReplica } from '../../src/inspect/replica.ts';
import { Transcript } from '../../src/inspect/transcript.ts';
import { JournalSink } from '../../src/runtime/linux/journal-sink.ts';
import { crashLoopRecording } from './recordings.ts';

/** What a journal of that size holds of a boot, read after each line as somebody does who looks while it is written. */
async function keptOf(entries: readonly Entry[], maxSize: number): Promise<readonly Entry[]> {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-journal-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'journal');
  const sink = new JournalSink({ path, maxSize });
  let lines = '';
  const take = (text: string): void => {
    lines += text;
  };
  const writer = new JournalWriter({ room: 1_000_000, write: take }, maxSize, () => undefined);
  for (const entry of entries) {
    writer.write(entry);
    await new Promise<void>((resolve) => sink.write(Buffer.from(lines), () => resolve()));
    lines = '';
    expect(statSync(path).size).toBeLessThanOrEqual(maxSize);
  }
  const found: (readonly Entry[])[] = [];
  const reader = new JournalReader((boot) => found.push(boot.entries));
  reader.push(readFileSync(path));
  expect(reader.end()).toMatchObject({ boots: 1, skipped: 0, unknown: 0 });
  return found[0] ?? [];
}

function tracksOf(entries: readonly Entry[]) {
  const replica = createReplica();
  for (const entry of entries) applyEntry(replica, entry);
  return [replica.system, ...replica.services.values()];
}

it('a journal that is full keeps the beginning and the newest, and says what lies between', async () => {
  const whole = crashLoopRecording(3_000_000).filter(({ type }) => type !== '@chaperone.log');
  const numbered = whole.map((entry, index): Entry => ({ ...entry, seq: index + 1 }));
  const size = Buffer.byteLength(numbered.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  const kept = await keptOf(numbered, Math.round(size / 2));

  const lost = kept.flatMap((entry, index) => (entry.type === '@chaperone.lost' ? [{ ...entry, index }] : []));
  expect(lost).toHaveLength(1);
  const [gap] = lost;
  const isSame = (entry: Entry): boolean => JSON.stringify(entry) === JSON.stringify(numbered[entry.seq - 1]);
  const head = kept.findIndex((entry) => !isSame(entry));
  const tail = kept.length - kept.findLastIndex((entry) => !isSame(entry)) - 1;
  expect(head).toBeGreaterThan(150);
  expect(tail).toBeGreaterThan(150);
  expect(kept.map(({ seq }) => seq)).toEqual([...new Set(kept.map(({ seq }) => seq))].sort((a, b) => a - b));
  expect(kept.map(({ at }) => at)).toEqual(kept.map(({ at }) => at).sort((a, b) => a - b));
  expect(gap?.from).toBe(kept[head - 1]?.at);
  expect(gap?.count).toBeGreaterThan(150);

  // The states of now are right, and since when they hold, and so is what is said of the boot.
  const nowOf = (entries: readonly Entry[]) =>
    tracksOf(entries).map(({ name, segments, firstStart }) => {
      const { state, from, context } = segments.at(-1) ?? {};
      return { name, state, from, context, firstStart };
    });
  expect(nowOf(kept)).toEqual(nowOf(numbered));
  const [report, all] = [reportOf(kept), reportOf(numbered)];
  expect(report.criticalChain).toEqual(all.criticalChain);
  expect(report.ready).toBe(all.ready);
  expect(report.gaps).toEqual([{ from: gap?.from, to: gap?.at, count: gap?.count }]);
  const told = /^of the time from \S+ s to \S+ s [\d,]+ entries are missing: what happened then is not counted$/m;
  expect(renderReport(report)).toMatch(told);
  const transcript = new Transcript({ format: 'text' });
  expect(kept.map((entry) => transcript.write(entry)).join('')).toMatch(
    /of the time from \S+ s to \S+ s [\d,]+ entries are missing/,
  );
});
