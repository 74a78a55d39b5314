/** A real client talks to the server that images get on request. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type Container, container, type ImageFile } from './image.ts';
import { type Booted, config, isRoot, logAll } from './namespace.ts';
import { freePort } from './ports.ts';

beforeEach((context) => {
  if (!isRoot) context.skip('only root can mount the layers of an image');
  if (!existsSync('/usr/sbin/sshd')) context.skip('openssh-server is not installed');
});

const sleeper = { 'main.service': { command: 'sleep 1000', startup_pause: 0 } };
const files = (on: boolean) => ({
  'x.conf': config({ ...logAll, ...sleeper, ...(on ? { settings: { compat: { sshd: true } } } : {}) }),
});
// The accounts that the client asks for: one whose password nobody knows, and one that is not root.
const accounts: Readonly<Record<string, ImageFile>> = {
  'etc/passwd':
    'root:x:0:0::/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/bin/false\npat:x:1000:1000::/home/pat:/bin/bash\n',
  'etc/shadow': { text: 'root:*:19000::::::\nsshd:*:19000::::::\npat:*:19000::::::\n', mode: 0o600 },
  'home/pat/': '',
};

interface Client {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The key of the client is in the folder of the system. */
function ssh(
  system: Booted,
  port: number,
  user: string,
  words: readonly string[],
  more: readonly string[] = [],
): Client {
  const known = system.path('known_hosts');
  const options = [
    '-F',
    'none',
    '-o',
    'BatchMode=yes',
    '-o',
    `UserKnownHostsFile=${known}`,
    '-o',
    'IdentitiesOnly=yes',
  ];
  const strict = existsSync(known) ? 'yes' : 'accept-new';
  const { status, stdout, stderr } = spawnSync(
    'ssh',
    [...options, '-o', `StrictHostKeyChecking=${strict}`, '-p', String(port), ...more, `${user}@127.0.0.1`, ...words],
    { encoding: 'utf8', timeout: 30_000 },
  );
  return { status, stdout, stderr };
}

const keys = mkdtempSync(join(tmpdir(), 'chaperone-ssh-'));
afterAll(() => rmSync(keys, { recursive: true }));

function makeKey(name: string): { readonly path: string; readonly line: string } {
  const path = join(keys, name);
  if (!existsSync(path)) spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path]);
  return { path, line: readFileSync(`${path}.pub`, 'utf8').trim() };
}

async function running(image: Container, port: number, env: Readonly<Record<string, string>> = {}): Promise<Booted> {
  const system = image.run({ files: files(true), env: { SSHD_PORT: String(port), ...env }, merge: true });
  await system.waitForLine(/sshd\S*: Server listening on 0\.0\.0\.0/);
  return system;
}

async function end(system: Booted): Promise<void> {
  system.signal('SIGTERM');
  await system.exit;
}

describe('the server for people', () => {
  it('lets in who has a key of the variable, with the environment and without secrets; no other, and no password', async () => {
    const [own, other] = [makeKey('own'), makeKey('other')];
    const port = await freePort();
    const system = await running(container(accounts), port, {
      AUTHORIZED_KEYS: own.line,
      GREETING: "it's\n$HOME `id`",
      DB_PASSWORD: 'hunter22',
    });
    const print = `printf "%s|%s|%s" "$GREETING" "\${DB_PASSWORD-unset}" "$(id -un)"`;
    for (const user of ['root', 'pat']) {
      const { stdout, stderr } = ssh(system, port, user, [print], ['-i', own.path]);
      expect([stdout, stderr]).toEqual([`it's\n$HOME \`id\`|unset|${user}`, expect.any(String)]);
    }
    expect(ssh(system, port, 'root', ['exit 7'], ['-i', own.path]).status).toBe(7);
    const refused = ssh(system, port, 'root', ['true'], ['-i', other.path]);
    expect([refused.status, refused.stderr]).toEqual([255, expect.stringContaining('Permission denied (publickey)')]);
    const password = ssh(
      system,
      port,
      'root',
      ['true'],
      ['-o', 'PreferredAuthentications=password,keyboard-interactive'],
    );
    expect([password.status, password.stderr]).toEqual([255, expect.stringContaining('Permission denied (publickey)')]);
    await end(system);
  });

  it('takes keys from the file of the image and from a secret, and has host keys that are not those of the image', async () => {
    const [own, other] = [makeKey('own'), makeKey('other')];
    const port = await freePort();
    const image = container({
      ...accounts,
      'etc/chaperone/authorized_keys': own.line,
      'run/secrets/authorized_keys': `${other.line}\n`,
      'etc/ssh/ssh_host_ed25519_key': { text: 'the key of the image', mode: 0o600 },
    });
    const system = await running(image, port);
    for (const { path } of [own, other]) expect(ssh(system, port, 'root', ['true'], ['-i', path]).status).toBe(0);
    const keys = image.path('etc/chaperone/sshd');
    expect(readdirSync(keys).sort()).toEqual([
      ...['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub', 'ssh_host_rsa_key', 'ssh_host_rsa_key.pub'],
    ]);
    expect(statSync(join(keys, 'ssh_host_ed25519_key')).mode & 0o7777).toBe(0o600);
    await end(system);
  });

  it('keeps its host keys on the volume: a client knows the next container', async () => {
    const own = makeKey('own');
    const port = await freePort();
    const image = container(accounts, { volume: true });
    const first = await running(image, port, { AUTHORIZED_KEYS: own.line });
    expect(ssh(first, port, 'root', ['true'], ['-i', own.path]).status).toBe(0);
    const known = readFileSync(first.path('known_hosts'), 'utf8');
    await end(first);
    image.renew();
    const second = await running(image, port, { AUTHORIZED_KEYS: own.line });
    expect(ssh(second, port, 'root', ['true'], ['-i', own.path]).status).toBe(0);
    expect(readFileSync(second.path('known_hosts'), 'utf8')).toBe(known);
    expect(existsSync(image.onVolume('sshd/ssh_host_ed25519_key'))).toBe(true);
    await end(second);
  });

  it('does not start without keys, says so, and the system goes on', async () => {
    const system = container(accounts).run({ files: files(true), merge: true });
    await system.waitForLine(/sshd is not started: there are no keys in \/etc\/chaperone\/authorized_keys, /);
    await system.waitForLine(/ready\.$/);
    await end(system);
  });

  it('is off unless it is asked for', async () => {
    const system = container(accounts).run({ files: files(false), merge: true });
    await system.waitForLine(/ready\.$/);
    expect(system.lines().join('\n')).not.toContain('sshd');
    await end(system);
  });
});
