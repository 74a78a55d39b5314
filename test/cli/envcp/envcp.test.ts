import { type ChildProcess, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { childrenTime } from '../../cpu-time.ts';
import { inDist } from '../../dist.ts';
import type { Outcome } from '../outcome.ts';

const program = inDist('envcp.cjs');
const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'envcp-'));
const environment = { PATH: process.env['PATH'], NAME: 'World', EMPTY: '', UMLAUT: 'grüß', NEST: '<$(NAME)>' };
let folder = '';
let count = 0;

beforeEach(() => {
  count += 1;
  folder = join(scratch, String(count));
  mkdirSync(folder);
});

afterAll(() => rmSync(scratch, { recursive: true }));

function run(words: readonly string[], options: { input?: string | Buffer; env?: object } = {}): Outcome {
  const { status, stdout, stderr } = runBinary(words, options);
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

function runBinary(
  words: readonly string[],
  { input = '', env = {} }: { input?: string | Buffer; env?: object } = {},
): SpawnSyncReturns<Buffer> {
  return spawnSync(program, words, { cwd: folder, env: { ...environment, ...env }, input, maxBuffer: 1e9 });
}

function write(name: string, content: string | Buffer): void {
  writeFileSync(join(folder, name), content);
}

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

/** Everything in a folder, so that no temporary goes unnoticed. */
function names(inside = '.'): string[] {
  return readdirSync(join(folder, inside)).sort();
}

const done: Outcome = { status: 0, stdout: '', stderr: '' };

function failed(message: string): Outcome {
  return { status: 1, stdout: '', stderr: `envcp: ${message}\n` };
}

describe('one file', () => {
  it('is copied with its variables expanded', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the forms under test
    write('a', 'Hello $(NAME), ${NAME:+you} $(NEST) $(MISSING) $(EMPTY:-none)\n\\$(NAME)\n$(NAME:|w*|yes|no)\n');
    expect(run(['a', 'b'])).toEqual(done);
    expect(read('b')).toBe('Hello World, you <$(NAME)> $(MISSING) none\n$(NAME)\nyes\n');
    expect(names()).toEqual(['a', 'b']);
  });

  it.each([
    ['q`touch made`w', []],
    ['q`touch made`w', ['--shell-enable']],
    ['$(`touch made`)', ['--shell-enable']],
    ['$(NAME)', []],
    ['\\$(NAME)', []],
    ['$(NOBODY:?stop)', []],
  ])('has the value %j put in as it is, with %j', (value, options) => {
    write('a', '<$(V)> <$(V:+$(V))> <$(V:/NOWHERE//)> <$(V:/^(.*)$/\\1/)>\n');
    expect(run([...options, 'a', 'b'], { env: { V: value } })).toEqual(done);
    expect(read('b')).toBe(`<${value}> <${value}> <${value}> <${value}>\n`);
    expect(names()).toEqual(['a', 'b']);
  });

  it('may hold forms over several lines, and forms in forms', () => {
    write('a', 'x $(MISSING:-one\n  two $(NAME:/W(.*)/\\1/)\n) y\n');
    expect(run(['a', 'b'])).toEqual(done);
    expect(read('b')).toBe('x one\n  two orld\n y\n');
  });

  it('keeps its text after a form that is not closed', () => {
    write('a', '$(NAME) $(NAME $(NAME)');
    expect(run(['a', 'b'])).toEqual(done);
    expect(read('b')).toBe('World $(NAME $(NAME)');
  });

  it('goes into a folder under its own name', () => {
    write('a.conf', '$(NAME)');
    mkdirSync(join(folder, 'to'));
    expect(run(['a.conf', 'to'])).toEqual(done);
    expect(run(['a.conf', 'to/new'])).toEqual(done);
    expect(names('to')).toEqual(['a.conf', 'new']);
  });

  it('may be a FIFO or a device', () => {
    expect(run(['/dev/null', 'b'])).toEqual(done);
    expect(read('b')).toBe('');
    execFileSync('sh', ['-c', `echo '$(NAME)' | "${program}" /dev/stdin c`], { cwd: folder, env: environment });
    expect(read('c')).toBe('World\n');
  });

  it('keeps bytes outside of forms, whatever they are', () => {
    const every = Buffer.from([...Array(256).keys()].filter((byte) => byte !== 0x60));
    write('a', Buffer.concat([every, Buffer.from('$(UMLAUT)'), every, Buffer.from('\ufeffä$(NAME)'), every]));
    expect(run(['a', 'b'])).toEqual(done);
    expect(readFileSync(join(folder, 'b'))).toEqual(
      Buffer.concat([every, Buffer.from('grüß'), every, Buffer.from('\ufeffäWorld'), every]),
    );
  });

  it('keeps bytes inside of forms that are no UTF-8', () => {
    write('a', Buffer.from('$(MISSING:-gr\xfc\xdf $(UMLAUT)) $(UMLAUT:/\xff/x/)', 'latin1'));
    expect(run(['a', 'b'])).toEqual(done);
    expect(readFileSync(join(folder, 'b'))).toEqual(
      Buffer.concat([Buffer.from('gr\xfc\xdf ', 'latin1'), Buffer.from('grüß grüß')]),
    );
  });

  it('counts characters and not bytes in forms that are UTF-8', () => {
    write('a', '$(UMLAUT:/gr.ß/x/) $(UMLAUT:|GRÜ?|yes|no) $(MISSING:-ä)');
    expect(run(['a', 'b'])).toEqual(done);
    expect(read('b')).toBe('x yes ä');
  });

  it('may be large', () => {
    const line = `${'x'.repeat(99)}\n`;
    write('plain', line.repeat(500_000));
    write('forms', `${line.repeat(5_000)}$(NAME)\n`.repeat(100));
    const start = childrenTime();
    expect(run(['plain', 'plain2'])).toEqual(done);
    expect(run(['forms', 'forms2'])).toEqual(done);
    const taken = childrenTime() - start;
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(10_000);
    expect(statSync(join(folder, 'plain2')).size).toBe(50_000_000);
    expect(statSync(join(folder, 'forms2')).size).toBe(50_000_000 + 100 * 'World\n'.length);
  });

  it('may hold any number of forms, and grow by them', () => {
    write('a', '$(NAME)$(UMLAUT)\n'.repeat(200_000));
    expect(run(['a', 'b'])).toEqual(done);
    expect(read('b')).toBe('Worldgrüß\n'.repeat(200_000));
  });
});

