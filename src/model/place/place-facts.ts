/** What a place where chaperone runs allows: facts that `chaperonectl doctor` reads from /proc, /sys and the file system. */
import { capabilityNames } from '../service/resources.ts';

/** A limit or an amount; undefined: there is none. */
export type Bound = number | undefined;

export interface FolderFacts {
  readonly path: string;
  /** `made`: it is absent, and chaperone may make it. */
  readonly state: 'writable' | 'made' | 'absent' | 'forbidden' | 'read-only';
  /** Bytes that are left; undefined where that is not known. */
  readonly free?: number;
}

export interface LimitFacts {
  /** As /proc/PID/limits calls it: `Max open files`. */
  readonly name: string;
  readonly soft: Bound;
  readonly hard: Bound;
}

export interface PlaceFacts {
  /** The kernel's release: `6.1.0-18-amd64`. */
  readonly kernel: string;
  /** What the container was made by, where that can be seen: `docker`, `podman`, `kubernetes`, `systemd-nspawn`, `lxc`. */
  readonly container?: string;
  readonly init: {
    readonly kind: 'chaperone' | 'other' | 'unknown';
    /** The program of PID 1. */
    readonly program: string;
    /** True where chaperone runs, but another program is PID 1. */
    readonly elsewhere: boolean;
  };
  readonly uid: number;
  /** Numbers of the capabilities that PID 1 has, or where that cannot be read the doctor itself; and may ever get. */
  readonly capabilities: { readonly effective: ReadonlySet<string>; readonly bounding: ReadonlySet<string> };
  readonly noNewPrivileges: boolean;
  readonly seccomp: 'off' | 'strict' | 'filter' | 'unknown';
  readonly limits: readonly LimitFacts[];
  readonly folders: readonly FolderFacts[];
  readonly zone: { readonly name: string; readonly source: string; readonly problem?: string };
  readonly cgroup: {
    /** 0: no cgroup can be seen. */
    readonly version: 0 | 1 | 2;
    /** Bytes, processes, and processors. */
    readonly memory: Bound;
    readonly processes: Bound;
    readonly processors: Bound;
  };
  /** Ports below it need a capability. */
  readonly lowestPort: number;
  readonly logSocket: 'absent' | 'chaperone' | 'other' | 'unknown';
}

/** The capabilities of a mask as /proc/PID/status writes it: hexadecimal. */
export function capabilitiesOf(mask: string): ReadonlySet<string> {
  const bits = /^[0-9a-f]{1,16}$/i.test(mask) ? BigInt(`0x${mask}`) : 0n;
  return new Set(capabilityNames.filter((_, number) => ((bits >> BigInt(number)) & 1n) === 1n));
}
