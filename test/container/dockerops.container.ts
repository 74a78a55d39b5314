import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { openScreen, type Screen } from '../boot/screen.ts';
import { ProjectOnDisk, requirePrograms } from './dockerops.ts';
import { clientEnvironment, docker, tryDocker } from './engine.ts';

beforeAll(requirePrograms, 300_000);

/** An image that only sleeps, so that little has to be built. */
const sleeper = (more = '') => `FROM debian:bookworm-slim\n${more}CMD ["sleep", "infinity"]\n`;

/** Containers that are not the project's; they have to be as they were after the test. */
async function neighbours(project: string): Promise<() => Promise<void>> {
  const plain = await docker(
    'run',
    '--detach',
    '--name',
    `${project}-api-three`,
    'debian:bookworm-slim',
    'sleep',
    'infinity',
  );
  const other = await docker(
    ...['run', '--detach', '--label', 'org.dockerops.project=another', '--label', 'org.dockerops.container=api'],
    ...[
      '--label',
      'org.dockerops.instance=one',
      '--name',
      'another-api-one',
      'debian:bookworm-slim',
      'sleep',
      'infinity',
    ],
  );
  await docker('volume', 'create', `${project}-foreign`);
  onTestFinished(async () => {
    await tryDocker('rm', '--force', plain, other);
    await tryDocker('volume', 'rm', `${project}-foreign`);
  });
  return async () => {
    for (const id of [plain, other]) {
      expect(await docker('inspect', '--format', '{{.State.Running}} {{.RestartCount}}', id)).toBe('true 0');
    }
    expect(await docker('volume', 'ls', '--quiet')).toContain(`${project}-foreign`);
  };
}

