/** What has to be done so that a project runs as its confs say: values, from what is wanted and what is there. */
import type { InstanceKey, InstanceSpec, Manner } from './instance.ts';
import type { RecordedSpec } from './recorded-spec.ts';

/** A container of the project, as the engine tells of it. */
export interface ObservedContainer {
  /** The engine's id. */
  readonly id: string;
  readonly key: InstanceKey;
  readonly container: string;
  readonly instance: string;
  readonly containerName: string;
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  /** The id of the image that the container was made from; a newer image may have its name by now. */
  readonly imageId: string;
  readonly exitCode?: number;
  readonly health?: 'starting' | 'healthy' | 'unhealthy';
  /** Unix time in ms. */
  readonly startedAt?: number;
  /** Its address on the project's network, or on the bridge; absent where it does not run. */
  readonly address?: string;
  /** The specification that the container was made from; absent where its label cannot be read. */
  readonly recorded?: RecordedSpec;
  /** The addresses of its links at the time the container was made, by alias. */
  readonly linkAddresses: Readonly<Record<string, string>>;
}

export interface ObservedImage {
  readonly id: string;
  /** The ports, as the engine writes them: `80/tcp`, `53/udp`. */
  readonly exposed: readonly string[];
  readonly hasHealthcheck: boolean;
}

/** What exists of a project at one instant: its containers, and its images. */
export interface Observed {
  readonly containers: readonly ObservedContainer[];
  /** The project's images by name without tag. */
  readonly images: ReadonlyMap<string, ObservedImage>;
  /** Containers that are not the project's, by name: whoever needs one of these names cannot be made. */
  readonly foreignNames: ReadonlySet<string>;
}

/** One step about one instance. Steps run in parallel but for those named by `after`. */
export interface Step {
  readonly action: StepAction;
  readonly key: InstanceKey;
  /** The reasons for the step, in words for a person: `image app is newer`, `variable DB_NAME changed`. */
  readonly reasons: readonly string[];
  /** Steps about these instances have to be finished first: up for starts, gone for stops. */
  readonly after: readonly InstanceKey[];
}

export type StepAction =
  /** The instance runs as the conf says. Others may wait until it is up. */
  | { readonly kind: 'keep'; readonly spec: InstanceSpec; readonly found: ObservedContainer }
  | { readonly kind: 'create'; readonly spec: InstanceSpec }
  /** The container is as the conf says, and does not run. */
  | { readonly kind: 'start'; readonly spec: InstanceSpec; readonly found: ObservedContainer }
  /** The container is started as it was made, whatever the conf says by now; one that runs already is only waited for. */
  | { readonly kind: 'resume'; readonly found: ObservedContainer; readonly manner: Manner }
  /** The container is stopped, removed, made anew and started. Data and volumes stay. */
  | { readonly kind: 'recreate'; readonly spec: InstanceSpec; readonly found: ObservedContainer }
  | { readonly kind: 'stop'; readonly found: ObservedContainer; readonly timeout?: number }
  | { readonly kind: 'kill'; readonly found: ObservedContainer; readonly signal: string }
  /** The instance is stopped where it runs, and its container is removed. Data and volumes stay. */
  | { readonly kind: 'remove'; readonly found: ObservedContainer };

export interface Plan {
  readonly project: string;
  /** The network that has to exist before the first container; absent where none is needed. */
  readonly network?: string;
  /** The steps, in an order in which they may run one by one. */
  readonly steps: readonly Step[];
  /** Doubts, for a person to read. */
  readonly warnings: readonly string[];
}

/** True where a plan changes nothing. */
export function isIdle({ steps }: Plan): boolean {
  return steps.every(({ action }) => action.kind === 'keep');
}
