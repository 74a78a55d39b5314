import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { config, logAll } from '../boot/namespace.ts';
import { docker, start } from './engine.ts';

const chaperone = '/usr/local/lib/chaperone/chaperone';
const node = '/usr/local/lib/chaperone/node';
/** Debian with shadow-utils; has the user app with uid 1000. */
const debian = 'chaperone-test/user';
/** Nothing but busybox and what Node needs. */
const busybox = 'chaperone-test/busybox';
/** Nothing but what Node needs: no shell, no account files. */
const bare = 'chaperone-test/bare';

/** The libraries that Node is linked with, into a root of their own; before chaperone comes in, so that layers are kept. */
const libraries = `FROM debian:bookworm-slim AS base
RUN apt-get update && apt-get install -y --no-install-recommends busybox-static
SHELL ["/bin/bash", "-c"]
RUN mkdir /out /out/tmp /out/dev /out/proc /out/etc \\
 && cp --parents -L /lib64/ld-linux-x86-64.so.2 /out \\
 && cd /lib/x86_64-linux-gnu \\
 && cp --parents -L "$PWD"/lib{dl,stdc++,m,gcc_s,pthread,c}.so.[0-9] /out
`;
const withBusybox = `RUN mkdir /out/bin && cp /bin/busybox /out/bin && chroot /out /bin/busybox --install -s /bin \\
 && printf 'root:x:0:0::/root:/bin/sh\\n' > /out/etc/passwd && printf 'root:x:0:\\nusers:x:100:\\n' > /out/etc/group \\
 && printf 'root:*:::::::\\n' > /out/etc/shadow && chmod 600 /out/etc/shadow
`;
const finish = `FROM scratch
COPY --from=base /out /
COPY --from=chaperone /usr/local/lib/chaperone /usr/local/lib/chaperone
ENTRYPOINT ["${chaperone}"]
`;

