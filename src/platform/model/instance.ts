/** An instance is one container of a project as it shall run: what the engine is told when the container is made. */

export type InstanceType = 'standard' | 'published' | 'persistent' | 'master' | 'interactive' | 'safemode' | 'debug';

/** When an instance counts as up for those that wait for it. */
export type WaitFor =
  /** Its container runs. */
  | 'started'
  /** Chaperone inside says that the system is ready. */
  | 'ready'
  /** The engine's health check says healthy. */
  | 'healthy'
  /** The best that the image offers: Chaperone's word, else a health check, else that it runs. */
  | 'best';

/** The name by which the parts of dockerops call an instance: `CONTAINER-INSTANCE`. Unique in a project. */
export type InstanceKey = string;

export function instanceKey({ container, instance }: Pick<InstanceSpec, 'container' | 'instance'>): InstanceKey {
  return `${container}-${instance}`;
}

/** Another instance, which this one finds under a name of its own. */
export interface Link {
  /** The host name under which this instance finds the other one, on the project's network. */
  readonly alias: string;
  /** The variable that holds the other one's address: `DB_CONTAINER_IP`. */
  readonly variable: string;
  /** The other instance. */
  readonly to: InstanceKey;
  /** The other one's container at the engine. */
  readonly containerName: string;
}

export interface PublishedPort {
  /** The port of the host, and of the container: both have the same number. */
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** A folder or a volume that is mounted into a container. */
export type Mount =
  /** A folder or file of the host. `create`: the folder is made where it is absent, since it is the project's own. */
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly create: boolean;
    }
  /** A volume of the engine, by its name there: it stays when containers are removed. */
  | { readonly kind: 'volume'; readonly name: string; readonly target: string; readonly readOnly: boolean };

/** When others count an instance as up: of a specification, what is no part of its container. */
export type Manner = Pick<InstanceSpec, 'wait' | 'sleep'>;

export interface InstanceSpec {
  readonly key: InstanceKey;
  readonly project: string;
  readonly container: string;
  readonly instance: string;
  readonly type: InstanceType;
  /** `PROJECT-CONTAINER-INSTANCE`. */
  readonly containerName: string;
  /** `PROJECT/CONTAINER`. */
  readonly image: string;
  readonly hostname: string;
  /** The project's network; absent: the instance is not linked, and stands on the engine's own bridge. */
  readonly network?: string;
  readonly links: readonly Link[];
  /** The instances that have to be up first: those of links and `depends_on`, and the entry before this one where `sleep` orders them. */
  readonly dependsOn: readonly InstanceKey[];
  readonly wait: WaitFor;
  /** All variables but those of links: their addresses are known only once the other instances run. */
  readonly env: Readonly<Record<string, string>>;
  readonly ports: readonly PublishedPort[];
  readonly mounts: readonly Mount[];
  /** All labels but those that hold what was recorded: `labelNames.spec` and `labelNames.links`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly group?: string;
  /** Pause in ms once the instance is up, before those start that wait for it. */
  readonly sleep: number;
  /** True where the container has a terminal and an open input, as `interactive` instances need. */
  readonly terminal: boolean;
}
