import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import { SimulatedKernel, type SpawnFault } from '../../src/runtime/simulated/simulated-kernel.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { describeKernelContract, type Harness, type ProgramName, type SpawnErrorName } from './kernel-contract.ts';

const hang: Step = { do: 'hang' };
const print = (text: string, to: 'stdout' | 'stderr' = 'stdout'): Step => ({ do: 'print', text, to });

const programs: Readonly<Record<ProgramName, Script>> = {
  succeeds: { steps: [] },
  'exits 3': { steps: [{ do: 'exit', code: 3 }] },
  'dies of SIGTERM': { steps: [{ do: 'die', signal: 'SIGTERM' }] },
  hangs: { steps: [hang] },
  'ignores SIGTERM': { steps: [print('ready\n'), hang], onSignal: { SIGTERM: 'ignore' } },
  'prints to both': { steps: [print('out\n'), print('err\n', 'stderr')] },
  'leaves a daemon': { steps: [{ do: 'fork', script: { steps: [hang] }, detached: true }] },
  'leaves a writer': {
    steps: [print('early\n'), { do: 'fork', script: { steps: [{ do: 'wait', ms: 300 }, print('late\n')] } }],
  },
  'hangs with a child': { steps: [{ do: 'fork', script: { steps: [hang] } }, print('forked\n'), hang] },
  'ends after 50 ms': { steps: [{ do: 'wait', ms: 50 }] },
  'writes its pid': { steps: [{ do: 'write', path: '/run/web.pid', text: '$$\n' }, hang] },
  notifies: { steps: [{ do: 'notify', text: 'READY=1' }] },
};

const faults: Readonly<Record<Exclude<SpawnErrorName, 'missing'>, SpawnFault>> = {
  denied: { code: 'EACCES', stage: 'exec' },
  'no directory': { code: 'ENOENT', stage: 'directory' },
  'no format': { code: 'ENOEXEC', stage: 'exec' },
  'too long': { code: 'E2BIG', stage: 'exec' },
};

const byName = new Map<string, Script>(Object.entries(programs));
const faultsByName = new Map<string, SpawnFault>(Object.entries(faults));

function open(): Harness {
  const clock = new VirtualClock();
  const kernel = new SimulatedKernel(clock, {
    has: (name) => byName.has(name),
    script: ([name = '']) => byName.get(name),
    fault: ({ argv: [name = ''] }) => faultsByName.get(name),
  });
  return {
    kernel,
    clock,
    argv: (program) => [program],
    pidfile: '/run/web.pid',
    failing: (error) => ({ argv: [error] }),
    until: async (condition) => {
      clock.run(clock.now() + 60_000, condition);
      if (!condition()) throw new Error('nothing more happens, and the condition does not hold');
    },
    newPath: (name) => `/var/${name}`,
    read: (path) => kernel.files.get(path) ?? '',
    early: false,
    sendLog: (path, text) => kernel.sendLog(path, text),
    awaitEndSilently: () => undefined,
    freePort: async () => 8080,
    connect: (port) => {
      const client = kernel.connect(port);
      return { text: () => client?.text ?? '', ended: () => client?.ended ?? true };
    },
    close: async () => undefined,
  };
}

describeKernelContract('simulated', open);
