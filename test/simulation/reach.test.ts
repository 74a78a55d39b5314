import { expect, it } from 'vitest';
import { generateWorld } from './generate.ts';
import { expectedPlaces, judgeReach, placesOfCharts, Reach } from './reach.ts';
import { impossibleInCharts, seldom } from './reach-table.ts';
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

it('each command is to be met in each state of its service, whatever the system does, unless that is impossible', () => {
  const places = new Set(expectedPlaces());
  for (const doing of ['booting', 'up', 'reloading', 'draining']) {
    expect(places).toContain(`command shutdown while ${doing}`);
    for (const deed of ['start', 'stop', 'restart', 'reset', 'enable', 'disable', 'kill', 'reload', 'reload-service']) {
      for (const state of ['ready.running', 'ready.exited', 'exited', 'starting', 'stopping', 'stopped', 'failed'])
        expect(places).toContain(`command ${deed} of a service in ${state} while ${doing}`);
      expect(places).toContain(`command ${deed} of a scheduled service in ready.scheduled while ${doing}`);
    }
    expect(places).toContain(`command run-now of a scheduled service in stopping while ${doing}`);
    expect(places).not.toContain(`command run-now of a service in ready.running while ${doing}`);
    expect(places).not.toContain(`command start of a scheduled service in ready.running while ${doing}`);
  }
  expect(places).toContain('command start of a service in backoff while up');
  expect(places).not.toContain('command start of a service in backoff while draining');
});

it('a place that is said to be impossible is told where worlds meet it', () => {
  const all = Object.fromEntries(expectedPlaces().map((place) => [place, 1]));
  const place = 'command start of a service in backoff while draining';
  expect(judgeReach(all).refuted).toEqual([]);
  expect(judgeReach({ ...all, [place]: 1 }).refuted).toEqual([[place, expect.stringContaining('retire')]]);
});

it('the table names only places that there are', () => {
  const places = new Set(expectedPlaces());
  expect([...seldom].filter((place) => !places.has(place))).toEqual([]);
  const charts = new Set(placesOfCharts());
  expect([...impossibleInCharts.keys()].filter((place) => !charts.has(place))).toEqual([]);
});
