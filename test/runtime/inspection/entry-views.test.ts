import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/inspect/entry.ts';
import { Transcript } from '../../../src/inspect/transcript.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { eventView } from '../../../src/runtime/inspection/entry-views.ts';
import type { Script } from '../../../src/runtime/simulated/script.ts';
import { recorded } from '../../inspect/recorded.ts';
import { createWorld, simpleService, systemOf } from '../../simulation/world.ts';

/** The entries of a boot with one service, `web`, that runs this script at each start. */
function bootOf(changes: Partial<ServiceSpec>, script: Script): readonly Entry[] {
  const web = simpleService('web', { ignoreFailures: true, startupPause: 100, ...changes });
  return recorded(systemOf([web, simpleService('other')]), {
    has: () => true,
    script: ([name]) => (name === 'web' ? script : { steps: [{ do: 'hang' }] }),
  });
}

function transcriptOf(entries: readonly Entry[]): readonly string[] {
  const transcript = new Transcript({ format: 'text', services: ['web'] });
  return entries
    .flatMap((entry) => transcript.write(entry).split('\n'))
    .filter((line) => line.includes(' web ') && line.includes('→'))
    .map((line) => line.trim().replaceAll(/ {2,}/g, '  '));
}

/** The context in the last step of an actor of this machine and service. */
function contextOf(entries: readonly Entry[], machine: string) {
  const ids = new Set(
    entries.flatMap((entry) =>
      entry.type === '@xstate.actor' && entry.machine === machine && entry.service === 'web.service'
        ? [entry.sessionId]
        : [],
    ),
  );
  const steps = entries.filter((entry) => entry.type === '@xstate.snapshot' && ids.has(entry.sessionId));
  const last = steps.at(-1);
  return last?.type === '@xstate.snapshot' ? last.snapshot.context : undefined;
}

const stays: Script = { steps: [{ do: 'hang' }] };
const terminated = { signalled: { signal: 'SIGTERM', outcome: 'sent' } };

describe('what is told of a run', () => {
  it('says what a crash has left', () => {
    const script: Script = {
      steps: [
        { do: 'fork', script: stays },
        { do: 'wait', ms: 3_200 },
        { do: 'exit', code: 1 },
      ],
    };
    const entries = bootOf({}, script);
    expect(transcriptOf(entries).slice(3)).toEqual([
      '3.200  web  ready.running → stopping.clearing  exit 1 after 3.2 s; 1 process of its run is left',
      '3.200  web  stopping.clearing → failed  exit 1',
    ]);
    expect(contextOf(entries, 'unit')).toEqual({
      ...{ service: 'web.service', serial: 1, program: 'web', pid: 2 },
      ...terminated,
    });
  });

  it('says of a normal end no more than how it was', () => {
    const script: Script = {
      steps: [
        { do: 'fork', script: stays },
        { do: 'wait', ms: 200 },
      ],
    };
    const entries = bootOf({}, script);
    expect(transcriptOf(entries).slice(3)).toEqual([
      '0.200  web  ready.running → exited  exit 0 after 200 ms',
      '10.000  web  exited → stopping.terminating  SIGTERM to the remaining processes of its run, SIGKILL after 7.5 s',
      '10.000  web  stopping.terminating → stopped  nothing of its run is left',
    ]);
    expect(contextOf(entries, 'service')).toEqual({ service: 'web.service', serial: 1, lastExit: 'exit 0' });
  });
});

describe('what is told of readiness', () => {
  it('names the process of a pidfile', () => {
    const daemon: Script = { steps: [{ do: 'write', path: '/run/web.pid', text: '$$\n' }, { do: 'hang' }] };
    const entries = bootOf(
      { type: 'forking', pidfile: '/run/web.pid' },
      { steps: [{ do: 'fork', script: daemon, detached: true }] },
    );
    expect(transcriptOf(entries)[3]).toBe(
      '0.000  web  starting.awaitingPidfile → ready.running  pid 4 from /run/web.pid',
    );
    expect(contextOf(entries, 'readiness')).toEqual({
      ...{ service: 'web.service', serial: 1, deadline: 30_000, trouble: 'absent' },
    });
    expect(contextOf(entries, 'service')).toMatchObject({ followed: true, lastExit: 'SIGTERM' });
  });

  it('repeats what a service has said of its failure', () => {
    const entries = bootOf(
      { type: 'notify' },
      { steps: [{ do: 'notify', text: 'ERRNO=2\nSTATUS=broken' }, { do: 'hang' }] },
    );
    expect(transcriptOf(entries).slice(2)).toEqual([
      '0.000  web  starting.awaitingNotify → stopping.clearing  ERRNO=2  "broken"',
      '0.000  web  stopping.clearing → failed  ERRNO=2',
    ]);
    expect(contextOf(entries, 'readiness')).toEqual({ service: 'web.service', serial: 1, deadline: 30_100 });
  });

  it('says for how long nothing was said', () => {
    expect(transcriptOf(bootOf({ type: 'notify', processTimeout: 1_000 }, stays))[2]).toBe(
      '1.100  web  starting.awaitingNotify → stopping.clearing  no READY=1 within 1 s',
    );
  });
});

