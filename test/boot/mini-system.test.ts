import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../dist.ts';
import { type Booted, boot, isRoot, until } from './namespace.ts';

const sample = join(import.meta.dirname, '../../config/mini-system');
const dist = inDist();

const accounts = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nother:x:500:500::/home/other:/bin/sh\n',
  group: 'root:x:0:\nother:x:500:\n',
};

/** A copy of the sample in a folder of this name that belongs to `owner`. */
function folder(name: string, owner: number): string {
  const parent = mkdtempSync(join(tmpdir(), 'chaperone-mini-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  chownSync(parent, owner, owner);
  const path = join(parent, name);
  cpSync(sample, path, { recursive: true });
  for (const inside of ['', 'var', 'etc', 'bin', 'chaperone.d']) chownSync(join(path, inside), owner, owner);
  return path;
}

/** A folder for PATH with envcp in it, as in an image that has chaperone. */
function programs(): string {
  const path = mkdtempSync(join(tmpdir(), 'chaperone-bin-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  mkdirSync(join(path, 'bin'));
  chmodSync(path, 0o755);
  copyFileSync(join(dist, 'envcp.cjs'), join(path, 'bin/envcp'));
  chmodSync(join(path, 'bin/envcp'), 0o755);
  return join(path, 'bin');
}

function start(path: string, more: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Booted {
  return boot({
    accounts,
    args: ['--create-user', `app:${path}`, '--config', join(path, 'chaperone.d'), ...more],
    env: { PATH: `${programs()}:${process.env['PATH'] ?? ''}`, INTERVAL: '60', ...env },
  });
}

describe.runIf(isRoot)('a mini-system: everything in one folder', () => {
  it('runs as the owner of the folder, wherever that is, and writes into it', async () => {
    const path = folder('hello', 4321);
    const system = start(path, [], { GREETING: 'good morning' });
    await system.waitForLine(/ greeter\[\d+\]: good morning, from app$/);
    expect(readFileSync(join(path, 'var/greeter.conf'), 'utf8')).toContain(`log=${path}/var/greetings.log`);
    const written = await until('the greeting is written', () =>
      statSync(join(path, 'var/greetings.log'), { throwIfNoEntry: false }),
    );
    expect([written.uid, written.gid, statSync(join(path, 'var/greeter.conf')).uid]).toEqual([4321, 4321, 4321]);
    expect(readFileSync(system.path('passwd'), 'utf8')).toMatch(/^app:!?x?:4321:4321:/m);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('stands beside another one', async () => {
    const [one, two] = [folder('one', 4321), folder('two', 4322)];
    const systems = [start(one), start(two, [], { GREETING: 'hi' })] as const;
    await systems[0].waitForLine(/hello, from app/);
    await systems[1].waitForLine(/hi, from app/);
    const owner = (path: string): number => statSync(join(path, 'var/greeter.conf')).uid;
    expect([owner(one), owner(two)]).toEqual([4321, 4322]);
    for (const system of systems) system.signal('SIGTERM');
    expect(await Promise.all(systems.map((system) => system.exit))).toEqual([0, 0]);
  });

  it('finds its user again at the next start, and takes a relative path from the home', async () => {
    const path = folder('hello', 4321);
    const first = start(path, ['--task', 'sh', '-c', 'echo home=$HOME user=$USER logname=$LOGNAME $(id -u)']);
    expect(await first.exit).toBe(0);
    expect(first.lines('stdout')).toEqual(['home=/home/app user=app logname=app 4321']);
    const passwd = readFileSync(first.path('passwd'), 'utf8');
    const again = boot({
      accounts: { passwd, group: readFileSync(first.path('group'), 'utf8') },
      args: ['--create-user', `app:${path}`, '--task', 'id', '-un'],
    });
    expect(await again.exit).toBe(0);
    expect(again.lines('stdout')).toEqual(['app']);
    expect(readFileSync(again.path('passwd'), 'utf8')).toBe(passwd);

    const home = boot({
      accounts,
      args: ['--create-user', `app:${path}`, '--default-home', path, '--config', 'chaperone.d', '--show-dependencies'],
    });
    expect(await home.exit, home.lines().join('\n')).toBe(0);
    expect(home.lines('stdout')).toContain('greeter | setup');
  });
});
