import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Booted, boot, config, readProcess, until } from './namespace.ts';

const text = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
const linesOf = (path: string): readonly string[] => text(path).split('\n').slice(0, -1);

/** Resident memory of a process in MiB. */
function memory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
}

/** Waits until the file has grown, which shows that its writer goes on. */
async function untilGrown(path: string, lines: number): Promise<void> {
  await until(`${path} has ${lines} lines`, () => (linesOf(path).length >= lines ? true : undefined));
}

/** The numbers of dropped records, one for each line that reports some. */
function losses(lines: readonly string[]): readonly number[] {
  return lines.flatMap((line) => {
    const count = /(\d+) log records were dropped because/.exec(line)?.[1];
    return count === undefined ? [] : [Number(count)];
  });
}

/** The bytes that a process has written so far; -1 where it has ended. */
function written(pid: number): number {
  const path = `/proc/${pid}/io`;
  return existsSync(path) ? Number(/^wchar: (\d+)$/m.exec(readFileSync(path, 'latin1'))?.[1] ?? 0) : -1;
}

async function end(system: Booted): Promise<void> {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
}

/** A FIFO that nobody reads, and a descriptor to write to it. */
function unread(): { readonly fifo: string; readonly fd: number } {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-fifo-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const fifo = join(folder, 'stdout');
  expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
  // The FIFO is opened for reading and writing, because opening it for writing alone waits for a reader.
  return { fifo, fd: openSync(fifo, 'r+') };
}

describe('a stdout that nobody reads', () => {
  it('holds up a service no longer than it may, and hears afterwards what it missed', async () => {
    const { fifo, fd } = unread();
    const total = 60_000;
    const system = boot({
      stdout: fd,
      files: {
        'x.conf': config({
          'flood.service': { type: 'oneshot', command: `seq -f %060.0f ${total}` },
          'on.service': { command: 'sleep 1000', after: 'flood' },
          'console.logging': { selector: 'daemon.*', stdout: true, overflow: 'wait 200ms' },
          'file.logging': { selector: 'daemon.*', file: '$(_CHAP_CONFIG_DIR)/out', format: 'plain' },
        }),
      },
    });
    await untilGrown(system.path('out'), total);
    expect(memory(system.pid())).toBeLessThan(250);
    const reader = openSync(fifo, 'r');
    const seen = spawnReader(reader);
    await until('it is said how much was lost', () => (losses(seen.lines()).length > 0 ? true : undefined));
    await end(system);
    closeSync(fd);
    const records = seen.lines().filter((line) => /flood\[\d+\]: \d+$/.test(line)).length;
    expect(records + losses(seen.lines()).reduce((sum, count) => sum + count, 0)).toBe(total);
    expect(losses(seen.lines())).toHaveLength(1);
    seen.stop();
  });
});

describe('a stdout that is read slowly', () => {
  it('gets every line of two services, which wait for it, while a third one does not', async () => {
    const { fifo, fd } = unread();
    const total = 40_000;
    const system = boot({
      stdout: fd,
      files: {
        'x.conf': config({
          'one.service': { command: `seq -f 1%060.0f ${total}` },
          'two.service': { command: `seq -f 2%060.0f ${total}` },
          'free.service': { command: `sh -c 'seq ${total}; touch $(_CHAP_CONFIG_DIR)/went; exec sleep 1000'` },
          'console.logging': { selector: '[one].*;[two].*', stdout: true, overflow: 'block' },
          'file.logging': { selector: '[free].*', file: '$(_CHAP_CONFIG_DIR)/free', format: 'plain' },
        }),
      },
    });
    await until('the third service has written', () => (existsSync(system.path('went')) ? true : undefined));
    await untilGrown(system.path('free'), total);
    // Both others wait in write(2): they cannot have ended.
    expect(system.processes().filter(({ name }) => name === 'seq')).toHaveLength(2);
    const reader = openSync(fifo, 'r');
    const seen = spawnReader(reader);
    await until('all lines have come', () =>
      seen.lines().filter((line) => /(one|two)\[\d+\]: /.test(line)).length === 2 * total ? true : undefined,
    );
    await end(system);
    closeSync(fd);
    for (const name of ['one', 'two']) {
      const numbers = seen
        .lines()
        .flatMap((line) => new RegExp(` ${name}\\[\\d+\\]: .0*(\\d+)$`).exec(line)?.[1] ?? []);
      expect(numbers).toEqual(Array.from({ length: total }, (_, index) => String(index + 1)));
    }
    seen.stop();
  });

  it('does not hold up a stop: nobody waits after the signal', async () => {
    const { fd } = unread();
    const system = boot({
      stdout: fd,
      files: {
        'x.conf': config({
          'flood.service': {
            command: `sh -c 'trap "seq 1000; touch $(_CHAP_CONFIG_DIR)/stopped; exit 0" TERM; touch $(_CHAP_CONFIG_DIR)/begun; seq 100000000 & wait'`,
          },
          'console.logging': { selector: '*.*', stdout: true, overflow: 'block' },
        }),
      },
    });
    await until('the service has begun', () => (existsSync(system.path('begun')) ? true : undefined));
    const writer = await until('the service writes', () => system.processes().find(({ name }) => name === 'seq'));
    // A process that is blocked in write(2) sleeps, with its bytes written so far unchanged.
    let before = -1;
    await until('the service is blocked', () => {
      const now = written(writer.pid);
      const isBlocked = now === before && now > 0;
      before = now;
      return isBlocked ? true : undefined;
    });
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(existsSync(system.path('stopped'))).toBe(true);
    closeSync(fd);
  });
});