beforeAll(async () => {
  const context = mkdtempSync(join(tmpdir(), 'chaperone-image-'));
  try {
    for (const [image, dockerfile] of [
      [busybox, libraries + withBusybox + finish],
      [bare, libraries + finish],
    ] as const) {
      writeFileSync(join(context, 'Dockerfile'), dockerfile);
      await docker('build', '--network=host', '--quiet', '--tag', image, context);
    }
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}, 300_000);

interface Outcome {
  readonly status: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/** Runs chaperone to its end. */
async function run(image: string, args: readonly string[], options: readonly string[] = []): Promise<Outcome> {
  const container = await start({ image, options, args });
  const status = await container.exit();
  return { status, stdout: container.lines('stdout'), stderr: container.lines('stderr') };
}

/** Runs a script of the image's shell as PID 1, in which `chaperone` may be called more than once. */
function script(image: string, text: string, options: readonly string[] = []): Promise<Outcome> {
  return run(image, ['-ec', `chaperone() { ${chaperone} "$@"; }\n${text}`], ['--entrypoint', '/bin/sh', ...options]);
}

/** A folder of the host that belongs to these ids. */
function folder(uid: number, gid: number): string {
  const path = mkdtempSync(join(tmpdir(), 'chaperone-folder-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  chmodSync(path, 0o755);
  chownSync(path, uid, gid);
  return path;
}

describe('--create-user with shadow-utils', () => {
  it('runs the command as the new user', async () => {
    expect(await run(debian, ['--create-user', 'joe:1234:100', '--task', 'id'])).toEqual({
      status: 0,
      stdout: ['uid=1234(joe) gid=100(users) groups=100(users)'],
      stderr: [],
    });
  });

  it.each([
    ['joe', 'uid=1001(joe) gid=1001(joe) groups=1001(joe)'],
    ['joe:1234', 'uid=1234(joe) gid=1234(joe) groups=1234(joe)'],
    ['joe::users', 'uid=1001(joe) gid=100(users) groups=100(users)'],
    ['joe:1234:5000', 'uid=1234(joe) gid=5000(joe) groups=5000(joe)'],
    ['app:1000', 'uid=1000(app) gid=1000(app) groups=1000(app),2001(readers),2002(writers)'],
  ])('%s', async (text, line) => {
    expect(await run(debian, ['--create-user', text, '--task', 'id'])).toEqual({
      status: 0,
      stdout: [line],
      stderr: [],
    });
  });

  it('leaves files with which shadow-utils goes on', async () => {
    const { status, stdout, stderr } = await script(
      debian,
      `chaperone --create-user joe:1234 --task true
       chaperone --create-user joe:1234 --task true
       getent passwd joe; getent group joe; getent shadow joe | cut -d: -f1,2,4-
       id joe
       pwck -q -r && grpck -r && echo in order
       useradd jim && passwd -l joe >/dev/null && usermod --append --groups users joe && userdel jim
       chaperone --create-user ann --task id
       id -Gn joe
       ls -A /etc | grep -E '^(passwd|group|g?shadow).*([+]|lock|chaperone)' || echo nothing left behind
       stat -c '%n %a %U:%G' /etc/passwd /etc/group /etc/shadow /etc/gshadow`,
    );
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: [
        'joe:x:1234:1234::/home/joe:/bin/bash',
        'joe:x:1234:',
        'joe:!:0:99999:7:::',
        'uid=1234(joe) gid=1234(joe) groups=1234(joe)',
        'in order',
        'uid=1235(ann) gid=1235(ann) groups=1235(ann)',
        'joe users',
        'nothing left behind',
        '/etc/passwd 644 root:root',
        '/etc/group 644 root:root',
        '/etc/shadow 640 root:shadow',
        '/etc/gshadow 640 root:shadow',
      ],
      // Chaperone is not PID 1 here and says so, each time.
      stderr: expect.not.arrayContaining([expect.stringMatching(/cannot/)]),
    });
  });

  it('and useradd at the same time: nobody is lost', async () => {
    const { status, stdout } = await script(
      debian,
      `for n in 1 2 3 4 5; do useradd "u$n"; done & for n in 1 2 3 4 5; do chaperone --create-user "c$n" --task true; done
       wait
       getent passwd | grep -cE '^[uc][1-5]:'; getent passwd | cut -d: -f3 | sort | uniq -d; pwck -q -r && echo in order`,
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: ['10', 'in order'] });
  });

  it('says what it cannot do, with status 1, before anything runs', async () => {
    const cases: [string, readonly string[], RegExp][] = [
      ['joe:1000', [], /cannot create the user joe: uid 1000 belongs to the user app/],
      ['app:1234', [], /cannot create the user app: it exists with uid 1000 and gid 1000, not with uid 1234 as asked/],
      ['joe::wheel', [], /cannot create the user joe: there is no group "wheel"/],
      ['joe:/missing', [], /cannot create the user joe: \/missing, whose owner it is to have, does not exist/],
      [
        'joe:1234',
        ['--read-only'],
        /cannot create the user joe: \/etc\/passwd is on a read-only file system \(EROFS\)/,
      ],
      ['joe:1234', ['--user', '1000'], /\/etc\/passwd may not be changed \(EACCES\): chaperone must be root for that/],
    ];
    for (const [text, options, message] of cases) {
      const outcome = await run(debian, ['--create-user', text, '--task', 'id'], options);
      expect(outcome).toMatchObject({ status: 1, stdout: [] });
      expect(outcome.stderr.join('\n')).toMatch(message);
    }
  });

  it('that was done when the image was built needs no rights any more', async () => {
    const options = ['--read-only', '--user', '1000'];
    expect(await run(debian, ['--create-user', 'app', '--task', 'id', '-un'], options)).toMatchObject({
      status: 0,
      stdout: ['app'],
    });
  });

  it('writes a passwd that is mounted', async () => {
    const path = folder(0, 0);
    for (const file of ['passwd', 'group']) writeFileSync(join(path, file), 'root:x:0:0::/root:/bin/sh\n');
    const options = ['passwd', 'group'].flatMap((file) => ['--volume', `${join(path, file)}:/etc/${file}`]);
    expect(await run(debian, ['--create-user', 'joe:1234', '--task', 'id'], options)).toMatchObject({
      status: 0,
      stdout: ['uid=1234(joe) gid=1234(joe) groups=1234(joe)'],
    });
  });
});

describe("--create-user with a mounted folder's owner", () => {
  it.each([
    { uid: 4321, gid: 8765, line: 'uid=4321(joe) gid=8765(joe) groups=8765(joe)' },
    // The image's own user has this uid: joe is a second name of it, and the first one is shown.
    { uid: 1000, gid: 1000, line: 'uid=1000(app) gid=1000(app) groups=1000(app)' },
  ])('$uid:$gid writes into it', async ({ uid, gid, line }) => {
    const path = folder(uid, gid);
    const outcome = await run(
      debian,
      ['--create-user', 'joe:/apps', '--task', 'sh', '-c', 'id; echo $USER; touch /apps/new; stat -c %u:%g /apps/new'],
      ['--volume', `${path}:/apps`],
    );
    expect(outcome).toEqual({ status: 0, stdout: [line, 'joe', `${uid}:${gid}`], stderr: [] });
  });

  it('is refused for a folder of root, unless the uid is written', async () => {
    const options = ['--volume', `${folder(0, 0)}:/apps`];
    const refused = await run(debian, ['--create-user', 'joe:/apps', '--task', 'id'], options);
    expect(refused).toMatchObject({ status: 1, stdout: [] });
    expect(refused.stderr.join('\n')).toContain(
      'cannot create the user joe: /apps belongs to root, and joe would be root by another name',
    );
    expect(refused.stderr.join('\n')).toContain('write the uid: --create-user joe:/apps:UID');
    expect(await run(debian, ['--create-user', 'joe:/apps:1234', '--task', 'id', '-u'], options)).toMatchObject({
      status: 0,
      stdout: ['1234'],
    });
  });

  it('runs a mini-system that lies in it', async () => {
    const path = folder(4321, 8765);
    mkdirSync(join(path, 'chaperone.d'));
    const text = config({ 'who.service': { type: 'oneshot', command: 'id' }, ...logAll });
    writeFileSync(join(path, 'chaperone.d/x.conf'), text);
    const options = ['--volume', `${path}:/apps`];
    const args = ['--create-user', 'joe:/apps', '--default-home', '/apps', '--config', 'chaperone.d'];
    const { status, stdout } = await run(debian, args, options);
    expect(stdout.join('\n')).toMatch(/who\[\d+\]: uid=4321\(joe\) gid=8765\(joe\) groups=8765\(joe\)$/m);
    expect(status).toBe(0);
  });
});

describe('--create-user with nothing but busybox', () => {
  it('makes a user that busybox knows', async () => {
    expect(
      await script(
        busybox,
        `chaperone --create-user joe:1234:100 --task id
         id joe
         tail -n 1 /etc/passwd
         cut -d: -f1,2,4- /etc/shadow | tail -n 1
         su -s /bin/sh joe -c 'whoami; echo $HOME'
         ls -A /etc`,
      ),
    ).toMatchObject({
      status: 0,
      stdout: [
        'uid=1234(joe) gid=100(users) groups=100(users)',
        'uid=1234(joe) gid=100(users) groups=100(users)',
        'joe:x:1234:100::/home/joe:/bin/sh',
        'joe:!:0:99999:7:::',
        'joe',
        '/home/joe',
        ...['.pwd.lock', 'group', 'hostname', 'hosts', 'mtab', 'passwd', 'resolv.conf', 'shadow'],
      ],
    });
  });

  it('respects the lock of busybox, and says whose it is', async () => {
    const { status, stdout, stderr } = await script(
      busybox,
      ': > /etc/passwd+; chaperone --create-user joe:1234 --task id || echo "status $?"; cat /etc/passwd',
    );
    expect({ status, stdout }).toEqual({ status: 0, stdout: ['status 1', 'root:x:0:0::/root:/bin/sh'] });
    expect(stderr.join('\n')).toMatch(/\/etc\/passwd\+ has been held by another program for 15 s/);
  });
});

describe('--create-user with no tool at all', () => {
  const userInfo = 'const { username, uid, gid, homedir } = os.userInfo(); console.log(username, uid, gid, homedir)';

  it('makes passwd and group', async () => {
    const args = ['--create-user', 'joe:1234', '--default-home', '/srv', '--task', node, '-e', userInfo];
    expect(await run(bare, args)).toMatchObject({ status: 0, stdout: ['joe 1234 1234 /srv'] });
  });

  it("takes a mounted folder's owner", async () => {
    const options = ['--volume', `${folder(4321, 8765)}:/apps`];
    const args = ['--create-user', 'joe:/apps', '--task', node, '-e', userInfo];
    expect(await run(bare, args, options)).toMatchObject({ status: 0, stdout: ['joe 4321 8765 /home/joe'] });
  });
});

it('--create-user lasts in the container: the second start finds its user', async () => {
  const container = await start({ image: debian, args: ['--create-user', 'joe', '--task', 'id', '-u'] });
  expect(await container.exit()).toBe(0);
  await docker('start', container.id);
  container.follow();
  expect(await container.exit()).toBe(0);
  expect(container.lines('stdout')).toEqual(['1001', '1001']);
});
