/** What a body meets in a life: good and bad programs, signals, orphans, large requests, and a brain that goes away. */
import { closeSync } from 'node:fs';
import { expect } from 'vitest';
import { edge, Puppet, type Started, toStderr } from './puppet.ts';

export async function liveThrough(started: Started): Promise<Puppet> {
  const body = new Puppet(started);
  const { readEnd, writeEnd } = edge.pipe();
  body.ask({ type: 'hello', budget: 3000, words: true }, [readEnd]);
  await body.serves();
  expect(await body.outcome(body.spawn(['/does/not/exist']))).toBe('ENOENT at exec');
  expect(await body.outcome(body.spawn(['/bin/true'], { directory: '/does/not/exist' }))).toBe('ENOENT at directory');
  expect(await body.outcome(body.spawn(['/bin/true'], { limits: [{ resource: 99, soft: 1, hard: 1 }] }))).toBe(
    // The number of the step of the child that the kernel has refused.
    'EINVAL at 0',
  );
  const named = body.spawn(['/bin/sh', '-c', 'test "$OWN" = $$'], { pidVariables: ['OWN'], environment: ['OWN=x'] });
  expect((await body.exit(named)).status).toBe(0);
  const large = body.spawn(['/bin/sh', '-c', 'test $(printf %s "$LARGE" | wc -c) = 100000'], {
    environment: [`LARGE=${'x'.repeat(100_000)}`],
  });
  expect((await body.exit(large)).status).toBe(0);

  // Descriptors beyond those that were asked for are closed.
  const closed = body.spawn(['/bin/sh', '-c', 'cd /proc/self/fd; echo * >&2'], {
    descriptors: toStderr,
  });
  expect((await body.exit(closed)).status).toBe(0);
  await body.until(() => body.stderr.includes('\n'));
  expect(body.stderr.trim()).toBe('0 1 2 3');

  const waiting = body.spawn(['/bin/sleep', '1000']);
  const fact = await body.verdict(waiting);
  if (fact.type !== 'spawned') throw new Error('it has not started');
  const targets = [
    { pid: fact.pid, group: false, spawn: 1n },
    { pid: fact.pid, group: true, spawn: waiting },
  ];
  const sent = body.ask({ type: 'signal', signal: 15, targets });
  const answer = await body.until(() => body.facts.find((each) => each.type === 'signalled' && each.request === sent));
  expect(answer).toMatchObject({ errors: ['ESRCH', undefined] });
  expect((await body.exit(waiting)).status).toBe(15);

  body.child.kill('SIGUSR1');
  await body.until(() => body.facts.some((each) => each.type === 'signal' && each.signal === 10));
  const parent = body.spawn(['/bin/sh', '-c', 'sleep 1000 & exit 0']);
  await body.exit(parent);
  const before = body.facts.length;
  const isAlone = (): boolean => body.facts.slice(before).some(({ type }) => type === 'alone');
  body.ask({ type: 'watchAlone' });
  await body.serves();
  expect(isAlone()).toBe(false);
  body.ask({ type: 'signalAll', signal: 9 });
  await body.until(isAlone);
  expect(body.exits().filter(({ spawn, status }) => spawn === 0n && status === 9)).toHaveLength(1);
  expect(body.isGapless()).toBe(true);

  expect(await body.outcome(body.spawn(['/bin/sleep', '1000']))).toBe('runs');
  body.close();
  expect(await body.exitOfBody()).toBe(1);
  closeSync(readEnd);
  closeSync(writeEnd);
  return body;
}