describe('a full disk', () => {
  it('has its records on stderr until there is room, and the later ones in the file', async () => {
    const system = boot({
      before: 'mkdir full && mount -t tmpfs -o size=64k tmpfs full && head -c 60000 /dev/zero > full/ballast',
      files: {
        'x.conf': config({
          'voice.service': { type: 'oneshot', command: 'seq -f %060.0f 200' },
          'free.service': {
            after: 'voice',
            command: `sh -c 'while ! test -e "$0/go"; do sleep 0.02; done; rm "$0/full/ballast"; while ! grep -q again "$0/full/log"; do echo and again; sleep 0.02; done; touch "$0/seen"; exec sleep 1000' $(_CHAP_CONFIG_DIR)`,
          },
          'file.logging': { selector: 'daemon.*', file: '$(_CHAP_CONFIG_DIR)/full/log', format: 'plain' },
        }),
      },
    });
    await system.waitForLine(
      /cannot write log records to .*\/full\/log \(ENOSPC, the disk is full\); they go to stderr/,
    );
    await system.waitForLine(/^0*200$/);
    spawnSync('touch', [system.path('go')]);
    await system.waitForLine(/log records go to .*\/full\/log again$/);
    await until('the file has later records', () => (existsSync(system.path('seen')) ? true : undefined));
    const inside = linesOf(`/proc/${system.pid()}/root${system.path('full/log')}`);
    await end(system);
    const numbers = [...inside, ...system.lines('stderr')].filter((line) => /^\d{60}$/.test(line));
    expect(numbers.map(Number).toSorted((one, other) => one - other)).toEqual(
      Array.from({ length: 200 }, (_, index) => index + 1),
    );
  });

  it('holds up nobody, and gets what waited once there is room, where records are not to go to stderr', async () => {
    const system = boot({
      before: 'mkdir full && mount -t tmpfs -o size=64k tmpfs full && head -c 60000 /dev/zero > full/ballast',
      files: {
        'x.conf': config({
          'voice.service': { type: 'oneshot', command: 'seq -f %060.0f 200' },
          'free.service': {
            type: 'oneshot',
            after: 'voice',
            command: `sh -c 'while ! test -e "$0/go"; do sleep 0.02; done; rm "$0/full/ballast"; while ! grep -q "0200$" "$0/full/log"; do sleep 0.02; done; wc -l < "$0/full/log"' $(_CHAP_CONFIG_DIR)`,
          },
          'file.logging': {
            selector: 'daemon.*;![free].*',
            file: '$(_CHAP_CONFIG_DIR)/full/log',
            format: 'plain',
            on_error: 'drop',
          },
          'console.logging': { selector: '*.*', stdout: true },
        }),
      },
    });
    await system.waitForLine(/cannot write log records to .*\/full\/log \(ENOSPC, the disk is full\)/);
    await system.waitForLine(/voice\[\d+\]: 0*200$/);
    spawnSync('touch', [system.path('go')]);
    await system.waitForLine(/free\[\d+\]: 200$/);
    expect(await system.exit).toBe(0);
  });

  it('does not hold up the end', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'voice.service': { type: 'oneshot', command: 'echo hello' },
          'file.logging': { file: '/dev/full', on_error: 'drop' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(system.lines('stderr')).toContainEqual(
      expect.stringMatching(/^chaperone: \/dev\/full did not take the last \d+ bytes of the log in time$/),
    );
  });
});

