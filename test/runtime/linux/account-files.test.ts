import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parseUserRequest, type UserRequest } from '../../../src/model/service/user-request.ts';
import { type AccountPorts, createUser } from '../../../src/runtime/linux/account-files.ts';
import { answerOf } from '../../answer.ts';

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;
const day = 86_400_000;
const files = ['passwd', 'group', 'shadow', 'gshadow'] as const;
const image: Readonly<Record<string, string>> = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000:M\xfcller:/home/node:/bin/bash\n',
  group: 'root:x:0:\nshadow:x:42:\nnode:x:1000:\n',
  shadow: 'root:*:19000:0:99999:7:::\nnode:!:19000:0:99999:7:::\n',
  gshadow: 'root:*::\nshadow:*::\nnode:!::\n',
};
const withJoe: Readonly<Record<string, string>> = {
  passwd: `${image['passwd']}joe:x:1234:1234::/home/joe:/bin/sh\n`,
  group: `${image['group']}joe:x:1234:\n`,
  shadow: `${image['shadow']}joe:!:20000:0:99999:7:::\n`,
  gshadow: `${image['gshadow']}joe:!::\n`,
};

/** A root directory with these files in its etc; removed after the test. */
function makeRoot(texts: Readonly<Record<string, string>> = image): string {
  const root = mkdtempSync(join(tmpdir(), 'chaperone-accounts-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  chmodSync(root, 0o755);
  mkdirSync(join(root, 'etc'));
  for (const [file, text] of Object.entries(texts)) {
    writeFileSync(join(root, 'etc', file), text, { encoding: 'latin1', mode: file.includes('shadow') ? 0o640 : 0o644 });
  }
  return root;
}

/** Everything in etc, by name. */
function contents(root: string): Record<string, string> {
  const etc = join(root, 'etc');
  return Object.fromEntries(readdirSync(etc).map((file) => [file, readFileSync(join(etc, file), 'latin1')]));
}

/** The files in etc without the file of the record lock, which stays. */
function accountsIn(root: string): Record<string, string> {
  const { '.pwd.lock': _, ...rest } = contents(root);
  return rest;
}

function request(text: string, defaultHome?: string): UserRequest {
  const reading = parseUserRequest(text, defaultHome);
  if (reading.kind !== 'request') throw new Error(reading.message);
  return reading.request;
}

interface FakeTime {
  /** ms since the test began. */
  now: number;
  /** How often the code under test has waited. */
  waits: number;
}

/** Ports whose time passes only while the code waits. */
function ports(root: string, more: Partial<AccountPorts> = {}, time: FakeTime = { now: 0, waits: 0 }): AccountPorts {
  return {
    root,
    clock: {
      now: () => time.now,
      wallTime: () => 20_000 * day + time.now,
      setTimeout: (callback, delay) => {
        time.waits += 1;
        time.now += delay;
        setImmediate(callback);
        return time.waits;
      },
    },
    lockFile: (path) => openSync(path, 'a', 0o600),
    ...more,
  };
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}

describe('createUser', () => {
  it('adds a line to each of the files, and leaves nothing else behind', async () => {
    const root = makeRoot();
    expect(await createUser(request('joe:1234'), ports(root))).toEqual({
      kind: 'created',
      name: 'joe',
      uid: 1234,
      gid: 1234,
    });
    expect(contents(root)).toEqual({ ...withJoe, '.pwd.lock': '' });
  });

  it.runIf(isRoot)('keeps modes and owners', async () => {
    const root = makeRoot();
    chownSync(join(root, 'etc/shadow'), 0, 42);
    chmodSync(join(root, 'etc/gshadow'), 0o400);
    chmodSync(join(root, 'etc/group'), 0o664);
    await createUser(request('joe:1234'), ports(root));
    const modes = files.map((file) => {
      const { mode, uid, gid } = statSync(join(root, 'etc', file));
      return [file, mode & 0o7777, uid, gid];
    });
    expect(modes).toEqual([
      ['passwd', 0o644, 0, 0],
      ['group', 0o664, 0, 0],
      ['shadow', 0o640, 0, 42],
      ['gshadow', 0o400, 0, 0],
    ]);
  });

  it('makes passwd and group where they are missing, but no shadow', async () => {
    const root = makeRoot({});
    rmSync(join(root, 'etc'), { recursive: true });
    expect(await createUser(request('joe:5'), ports(root))).toMatchObject({ kind: 'created' });
    expect(accountsIn(root)).toEqual({ passwd: 'joe:!:5:5::/home/joe:/bin/sh\n', group: 'joe:x:5:\n' });
    for (const file of ['passwd', 'group']) expect(statSync(join(root, 'etc', file)).mode & 0o7777).toBe(0o644);
  });

  it('looks at home and bash below the root', async () => {
    const root = makeRoot();
    mkdirSync(join(root, 'bin'));
    writeFileSync(join(root, 'bin/bash'), '');
    mkdirSync(join(root, 'home/joe'), { recursive: true });
    await createUser(request('joe:5', '/srv'), ports(root));
    await createUser(request('ann:6', '/srv/ä'), ports(root));
    const text = readFileSync(join(root, 'etc/passwd'));
    expect(text.toString()).toMatch(/^joe:x:5:5::\/home\/joe:\/bin\/bash\nann:x:6:6::\/srv\/ä:\/bin\/bash$/m);
    expect(text.toString('latin1')).toMatch(/^node:.*:M\xfcller:/m);
  });

  it('needs no lock for a user who is there', async () => {
    const root = makeRoot();
    const before = files.map((file) => statSync(join(root, 'etc', file)).ino);
    const lockFile = (): number => {
      throw errno('EACCES');
    };
    expect(await createUser(request('node:1000'), ports(root, { lockFile }))).toEqual({
      kind: 'exists',
      name: 'node',
      uid: 1000,
      gid: 1000,
    });
    expect(contents(root)).toEqual(image);
    expect(files.map((file) => statSync(join(root, 'etc', file)).ino)).toEqual(before);
  });

  it('says what the plan refuses, and touches nothing', async () => {
    const root = makeRoot();
    expect(await createUser(request('joe:1000'), ports(root))).toEqual({
      kind: 'error',
      message: 'cannot create the user joe: uid 1000 belongs to the user node',
      hint: expect.stringMatching(/--user node/),
    });
    expect(contents(root)).toEqual(image);
  });

  it.runIf(isRoot)("takes a path's owner, through a symbolic link", async () => {
    const root = makeRoot();
    const path = join(root, 'a:b');
    writeFileSync(path, '');
    chownSync(path, 1000, 2000);
    symlinkSync(path, join(root, 'link'));
    for (const [name, given] of [
      ['joe', path.replaceAll(':', '\\:')],
      ['ann', join(root, 'link')],
    ]) {
      expect(await createUser(request(`${name}:${given}`), ports(root))).toMatchObject({
        kind: 'created',
        uid: 1000,
        gid: 2000,
      });
    }
    expect(await createUser(request(`joe:${root}/link`), ports(root))).toMatchObject({ kind: 'exists' });
  });

  it('says that a path is missing', async () => {
    const root = makeRoot();
    expect(await createUser(request('joe:/no/such/folder'), ports(root))).toEqual({
      kind: 'error',
      message: 'cannot create the user joe: /no/such/folder, whose owner it is to have, does not exist (ENOENT)',
    });
    const below = join(root, 'etc/passwd/x');
    expect(await createUser(request(`joe:${below}`), ports(root))).toMatchObject({
      message: expect.stringMatching(/does not exist \(ENOTDIR\)/),
    });
  });

  it('replaces what a symbolic link leads to, and keeps the link', async () => {
    const root = makeRoot();
    mkdirSync(join(root, 'data'));
    renameSync(join(root, 'etc/passwd'), join(root, 'data/users'));
    symlinkSync('../data/users', join(root, 'etc/passwd'));
    await createUser(request('joe:1234'), ports(root));
    expect(lstatSync(join(root, 'etc/passwd')).isSymbolicLink()).toBe(true);
    expect(readdirSync(join(root, 'data'))).toEqual(['users']);
    expect(readFileSync(join(root, 'data/users'), 'latin1')).toBe(withJoe['passwd']);
  });

  it.runIf(existsSync('/usr/sbin/pwck'))('leaves files that pwck and grpck find in order', async () => {
    const root = makeRoot();
    for (const text of ['joe:1234', 'ann:1235:5000', 'bob', `eve:${root}:1240`]) {
      expect(await createUser(request(text), ports(root))).toMatchObject({ kind: 'created' });
    }
    const etc = join(root, 'etc');
    const { stdout, stderr, status } = spawnSync('/usr/sbin/grpck', ['-r', `${etc}/group`, `${etc}/gshadow`]);
    expect(`${stdout}${stderr}${status}`).toBe('0');
    const users = spawnSync('/usr/sbin/pwck', ['-r', '-q', `${etc}/passwd`, `${etc}/shadow`], { encoding: 'utf8' });
    // The tool also checks the groups and shells of the machine, which are not in these files.
    const complaints = `${users.stdout}${users.stderr}`
      .split('\n')
      .filter((line) => !/no group \d+$|no changes$/.test(line));
    expect(complaints.join('')).toBe('');
  });
});

describe('a lock', () => {
  it('of lckpwdf that somebody holds is waited for, and what they wrote is read', async () => {
    const root = makeRoot();
    let tries = 0;
    const lockFile = (path: string): number | undefined => {
      tries += 1;
      if (tries < 4) return undefined;
      writeFileSync(join(root, 'etc/passwd'), `${image['passwd']}ann:x:1001:0::/:/bin/sh\n`, 'latin1');
      return openSync(path, 'a');
    };
    expect(await createUser(request('joe::0'), ports(root, { lockFile }))).toMatchObject({
      kind: 'created',
      uid: 1002,
    });
    expect(tries).toBe(4);
    expect(readFileSync(join(root, 'etc/passwd'), 'latin1')).toMatch(/^ann:.*\njoe:x:1002:0:/m);
  });

  it('under which somebody else made the user is no mistake', async () => {
    const root = makeRoot();
    const lockFile = (path: string): number => {
      for (const file of files) writeFileSync(join(root, 'etc', file), withJoe[file] ?? '', 'latin1');
      return openSync(path, 'a');
    };
    expect(await createUser(request('joe:1234'), ports(root, { lockFile }))).toMatchObject({ kind: 'exists' });
    expect(accountsIn(root)).toEqual(withJoe);
  });

  it('of lckpwdf is given up after 15 s', async () => {
    const root = makeRoot();
    const time = { now: 0, waits: 0 };
    const lockFile = (): undefined => undefined;
    expect(await createUser(request('joe:1234'), ports(root, { lockFile }, time))).toEqual({
      kind: 'error',
      message: `cannot create the user joe: ${root}/etc/.pwd.lock has been held by another program for 15 s`,
    });
    expect(time).toEqual({ now: 15_000, waits: 150 });
    expect(contents(root)).toEqual(image);
  });

  const lockFiles = files.flatMap((file) => [`${file}.lock`, `${file}+`]);

  it.each(lockFiles)('%s of a living process is respected', async (name) => {
    const root = makeRoot();
    writeFileSync(join(root, 'etc', name), `${process.ppid}\0`);
    expect(await createUser(request('joe:1234'), ports(root))).toEqual({
      kind: 'error',
      message: `cannot create the user joe: ${root}/etc/${name} has been held by pid ${process.ppid} for 15 s`,
    });
    expect(accountsIn(root)).toEqual({ ...image, [name]: `${process.ppid}\0` });
  });

  it.each(lockFiles)('%s of a dead process is removed', async (name) => {
    const root = makeRoot();
    const { pid } = spawnSync('true');
    writeFileSync(join(root, 'etc', name), `${pid}\0`);
    const time = { now: 0, waits: 0 };
    expect(await createUser(request('joe:1234'), ports(root, {}, time))).toMatchObject({ kind: 'created' });
    expect(time.waits).toBe(0);
    expect(accountsIn(root)).toEqual(withJoe);
  });

  it('with its own pid is from an earlier run: PID 1 is always the same', async () => {
    const root = makeRoot();
    writeFileSync(join(root, 'etc/passwd.lock'), `${process.pid}\0`);
    expect(await createUser(request('joe:1234'), ports(root))).toMatchObject({ kind: 'created' });
    expect(accountsIn(root)).toEqual(withJoe);
  });

  it.each(['', image['passwd'] ?? ''])('without a pid is respected while it is young: %j', async (text) => {
    const root = makeRoot();
    const lock = join(root, 'etc/passwd+');
    writeFileSync(lock, text);
    const time = 20_000 * (day / 1000);
    utimesSync(lock, time - 40, time - 40);
    expect(await createUser(request('joe:1234'), ports(root))).toMatchObject({
      message: expect.stringMatching(/etc\/passwd\+ has been held by another program for 15 s$/),
    });
    utimesSync(lock, time - 61, time - 61);
    expect(await createUser(request('joe:1234'), ports(root))).toMatchObject({ kind: 'created' });
    expect(accountsIn(root)).toEqual(withJoe);
  });

  it('beside a link is where busybox has it: beside what the link leads to', async () => {
    const root = makeRoot();
    mkdirSync(join(root, 'data'));
    renameSync(join(root, 'etc/passwd'), join(root, 'data/users'));
    symlinkSync('../data/users', join(root, 'etc/passwd'));
    writeFileSync(join(root, 'data/users+'), `${process.ppid}\0`);
    expect(await createUser(request('joe:1234'), ports(root))).toMatchObject({
      message: expect.stringMatching(/data\/users\+ has been held by pid/),
    });
  });

  it('that is freed is taken, and all are held while files change', async () => {
    const root = makeRoot();
    writeFileSync(join(root, 'etc/shadow.lock'), `${process.ppid}\0`);
    const time = { now: 0, waits: 0 };
    const held: string[][] = [];
    const base = ports(root, {}, time);
    const result = await createUser(request('joe:1234'), {
      ...base,
      clock: {
        ...base.clock,
        setTimeout: (callback, delay) => {
          if (time.waits === 5) rmSync(join(root, 'etc/shadow.lock'));
          return base.clock.setTimeout(callback, delay);
        },
      },
      rename: (from, to) => {
        held.push(readdirSync(join(root, 'etc')).filter((name) => /\+$|\.lock$/.test(name)));
        renameSync(from, to);
      },
    });
    expect(result).toMatchObject({ kind: 'created' });
    expect(time.waits).toBe(6);
    expect(held).toEqual(Array(4).fill(['.pwd.lock', ...lockFiles].sort()));
  });
});

describe('a failure', () => {
  it.each([1, 2, 3, 4])('of rename %i undoes those before it', async (count) => {
    const root = makeRoot();
    let renames = 0;
    const rename = (from: string, to: string): void => {
      renames += 1;
      if (renames === count) throw errno('EIO');
      renameSync(from, to);
    };
    expect(await createUser(request('joe:1234'), ports(root, { rename }))).toEqual({
      kind: 'error',
      message: expect.stringMatching(/^cannot create the user joe: .*\/etc\/\w+ cannot be changed \(EIO\)$/),
    });
    expect(accountsIn(root)).toEqual(image);
  });

  it('removes a file that was not there before', async () => {
    const root = makeRoot({ passwd: image['passwd'] ?? '' });
    const rename = (from: string, to: string): void => {
      if (to.endsWith('passwd')) throw errno('ENOSPC');
      renameSync(from, to);
    };
    expect(await createUser(request('joe:1234'), ports(root, { rename }))).toMatchObject({
      message: expect.stringMatching(/there is no space left for .*\/etc\/passwd \(ENOSPC\)$/),
    });
    expect(accountsIn(root)).toEqual({ passwd: image['passwd'] });
  });

  it('that is no errno is passed on, and everything is as it was', async () => {
    const root = makeRoot();
    const rename = (): void => {
      throw new Error('unforeseen');
    };
    await expect(createUser(request('joe:1234'), ports(root, { rename }))).rejects.toThrow('unforeseen');
    expect(accountsIn(root)).toEqual(image);
  });

  it('to replace a file that is a mount (EBUSY) is written in place', async () => {
    const root = makeRoot();
    const { ino } = statSync(join(root, 'etc/passwd'));
    const rename = (from: string, to: string): void => {
      if (to.endsWith('/passwd')) throw errno('EBUSY');
      renameSync(from, to);
    };
    expect(await createUser(request('joe:1234'), ports(root, { rename }))).toMatchObject({ kind: 'created' });
    expect(accountsIn(root)).toEqual(withJoe);
    expect(statSync(join(root, 'etc/passwd')).ino).toBe(ino);
  });
});

/** createUser in a process of its own: in a mount namespace, as another account, or killed at some point. */
describe.runIf(isRoot)('as a process', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'chaperone-accounts-'));
  const program = join(scratch, 'create.cjs');
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  beforeAll(() => {
    chmodSync(scratch, 0o755);
    buildSync({
      stdin: {
        contents: `
          import { openSync, renameSync } from 'node:fs';
          import { parseUserRequest } from './src/model/service/user-request.ts';
          import { createUser } from './src/runtime/linux/account-files.ts';
          const [root, text, deadly] = process.argv.slice(2);
          let renames = 0;
          const clock = { now: () => performance.now(), wallTime: () => ${20_000 * day}, setTimeout };
          const rename = (from, to) => {
            if (++renames === Number(deadly)) process.kill(process.pid, 'SIGKILL');
            renameSync(from, to);
          };
          const lockFile = (path) => openSync(path, 'a', 0o600);
          createUser(parseUserRequest(text).request, { root, clock, rename, lockFile })
            .then((result) => console.log(JSON.stringify(result)));`,
        resolveDir: join(import.meta.dirname, '../../..'),
      },
      bundle: true,
      platform: 'node',
      outfile: program,
    });
  });

  const run = (command: readonly string[]): SpawnSyncReturns<string> =>
    spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' });
  const answer = (command: readonly string[]): unknown => {
    const { stdout, stderr, status, signal } = run(command);
    return answerOf(stdout, stderr, signal ?? status);
  };

  /** @param mounts commands that are run before it, in a mount namespace that ends with it */
  function createIn(root: string, text: string, mounts: readonly string[]): unknown {
    const script = [...mounts, 'exec "$@"'].join(' && ');
    const node = [process.execPath, program, root, text];
    return answer(['unshare', '--mount', 'sh', '-ec', script, 'sh', ...node]);
  }

  const bind = (path: string): string => `mount --bind ${path} ${path}`;

  it('on a read-only file system says so', () => {
    const root = makeRoot();
    expect(createIn(root, 'joe:1234', [bind(root), `mount -o remount,bind,ro ${root}`])).toEqual({
      kind: 'error',
      message: `cannot create the user joe: ${root}/etc/passwd is on a read-only file system (EROFS)`,
    });
    expect(createIn(root, 'node', [bind(root), `mount -o remount,bind,ro ${root}`])).toMatchObject({ kind: 'exists' });
  });

  it.each(['passwd', 'group', 'shadow'])('with only %s read-only says so, and changes nothing', (file) => {
    const root = makeRoot();
    const path = `${root}/etc/${file}`;
    expect(createIn(root, 'joe:1234', [bind(path), `mount -o remount,bind,ro ${path}`])).toEqual({
      kind: 'error',
      message: `cannot create the user joe: ${path} is on a read-only file system (EROFS)`,
    });
    expect(accountsIn(root)).toEqual(image);
  });

  it('writes files in place that are mounts, also into a read-only etc', () => {
    const paths = (root: string): string[] => files.map((file) => `${root}/etc/${file}`);
    const mounted = makeRoot();
    expect(createIn(mounted, 'joe:1234', paths(mounted).map(bind))).toMatchObject({ kind: 'created' });
    expect(accountsIn(mounted)).toEqual(withJoe);

    const readOnly = makeRoot();
    const mounts = [bind(`${readOnly}/etc`), ...paths(readOnly).map(bind), `mount -o remount,bind,ro ${readOnly}/etc`];
    expect(createIn(readOnly, 'joe:1234', mounts)).toMatchObject({ kind: 'created' });
    expect(contents(readOnly)).toEqual(withJoe);
  });

  it('without CAP_CHOWN writes the files of other owners in place', () => {
    const root = makeRoot();
    chownSync(join(root, 'etc/passwd'), 0, 42);
    const { ino } = statSync(join(root, 'etc/passwd'));
    const node = [process.execPath, program, root, 'joe:1234'];
    const created = answer(['setpriv', '--bounding-set', '-chown', '--inh-caps', '-chown', ...node]);
    expect(created).toMatchObject({ kind: 'created' });
    expect(accountsIn(root)).toEqual(withJoe);
    expect(statSync(join(root, 'etc/passwd'))).toMatchObject({ ino, gid: 42 });
  });

  it('that is not root says that it must be', () => {
    const root = makeRoot();
    const as = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', process.execPath, program, root];
    expect(answer([...as, 'joe:1234'])).toEqual({
      kind: 'error',
      message: `cannot create the user joe: ${root}/etc/passwd may not be changed (EACCES): chaperone must be root for that`,
    });
    expect(answer([...as, 'node:1000'])).toMatchObject({ kind: 'exists' });
  });

  it.each([
    1, 2, 3, 4,
  ])('that is killed at rename %i leaves whole files, and the next run completes them', async (deadly) => {
    const root = makeRoot();
    expect(run([process.execPath, program, root, 'joe:1234', String(deadly)]).signal).toBe('SIGKILL');
    const between = contents(root);
    for (const file of files) expect([image[file], withJoe[file]]).toContain(between[file]);
    expect(between['passwd']).toBe(image['passwd']);
    expect(await createUser(request('joe:1234'), ports(root))).toMatchObject({ kind: 'created' });
    expect(accountsIn(root)).toEqual(withJoe);
  });

  it('waits for others of its kind: eight at once make eight users', async () => {
    const root = makeRoot();
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const results = await Promise.all(
      names.map(
        (name) =>
          new Promise<string>((resolve, reject) => {
            const child = spawn(process.execPath, [program, root, name], { stdio: ['ignore', 'pipe', 'inherit'] });
            let output = '';
            child.stdout.on('data', (chunk: Buffer) => {
              output += chunk.toString();
            });
            child.on('error', reject).on('close', () => resolve(output));
          }),
      ),
    );
    const users = results.map((result) => JSON.parse(result) as { kind: string; uid: number });
    expect(users.map(({ kind }) => kind)).toEqual(Array(8).fill('created'));
    expect(users.map(({ uid }) => uid).sort()).toEqual([1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008]);
    const after = accountsIn(root);
    expect(Object.keys(after).sort()).toEqual([...files].sort());
    for (const file of files) expect(after[file]?.split('\n').filter((line) => /^[a-h]:/.test(line))).toHaveLength(8);
  });
});
