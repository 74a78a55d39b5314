/** Watches a platform whose containers have Chaperone inside: while it comes up, afterwards, and from a recording. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, inject, it, onTestFinished } from 'vitest';
import { dockerEngine } from '../../src/platform/engine/docker-engine.ts';
import { engineContract } from '../platform/engine-contract.ts';
import { ProjectOnDisk, requirePrograms } from './dockerops.ts';
import { clientEnvironment, docker, eventually } from './engine.ts';

beforeAll(requirePrograms, 300_000);

const root = join(import.meta.dirname, '../..');

/** An image of the chaperone under test, with these services. */
const image = (services: string): string =>
  `FROM watched/dockerops-base\nRUN printf '${services}' > /etc/chaperone.d/own.conf\n`;

const files = {
  'apps_containers/db/Dockerfile': image('store.service: { command: "sleep 1000", startup_pause: 2 }\\n'),
  'apps_containers/api/Dockerfile': image(
    'db.service: { command: "sleep 1000", startup_pause: 1 }\\nmigrations.service: { type: oneshot, command: "sleep 1", after: db.service }\\n',
  ),
  'apps_containers/run.conf': JSON.stringify([
    { container: 'db', instance: 'one' },
    { container: 'api', instance: '2', links: ['db-one:db'] },
  ]),
};

interface Told {
  readonly type: string;
  readonly fact?: { readonly type: string; readonly actor: string; readonly to: string; readonly event: object };
  readonly services?: readonly { readonly name: string }[];
}

/** Serves the page of a running platform. @returns its address */
async function inspect(project: ProjectOnDisk): Promise<string> {
  const env = { ...clientEnvironment, PATH: `${root}/dist:${process.env['PATH']}` };
  const child = spawn('dockerops', ['inspect'], { cwd: project.folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill();
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^inspect at (.*)$/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('dockerops inspect has told no address');
}

/** The moves that the page is told, once it has been told of this one. */
async function movesUntil(url: string, actor: string, to: string): Promise<readonly Told[]> {
  const response = await fetch(`${url}entries`);
  const moves: Told[] = [];
  let rest = '';
  for await (const chunk of response.body ?? []) {
    const lines = `${rest}${new TextDecoder().decode(chunk)}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((each) => each !== '')) {
      const entry: Told = JSON.parse(line);
      if (entry.fact?.type !== 'moved') continue;
      moves.push(entry);
      if (entry.fact.actor !== actor || entry.fact.to !== to) continue;
      // To leave the loop ends the stream.
      return moves;
    }
  }
  throw new Error(`the page was not told that ${actor} is ${to}`);
}

it('tells from the platform down to the service that held it up: live, later and from a recording', async () => {
  await docker('tag', 'chaperone', 'watched/dockerops-base');
  const project = new ProjectOnDisk('watched');
  project.write(files);
  await project.must('build', 'db', 'api');
  const live = await project.must('run', 'all', '--inspect', '--record', 'first.journal');
  const place = (pattern: RegExp): number => live.search(pattern);
  expect(place(/platform +─ → booting/)).toBeGreaterThanOrEqual(0);
  expect(place(/db-one\/store .* → ready\.running/)).toBeLessThan(place(/ db-one +running\.asking +→ ready/));
  expect(place(/ db-one +running\.asking +→ ready/)).toBeLessThan(
    place(/api-2 +absent → creating .*was waiting for db-one/),
  );
  expect(live).toMatch(/api-2\/migrations .*was waiting for api-2\/db/);
  expect(live).toMatch(/critical chain: api-2 .* ← db-one /);

  // Who comes later learns the same, through the engine alone.
  const url = await inspect(project);
  const moves = await movesUntil(url, 'api-2/migrations', 'ready.exited');
  const actors = moves.map(({ fact }) => `${fact?.actor} ${fact?.to}`);
  expect(actors).toContain('system up');
  expect(
    moves.find(({ fact }) => fact?.actor === 'api-2/migrations' && fact.to.startsWith('starting'))?.fact?.event,
  ).toMatchObject({
    waitedFor: 'api-2/db',
  });
  expect(await docker('port', 'watched-api-2')).toBe('');

  expect(await project.must('replay', 'first.journal', '--summary')).toMatch(/critical chain: api-2 .* ← db-one /);
  expect(await project.must('run', 'all')).toContain('nothing has to be done');
  await project.must('rerun', 'all', '--yes', '--record', 'second.journal');
  const compared = await project.run(['diff', 'first.journal', 'second.journal', '--tolerance', '60s']);
  expect(compared.stdout).toContain('ready in');
  expect(compared.status).toBe(0);
});

it('tells what the engine says of a start that it refuses, and starts the others', async () => {
  await docker('tag', 'chaperone', 'refused/dockerops-base');
  const project = new ProjectOnDisk('refused');
  project.write({
    'apps_containers/db/Dockerfile': 'FROM refused/dockerops-base\nENTRYPOINT ["/no/such/program"]\n',
    'apps_containers/web/Dockerfile': 'FROM refused/dockerops-base\n',
    'apps_containers/run.conf': JSON.stringify([
      { container: 'db', instance: 'one' },
      { container: 'api', instance: 'one', links: ['db-one:db'] },
      { container: 'web', instance: 'one' },
    ]),
    'apps_containers/api/Dockerfile': 'FROM refused/dockerops-base\n',
  });
  await project.must('build', 'db', 'api', 'web');
  const { status, stderr } = await project.run(['run', 'all']);
  expect(status).toBe(1);
  expect(stderr).toMatch(/db-one: .*\/no\/such\/program/);
  expect(stderr).toContain('api-one: not begun, since db-one has failed');
  await eventually('the web front runs', async () =>
    (await project.containers())['refused-web-one'] === 'running' ? true : undefined,
  );
});

engineContract(() => {
  const engine = dockerEngine(`unix://${inject('socket')}`);
  if (!engine.ok) throw new Error(engine.failure.message);
  return { engine: engine.value, image: 'debian:bookworm-slim', settled: (promise) => promise };
});
