import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { parseAccounts } from '../../src/model/service/accounts.ts';
import type { SystemSpec } from '../../src/model/service/service-spec.ts';
import { configFiles } from '../../src/runtime/linux/config-files.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { SimulatedPrograms } from '../../src/runtime/simulated/simulated-kernel.ts';
import { createWorld, type World } from './world.ts';

const print = (text: string): Step => ({ do: 'print', text });
const wait = (ms: number): Step => ({ do: 'wait', ms });
const samplePath = '/sample/config';
const hang: Step = { do: 'hang' };

function sampleSpec(): SystemSpec {
  // The path is fixed, so that the golden transcript is the same in every clone.
  const real = (path: string): string =>
    path.replace(samplePath, fileURLToPath(new URL('../../config', import.meta.url)));
  const { spec, diagnostics } = loadConfiguration(samplePath, {
    reader: {
      stat: (path) => configFiles.stat(real(path)),
      list: (path) => configFiles.list(real(path)),
      read: (path) => configFiles.read(real(path)),
    },
    environment: { PATH: '/usr/bin:/bin' },
    accounts: parseAccounts('', ''),
    interactive: false,
  });
  expect(diagnostics).toEqual([]);
  if (spec === undefined) throw new Error('the sample configuration does not load');
  return spec;
}

/** Scripts that behave as the sample's programs do. */
function samplePrograms(): SimulatedPrograms {
  let crashed = false;
  const script = (argv: readonly string[]): Script => {
    const command = argv.join(' ');
    if (command.includes('mkdir')) return { steps: [wait(12), print('made it\n')] };
    if (command.includes('store.mjs')) {
      return {
        steps: [wait(140), print('listening\n'), hang],
        onSignal: { SIGTERM: [print('closing\n'), wait(20), { do: 'exit', code: 0 }] },
      };
    }
    if (command.includes('trap')) return { steps: [hang], onSignal: { SIGTERM: 'ignore' } };
    if (command.includes('report')) return { steps: [wait(60), print('all is well\n')] };
    if (command.includes('crashed')) {
      const first = !crashed;
      crashed = true;
      return { steps: first ? [wait(1_000), { do: 'exit', code: 1 }] : [hang] };
    }
    return { steps: [hang] };
  };
  return { has: () => true, script };
}

function bootAndStop(): World {
  const world = createWorld(sampleSpec(), samplePrograms());
  world.assembly.start();
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), 10_000);
  world.clock.run();
  return world;
}

it('boots the sample configuration in virtual time, and the same each time, byte for byte', () => {
  const first = bootAndStop();
  const second = bootAndStop();
  expect(second.transitions.join('\n')).toBe(first.transitions.join('\n'));
  expect(second.kernel.written.stdout).toBe(first.kernel.written.stdout);
  expect(first.transitions.length).toBeGreaterThan(30);
});

it('shows the crash, the restart and the order of the sample', async () => {
  const world = bootAndStop();
  await expect(`${world.transitions.join('\n')}\n`).toMatchFileSnapshot('../golden/sample-boot.txt');
});

it('ends the sample in order, within its budget, with nothing left', () => {
  const world = bootAndStop();
  expect(world.output()).toMatchObject({ exitStatus: 0, end: { kind: 'signal', signal: 'SIGTERM' } });
  expect(world.kernel.livePids).toEqual([]);
  expect(world.clock.pending).toBe(0);
  expect(world.clock.now()).toBeLessThanOrEqual(10_000 + 6_000);
});
