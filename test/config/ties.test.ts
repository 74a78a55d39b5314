/** Stages of prerequisites, wants, requires, and what answers a loss or a return. */
import { describe, expect, it } from 'vitest';
import { errorsOf, serviceOf, specOf } from './loading.ts';

const others = `db.service: { command: /bin/db }
job.service: { command: /bin/job, type: oneshot, service_groups: jobs }
tick.service: { command: /bin/tick, type: cron, interval: "* * * * *" }
`;
const web = (more: string): string => `${others}web.service: { command: /bin/web, ${more} }\n`;

function webOf(more: string) {
  const { services } = specOf(web(more));
  const found = services.find(({ name }) => name === 'web.service');
  return { prerequisites: found?.prerequisites, ties: found?.ties };
}

describe('a prerequisite', () => {
  it('is to be ready where no stage is named', () => {
    expect(webOf('after: "db.service, job.service:ready"')).toEqual({
      prerequisites: ['db.service', 'job.service'],
      ties: undefined,
    });
  });

  it('is to reach the stage behind the last colon, of a service or of each member of a group', () => {
    expect(webOf('after: "db.service:started, jobs:exited"').ties).toEqual({
      'db.service': { kind: 'after', stages: ['started'] },
      'job.service': { kind: 'after', stages: ['exited'] },
    });
    expect(webOf('wants: [job.service:exited], requires: db.service').ties).toEqual({
      'db.service': { kind: 'requires', stages: ['ready'] },
      'job.service': { kind: 'wants', stages: ['exited'] },
    });
  });

  it('is to reach all stages that are named, without those that others include', () => {
    expect(webOf('after: "db.service:started, db.service"').ties).toBeUndefined();
    expect(webOf('after: "job.service:exited, job.service:started, jobs"').ties).toEqual({
      'job.service': { kind: 'after', stages: ['exited'] },
    });
  });

  it('keeps colons of its own name', () => {
    const text = `a:b.service: { command: /bin/a }
c.service: { command: /bin/c, service_groups: "x:ready" }
web.service: { command: /bin/web, after: "a:b.service:started", wants: "x:ready" }\n`;
    const { services } = specOf(text);
    expect(services.find(({ name }) => name === 'web.service')?.ties).toEqual({
      'a:b.service': { kind: 'after', stages: ['started'] },
      'c.service': { kind: 'wants', stages: ['ready'] },
    });
  });

  it('is tied as the service itself says by name, before what it says of groups, and what others say of it', () => {
    expect(webOf('requires: jobs, wants: job.service').ties).toEqual({
      'job.service': { kind: 'wants', stages: ['ready'] },
    });
    const text =
      'a.service: { command: /bin/a, before: b.service }\nb.service: { command: /bin/b, wants: a.service }\n';
    expect(specOf(text).services[1]?.ties).toEqual({ 'a.service': { kind: 'wants', stages: ['ready'] } });
  });

  it('of INIT is one by one where that says more than INIT means', () => {
    const text = (more: string) =>
      `init.service: { command: /bin/i, service_groups: INIT }\nweb.service: { command: /bin/web, ${more} }\n`;
    expect(specOf(text('after: INIT')).services[1]?.prerequisites).toEqual([]);
    expect(specOf(text('requires: INIT')).services[1]?.ties).toEqual({
      'init.service': { kind: 'requires', stages: ['ready'] },
    });
  });

  it('reports its spawn only where somebody waits for that', () => {
    const spawns = specOf(web('after: db.service:started')).services.map(({ announcesSpawn }) => announcesSpawn);
    expect(spawns).toEqual([true, undefined, undefined, undefined]);
  });
});

describe('what answers a loss or a return', () => {
  it('is read with variables expanded', () => {
    const spec = serviceOf(
      'web.service: { command: /bin/web, requires: db.service, env_set: { A: fail }, on_prerequisite_failure: "$(A)", on_prerequisite_restart: restart }',
    );
    expect(spec).toMatchObject({ onPrerequisiteFailure: 'fail', onPrerequisiteRestart: 'restart' });
  });

  it('is absent without the directives', () => {
    const spec = serviceOf('web.service: { command: /bin/web, requires: db.service }');
    expect(spec.onPrerequisiteFailure).toBeUndefined();
    expect(spec.onPrerequisiteRestart).toBeUndefined();
  });
});

describe('a mistake', () => {
  it.each([
    ['after: db.service:helthy', 'names the stage "helthy", which does not exist', 'did you mean "healthy"?'],
    [
      'wants: "jobs:done"',
      'names the stage "done", which does not exist',
      'expected started, ready, healthy or exited',
    ],
    ['requires: "db.service:"', 'names the stage "", which does not exist', 'expected started'],
    ['before: db.service:started', 'before of web.service names a stage', 'expected "after: web.service:started"'],
    [
      'after: db.service:healthy',
      'waits for db.service to be healthy, and it has no health probe',
      'expected "healthy"',
    ],
    ['wants: tick.service:exited', 'a service of type cron does not end', 'expected the stage ready'],
    ['after: db.service, requires: db.service', 'has "db.service" both in after and in requires', 'it stands in after'],
    ['wants: jobs, after: jobs:started', 'has "jobs" both in after and in wants', 'expected one of them'],
    ['on_prerequisite_failure: stop', 'on_prerequisite_failure of web.service has no effect', 'expected "requires:'],
    ['after: db.service, on_prerequisite_restart: restart', 'it requires no service', 'in place of "after"'],
    ['requires: db.service, on_prerequisite_failure: panic', 'is not known: "panic"', 'expected keep, stop or fail'],
    ['requires: db.service, on_prerequisite_restart: stop', 'is not known: "stop"', 'expected keep, restart or reload'],
    ['requires: db.service, on_prerequisite_restart: reload', 'cannot reload', 'restart'],
    ['requires: IDLE', 'cannot wait for IDLE', 'service_groups'],
    ['requires: web.service', 'waits for itself', 'web'],
    ['wants: { db.service: healthy }', 'wants of web.service is a map', 'expected names'],
  ])('is reported: %s', (more, message, hint) => {
    const errors = errorsOf(web(more));
    expect(errors).toContain(message);
    expect(errors).toContain(hint);
  });

  it('is a health stage of one member of a group', () => {
    expect(errorsOf(web('after: "jobs:healthy"'))).toContain('waits for job.service to be healthy');
  });
});
