/** Before all container tests: the engine, the base images, and the two images under test. After them: ends what it started. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of the engine's socket. */
    socket: string;
    /** Programs of Node by major version. */
    nodes: Readonly<Record<string, string>>;
    /** unix-dgram's addon, built against each of them: it is not N-API. */
    datagrams: Readonly<Record<string, string>>;
  }
}

interface Engine {
  readonly socket: string;
  /** False where it was running before. */
  readonly started: boolean;
  readonly nodes: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '../..');
const setupScript = join(root, 'scripts/container-setup.mjs');

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engine = parseEngine((await run(process.execPath, [setupScript, 'up'])).at(-1) ?? '');
  const teardown = async (): Promise<void> => {
    if (engine.started) await run(process.execPath, [setupScript, 'down']);
  };
  try {
    await buildImages(engine.socket);
    project.provide('datagrams', await buildDatagrams(engine));
  } catch (error) {
    await teardown();
    throw error;
  }
  project.provide('socket', engine.socket);
  project.provide('nodes', engine.nodes);
  return teardown;
}

/** The project's image, and one of daemons to which the guide's three lines were added. */
async function buildImages(socket: string): Promise<void> {
  const build = ['build', '--network=host', '--quiet', '--tag'];
  const begun = Date.now();
  await run('docker', [...build, 'chaperone', root], socket);
  process.stdout.write(`image chaperone: ${((Date.now() - begun) / 1000).toFixed(1)} s\n`);

  const guide = readFileSync(join(root, 'docs/guide/containers.md'), 'utf8');
  const lines = /<!-- lines -->\n+```dockerfile\n(.*?)```/s.exec(guide)?.[1];
  if (lines === undefined) throw new Error('docs/guide/containers.md has lost its lines for a Dockerfile');
  const context = mkdtempSync(join(tmpdir(), 'chaperone-image-'));
  try {
    mkdirSync(join(context, 'chaperone.d'));
    writeFileSync(join(context, 'chaperone.d/hello.conf'), 'hello.service: { command: "echo hello from the image" }\n');
    cpSync(join(import.meta.dirname, '../fixtures'), join(context, 'fixtures'), { recursive: true });
    cpSync(join(import.meta.dirname, 'programs'), join(context, 'programs'), { recursive: true });
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM chaperone-test/daemons\nCOPY fixtures /fixtures\nCOPY programs /programs\n${lines}`,
    );
    await run('docker', [...build, 'chaperone-test/user', context], socket);
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

/** As the image's own build makes it, with the headers that each version of Node has beside its program. */
async function buildDatagrams({ socket, nodes }: Engine): Promise<Readonly<Record<string, string>>> {
  const image = 'chaperone-test/build';
  await run('docker', ['build', '--network=host', '--quiet', '--target', 'build', '--tag', image, root], socket);
  const library: unknown = JSON.parse(readFileSync(join(root, 'node_modules/unix-dgram/package.json'), 'utf8'));
  const version =
    typeof library === 'object' && library !== null && 'version' in library ? String(library.version) : '';
  const built: Record<string, string> = {};
  for (const [major, program] of Object.entries(nodes)) {
    const node = dirname(dirname(program));
    const out = join(root, '.cache/datagrams', `${version}-${basename(node)}`);
    built[major] = join(out, 'unix_dgram.node');
    if (existsSync(built[major])) continue;
    mkdirSync(out, { recursive: true });
    const gyp = 'node /usr/local/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js';
    const steps = [
      'cd node_modules/unix-dgram',
      'export PATH=/node/bin:$PATH',
      `${gyp} rebuild --loglevel=error --nodedir=/node`,
      'cp build/Release/unix_dgram.node /out/unix_dgram.part',
      'mv /out/unix_dgram.part /out/unix_dgram.node',
    ];
    const volumes = ['--volume', `${node}:/node:ro`, '--volume', `${out}:/out`];
    await run('docker', ['run', '--rm', ...volumes, '--entrypoint', 'sh', image, '-ec', steps.join('\n')], socket);
  }
  return built;
}

/** Runs a step to its end and returns its lines of stdout. */
async function run(file: string, args: readonly string[], socket?: string): Promise<readonly string[]> {
  const child = spawn(file, args, {
    env: {
      ...process.env,
      DOCKER_BUILDKIT: '0',
      ...(socket === undefined ? {} : { DOCKER_HOST: `unix://${socket}` }),
    },
    // What the setup says is of interest while it lasts; the engine's complaints about its own builder only with a failure.
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const complaints: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  createInterface({ input: child.stderr }).on('line', (line) => complaints.push(line));
  if (socket === undefined) child.stderr.pipe(process.stderr);
  const [code] = await once(child, 'close');
  if (code !== 0)
    throw new Error(`${file} ${args.join(' ')} ended with ${String(code)}\n${[...lines, ...complaints].join('\n')}`);
  return lines;
}

function parseEngine(line: string): Engine {
  const value: unknown = JSON.parse(line);
  if (!isEngine(value)) throw new Error(`scripts/container-setup.mjs said ${line}`);
  return value;
}

function isEngine(value: unknown): value is Engine {
  return typeof value === 'object' && value !== null && 'socket' in value && 'started' in value && 'nodes' in value;
}
