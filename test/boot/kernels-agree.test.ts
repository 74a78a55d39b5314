/**
 * The simulated and the real kernel agree: stories made on the simulated kernel are replayed on Linux, by the built
 * daemon as PID 1 of a namespace, and each service goes through the same public states.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shortName } from '../../src/model/service/service-spec.ts';
import { messageOf } from '../../src/model/words/errno.ts';
import { tries } from '../effort.ts';
import { ask } from './by-hand.ts';
import { type Chapter, type Course, StateBook, type Story, tellStory } from './causal-story.ts';
import { boot, fixtures, isRoot } from './namespace.ts';

/** The ordinary run replays some of the stories, spread over all. */
const stories = 500;
const count = tries(60, stories);
/** The number of stories in one test, so that no test takes long. */
const storiesPerTest = 20;
/** How many namespaces run at the same time: a story mostly waits. */
const lanes = 4;

/** `SEED=17` replays that story alone. */
const only = process.env['SEED'];
const seeds =
  only === undefined
    ? Array.from({ length: count }, (_, index) => 1 + Math.floor((index * stories) / count))
    : [Number(only)];
const batches = Array.from({ length: Math.ceil(seeds.length / storiesPerTest) }, (_, index) =>
  seeds.slice(index * storiesPerTest, (index + 1) * storiesPerTest),
);

const home = mkdtempSync(join(tmpdir(), 'chaperone-puppet-'));
const puppet = join(home, 'puppet');
beforeAll(() => {
  execFileSync('cc', ['-O1', '-o', puppet, join(fixtures, 'puppet.c')]);
});
afterAll(() => rmSync(home, { recursive: true }));

/** The answer to a command that has ended the system: the client is a process of the same namespace, and dies with it. */
const unheard = 'unheard';

function isReached(now: Chapter['reached'], wanted: Chapter['reached']): boolean {
  return Object.entries(wanted).every(([name, { states, path }]) => {
    const here = now[name];
    return here !== undefined && here.states >= states && here.path === path;
  });
}

/** Replays a story. */
async function live({ config, services, chapters, course }: Story): Promise<Course> {
  const system = boot({
    files: { 'all.conf': config },
    args: ['--inspect', '--no-console-log'],
    env: { PUPPET: puppet },
    before: `mkfifo ${services.map((name) => `${name}.fifo`).join(' ')}`,
  });
  const book = new StateBook((index) => system.output[index]?.text);
  const fifos = new Map<string, number>();
  const answers: string[] = [];
  let standing: Course['standing'] = {};

  for (const [index, { happening, reached }] of chapters.entries()) {
    switch (happening.kind) {
      case 'boot':
        break;
      case 'tell': {
        const { service, line } = happening;
        const fifo = fifos.get(service) ?? openSync(system.path(`${service}.fifo`), 'r+');
        // The FIFO stays open until the end, because its reader may not have opened it yet.
        fifos.set(service, fifo);
        writeSync(fifo, `${line}\n`);
        break;
      }
      case 'command': {
        const answer = await ask(system, 'POST', '/v1/commands', { words: happening.words });
        answers.push(answer === '' ? unheard : String(JSON.parse(answer).kind));
        break;
      }
      case 'end': {
        const answer = await ask(system, 'GET', '/v1/services');
        const all: readonly { readonly name: string; readonly state: string }[] = JSON.parse(answer);
        standing = Object.fromEntries(all.map(({ name, state }) => [shortName(name), state]));
        system.signal('SIGTERM');
        break;
      }
    }
    if (index === chapters.length - 1) break;
    await system.untilOutput(`way from ${JSON.stringify(happening)} to ${JSON.stringify(reached)}`, () =>
      isReached(book.reached(), reached) ? true : undefined,
    );
  }
  if (Object.keys(course.standing).length === 0 && Object.keys(standing).length > 0) throw new Error('it did not end');
  const exitStatus = await system.exit;
  for (const fifo of fifos.values()) closeSync(fifo);
  return { states: book.states, answers, standing, exitStatus };
}

/** The difference on the real kernel; undefined where there is none. */
async function difference(seed: number): Promise<string | undefined> {
  const story = await tellStory(seed);
  const happenings = story.chapters.map(({ happening }) => JSON.stringify(happening)).join('\n  ');
  try {
    const course = await live(story);
    const { answers } = course;
    // Only the last answer may be missing.
    const heard = answers.at(-1) === unheard ? [...answers.slice(0, -1), story.course.answers.at(-1)] : answers;
    if (isDeepStrictEqual({ ...course, answers: heard }, story.course)) return undefined;
    throw new Error(`lived:   ${JSON.stringify(course)}\nmade up: ${JSON.stringify(story.course)}`);
  } catch (error) {
    const why = messageOf(error);
    return `seed ${seed}: SEED=${seed} npx vitest run test/boot/kernels-agree.test.ts\n  ${happenings}\n${why}\n${story.config}`;
  }
}

describe.runIf(isRoot)('the two kernels agree', () => {
  it.each(batches.map((batch) => [batch[0], batch.at(-1), batch] as const))(
    'on the stories %i to %i',
    async (_first, _last, batch) => {
      const left = [...batch];
      const different: string[] = [];
      const lane = async (): Promise<void> => {
        for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
          const found = await difference(seed);
          if (found !== undefined) different.push(found);
        }
      };
      await Promise.all(Array.from({ length: lanes }, lane));
      expect(different.join('\n\n')).toBe('');
    },
    120_000,
  );
});
