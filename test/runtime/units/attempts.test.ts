/** A start that the kernel refuses for something it can do without is tried again without that. */
import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { SpawnRequest } from '../../../src/runtime/kernel.ts';
import { createWorld, simpleService, systemOf } from '../../simulation/world.ts';

const account = { uid: 33, gid: 33, groups: [33], home: '/home/web' };

/** Boots one service on a kernel that refuses what `refuses` says at that stage, and tells what the kernel was asked for. */
function requestsFor(
  changes: Partial<ServiceSpec>,
  refuses: (request: SpawnRequest) => 'terminal' | 'directory' | undefined,
) {
  const asked: { readonly stdin: SpawnRequest['stdin']; readonly directory: string | undefined }[] = [];
  const { clock, assembly, notices } = createWorld(systemOf([simpleService('web', changes)]), {
    has: () => true,
    script: () => ({ steps: [{ do: 'hang' }] }),
    fault: (request) => {
      asked.push({ stdin: request.stdin, directory: request.directory });
      const stage = refuses(request);
      return stage === undefined ? undefined : { code: 'ENOTTY', stage };
    },
  });
  assembly.start();
  clock.run(2_000);
  const last = notices.findLast(({ notice }) => notice.type === 'service.changed')?.notice;
  return { asked, phase: last?.type === 'service.changed' ? last.change.phase : undefined };
}

describe('a start', () => {
  it('at a terminal that has no foreground group to give does without one', () => {
    const { asked, phase } = requestsFor({ stdin: 'terminal' }, ({ stdin }) =>
      stdin === 'terminal' ? 'terminal' : undefined,
    );
    expect(asked.map(({ stdin }) => stdin)).toEqual(['terminal', 'inherit']);
    expect(phase).toBe('ready.running');
  });

  it("in a home that cannot be entered is one in chaperone's own directory", () => {
    const { asked, phase } = requestsFor({ account }, ({ directory }) =>
      directory === undefined ? undefined : 'directory',
    );
    expect(asked.map(({ directory }) => directory)).toEqual(['/home/web', undefined]);
    expect(phase).toBe('ready.running');
  });

  it('in a home that can be entered is the only one', () => {
    const { asked, phase } = requestsFor({ account }, () => undefined);
    expect(asked.map(({ directory }) => directory)).toEqual(['/home/web']);
    expect(phase).toBe('ready.running');
  });

  it('in a directory of its own that cannot be entered has failed', () => {
    const { asked, phase } = requestsFor({ account, directory: '/srv' }, () => 'directory');
    expect(asked.map(({ directory }) => directory)).toEqual(['/srv']);
    expect(phase).toBe('failed');
  });

  it('at a terminal, in a home that cannot be entered, does without both', () => {
    const { asked, phase } = requestsFor({ account, stdin: 'terminal' }, ({ stdin, directory }) =>
      directory !== undefined ? 'directory' : stdin === 'terminal' ? 'terminal' : undefined,
    );
    expect(asked.at(-1)).toEqual({ stdin: 'inherit', directory: undefined });
    expect(phase).toBe('ready.running');
  });
});
