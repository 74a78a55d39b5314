import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ControlPlace } from '../../../src/control/places.ts';
import { type ControlSocket, openControlSocket } from '../../../src/runtime/control/control-socket.ts';
import { edge } from '../linux/native-edge.ts';
import { isRoot, scene, stranger, swap, tryOften } from '../linux/swapping.ts';

const uid = process.getuid?.() ?? 0;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'chaperone-places-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function place(directory: string, own = false): ControlPlace {
  return { directory, own, socket: join(directory, 'chaperone.sock'), fifo: join(directory, 'chaperone') };
}

function open(...places: readonly ControlPlace[]): ControlSocket {
  const made = openControlSocket({ edge, places, uid });
  onTestFinished(() => made.close());
  return made;
}

const mode = (path: string): number => lstatSync(path).mode & 0o7777;

describe('the control socket and the FIFO', () => {
  it('are made in the first place that can be written, for everybody and for their owner', () => {
    const [first, second] = [join(folder(), 'missing'), folder()];
    const { path, fifo, problems } = open(place(first), place(second), place(folder()));
    expect({ path, fifo, problems }).toEqual({
      path: join(second, 'chaperone.sock'),
      fifo: join(second, 'chaperone'),
      problems: [],
    });
    expect([lstatSync(path ?? '').isSocket(), mode(path ?? '')]).toEqual([true, 0o666]);
    expect([lstatSync(fifo ?? '').isFIFO(), mode(fifo ?? '')]).toEqual([true, 0o600]);
  });

  it('make a directory of their own, which only its owner may enter', () => {
    const directory = join(folder(), 'chaperone');
    open(place(directory, true));
    expect(mode(directory)).toBe(0o700);
    const loose = join(folder(), 'chaperone');
    mkdirSync(loose, { mode: 0o777 });
    chmodSync(loose, 0o777);
    open(place(loose, true));
    expect(mode(loose)).toBe(0o700);
  });

  it('do not stand where a link leads, in a path that is too long, or where a chaperone listens', () => {
    const link = join(folder(), 'chaperone');
    symlinkSync(folder(), link);
    const long = join(folder(), 'x'.repeat(100));
    mkdirSync(long);
    const taken = folder();
    open(place(taken));
    const inode = lstatSync(join(taken, 'chaperone.sock')).ino;
    const { path, problems } = open(place(link, true), place(long), place(taken));
    expect(path).toBeUndefined();
    expect(problems).toEqual([
      expect.stringMatching(/^no directory for the control socket can be written, .* \(tried: .*xxx, .*\): mount /),
    ]);
    expect(lstatSync(join(taken, 'chaperone.sock')).ino).toBe(inode);
  });

  it('take the place of what an earlier chaperone left behind, and of nothing else', async () => {
    const directory = folder();
    edge.makeFifo(join(directory, 'chaperone'), 0o644);
    // The earlier chaperone was killed: its socket's file is there, and no process listens.
    const earlier = createServer();
    await new Promise<void>((resolve) => earlier.listen(join(directory, 'earlier'), resolve));
    const { ino } = lstatSync(join(directory, 'earlier'));
    const left = join(directory, 'chaperone.sock');
    // Node removes only the name that it has made, so the link stays.
    linkSync(join(directory, 'earlier'), left);
    await new Promise((resolve) => earlier.close(resolve));
    expect(lstatSync(left).ino).toBe(ino);
    const { path, fifo, problems } = open(place(directory));
    expect(problems).toEqual([]);
    expect(mode(fifo ?? '')).toBe(0o600);
    expect(path).toBe(left);

    const other = folder();
    writeFileSync(join(other, 'chaperone'), 'precious');
    const kept = open(place(other));
    expect(kept.fifo).toBeUndefined();
    expect(kept.path).toBe(join(other, 'chaperone.sock'));
    expect(kept.problems).toEqual([`cannot create the command FIFO ${join(other, 'chaperone')}: EEXIST`]);
    kept.close();
    expect(readFileSync(join(other, 'chaperone'), 'utf8')).toBe('precious');
  });

  it('hold what comes before there is somebody to take it', async () => {
    const directory = folder();
    const control = open(place(directory));
    const told: string[] = [];
    // Nobody serves yet, and nothing has to be waited for.
    await Promise.all([control.end(), control.shutdownCallersGone()]);
    const client = connect(control.path ?? '');
    client.write('early\n');
    writeFileSync(control.fifo ?? '', 'stop web\n', { flag: 'a' });
    const lines = new Promise<string>((resolve, reject) => {
      client.on('error', reject);
      client.on('connect', () =>
        control.serve(
          (socket: Socket) => {
            socket.on('data', (chunk) => socket.end(`heard ${chunk}`));
            socket.resume();
          },
          (chunk) => resolve(String(chunk)),
          { end: async () => void told.push('end'), shutdownCallersGone: async () => void told.push('callers') },
        ),
      );
    });
    expect(await lines).toBe('stop web\n');
    expect(await text(client)).toBe('heard early\n');
    await control.shutdownCallersGone();
    await control.end();
    expect(told).toEqual(['callers', 'end']);
  });

  it.runIf(isRoot)('are not made in a folder in which another account could replace them, and that is said', () => {
    const [theirs, open_, below, good] = [folder(), folder(), folder(), folder()];
    chownSync(theirs, stranger, stranger);
    chmodSync(open_, 0o777);
    chownSync(below, stranger, stranger);
    mkdirSync(join(below, 'roots'));
    const { path, problems } = open(place(theirs), place(open_), place(join(below, 'roots')), place(good));
    expect(path).toBe(join(good, 'chaperone.sock'));
    const why = 'is a folder in which another account could replace files';
    expect(problems).toEqual([
      `no control socket is made in ${theirs}: ${theirs} ${why}`,
      `no control socket is made in ${open_}: ${open_} ${why}`,
      `no control socket is made in ${join(below, 'roots')}: ${below} ${why}`,
    ]);
  });

  it.runIf(isRoot)('have their modes whatever the umask is, from the first moment on', () => {
    const umask = process.umask(0o777);
    try {
      const { path, fifo } = open(place(folder()));
      expect([mode(path ?? ''), mode(fifo ?? '')]).toEqual([0o666, 0o600]);
      expect(process.umask()).toBe(0o777);
    } finally {
      process.umask(umask);
    }
  });

  it.runIf(isRoot)('change no file of root while another account swaps names in the folder', async () => {
    const stage = scene();
    const before = stage.state();
    await swap(
      stage,
      `const name = theirs + ['/chaperone', '/chaperone.sock'][turn % 2];
      quietly(() => fs.unlinkSync(name));
      quietly(() => fs.symlinkSync(roots + '/secret', name));`,
    );
    await tryOften(() => {
      openControlSocket({ edge, places: [place(stage.theirs), place(stage.theirs, true)], uid }).close();
    });
    expect(stage.state()).toEqual(before);
  });

  it('go away at the end, unless another has taken the place', () => {
    const directory = folder();
    const first = open(place(directory));
    first.close();
    expect([existsSync(join(directory, 'chaperone.sock')), existsSync(join(directory, 'chaperone'))]).toEqual([
      false,
      false,
    ]);
    const second = open(place(directory));
    rmSync(second.fifo ?? '');
    writeFileSync(second.fifo ?? '', 'of another');
    second.close();
    expect(readFileSync(join(directory, 'chaperone'), 'utf8')).toBe('of another');
  });
});
