/** Templates whose number of instances changes while the system runs, on the simulated kernel. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../../src/control/answer.ts';
import { parseLine } from '../../src/control/command-words.ts';
import { execute } from '../../src/control/execute.ts';
import { Meter } from '../../src/control/meter.ts';
import type { Scale } from '../../src/model/service/template.ts';
import type { Configured } from '../../src/runtime/boot/configure.ts';
import { Reloader } from '../../src/runtime/boot/reloader.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { loadText } from '../config/loading.ts';
import { supervised } from './supervised.ts';
import { createWorld } from './world.ts';

type Scales = ReadonlyMap<string, Scale>;

const hang: Script = { steps: [{ do: 'hang' }] };
const settings = 'settings: { startup_pause: 0, detect_exit: false }\n';
const worker = (instances: string, more = ''): string =>
  `${settings}worker@.service: { command: work $(_CHAP_SERVICE_INSTANCE), instances: ${instances}${more} }\n`;

/** A system with these files, whose instances can be scaled as the daemon scales them. */
function running(text: string, script: (argv: readonly string[]) => Script = () => hang) {
  const files = { text };
  const read = (from: string, scales: Scales): Configured => {
    const { spec, diagnostics } = loadText(from, { scales });
    const again = async (other: Scales): Promise<Configured> => read(from, other);
    return { ...(spec === undefined ? {} : { spec }), diagnostics, messages: [], path: 'x.conf', again };
  };
  const booted = read(text, new Map());
  if (booted.spec === undefined) throw new Error('the configuration has mistakes');
  const world = createWorld(booted.spec, { has: (word) => word !== 'missing', script });
  const { assembly, kernel, clock, inspection } = world;
  const reloader = new Reloader({
    kernel,
    clock,
    assembly,
    configure: async (scales) => read(files.text, scales),
    again: booted.again,
    prepare: async () => undefined,
  });
  const supervisor = supervised(
    { assembly, kernel, clock, inspection },
    { reload: (request) => reloader.reload(request), scale: (templates, count) => reloader.scale(templates, count) },
  );
  const said: string[] = [];
  assembly.records$.subscribe(({ program, message }) => {
    if (program === 'chaperone') said.push(message);
  });
  assembly.start();
  const pass = (ms = 5_000): void => clock.run(clock.now() + ms);
  pass();
  return {
    ...world,
    files,
    said,
    supervisor,
    pass,
    pids: () => new Map(supervisor.services().flatMap(({ name, pid }) => (pid === undefined ? [] : [[name, pid]]))),
    names: () => supervisor.services().map(({ name }) => name.replace(/\.service$/, '')),
    say: (line: string): Promise<Answer> => {
      const parsed = parseLine(line);
      if (parsed.kind !== 'command') throw new Error(`"${line}" is no command`);
      return execute(parsed.command, { supervisor, timers: clock, meter: new Meter() });
    },
  };
}

