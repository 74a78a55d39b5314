import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { config } from '../boot/namespace.ts';
import { clientEnvironment, docker, start, tryDocker, userImage } from './engine.ts';

const programs = Object.keys(manifest.bin);
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
    expect(layers.split('\n').filter((line) => !line.startsWith('0B'))).toHaveLength(2);
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

  it.each(programs)('has %s in PATH', async (name) => {
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

  it('prints what a task prints at a terminal, so that a shell can run it', async () => {
    const shown = {
      'own.logging': { selector: '*.debug', stdout: true },
      'a.service': { command: 'true', after: 'b.service' },
    };
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-task-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'a.conf'), config(shown));
    const launcher = 'stty -onlcr; echo "if true; then"; echo "echo launched"; echo "fi"';
    const line = 'docker run -t --rm --volume "$0:/etc/chaperone.d:ro" "$1" --task sh -c "$2" | sh';
    const { status, stdout, stderr } = spawnSync('sh', ['-c', line, folder, userImage, launcher], {
      env: clientEnvironment,
      encoding: 'utf8',
    });
    expect([status, stdout, stderr]).toEqual([0, 'launched\n', '']);
  });

  it('has every program in PATH, although it has no Node of its own', async () => {
    const container = await start({
      files: { 'a.conf': config({ 'waits.service': { command: 'sleep infinity' } }) },
    });
    await container.waitForLine(/chaperone version \S+, ready\.$/);
    expect((await container.exec('sh', '-c', 'command -v node')).status).not.toBe(0);
    for (const name of programs) {
      const { status, stdout, stderr } = await container.exec(name, '--version');
      expect([status, stdout, stderr]).toEqual([0, expect.stringContaining(manifest.version), '']);
    }
    const { status, stdout } = await container.exec('telchap', 'status');
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^\d+ +waits\.service +true +running /m)]);
    const copied = await container.exec(
      'sh',
      '-c',
      "echo '$(WHO)' | WHO=you envcp - && sdnotify-exec sdnotify --ready",
    );
    expect([copied.status, copied.stdout, copied.stderr]).toEqual([0, 'you\n', '']);
  });
});
