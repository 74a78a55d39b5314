/** An image of phusion's kind under an init of its own shape, and under chaperone, which takes its place by the ENTRYPOINT alone. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Container, type ContainerOptions, docker, eventually, start, tryDocker } from './engine.ts';

const folder = join(import.meta.dirname, 'phusion');
const images = { own: 'chaperone-test/phusion', chaperone: 'chaperone-test/phusion-chaperone' } as const;

beforeAll(async () => {
  await docker('build', '--network=host', '--quiet', '--tag', images.own, folder);
  const file = join(folder, 'Dockerfile.chaperone');
  await docker('build', '--quiet', '--file', file, '--tag', images.chaperone, folder);
}, 600_000);

/** A file of a container that runs or has ended. */
async function fileOf({ id }: Container, path: string): Promise<string> {
  const { stdout } = await tryDocker('cp', `${id}:${path}`, '-');
  // A tar archive of one file: its content begins behind the header.
  const size = Number.parseInt(stdout.slice(124, 136), 8);
  return Buffer.from(stdout, 'utf8')
    .toString('utf8')
    .slice(512, 512 + size);
}

async function ran(image: string, options: ContainerOptions = {}): Promise<Container> {
  const container = await start({
    image,
    ...options,
    options: ['--env', 'GIVEN=of the container', '--env', 'DB_PASSWORD=hunter22', ...(options.options ?? [])],
  });
  await eventually('web has started', async () =>
    (await fileOf(container, '/report/order')).includes('web') ? true : undefined,
  );
  // Only a system that is up runs the scripts before the end.
  if (image !== images.own) await container.waitForLine(/ready\.$/);
  return container;
}

describe('an image of boot scripts and services', () => {
  it('starts the same programs in the same order and surroundings under both, and a shutdown leaves the same', async () => {
    const seen = [];
    for (const image of [images.own, images.chaperone]) {
      const container = await ran(image);
      const list = 'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline; echo; done | grep -c "^/bin/bash .*/run "';
      const processes = await container.exec('sh', '-c', list);
      const status = await container.stop();
      seen.push({
        status,
        processes: processes.stdout.trim(),
        order: await fileOf(container, '/report/order'),
        starts: await fileOf(container, '/report/starts'),
        shell: (await fileOf(container, '/etc/container_environment.sh')).includes('hunter22'),
      });
    }
    const [own, chaperone] = seen;
    expect(chaperone).toEqual(own);
    expect(own?.order.trim().split('\n')).toEqual([
      ...['boot-10', 'boot-20', 'sourced 10 of the image', 'rc.local', 'web'],
      ...['pre-10', 'pre-20', 'web ends', 'post-10', 'post-20'],
    ]);
    expect([own?.processes, own?.shell]).toEqual(['1', false]);
  });

  it('ends where a boot script fails, with a status that is not 0, and starts no service, under both', async () => {
    const seen = [];
    for (const image of [images.own, images.chaperone]) {
      const container = await start({
        image,
        options: ['--env', 'GIVEN=x', '--volume', '/bin/false:/etc/my_init.d/15_bad:ro'],
      });
      const status = await container.exit();
      const said = container.lines().some((line) => line.includes('15_bad'));
      seen.push({ failed: status !== 0, said, order: await fileOf(container, '/report/order') });
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[0]).toEqual({ failed: true, said: true, order: 'boot-10\n' });
  });
});

describe('folders on a volume', () => {
  it('outlive the container: the next one has what the first one wrote, and its own image beside it', async () => {
    const volume = await docker('volume', 'create');
    const options = [
      '--volume',
      `${volume}:/persistent`,
      '--env',
      'PERSISTENT_LOG=True',
      '--env',
      'PERSISTENT_OPT=True',
    ];
    try {
      const first = await ran(images.chaperone, { options });
      expect((await first.exec('readlink', '/var/log', '/opt')).stdout).toBe('/persistent/log\n/persistent/opt\n');
      await first.exec('sh', '-c', 'echo first >/opt/mark; ls -A /persistent /var/log | sort >/opt/list');
      expect(await first.stop()).toBe(0);
      const second = await ran(images.chaperone, { options });
      expect((await second.exec('cat', '/opt/mark')).stdout).toBe('first\n');
      expect((await second.exec('sh', '-c', 'ls -d /var/log.image /opt.image')).stdout).toBe(
        '/opt.image\n/var/log.image\n',
      );
      const listed = await second.exec('sh', '-c', 'find /persistent -maxdepth 1 | sort');
      expect(listed.stdout).toBe('/persistent\n/persistent/.chaperone-lock\n/persistent/log\n/persistent/opt\n');
      expect(await second.stop()).toBe(0);
    } finally {
      await tryDocker('volume', 'rm', '--force', volume);
    }
  });

  it('are whole after the container was killed in the middle of the move', async () => {
    const volume = await docker('volume', 'create');
    await docker(
      'build',
      '--tag',
      'chaperone-test/phusion-many',
      '--network=host',
      '--file',
      join(folder, 'Dockerfile.many'),
      folder,
    );
    const options = ['--volume', `${volume}:/persistent`, '--env', 'PERSISTENT_OPT=True'];
    try {
      const id = await docker('create', ...options, 'chaperone-test/phusion-many');
      try {
        // Each is killed a bit later in the move, which each begins anew.
        for (let copied = 1; copied <= 1_200; copied += 240) {
          await docker('start', id);
          // A quick disk may have moved all of them between two looks.
          await eventually(`${copied} files are copied`, async () => {
            const { stdout } = await tryDocker(
              'exec',
              id,
              'sh',
              '-c',
              'if [ -L /opt ]; then echo 2000; else ls -f /persistent/.opt.chaperone-new/many | wc -l; fi',
            );
            return Number(stdout) >= copied ? true : undefined;
          });
          await tryDocker('kill', id);
        }
        await docker('start', id);
        const listed = await eventually('the folder has moved', async () => {
          const { status, stdout } = await tryDocker(
            'exec',
            id,
            'sh',
            '-c',
            'readlink /opt && cat /opt/many/* | sort -n | uniq | wc -l',
          );
          return status === 0 ? stdout : undefined;
        });
        expect(listed).toBe('/persistent/opt\n2000\n');
        const around = await docker('exec', id, 'sh', '-c', 'ls -A /persistent; ls -dA /opt* /.opt*; true');
        expect(around.split('\n')).toEqual(expect.arrayContaining(['opt', '/opt']));
        expect(around).not.toMatch(/chaperone-(new|moving)|image/);
      } finally {
        await tryDocker('rm', '--force', id);
      }
    } finally {
      await tryDocker('volume', 'rm', '--force', volume);
    }
  });
});
