/** Services that write to each other, with real pipes: a consumer like svlogd, restarted under load. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ctl } from './by-hand.ts';
import { boot, config, here, isRoot, logAll, until } from './namespace.ts';

/** Appends line by line to a file, as svlogd does: at SIGTERM it finishes the line that it has begun to read. */
const consumer = `import os, select, signal, sys
ended = False
def end(*_):
    global ended
    ended = True
signal.signal(signal.SIGTERM, end)
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
line = b""
while line or not ended:
    if not select.select([0], [], [], 0.02)[0]: continue
    byte = os.read(0, 1)
    if not byte: break
    line += byte
    if byte != b"\\n": continue
    os.write(out, line)
    line = b""
`;

/** Writes numbered lines until it is told to end, and then says how many. */
const producer = `import os, signal, sys, time
ended = False
def end(*_):
    global ended
    ended = True
signal.signal(signal.SIGTERM, end)
count = 0
while not ended:
    count += 1
    os.write(1, b"%s %d\\n" % (sys.argv[1].encode(), count))
    if count % 50 == 0: time.sleep(0.001)
os.write(1, b"%s ends at %d\\n" % (sys.argv[1].encode(), count))
`;

/** The lines of a producer, in the order in which they came. */
function linesOf(path: string, name: string): readonly string[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith(`${name} `));
}

describe.runIf(isRoot)('a service that reads what others write', () => {
  it('loses no line of theirs, repeats and mixes none, when it is restarted and the system ends under load', async () => {
    const file = `${here}/collected`;
    const writer = (name: string) => ({
      command: `python3 ${here}/producer ${name}`,
      stdout: 'logger.service',
      startup_pause: 0,
    });
    const system = boot({
      files: {
        'services.conf': config({
          ...logAll,
          'logger.service': { command: `python3 ${here}/consumer ${file}`, startup_pause: 0 },
          'one.service': writer('one'),
          'two.service': writer('two'),
        }),
      },
    });
    writeFileSync(system.path('consumer'), consumer);
    writeFileSync(system.path('producer'), producer);
    const path = system.path('collected');
    await system.waitForLine(/ready\.$/);
    const size = (): number => (existsSync(path) ? readFileSync(path).length : 0);
    for (let round = 0; round < 4; round += 1) {
      const before = size();
      await until('lines come', () => (size() > before + 5_000 ? true : undefined));
      // While it is down the pipe fills, and the others wait.
      expect(await ctl(system, 'restart', 'logger', '--wait')).toMatchObject({ status: 0 });
    }
    expect(await ctl(system, 'stop', 'logger', '--wait')).toMatchObject({ status: 0 });
    const waiting = async (): Promise<number> => {
      const { stdout } = await ctl(system, 'status', 'logger', '--json');
      const [found]: readonly { readonly waitingInput?: number }[] = JSON.parse(stdout);
      return found?.waitingInput ?? 0;
    };
    // Both writers wait once the pipe has no room for a further line.
    for (let bytes = 0, before = -1; bytes !== before; ) {
      before = bytes;
      bytes = await waiting();
    }
    // A pipe holds 16 pages, not all of which need be full.
    expect(await waiting()).toBeGreaterThan(30_000);
    expect((await ctl(system, 'status', 'one')).stdout).toMatch(/output +stdout goes to logger\.service/);
    expect(await ctl(system, 'start', 'logger', '--wait')).toMatchObject({ status: 0 });
    expect(await ctl(system, 'restart', 'two', '--wait')).toMatchObject({ status: 0 });
    await until('its second run has begun', () =>
      linesOf(path, 'two').filter((line) => line === 'two 1').length === 2 ? true : undefined,
    );
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(readFileSync(path, 'utf8').endsWith('\n')).toBe(true);
    const one = linesOf(path, 'one');
    const last = Number(/^one ends at (\d+)$/.exec(one.at(-1) ?? '')?.[1]);
    expect(last).toBeGreaterThan(1_000);
    const expected = (name: string, count: number): readonly string[] => [
      ...Array.from({ length: count }, (_, nth) => `${name} ${nth + 1}`),
      `${name} ends at ${count}`,
    ];
    expect(one).toEqual(expected('one', last));
    const two = linesOf(path, 'two');
    const ends = two.flatMap((line) => /^two ends at (\d+)$/.exec(line)?.[1] ?? []).map(Number);
    expect(ends).toHaveLength(2);
    expect(two).toEqual(ends.flatMap((count) => expected('two', count)));
  });

  it('gets a pipe that the accounts of both may open again', async () => {
    const system = boot({
      files: {
        'services.conf': config({
          ...logAll,
          'reader.service': { command: "sh -c 'cat /dev/stdin'", uid: 33, gid: 33, startup_pause: 0 },
          'writer.service': {
            type: 'oneshot',
            command: `sh -c 'echo once > /dev/stdout; echo twice > /dev/stderr'`,
            uid: 65534,
            gid: 65534,
            stdout: 'reader.service',
            stderr: 'stdout',
          },
        }),
      },
    });
    await system.waitForLine(/reader\[\d+\]: once$/);
    await system.waitForLine(/reader\[\d+\]: twice$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('reads the errors of an inetd service, whose client gets the rest', async () => {
    const system = boot({
      files: {
        'services.conf': config({
          ...logAll,
          'reader.service': { command: 'cat', startup_pause: 0 },
          'echo.service': {
            type: 'inetd',
            port: 7103,
            command: "sh -c 'echo hello; echo oops >&2'",
            stderr: 'reader.service',
          },
          'call.service': {
            type: 'oneshot',
            command: `bash -c 'cat < /dev/tcp/127.0.0.1/7103'`,
            after: 'echo.service',
          },
        }),
      },
    });
    await system.waitForLine(/call\[\d+\]: hello$/);
    await system.waitForLine(/reader\[\d+\]: oops$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});