describe('a remote host', () => {
  const remote = (host: string, more: Readonly<Record<string, unknown>> = {}) =>
    boot({
      files: {
        'x.conf': config({
          'voice.service': { command: 'sh -c "seq 100; exec sleep 1000"' },
          'far.logging': { selector: 'daemon.*', syslog_host: host, ...more },
          'console.logging': { selector: '*.*', stdout: true },
        }),
      },
    });

  it('that does not exist, or cannot be reached, is said and holds up nobody', async () => {
    for (const [host, code] of [
      ['no-such-host.invalid', /E(NOTFOUND|AI_AGAIN)/],
      ['127.0.0.1:9', /ECONNREFUSED/],
    ] as const) {
      const system = remote(host);
      await system.waitForLine(/voice\[\d+\]: 100$/);
      if (code.source !== 'ECONNREFUSED') {
        await system.waitForLine(new RegExp(`cannot write log records to syslog host ${host} \\(${code.source}`));
      }
      await end(system);
    }
  });

  it('gets every record as a packet of its own, before the end', async () => {
    const server = createSocket('udp4');
    const packets: string[] = [];
    server.on('message', (packet) => packets.push(packet.toString()));
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.close();
    });
    const system = remote(`127.0.0.1:${server.address().port}`, { format: 'rfc5424', logrec_hostname: 'box' });
    await system.waitForLine(/voice\[\d+\]: 100$/);
    await end(system);
    await until('the packets have come', () => (packets.length >= 100 ? true : undefined));
    expect(packets).toHaveLength(100);
    packets.forEach((packet, index) => {
      expect(packet).toMatch(new RegExp(`^<30>1 \\d{4}-\\d\\d-\\d\\dT\\S+ box voice \\d+ - - ${index + 1}$`));
    });
  });
});

describe('a client that floods /dev/log', () => {
  it('holds up neither services, signals nor other records, and memory is bounded', async () => {
    const system = boot({
      ownDev: true,
      files: {
        'x.conf': config({
          'flood.service': { command: '$(FIXTURES)/log-client.py flood' },
          'other.service': {
            type: 'oneshot',
            after: 'flood',
            command: 'sh -c "for i in 1 2 3; do logger -t other $i; done"',
          },
          'flood.logging': { selector: 'user.*;![other].*', file: '/dev/full' },
          'console.logging': { selector: '*.info;![flood].*', stdout: true },
        }),
      },
    });
    await system.waitForLine(/ other: 3$/);
    await system.waitForLine(/ready\.$/);
    expect(memory(system.pid())).toBeLessThan(250);
    system.signal('SIGUSR1');
    await system.waitForLine(/SIGUSR1 received/);
    await end(system);
  });
});

describe('a process that is killed while it writes', () => {
  it('loses nothing of what it wrote, on its pipes and to /dev/log', async () => {
    const system = boot({
      ownDev: true,
      files: {
        'x.conf': config({
          'dying.service': { type: 'oneshot', ignore_failures: true, command: '$(FIXTURES)/log-client.py killed' },
          'file.logging': { selector: 'user,daemon.*', file: '$(_CHAP_CONFIG_DIR)/out', format: 'plain' },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect([...linesOf(system.path('out'))].sort()).toEqual(
      ['half a line', ...Array.from({ length: 5 }, (_, index) => `line ${index}`)].sort(),
    );
  });

  it('loses nothing of many lines, wherever it is hit', async () => {
    const system = boot({
      ownDev: true,
      files: {
        'x.conf': config({
          'writer.service': {
            command: '$(FIXTURES)/count-on',
            kill_signal: 'SIGKILL',
            env_set: { COUNTER: '$(_CHAP_CONFIG_DIR)/counter' },
          },
          'file.logging': { selector: 'daemon.*', file: '$(_CHAP_CONFIG_DIR)/out', format: 'plain' },
        }),
      },
    });
    await untilGrown(system.path('out'), 1_000);
    await end(system);
    const numbers = linesOf(system.path('out')).map(Number);
    const written = statSync(system.path('counter')).size;
    // Each number was written to the pipe before its byte was written to the file.
    expect(numbers.length).toBeGreaterThanOrEqual(written);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});

/** Collects the input of a descriptor in a process of its own, because the reading blocks. */
function spawnReader(fd: number): { readonly lines: () => readonly string[]; readonly stop: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-reader-'));
  const file = join(folder, 'out');
  const { stdout } = spawnSync('sh', ['-c', `cat <&3 > '${file}' & echo $!`], {
    stdio: ['ignore', 'pipe', 'ignore', fd],
    encoding: 'utf8',
  });
  closeSync(fd);
  const pid = Number(stdout);
  const stop = (): void => {
    if (readProcess(pid)?.name === 'cat') process.kill(pid);
    rmSync(folder, { recursive: true, force: true });
  };
  onTestFinished(stop);
  return { lines: () => linesOf(file), stop };
}
