import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { docker, start, tryDocker } from './engine.ts';

const folder = '/usr/local/lib/chaperone';

describe('the image of the Dockerfile', () => {
  it('is an init with its signal, and tells its size layer by layer', async () => {
    expect(await docker('inspect', '--format', '{{json .Config.Entrypoint}} {{.Config.StopSignal}}', 'chaperone')).toBe(
      '["chaperone"] SIGTERM',
    );
    const layers = await docker(
      'history',
      '--no-trunc',
      '--format',
      '{{.Size}}\t{{.CreatedBy}}{{.Comment}}',
      'chaperone',
    );
    const parts = await docker('run', '--rm', '--entrypoint', '/usr/bin/du', 'chaperone', '-a', '-k', folder);
    process.stdout.write(`layers, the last one first\n${layers}\nin KiB\n${parts}\n`);
    expect(layers.split('\n').filter((line) => !line.startsWith('0B'))).toHaveLength(3);
  });

  it('holds what a run needs and nothing of the build', async () => {
    const find = ['/usr/bin/find', 'chaperone', '/usr/local', '/etc/chaperone.d', '!', '-type', 'd'];
    const files = (await docker('run', '--rm', '--entrypoint', ...find)).split('\n');
    const needed = [
      'chaperone',
      'chaperone.cjs',
      'edge.node',
      'main.cache',
      'main.cjs',
      'main.cjs.map',
      'node',
      'unix_dgram.node',
    ];
    expect(files).toEqual(
      expect.arrayContaining(['/usr/local/bin/chaperone', ...needed.map((name) => `${folder}/${name}`)]),
    );
    expect(files.some((file) => /\/parts\/logging-\w+\.cjs$/.test(file))).toBe(true);
    expect(files.filter((file) => /node_modules|\.ts$|\.c$/.test(file))).toEqual([]);
    expect((await tryDocker('run', '--rm', '--entrypoint', '/bin/ls', 'chaperone', '/src')).status).not.toBe(0);
  });

  it.each(['chaperone', 'chaperonectl', 'sdnotify', 'telchap'])('has %s in PATH', async (name) => {
    const { version } = manifest;
    expect(await docker('run', '--rm', '--entrypoint', name, 'chaperone', '--version')).toContain(version);
    const path = ['--entrypoint', '/usr/bin/readlink', 'chaperone', '-f', `/usr/local/bin/${name}`];
    expect(await docker('run', '--rm', ...path)).toBe(`${folder}/chaperone`);
  });

  it('answers a probe without Node', async () => {
    const probe = ['--entrypoint', 'chaperonectl', 'chaperone', 'is-ready'];
    const { status, stderr } = await tryDocker('run', '--rm', '--volume', `/dev/null:${folder}/node:ro`, ...probe);
    expect([status, stderr]).toEqual([6, expect.stringContaining('ENOENT /dev/chaperone.sock')]);
  });

  it('has a code cache that its node takes', async () => {
    const probe = `
      const { readFileSync } = require('node:fs');
      const source = '(function (exports, require, module, __filename, __dirname) {' +
        readFileSync('${folder}/main.cjs', 'latin1') + '\\n})';
      const script = new (require('node:vm').Script)(source, { cachedData: readFileSync('${folder}/main.cache') });
      console.log(script.cachedDataRejected);`;
    const node = ['--entrypoint', `${folder}/node`, 'chaperone', '--no-deprecation', '-e', probe];
    expect(await docker('run', '--rm', ...node)).toBe('false');
  });

  it('without a configuration says that there is nothing to run', async () => {
    const container = await start({ image: 'chaperone' });
    expect(await container.exit()).toBe(1);
    expect(container.lines('stderr')).toEqual([
      'chaperone: There are no services configured to run, nor is there a command (configuration: /etc/chaperone.d)',
    ]);
  });
});

describe('an image with the three lines of the guide', () => {
  it('boots its own configuration', async () => {
    const container = await start({});
    await container.waitForLine(/hello\[\d+\]: hello from the image/);
    expect(await container.exit()).toBe(0);
  });
});
