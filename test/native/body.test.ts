import { spawnSync } from 'node:child_process';
import { chownSync, closeSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeRequest, encodeSpawn } from '../../src/runtime/linux/body-protocol.ts';
import { built, devNull, edge, isRoot, nobody, Puppet, scratch, spawnOf, toStderr } from './puppet.ts';

/** Asks for the state of a process until it is as expected: proc_pid_stat(5) has no events. */
async function untilState(pid: number, state: string): Promise<void> {
  while (readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '')[0] !== state) await new Promise(setImmediate);
}

/** A program that a process of another account, or of this one, holds by a lease: its execve(2) waits. */
async function leasedProgram(body: Puppet): Promise<string> {
  const program = join(scratch, `leased-${body.pid}`);
  copyFileSync('/bin/true', program);
  const account = isRoot ? { uid: nobody } : {};
  if (isRoot) chownSync(program, nobody, nobody);
  const lease = `
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
os.write(2, b"held")
while True: signal.pause()
`;
  body.spawn(['/usr/bin/python3', '-c', lease, program], { ...account, descriptors: toStderr });
  await body.until(() => body.stderr.includes('held'));
  return program;
}

/** Starts a program that stays on its way. */
async function holdByLease(body: Puppet): Promise<bigint> {
  return body.spawn([await leasedProgram(body)]);
}

