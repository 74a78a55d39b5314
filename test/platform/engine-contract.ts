/** What dockerops relies on of an engine. The simulated one and real ones pass the same suite. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ContainerSpec, Engine, EngineAnswer, EngineEvent } from '../../src/platform/engine/engine.ts';

export interface Subject {
  readonly engine: Engine;
  /** An image whose `sleep infinity` runs until it is killed. */
  readonly image: string;
  /** Lets the engine's time pass until the promise is settled. */
  readonly settled: <T>(promise: Promise<T>) => Promise<T>;
}

const project = 'engine-contract';
const label = 'org.dockerops.project';
const labels = { [label]: project };
const own = [{ name: label, value: project }];
const network = `${project}-network`;
const name = `${project}-db-one`;

export function engineContract(open: () => Subject): void {
  async function begin() {
    const { engine, image, settled } = open();
    const ask = async <T>(answer: Promise<EngineAnswer<T>>): Promise<T> => {
      const given = await settled(answer);
      if (!given.ok) throw new Error(given.failure.message);
      return given.value;
    };
    /** The kind of the failure that the engine answers with; `none` where the engine succeeds. */
    const failure = async (answer: Promise<EngineAnswer<unknown>>): Promise<string> => {
      const given = await settled(answer);
      return given.ok ? 'none' : given.failure.kind;
    };
    onTestFinished(async () => {
      await settled(engine.containers.remove(name, { force: true }));
      await settled(engine.networks.remove(network));
    });
    await ask(engine.networks.create(network, labels));
    const spec: ContainerSpec = {
      ...{ name, image, hostname: 'db-one', labels, environment: { A: 'b' }, ports: [], mounts: [], network },
      ...{ aliases: ['db-one'], command: ['sleep', 'infinity'], stopTimeout: 1 },
    };
    return { engine, spec, settled, ask, failure };
  }

  describe('an engine', () => {
    it('makes, starts, kills and removes a container, and tells at each time how it is', async () => {
      const { engine, spec, ask, failure } = await begin();
      const { containers } = engine;
      expect(await failure(containers.inspect(name))).toBe('absent');
      const { id } = await ask(containers.create(spec));
      const made = await ask(containers.inspect(name));
      expect(made).toMatchObject({ id, name, status: 'created', exitCode: 0, hostname: 'db-one', labels });
      expect([made.started, made.finished]).toEqual([undefined, undefined]);
      expect(Object.values(made.addresses).filter((address) => address !== '')).toEqual([]);

      await ask(containers.start(id));
      await ask(containers.start(id));
      const running = await ask(containers.inspect(id));
      expect(running).toMatchObject({ status: 'running', health: 'none', environment: { A: 'b' } });
      expect(running.addresses[network]).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      expect(running.started).toBeGreaterThanOrEqual(running.created);
      expect((await ask(containers.list(own))).map((row) => [row.id, row.name, row.status])).toEqual([
        [id, name, 'running'],
      ]);
      expect(await ask(containers.list([{ name: label, value: 'another' }]))).toEqual([]);

      const waiting = containers.wait(id);
      await ask(containers.kill(id, 'SIGKILL'));
      expect(await ask(waiting)).toBe(137);
      const ended = await ask(containers.inspect(id));
      expect(ended).toMatchObject({ status: 'exited', exitCode: 137, outOfMemory: false });
      expect(ended.finished).toBeGreaterThanOrEqual(running.started ?? Number.POSITIVE_INFINITY);

      await ask(containers.remove(id));
      expect(await failure(containers.inspect(id))).toBe('absent');
      expect(await ask(containers.list(own))).toEqual([]);
    });

    it('refuses what cannot be, by its kind, and takes what is so already', async () => {
      const { engine, spec, ask, failure } = await begin();
      const { containers, networks } = engine;
      for (const call of [containers.start, containers.stop, containers.remove]) {
        expect(await failure(call('no-such-container'))).toBe('absent');
      }
      expect(await failure(containers.create({ ...spec, image: 'engine-contract/no-such-image' }))).toBe('absent');
      const { id } = await ask(containers.create(spec));
      expect(await failure(containers.create(spec))).toBe('conflict');
      expect(await failure(containers.kill(id, 'SIGKILL'))).toBe('conflict');
      await ask(containers.start(id));
      expect(await failure(containers.remove(id))).toBe('conflict');
      await ask(containers.stop(id, 1));
      expect(await failure(containers.stop(id, 1))).toBe('none');
      expect(await failure(networks.inspect('no-such-network'))).toBe('absent');
      expect(await ask(networks.inspect(network))).toMatchObject({ name: network, labels });
      expect((await ask(networks.list(own))).map((each) => each.name)).toEqual([network]);
    });

    it('tells what happens to the containers with a label, in its order and once', async () => {
      const { engine, spec, settled, ask } = await begin();
      const told: EngineEvent[] = [];
      let opened = (): void => {};
      let removed = (): void => {};
      const isOpen = new Promise<void>((resolve) => {
        opened = resolve;
      });
      const isOver = new Promise<void>((resolve) => {
        removed = resolve;
      });
      const watch = engine.events(own).subscribe((event) => {
        told.push(event);
        if (event.type === 'opened') opened();
        if (event.type === 'removed') removed();
      });
      onTestFinished(() => watch.unsubscribe());
      await settled(isOpen);
      const { id } = await ask(engine.containers.create(spec));
      await ask(engine.containers.start(id));
      await ask(engine.containers.remove(id, { force: true }));
      await settled(isOver);
      const shown = told.flatMap((event) => {
        if (event.type === 'opened' || event.type === 'lost') return [event.type];
        expect([event.container, event.name, event.labels[label]]).toEqual([id, name, project]);
        if (event.type === 'exited') return [`exited ${event.exitCode}`];
        return event.type === 'killed' ? [] : [event.type];
      });
      expect(shown).toEqual(['opened', 'created', 'started', 'exited 137', 'removed']);
    });
  });
}
