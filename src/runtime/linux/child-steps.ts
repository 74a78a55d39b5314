/** What a child of the body does before its program, one step after another: a pure list that the body carries out. */
import type { Account } from '../../model/service/account.ts';
import {
  describeResource,
  neededCapabilities,
  type Resources,
  resourceNumbers,
} from '../../model/service/resources.ts';
import type { SpawnErrorStage } from '../../model/service/spawn-error.ts';
import type { ChildStep } from './body-protocol.ts';

/** A step, and how messages name it if the kernel refuses it. */
export interface NamedStep extends ChildStep {
  readonly stage: SpawnErrorStage;
  /** For `setting`: "set the limit nofile to 1024:4096", and what chaperone needs to be permitted. */
  readonly detail?: string;
  readonly needs?: string;
}

type Named = Pick<NamedStep, 'stage' | 'detail' | 'needs'>;

function named(resources: Resources, key: keyof Resources): Named {
  const needs = neededCapabilities[key];
  return { stage: 'setting', detail: describeResource(resources, key), ...(needs === undefined ? {} : { needs }) };
}

interface Setup {
  /** RLIMIT_NOFILE as it was before Node raised it. */
  readonly descriptorLimit: { readonly soft: number; readonly hard: number };
  /** The ids to take; without `groups` the process keeps the groups of chaperone. */
  readonly ids?: Pick<Account, 'uid' | 'gid'> & { readonly groups?: readonly number[] };
  /** The groups of chaperone itself. */
  readonly ownGroups: () => readonly number[];
  readonly resources: Resources | undefined;
}

export interface ChildSetup {
  readonly steps: readonly NamedStep[];
  /** The groups that the step of kind `groups` sets. */
  readonly groups: readonly number[];
}

/**
 * The steps of a start. Limits, priorities and the bounding set need privileges, so the account follows them; capabilities that
 * the program keeps are taken when it has its account.
 */
export function childSetup({ descriptorLimit, ids, ownGroups, resources = {} }: Setup): ChildSetup {
  const { limits = [], supplementaryGroups = [], capabilities, umask, noNewPrivileges } = resources;
  const setting = (key: keyof Resources): Named => named(resources, key);
  const kept = capabilities === undefined ? 0n : capabilities.reduce((mask, each) => mask | (1n << BigInt(each)), 0n);
  const added = supplementaryGroups.length > 0;
  const groups = added ? [...(ids?.groups ?? ownGroups()), ...supplementaryGroups] : (ids?.groups ?? []);
  const steps: NamedStep[] = [
    ...beforeLimits(resources, setting),
    ...(limits.some(({ name }) => name === 'nofile')
      ? []
      : [
          {
            kind: 'limit',
            which: resourceNumbers.nofile,
            first: descriptorLimit.soft,
            second: descriptorLimit.hard,
            stage: 'limit',
          } as const,
        ]),
    ...limitSteps(resources),
    ...(capabilities === undefined ? [] : [{ kind: 'bounding', first: kept, ...setting('capabilities') } as const]),
    ...(added ? [{ kind: 'groups', first: 0, ...setting('supplementaryGroups') } as const] : []),
    ...(!added && ids?.groups !== undefined ? [{ kind: 'groups', first: 0, stage: 'groups' } as const] : []),
    ...(ids === undefined ? [] : [{ kind: 'gid', first: ids.gid, stage: 'gid' } as const]),
    ...(ids === undefined ? [] : [{ kind: 'uid', first: ids.uid, which: kept === 0n ? 0 : 1, stage: 'uid' } as const]),
    ...(capabilities === undefined ? [] : [{ kind: 'capabilities', first: kept, ...setting('capabilities') } as const]),
    ...(noNewPrivileges === true
      ? [{ kind: 'noNewPrivileges', first: 1, ...setting('noNewPrivileges') } as const]
      : []),
    ...(umask === undefined ? [] : [{ kind: 'umask', first: umask, ...setting('umask') } as const]),
  ];
  return { steps, groups };
}

/** What may need a descriptor or memory, which a limit could refuse. */
function beforeLimits(
  { nice, oomScoreAdjust, cpuAffinity }: Resources,
  setting: (key: keyof Resources) => Named,
): readonly NamedStep[] {
  return [
    ...(nice === undefined ? [] : [{ kind: 'nice', first: nice, ...setting('nice') } as const]),
    ...(oomScoreAdjust === undefined
      ? []
      : [{ kind: 'oomScore', first: oomScoreAdjust, ...setting('oomScoreAdjust') } as const]),
    ...(cpuAffinity === undefined
      ? []
      : processorWords(cpuAffinity).map(
          (word, index, all) =>
            ({
              kind: 'processors',
              which: index,
              first: word,
              second: index === all.length - 1 ? 1 : 0,
              ...setting('cpuAffinity'),
            }) as const,
        )),
  ];
}

function limitSteps({ limits = [] }: Resources): readonly NamedStep[] {
  return limits.map(({ name, soft, hard }) => ({
    kind: 'limit',
    which: resourceNumbers[name],
    first: soft,
    second: hard,
    ...named({ limits: [{ name, soft, hard }] }, 'limits'),
  }));
}

/** A mask of processors in words of 64 bits. */
function processorWords(processors: readonly number[]): readonly bigint[] {
  const words = Array.from({ length: Math.floor(Math.max(0, ...processors) / 64) + 1 }, () => 0n);
  for (const processor of processors) {
    const at = Math.floor(processor / 64);
    words[at] = (words[at] ?? 0n) | (1n << BigInt(processor % 64));
  }
  return words;
}
