import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inDist } from '../../dist.ts';

const built = inDist('chaperone');
const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'chaperone-launcher-'));
const home = join(scratch, 'home');
const launcher = join(home, 'chaperone');

const fakeNode = `#!/bin/sh
echo "node=$0"
for argument in "$@"; do echo "argument=$argument"; done
/usr/bin/env
[ -z "$KEEP_MEMORY" ] || { echo memory:; cat /proc/self/fd/4; }
`;

beforeAll(() => {
  mkdirSync(home);
  copyFileSync(built, launcher);
  chmodSync(launcher, 0o755);
  writeFileSync(join(home, 'node'), fakeNode, { mode: 0o755 });
});

afterAll(() => rmSync(scratch, { recursive: true }));

function launch(file: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(file, args, { env, encoding: 'utf8' });
  return { status, stderr, lines: stdout.trim().split('\n') };
}

/** A directory that holds a launcher and nothing else. */
function alone(name: string): string {
  const directory = join(scratch, name);
  mkdirSync(directory);
  copyFileSync(built, join(directory, 'chaperone'));
  return directory;
}

describe('the launcher', () => {
  it('runs the node beside itself on the chaperone.cjs beside itself, and passes the arguments on', () => {
    const { lines, status } = launch(launcher, ['status', '--json', 'a b', '']);
    expect(status).toBe(0);
    expect(lines.filter((line) => /^(node|argument)=/.test(line))).toEqual([
      `node=${join(home, 'node')}`,
      'argument=--no-deprecation',
      'argument=--v8-pool-size=1',
      `argument=${join(home, 'chaperone.cjs')}`,
      'argument=status',
      'argument=--json',
      'argument=a b',
      'argument=',
    ]);
  });

  it('finds its directory through a link', () => {
    const link = join(scratch, 'linked');
    symlinkSync(launcher, link);
    expect(launch(link).lines).toContain(`argument=${join(home, 'chaperone.cjs')}`);
  });

  it.each([
    'chaperonectl',
    'telchap',
    'envcp',
    'sdnotify-exec',
  ])('is %s where it is called so, and hides NODE_OPTIONS from Node', (name) => {
    const link = join(scratch, name);
    symlinkSync(launcher, link);
    const { lines, status } = launch(link, ['is-ready', '--help'], { NODE_OPTIONS: '--no-warnings', OTHER: 'stays' });
    expect(status).toBe(0);
    expect(lines.filter((line) => line.startsWith('argument='))).toEqual([
      'argument=--no-deprecation',
      'argument=--v8-pool-size=1',
      `argument=${join(home, name)}.cjs`,
      'argument=is-ready',
      'argument=--help',
    ]);
    expect(lines.filter((line) => line.includes('NODE_OPTIONS'))).toEqual(['_CHAPERONE_NODE_OPTIONS=--no-warnings']);
    const libraries = { LD_LIBRARY_PATH: '/mine', LD_PRELOAD: '', GLIBC_TUNABLES: 'glibc.malloc.check=0' };
    const hidden = Object.entries(libraries).map(([variable, value]) => `_CHAPERONE_${variable}=${value}`);
    const seen = launch(link, ['status'], libraries).lines.filter((line) => /LD_|GLIBC_/.test(line));
    expect(seen.sort()).toEqual(hidden.sort());
    expect(lines).toContain('OTHER=stays');
    expect(launch(link, ['status']).lines.filter((line) => line.startsWith('_CHAPERONE_'))).toEqual([]);
  });

  it.each([
    'chaperone',
    'chaperonectl',
  ])('as %s executes the node beside it by the loader in lib, where there is one', (name) => {
    const folder = join(scratch, `with-loader-${name}`);
    mkdirSync(join(folder, 'lib'), { recursive: true });
    copyFileSync(built, join(folder, name));
    writeFileSync(join(folder, 'node'), 'is not executed by itself', { mode: 0o755 });
    writeFileSync(join(folder, 'lib/ld-linux.so'), fakeNode, { mode: 0o755 });
    symlinkSync('ld-linux.so', join(folder, 'lib/node'));
    const { lines } = launch(join(folder, name), ['status', 'a b'], { LD_LIBRARY_PATH: '/mine' });
    expect(lines.filter((line) => /^(node|argument|LD_LIBRARY_PATH)=/.test(line))).toEqual([
      `node=${join(folder, 'lib/node')}`,
      'argument=--inhibit-cache',
      'argument=--library-path',
      `argument=${join(folder, 'lib')}`,
      'argument=--argv0',
      `argument=${name}`,
      `argument=${join(folder, 'node')}`,
      'argument=--no-deprecation',
      'argument=--v8-pool-size=1',
      `argument=${join(folder, name)}.cjs`,
      'argument=status',
      'argument=a b',
    ]);
    const other = join(scratch, `chosen-${name}`);
    mkdirSync(other);
    writeFileSync(join(other, 'node'), fakeNode, { mode: 0o755 });
    if (isRoot)
      expect(launch(join(folder, name), [], { CHAPERONE_NODE: `${other}/node` }).lines[1]).toBe(
        'argument=--no-deprecation',
      );
  });

  describe.runIf(isRoot)('with CHAPERONE_NODE', () => {
    const chosen = (name: string, mode = 0o755): string => {
      const folder = join(scratch, name);
      mkdirSync(folder);
      writeFileSync(join(folder, 'other-node'), fakeNode, { mode });
      chmodSync(join(folder, 'other-node'), mode);
      return join(folder, 'other-node');
    };

    it('executes that one, also by a link', () => {
      const file = chosen('chosen');
      symlinkSync(file, join(scratch, 'link-to-node'));
      for (const wanted of [file, join(scratch, 'link-to-node')]) {
        expect(launch(launcher, [], { CHAPERONE_NODE: wanted }).lines[0]).toBe(`node=${file}`);
      }
    });

    it('takes no value for none', () => {
      expect(launch(launcher, [], { CHAPERONE_NODE: '' }).lines[0]).toBe(`node=${join(home, 'node')}`);
    });

    it.each<[string, () => string]>([
      ['a file that others may write to', () => chosen('open-file', 0o757)],
      [
        'a file of another account',
        () => {
          const file = chosen('of-another');
          chownSync(file, 1000, 1000);
          return file;
        },
      ],
      [
        'a file in a directory that others may write to',
        () => {
          const file = chosen('open-directory');
          chmodSync(dirname(file), 0o777);
          return file;
        },
      ],
    ])('refuses %s', (_, make) => {
      const { status, stderr } = launch(launcher, [], { CHAPERONE_NODE: make() });
      expect([status, stderr]).toEqual([
        126,
        expect.stringMatching(/^chaperone: cannot use CHAPERONE_NODE=\S+: .*only root may write/),
      ]);
    });

    it.each(['node', './node', '/nowhere/node', '/etc', '/etc/passwd'])('refuses %s, which is no program', (wanted) => {
      const { status, stderr } = launch(launcher, [], { CHAPERONE_NODE: wanted });
      expect([status, stderr]).toEqual([
        127,
        `chaperone: cannot use CHAPERONE_NODE=${wanted}: it is not the absolute path of a program\n`,
      ]);
    });
  });

  it('is chaperone under every other name', () => {
    for (const name of ['init', 'envcp-all', 'my-sdnotify', 'telchap.old']) {
      const link = join(scratch, name);
      symlinkSync(launcher, link);
      expect(launch(link, ['is-ready']).lines).toContain(`argument=${join(home, 'chaperone.cjs')}`);
    }
  });

  it('takes what is meant for services out of the way of Node, and keeps it with the limits as they were', () => {
    const given = {
      NODE_OPTIONS: '--inspect=0.0.0.0:9229',
      NODE_ENV: 'production',
      UV_THREADPOOL_SIZE: '99',
      OPENSSL_CONF: '/nowhere',
      SSL_CERT_FILE: '/nowhere',
      LD_PRELOAD: '',
      MALLOC_ARENA_MAX: '1',
      GLIBC_TUNABLES: 'glibc.malloc.check=0',
      TZDIR: '/nowhere',
      ICU_DATA: '/nowhere',
      NODE_EMPTY: '',
    };
    const others = { NODEMON: 'stays', MY_NODE_OPTIONS: 'stays', TZ: 'Europe/Berlin', PATH: '/usr/bin:/bin' };
    const shell = 'ulimit -Sn 123; ulimit -Hn 500; exec "$0"';
    const { stdout } = spawnSync('/bin/sh', ['-c', shell, launcher], {
      env: { ...given, ...others, KEEP_MEMORY: '1' },
      encoding: 'utf8',
    });
    const [seen = '', saved = ''] = stdout.split('memory:\n');
    const brain = seen.split('\n');
    for (const name of Object.keys(given)) expect(brain.filter((line) => line.startsWith(`${name}=`))).toEqual([]);
    expect(brain).toEqual(expect.arrayContaining(Object.entries(others).map(([name, value]) => `${name}=${value}`)));
    expect(brain).toContain('_CHAPERONE_BODY=3:4');
    const [limits, ...variables] = saved.split('\0');
    expect(limits).toBe('123:500');
    expect(variables).toEqual(
      expect.arrayContaining(Object.entries({ ...given, ...others }).map(([name, value]) => `${name}=${value}`)),
    );
  });

  it('does not believe notes that are left over in its environment', () => {
    const { lines } = launch(launcher, [], { _CHAPERONE_BODY: '7:8', _CHAPERONE_OTHER: 'stale' });
    expect(lines.filter((line) => line.startsWith('_CHAPERONE_'))).toEqual(['_CHAPERONE_BODY=3:4']);
  });

  it('gives Node a session of its own, and its own standard streams, directory and arguments', () => {
    const fake = alone('session');
    const script = `#!/bin/sh
read -r stat </proc/$$/stat
set -- $stat
echo "$1 $5 $6"
readlink /proc/$$/cwd /proc/$PPID/exe
`;
    writeFileSync(join(fake, 'node'), script, { mode: 0o755 });
    const { stdout } = spawnSync(join(fake, 'chaperone'), [], { cwd: '/usr', encoding: 'utf8' });
    const [ids = '', directory, parent] = stdout.trim().split('\n');
    const [pid, group, session] = ids.split(' ');
    expect([group, session, directory]).toEqual([pid, pid, '/usr']);
    expect(parent).toBe(join(fake, 'chaperone'));
  });

  it('opens /dev/null in place of closed standard descriptors', () => {
    const fake = alone('closed');
    const script = '#!/bin/sh\nlinks=$(for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done)\necho "$links" >&9\n';
    writeFileSync(join(fake, 'node'), script, { mode: 0o755 });
    const shell = 'exec 9>&1 0<&- 1>&- 2>&-; exec "$0"';
    const { stdout } = spawnSync('/bin/sh', ['-c', shell, join(fake, 'chaperone')], { encoding: 'utf8' });
    expect(stdout.trim().split('\n')).toEqual(['/dev/null', '/dev/null', '/dev/null']);
  });

  /** Starts a program as where no fixed place has a node. */
  function launchWithoutNode(file: string, path: string): readonly string[] {
    const hide =
      'for file in /usr/local/bin/node /usr/bin/node; do [ ! -e $file ] || mount --bind /dev/null $file; done';
    const shell = `${hide}; exec /usr/bin/env -i PATH="$1" "$0"`;
    const { stdout, stderr } = spawnSync('unshare', ['--mount', '/bin/sh', '-c', shell, file, path], {
      encoding: 'utf8',
    });
    return `${stdout}${stderr}`.trim().split('\n');
  }

  it.runIf(isRoot)('looks for node in the absolute directories of PATH that only root may write to', () => {
    const directory = alone('searching');
    const path = join(scratch, 'bin');
    const open = join(scratch, 'open');
    mkdirSync(path);
    mkdirSync(open);
    for (const place of [path, open]) writeFileSync(join(place, 'node'), fakeNode, { mode: 0o755 });
    chmodSync(open, 0o777);
    mkdirSync(join(scratch, 'decoy/node'), { recursive: true });
    const lines = launchWithoutNode(join(directory, 'chaperone'), `:.:${scratch}/decoy:/nowhere:${open}:${path}`);
    expect(lines[0]).toBe(`node=${path}/node`);
    expect(lines).toContain(`argument=${join(directory, 'chaperone.cjs')}`);
  });

  it.runIf(isRoot)('passes over a node beside it that is not executable', () => {
    const directory = alone('not-executable');
    writeFileSync(join(directory, 'node'), fakeNode, { mode: 0o644 });
    expect(launchWithoutNode(join(directory, 'chaperone'), home)[0]).toBe(`node=${home}/node`);
  });

  it('ends with 126 and a reason when node does not run', () => {
    const directory = alone('broken');
    writeFileSync(join(directory, 'node'), '#!/nowhere/interpreter\n', { mode: 0o755 });
    const { status, stderr } = launch(join(directory, 'chaperone'));
    expect(status).toBe(126);
    expect(stderr).toMatch(/chaperone: cannot run .*\/broken\/node: No such file or directory .*\n$/);
  });

  // The root directory has no node in any fallback place, and no /proc.
  it.runIf(isRoot)('ends with 127 and what to do when there is no node', () => {
    const directory = alone('root');
    const { status, stderr } = launch('/usr/sbin/chroot', [directory, '/chaperone'], { PATH: '/usr/bin' });
    expect(status).toBe(127);
    expect(stderr).toMatch(/^chaperone: cannot find node: .*PATH.*install Node\.js.*\n$/);
  });
});
