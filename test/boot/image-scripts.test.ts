/** What images of phusion's kind bring along: boot scripts, pre-start scripts, a folder of variables, and ways to look at them. */
import { readFileSync, statSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { ctl, telchap } from './by-hand.ts';
import { container } from './image.ts';
import { config, expectOrder, isRoot, logAll } from './namespace.ts';

beforeEach((context) => {
  if (!isRoot) context.skip('only root can mount the layers of an image');
});

const say = (text: string): string => `#!/bin/sh\necho "${text}"\n`;
const web = { 'web.service': { command: 'sh -c "echo web runs; exec sleep 1000"', startup_pause: 0 } };
const files = { 'x.conf': config({ ...logAll, ...web }) };

describe('boot scripts', () => {
  it('run in their order before all services, and each tells what it prints under its own name', async () => {
    const image = container({
      'etc/my_init.d/20_second': say('two'),
      'etc/my_init.d/10_first': say('one'),
      'etc/rc.local': say('three'),
      'etc/boot.d/10_fifth': say('five'),
      'etc/boot.d/9_fourth': say('four'),
      'prestartup/new.sh': { text: 'echo "seven $BASH_VERSION"', modified: 2_000_000 },
      'prestartup/old.sh': { text: 'echo six', modified: 1_000_000 },
      'entrypoint-local.sh': { text: 'echo eight', modified: 3_000_000 },
    });
    const system = image.run({ files, merge: true });
    await system.waitForLine(/: web runs$/);
    expectOrder(system.lines(), [
      /boot-script-my_init-10_first\S*\[\d+\]: one$/,
      /boot-script-my_init-20_second\S*\[\d+\]: two$/,
      /boot-script-rc\.local\S*\[\d+\]: three$/,
      /boot-script-boot-9_fourth\S*\[\d+\]: four$/,
      /boot-script-boot-10_fifth\S*\[\d+\]: five$/,
      /prestart-script-old\.sh\S*\[\d+\]: six$/,
      /prestart-script-new\.sh\S*\[\d+\]: seven [45]\./,
      /prestart-script-entrypoint-local\.sh\S*\[\d+\]: eight$/,
      /web\[\d+\]: web runs$/,
    ]);
    const { stdout } = await ctl(system, 'status');
    expect(stdout).toMatch(/boot-script-my_init-10_first +ready/);
  });

  it('end the boot where one fails, which is named, and run no further', async () => {
    const image = container({ 'etc/my_init.d/1_bad': '#!/bin/sh\nexit 3\n', 'etc/my_init.d/2_more': say('more') });
    const system = image.run({ files, merge: true });
    expect(await system.exit).toBe(1);
    const text = system.lines().join('\n');
    expect(text).toMatch(/boot-script-my_init-1_bad\.service.*exit_status=3/);
    expect(text).not.toMatch(/more$|web runs/m);
  });

  it('are named where they are not executable or no files, and the boot goes on', async () => {
    const image = container({
      'etc/my_init.d/text': 'echo never',
      'etc/my_init.d/folder/x': '',
      'etc/boot.d/script': say('never'),
      'etc/rc.local': { text: say('never'), mode: 0o644 },
    });
    const system = image.run({ files, merge: true });
    await system.waitForLine(/: web runs$/);
    const text = system.lines().join('\n');
    expect(text).toContain('"/etc/my_init.d/text" is not run: it is not executable');
    expect(text).toContain('"/etc/my_init.d/folder" is not run: it is no file');
    expect(text).toContain('"/etc/rc.local" is not run: it is not executable');
    expect(text).toContain('"/etc/boot.d/script" is not run: its name does not begin with a number and "_"');
    expect(text).not.toContain('never');
  });

  it('are switched off, and moved, by the settings', async () => {
    const image = container({ 'etc/my_init.d/a': say('usual'), 'boot/b': say('moved') });
    const off = image.run({
      files: { 'x.conf': config({ ...logAll, ...web, settings: { compat: { my_init: false } } }) },
    });
    await off.waitForLine(/: web runs$/);
    expect(off.lines().join('\n')).not.toContain('usual');
    const moved = container({ 'etc/my_init.d/a': say('usual'), 'boot/b': say('moved') }).run({
      files: { 'x.conf': config({ ...logAll, ...web, settings: { compat: { my_init: '/boot/b' } } }) },
    });
    await moved.waitForLine(/: moved$/);
    await moved.waitForLine(/: web runs$/);
    expect(moved.lines().join('\n')).not.toContain('usual');
  });
});

describe('the folder of variables', () => {
  it('gives each program what stands there by then, and the files hold it without secrets', async () => {
    const image = container({
      'etc/container_environment/FROM_IMAGE': 'image\n',
      'etc/container_environment/GIVEN': 'image',
      'etc/container_environment/GONE': 'soon gone',
      'etc/container_environment/DB_PASSWORD': 'hunter22',
      'etc/my_init.d/1': [
        '#!/bin/sh',
        'echo "one $FROM_IMAGE $GIVEN $DB_PASSWORD"',
        "printf 'a\\nb $HOME `id` \"q\" '\"'\"'s'\"'\"' \\377' >/etc/container_environment/ADDED",
        'echo changed >/etc/container_environment/FROM_IMAGE',
        'rm /etc/container_environment/GONE',
        'echo never >/etc/container_environment/OWN',
        '',
      ].join('\n'),
      'etc/my_init.d/2': `#!/bin/sh\necho "two $FROM_IMAGE \${GONE-unset}"; . /etc/container_environment.sh; printf %s "$ADDED" | od -An -tx1 | tr -d "\\n"; echo\n`,
    });
    const service = {
      command: `sh -c 'echo "web $FROM_IMAGE \${GONE-unset} $GIVEN $OWN"; printf %s "$ADDED" | od -An -tx1 | tr -d "\\n"; echo; exec sleep 1000'`,
      env_set: { OWN: 'of the service' },
      startup_pause: 0,
    };
    const system = image.run({
      files: { 'x.conf': config({ ...logAll, 'web.service': service }) },
      env: { GIVEN: 'started with' },
    });
    await system.waitForLine(/one image started with hunter22$/);
    await system.waitForLine(/two changed unset$/);
    const bytes = Buffer.concat([Buffer.from('a\nb $HOME `id` "q" \'s\' '), Buffer.from([0xff])]);
    const dump = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    await system.waitForLine(new RegExp(`boot-script-my_init-2.*: +${dump}`));
    await system.waitForLine(/web changed unset started with of the service$/);
    await system.waitForLine(new RegExp(`web\\S*: +${dump}`));
    const shell = readFileSync(image.path('etc/container_environment.sh'), 'latin1');
    expect(shell).toContain("export FROM_IMAGE='changed'\n");
    expect(shell).not.toContain('hunter22');
    expect(readFileSync(image.path('env.sh'), 'latin1')).toBe(shell);
    const variables = JSON.parse(readFileSync(image.path('etc/container_environment.json'), 'utf8'));
    expect(variables).toMatchObject({
      FROM_IMAGE: 'changed',
      GIVEN: 'started with',
      ADDED: 'a\nb $HOME `id` "q" \'s\' \udcff',
    });
    expect(variables).not.toHaveProperty('DB_PASSWORD');
    for (const name of ['etc/container_environment.sh', 'etc/container_environment.json', 'env.sh']) {
      expect(statSync(image.path(name)).mode & 0o7777).toBe(0o600);
    }
  });

  it('tells of files that give no variable, also of those that a script has made', async () => {
    const image = container({
      'etc/container_environment/NUL': 'a\0b',
      'etc/container_environment/not-a-name': 'x',
      'etc/container_environment/FOLDER/x': '',
      'etc/my_init.d/1': "#!/bin/sh\nprintf 'x\\0' >/etc/container_environment/LATE\n",
    });
    const system = image.run({ files, merge: true });
    await system.waitForLine(/: web runs$/);
    const text = system.lines().join('\n');
    expect(text).toContain(
      '"/etc/container_environment/NUL" is not read: it holds a NUL byte, which no variable can hold',
    );
    expect(text).toContain('"/etc/container_environment/not-a-name" is not read: its name is no name of a variable');
    expect(text).toContain('"/etc/container_environment/FOLDER" is not read: it is no file');
    expect(text).toMatch(/chaperone\[1\]: "\/etc\/container_environment\/LATE" is not read: it holds a NUL byte/);
  });
});

describe('safe mode', () => {
  it('runs the boot scripts, stays, and starts what it has left out one by one', async () => {
    const image = container({
      'etc/my_init.d/1': say('boot $SAFEMODE'),
      'etc/my_init.d/2_bad': '#!/bin/sh\nexit 1\n',
      'prestartup/a.sh': 'echo prestart',
    });
    const system = image.run({ files, args: ['--safemode'], merge: true });
    await system.waitForLine(/: boot True$/);
    await system.waitForLine(/ready\.$/);
    expect(system.lines().join('\n')).not.toMatch(/web runs|prestart$/);
    const scripts = await telchap(system, 'start', '--wait', 'prestart-script-a.sh');
    expect([scripts.status, scripts.text]).toEqual([0, expect.stringContaining('services started')]);
    await system.waitForLine(/: prestart$/);
    expect((await ctl(system, 'start', 'web', '--wait')).status).toBe(0);
    await system.waitForLine(/: web runs$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('is asked for by a variable, too, and does not begin with False', async () => {
    const image = container({});
    const safe = image.run({ files, env: { SAFEMODE: 'True' } });
    await safe.waitForLine(/ready\.$/);
    expect(safe.lines().join('\n')).not.toContain('web runs');
    const usual = container({}).run({ files, env: { SAFEMODE: 'False', INTERACTIVE: 'False' } });
    await usual.waitForLine(/: web runs$/);
  });

  it('lets a container run whose folders cannot live on a volume', async () => {
    const system = container({}).run({ files, args: ['--safemode'], env: { PERSISTENT_DATA: 'True' }, merge: true });
    await system.waitForLine(/chaperone\[1\]: PERSISTENT_DATA: nothing is mounted at \/persistent/);
    await system.waitForLine(/ready\.$/);
  });
});

describe('the interactive way', () => {
  it('runs the boot scripts and a command in place of the services, and ends with its status', async () => {
    const image = container({ 'etc/my_init.d/1': say('boot $INTERACTIVE'), 'prestartup/a.sh': 'echo prestart' });
    const system = image.run({
      files,
      merge: true,
      args: ['--interactive', '--exitkills', 'sh', '-c', `echo "shell $INTERACTIVE \${SAFEMODE-no}"; exit 5`],
    });
    expect(await system.exit).toBe(5);
    const lines = system.lines();
    expectOrder(lines, [/: boot True$/, /: prestart$/, /^shell True no$/]);
    expect(lines.join('\n')).not.toContain('web runs');
  });

  it('starts a shell where no command is given, in safe mode without pre-start scripts', async () => {
    const image = container({ 'etc/my_init.d/1': say('boot'), 'prestartup/a.sh': 'echo prestart' });
    // The shell has the null device for its input, and ends at once.
    const system = image.run({ files, merge: true, args: ['--interactive', '--safemode', '--log-level', 'debug'] });
    expect(await system.exit).toBe(0);
    const text = system.lines().join('\n');
    expect(text).toMatch(/CONSOLE attempting start '\/bin\/bash'/);
    expect(text).toMatch(/: boot$/m);
    expect(text).not.toMatch(/: prestart$|web runs/m);
  });
});

describe('shutdown scripts', () => {
  const stubborn = {
    'web.service': {
      command: `sh -c 'trap "echo web ends; exit" TERM; echo web runs; while :; do sleep 0.05; done'`,
      startup_pause: 0,
    },
  };

  it('run before the services stop, and after they have stopped; a failing one hinders no other', async () => {
    const image = container({
      'etc/my_init.pre_shutdown.d/10_a': '#!/bin/sh\necho before a; exit 1\n',
      'etc/my_init.pre_shutdown.d/20_b': say('before b'),
      'etc/my_init.pre_shutdown.d/text': 'echo never',
      'etc/my_init.post_shutdown.d/10_c': '#!/bin/sh\necho after c; exit 1\n',
      'etc/my_init.post_shutdown.d/20_d': say('after d'),
    });
    const system = image.run({ files: { 'x.conf': config({ ...logAll, ...stubborn }) }, merge: true });
    await system.waitForLine(/: web runs$/);
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines(), [
      /"\/etc\/my_init\.pre_shutdown\.d\/text" is not run: it is not executable/,
      /pre-shutdown-scripts\[\d+\]: before a$/,
      /pre-shutdown-scripts\[\d+\]: before b$/,
      /web\[\d+\]: web ends$/,
      /post-shutdown-scripts\[\d+\]: after c$/,
      /post-shutdown-scripts\[\d+\]: after d$/,
    ]);
  });
});

describe('persistence', () => {
  const keeping = {
    'x.conf': config({
      ...logAll,
      'keeper.service': {
        command: 'sh -c "echo more >>/data/log; cat /data/mark; pwd; exec sleep 1000"',
        startup_pause: 0,
      },
    }),
  };
  const env = { PERSISTENT_DATA: 'True', PERSISTENT_HOME: 'False' };

  it('moves a folder before any service, keeps the next image apart, and services begin where they began', async () => {
    const image = container(
      { 'data/mark': 'image\n', 'etc/my_init.d/1': '#!/bin/sh\nreadlink /data\n' },
      { volume: true },
    );
    const first = image.run({ files: keeping, env, merge: true, workdir: '/data' });
    await first.waitForLine(/moving \/data to \/persistent\/data/);
    await first.waitForLine(
      /chaperone\[1\]: \/data lives in \/persistent\/data from now on: its content was moved there/,
    );
    await first.waitForLine(/boot-script\S*: \/persistent\/data$/);
    await first.waitForLine(/keeper\S*: image$/);
    await first.waitForLine(/keeper\S*: (\/persistent)?\/data$/);
    first.signal('SIGTERM');
    await first.exit;
    // The same container again, then a new one of the image.
    const again = image.run({ files: keeping, env });
    await again.waitForLine(/keeper\S*: image$/);
    again.signal('SIGTERM');
    await again.exit;
    expect(again.lines().join('\n')).not.toContain('lives in');
    image.renew();
    const renewed = image.run({ files: keeping, env });
    await renewed.waitForLine(
      /\/data lives in \/persistent\/data; what this image has in \/data is kept in \/data\.image/,
    );
    await renewed.waitForLine(/keeper\S*: image$/);
    expect(readFileSync(image.onVolume('data/log'), 'utf8')).toBe('more\nmore\nmore\n');
    expect(readFileSync(image.path('data.image/mark'), 'utf8')).toBe('image\n');
  });

  it('ends the boot where the volume is missing, and starts nothing', async () => {
    const system = container({ 'data/mark': 'image\n' }).run({ files: keeping, env, merge: true });
    expect(await system.exit).toBe(1);
    expect(system.lines()).toEqual([
      expect.stringMatching(/^chaperone: PERSISTENT_DATA: nothing is mounted at \/persistent/),
    ]);
  });

  it('is switched off by the settings', async () => {
    const settings = { compat: { persistence: false } };
    const system = container({ 'data/mark': 'image\n' }).run({
      files: { 'x.conf': config({ ...logAll, ...web, settings }) },
      env,
    });
    await system.waitForLine(/: web runs$/);
  });

  it('refuses a value that is neither true nor false', async () => {
    const system = container({}, { volume: true }).run({ files, env: { PERSISTENT_LOG: 'maybe' }, merge: true });
    expect(await system.exit).toBe(1);
    expect(system.lines()).toEqual(['chaperone: PERSISTENT_LOG is "maybe": expected True or False']);
  });
});