/** Lets what was asked for reach the machines. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('scale', () => {
  it('starts the difference, and stops it with the highest first', async () => {
    const world = running(worker('2'));
    const before = world.pids();
    expect(await world.say('scale worker 5')).toMatchObject({
      kind: 'done',
      text: 'worker@.service: 5 instances, starting worker@3, worker@4, worker@5.',
    });
    world.pass();
    expect(world.names()).toEqual(['worker@1', 'worker@2', 'worker@3', 'worker@4', 'worker@5']);
    const grown = world.pids();
    expect([...grown].slice(0, 2)).toEqual([...before]);
    expect(grown.size).toBe(5);
    const signalled: string[] = [];
    const names = new Map([...grown].map(([name, pid]) => [pid, name]));
    world.assembly.feed.facts$.subscribe((fact) => {
      if (fact.type === 'run.ended') signalled.push(names.get(fact.pid) ?? '');
    });
    expect(await world.say('scale worker@.service 2')).toMatchObject({
      text: 'worker@.service: 2 instances, stopping worker@5, worker@4, worker@3.',
    });
    world.pass();
    expect(signalled).toEqual(['worker@5.service', 'worker@4.service', 'worker@3.service']);
    expect([...world.pids()]).toEqual([...before]);
    expect(world.names()).toEqual(['worker@1', 'worker@2']);
    expect(world.said).toContain('worker@.service scaled to 5: starting 3');
    expect(world.said).toContain('worker@.service scaled to 2: stopping 3');
    expect(world.said.filter((line) => line.startsWith('reload'))).toEqual([]);
  });

  it('goes down to none, and up again from the first number', async () => {
    const world = running(`${worker('4-5')}web.service: { command: web, after: worker@.service }\n`);
    const { pid } = world.supervisor.service('web.service') ?? {};
    await world.say('scale worker 0');
    world.pass();
    expect(world.names()).toEqual(['web']);
    expect(await world.say('scale worker 0')).toMatchObject({ text: 'worker@.service: 0 instances, as before.' });
    expect(await world.say('scale worker 1')).toMatchObject({
      text: 'worker@.service: 1 instance, starting worker@4.',
    });
    world.pass();
    expect(world.names()).toEqual(['worker@4', 'web']);
    expect(world.supervisor.service('web.service')?.pid).toBe(pid);
  });

  it('waits with --wait until it has come true', async () => {
    const slow: Script = {
      steps: [{ do: 'hang' }],
      onSignal: {
        SIGTERM: [
          { do: 'wait', ms: 2_000 },
          { do: 'exit', code: 0 },
        ],
      },
    };
    const world = running(worker('1', ', startup_pause: 3'), () => slow);
    for (const count of [3, 1]) {
      let answer: Answer | undefined;
      const asked = world.say(`scale worker ${count} --wait`).then((given) => {
        answer = given;
      });
      await turn();
      world.pass(1_000);
      await turn();
      expect(answer).toBeUndefined();
      world.pass();
      await asked;
      expect(answer).toEqual({ kind: 'done', text: `worker@.service: ${count} instance${count === 1 ? '' : 's'}.` });
      expect(world.supervisor.services().filter(({ state }) => state === 'ready')).toHaveLength(count);
      expect(world.names()).toHaveLength(count);
    }
  });

  it('tells of an instance that does not become ready', async () => {
    const world = running(worker('1', ', startup_pause: 1'), ([, nth]) =>
      nth === '1' ? hang : { steps: [{ do: 'exit', code: 3 }] },
    );
    const asked = world.say('scale worker 2 --wait');
    await turn();
    world.pass();
    expect(await asked).toMatchObject({ kind: 'failed', names: ['worker@2.service'] });
  });

  it('brings back an instance that is still ending', async () => {
    const slow: Script = {
      steps: [{ do: 'hang' }],
      onSignal: {
        SIGTERM: [
          { do: 'wait', ms: 2_000 },
          { do: 'exit', code: 0 },
        ],
      },
    };
    const world = running(worker('2'), () => slow);
    await world.say('scale worker 1');
    world.pass(500);
    await world.say('scale worker 2');
    world.pass(10_000);
    expect(world.supervisor.services().map(({ name, state }) => `${name} ${state}`)).toEqual([
      'worker@1.service ready',
      'worker@2.service ready',
    ]);
  });

  it('refuses what it cannot do, and changes nothing', async () => {
    const world = running(
      `${worker('[mail, web]')}web.service: { command: web }\ntask@.service: { command: missing, optional: true, instances: 1 }\n`,
    );
    const before = world.names();
    expect(await world.say('scale worker 3')).toMatchObject({
      kind: 'failed',
      text: 'Command error: cannot scale worker@.service: "instances" is a list of names there, and only a number or a range can be scaled',
    });
    expect(await world.say('scale web 3')).toMatchObject({
      kind: 'noSuchService',
      text: 'Command error: no such template: web',
    });
    expect(await world.say('scale task worker 3')).toMatchObject({ kind: 'failed' });
    expect(await world.say('scale worker@1 3')).toMatchObject({ text: 'Command error: no such template: worker@1' });
    expect(parseLine('scale worker 1001')).toEqual({
      kind: 'mistake',
      message: 'not a number of instances from 0 to 1000: 1001',
    });
    expect(parseLine('scale worker')).toMatchObject({ kind: 'mistake' });
    expect(world.names()).toEqual(before);
  });

  it('holds over reloads until the files say something else', async () => {
    const world = running(worker('2'));
    await world.say('scale worker 4');
    world.pass();
    const before = world.pids();
    world.files.text = `${worker('2')}web.service: { command: web }\n`;
    await world.say('reload');
    world.pass();
    expect([...world.pids()].filter(([name]) => name !== 'web.service')).toEqual([...before]);
    // It is the configuration in force that is scaled, whatever has become of the files since.
    world.files.text = worker('2', ', env_set: { A: b }');
    await world.say('scale worker 5');
    world.pass();
    expect([...world.pids()].slice(0, 4)).toEqual([...before]);
    expect(world.names()).toContain('web');
    world.files.text = worker('3');
    await world.say('reload');
    world.pass();
    expect([...world.pids()]).toEqual([...before].slice(0, 3));
  });

  it('leaves those alone that a reload has not changed', async () => {
    const world = running(worker('3'));
    const before = world.pids();
    world.files.text = `${worker('3')}worker@2.service: { command: other }\n`;
    expect(await world.say('reload')).toMatchObject({ text: expect.stringContaining('2 services kept as they are') });
    world.pass();
    const after = world.pids();
    expect([after.get('worker@1.service'), after.get('worker@3.service')]).toEqual([
      before.get('worker@1.service'),
      before.get('worker@3.service'),
    ]);
    expect(after.get('worker@2.service')).not.toBe(before.get('worker@2.service'));
  });

  it('is told in the history of the instances, and of nobody else', async () => {
    const world = running(worker('1'));
    await world.say('scale worker 2');
    world.pass();
    const told = (name: string): string => JSON.stringify(world.supervisor.history(name));
    expect(told('worker@2.service')).toContain('\\"scale\\" was asked for');
    expect(told('worker@1.service')).not.toContain('scale');
    expect(told('worker@1.service')).not.toContain('reload');
  });
});

type Act =
  | { readonly do: 'scale'; readonly count: number }
  | { readonly do: 'kill' | 'stop' | 'start' | 'restart'; readonly nth: number }
  | { readonly do: 'reload' }
  | { readonly do: 'pass'; readonly ms: number };

const nth = fc.integer({ min: 1, max: 6 });
const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('scale' as const), count: fc.integer({ min: 0, max: 6 }) }) },
    fc.record({ do: fc.constantFrom('kill' as const, 'stop' as const, 'start' as const, 'restart' as const), nth }),
    fc.constant({ do: 'reload' as const }),
    { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 50, 400, 3_000) }) },
  ),
  { maxLength: 25 },
);

/** Workers that end slowly, at once, or only by SIGKILL. */
const scripts: readonly Script[] = [
  hang,
  {
    steps: [{ do: 'hang' }],
    onSignal: {
      SIGTERM: [
        { do: 'wait', ms: 700 },
        { do: 'exit', code: 0 },
      ],
    },
  },
  { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } },
];

