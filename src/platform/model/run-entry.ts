/** One entry of a run.conf, as it is written: what is not given stays absent, and variables have no values yet. */
import type { InstanceType, WaitFor } from './instance.ts';

export interface RunEntry {
  readonly container: string;
  readonly instance: string;
  readonly type?: InstanceType;
  readonly group?: string;
  /** Pause in ms, once the instance is up, before the entries below it start. */
  readonly sleep: number;
  readonly links: readonly LinkWish[];
  readonly env: Readonly<Record<string, EnvWish>>;
  readonly linked?: boolean;
  readonly publishPorts?: boolean;
  readonly persistentData?: boolean;
  readonly persistentOpt?: boolean;
  readonly persistentLog?: boolean;
  readonly volumes: readonly VolumeWish[];
  readonly hostname?: string;
  /** Each `CONTAINER-INSTANCE`, or a container, which means all its instances of the same conf. */
  readonly dependsOn: readonly string[];
  readonly wait?: WaitFor;
}

export interface LinkWish {
  readonly alias: string;
  readonly container: string;
  /** Absent: any instance that runs. */
  readonly instance?: string;
}

export type EnvWish =
  | { readonly kind: 'value'; readonly value: string }
  /** The value has to come from the caller's environment, from host.conf or from a person at the terminal. */
  | { readonly kind: 'required' }
  /** The address of an interface of the host. */
  | { readonly kind: 'interface'; readonly name: string };

/** As `docker run --volume` takes it. */
export interface VolumeWish {
  /** A path of the host, absolute or relative to the project's folder (it begins with a period), or a volume's name. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}