describe('several files', () => {
  it('go into a folder', () => {
    write('a', 'a$(NAME)');
    write('b', 'b$(NAME)');
    mkdirSync(join(folder, 'to'));
    expect(run(['-v', 'a', './b', 'to/'])).toEqual({ ...done, stdout: 'a -> to/a\n./b -> to/b\n' });
    expect([read('to/a'), read('to/b'), names('to')]).toEqual(['aWorld', 'bWorld', ['a', 'b']]);
  });

  it('do not go into one file', () => {
    write('a', 'a');
    write('b', 'b');
    expect(run(['a', 'b', 'c'])).toEqual(failed('cannot copy 2 files to c: it is not a directory'));
    expect(run(['a', 'a', 'b'])).toEqual(failed('cannot copy 2 files to b: it is not a directory'));
    expect(names()).toEqual(['a', 'b']);
  });

  it('may not meet in one name', () => {
    for (const name of ['to', 'x', 'y']) mkdirSync(join(folder, name));
    write('x/a', 'x');
    write('y/a.t', 'y');
    expect(run(['--strip', '.t', 'x/a', 'y/a.t', 'to'])).toEqual(
      failed('cannot copy x/a and y/a.t to the same file to/a'),
    );
    expect(names('to')).toEqual([]);
  });

  it('are copied all or none', () => {
    mkdirSync(join(folder, 'to'));
    write('a', 'new');
    write('b', 'line\n  $(MISSING:?set MISSING, please)');
    write('to/a', 'old');
    expect(run(['--overwrite', 'a', 'b', 'to'])).toEqual(failed('cannot expand b:2:3: set MISSING, please'));
    expect(run(['--overwrite', 'a', 'none', 'to'])).toEqual(failed('cannot read none: no such file or directory'));
    expect(run(['a', 'to', 'to'])).toEqual(failed('cannot overwrite to/a: it exists, and --overwrite is not given'));
    expect(run(['--overwrite', 'a', 'to', 'to'])).toEqual(failed('cannot copy to: it is a directory'));
    mkdirSync(join(folder, 'to/b'));
    expect(run(['--overwrite', 'a', 'b', 'to'])).toEqual(failed('cannot write to/b: it is a directory'));
    expect([read('to/a'), names('to')]).toEqual(['old', ['a', 'b']]);
  });
});

