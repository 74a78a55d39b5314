/** What `npm run release` makes, in images of every kind: `ADD` of one file is all that each of them gets. */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { config, logAll } from '../boot/namespace.ts';
import { type Container, clientEnvironment, docker, start, untilReady } from './engine.ts';

const { version } = manifest;
const root = join(import.meta.dirname, '../..');
const folder = '/usr/local/lib/chaperone';
const scratch = mkdtempSync(join(tmpdir(), 'chaperone-release-'));
const first = join(scratch, 'first');
const second = join(scratch, 'second');
/** ms for what compresses and compiles on a busy machine. */
const patience = 900_000;

/** With little compression, which makes no other content. */
const release = (out: string) =>
  promisify(execFile)(process.execPath, ['scripts/release.mjs', out], {
    cwd: root,
    env: { ...process.env, RELEASE_LEVEL: '0' },
    maxBuffer: 1 << 26,
  });

beforeAll(async () => {
  await release(first);
}, patience);

afterAll(() => rmSync(scratch, { recursive: true }));

const tarOf = (name: string): string => join(first, `chaperone-${version}-linux-${name}.tar.xz`);

describe('a release', () => {
  it('is the same, byte for byte, where it is made again', { timeout: patience }, async () => {
    await release(second);
    const sums = readFileSync(join(first, 'SHA256SUMS'), 'utf8');
    expect(readFileSync(join(second, 'SHA256SUMS'), 'utf8')).toBe(sums);
    expect(spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: second }).status).toBe(0);
    const names = sums
      .trim()
      .split('\n')
      .map((line) => line.split('  ')[1]);
    expect(names).toEqual(
      readdirSync(first)
        .filter((name) => name !== 'SHA256SUMS')
        .sort(),
    );
    rmSync(second, { recursive: true });
  });

  it.each(['x64', 'arm64'])('for %s is as small as the guide says', (processor) => {
    const listed = (name: string): readonly { size: number; path: string }[] =>
      execFileSync('tar', ['-tvf', tarOf(name)], { encoding: 'utf8', maxBuffer: 1 << 26 })
        .trim()
        .split('\n')
        .map((line) => ({ size: Number(line.split(/\s+/)[2]), path: line.split(/\s+/)[5] ?? '' }));
    const total = (name: string): number => listed(name).reduce((sum, { size }) => sum + size, 0);
    expect(total(processor)).toBeLessThan(105e6);
    expect(readFileSync(tarOf(`${processor}-slim`)).length).toBeLessThan(4e6);
    expect(listed(`${processor}-slim`).filter(({ path }) => /\/chaperone\/(?:node|lib)/.test(path))).toEqual([]);
    const paths = listed(processor).map(({ path }) => path);
    for (const name of Object.keys(manifest.bin)) {
      expect(paths).toEqual(
        expect.arrayContaining([
          `usr/local/bin/${name}`,
          `usr/local/share/bash-completion/completions/${name}`,
          `usr/local/share/man/man1/${name}.1`,
        ]),
      );
    }
    expect(paths.filter((path) => !path.startsWith('usr/'))).toEqual([]);
  });

  it('lists its contents, and has the licence of each', () => {
    const bill: unknown = JSON.parse(readFileSync(join(first, `chaperone-${version}.cdx.json`), 'utf8'));
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'chaperone', version } } });
    const out = join(scratch, 'licences');
    mkdirSync(out);
    execFileSync('tar', ['-C', out, '-xf', tarOf('x64'), `usr/local/lib/chaperone/licences`]);
    const licences = join(out, folder, 'licences');
    expect(readdirSync(licences).sort()).toEqual([
      'chaperone.txt',
      'gcc.txt',
      'glibc.txt',
      'node.txt',
      'npm-packages.txt',
    ]);
    const text = readFileSync(join(licences, 'npm-packages.txt'), 'utf8');
    for (const name of ['xstate', 'rxjs', 'winston', 'unix-dgram', 'elkjs', 'preact', 'nan']) {
      expect(text).toMatch(new RegExp(`^${name}\n`, 'm'));
      expect(bill).toMatchObject({ components: expect.arrayContaining([expect.objectContaining({ name })]) });
    }
    for (const name of ['node', 'libc6', 'libstdc++6', 'libc6-arm64-cross'])
      expect(bill).toMatchObject({ components: expect.arrayContaining([expect.objectContaining({ name })]) });
  });
});

/** What stands in an image beside the release and the program `shown`. */
interface Base {
  /** The image that the Dockerfile begins with; absent: a root directory that `fill` fills. */
  readonly from?: string;
  readonly fill?: (directory: string) => void;
  /** The compiler of the program that is the service. */
  readonly compiler: readonly string[];
}

