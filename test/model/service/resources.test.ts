import { describe, expect, it } from 'vitest';
import {
  capabilityNames,
  describeResource,
  limitsInBytes,
  limitText,
  neededCapabilities,
  type Resources,
  resourceNumbers,
} from '../../../src/model/service/resources.ts';

it('the limits have the numbers that Linux gives them', () => {
  expect(Object.keys(resourceNumbers).join(' ')).toBe(
    'cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue nice rtprio rttime',
  );
  expect(Object.values(resourceNumbers)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
});

it('limits of sizes count bytes, and none of numbers and times', () => {
  expect([...limitsInBytes].sort()).toEqual(['as', 'core', 'data', 'fsize', 'memlock', 'msgqueue', 'rss', 'stack']);
});

it.each<[number, number, string]>([
  [1, 1, '1'],
  [1, 2, '1:2'],
  [0, 0, '0'],
  [0, -1, '0:unlimited'],
  [-1, -1, 'unlimited'],
])('a limit of %i and %i is written %s', (soft, hard, text) => {
  expect(limitText({ soft, hard })).toBe(text);
});

describe('what a start does for a directive', () => {
  it.each<[keyof Resources, Resources, string]>([
    [
      'limits',
      {
        limits: [
          { name: 'nofile', soft: 1, hard: 2 },
          { name: 'core', soft: -1, hard: -1 },
        ],
      },
      'set the limit nofile to 1:2, core to unlimited',
    ],
    ['nice', { nice: -5 }, 'set nice to -5'],
    ['umask', { umask: 0o22 }, 'set umask to 0022'],
    ['umask', {}, 'set umask to 0000'],
    ['oomScoreAdjust', { oomScoreAdjust: 7 }, 'set oom_score_adjust to 7'],
    ['cpuAffinity', { cpuAffinity: [0, 3] }, 'set cpu_affinity to 0,3'],
    ['noNewPrivileges', { noNewPrivileges: true }, 'set no_new_privileges'],
    ['capabilities', { capabilities: [0, 5, 99] }, 'set capabilities to CHOWN, KILL, 99'],
    ['capabilities', { capabilities: [] }, 'set capabilities to none'],
    ['supplementaryGroups', { supplementaryGroups: [4, 5] }, 'add supplementary_groups 4, 5'],
  ])('is told for %s of %j', (key, resources, text) => {
    expect(describeResource(resources, key)).toBe(text);
  });

  it('needs a capability where the kernel asks for one', () => {
    expect(neededCapabilities).toEqual({
      limits: 'CAP_SYS_RESOURCE to raise a hard limit',
      nice: 'CAP_SYS_NICE to make nice smaller',
      oomScoreAdjust: 'CAP_SYS_RESOURCE to make oom_score_adjust smaller',
      capabilities: 'CAP_SETPCAP, and the capabilities themselves',
      supplementaryGroups: 'CAP_SETGID',
    });
    expect(capabilityNames).toHaveLength(41);
  });
});