describe('a file that exists', () => {
  it('is not overwritten, and nothing else is written then', () => {
    mkdirSync(join(folder, 'to'));
    write('a', 'a');
    write('b', 'b');
    write('to/b', 'old');
    expect(run(['a', 'b', 'to'])).toEqual(failed('cannot overwrite to/b: it exists, and --overwrite is not given'));
    expect([names('to'), read('to/b')]).toEqual([['b'], 'old']);
  });

  it('is replaced with --overwrite, and keeps its mode', () => {
    write('a', '$(NAME)');
    write('b', 'something longer');
    chmodSync(join(folder, 'b'), 0o604);
    const before = statSync(join(folder, 'b'));
    expect(run(['--overwrite', 'a', 'b'])).toEqual(done);
    const after = statSync(join(folder, 'b'));
    expect([read('b'), after.mode, names()]).toEqual(['World', before.mode, ['a', 'b']]);
    expect(after.ino).not.toBe(before.ino);
  });

  it.runIf(isRoot)('keeps its owner', () => {
    write('a', 'a');
    write('b', 'b');
    chownSync(join(folder, 'b'), 1234, 4321);
    expect(run(['--overwrite', 'a', 'b'])).toEqual(done);
    expect(statSync(join(folder, 'b'))).toMatchObject({ uid: 1234, gid: 4321 });
  });

  it('may be the source itself', () => {
    write('a', '$(NAME)');
    expect(run(['a', 'a'])).toEqual(failed('cannot overwrite a: it exists, and --overwrite is not given'));
    expect(read('a')).toBe('$(NAME)');
    expect(run(['--overwrite', 'a', '.'])).toEqual(done);
    expect(read('a')).toBe('World');
  });

  it('is followed where it is a link, and the link stays', () => {
    mkdirSync(join(folder, 'real'));
    write('real/file', 'old');
    write('a', '$(NAME)');
    symlinkSync('real/file', join(folder, 'link'));
    expect(run(['a', 'link'])).toEqual(failed('cannot overwrite link: it exists, and --overwrite is not given'));
    expect(run(['--overwrite', '-v', 'a', 'link'])).toEqual({ ...done, stdout: 'a -> link\n' });
    expect([lstatSync(join(folder, 'link')).isSymbolicLink(), read('real/file')]).toEqual([true, 'World']);
    expect([names(), names('real')]).toEqual([['a', 'link', 'real'], ['file']]);
  });

  it('is not made through a link to nowhere', () => {
    write('a', 'a');
    symlinkSync('nowhere', join(folder, 'link'));
    expect(run(['--overwrite', 'a', 'link'])).toEqual(failed('cannot write link: it is a symbolic link to nowhere'));
    expect(names()).toEqual(['a', 'link']);
  });

  it('that is another name of one file is replaced alone', () => {
    write('a', '$(NAME)');
    linkSync(join(folder, 'a'), join(folder, 'b'));
    expect(run(['--overwrite', 'a', 'b'])).toEqual(done);
    expect([read('a'), read('b')]).toEqual(['$(NAME)', 'World']);
  });
});

describe('what is no regular file', () => {
  it('is written to directly', async () => {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    write('a', '$(NAME)\n');
    const reader = spawn('cat', ['fifo'], { cwd: folder });
    let text = '';
    reader.stdout.on('data', (chunk) => {
      text += chunk;
    });
    expect(run(['a', 'fifo'])).toEqual(done);
    await once(reader, 'close');
    expect([text, names()]).toEqual(['World\n', ['a', 'fifo']]);
    expect(lstatSync(join(folder, 'fifo')).isFIFO()).toBe(true);
  });

  it('may be standard output, also where that is a file', () => {
    write('a', '$(NAME)\n');
    expect(run(['a', '/dev/stdout'])).toEqual({ ...done, stdout: 'World\n' });
    expect(run(['a', '/dev/stderr'])).toEqual({ ...done, stderr: 'World\n' });
    execFileSync('sh', ['-c', `echo first > out; "${program}" a /dev/stdout >> out; "${program}" a /dev/fd/1 >> out`], {
      cwd: folder,
      env: { ...environment },
    });
    expect([read('out'), names()]).toEqual(['first\nWorld\nWorld\n', ['a', 'out']]);
    expect(run(['a', '/dev/null'])).toEqual(done);
  });
});