const busybox = (directory: string): void => {
  mkdirSync(join(directory, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(directory, 'bin/busybox'));
  execFileSync('ln', ['-s', 'busybox', join(directory, 'bin/sh')]);
};
/** The loader and C library of Debian's package musl, which are one file. */
const musl = (directory: string): void => {
  mkdirSync(join(directory, 'lib'), { recursive: true });
  copyFileSync('/lib/x86_64-linux-musl/libc.so', join(directory, 'lib/ld-musl-x86_64.so.1'));
};
const put = (directory: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
};
const passwd = 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n';

const bases: Readonly<Record<string, Base>> = {
  scratch: { compiler: ['cc', '-static'] },
  'busybox-static': { fill: busybox, compiler: ['cc', '-static'] },
  musl: { fill: musl, compiler: ['musl-gcc'] },
  'the shape of Alpine': {
    fill: (directory) => {
      busybox(directory);
      musl(directory);
      put(directory, { 'etc/alpine-release': '3.20.3\n', 'etc/passwd': passwd, 'etc/group': 'root:x:0:\n' });
    },
    compiler: ['musl-gcc'],
  },
  'the shape of distroless': {
    fill: (directory) => {
      const nowhere = 'hosts: nowhere [NOTFOUND=continue] mdns4_minimal files dns\npasswd: sss files\n';
      put(directory, { 'etc/passwd': passwd, 'etc/group': 'root:x:0:\n', 'etc/nsswitch.conf': nowhere });
      // A C library of the image, which the Node of the folder must not meet: no program could use this one.
      put(directory, {
        'lib/x86_64-linux-gnu/libc.so.6': 'no library',
        'lib/x86_64-linux-gnu/libnss_nowhere.so.2': 'no library',
      });
    },
    compiler: ['cc', '-static'],
  },
  Debian: { from: 'debian:bookworm-slim', compiler: ['cc'] },
};

async function makeImage(name: string, { from = 'scratch', fill, compiler }: Base): Promise<string> {
  const context = mkdtempSync(join(scratch, 'context-'));
  mkdirSync(join(context, 'root'));
  fill?.(join(context, 'root'));
  const [program = '', ...flags] = compiler;
  execFileSync(program, [...flags, '-O1', join(root, 'test/fixtures/shown.c'), '-o', join(context, 'root/shown')]);
  cpSync(tarOf('x64'), join(context, 'chaperone.tar.xz'));
  put(context, {
    'chaperone.d/shown.conf': config({
      'shown.service': { command: '/shown', stdout: 'inherit', startup_pause: 0.1 },
      ...logAll,
    }),
    Dockerfile: `FROM ${from}
ADD chaperone.tar.xz /
COPY root/ /
COPY chaperone.d /etc/chaperone.d
ENTRYPOINT ["/usr/local/bin/chaperone"]
`,
  });
  const image = `chaperone-test/release-${name.replaceAll(/\W+/g, '-').toLowerCase()}`;
  await docker('build', '--quiet', '--tag', image, context);
  rmSync(context, { recursive: true });
  return image;
}

const berlin = (): string =>
  new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', hour: '2-digit', hourCycle: 'h23' }).format(new Date());

describe.each(Object.entries(bases))('one ADD line in an image like %s', (name, base) => {
  let image = '';
  beforeAll(async () => {
    image = await makeImage(name, base);
  }, patience);

  const run = (...options: readonly string[]): Promise<Container> => start({ image, options });

  it('boots services with their own environment and names, and stops them', async () => {
    const given = { LD_LIBRARY_PATH: '/mine', LD_PRELOAD: '', GLIBC_TUNABLES: '', NODE_OPTIONS: '--no-such-option' };
    const hour = berlin();
    const container = await run(
      ...Object.entries(given).flatMap(([variable, value]) => ['--env', `${variable}=${value}`]),
      ...['--env', 'TZ=Europe/Berlin'],
    );
    await container.waitForLine(/ready\.$/);
    await container.waitForLine(/^shown$/);
    const lines = container.lines();
    const variables = lines.flatMap((line) => /^variable (.*?)=/.exec(line)?.[1] ?? []).sort();
    const path = ['GLIBC_TUNABLES', 'HOME', 'HOSTNAME', 'LD_LIBRARY_PATH', 'LD_PRELOAD', 'NODE_OPTIONS', 'PATH', 'TZ'];
    expect(
      variables.filter((variable) => !['CHAPERONE_SOCKET', 'FIXTURES', 'INVOCATION_ID'].includes(variable)),
    ).toEqual(path);
    for (const [variable, value] of Object.entries(given)) expect(lines).toContain(`variable ${variable}=${value}`);
    expect(lines).toContain('comm 1 chaperone');
    expect(lines).toContain('cmdline 1 /usr/local/bin/chaperone');
    expect(
      lines
        .filter((line) => /^(?:comm|cmdline) (?!1 )\d+ \[/.test(line))
        .map((line) => line.replace(/\d+/, 'N'))
        .sort(),
    ).toEqual(['cmdline N [chaperone]', 'comm N [chaperone]']);
    const stamps = lines.flatMap(
      (line) => /^\w{3} +\d+ (\d\d):\d\d:\d\d .*shown\.service attempting start/.exec(line)?.[1] ?? [],
    );
    expect([hour, berlin()]).toContain(stamps[0]);
    const status = await container.exec('/usr/local/bin/chaperonectl', 'status');
    expect([status.status, status.stderr, status.stdout]).toEqual([0, '', expect.stringMatching(/^shown +ready/m)]);
    expect(await container.stop()).toBe(0);
    expect(container.lines()).toContain('stops');
  });

  it('boots as uid 10001 with a read-only root directory', async () => {
    const container = await run(
      '--read-only',
      '--user',
      '10001',
      '--cap-drop',
      'ALL',
      '--security-opt',
      'no-new-privileges',
    );
    await untilReady(container);
    await container.waitForLine(/^shown$/);
    expect((await container.exec('/usr/local/bin/telchap', 'status')).stdout).toMatch(/shown\.service/);
    expect(await container.stop()).toBe(0);
  });

  it('finds hosts by the C library of the folder, whatever the image says of name services', async () => {
    const script =
      "require('node:dns').lookup('localhost', { family: 4 }, (error, address) => console.log(error?.code ?? address))";
    const loader = [
      `${folder}/lib/node`,
      image,
      '--inhibit-cache',
      '--library-path',
      `${folder}/lib`,
      `${folder}/node`,
    ];
    expect(await docker('run', '--rm', '--entrypoint', ...loader, '-e', script)).toBe('127.0.0.1');
  });
});

describe('CHAPERONE_NODE', () => {
  const image = 'chaperone-test/release-slim';
  beforeAll(async () => {
    const context = mkdtempSync(join(scratch, 'context-'));
    cpSync(tarOf('x64-slim'), join(context, 'chaperone.tar.xz'));
    put(context, {
      Dockerfile:
        'FROM chaperone-test/user\nRUN rm -r /usr/local/lib/chaperone /usr/local/bin\nADD chaperone.tar.xz /\n',
    });
    await docker('build', '--quiet', '--tag', image, context);
  }, patience);

  it.each(
    Object.entries(inject('nodes')),
  )('is Node %s of the image, for the variant without Node', async (major, program) => {
    const container = await start({
      image,
      options: ['--volume', `${program}:/opt/node-${major}/node:ro`, '--env', `CHAPERONE_NODE=/opt/node-${major}/node`],
      files: {
        'x.conf': config({
          'told.service': { type: 'notify', command: '$(FIXTURES)/notify.py READY=1' },
          'logger.service': { type: 'oneshot', command: 'logger -t legacy hello', after: 'told.service' },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/legacy(\[\d+\])?: hello$/);
    await container.waitForLine(/ready\.$/);
    const executed = await container.exec('sh', '-c', 'readlink /proc/[0-9]*/exe');
    expect(executed.stdout.split('\n')).toContain(`/opt/node-${major}/node`);
    expect((await container.exec('telchap', 'status')).stdout).toMatch(/told\.service/);
    expect(await container.stop()).toBe(0);
  });
});

describe('the package for npm', () => {
  it('is installed without a compiler and without its registry, and boots', async () => {
    const image = 'node:22-bookworm-slim';
    const setup = [
      'command -v cc gcc g++ make && exit 1',
      `npm install --global --offline --omit=optional --no-audit --no-fund /release/chaperone-${version}.tgz`,
      'ls -l "$(npm root -g)/chaperone/dist/main.cache" >&2',
      'chaperone --version',
      'mkdir /etc/chaperone.d',
      `echo 'a.service: { type: notify, command: "sdnotify-exec --wait-ready sdnotify --ready" }' > /etc/chaperone.d/a.conf`,
      'exec chaperone --task sh -c "chaperonectl status && man -w chaperone.d 2>/dev/null; true"',
    ];
    const shell = ['--volume', `${first}:/release:ro`, '--entrypoint', 'sh', image, '-c', setup.join('\n')];
    const printed = await docker('run', '--rm', '--network', 'none', ...shell);
    expect(printed).toContain(`version ${version}`);
  });
});

describe('the image', () => {
  it.each([
    ['amd64', 0x3e],
    ['arm64', 0xb7],
  ])('is made by the Dockerfile beside the files for %s', async (architecture, machine) => {
    const image = `chaperone-test/released-${architecture}`;
    // What the comment in the file says of builders without BuildKit.
    const platform = ['--no-cache', '--platform', `linux/${architecture}`, '--build-arg', `TARGETARCH=${architecture}`];
    await docker('build', '--quiet', ...platform, '--tag', image, first);
    expect(await docker('image', 'inspect', '--format', '{{.Os}}/{{.Architecture}}', image)).toBe(
      `linux/${architecture}`,
    );
    const container = await docker('create', '--platform', `linux/${architecture}`, image);
    const program = join(scratch, `chaperone-${architecture}`);
    await docker('cp', `${container}:${folder}/chaperone`, program);
    await docker('rm', container);
    expect(readFileSync(program).readUInt16LE(18)).toBe(machine);
    if (architecture === 'amd64') expect(await docker('run', '--rm', image, '--version')).toContain(version);
  });

  it('is an OCI layout for both processors', () => {
    const archive = `oci-archive:${join(first, `chaperone-${version}-oci.tar`)}:${version}`;
    for (const architecture of ['amd64', 'arm64']) {
      const { stdout, stderr } = spawnSync(
        'skopeo',
        ['--override-arch', architecture, 'inspect', '--config', archive],
        { encoding: 'utf8' },
      );
      expect(stderr).toBe('');
      const image: unknown = JSON.parse(stdout);
      expect(image).toMatchObject({
        architecture,
        os: 'linux',
        config: { Entrypoint: ['/usr/local/bin/chaperone'], StopSignal: 'SIGTERM' },
      });
    }
    const target = ['docker-daemon:chaperone-test/oci:latest', '--dest-daemon-host', clientEnvironment.DOCKER_HOST];
    const copied = spawnSync('skopeo', ['copy', '--quiet', '--insecure-policy', archive, ...target], {
      encoding: 'utf8',
    });
    expect([copied.status, copied.stderr]).toEqual([0, '']);
  });

  it('runs once an engine has it', async () => {
    expect(await docker('run', '--rm', 'chaperone-test/oci:latest', '--version')).toContain(version);
  });
});

describe('the release for arm64', () => {
  it('boots, tells, reaps and stops under an emulator', () => {
    const image = join(scratch, 'arm64');
    for (const name of ['dev', 'proc', 'tmp', 'etc/chaperone.d']) mkdirSync(join(image, name), { recursive: true });
    busybox(image);
    execFileSync('tar', ['-C', image, '-xf', tarOf('arm64')]);
    put(image, {
      'etc/chaperone.d/a.conf': config({
        'told.service': { type: 'notify', command: 'sdnotify-exec --wait-ready sdnotify --ready' },
        'runs.service': { command: 'busybox sleep 1000', startup_pause: 0.1, after: 'told.service' },
        'last.service': {
          type: 'oneshot',
          command: "sh -c '(busybox sleep 0.1; exit 3) & telchap status; telchap shutdown now'",
          stdout: 'inherit',
          after: 'runs.service',
        },
        ...logAll,
      }),
    });
    const { status, stdout, stderr } = emulated(image);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/runs\.service successfully started/);
    expect(stdout).toMatch(/runs\.service +true +running/);
    expect(stdout).toMatch(/unknown pid: \d+ -> \d/);
    expect(stdout).toMatch(/runs\.service exit status for pid=\d+ is '<ProcStatus signal=15>'/);
  });

  /** Boots a root directory as PID 1 of a namespace where the kernel hands programs for arm64 to the emulator. */
  function emulated(directory: string) {
    const masks = [
      String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`,
      String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`,
    ];
    const script = `set -e
mkdir ${directory}/formats
mount -t binfmt_misc none ${directory}/formats
printf '%s' ':arm64:M::${masks.join(':')}:/usr/bin/qemu-aarch64-static:FP' > ${directory}/formats/register
mount -t proc proc ${directory}/proc
mount -t tmpfs tmpfs ${directory}/dev
touch ${directory}/dev/null
mount --bind /dev/null ${directory}/dev/null
exec /usr/sbin/chroot ${directory} /bin/busybox env -i PATH=/usr/local/bin:/bin /usr/local/bin/chaperone
`;
    const flags = ['--user', '--map-root-user', '--pid', '--fork', '--mount', '--kill-child'];
    return spawnSync('unshare', [...flags, 'sh', '-c', script], { encoding: 'utf8', timeout: patience });
  }
});
