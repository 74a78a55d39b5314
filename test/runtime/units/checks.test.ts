import { describe, expect, it } from 'vitest';
import type { CheckFact } from '../../../src/machines/probe.ts';
import type { HttpCheck, ProbeCheck, ProbeTree } from '../../../src/model/service/probe.ts';
import type { ServerAnswer, ServerQuestion } from '../../../src/runtime/kernel.ts';
import { SimulatedKernel } from '../../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';
import { Checks } from '../../../src/runtime/units/checks.ts';
import { probeSpec, serviceSpec } from '../../model/specs.ts';

const http: HttpCheck = {
  kind: 'http',
  url: 'http://localhost:80/health',
  status: [
    [200, 299],
    [304, 304],
  ],
  headers: { accept: 'text/plain' },
};
const file = { kind: 'file', path: '/run/ready' } as const;
const log = (pattern: string) => ({ kind: 'log', pattern }) as const;
const fd = (descriptor: number | string) => ({ kind: 'fd', descriptor }) as const;
const name = 'web.service';

/** Starts a run of one service with these probes; the result asks them, and shows what they asked of the kernel. */
function make(ready: readonly ProbeCheck[], healthy: readonly ProbeCheck[] = []) {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, { has: () => true, script: () => undefined });
  const questions: ServerQuestion[] = [];
  const replies: ((answer: ServerAnswer) => void)[] = [];
  const dropped: ServerQuestion[] = [];
  const checks = new Checks({
    kernel: {
      following: kernel.following,
      ask: (question, told) => {
        questions.push(question);
        replies.push(told);
        return () => dropped.push(question);
      },
    },
    clock,
  });
  const tree = (of: readonly ProbeCheck[]): ProbeTree => ({ kind: 'any', of: of.map((check) => probeSpec(check)) });
  const service = serviceSpec({
    ...(ready.length === 0 ? {} : { ready: tree(ready) }),
    ...(healthy.length === 0 ? {} : { healthy: tree(healthy) }),
  });
  const facts: CheckFact[] = [];
  return {
    checks,
    clock,
    kernel,
    service,
    questions,
    dropped,
    facts,
    begin: (serial = 1) => checks.begin(service, serial),
    ask: (check: ProbeCheck, serial = 1) => checks.check({ service, serial, check }, (fact) => facts.push(fact)),
    reply: (answer: ServerAnswer) => {
      for (const reply of replies.splice(0)) reply(answer);
    },
  };
}

const answered = (passed: boolean, reason: string, at = 0): CheckFact => ({
  type: 'check.answered',
  passed,
  reason,
  at,
});

describe('a check of a server', () => {
  it.each([
    [
      { kind: 'tcp', host: 'db', port: 5432 },
      { kind: 'connect', to: { host: 'db', port: 5432 } },
    ],
    [
      { kind: 'unix', path: '/run/db' },
      { kind: 'connect', to: { path: '/run/db' } },
    ],
    [http, { kind: 'request', url: http.url, headers: http.headers, wantsBody: false }],
    [
      { ...http, unix: '/run/web', contains: 'ok' },
      { kind: 'request', url: http.url, headers: http.headers, unix: '/run/web', wantsBody: true },
    ],
  ] as const)('asks what %j says', (check, question) => {
    const { ask, questions } = make([]);
    ask(check);
    expect(questions).toEqual([question]);
  });

  it('passes where the connection is accepted, and tells how long that took', () => {
    const { ask, reply, facts, clock } = make([]);
    clock.run(100);
    ask({ kind: 'tcp', host: 'db', port: 5432 });
    clock.run(107);
    reply({ kind: 'accepted' });
    expect(facts).toEqual([answered(true, 'accepted in 7 ms', 107)]);
  });

  it('fails with the error of the connection', () => {
    const { ask, reply, facts } = make([]);
    ask({ kind: 'unix', path: '/run/db' });
    reply({ kind: 'failed', code: 'ENOENT' });
    expect(facts).toEqual([answered(false, 'ENOENT')]);
  });

  it.each([
    [200, true],
    [250, true],
    [299, true],
    [304, true],
    [199, false],
    [300, false],
    [305, false],
    [503, false],
  ])('judges the status %i by its ranges: %s', (status, passed) => {
    const { ask, reply, facts } = make([]);
    ask(http);
    reply({ kind: 'answered', status, body: '' });
    expect(facts).toEqual([answered(passed, `${status} in 0 ms`)]);
  });

  it('looks for an expression in the body', () => {
    const { ask, reply, facts } = make([]);
    const check = { ...http, contains: 'all (good|well)' };
    ask(check);
    reply({ kind: 'answered', status: 200, body: '... all well ...' });
    ask(check);
    reply({ kind: 'answered', status: 200, body: 'not at all' });
    ask(check);
    reply({ kind: 'answered', status: 500, body: 'all good' });
    expect(facts).toMatchObject([
      { passed: true, reason: '200 in 0 ms' },
      { passed: false, reason: expect.stringMatching(/^200 in 0 ms, and .*all \(good\|well\).* is not in it$/) },
      { passed: false, reason: '500 in 0 ms' },
    ]);
  });

  it('is dropped with its question', () => {
    const { ask, dropped, questions } = make([]);
    const drop = ask(http);
    expect(dropped).toEqual([]);
    drop();
    expect(dropped).toEqual(questions);
  });
});