describe('--strip', () => {
  it.each([
    ['.tmpl', 'nginx.conf.tmpl', 'nginx.conf'],
    // The original took any of the characters off.
    ['.tmpl', 'templ.tmpl', 'templ'],
    ['.tmpl', 'a.tmpl.tmpl', 'a.tmpl'],
    ['.tmpl', 'a.tmpl.bak', 'a.tmpl.bak'],
    ['.tmpl', 'atmpl', 'atmpl'],
    ['.tmpl', 'a.TMPL', 'a.TMPL'],
    ['.tmpl', '.tmpl', '.tmpl'],
    ['l', 'full', 'ful'],
    ['.*', 'a.b', 'a.b'],
    ['', 'a', 'a'],
    ['-x', 'a-x', 'a'],
  ])('%j makes of %j %j', (suffix, name, expected) => {
    mkdirSync(join(folder, 'to'));
    write(name, '$(NAME)');
    expect(run([`--strip=${suffix}`, name, 'to'])).toEqual(done);
    expect(names('to')).toEqual([expected]);
  });

  it('leaves a destination that is written out', () => {
    write('a.tmpl', 'a');
    expect(run(['--strip', '.tmpl', 'a.tmpl', 'b.tmpl'])).toEqual(done);
    expect(names()).toEqual(['a.tmpl', 'b.tmpl']);
  });
});

describe('modes and times', () => {
  function copyWithUmask(umask: string, ...words: readonly string[]): void {
    execFileSync('sh', ['-c', `umask ${umask}; exec "$0" "$@"`, program, ...words], { cwd: folder });
  }

  it('are of a new file those of the source without the umask, and now', () => {
    write('a', 'a');
    chmodSync(join(folder, 'a'), 0o4775);
    utimesSync(join(folder, 'a'), 1000, 2000);
    copyWithUmask('027', 'a', 'b');
    expect(statSync(join(folder, 'b')).mode & 0o7777).toBe(0o750);
    expect(Date.now() - statSync(join(folder, 'b')).mtimeMs).toBeLessThan(60_000);
  });

  it.each([['-a'], ['--archive'], ['-va']])('are with %s those of the source', (option) => {
    write('a', '$(NAME)');
    write('b', 'b');
    chmodSync(join(folder, 'a'), 0o4765);
    for (const name of ['b', 'c']) {
      utimesSync(join(folder, 'a'), 1000.25, 2000.5);
      copyWithUmask('077', option, '--overwrite', 'a', name);
      const { mode, atimeMs, mtimeMs } = statSync(join(folder, name));
      expect([mode & 0o7777, atimeMs, mtimeMs]).toEqual([0o4765, 1_000_250, 2_000_500]);
    }
  });

  it.runIf(isRoot)('are with -a joined by the owner', () => {
    write('a', 'a');
    chownSync(join(folder, 'a'), 1234, 4321);
    chmodSync(join(folder, 'a'), 0o2644);
    expect(run(['-a', 'a', 'b'])).toEqual(done);
    expect(statSync(join(folder, 'b'))).toMatchObject({ uid: 1234, gid: 4321, mode: 0o102644 });
    expect(run(['a', 'c'])).toEqual(done);
    expect(statSync(join(folder, 'c'))).toMatchObject({ uid: 0, mode: 0o100644 });
  });

  it.runIf(isRoot)('give no rights away with a file that cannot be given away', () => {
    write('a', 'a');
    chownSync(join(folder, 'a'), 1234, 4321);
    chmodSync(join(folder, 'a'), 0o6755);
    chownSync(folder, 65_534, 65_534);
    chmodSync(scratch, 0o755);
    const { status } = spawnSync(process.execPath, [program, '-a', 'a', 'b'], {
      cwd: folder,
      uid: 65_534,
      gid: 65_534,
    });
    expect(status).toBe(0);
    expect(statSync(join(folder, 'b'))).toMatchObject({ uid: 65_534, gid: 65_534, mode: 0o100755 });
  });
});

