import { expect, it } from 'vitest';
import { graphOf, instantOf, stateOfPath } from '../../../src/inspect/page/instant.ts';
import { Recording } from '../../../src/inspect/page/recording.ts';
import { chainOf } from '../../../src/inspect/page/start-chain.ts';
import { renumbered, withFacts } from '../entries.ts';
import { bootEntry, courseOf, inOrder, numbered, serviceEntry } from '../hand-made.ts';
import { hangingWorld } from '../recordings.ts';

it.each([
  ['pending', 'pending'],
  ['starting.awaitingExit', 'starting'],
  ['ready.running', 'ready'],
  ['ready.exited', 'ready'],
  ['ready.scheduled', 'ready'],
  ['exited', 'exited'],
  ['stopping.terminating', 'stopping'],
  ['stopping.clearing', 'stopping'],
  ['stopping.draining', 'stopping'],
  ['backoff', 'backoff'],
  ['failed', 'failed'],
])('%s is %s', (path, state) => {
  expect(stateOfPath(path)).toBe(state);
});

/** db is ready and ends normally; job ends normally at once; web waits for both, and for cache. */
function recordingOf() {
  const recording = new Recording();
  const entries = [
    bootEntry([
      serviceEntry('db'),
      serviceEntry('job'),
      serviceEntry('cache'),
      serviceEntry('web', { waitsFor: ['db.service', 'job.service', 'cache.service'], layer: 1 }),
    ]),
    ...numbered(
      inOrder(
        courseOf('db', [
          [1, { starting: 'settling' }],
          [10, { ready: 'running' }],
          [50, 'exited'],
        ]),
        courseOf('job', [
          [1, { starting: 'settling' }],
          [5, 'exited'],
        ]),
        courseOf('cache', [
          [1, { starting: 'settling' }],
          [40, { ready: 'running' }],
        ]),
        courseOf('web', [
          [60, { starting: 'settling' }, { type: 'service.start', waitedFor: 'cache.service' }],
          [70, { ready: 'running' }],
        ]),
      ),
    ),
  ];
  recording.append(renumbered(withFacts(entries)));
  return recording;
}

it('what has ended normally holds nobody up, and says what would run it again', () => {
  const recording = recordingOf();
  const graph = graphOf(recording.services.values());
  const at = recording.countAt(59);
  const { services, blockers } = instantOf(recording.after(at), at, recording.services, graph);
  expect(services.get('job.service')).toMatchObject({ state: 'exited', stage: 'exited', since: 5 });
  expect(services.get('job.service')?.why?.sentence).toContain('ended normally');
  expect(services.get('web.service')).toMatchObject({ state: 'pending', hold: { kind: 'none' } });
  expect(blockers).toEqual([]);
});

it('a normal end lets nobody go for a second time', () => {
  const recording = recordingOf();
  const chain = chainOf(recording.head, recording.lastAt);
  expect(chain.map(({ service, started, ready }) => [service, started, ready])).toEqual([
    ['web.service', 60, 70],
    ['cache.service', 1, 40],
  ]);
});

it('the last service of a boot that hangs holds up the end of the boot, and nothing else', () => {
  const world = hangingWorld();
  const recording = new Recording();
  world.inspection.hub.watch({
    onEntry: (entry) => {
      recording.append([entry]);
      return true;
    },
  });
  world.assembly.start();
  world.clock.run(1_000);
  const graph = graphOf(recording.services.values());
  const { blockers } = instantOf(recording.head, recording.entries.length, recording.services, graph);
  expect(blockers).toEqual([{ name: 'web.service', waiting: [] }]);
});