describe('a signal', () => {
  const heard = (body: Puppet): number =>
    body.facts.filter((fact) => fact.type === 'signal' && fact.signal === 1).length;

  it('that comes after an earlier one was told is told, too, although that one is not acknowledged', async () => {
    const body = new Puppet();
    await body.serves();
    body.acknowledges = false;
    for (let count = 1; count <= 3; count++) {
      process.kill(body.pid, 'SIGHUP');
      await body.until(() => heard(body) === count);
    }
  });

  it('that comes again and again for a brain that does not read takes no more room than the connection has', async () => {
    const body = new Puppet();
    await body.serves();
    body.acknowledges = false;
    body.stopReading();
    for (let count = 0; count < 20_000; count++) process.kill(body.pid, 'SIGHUP');
    expect(Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${body.pid}/status`, 'utf8'))?.[1])).toBeLessThan(
      4_096,
    );
  });
});

describe('exits', () => {
  it('of one wake-up come in one fact, also while another child is on its way', async () => {
    const body = new Puppet({ patience: 1000 });
    const late = await holdByLease(body);
    const running = Array.from({ length: 20 }, () => body.spawn(['/bin/sleep', '1000'], { group: 'group' }));
    for (const request of running) expect(await body.outcome(request)).toBe('runs');
    const pids = body.facts.flatMap((fact) =>
      fact.type === 'spawned' && running.includes(fact.request) ? [fact.pid] : [],
    );
    process.kill(body.pid, 'SIGSTOP');
    await untilState(body.pid, 'T');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    for (const pid of pids) await untilState(pid, 'Z');
    process.kill(body.pid, 'SIGCONT');
    for (const request of running) await body.exit(request);
    expect(body.facts.filter((fact) => fact.type === 'exits' && fact.exits.length >= 20)).toHaveLength(1);
    expect(await body.outcome(late)).toBe('ETIMEDOUT at exec');
  });

  const ignoring =
    'import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])';
  it('are told where SIGCHLD was ignored by who has started the body', async () => {
    const body = new Puppet({ wrapper: ['python3', '-c', ignoring] });
    await body.serves();
  });

  it('of hundreds are found, and none is confused with another', async () => {
    const body = new Puppet();
    const sleepers = new Map<number, bigint>();
    const spawned = async (argv: readonly string[]): Promise<[number, bigint]> => {
      const request = body.spawn(argv);
      const fact = await body.verdict(request);
      return [fact.type === 'spawned' ? fact.pid : 0, request];
    };
    for (let i = 0; i < 700; i++) {
      const [pid, request] = await spawned(['/bin/sleep', '1000']);
      sleepers.set(pid, request);
      if (i % 3 === 0) await body.exit((await spawned(['/bin/true']))[1]);
    }
    const all = [...sleepers].map(([pid, spawn]) => ({ pid, spawn, group: false }));
    const wrong = body.ask({
      type: 'signal',
      signal: 9,
      targets: all.map((each) => ({ ...each, spawn: each.spawn + 1n })),
    });
    const errorsOf = (request: bigint) =>
      body.until(
        () =>
          body.facts.flatMap((fact) => (fact.type === 'signalled' && fact.request === request ? [fact.errors] : []))[0],
      );
    expect(new Set(await errorsOf(wrong))).toEqual(new Set(['ESRCH']));
    expect(new Set(await errorsOf(body.ask({ type: 'signal', signal: 9, targets: all })))).toEqual(
      new Set([undefined]),
    );
    for (const [pid, request] of sleepers) expect(await body.exit(request)).toMatchObject({ pid, status: 9 });
    expect(body.exits().filter(({ spawn }) => spawn === 0n)).toEqual([]);
    expect(body.isGapless()).toBe(true);
  });
});

describe('a connection', () => {
  it.runIf(isRoot)('that lingers does not hold up the body when it closes the last copy', async () => {
    // No child can be started, so that nobody else has a copy.
    const account = ['setpriv', '--reuid', '64125', '--clear-groups', '--'];
    const body = new Puppet({ wrapper: ['prlimit', '--nproc=1', '--', ...account] });
    await body.until(() => body.facts.length > 0);
    const { client, connection } = await fullConnection();
    const request = body.spawn(['/bin/true'], { descriptors: new Map([[0, connection]]) });
    closeSync(connection);
    expect(await body.outcome(request)).toBe('EAGAIN at clone');
    const next = body.ask({ type: 'signal', signal: 0, targets: [] });
    await body.until(() => body.facts.some((fact) => fact.type === 'signalled' && fact.request === next));
    client.destroy();
  });

  it('that lingers is closed all the same', async () => {
    const body = new Puppet();
    await body.serves();
    const before = body.descriptors();
    const { client, connection } = await fullConnection();
    body.spawn(['/does/not/exist'], { descriptors: new Map([[0, connection]]) });
    closeSync(connection);
    await body.untilAsked(() => body.descriptors().length <= before.length);
    client.destroy();
  });
});

/** A connection with SO_LINGER of a minute, whose client does not read what is under way. */
async function fullConnection(): Promise<{
  client: Socket;
  connection: number;
}> {
  const port = edge.listenTcp(0, 4, 8);
  const client = createConnection(edge.localPort(port), '127.0.0.1');
  client.pause();
  await new Promise((resolve) => client.once('connect', resolve));
  const accepted = edge.acceptConnection(port);
  if (accepted === undefined) throw new Error('no connection');
  closeSync(port);
  const fill = `
import socket
s = socket.socket(fileno=0)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\\x01\\0\\0\\0\\x3c\\0\\0\\0")
s.setblocking(False)
try:
  while True: s.send(b"x" * 65536)
except BlockingIOError: pass
s.detach()
`;
  const { status, stderr } = spawnSync('python3', ['-c', fill], { stdio: [accepted.fd, 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(String(stderr));
  return { client, connection: accepted.fd };
}

describe('a brain', () => {
  it('that says hello again and again leaves no descriptor', async () => {
    const body = new Puppet();
    const { readEnd, writeEnd } = edge.pipe();
    body.ask({ type: 'hello', budget: 1000, words: true }, [readEnd]);
    await body.serves();
    const before = body.descriptors();
    for (let i = 0; i < 5; i++) body.ask({ type: 'hello', budget: 1000, words: true }, [readEnd]);
    await body.serves();
    expect(body.descriptors()).toHaveLength(before.length);
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('that goes away with facts unread has its last requests done', async () => {
    const body = new Puppet();
    await body.serves();
    body.stopReading();
    body.spawn(['/bin/sh', '-c', 'echo here >&2'], { descriptors: toStderr });
    await body.until(() => body.stderr.includes('here'));
    while (body.children().length > 0) await new Promise(setImmediate);
    process.kill(body.pid, 'SIGSTOP');
    await untilState(body.pid, 'T');
    body.ask({ type: 'end', status: 5 });
    body.close();
    process.kill(body.pid, 'SIGCONT');
    expect(await body.exitOfBody()).toBe(5);
  });

  it('that goes away before its hello has its processes ended', async () => {
    const body = new Puppet();
    const request = body.spawn(['/bin/sleep', '1000']);
    const fact = await body.verdict(request);
    body.close();
    expect(await body.exitOfBody()).toBe(1);
    const pid = fact.type === 'spawned' ? fact.pid : 0;
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it.runIf(isRoot)('that dies with children on their way, and its connection open elsewhere, is noticed', () => {
    const { status, stderr } = bootFakeBrain(
      'holder',
      // The descriptor of the connection stays open in a process that nobody has asked for.
      'sleep 1000 & kill -9 $$',
    );
    expect(stderr).toContain('was killed by SIGKILL');
    expect(status).toBe(1);
  });

  it.runIf(isRoot)('whose words are many has the last of them told', () => {
    const { stderr, status } = bootFakeBrain(
      'words',
      'exec python3 "$0.py"',
      `
import fcntl, os, signal, socket, struct
end, words = os.pipe()
fcntl.fcntl(words, 1031, 1048576)
hello = struct.pack("=QIIIIII", 1, 1, 0, 1, 5000, 1, 0)
socket.send_fds(socket.socket(fileno=3), [hello], [end])
os.write(words, b"x" * 1000000 + b"\\nFATAL: the end\\n")
os.kill(os.getpid(), signal.SIGKILL)
`,
    );
    expect(stderr).toMatch(/the last words of Node: x+ FATAL: the end/);
    expect(status).toBe(1);
  });
});

/** Boots a body as PID 1 whose brain is this shell script, with a Python script beside it. */
function bootFakeBrain(name: string, script: string, python = '') {
  const directory = join(scratch, name);
  mkdirSync(directory);
  copyFileSync(built, join(directory, 'chaperone'));
  writeFileSync(join(directory, 'node'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  writeFileSync(join(directory, 'node.py'), python);
  const flags = ['--pid', '--fork', '--mount', '--mount-proc', '--kill-child'];
  return spawnSync('unshare', [...flags, join(directory, 'chaperone')], { encoding: 'utf8' });
}

describe('a request', () => {
  it('that signals cut-off targets is answered', async () => {
    const body = new Puppet();
    body.number += 1n;
    const bytes = encodeRequest(body.number, {
      type: 'signal',
      signal: 15,
      targets: [{ pid: 5, group: false, spawn: 1n }],
    });
    await body.send(bytes.subarray(0, 30));
    const request = body.number;
    const fact = await body.until(() =>
      body.facts.find((each) => each.type === 'signalled' && each.request === request),
    );
    expect(fact).toMatchObject({ errors: [] });
  });

  it('whose counts wrap around is refused', async () => {
    const body = new Puppet();
    body.number += 1n;
    const { bytes } = encodeSpawn(body.number, spawnOf(['/bin/true']));
    const view = new DataView(bytes.buffer);
    view.setUint32(16 + 40, 0xffff_ffff, true);
    view.setUint32(16 + 44, 2, true);
    await body.send(bytes, [devNull, devNull, devNull]);
    expect(await body.outcome(body.number)).toBe('EINVAL at pipe');
    await body.serves();
  });
});

describe('without descriptors 0 to 2', () => {
  it.runIf(isRoot)('the places are filled, also without /dev/null', async () => {
    const home = join(scratch, 'bare');
    mkdirSync(home);
    copyFileSync(built, join(home, 'chaperone'));
    const body = new Puppet({ wrapper: ['sh', '-c', 'exec chroot "$0" /chaperone <&- >&- 2>&-', home], program: '' });
    await body.until(() => body.facts.length > 0);
    const places = body.descriptors().filter((line) => /^[012] /.test(line));
    expect(places.map((line) => line.slice(2))).toEqual([home, home, home]);
  });
});

describe('under a limit', () => {
  it('of 64 descriptors, many starts at once succeed, and too many descriptors fail', async () => {
    const body = new Puppet({ wrapper: ['prlimit', '--nofile=64', '--'] });
    const { spawnsAtOnce } = await body.until(() => body.facts.find((fact) => fact.type === 'welcome'));
    expect(spawnsAtOnce).toBe(20);
    const requests = Array.from({ length: spawnsAtOnce }, () => body.spawn(['/bin/true']));
    for (const request of requests) expect(await body.outcome(request)).toBe('runs');
    const before = body.descriptors();
    const many = body.spawn(['/bin/true'], {
      descriptors: new Map(Array.from({ length: 100 }, (_, i) => [i, devNull])),
    });
    expect(await body.outcome(many)).toBe('EMFILE at pipe');
    await body.serves();
    expect(body.descriptors()).toEqual(before);
  });

  it('of descriptors that is lowered later, the body does not spin', async () => {
    const body = new Puppet();
    await body.serves();
    expect(spawnSync('prlimit', ['--nofile=2:64', '--pid', String(body.pid)]).status).toBe(0);
    const request = body.spawn(['/bin/true']);
    expect(await body.outcome(request)).toBe('EMFILE at pipe');
    expect(spawnSync('prlimit', ['--nofile=64', '--pid', String(body.pid)]).status).toBe(0);
    await body.serves();
  });

  it('of memory, a start fails and the body serves on', async () => {
    const body = new Puppet();
    await body.serves();
    // Of its memory nothing may grow. A large request is mapped by the child, which tells of it.
    expect(spawnSync('prlimit', ['--as=65536:', '--pid', String(body.pid)]).status).toBe(0);
    const large = body.spawn(['/bin/true'], { environment: [`X=${'x'.repeat(100_000)}`] });
    expect(await body.outcome(large)).toMatch(/^ENOMEM at (pipe|clone)$/);
    expect(spawnSync('prlimit', ['--as=unlimited:', '--pid', String(body.pid)]).status).toBe(0);
    await body.serves();
  });

  it.runIf(isRoot)('of processes of an account, a start fails with EAGAIN', async () => {
    const account = ['setpriv', '--reuid', '64123', '--clear-groups', '--'];
    const body = new Puppet({ wrapper: ['prlimit', '--nproc=3', '--', ...account] });
    const running = [1, 2].map(() => body.spawn(['/bin/sleep', '1000']));
    const verdicts = await Promise.all(running.map((request) => body.verdict(request)));
    expect(await body.outcome(body.spawn(['/bin/true']))).toBe('EAGAIN at clone');
    const targets = verdicts.map((fact) => ({
      pid: fact.type === 'spawned' ? fact.pid : 0,
      group: false,
      spawn: fact.type === 'spawned' ? fact.request : 0n,
    }));
    body.ask({ type: 'signal', signal: 9, targets });
    for (const request of running) await body.exit(request);
    await body.serves();
  });

  it.runIf(isRoot)("of processes of a service's account, its program is not executed", async () => {
    const body = new Puppet();
    const limits = [{ resource: 6, soft: 1, hard: 1 }];
    const outcomes: string[] = [];
    // Linux counts the new process from execve(2) on.
    for (let i = 0; i < 3; i++)
      outcomes.push(await body.outcome(body.spawn(['/bin/sleep', '1000'], { uid: 64124, limits })));
    expect(outcomes.at(-1)).toBe('EAGAIN at exec');
    await body.serves();
  });
});

describe('a start that is cancelled', () => {
  it('fails at once where its child is on its way, and its exit is not told', async () => {
    const body = new Puppet();
    const program = await leasedProgram(body);
    const held = [1, 2, 3].map(() => body.spawn([program]));
    await body.serves();
    const [first = 0n, second = 0n] = held;
    const children = body.children();
    body.ask({ type: 'cancel', spawn: second });
    expect(await body.outcome(second)).toBe('ECANCELED at exec');
    body.ask({ type: 'cancel', spawn: first });
    body.ask({ type: 'cancel', spawn: first });
    expect(await body.outcome(first)).toBe('ECANCELED at exec');
    await body.untilAsked(() => body.children().length === children.length - 2);
    const judged = body.facts.flatMap((fact) => ('request' in fact && held.includes(fact.request) ? [fact] : []));
    expect(judged).toHaveLength(2);
    expect(body.exits().filter(({ spawn }) => held.includes(spawn))).toEqual([]);
  });

  it('goes on where its program runs already, and one that is unknown changes nothing', async () => {
    const body = new Puppet();
    const request = body.spawn(['/bin/sleep', '1000']);
    const fact = await body.verdict(request);
    for (const spawn of [request, 0n, 1_000_000n]) body.ask({ type: 'cancel', spawn });
    await body.serves();
    expect(body.exits().filter(({ spawn }) => spawn === request)).toEqual([]);
    const pid = fact.type === 'spawned' ? fact.pid : 0;
    body.ask({ type: 'signal', signal: 15, targets: [{ pid, group: false, spawn: request }] });
    expect((await body.exit(request)).status).toBe(15);
  });

  it.runIf(isRoot)('fails at once, too, where somebody has stopped its child', async () => {
    const body = new Puppet();
    const stopped = body.spawn([await leasedProgram(body)], { uid: nobody });
    await body.serves();
    const last = body.children().at(-1) ?? 0;
    process.kill(last, 'SIGSTOP');
    await untilState(last, 'T');
    body.ask({ type: 'cancel', spawn: stopped });
    expect(await body.outcome(stopped)).toBe('ECANCELED at exec');
    await body.untilAsked(() => !body.children().includes(last));
    expect(body.exits().filter(({ spawn }) => spawn === stopped)).toEqual([]);
  });
});

describe.runIf(isRoot)('another account', () => {
  it('that holds a program by a lease, or stops a child on its way, has it given up', async () => {
    const body = new Puppet({ patience: 1000 });
    const program = await leasedProgram(body);
    const held = body.spawn([program]);
    const stopped = body.spawn([program], { uid: nobody });
    await body.serves();
    const last = body.children().at(-1) ?? 0;
    process.kill(last, 'SIGSTOP');
    await untilState(last, 'T');
    await body.serves();
    expect(await body.outcome(held)).toBe('ETIMEDOUT at exec');
    expect(await body.outcome(stopped)).toBe('ETIMEDOUT at exec');
    await body.serves();
    expect(body.exits().filter(({ spawn }) => spawn === held || spawn === stopped)).toEqual([]);
  });
});