describe('standard input', () => {
  it('goes to standard output', () => {
    expect(run(['-'], { input: 'Hello $(NAME)\n' })).toEqual({ ...done, stdout: 'Hello World\n' });
    expect(run(['-v', '-'])).toEqual(done);
    expect(run(['-'], { input: 'a\n$(X:?no X)' })).toEqual(failed('cannot expand standard input:2:1: no X'));
  });

  it('may hold any bytes', () => {
    const bytes = Buffer.from('a\xff\x00$(UMLAUT)\xc3', 'latin1');
    expect(runBinary(['-'], { input: bytes }).stdout).toEqual(
      Buffer.concat([Buffer.from('a\xff\x00', 'latin1'), Buffer.from('grüß'), Buffer.from([0xc3])]),
    );
  });

  it('may be more than a pipe holds, and its reader slow', () => {
    const { stdout } = spawnSync('sh', ['-c', `"${program}" - | (sleep 0.2; wc -c)`], { input: 'x'.repeat(1_000_000) });
    expect(stdout.toString().trim()).toBe('1000000');
  });

  it('ends with a message when nobody reads', () => {
    const { stderr } = spawnSync('sh', ['-c', `"${program}" - | true`], { input: 'x'.repeat(1_000_000) });
    expect(stderr.toString()).toBe('envcp: cannot write standard output: broken pipe\n');
  });
});

describe('backticks', () => {
  it('are characters without --shell-enable', () => {
    write('a', '`echo $(NAME)` $(`echo x`) $(`echo $(NAME)`) $(MISSING:-`x`) $(BACK) ` $(NAME)');
    expect(run(['a', 'b'], { env: { BACK: '`touch oops`' } })).toEqual(done);
    expect(read('b')).toBe('`echo World` $(`echo x`) $(`echo $(NAME)`) `x` `touch oops` ` World');
    expect(names()).toEqual(['a', 'b']);
  });

  it('run a command with it, each once', () => {
    write('a', '`echo $(NAME); echo two >&2; echo`|$(`echo x`)|`echo run >> log`|`echo run >> log`|$(NAME:+`pwd`)|`');
    expect(run(['--shell-enable', 'a', 'b'])).toEqual(done);
    expect(read('b')).toBe(`World two|x|||${folder}|\``);
    expect(read('log')).toBe('run\n');
  });

  it('give nothing where the command fails, and standard error says why', () => {
    write('a', 'ä\n <`echo why; exit 3`> <`kill -9 $$`> <`exit 3`>');
    expect(run(['--shell-enable', 'a', 'b'])).toEqual({
      status: 0,
      stdout: '',
      stderr:
        'envcp: cannot run `echo why; exit 3` at a:2:3: exit status 3: why\n' +
        'envcp: cannot run `kill -9 $$` at a:2:24: SIGKILL\n' +
        'envcp: cannot run `exit 3` at a:2:39: exit status 3\n',
    });
    expect(read('b')).toBe('ä\n <> <> <>');
  });

  it('do not read standard input', () => {
    expect(run(['--shell-enable', '-'], { input: '`cat`$(NAME)' })).toEqual({ ...done, stdout: 'World' });
  });
});