it('tells the time of SIGKILL that is in force, also where the service has asked for more', () => {
  const script: Script = {
    steps: [{ do: 'notify', text: 'READY=1' }, { do: 'hang' }],
    onSignal: {
      SIGTERM: [
        { do: 'notify', text: 'EXTEND_TIMEOUT_USEC=20000000' },
        { do: 'wait', ms: 1_000 },
        { do: 'notify', text: 'STATUS=almost' },
        { do: 'wait', ms: 1_000 },
      ],
    },
  };
  const web = simpleService('web', { type: 'notify' });
  const world = createWorld(systemOf([web]), { has: () => true, script: () => script });
  const entries: Entry[] = [];
  world.inspection.hub.watch({ records: false, onEntry: (entry) => entries.push(entry) > 0 });
  world.assembly.start();
  world.clock.run(2_000);
  const stop = { type: 'services.stop', names: [web.name], disable: false, again: false, drain: false } as const;
  world.assembly.system.send({ ...stop, at: world.clock.now() });
  world.clock.run(2_500);
  expect(contextOf(entries, 'service')).toMatchObject({ deadline: 10_000 });
  world.clock.run(3_500);
  expect(contextOf(entries, 'service')).toMatchObject({ deadline: 22_000, note: 'almost' });
  world.clock.run(5_000);
  expect(contextOf(entries, 'service')).not.toHaveProperty('deadline');
});

describe('what is told of a scheduled service', () => {
  const cron = { type: 'cron', interval: '* * * * * *' } as const;

  it('is told of one actor, which is the service', () => {
    const entries = bootOf(cron, { steps: [{ do: 'wait', ms: 300 }] });
    expect(transcriptOf(entries)).toEqual([
      '0.000  web  pending → starting.spawning  service.start',
      '0.000  web  starting.spawning → ready.scheduled  * * * * * *',
      '10.000  web  ready.scheduled → stopping.terminating  none of its runs goes on',
      '10.000  web  stopping.terminating → stopped  nothing runs any more',
    ]);
    expect(contextOf(entries, 'service')).toBeUndefined();
    expect(contextOf(entries, 'scheduled')).toEqual({
      ...{ service: 'web.service', serial: 1, begun: 9, running: 0, note: '* * * * * *', lastExit: 'exit 0' },
      nextRun: Date.parse('2030-01-01T00:00:10Z'),
    });
    const actors = entries.flatMap((entry) => (entry.type === '@xstate.actor' ? [entry] : []));
    expect(actors.filter(({ name }) => name === 'web.service')).toMatchObject([{ machine: 'scheduled' }]);
  });

  it('says what its stop signals', () => {
    const entries = bootOf(cron, { ...stays, onSignal: { SIGTERM: 'ignore' } });
    expect(transcriptOf(entries).slice(2)).toEqual([
      '10.000  web  ready.scheduled → stopping.terminating  SIGTERM to 1 process, SIGKILL after 7.5 s',
      '17.500  web  stopping.terminating → stopping.killing  SIGKILL',
      '17.500  web  stopping.killing → stopped  nothing runs any more',
    ]);
    expect(contextOf(entries, 'unit')).toMatchObject({ signalled: { signal: 'SIGKILL', outcome: 'sent' } });
  });
});

it.each(['xstate.done.actor.unit', 'toString'])('nothing but its type is shown of %s, which is not known', (type) => {
  const event = { type, output: 'secret' };
  expect(eventView(event)).toEqual({ type });
});
