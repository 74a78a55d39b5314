import { describe, expect, it } from 'vitest';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import { SimulatedKernel, type SpawnFault } from '../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { describeKernelContract, type Harness, type ProgramName, type SpawnErrorName } from './kernel-contract.ts';

const hang: Step = { do: 'hang' };
const wait = (ms: number): Step => ({ do: 'wait', ms });
const fork = (...steps: readonly Step[]): Step => ({ do: 'fork', script: { steps } });
const print = (text: string, to: 'stdout' | 'stderr' = 'stdout'): Step => ({ do: 'print', text, to });

const socket = '/run/web.sock';

const programs: Readonly<Record<ProgramName, Script>> = {
  succeeds: { steps: [] },
  'exits 3': { steps: [{ do: 'exit', code: 3 }] },
  'dies of SIGTERM': { steps: [{ do: 'die', signal: 'SIGTERM' }] },
  hangs: { steps: [hang] },
  'ignores SIGTERM': { steps: [print('ready\n'), hang], onSignal: { SIGTERM: 'ignore' } },
  'prints to both': { steps: [print('out\n'), print('err\n', 'stderr')] },
  'leaves a daemon': { steps: [{ do: 'fork', script: { steps: [hang] }, detached: true }] },
  'leaves a child': { steps: [{ do: 'fork', script: { steps: [hang] } }] },
  'leaves a writer': {
    steps: [print('early\n'), { do: 'fork', script: { steps: [{ do: 'wait', ms: 300 }, print('late\n')] } }],
  },
  'hangs with a child': { steps: [{ do: 'fork', script: { steps: [hang] } }, print('forked\n'), hang] },
  'ends after 50 ms': { steps: [{ do: 'wait', ms: 50 }] },
  serves: {
    steps: [{ do: 'serve', at: socket, answer: { status: 503, body: 'out of order' } }, print('serves\n'), hang],
  },
  'serves and is silent': { steps: [{ do: 'serve', at: socket, answer: 'hangs' }, print('serves\n'), hang] },
  'writes to descriptor 5': { steps: [{ do: 'print', text: 'ready\n', to: { fd: 5 } }] },
  'writes its pid': { steps: [{ do: 'write', path: '/run/web.pid', text: '$$\n' }, hang] },
  notifies: { steps: [{ do: 'notify', text: 'READY=1' }] },
  'relays its input': { steps: [{ do: 'relay', ms: 0 }] },
  'fills a pipe': {
    steps: Array.from({ length: 10_000 }, (_, index) => print(`line ${String(index + 1).padStart(5, '0')}\n`)),
  },
  'exits on SIGUSR1 without its child': {
    steps: [fork(hang), print('forked\n'), hang],
    onSignal: { SIGUSR1: [{ do: 'exit', code: 0 }] },
  },
  'leaves a zombie': { steps: [{ do: 'fork', script: { steps: [fork(), hang] }, detached: true }, wait(10)] },
  'has a child that exits 3': { steps: [fork(wait(300), { do: 'exit', code: 3 }), hang] },
  'reaps its child late': { steps: [fork(wait(300), { do: 'exit', code: 3 }), hang], reapsAfter: 400 },
  'never reaps its child': {
    steps: [fork(wait(300), { do: 'exit', code: 3 }), hang],
    reapsAfter: Number.POSITIVE_INFINITY,
  },
};

const faults: Readonly<Record<Exclude<SpawnErrorName, 'missing'>, SpawnFault>> = {
  denied: { code: 'EACCES', stage: 'exec' },
  'no directory': { code: 'ENOENT', stage: 'directory' },
  'no format': { code: 'ENOEXEC', stage: 'exec' },
  'too long': { code: 'E2BIG', stage: 'exec' },
};

const byName = new Map<string, Script>(Object.entries(programs));
const faultsByName = new Map<string, SpawnFault>(Object.entries(faults));

function open(tellsStatus: boolean): Harness {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, {
    has: (name) => byName.has(name),
    script: ([name = '']) => byName.get(name),
    fault: ({ argv: [name = ''] }) => faultsByName.get(name),
    valueFile: (path) => ({ '/values/file': 'A=1', '/values/folder': 'B=2\n' })[path],
    tellsStatus,
  });
  return {
    kernel,
    clock,
    argv: (program) => [program],
    pidfile: '/run/web.pid',
    socket,
    failing: (error) => ({ argv: [error] }),
    until: async (condition) => {
      clock.run(clock.now() + 60_000, condition);
      if (!condition()) throw new Error('nothing more happens, and the condition does not hold');
    },
    newPath: (name) => `/var/${name}`,
    values: { file: '/values/file', folder: '/values/folder', missing: '/values/missing' },
    read: (path) => kernel.files.get(path) ?? '',
    exists: (path) => kernel.files.has(path),
    early: false,
    tellsStatus,
    otherAccount: { uid: 1000, gid: 1000, groups: [1000] },
    sendLog: (path, text, sender) => kernel.sendLog(path, text, sender),
    ownPid: kernel.pid,
    awaitEndSilently: () => undefined,
    freePort: async () => 8080,
    connect: (port) => {
      const client = kernel.connect(port);
      return { text: () => client?.text ?? '', ended: () => client?.ended ?? true };
    },
    close: async () => undefined,
  };
}

describeKernelContract('simulated', () => open(true));
describeKernelContract('simulated older', () => open(false));

describe('a number that comes again', () => {
  it('is not the group of the process that had it before', () => {
    const clock = new VirtualClock();
    const kernel = new SimulatedKernel(clock, {
      has: (name) => byName.has(name),
      script: ([name = '']) => byName.get(name),
      reusesPids: true,
    });
    const start = (program: ProgramName): number => {
      let pid: number | undefined;
      const request = {
        argv: [program],
        environment: {},
        ownGroup: true,
        stdin: 'null',
        stdout: 'inherit',
        stderr: 'inherit',
      } as const;
      kernel.spawn(request, (outcome) => {
        pid = outcome.ok ? outcome.pid : 0;
      });
      clock.run(clock.now() + 1_000, () => pid !== undefined);
      return pid ?? 0;
    };
    const { following } = kernel;
    const first = start('exits on SIGUSR1 without its child');
    const old = following.trackGroup(first);
    const began = following.lookUp(first)?.began ?? 0;
    clock.run(50);
    kernel.signal(first, 'SIGUSR1', 'process');
    clock.run(100);
    old.startEnded();
    const [worker] = old.members();
    expect(worker).toMatchObject({ group: first });
    // The number stays taken while the group goes by it.
    expect(start('hangs')).not.toBe(first);
    kernel.signal(worker?.pid ?? 0, 'SIGKILL', 'process');
    clock.run(200);
    expect(old.members()).toEqual([]);
    expect(start('hangs')).toBe(first);
    expect(old.members()).toEqual([]);
    expect(following.trackGroup(first).members()).toMatchObject([{ pid: first, group: first }]);
    expect(following.lookUp(first)?.began).toBeGreaterThan(began);
  });
});
