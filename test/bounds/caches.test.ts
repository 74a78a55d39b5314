/** What is kept by what others have said or written is bounded: here each memory is fed ten times its bound of distinct inputs. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { MoveFact } from '../../src/facts/milestones.ts';
import { type Span, Spans } from '../../src/facts/spans.ts';
import { parseDatagram } from '../../src/model/log/syslog-parse.ts';
import { ContainerEnvironment } from '../../src/runtime/boot/container-environment.ts';
import { AccountShares } from '../../src/runtime/logging/account-shares.ts';
import { Flows } from '../../src/runtime/logging/flows.ts';
import { SimulatedKernel } from '../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { Checks } from '../../src/runtime/units/checks.ts';
import { gateAt } from '../control/gate-at.ts';
import { serviceSpec } from '../model/specs.ts';
import { countObjects, keptStrings } from './kept-strings.ts';

/** The objects that the tests feed: this list keeps the garbage collector from freeing them before their strings are counted. */
const inUse: unknown[] = [];
/** The live strings that were fed, each a word and a number; one snapshot of the heap is made for all of them. */
let alive: readonly string[] = [];

/** How many different numbers stand behind the word in strings that are alive. */
function keptOf(word: string): number {
  return new Set(alive.flatMap((text) => new RegExp(`${word}-\\d+`).exec(text) ?? [])).size;
}

const reception = { time: 0, host: 'box', sender: undefined };
/** Longer than what a snapshot of the heap shows of a string. */
const long = 'x'.repeat(2_000);
const mostTags = 2_000;

function feedTags(): void {
  for (let nth = 0; nth < 10 * mostTags; nth += 1) {
    parseDatagram(`<13>Jan  5 04:03:02 old-style-${nth}-program[7]: old-text-${nth} ${long}`, reception);
    parseDatagram(`<13>1 - box new-style-${nth}-program - - - new-text-${nth} ${long}`, reception);
    if (nth % 10 === 0) parseDatagram(`<13>1 - box long-name-${nth}-${long} - - - text`, reception);
  }
}

function feedExpressions(): void {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, { has: () => true, script: () => ({ steps: [{ do: 'hang' }] }) });
  const checks = new Checks({ kernel, clock });
  for (let nth = 0; nth < 10_000; nth += 1) {
    const check = { kind: 'log', pattern: `expression-${nth}` } as const;
    const ready = { kind: 'probe', check, interval: 1, longest: 1, timeout: 1, retries: 1, startPeriod: 0 } as const;
    checks.begin(serviceSpec({ ready }), nth);
  }
  inUse.push(checks);
}

function feedEnvironment(): void {
  const home = mkdtempSync(join(tmpdir(), 'chaperone-bounds-'));
  const folder = join(home, 'container_environment');
  mkdirSync(folder);
  writeFileSync(join(folder, 'FIRST'), 'variable-text-0');
  let said = 0;
  const environment = new ContainerEnvironment({
    folder,
    given: {},
    say: () => {
      said += 1;
    },
    shellFile: join(home, 'env.sh'),
  });
  for (let nth = 1; nth <= 640; nth += 1) {
    writeFileSync(join(folder, 'FIRST'), `variable-text-${nth}`);
    mkdirSync(join(folder, `folder-name-${nth}`));
    expect(environment.environmentFor({ FIRST: `variable-text-${nth - 1}` })['FIRST']).toBe(`variable-text-${nth}`);
    rmSync(join(folder, `folder-name-${nth}`), { recursive: true });
  }
  expect(said).toBe(640);
  rmSync(home, { recursive: true });
  inUse.push(environment);
}

/** The last span. */
let span: Span | undefined;

