/** Copies into a folder of another account, which root often makes: the account must not lead them to a file of root's. */
import {
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { copyFiles } from '../../../src/cli/envcp/envcp-copy.ts';
import { isRoot, type Scene, scene, stranger, swap, tryOften } from '../../runtime/linux/swapping.ts';

/** Copies a new file over a name in the stranger's folder, and returns the message of the error. */
async function copy({ roots, theirs }: Scene, name: string, overwrite = true): Promise<string | undefined> {
  const source = join(roots, '..', 'source');
  if (!existsSync(source)) writeFileSync(source, 'new\n', { mode: 0o600 });
  try {
    await copyFiles({
      sources: [source],
      destination: join(theirs, name),
      overwrite,
      archive: false,
      suffix: '',
      transform: (input) => input,
    });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe.runIf(isRoot)('a copy into a folder of another account', () => {
  it('does not follow its links, and says so', async () => {
    const stage = scene();
    const before = stage.state();
    for (const [name, target] of [
      ['file', join(stage.roots, 'secret')],
      ['folder', stage.roots],
    ] as const) {
      symlinkSync(target, join(stage.theirs, name));
      lchownSync(join(stage.theirs, name), stranger, stranger);
    }
    const why = 'is a symbolic link that another account has made or could replace';
    expect(await copy(stage, 'file')).toBe(
      `cannot write ${join(stage.theirs, 'file')}: ${join(stage.theirs, 'file')} ${why}`,
    );
    expect(await copy(stage, 'folder/secret')).toContain(`${join(stage.theirs, 'folder')} ${why}`);
    expect(stage.state()).toEqual(before);
  });

  it('takes the name of a hard link, and leaves the file of root', async () => {
    const stage = scene();
    const path = join(stage.theirs, 'x');
    linkSync(join(stage.roots, 'secret'), path);
    expect(await copy(stage, 'x')).toBeUndefined();
    expect([readFileSync(path, 'utf8'), readFileSync(join(stage.roots, 'secret'), 'utf8')]).toEqual([
      'new\n',
      'precious\n',
    ]);
  });

  it('keeps the owner of the file that it replaces', async () => {
    const stage = scene();
    const path = join(stage.theirs, 'x');
    writeFileSync(path, 'old\n', { mode: 0o640 });
    chownSync(path, stranger, stranger);
    expect(await copy(stage, 'x')).toBeUndefined();
    const { uid, gid, mode } = statSync(path);
    expect([uid, gid, mode & 0o7777, readFileSync(path, 'utf8')]).toEqual([stranger, stranger, 0o640, 'new\n']);
  });

  it('changes no file of root while the account swaps names, and leaves nothing behind', async () => {
    const stage = scene();
    const before = stage.state();
    const stop = await swap(
      stage,
      `const [link, name, sub] = ['/link', '/x', '/sub'].map((each) => theirs + each);
      quietly(() => fs.unlinkSync(name));
      quietly(() => fs.symlinkSync(roots + '/secret', name));
      quietly(() => fs.unlinkSync(sub));
      quietly(() => fs.symlinkSync(roots, sub));
      quietly(() => fs.unlinkSync(sub));
      quietly(() => fs.mkdirSync(sub));
      quietly(() => fs.rmSync(sub, { recursive: true }));
      // Temporaries are swapped for links, too.
      for (const each of fs.readdirSync(theirs)) {
        if (!each.startsWith('.envcp')) continue;
        quietly(() => fs.unlinkSync(theirs + '/' + each));
        quietly(() => fs.symlinkSync(roots + '/secret', theirs + '/' + each));
      }`,
    );
    const outcomes = await tryOften(async () => {
      await copy(stage, 'x');
      return (await copy(stage, 'sub/secret'))?.includes('symbolic link') === true ? 'link' : 'other';
    }, 'link');
    expect(stage.state()).toEqual(before);
    expect([...outcomes.keys()]).toContain('link');
    await stop();
    rmSync(stage.theirs, { recursive: true });
    expect(readdirSync(stage.roots)).toEqual(['secret']);
  }, 60_000);
});