async function page(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/`)).text();
}

describe('a project with a database, two instances of an application and a web front', () => {
  it('goes from init to clean', async () => {
    const project = new ProjectOnDisk('demo');
    const areUntouched = await neighbours('demo');

    const made = await project.must('init', '.', '--demo');
    expect(made).toContain('apps_containers/run.conf');
    expect(statSync(join(project.folder, 'keys/id_ed25519')).mode & 0o777).toBe(0o600);

    const built = await project.must('build:all,network=host');
    expect([...built.matchAll(/^demo\/(\S+): built in/gm)].map(([, name]) => name)).toEqual([
      'dockerops-base',
      'api',
      'db',
      'web',
    ]);

    await project.must('run', 'all');
    expect(await project.containers()).toEqual({
      'demo-db-persistent': 'running',
      'demo-api-one': 'running',
      'demo-api-two': 'running',
      'demo-web-published': 'running',
    });
    expect([await page(8080), await page(8080)]).toEqual(['one 1\n', 'two 2\n']);

    const before = await Promise.all(['demo-db-persistent', 'demo-web-published'].map((name) => project.id(name)));
    expect(await project.must('run:all')).toContain('nothing has to be done');
    expect(await Promise.all(['demo-db-persistent', 'demo-web-published'].map((name) => project.id(name)))).toEqual(
      before,
    );

    const rows: unknown = JSON.parse(await project.must('ps', '--json'));
    expect(rows).toMatchObject([
      { instance: 'db-persistent', type: 'persistent' },
      { instance: 'api-one' },
      { instance: 'api-two' },
      { instance: 'web-published', ports: ['8080/tcp'] },
    ]);
    const told = await project.must('ssh:api,instance=one', 'echo', '$INSTANCE', '$DB_CONTAINER_IP');
    expect(told).toBe(`one ${(await project.must('ip', 'db')).trim()}\n`);
    expect(await project.must('exec', 'web', 'printf', '%s', 'a  b')).toBe('a  b');
    expect((await project.run(['exec', 'web', 'sh', '-c', 'exit 7'])).status).toBe(7);
    expect(await project.must('status', 'api-two')).toMatch(/^ {4}api +ready/m);

    await project.must('rerun', 'api', '--instance', 'one');
    expect(await project.containers()).toMatchObject({ 'demo-api-one': 'running' });

    await changes(project);
    await cleans(project);
    await areUntouched();
  }, 400_000);
});

/** A changed conf gives a plan, which is asked for; data stay. */
async function changes(project: ProjectOnDisk): Promise<void> {
  const conf = join(project.folder, 'apps_containers/run.conf');
  const api = await project.id('demo-api-two');
  const db = await project.id('demo-db-persistent');
  writeFileSync(
    conf,
    readFileSync(conf, 'utf8').replace('"instance": "two",', '"instance": "two", "env_vars": { "COLOUR": "blue" },'),
  );
  const refused = await project.run(['run', 'all']);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('recreate  api-two   variable COLOUR added');
  expect(refused.stderr).toContain('nobody can be asked here');
  expect(await project.id('demo-api-two')).toBe(api);

  await project.must('run', 'all', '--yes');
  expect(await project.id('demo-api-two')).not.toBe(api);
  expect(await project.id('demo-db-persistent')).toBe(db);
  expect(await project.must('exec', 'api-two', 'printenv', 'COLOUR')).toBe('blue\n');
  expect(await page(8080)).toBe('one 3\n');
}

/** Cleaning says what it removes, and asks; data stay for the next run. */
async function cleans(project: ProjectOnDisk): Promise<void> {
  const refused = await project.run(['clean', 'all']);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('api-one  container demo-api-one, running');
  expect(refused.stderr).toContain('data and volumes stay');
  expect(Object.keys(await project.containers())).toHaveLength(4);

  await project.must('clean:all,force=True');
  expect(await project.containers()).toEqual({});
  expect(await docker('network', 'ls', '--format', '{{.Name}}')).not.toContain('demo-network');
  expect(readFileSync(join(project.folder, 'data_demo/db/persistent/data/count'), 'utf8')).toBe('3');
}

describe('a step that fails', () => {
  const conf = `[
 { "container": "db", "instance": "one" },
 { "container": "api", "instance": "one", "links": ["db-one:db"] }
]`;
  const files = {
    'apps_containers/db/Dockerfile': sleeper(),
    'apps_containers/api/Dockerfile': sleeper(),
    'apps_containers/run.conf': conf,
  };

  it('is named where a build fails, with what it has printed, and nothing behind it is built', async () => {
    const project = new ProjectOnDisk('failbuild');
    project.write({
      'apps_containers/db/Dockerfile': sleeper('RUN echo looking for trouble && exit 3\n'),
      'apps_containers/api/Dockerfile': 'FROM failbuild/db\n',
    });
    const { status, stdout } = await project.run(['build', 'all', '--network', 'host']);
    expect(status).toBe(1);
    expect(stdout).toMatch(
      /failbuild\/db: the build has failed at step 2\/\d RUN echo looking .*returned a non-zero code: 3/,
    );
    expect(stdout).toContain('  | looking for trouble');
    expect(stdout).not.toContain('failbuild/api: step');
  });

  it('is a circle of images', async () => {
    const project = new ProjectOnDisk('circle');
    project.write({
      'apps_containers/a/Dockerfile': 'FROM circle/b\n',
      'apps_containers/b/Dockerfile': 'FROM circle/a:latest\n',
    });
    const { status, stderr } = await project.run(['build', 'all']);
    expect([status, stderr]).toEqual([1, 'dockerops: images begin with each other in a circle: a → b → a\n']);
  });

  it('is told with the message of the engine where a port is in use, and what ran before stays', async () => {
    const project = new ProjectOnDisk('ports');
    project.write({
      ...files,
      'apps_containers/api/Dockerfile': sleeper('EXPOSE 18080\n# reyns: expose 18053/udp\n'),
      'apps_containers/run.conf': conf.replace('"instance": "one", "links"', '"instance": "published", "links"'),
    });
    await project.must('build', 'all');
    const holder = await docker(
      'run',
      '--detach',
      '--publish',
      '18080:18080',
      'debian:bookworm-slim',
      'sleep',
      'infinity',
    );
    onTestFinished(async () => {
      await tryDocker('rm', '--force', holder);
    });
    const { status, stderr } = await project.run(['run', 'all']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^dockerops: api-published: .*port is already allocated/m);
    expect(await project.containers()).toMatchObject({ 'ports-db-one': 'running' });
    await docker('rm', '--force', holder);
    await project.must('run', 'all');
    expect(await docker('port', 'ports-api-published')).toMatch(
      /18053\/udp[\s\S]*18080\/tcp|18080\/tcp[\s\S]*18053\/udp/,
    );
  });

  it('is told before anything is done where a name is taken', async () => {
    const project = new ProjectOnDisk('taken');
    project.write(files);
    await project.must('build', 'all');
    const holder = await docker(
      'run',
      '--detach',
      '--name',
      'taken-api-one',
      'debian:bookworm-slim',
      'sleep',
      'infinity',
    );
    onTestFinished(async () => {
      await tryDocker('rm', '--force', holder);
    });
    const { status, stderr } = await project.run(['run', 'all']);
    expect(status).toBe(1);
    expect(stderr).toContain("api-one: the name taken-api-one is taken by a container that is not the project's");
    expect(await project.containers()).toEqual({});
    expect((await project.run(['clean', 'all', '--yes'])).status).toBe(0);
    expect(await docker('inspect', '--format', '{{.State.Running}}', holder)).toBe('true');
  });

  it('is each mistake of a run.conf, and nothing is done', async () => {
    const project = new ProjectOnDisk('mistakes');
    project.write({
      ...files,
      'apps_containers/run.conf':
        '[\n { "container": "dv", "instance": "one" },\n { "container": "api", "sleep": "x" }\n]',
    });
    const { status, stderr } = await project.run(['run', 'all']);
    expect(status).toBe(1);
    expect(stderr).toContain('dockerops: 3 mistakes in the configuration, nothing was done');
    expect(stderr).toContain('apps_containers/run.conf:2:17: there is no container "dv"');
    expect(stderr).toContain('                ^^^^ did you mean "db"?');
    expect(stderr).toContain('apps_containers/run.conf:3:2: the entry names no instance');
    expect(await project.containers()).toEqual({});
  });

  it('is an image that nobody has built, and a variable without a value', async () => {
    const project = new ProjectOnDisk('missing');
    project.write({ ...files, 'apps_containers/run.conf': '- { container: db, instance: one, env_vars: { TOKEN: } }' });
    expect(await project.run(['run', 'all'])).toMatchObject({
      status: 1,
      stderr: 'dockerops: db-one: TOKEN has no value: set it in the environment or in host.conf\n',
    });
    expect(await project.run(['run', 'all'], { TOKEN: 'x' })).toMatchObject({
      status: 1,
      stderr: 'dockerops: db-one: there is no image missing/db; "dockerops build db" makes it\n',
    });
  });

  it('is told where the engine goes away in the middle', async () => {
    const project = new ProjectOnDisk('away');
    project.write(files);
    await project.must('build', 'all');
    const relay = await openRelay(/\/containers\/create/);
    const { status, stderr } = await project.run(['run', 'all'], { DOCKER_HOST: `unix://${relay}` });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^dockerops: (?:db-one: |the engine )/m);
    expect(stderr).toContain('relay.sock');
    await project.must('run', 'all');
    expect(await project.containers()).toEqual({ 'away-db-one': 'running', 'away-api-one': 'running' });
  });

  it('is told where no engine is', async () => {
    const project = new ProjectOnDisk('nowhere');
    project.write(files);
    const { status, stderr } = await project.run(['ps'], { DOCKER_HOST: 'unix:///nonexistent/docker.sock' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^dockerops: the engine at unix:\/\/\/nonexistent\/docker.sock does not answer: .*ENOENT/);
  });

  it('is told with the message of the engine where its disk is full', async () => {
    const project = new ProjectOnDisk('full');
    project.write({ 'apps_containers/db/Dockerfile': 'FROM scratch\nCOPY much /\n' });
    writeFileSync(join(project.folder, 'apps_containers/db/much'), Buffer.alloc(60_000_000));
    const socket = await smallEngine();
    const { status, stdout } = await project.run(['build', 'db'], { DOCKER_HOST: `unix://${socket}` });
    expect(status).toBe(1);
    expect(stdout).toMatch(/full\/db: the build has failed.*no space left on device/);
  });
});