describe('a template, whatever is asked for and whatever happens', () => {
  it('never has more instances than were asked for, comes to as many, and leaves the others alone', async () => {
    await fc.assert(
      fc.asyncProperty(acts, async (asked) => {
        const text = `${settings}worker@.service: { command: work $(_CHAP_SERVICE_INSTANCE), instances: 3, restart: true, restart_delay: 0.2, restart_limit: 99 }\n`;
        const world = running(text, ([, number]) => scripts[Number(number) % scripts.length] ?? hang);
        let count = 3;
        const byHand = new Set<number>();
        const numberOf = (name: string): number => Number(/@(\d+)/.exec(name)?.[1]);
        const look = (): void => {
          for (const { name, state } of world.supervisor.services())
            if (numberOf(name) > count) expect([name, state]).toEqual([name, 'stopping']);
        };
        for (const step of asked) {
          const before = world.pids();
          switch (step.do) {
            case 'scale': {
              const answer = await world.say(`scale worker ${step.count}`);
              expect(answer).toMatchObject({
                kind: 'done',
                text: expect.stringContaining(`worker@.service: ${step.count} instance`),
              });
              for (const [name, pid] of world.pids())
                if (numberOf(name) <= Math.min(count, step.count)) expect(pid).toBe(before.get(name));
              count = step.count;
              for (const number of byHand) if (number > count) byHand.delete(number);
              break;
            }
            case 'kill':
              world.kernel.strike(before.get(`worker@${step.nth}.service`) ?? 0, 'SIGKILL');
              break;
            case 'reload':
              await world.say('reload');
              expect(world.pids()).toEqual(before);
              break;
            case 'pass':
              world.pass(step.ms);
              break;
            default:
              if (step.nth > count) break;
              await world.say(`${step.do} worker@${step.nth}`);
              if (step.do === 'stop') byHand.add(step.nth);
              else byHand.delete(step.nth);
          }
          look();
        }
        world.pass(60_000);
        expect(world.names()).toEqual(Array.from({ length: count }, (_, index) => `worker@${index + 1}`));
        const states = world.supervisor
          .services()
          .map(({ name, state }) => (byHand.has(numberOf(name)) ? 'any' : state));
        expect(states.filter((state) => state !== 'any' && state !== 'ready')).toEqual([]);
        expect(world.kernel.livePids.length).toBe(world.pids().size);
      }),
      { numRuns: 60 },
    );
  });
});
