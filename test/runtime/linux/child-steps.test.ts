import { describe, expect, it } from 'vitest';
import type { Resources } from '../../../src/model/service/resources.ts';
import { childSetup } from '../../../src/runtime/linux/child-steps.ts';

const account = { uid: 33, gid: 34, groups: [34, 4] };
const descriptorLimit = { soft: 1024, hard: 4096 };

/** The steps as `KIND WHICH FIRST SECOND`. */
function stepsOf(resources: Resources | undefined, ids: typeof account | undefined = account): readonly string[] {
  const { steps } = childSetup({
    descriptorLimit,
    ...(ids === undefined ? {} : { ids }),
    ownGroups: () => [0, 7],
    resources,
  });
  return steps.map(({ kind, which = 0, first, second = 0 }) => `${kind} ${which} ${first} ${second}`);
}

const accountSteps = ['groups 0 0 0', 'gid 0 34 0', 'uid 0 33 0'];

describe('the steps of a child', () => {
  it('without directives are the descriptor limit of chaperone, and the account', () => {
    expect(stepsOf(undefined)).toEqual(['limit 7 1024 4096', ...accountSteps]);
    expect(stepsOf({})).toEqual(stepsOf(undefined));
  });

  it('set limits and priorities before the account, and the umask last', () => {
    const resources: Resources = {
      umask: 0o27,
      nice: -5,
      oomScoreAdjust: 500,
      noNewPrivileges: true,
      limits: [
        { name: 'nofile', soft: 10, hard: 20 },
        { name: 'core', soft: 0, hard: -1 },
      ],
    };
    expect(stepsOf(resources)).toEqual([
      'nice 0 -5 0',
      'oomScore 0 500 0',
      'limit 7 10 20',
      'limit 4 0 -1',
      ...accountSteps,
      'noNewPrivileges 0 1 0',
      'umask 0 23 0',
    ]);
  });

  it('bound the capabilities first, keep them in the change of account, and take them then', () => {
    expect(stepsOf({ capabilities: [10, 0] })).toEqual([
      'limit 7 1024 4096',
      'bounding 0 1025 0',
      'groups 0 0 0',
      'gid 0 34 0',
      'uid 1 33 0',
      'capabilities 0 1025 0',
    ]);
    expect(stepsOf({ capabilities: [] })).toEqual([
      'limit 7 1024 4096',
      'bounding 0 0 0',
      ...accountSteps,
      'capabilities 0 0 0',
    ]);
  });

  it.each([
    [[0], ['processors 0 1 1']],
    [[1, 3, 63], [`processors 0 ${10n + (1n << 63n)} 1`]],
    [
      [64, 129],
      ['processors 0 0 0', 'processors 1 1 0', 'processors 2 2 1'],
    ],
  ])('name processors %j in words of 64 bits', (cpuAffinity, expected) => {
    expect(stepsOf({ cpuAffinity })).toEqual([...expected, 'limit 7 1024 4096', ...accountSteps]);
  });

  it('add groups to those of the account, or of chaperone itself', () => {
    const setup = (ids: Parameters<typeof childSetup>[0]['ids']) =>
      childSetup({
        descriptorLimit,
        ...(ids === undefined ? {} : { ids }),
        ownGroups: () => [0, 7],
        resources: { supplementaryGroups: [100] },
      });
    expect(setup(account).groups).toEqual([34, 4, 100]);
    expect(setup({ uid: 1, gid: 2 }).groups).toEqual([0, 7, 100]);
    expect(setup(undefined)).toMatchObject({ groups: [0, 7, 100], steps: [{ kind: 'limit' }, { kind: 'groups' }] });
  });

  it('say what they do, and what they need', () => {
    const resources: Resources = {
      limits: [{ name: 'nofile', soft: 1024, hard: 4096 }],
      capabilities: [],
      supplementaryGroups: [4, 5],
      cpuAffinity: [0, 2],
      umask: 7,
      nice: -1,
      oomScoreAdjust: -500,
      noNewPrivileges: true,
    };
    const { steps } = childSetup({ descriptorLimit, ids: account, ownGroups: () => [], resources });
    expect(steps.map(({ stage, detail, needs }) => (stage === 'setting' ? `${detail} <- ${needs}` : stage))).toEqual([
      'set nice to -1 <- CAP_SYS_NICE to make nice smaller',
      'set oom_score_adjust to -500 <- CAP_SYS_RESOURCE to make oom_score_adjust smaller',
      'set cpu_affinity to 0,2 <- undefined',
      'set the limit nofile to 1024:4096 <- CAP_SYS_RESOURCE to raise a hard limit',
      'set capabilities to none <- CAP_SETPCAP, and the capabilities themselves',
      'add supplementary_groups 4, 5 <- CAP_SETGID',
      'gid',
      'uid',
      'set capabilities to none <- CAP_SETPCAP, and the capabilities themselves',
      'set no_new_privileges <- undefined',
      'set umask to 0007 <- undefined',
    ]);
  });
});
