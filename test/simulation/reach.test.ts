import { expect, it } from 'vitest';
import { generateWorld } from './generate.ts';
import { expectedPlaces, judgeReach, Reach } from './reach.ts';
import { commandsMet, seldom } from './reach-table.ts';
import { runWorld, type WorldRun } from './run-world.ts';

const reach = new Reach();

function runOf(seed: number): WorldRun {
  const run = runWorld(generateWorld(seed), { inspect: reach.inspect });
  if (run === undefined) throw new Error(`the world of seed ${seed} contradicts itself`);
  return run;
}

it('worlds count the guards, transitions, directives and commands that they meet', () => {
  for (let seed = 0; seed < 30; seed++) reach.read(runOf(seed));
  const counts = reach.counts();
  expect(counts['transition system: anywhere on xstate.init']).toBeUndefined();
  for (const place of [
    'guard service: hasUnit is true',
    'guard service: hasUnit is false',
    'directive restart',
    'notify key READY',
    'transition service: starting.awaitingExit on xstate.after.processTimeout.service.starting.awaitingExit',
  ])
    expect(counts[place], place).toBeGreaterThan(0);
  const commands = Object.keys(counts).filter((place) => place.startsWith('command '));
  expect(commands.length).toBeGreaterThan(10);
});

it('a place that no world meets is told, unless the table has it', () => {
  const places = expectedPlaces();
  const all = Object.fromEntries(places.map((place) => [place, 1]));
  expect(judgeReach(all)).toMatchObject({ unmet: [] });
  const [first = ''] = places.filter((place) => !seldom.has(place));
  expect(judgeReach({ ...all, [first]: 0 }).unmet).toEqual([first]);
  const [excused = ''] = seldom;
  expect(judgeReach({ ...all, [excused]: 0 }).unmet).toEqual([]);
});

it('the table names only places that there are', () => {
  const places = new Set([...expectedPlaces(), ...commandsMet]);
  expect([...seldom].filter((place) => !places.has(place))).toEqual([]);
});