describe('a check of a file', () => {
  it('answers in a later turn: that the file is missing, is old, or is there', () => {
    const { ask, begin, facts, clock, kernel } = make([file]);
    begin();
    ask(file);
    expect(facts).toEqual([]);
    clock.run(10);
    expect(facts).toEqual([answered(false, 'it does not exist', 0)]);
    kernel.writeFile(file.path, 'new');
    ask(file);
    clock.run(20);
    begin(2);
    ask(file, 2);
    clock.run(30);
    kernel.writeFile(file.path, 'newer');
    ask(file, 2);
    clock.run(40);
    expect(facts).toMatchObject([
      { passed: false, reason: 'it does not exist' },
      { passed: true, reason: 'it is there' },
      { passed: false, reason: 'it was there before the start, and has not changed since' },
      { passed: true, reason: 'it is there' },
    ]);
  });

  it('is dropped before it answers', () => {
    const { ask, begin, facts, clock } = make([file]);
    begin();
    ask(file)();
    clock.run(10);
    expect(facts).toEqual([]);
  });

  it('of healthy is noted before the start, too', () => {
    const { ask, begin, facts, clock, kernel } = make([], [file]);
    kernel.writeFile(file.path, 'old');
    begin();
    ask(file);
    clock.run(10);
    expect(facts).toMatchObject([{ passed: false }]);
  });
});

describe('a check of what a run writes', () => {
  it('passes at the first line that matches, and later in the next turn', () => {
    const { ask, begin, checks, facts, clock } = make([log('^up')]);
    begin();
    ask(log('^up'));
    checks.line(name, 1, 'going up');
    expect(facts).toEqual([]);
    clock.run(5);
    checks.line(name, 1, 'up');
    checks.line(name, 1, 'up again');
    expect(facts).toEqual([answered(true, 'a line matched', 5)]);
    ask(log('^up'));
    expect(facts).toHaveLength(1);
    clock.run(6);
    expect(facts).toHaveLength(2);
  });

  it('waits for each of several expressions, and each probe that asks for one gets the answer', () => {
    const { ask, begin, checks, facts } = make([log('one')], [log('two')]);
    begin();
    ask(log('one'));
    ask(log('one'));
    ask(log('two'));
    checks.line(name, 1, 'one');
    expect(facts).toHaveLength(2);
    checks.line(name, 1, 'two');
    expect(facts).toHaveLength(3);
  });

  it('looks through the beginning of a very long line', () => {
    const { ask, begin, checks, facts } = make([log('end$')]);
    begin();
    ask(log('end$'));
    checks.line(name, 1, `${'x'.repeat(9_000)}end`);
    expect(facts).toEqual([]);
    checks.line(name, 1, `${'x'.repeat(8_189)}end`);
    expect(facts).toHaveLength(1);
  });

  it('passes at a newline on its descriptor', () => {
    const { ask, begin, checks, facts, clock } = make([fd(7), fd('READY')]);
    begin();
    ask(fd('READY'));
    ask(fd(7));
    checks.told(name, 1, 'READY', Buffer.from('no line yet'));
    checks.told(name, 1, 7, Buffer.from('a line\nand more'));
    expect(facts).toEqual([answered(true, 'a newline came')]);
    checks.told(name, 1, 'READY', Buffer.from('\n'));
    checks.told(name, 1, 'READY', Buffer.from('\n'));
    expect(facts).toHaveLength(2);
    ask(fd(7));
    clock.run(1);
    expect(facts).toHaveLength(3);
  });

  it('hears nothing once it is dropped', () => {
    const { ask, begin, checks, facts, clock } = make([log('one'), fd(7)]);
    begin();
    ask(log('one'))();
    ask(fd(7));
    checks.line(name, 1, 'one');
    expect(facts).toEqual([]);
    ask(log('one'))();
    clock.run(10);
    expect(facts).toEqual([]);
  });

  it('hears of its own run alone', () => {
    const { ask, begin, checks, facts, clock } = make([log('one'), fd(7)]);
    begin(1);
    begin(2);
    ask(log('one'), 1)();
    ask(log('one'), 2);
    ask(fd(7), 2);
    checks.line(name, 1, 'one');
    checks.told(name, 1, 7, Buffer.from('\n'));
    checks.line('db.service', 2, 'one');
    clock.run(10);
    expect(facts).toEqual([]);
    checks.line(name, 2, 'one');
    expect(facts).toHaveLength(1);
  });

  it('hears nothing of a service that is forgotten', () => {
    const { ask, begin, checks, facts } = make([log('one')]);
    begin();
    checks.forget(name);
    ask(log('one'));
    checks.line(name, 1, 'one');
    expect(facts).toEqual([]);
  });

  it('has an expression that is checked before', () => {
    const { begin } = make([log('(')]);
    expect(() => begin()).toThrow(/internal error: the expression .*\(.* was checked, and is not valid/);
  });
});
