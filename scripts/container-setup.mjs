// What the container suite needs, on a Debian machine as root. Everything lies under .cache/ and is kept between runs.
//
//   node scripts/container-setup.mjs up      installs what is missing, starts a private dockerd, makes the base images;
//                                            the last line of stdout is {"socket", "started", "nodes"}
//   node scripts/container-setup.mjs down    stops that dockerd
//
// The base images are stand-ins, tagged as the Dockerfile's FROM lines name them: none can be pulled everywhere. Mirrors, the
// package registry and certificates are those that this machine is set up with.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodePackage, unpack } from './node-packages.mjs';

const run = promisify(execFile);
const cache = fileURLToPath(new URL('../.cache', import.meta.url));
const home = join(cache, 'docker');
const socket = join(home, 'docker.sock');
const pidFile = join(home, 'docker.pid');
const nodeVersions = ['22', '24', '26'];
/** The one of the node stand-in; the others are only run. */
const [baseVersion] = nodeVersions;
/** As the official image has it. */
const npmVersion = '10';
/** Names how something was made: stand-ins of another recipe are made anew, and so is what was built on them. */
const recipeOf = (...parts) => createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
const env = {
  ...process.env,
  PATH: `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`,
  DOCKER_HOST: `unix://${socket}`,
  DOCKER_BUILDKIT: '0',
  DEBIAN_FRONTEND: 'noninteractive',
};

const say = (text) => process.stderr.write(`container-setup: ${text}\n`);

/** @returns stdout; a failure has all that the command wrote */
async function command(file, ...args) {
  try {
    const { stdout } = await run(file, args, { env, maxBuffer: 1 << 28 });
    return stdout.trim();
  } catch (error) {
    throw new Error(`${file} ${args.join(' ')}: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
  }
}

const succeeds = (file, ...args) => spawnSync(file, args, { env, stdio: 'ignore' }).status === 0;

async function until(what, condition, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`gave up waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function timed(what, step) {
  const begun = Date.now();
  const result = await step();
  say(`${what}: ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  return result;
}

async function installPackages() {
  const podman = [
    'podman',
    'runc',
    'containernetworking-plugins',
    'netavark',
    'aardvark-dns',
    'catatonit',
    'busybox-static',
    'curl',
  ];
  const places = ['docker-compose', 'systemd-container', 'python3-kubernetes'];
  const needed = ['docker.io', 'debootstrap', 'iptables', 'openssh-client', ...podman, ...places].filter(
    (name) => !succeeds('dpkg', '-s', name),
  );
  if (needed.length === 0) return;
  await timed(`apt-get install ${needed.join(' ')}`, async () => {
    await command('apt-get', 'update', '-qq');
    await command('apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...needed);
  });
}

/** The dockerd of this tree, where it runs. */
function engine() {
  try {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(pidFile) ? pid : undefined;
  } catch {
    return undefined;
  }
}

async function startEngine() {
  if (engine() !== undefined && succeeds('docker', 'version')) return false;
  await timed('dockerd', async () => {
    mkdirSync(home, { recursive: true });
    rmSync(pidFile, { force: true });
    const log = openSync(join(home, 'dockerd.log'), 'w');
    const options = ['--data-root', join(home, 'data'), '--exec-root', join(home, 'exec'), '--pidfile', pidFile];
    const daemon = spawn('dockerd', [...options, '--host', `unix://${socket}`], {
      env,
      detached: true,
      stdio: ['ignore', log, log],
    });
    daemon.unref();
    await until(`dockerd answers (see ${join(home, 'dockerd.log')})`, () => {
      if (daemon.exitCode !== null) throw new Error(readFileSync(join(home, 'dockerd.log'), 'utf8'));
      return succeeds('docker', 'version');
    });
  });
  return true;
}

async function stopEngine() {
  const pid = engine();
  if (pid === undefined) return;
  process.kill(pid, 'SIGTERM');
  await until('dockerd has ended', () => !existsSync(`/proc/${pid}`));
  // It leaves this one mounted, and .cache/ could not be removed.
  spawnSync('umount', [join(home, 'exec/netns/default')], { stdio: 'ignore' });
}

/** The mirror that this machine's apt takes bookworm from, and how it is told to treat it. */
async function aptSettings() {
  const targets = await command('apt-get', 'indextargets', '--format', '$(CODENAME) $(COMPONENT) $(SITE)');
  const mirror = targets.split('\n').map((line) => /^bookworm main (.+)$/.exec(line)?.[1]);
  const dump = await command('apt-config', 'dump');
  return {
    mirror: mirror.find((site) => site !== undefined) ?? [],
    options: dump.split('\n').filter((line) => /^Acquire::(Check-|Retries|https?::)/.test(line)),
  };
}

