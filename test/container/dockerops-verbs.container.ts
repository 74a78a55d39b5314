/** Verbs of dockerops that the way of a project from its making to its end does not need. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openScreen } from '../boot/screen.ts';
import { ProjectOnDisk, requirePrograms } from './dockerops.ts';
import { clientEnvironment, docker } from './engine.ts';

beforeAll(requirePrograms, 300_000);

const sleeper = 'FROM debian:bookworm-slim\nCMD ["sleep", "infinity"]\n';

async function made(name: string): Promise<ProjectOnDisk> {
  const project = new ProjectOnDisk(name);
  project.write({
    'apps_containers/db/Dockerfile': sleeper,
    'apps_containers/api/Dockerfile': sleeper,
    'apps_containers/run.conf': JSON.stringify([
      { container: 'api', instance: 'one', links: ['db-one:db'] },
      { container: 'db', instance: 'one', env_vars: { TOKEN: 's3cret' } },
    ]),
  });
  await project.must('make', 'db-one', 'api', '--yes');
  return project;
}

describe('a verb of dockerops', () => {
  it('make builds the images of what it names, and runs it', async () => {
    const project = await made('verbmake');
    expect(await project.containers()).toEqual({ 'verbmake-db-one': 'running', 'verbmake-api-one': 'running' });
    const wrong = await project.run(['make', 'ap', '--yes']);
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringContaining('there is no container "ap"') });
  });

  it('info tells about an instance without the values of its variables, about the project, and version about the engine', async () => {
    const project = await made('verbinfo');
    const told = await project.must('info', 'api');
    expect(told).toMatch(/^instance +api-one$/m);
    expect(told).toMatch(/^links +db=db-one$/m);
    expect(told).toMatch(/^state +running$/m);
    expect(await project.must('info', 'db')).toMatch(/^variables .*\bTOKEN\b/m);
    expect(await project.must('info', 'db', '--json')).not.toContain('s3cret');
    expect(await project.must('info')).toMatch(/^containers +api, db$/m);
    const release = (await docker('version', '--format', '{{.Server.Version}}')).trim();
    expect(await project.must('version')).toContain(release);
    expect(JSON.parse(await project.must('version', '--json'))).toMatchObject({ engine: { version: release } });
    expect((await project.run(['info', 'nothing'])).status).not.toBe(0);
  });

  it('enter opens a shell in the instance, and ends as the shell does', async () => {
    const project = await made('verbenter');
    const shell = openScreen({
      command: [join(import.meta.dirname, '../../dist/dockerops'), 'enter', 'db'],
      env: { ...clientEnvironment, PROJECT_DIR: project.folder, TERM: 'xterm' },
      controlling: true,
    });
    shell.type('echo "<$TOKEN>"; exit 6\r');
    await shell.waitFor(/<s3cret>/);
    expect(await shell.exit).toBe(6);
  });

  it('start starts what has stopped in its order, as it was made', async () => {
    const project = await made('verbstart');
    const ids = await Promise.all(['verbstart-api-one', 'verbstart-db-one'].map((name) => project.id(name)));
    await project.must('stop', 'all', '--timeout', '1');
    const told = await project.must('start', 'all');
    expect(told.search(/db-one +ready/)).toBeGreaterThanOrEqual(0);
    expect(told.search(/db-one +ready/)).toBeLessThan(told.search(/api-one +ready/));
    expect(await Promise.all(['verbstart-api-one', 'verbstart-db-one'].map((name) => project.id(name)))).toEqual(ids);
    expect(await project.must('start', 'all')).toContain('nothing has to be done');
  });
});