describe('another syntax', () => {
  it.each<[readonly string[], string, string]>([
    [['--xprefix', '%'], '%(NAME) $(NAME) %{NAME} %[NAME]', 'World $(NAME) World %[NAME]'],
    [['--xprefix=@@'], '@@(NAME) @(NAME) \\@@(NAME)', 'World @(NAME) @@(NAME)'],
    [['--xprefix=ä'], 'ä(NAME) \\ä(NAME) $(NAME)', 'World ä(NAME) $(NAME)'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the forms under test
    [['--xgrouping', '['], '$(NAME) $[NAME] ${NAME}', '$(NAME) World ${NAME}'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the forms under test
    [['--xgrouping=({['], '$(NAME) $[NAME] ${NAME}', 'World World World'],
    [['--xprefix', '.*', '--xgrouping', '{'], '.*{NAME} xx{NAME}', 'World xx{NAME}'],
  ])('%j makes of %j %j', (options, text, expected) => {
    expect(run([...options, '-'], { input: text })).toEqual({ ...done, stdout: expected });
  });
});

describe('a text that cannot be expanded', () => {
  it.each([
    ['$(X:?no X)', 'a:1:1: no X'],
    ['ä $(NAME) $(A:-\n$(X:?))', 'a:1:11: X is not set'],
    ['\n\n\t$(NAME:/x/)', 'a:3:2: the form :/REGEX/REPLACEMENT/ is not complete'],
  ])('%j', (text, message) => {
    write('a', text);
    expect(run(['a', 'b'])).toEqual(failed(`cannot expand ${message}`));
    expect(names()).toEqual(['a']);
  });

  it('is bounded', () => {
    write('a', `$(NAME:+${'$(V)'.repeat(200)})`);
    expect(run(['a', 'b'], { env: { NAME: 'x', V: 'x'.repeat(1_000) } })).toEqual(
      failed('cannot expand a:1:1: variables expand to more than 128 KiB'),
    );
  });
});

describe('what cannot be read or written', () => {
  it.each<[readonly string[], string]>([
    [['none', 'b'], 'cannot read none: no such file or directory'],
    [['dir', 'b'], 'cannot copy dir: it is a directory'],
    [['a', 'none/b'], 'cannot write none/b: no such file or directory'],
    [['a', 'a/b'], 'cannot write a/b: not a directory'],
    [['a', 'none/'], 'cannot write none/: not a directory'],
  ])('%j', (words, message) => {
    write('a', 'a');
    mkdirSync(join(folder, 'dir'));
    expect(run(words)).toEqual(failed(message));
    expect([names(), names('dir')]).toEqual([['a', 'dir'], []]);
  });

  it.runIf(isRoot)('for lack of rights', () => {
    write('a', 'a');
    write('b', 'b');
    write('secret', 's');
    for (const name of ['a', 'b']) chmodSync(join(folder, name), 0o666);
    chmodSync(join(folder, 'secret'), 0o600);
    chmodSync(scratch, 0o755);
    const unprivileged = (...words: readonly string[]): string =>
      spawnSync(process.execPath, [program, ...words], { cwd: folder, uid: 65_534, gid: 65_534 }).stderr.toString();
    expect(unprivileged('secret', 'x')).toBe('envcp: cannot read secret: permission denied\n');
    expect(unprivileged('a', 'x')).toBe('envcp: cannot write x: permission denied\n');
    expect(unprivileged('--overwrite', 'a', 'b')).toBe('envcp: cannot write b: permission denied\n');
    expect([read('b'), names()]).toEqual(['b', ['a', 'b', 'secret']]);
  });
});

describe('a signal', () => {
  /** Starts envcp and waits until `condition` holds. */
  async function start(words: readonly string[], condition: () => boolean): Promise<ChildProcess> {
    const child = spawn(program, words, { cwd: folder, stdio: 'ignore', env: { ...environment } });
    await expect.poll(condition, { timeout: 10_000 }).toBe(true);
    return child;
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s while a source is read leaves the old file', async (signal) => {
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    write('b', 'old');
    const child = await start(['--overwrite', 'fifo', 'b'], () => true);
    // Opening its other end waits for the reader, and then half of the source is there.
    const writer = spawn('sh', ['-c', 'exec > fifo; echo "half $(NAME)"; exec sleep 60'], { cwd: folder });
    await expect.poll(() => opened(child.pid, 'fifo'), { timeout: 10_000 }).toBe(true);
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([null, signal]);
    writer.kill();
    expect([read('b'), names()]).toEqual(['old', ['b', 'fifo']]);
  });

  it.each([
    'SIGINT',
    'SIGTERM',
    'SIGHUP',
  ] as const)('%s while files are written leaves none of them', async (signal) => {
    mkdirSync(join(folder, 'to'));
    execFileSync('mkfifo', [join(folder, 'to/fifo')]);
    write('a', '$(NAME)');
    write('fifo', 'never read');
    write('to/a', 'old');
    // The temporary of the first stands while the second waits for somebody who reads the FIFO.
    const child = await start(['--overwrite', 'a', 'fifo', 'to'], () => names('to').length === 3);
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([null, signal]);
    expect([read('to/a'), names('to')]).toEqual(['old', ['a', 'fifo']]);
  });

  function opened(pid: number | undefined, name: string): boolean {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return statSync(`/proc/${pid}/fd/${fd}`).ino === statSync(join(folder, name)).ino;
      } catch {
        return false;
      }
    });
  }
});

