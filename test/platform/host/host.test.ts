import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { withHostValue } from '../../../src/platform/conf/write-host-conf.ts';
import { buildContext } from '../../../src/platform/host/build-context.ts';
import { findProject, type Project } from '../../../src/platform/host/find-project.ts';
import { ensureKey, keyFile, publicKey } from '../../../src/platform/host/keys.ts';
import { makeProject } from '../../../src/platform/host/new-project.ts';

function folderOf(files: Readonly<Record<string, string>>, name = 'shop'): string {
  const parent = mkdtempSync(join(tmpdir(), 'dockerops-host-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  const folder = join(parent, name);
  mkdirSync(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function found(environment: Readonly<Record<string, string>>, folder: string, conf?: string): Project {
  const project = findProject(environment, folder, conf);
  if (project.kind === 'none') throw new Error(project.message);
  return project.project;
}

function messageOf(environment: Readonly<Record<string, string>>, folder: string, conf?: string): string {
  const project = findProject(environment, folder, conf);
  return project.kind === 'none' ? project.message : 'it was found';
}

const web = { 'apps_containers/web/Dockerfile': 'FROM shop/dockerops-base\n' };

describe('a project', () => {
  it('is the folder, or one above it, and is called like it', () => {
    const folder = folderOf({ ...web, 'apps_containers/notes.txt': '', 'apps_containers/empty/x': '' });
    const { places, sources, run } = found({}, join(folder, 'apps_containers/web'));
    expect(places).toEqual({
      name: 'shop',
      folder,
      dataFolder: join(folder, 'data_shop'),
      containersFolder: join(folder, 'apps_containers'),
    });
    expect([...sources.keys()]).toEqual(['dockerops-base', 'web']);
    expect(run).toBeUndefined();
  });

  it('is where the environment says, and called as it says', () => {
    const folder = folderOf({
      'boxes/web/Dockerfile': 'FROM x',
      'bases/dockerops-base/Dockerfile': 'FROM debian',
      'boxes/run.conf': '[{ "service": "web", "instance": "a" }]',
      'services/none/Dockerfile': 'FROM x',
    });
    const env = {
      PROJECT_DIR: folder,
      PROJECT_NAME: 'mall',
      DATA_DIR: '/srv/data',
      APPS_CONTAINERS_DIR: 'boxes',
      BASE_CONTAINERS_DIR: 'bases',
    };
    const { places, sources, run } = found(env, '/');
    expect(places).toMatchObject({ name: 'mall', dataFolder: '/srv/data', baseFolder: join(folder, 'bases') });
    expect([...sources.values()].map(({ name, own }) => [name, own])).toEqual([
      ['dockerops-base', false],
      ['web', true],
    ]);
    expect(sources.get('dockerops-base')?.folder).toBe(join(folder, 'bases/dockerops-base'));
    expect(run).toMatchObject([{ container: 'web', instance: 'a' }]);
  });

  it('has services/, another run conf, build.conf and host.conf', () => {
    const folder = folderOf({
      'services/web/Dockerfile': 'FROM x',
      'services/test.conf': '- { container: web, instance: t }',
      'services/build.conf': '["web"]',
      'host.conf': '{"A": "1"}',
    });
    const { run, build, host, diagnostics } = found({}, folder, 'test');
    expect({ run, build, host, diagnostics }).toMatchObject({
      run: [{ instance: 't' }],
      build: ['web'],
      host: { A: '1' },
      diagnostics: [],
    });
    expect(messageOf({}, folder, 'none')).toBe(`there is no conf "none" in ${join(folder, 'services')}`);
  });

  it('is not there, or has a name that no image can have', () => {
    expect(messageOf({}, folderOf({}))).toContain('"dockerops init" makes a project');
    expect(messageOf({}, folderOf(web, 'My Shop'))).toContain('gives the project the name "My Shop"');
    expect(messageOf({ PROJECT_NAME: 'a;b' }, folderOf(web))).toContain(
      'PROJECT_NAME gives the project the name "a;b"',
    );
    expect(messageOf({}, folderOf({ 'services/Web/Dockerfile': '' }))).toContain('no image can have the name "Web"');
  });
});

interface Packed {
  readonly name: string;
  readonly uid: number;
  /** Unix ms. */
  readonly mtime: number;
}

/** The headers of the tar: blocks of 512 bytes, each followed by its file's content. */
async function packed(folder: string, now = new Date()): Promise<readonly Packed[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of buildContext(folder, now)) chunks.push(Buffer.from(chunk));
  const tar = Buffer.concat(chunks);
  const entries: Packed[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    const text = (from: number, to: number): string =>
      tar
        .toString('latin1', at + from, at + to)
        .replace(/\0.*$/s, '')
        .trim();
    const number = (from: number, to: number): number => Number.parseInt(text(from, to), 8);
    entries.push({ name: text(0, 100), uid: number(108, 116), mtime: number(136, 148) * 1000 });
    at += 512 + Math.ceil(number(124, 136) / 512) * 512;
  }
  return entries;
}

describe('a build context', () => {
  const names = async (files: Readonly<Record<string, string>>): Promise<readonly string[]> =>
    (await packed(folderOf(files))).map(({ name }) => name.replace(/\/$/, '')).filter((name) => name !== '.');

  it('is all of the folder', async () => {
    expect(await names({ Dockerfile: '', 'a/b/c': '', '.hidden': '' })).toEqual([
      '.hidden',
      'Dockerfile',
      'a',
      'a/b',
      'a/b/c',
    ]);
  });

  it.each([
    ['a folder', 'a\n', ['.dockerignore', 'Dockerfile', 'x.log']],
    ['a pattern, with a comment', '# logs\n*.log\n', ['.dockerignore', 'Dockerfile', 'a', 'a/keep', 'a/rest']],
    ['all but one file', '**\n!a/keep\n', ['.dockerignore', 'Dockerfile', 'a', 'a/keep']],
  ])('leaves out %s', async (_, rules, kept) => {
    expect(await names({ '.dockerignore': rules, Dockerfile: '', 'a/keep': '', 'a/rest': '', 'x.log': '' })).toEqual(
      kept,
    );
  });

  it('belongs to root, and keeps links as they are', async () => {
    const folder = folderOf({ Dockerfile: '' });
    symlinkSync('/etc/passwd', join(folder, 'link'));
    const entries = await packed(folder);
    expect(entries.every(({ uid }) => uid === 0)).toBe(true);
    expect(entries.map(({ name }) => name)).toContain('link');
  });

  it('makes scripts younger that are run by their times', async () => {
    const folder = folderOf({ Dockerfile: '', 'prestartup_web.sh': '' });
    for (const name of ['Dockerfile', 'prestartup_web.sh']) utimesSync(join(folder, name), 1000, 1000);
    const now = new Date(1_700_000_000_000);
    const times = new Map((await packed(folder, now)).map(({ name, mtime }) => [name, mtime]));
    expect([times.get('Dockerfile'), times.get('prestartup_web.sh')]).toEqual([1_000_000, now.getTime()]);
  });
});

describe('host.conf', () => {
  it.each([
    ['', '{\n  "KEY": "a\\"b"\n}\n'],
    ['{"A": "1"}', '{ "A": "1", "KEY": "a\\"b" }\n'],
    ['{\n  "A": "1", # one\n  "KEY": "old"\n}\n', '{\n  "A": "1", # one\n  "KEY": "a\\"b"\n}\n'],
    ['A: 1 # one\n', 'A: 1 # one\nKEY: a"b\n'],
  ])('of %j gets a value', (before, after) => {
    expect(withHostValue(before, 'KEY', 'a"b')).toBe(after);
  });

  it('is left alone where it cannot be understood', () => {
    expect(() => withHostValue('{"A": ', 'KEY', 'x')).toThrow('host.conf');
  });
});

describe('the key of a project', () => {
  it('is made once, and is for its owner alone', async () => {
    const folder = folderOf(web);
    expect(publicKey(folder)).toBeUndefined();
    await ensureKey(folder, 'shop');
    const key = publicKey(folder);
    expect(key).toMatch(/^ssh-ed25519 \S+ dockerops shop$/);
    chmodSync(keyFile(folder), 0o644);
    await ensureKey(folder, 'shop');
    expect(statSync(keyFile(folder)).mode & 0o777).toBe(0o600);
    expect(publicKey(folder)).toBe(key);
  });
});

describe('a new project', () => {
  it.each(['dockerops-project', 'dockerops-demo'])('of config/%s has no mistakes', (recipe) => {
    const folder = folderOf({});
    const made = makeProject(join(import.meta.dirname, '../../../config', recipe), folder, 'shop');
    expect(made).toContain('.gitignore');
    const { diagnostics, run = [], sources } = found({}, folder);
    expect(diagnostics).toEqual([]);
    expect(run.length).toBeGreaterThan(0);
    for (const { dockerfile, own } of sources.values()) if (own) expect(dockerfile.base).toBe('shop/dockerops-base');
  });

  it('leaves what is there as it is', () => {
    const folder = folderOf({ 'apps_containers/run.conf': '[]' });
    const made = makeProject(join(import.meta.dirname, '../../../config/dockerops-project'), folder, 'shop');
    expect(made).not.toContain('apps_containers/run.conf');
    expect(readFileSync(join(folder, 'apps_containers/run.conf'), 'utf8')).toBe('[]');
  });
});