describe('a person at a terminal', () => {
  const open = (project: ProjectOnDisk, ...words: readonly string[]): Screen => {
    const env = { ...clientEnvironment, PROJECT_DIR: project.folder, TERM: 'xterm' };
    return openScreen({
      command: [join(import.meta.dirname, '../../dist/dockerops'), ...words],
      env,
      controlling: true,
    });
  };

  it('is asked for a value that is kept, sees each instance, and is asked before something is removed', async () => {
    const project = new ProjectOnDisk('asked');
    project.write({
      'apps_containers/db/Dockerfile': sleeper(),
      'apps_containers/run.conf': '[{ "container": "db", "instance": "one", "env_vars": { "TOKEN": null } }] # one',
    });
    await project.must('build', 'db');
    const running = open(project, 'run', 'all');
    await running.waitFor(/db-one needs a value for TOKEN/);
    running.type('s3cret\r');
    await running.waitFor(/db-one +ready/);
    expect(await running.exit).toBe(0);
    expect(JSON.parse(readFileSync(join(project.folder, 'host.conf'), 'utf8'))).toEqual({ TOKEN: 's3cret' });
    expect(statSync(join(project.folder, 'host.conf')).mode & 0o777).toBe(0o600);

    const shell = open(project, 'shell', 'db');
    shell.type('echo "<$TOKEN>"; tty; exit 3\r');
    await shell.waitFor(/<s3cret>\s+\/dev\/pts/);
    expect(await shell.exit).toBe(3);

    const kept = open(project, 'clean', 'all');
    await kept.waitFor(/container asked-db-one, running[\s\S]*Remove them\? \[y\/N\]/);
    kept.type('n\r');
    expect(await kept.exit).toBe(1);
    expect(await project.containers()).toEqual({ 'asked-db-one': 'running' });
    const removed = open(project, 'clean', 'all');
    await removed.waitFor(/Remove them\?/);
    removed.type('y\r');
    expect(await removed.exit).toBe(0);
    expect(await project.containers()).toEqual({});
  });

  it('has an instance, or only a shell of its image, on the terminal', async () => {
    const project = new ProjectOnDisk('hand');
    project.write({ 'apps_containers/db/Dockerfile': 'FROM debian:bookworm-slim\nCMD ["bash"]\n' });
    await project.must('build', 'db');
    const running = open(project, 'run:db,instance=x,interactive=True');
    await running.waitFor(/db-x:\/#/);
    running.type('echo "<$INTERACTIVE $INSTANCE>"; exit 4\r');
    await running.waitFor(/<True x>/);
    expect(await running.exit).toBe(4);
    const bash = open(project, 'run-bash', 'db');
    await bash.waitFor(/db-shell:\/#/);
    bash.type('exit 5\r');
    expect(await bash.exit).toBe(5);
    // The engine removes the other one itself, after its end.
    await expect.poll(() => project.containers(), { timeout: 30_000 }).toEqual({ 'hand-db-x': 'exited' });
  });

  it('sees the layers of a build, and the time', async () => {
    const project = new ProjectOnDisk('seen');
    project.write({ 'apps_containers/db/Dockerfile': sleeper('RUN sleep 2\n') });
    const building = open(project, 'build', 'db', '--network', 'host', '--cache=no');
    await building.waitFor(/seen\/db +█+░* 2\/\d +\d+\.\d s +RUN sleep 2/);
    await building.waitFor(/seen\/db: built in \d+\.\d s/);
    expect(await building.exit).toBe(0);
  });
});

describe('what is removed', () => {
  it('are images of the project without a name, and volumes where they are named', async () => {
    const project = new ProjectOnDisk('purging');
    const areUntouched = await neighbours('purging');
    project.write({
      'apps_containers/db/Dockerfile': sleeper('RUN echo 1\n'),
      'apps_containers/run.conf': '- { container: db, instance: one, volumes: "purging-kept:/kept" }',
    });
    await project.must('build', 'db', '--network', 'host');
    await project.must('run', 'all');
    project.write({ 'apps_containers/db/Dockerfile': sleeper('RUN echo 2\n') });
    await project.must('build', 'db', '--network', 'host');
    expect(await project.must('ps')).toContain('its image has changed');
    await project.must('clean', 'all', '--yes');
    const refused = await project.run(['purge']);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('once db')]);
    expect(await project.must('purge', '--yes')).toBe('removed: 1 images, 0 volumes\n');
    expect(await docker('volume', 'ls', '--quiet')).toContain('purging-kept');
    expect((await project.run(['purge', '--volumes', '--yes'])).stderr).toContain(
      'volume purging-kept, with all that it holds',
    );
    expect(await docker('volume', 'ls', '--quiet')).not.toContain('purging-kept');
    await areUntouched();
  });

  it('is never what only looks like the project', async () => {
    const project = new ProjectOnDisk('small');
    const areUntouched = await neighbours('small');
    project.write({
      'apps_containers/api/Dockerfile': sleeper(),
      'apps_containers/run.conf': '- { container: api, instance: one }',
    });
    await project.must('build', 'all');
    await project.must('run', 'all');
    for (const words of [
      ['stopall'],
      ['killall'],
      ['kill', 'all'],
      ['clean', 'all', '--yes'],
      ['purge', '--volumes', '--yes'],
    ]) {
      expect((await project.run(words)).status, words.join(' ')).toBe(0);
    }
    expect(await project.containers()).toEqual({});
    await areUntouched();
  });
});