describe('the command line', () => {
  it.each<[readonly string[], string]>([
    [[], 'no file is given'],
    [['a'], 'no destination is given for a'],
    [['-', 'a'], '"-" stands alone: standard input goes to standard output'],
    [['a', '-'], '"-" stands alone: standard input goes to standard output'],
    [['--frob', 'a', 'b'], 'unknown option "--frob"'],
    [['--overwirte', 'a', 'b'], 'unknown option "--overwirte": did you mean "--overwrite"?'],
    [['--x', '%', 'a', 'b'], '"--x" may be --xgrouping or --xprefix'],
    [['-x', 'a', 'b'], 'unknown option "-x"'],
    [['a', 'b', '--strip'], '--strip needs a suffix'],
    [['--overwrite=yes', 'a', 'b'], '--overwrite takes no value'],
    [['--xprefix=', 'a', 'b'], '--xprefix needs at least one character'],
    [['--xprefix=$(', 'a', 'b'], '--xprefix takes no brackets, quotes or backticks: "$("'],
    [['--xgrouping=', 'a', 'b'], '--xgrouping takes one or more of ( { [, not ""'],
    [['--xgrouping=(<', 'a', 'b'], '--xgrouping takes one or more of ( { [, not "(<"'],
  ])('%j is a mistake', (words, message) => {
    write('a', 'a');
    expect(run(words)).toEqual({ status: 2, stdout: '', stderr: `envcp: ${message}\ntry "envcp --help"\n` });
    expect(names()).toEqual(['a']);
  });

  it('takes options anywhere, and none after --', () => {
    write('-a', '$(NAME)');
    write('b', 'b');
    expect(run(['--', '-a', 'c'])).toEqual(done);
    expect(run(['b', 'c', '--overwrite', '--verbose'])).toEqual({ ...done, stdout: 'b -> c\n' });
    expect(run(['b', 'c', '--over', '--v'])).toEqual({ ...done, stdout: 'b -> c\n' });
  });

  it('says its version', () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
    expect(run(['--version', 'x'])).toEqual({ ...done, stdout: `envcp ${version}\n` });
  });

  it('has a help that fits a screen and names every option, as the documentation does', () => {
    const { status, stdout } = run(['--help']);
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.length > 80 || /\s$/.test(line))).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(40);
    expect([...stdout.matchAll(/^ {2}(?:-., )?(--[a-z-]+)/gm)].map(([, name]) => name)).toEqual(
      ['verbose', 'archive', 'overwrite', 'strip', 'shell-enable', 'xprefix', 'xgrouping', 'version', 'help'].map(
        (name) => `--${name}`,
      ),
    );
    const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/envcp.md'), 'utf8');
    expect(page).toContain(`\n${stdout}\`\`\``);
  });
});

describe('the bundle', () => {
  it('is small, and loads nothing but parts of Node, and re2js for regular expressions', () => {
    const text = readFileSync(program, 'utf8');
    expect(text.length).toBeLessThan(52 * 1024);
    const loaded = [...text.matchAll(/\b(?:require|import)\("([^"]*)"\)/g)].map(([, name]) => name);
    expect(new Set(loaded)).toEqual(
      new Set(['./re2js.cjs', 'node:buffer', 'node:child_process', 'node:fs', 'node:path', 'node:util']),
    );
    expect(text.startsWith('#!/usr/bin/env node\n')).toBe(true);
    expect(statSync(program).mode & 0o111).toBe(0o111);
  });

  it('reads re2js only where a regular expression stands, and beside the bundle, however that is called', () => {
    const copy = join(folder, 'copy');
    const link = join(folder, 'link');
    copyFileSync(program, copy);
    symlinkSync(program, link);
    const output = (from: string, input: string) => {
      const { status, stdout } = spawnSync(from, ['-'], { env: environment, input, encoding: 'utf8' });
      return [status, stdout];
    };
    expect(output(copy, '$(NAME)')).toEqual([0, 'World']);
    expect(output(link, '$(NAME:/o(.)/\\1o/)')).toEqual([0, 'Wrold']);
  });
});
