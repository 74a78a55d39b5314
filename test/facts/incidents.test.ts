import { describe, expect, it } from 'vitest';
import { type Course, incidentsOf, renderIncident, type Stay } from '../../src/facts/incidents.ts';

type Move = readonly [at: number, state: string, cause?: string | undefined, event?: string];

function course(name: string, waitsFor: readonly string[], ...moves: readonly Move[]): Course {
  const stays = moves.map(
    ([from, state, cause, event]): Stay => ({
      from,
      state,
      ...(cause === undefined ? {} : { cause }),
      ...(event === undefined ? {} : { event }),
    }),
  );
  return { name: `${name}.service`, waitsFor: waitsFor.map((other) => `${other}.service`), stays };
}

const up = (name: string, ...waitsFor: readonly string[]): Course => course(name, waitsFor, [100, 'ready.running']);

const textOf = (courses: readonly Course[], now = 60_000): readonly string[] =>
  incidentsOf(courses, now).map((incident) => renderIncident(incident).join('\n'));

describe('an incident', () => {
  it('is the time in which a service was down, with what became of all that wait for it, directly or not', () => {
    const killed = 'SIGKILL (out of memory)';
    const courses = [
      course(
        'db',
        [],
        [0, 'starting.settling'],
        [100, 'ready.running'],
        [16_400, 'backoff', killed],
        [24_000, 'starting.settling'],
        [24_600, 'ready.running'],
      ),
      up('migrations', 'db'),
      course(
        'api',
        ['migrations'],
        [200, 'ready.running'],
        [16_500, 'stopping.terminating'],
        [16_600, 'starting.settling'],
        [16_800, 'ready.running'],
      ),
      course('job', ['api'], [200, 'pending'], [24_700, 'ready.running']),
      up('other'),
    ];
    expect(incidentsOf(courses, 60_000)).toEqual([
      {
        service: 'db.service',
        at: 16_400,
        cause: killed,
        up: 24_600,
        down: 8_200,
        times: 1,
        last: 16_400,
        behind: [
          { service: 'migrations.service', fate: 'kept', for: 0 },
          { service: 'api.service', fate: 'down', for: 300 },
          { service: 'job.service', fate: 'waited', for: 8_200 },
        ],
      },
    ]);
    expect(textOf(courses)).toEqual([
      [
        '  16.400 s  db: SIGKILL (out of memory), down for 8.2 s',
        '            3 behind it: migrations kept · api down for 0.3 s · job waited 8.2 s',
      ].join('\n'),
    ]);
  });

  it.each<[string, readonly Move[]]>([
    [
      'a stop by hand',
      [
        [900, 'stopping.terminating', undefined, 'service.stop'],
        [950, 'stopped'],
      ],
    ],
    [
      'the end of the system',
      [
        [900, 'stopping.terminating', undefined, 'service.retire'],
        [950, 'stopped'],
      ],
    ],
    ['a normal end', [[900, 'exited']]],
  ])('is none for %s', (_, moves) => {
    expect(incidentsOf([course('web', [], [100, 'ready.running'], ...moves)], 2_000)).toEqual([]);
  });

  it('may be a start that has failed, and lasts while the service is down', () => {
    const web = course(
      'web',
      [],
      [0, 'starting.awaitingNotify'],
      [90_000, 'stopping.clearing', 'no READY=1 within 90 s'],
      [90_100, 'failed', 'no READY=1 within 90 s'],
    );
    expect(textOf([web], 100_000)).toEqual(['  90.000 s  web: no READY=1 within 90 s, still down after 10 s']);
  });

  it('is one where the service fails again and again, and another one long after that', () => {
    const moves = [1_000, 2_000, 3_000, 500_000].flatMap((at): readonly Move[] => [
      [at, 'backoff', 'exit 1'],
      [at + 100, 'starting.settling'],
      [at + 200, 'ready.running'],
    ]);
    expect(textOf([course('web', [], [0, 'ready.running'], ...moves)], 600_000)).toEqual([
      '   1.000 s  web: exit 1, 3 times until 3.000 s, down for 0.6 s',
      ' 500.000 s  web: exit 1, down for 0.2 s',
    ]);
  });

  it('is over with a stop by hand, without that the service was up again', () => {
    const web = course(
      'web',
      [],
      [0, 'ready.running'],
      [500, 'backoff', 'exit 1'],
      [700, 'stopped', undefined, 'service.stop'],
    );
    expect(textOf([web])).toEqual(['   0.500 s  web: exit 1, down for 0.2 s until it was stopped']);
  });

  it('says what was heard of the service before', () => {
    const [incident] = incidentsOf([course('db', [], [0, 'ready.running'], [500, 'failed', 'exit 1'])], 1_000);
    expect(
      incident === undefined ? [] : renderIncident({ ...incident, before: 'FATAL: could not fork\u001b[2J' })[1],
    ).toBe('            before it: "FATAL: could not fork\\x1b[2J"');
  });
});