describe('names and values', () => {
  it('are never read by a shell', async () => {
    const project = new ProjectOnDisk('shells');
    const mark = join(project.folder, 'mark');
    const evil = `$(touch ${mark}); \`touch ${mark}\`; 'a "b" \\n`;
    project.write({
      'apps_containers/db/Dockerfile': sleeper(),
      'apps_containers/run.conf': JSON.stringify([{ container: 'db', instance: 'one', env_vars: { EVIL: evil } }]),
    });
    await project.must('build', 'db');
    await project.must('run', 'db');
    expect(await project.must('exec', 'db', 'printenv', 'EVIL')).toBe(`${evil}\n`);
    expect(await project.must('exec', 'db', 'printf', '%s', evil)).toBe(evil);
    expect((await project.run(['run', 'db', '--instance', evil])).status).toBe(2);
    expect((await project.run(['build', evil])).status).toBe(2);
    expect((await project.run(['exec', evil, 'true'])).status).toBe(1);
    expect(() => statSync(mark)).toThrow('ENOENT');
  });
});

/** A socket that passes everything on to the engine, until a request that matches: then it is gone. */
async function openRelay(last: RegExp): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'relay-'));
  const path = join(folder, 'relay.sock');
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(inject('socket'));
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
    }
    near.on('data', (bytes) => {
      if (last.test(bytes.toString('latin1'))) {
        server.close();
        for (const socket of open) socket.destroy();
      } else far.write(bytes);
    });
    near.on('end', () => far.end());
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return path;
}

/** A second engine, whose disk holds 40 MB. */
async function smallEngine(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'small-engine-'));
  const socket = join(folder, 'docker.sock');
  const data = join(folder, 'data');
  mkdirSync(data);
  await run('mount', '-t', 'tmpfs', '-o', 'size=40m', 'small', data);
  const options = ['--data-root', data, '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'pid')];
  // A network of its own: an engine without a bridge takes away the one that it finds, which is that of another engine.
  const daemon = spawn(
    'unshare',
    [
      '--net',
      'dockerd',
      ...options,
      '--host',
      `unix://${socket}`,
      '--bridge=none',
      '--iptables=false',
      '--storage-driver=vfs',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } },
  );
  const ended = new Promise((resolve) => daemon.once('close', resolve));
  onTestFinished(async () => {
    daemon.kill();
    await ended;
    await run('umount', '--lazy', data);
    rmSync(folder, { recursive: true, force: true });
  });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      if (log.includes('API listen on')) resolve();
    });
    void ended.then(() => reject(new Error(log)));
  });
  return socket;
}

async function run(program: string, ...words: readonly string[]): Promise<void> {
  const child = spawn(program, [...words], { stdio: 'inherit' });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${program} ${words.join(' ')} ended with ${String(code)}`);
}