function feedSpans(): void {
  const spans = new Spans((told) => {
    span = told;
  });
  spans.configure([
    { name: 'db.service', type: 'simple' },
    { name: 'web.service', type: 'simple' },
  ]);
  let seq = 0;
  const move = (actor: string, from: string, to: string, waitedFor?: string): void => {
    seq += 1;
    const event = waitedFor === undefined ? { type: 'x' } : { type: 'service.start', waitedFor };
    const fact: MoveFact = { type: 'moved', seq, at: seq, actor, from, to, event, context: {} };
    spans.take(fact);
  };
  move('web.service', 'pending', 'starting.spawning');
  for (let nth = 0; nth < 640; nth += 1) {
    // The prerequisite has another span each time.
    move('db.service', 'pending', 'starting.spawning');
    move('db.service', 'starting.spawning', 'ready.running');
    move('web.service', 'starting.spawning', 'backoff');
    move('web.service', 'backoff', 'starting.spawning', 'db.service');
    move('db.service', 'ready.running', 'stopping.terminating');
    move('db.service', 'stopping.terminating', 'stopped');
  }
  move('web.service', 'starting.spawning', 'ready.running');
  for (let nth = 0; nth < 20_480; nth += 1) move(`mover-${nth}.service`, 'stopped', 'stopped');
  inUse.push(spans);
}

beforeAll(() => {
  feedTags();
  feedExpressions();
  feedEnvironment();
  feedSpans();
  const fed = /(?:old-style|new-style|old-text|new-text|long-name|expression|variable-text|folder-name|mover)-\d+/;
  alive = [...keptStrings(fed).keys()];
});

it('of syslog records the tags are remembered, and neither the records nor names that are as long as records', () => {
  expect(keptOf('old-style')).toBeGreaterThan(1);
  expect(keptOf('old-style')).toBeLessThanOrEqual(2 * mostTags);
  expect(keptOf('new-style')).toBeLessThanOrEqual(mostTags);
  // The last records may still be there.
  expect(keptOf('old-text')).toBeLessThan(10);
  expect(keptOf('new-text')).toBeLessThan(10);
  expect(keptOf('long-name')).toBeLessThan(10);
});

it('of the expressions that reloads have brought, as many are kept compiled as have a use', () => {
  expect(keptOf('expression')).toBeGreaterThan(1);
  expect(keptOf('expression')).toBeLessThanOrEqual(1_001);
});

it('of the texts and names of variables that scripts have written, the newest are remembered', () => {
  expect(keptOf('variable-text')).toBeGreaterThan(1);
  expect(keptOf('variable-text')).toBeLessThanOrEqual(64 + 2);
  expect(keptOf('folder-name')).toBeLessThanOrEqual(256 + 2);
});

it('a span of a service that tries again for days has a bounded number of links and events', () => {
  expect(span?.attributes['chaperone.service']).toBe('web');
  expect(span?.links.length).toBe(64);
  expect(span?.events.length).toBeLessThanOrEqual(64);
  expect(keptOf('mover')).toBeGreaterThan(1);
  expect(keptOf('mover')).toBeLessThanOrEqual(2_048 + 1);
});

it('of the accounts that have asked something, the latest are told apart', () => {
  const gate = gateAt();
  for (let uid = 1; uid <= 10_000; uid += 1) gate.admit({ uid, gid: 0, groups: [] });
  expect(countObjects('TokenBucket')).toBe(1_000);
  // The gate is in use until its buckets are counted.
  expect(gate.admit({ uid: 1, gid: 0, groups: [] })).toBeUndefined();
});

it('of the accounts that flood a log, so many have a share of their own', () => {
  const told: string[] = [];
  const shares = new AccountShares((_, account) => told.push(account));
  for (let uid = 0; uid < 10_000; uid += 1) shares.drop(uid);
  shares.renew();
  expect(told.length).toBe(1_001);
});

it('a sink that a reload has closed is kept by no flow', async () => {
  const flows = new Flows(new VirtualClock());
  const closed = Array.from({ length: 100 }, (_, nth) => {
    const sink = { holdsBack: true, lastProgress: 0, onRoom: () => undefined, onProgress: () => undefined };
    flows.of(`service-${nth % 3}`).note(sink, { kind: 'wait', patience: 1_000 });
    return new WeakRef(sink);
  });
  // In the turn in which a reference was made, its target is kept.
  await new Promise((resolve) => setImmediate(resolve));
  keptStrings(/^$/);
  expect(closed.filter((sink) => sink.deref() !== undefined)).toEqual([]);
});
