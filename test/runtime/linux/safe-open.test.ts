import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { doLater, doNow, type Steps } from '../../../src/runtime/linux/file-steps.ts';
import {
  checkFolder,
  closeFolder,
  locate,
  makeOwnFolder,
  type OpenOptions,
  openFile,
  openFolder,
  pathIn,
  removeFile,
  withMode,
} from '../../../src/runtime/linux/safe-open.ts';
import { isRoot, scene, stranger, swap, tryOften } from './swapping.ts';

const appending = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chaperone-safe-'));
  chmodSync(folder, 0o755);
  const path = folder;
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
});

const at = (name: string): string => join(folder, name);
const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

/** Opens a file, writes to it, and returns the code of the error or what the file holds then. */
function writeTo(path: string, options: Partial<OpenOptions> = {}): string {
  try {
    const { fd, place } = doNow(
      openFile(path, { flags: appending, create: { mode: 0o640 }, make: { mode: 0o755 }, ...options }),
    );
    writeSync(fd, 'line\n');
    closeSync(fd);
    closeFolder(place.folder);
    return readFileSync(path, 'utf8');
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error) return String(error.code);
  throw error;
}

function outcomeOf(action: () => void): string {
  try {
    action();
    return 'done';
  } catch (error) {
    return codeOf(error);
  }
}

