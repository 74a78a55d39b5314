/** What a service may use, and what it may do: the limits, priorities and rights that its processes get. */

/** The limits of setrlimit(2), and their numbers on Linux. */
export const resourceNumbers = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;

export type ResourceName = keyof typeof resourceNumbers;

/** Limits that count bytes, so that their values take units. */
export const limitsInBytes: ReadonlySet<string> = new Set<ResourceName>([
  'fsize',
  'data',
  'stack',
  'core',
  'rss',
  'memlock',
  'as',
  'msgqueue',
]);

export interface ResourceLimit {
  readonly name: ResourceName;
  /** -1 is no limit. */
  readonly soft: number;
  readonly hard: number;
}

/** Absent: as chaperone itself was started. */
export interface Resources {
  readonly limits?: readonly ResourceLimit[];
  /** -20 to 19. */
  readonly nice?: number;
  readonly umask?: number;
  /** -1000 to 1000. */
  readonly oomScoreAdjust?: number;
  /** Numbers of processors; never empty. */
  readonly cpuAffinity?: readonly number[];
  readonly noNewPrivileges?: true;
  /** Numbers of capabilities(7): nothing else stays in the bounding set, and these are ambient. */
  readonly capabilities?: readonly number[];
  /** Groups that are added to those of the account. */
  readonly supplementaryGroups?: readonly number[];
}

/** The names of capabilities(7) without `CAP_`, by their numbers. */
export const capabilityNames: readonly string[] =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'.split(
    ' ',
  );

/** A limit as it is written: `1024:4096`, or `1024` where both are the same. */
export function limitText({ soft, hard }: Pick<ResourceLimit, 'soft' | 'hard'>): string {
  const text = (value: number): string => (value < 0 ? 'unlimited' : String(value));
  return soft === hard ? text(soft) : `${text(soft)}:${text(hard)}`;
}

/** What a start does for one directive: continues "cannot …". */
export function describeResource(resources: Resources, key: keyof Resources): string {
  const { limits = [], nice, umask = 0, oomScoreAdjust, cpuAffinity = [], capabilities = [] } = resources;
  switch (key) {
    case 'limits':
      return `set the limit ${limits.map((limit) => `${limit.name} to ${limitText(limit)}`).join(', ')}`;
    case 'nice':
      return `set nice to ${nice}`;
    case 'umask':
      return `set umask to ${umask.toString(8).padStart(4, '0')}`;
    case 'oomScoreAdjust':
      return `set oom_score_adjust to ${oomScoreAdjust}`;
    case 'cpuAffinity':
      return `set cpu_affinity to ${cpuAffinity.join(',')}`;
    case 'noNewPrivileges':
      return 'set no_new_privileges';
    case 'capabilities':
      return `set capabilities to ${capabilities.map((each) => capabilityNames[each] ?? each).join(', ') || 'none'}`;
    case 'supplementaryGroups':
      return `add supplementary_groups ${(resources.supplementaryGroups ?? []).join(', ')}`;
  }
}

/** The capability without which the kernel refuses what a directive asks. */
export const neededCapabilities: Readonly<Partial<Record<keyof Resources, string>>> = {
  limits: 'CAP_SYS_RESOURCE to raise a hard limit',
  nice: 'CAP_SYS_NICE to make nice smaller',
  oomScoreAdjust: 'CAP_SYS_RESOURCE to make oom_score_adjust smaller',
  capabilities: 'CAP_SETPCAP, and the capabilities themselves',
  supplementaryGroups: 'CAP_SETGID',
};