/** debian:bookworm-slim, nearly: what debootstrap makes, with the files of the official image that keep daemons from starting. */
async function makeRoot() {
  if (existsSync(rootFile)) return;
  await timed('debootstrap', async () => {
    const root = join(cache, 'bookworm.root');
    rmSync(root, { recursive: true, force: true });
    const { mirror, options } = await aptSettings();
    await command('debootstrap', '--variant=minbase', 'bookworm', root, ...[mirror].flat());
    writeFileSync(join(root, 'etc/apt/apt.conf.d/99machine'), `${options.join('\n')}\n`);
    writeFileSync(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    for (const waste of ['var/lib/apt/lists', 'var/cache/apt', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
      rmSync(join(root, waste), { recursive: true, force: true });
      mkdirSync(join(root, waste));
    }
    await command('tar', '-C', root, '--exclude=./dev/*', '-cf', `${rootFile}.new`, '.');
    renameSync(`${rootFile}.new`, rootFile);
    rmSync(root, { recursive: true, force: true });
  });
}

async function isMade(image, recipe) {
  const format = '{{index .Config.Labels "recipe"}}';
  return (await command('docker', 'image', 'inspect', '--format', format, image).catch(() => '')) === recipe;
}

/** Builds an image from a Dockerfile's text and a folder that `fill` fills. */
async function makeImage(image, dockerfile, fill = () => undefined) {
  const recipe = recipeOf(rootRecipe, dockerfile, fill);
  if (await isMade(image, recipe)) return;
  await timed(image, async () => {
    const context = join(cache, 'context');
    rmSync(context, { recursive: true, force: true });
    mkdirSync(context, { recursive: true });
    await fill(context);
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    await command(
      'docker',
      'build',
      '--quiet',
      '--network=host',
      '--label',
      `recipe=${recipe}`,
      '--tag',
      image,
      context,
    );
    rmSync(context, { recursive: true, force: true });
  });
}

const rootRecipe = recipeOf(makeRoot);
const rootFile = join(cache, `bookworm-${rootRecipe}.tar`);

async function makeDebian() {
  const image = 'debian:bookworm-slim';
  if (await isMade(image, rootRecipe)) return;
  await timed(image, () =>
    command('docker', 'import', '--change', `LABEL recipe=${rootRecipe}`, '--change', 'CMD ["bash"]', rootFile, image),
  );
}

/** The official image in what a build uses of it: node with its headers, npm, and this machine's way to the registry. */
function makeNode(packages) {
  const dockerfile = `FROM debian:bookworm-slim
COPY local /usr/local
COPY certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
CMD ["node"]
`;
  return makeImage(`node:${baseVersion}-bookworm-slim`, dockerfile, async (context) => {
    const local = join(context, 'local');
    for (const part of ['bin', 'include']) {
      cpSync(join(packages[`node${baseVersion}`], part), join(local, part), { recursive: true });
    }
    cpSync(packages.npm, join(local, 'lib/node_modules/npm'), { recursive: true });
    const setting = async (key) => (await run('npm', ['config', 'get', key], { cwd: '/' })).stdout.trim();
    const certificates = await setting('cafile');
    const known = certificates !== 'null' && certificates !== '';
    mkdirSync(join(local, 'etc'));
    writeFileSync(
      join(local, 'etc/npmrc'),
      `registry=${await setting('registry')}\n${known ? 'cafile=/etc/ssl/certs/ca-certificates.crt\n' : ''}`,
    );
    writeFileSync(join(context, 'certificates.crt'), known ? readFileSync(certificates) : '');
  });
}

/** What the scenarios run: daemons that people run, accounts for them, and a library that Node 26 needs. */
function makeDaemons() {
  return makeImage(
    'chaperone-test/daemons',
    `FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends nginx-light redis-server apache2 postgresql python3-minimal procps libatomic1 \
 && rm -rf /var/lib/apt/lists/* \
 && echo 'served by nginx' > /var/www/html/index.html
RUN groupadd --gid 2001 readers && groupadd --gid 2002 writers \
 && useradd --uid 1000 --create-home --groups readers,writers app
`,
  );
}

/** What the images in the shape of the original's published ones have in common: its daemons, as small as Debian has them. */
function makeStack() {
  return makeImage(
    'chaperone-test/stack',
    `FROM debian:bookworm-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends bsdutils openssl procps sudo \\
      mariadb-client-core mariadb-server-core apache2 libapache2-mod-php8.2 php8.2-mysql php8.2-fpm nginx-light \\
 && rm -rf /var/lib/apt/lists/* \\
 && mariadb-install-db --auth-root-authentication-method=normal --skip-test-db --innodb-log-file-size=8M \\
      --datadir=/var/lib/mysql > /dev/null
`,
  );
}

/** Makes an image with supervisord and with the programs that images made for supervisord run. */
function makeSupervisord() {
  return makeImage(
    'chaperone-test/supervisord',
    `FROM debian:bookworm-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends supervisor bind9 openssh-server nginx-light procps libatomic1 \\
 && rm -rf /var/lib/apt/lists/* \\
 && mkdir -p /run/sshd
`,
  );
}

async function up() {
  mkdirSync(cache, { recursive: true });
  await installPackages();
  const unpacked = Promise.all([
    ...nodeVersions.map(async (version) => [`node${version}`, await nodePackage('x64', version)]),
    unpack('npm', npmVersion).then((folder) => ['npm', folder]),
  ]);
  const [started] = await Promise.all([startEngine(), makeRoot(), unpacked]);
  const packages = Object.fromEntries(await unpacked);
  await makeDebian();
  await makeNode(packages);
  await makeDaemons();
  await makeStack();
  await makeSupervisord();
  // Each change of the sources leaves stages of a build behind, which only serve the next one.
  await command('docker', 'image', 'prune', '--force', '--filter', 'until=72h');
  const nodes = Object.fromEntries(
    nodeVersions.map((version) => [version, join(packages[`node${version}`], 'bin/node')]),
  );
  process.stdout.write(`${JSON.stringify({ socket, started, nodes })}\n`);
}

const verbs = { up, down: stopEngine };
const verb = verbs[process.argv[2] ?? ''];
if (verb === undefined) {
  say('expected "up" or "down"');
  process.exitCode = 2;
} else {
  await verb().catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