/** A folder of the stranger, who has made this in it. */
function theirs(mode = 0o755): string {
  mkdirSync(at('theirs'), { mode });
  chmodSync(at('theirs'), mode);
  chownSync(at('theirs'), stranger, stranger);
  return at('theirs');
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('a path that is opened safely', () => {
  it('is made with its folders and exactly the given modes, whatever the umask', () => {
    const umask = process.umask(0o077);
    try {
      expect(writeTo(at('a/b/x'), { make: { mode: 0o775 }, create: { mode: 0o664 } })).toBe('line\n');
    } finally {
      process.umask(umask);
    }
    expect([modeOf(at('a')), modeOf(at('a/b')), modeOf(at('a/b/x'))]).toEqual(['775', '775', '664']);
  });

  it('has the same outcome when threads run the steps', async () => {
    const { fd, created, place } = await doLater(
      openFile(at('a/x'), { flags: appending, create: { mode: 0o640 }, make: { mode: 0o755 } }),
    );
    expect([created, place.folder.path, place.name, modeOf(at('a/x'))]).toEqual([true, at('a'), 'x', '640']);
    closeSync(fd);
    closeFolder(place.folder);
    await expect(doLater(openFile(at('b/x'), { flags: appending }))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('leaves no descriptor open, whatever happens', () => {
    symlinkSync(at('loop'), at('loop'));
    symlinkSync('nowhere', at('dangling'));
    writeFileSync(at('file'), '');
    const before = descriptors();
    const ends = ['x', 'loop', 'loop/x', 'dangling', 'file/x', '../..', ''].map((name) => writeTo(`${folder}/${name}`));
    expect(ends).toEqual(['line\n', 'ELOOP', 'ELOOP', 'EEXIST', 'ENOTDIR', 'EISDIR', 'EISDIR']);
    expect(descriptors()).toBe(before);
  });

  it('follows links that root or chaperone has made, relative and absolute ones, also with dots', () => {
    mkdirSync(at('real/sub'), { recursive: true });
    symlinkSync('real/sub', at('relative'));
    symlinkSync(at('real'), at('absolute'));
    symlinkSync('../relative/../x', at('real/dots'));
    symlinkSync('absolute/dots', at('chain'));
    writeFileSync(at('real/x'), '');
    expect(writeTo(at('relative/y'))).toBe('line\n');
    expect(writeTo(at('absolute/sub/y'))).toBe('line\nline\n');
    expect(writeTo(at('chain'))).toBe('line\n');
    expect(readFileSync(at('real/x'), 'utf8')).toBe('line\n');
  });

  it('passes through a folder that may be entered and not read', () => {
    mkdirSync(at('blind'), { mode: 0o711 });
    expect(writeTo(at('blind/x'))).toBe('line\n');
  });

  it('may be a descriptor of chaperone, by the links of /proc', () => {
    const fd = openSync(at('x'), 'w');
    rmSync(at('x'));
    symlinkSync(`/proc/self/fd/${fd}`, at('link'));
    const { fd: again, place } = doNow(openFile(at('link'), { flags: appending }));
    expect(fstatSync(again).ino).toBe(fstatSync(fd).ino);
    for (const each of [fd, again]) closeSync(each);
    closeFolder(place.folder);
  });
});

describe.runIf(isRoot)('of other accounts', () => {
  it.each([
    ['a link to a file', 'x', (path: string) => symlinkSync(at('secret'), path), 'FOREIGN_LINK'],
    ['a link of root that another account could replace', 'x', (path: string) => own(path, 0), 'FOREIGN_LINK'],
    ['a hard link to a file of root', 'x', (path: string) => linkSync(at('secret'), path), 'FOREIGN_HARD_LINK'],
    ['a file', 'x', (path: string) => writeFileSync(path, ''), 'FOREIGN_FILE'],
  ])('%s is not opened', (_, name, make, code) => {
    writeFileSync(at('secret'), 'precious\n');
    const path = join(theirs(), name);
    make(path);
    if (lstatSync(path).nlink === 1 && code !== 'FOREIGN_LINK') chownSync(path, stranger, stranger);
    if (code === 'FOREIGN_LINK' && lstatSync(path).uid === 0 && readlinkSync(path) === at('secret'))
      lchownSync(path, stranger, stranger);
    expect(writeTo(path)).toBe(code);
    expect(readFileSync(at('secret'), 'utf8')).toBe('precious\n');
  });

  /** A link to a harmless file, in the name of that account. */
  function own(path: string, uid: number): void {
    symlinkSync(at('harmless'), path);
    lchownSync(path, uid, uid);
  }

  it.each([0o1777, 0o755])('a link is not followed in a folder with mode %o', (mode) => {
    mkdirSync(at('open'), { mode });
    chmodSync(at('open'), mode);
    mkdirSync(at('real'));
    symlinkSync(at('real'), at('open/link'));
    lchownSync(at('open/link'), stranger, stranger);
    expect(writeTo(at('open/link/x'))).toBe('FOREIGN_LINK');
    expect(writeTo(at('open/link'))).toBe('FOREIGN_LINK');
    expect(readdirSync(at('real'))).toEqual([]);
  });

  it('a link of root is followed in a folder where others may add names, and not replace them', () => {
    mkdirSync(at('open'));
    chmodSync(at('open'), 0o1777);
    mkdirSync(at('real'));
    symlinkSync(at('real'), at('open/link'));
    expect(writeTo(at('open/link/x'))).toBe('line\n');
    chmodSync(at('open'), 0o777);
    expect(writeTo(at('open/link/x'))).toBe('FOREIGN_LINK');
  });

  it('a file is opened where the configuration names that account', () => {
    const path = join(theirs(), 'x');
    writeFileSync(path, '');
    chownSync(path, stranger, stranger);
    expect(writeTo(path, { owner: { uid: stranger, gid: stranger, gidGiven: false } })).toBe('line\n');
    expect(writeTo(path, { owner: { uid: 1001, gid: 1001, gidGiven: false } })).toBe('FOREIGN_FILE');
  });

  it('a folder may hold a file that chaperone makes, and what is made belongs to the named account', () => {
    const path = join(theirs(), 'sub/x');
    expect(
      writeTo(path, {
        owner: { uid: 7, gid: 8, gidGiven: true },
        make: { mode: 0o755, owner: { uid: 7, gid: 8, gidGiven: true } },
      }),
    ).toBe('line\n');
    for (const made of [path, join(path, '..')]) expect([statSync(made).uid, statSync(made).gid]).toEqual([7, 8]);
  });

  it('a file that everybody may write to is not opened, unless that is asked for', () => {
    writeFileSync(at('x'), '');
    chmodSync(at('x'), 0o666);
    expect(writeTo(at('x'))).toBe('WRITABLE_BY_ALL');
    expect(writeTo(at('x'), { forbidden: 0 })).toBe('line\n');
    chmodSync(at('x'), 0o660);
    expect(writeTo(at('x'), { forbidden: 0o022 })).toBe('WRITABLE_BY_ALL');
    expect(writeTo('/dev/null')).toBe('');
  });

  it.each([0o755, 0o775, 0o777])('a folder is not one in which names stay, with mode %o', (mode) => {
    const path = theirs(mode);
    expect(outcomeOf(() => checkFolder(path))).toBe('FOREIGN_FOLDER');
    mkdirSync(join(path, 'roots'));
    expect(outcomeOf(() => checkFolder(join(path, 'roots')))).toBe('FOREIGN_FOLDER');
    chownSync(path, 0, 0);
    // Group 0 is root's.
    expect(outcomeOf(() => checkFolder(path))).toBe(mode === 0o777 ? 'FOREIGN_FOLDER' : 'done');
    chmodSync(path, 0o1777);
    expect(outcomeOf(() => checkFolder(path))).toBe('done');
  });

  it('a folder is not taken as one of chaperone, and neither is a link to one', () => {
    mkdirSync(at('open'));
    chmodSync(at('open'), 0o1777);
    mkdirSync(at('open/theirs'));
    chownSync(at('open/theirs'), stranger, stranger);
    mkdirSync(at('real'), { mode: 0o755 });
    symlinkSync(at('real'), at('open/link'));
    expect(outcomeOf(() => makeOwnFolder(at('open/theirs'), 0o700))).toBe('FOREIGN_FOLDER');
    expect(outcomeOf(() => makeOwnFolder(at('open/link'), 0o700))).toBe('ENOTDIR');
    expect(modeOf(at('real'))).toBe('755');
    makeOwnFolder(at('open/a/own'), 0o711);
    expect(modeOf(at('open/a/own'))).toBe('711');
    chmodSync(at('open/a/own'), 0o777);
    makeOwnFolder(at('open/a/own'), 0o700);
    expect(modeOf(at('open/a/own'))).toBe('700');
  });
});

describe('a name that is removed', () => {
  it('may be missing, with its folder', () => {
    for (const name of ['x', 'a/x']) doNow(removeFile(at(name)));
  });

  it('may be a link, and what it leads to stays', () => {
    writeFileSync(at('file'), '');
    symlinkSync(at('file'), at('link'));
    doNow(removeFile(at('link')));
    expect([existsSync(at('file')), existsSync(at('link'))]).toEqual([true, false]);
  });

  it('is not a folder', () => {
    expect(outcomeOf(() => doNow(removeFile(folder)))).toBe('EISDIR');
  });

  it.runIf(isRoot)('is not sought behind links of another account', () => {
    writeFileSync(at('x'), '');
    const path = join(theirs(), 'link');
    symlinkSync(folder, path);
    lchownSync(path, stranger, stranger);
    expect(outcomeOf(() => doNow(removeFile(join(path, 'x'))))).toBe('FOREIGN_LINK');
    expect(existsSync(at('x'))).toBe(true);
  });
});

it('gives files that are made by their names exactly a mode', () => {
  const umask = process.umask();
  withMode(0o640, () => closeSync(openSync(at('x'), 'w', 0o777)));
  expect([modeOf(at('x')), process.umask()]).toEqual(['640', umask]);
  expect(() =>
    withMode(0o600, () => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(process.umask()).toBe(umask);
});

describe.runIf(isRoot)('while another account swaps names', () => {
  const swaps = {
    /** The file is by turns a link to root's, a hard link to it, a file of the account, and missing. */
    file: `
      const path = theirs + '/x';
      quietly(() => fs.unlinkSync(path));
      if (turn % 4 === 0) quietly(() => fs.symlinkSync(roots + '/secret', path));
      if (turn % 4 === 1) quietly(() => fs.linkSync(roots + '/secret', path));
      if (turn % 4 === 2) quietly(() => fs.writeFileSync(path, ''));`,
    /** The folder is by turns a folder and a link to root's. */
    folder: `
      const path = theirs + '/sub';
      const away = theirs + '/away' + turn;
      quietly(() => fs.renameSync(path, away));
      quietly(() => fs.rmSync(away, { recursive: true }));
      if (turn % 2 === 0) quietly(() => fs.symlinkSync(roots, path));
      else if (turn % 4 === 1) quietly(() => fs.mkdirSync(path));`,
  } as const;

  /** Truncates, gives away and opens to nobody what was opened, as chaperone does with its files. */
  function* change(path: string): Steps<void> {
    const { fd, place } = yield* openFile(path, {
      flags: constants.O_RDWR | constants.O_NONBLOCK,
      create: { mode: 0o600 },
      make: { mode: 0o755, owner: { uid: 7, gid: 7, gidGiven: false } },
      owner: { uid: 7, gid: 7, gidGiven: false },
    });
    try {
      ftruncateSync(fd, 0);
      writeSync(fd, 'line\n');
    } finally {
      closeSync(fd);
      closeFolder(place.folder);
    }
  }

  it.each([
    ['a file', swaps.file, 'x'],
    ['a folder', swaps.folder, 'sub/x'],
    ['a folder, and a file of that name is in the other one', swaps.folder, 'sub/secret'],
  ])(
    'no file of root is changed by way of %s',
    async (_, body, name) => {
      const stage = scene();
      const before = stage.state();
      await swap(stage, body);
      const path = join(stage.theirs, name);
      const now = await tryOften(() => doNow(change(path)), 'FOREIGN_LINK');
      const later = await tryOften(() => doLater(change(path)), 'FOREIGN_LINK');
      expect(stage.state()).toEqual(before);
      // The race took place: there were tries that met a link.
      for (const outcomes of [now, later]) expect(outcomes.get('FOREIGN_LINK') ?? 0).toBeGreaterThan(0);
    },
    60_000,
  );

  it('no file of root is removed', async () => {
    const stage = scene();
    const before = stage.state();
    await swap(stage, swaps.folder);
    const outcomes = await tryOften(() => doNow(removeFile(join(stage.theirs, 'sub/secret'))), 'FOREIGN_LINK');
    expect(stage.state()).toEqual(before);
    expect(outcomes.get('FOREIGN_LINK') ?? 0).toBeGreaterThan(0);
  }, 60_000);
});

it('names the folder that it has reached', () => {
  mkdirSync(at('real'));
  symlinkSync(at('real'), at('link'));
  const reached = doNow(openFolder(at('link')));
  writeFileSync(pathIn(reached, 'x'), 'here');
  const place = doNow(locate(at('link/y')));
  expect([reached.path, place.folder.path, place.name, readFileSync(at('real/x'), 'utf8')]).toEqual([
    at('real'),
    at('real'),
    'y',
    'here',
  ]);
  closeFolder(reached);
  closeFolder(place.folder);
});
