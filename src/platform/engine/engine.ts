/**
 * The engine port: all requests to a container engine (calls) and all that it reports (streams). Its implementations are
 * `docker-engine.ts`, which speaks the Docker Engine API (Podman's compatible socket too), and `simulated-engine.ts`. Both
 * pass one contract suite. No other file of the platform talks to an engine.
 *
 * A call that the engine refuses is an answer, not an exception: it holds what kind of refusal it is and the engine's own
 * message.
 */
import type { Observable } from 'rxjs';

/** Why a call was not done. The message is the engine's own; for `unreachable` the system's, with the engine's address. */
export type EngineFailure =
  /** Nothing answers at the address, or the connection broke before the answer was complete. */
  | { readonly kind: 'unreachable'; readonly message: string }
  /** There is no such container, image, network, volume or exec. */
  | { readonly kind: 'absent'; readonly message: string }
  /** A name is taken, or the state of the object forbids it (a running container cannot be removed). */
  | { readonly kind: 'conflict'; readonly message: string }
  /** All other refusals: a port that is in use, a full disk, a wrong parameter, a failing step of a build. */
  | { readonly kind: 'refused'; readonly status: number; readonly message: string }
  /** The caller has given up through its signal. */
  | { readonly kind: 'abandoned'; readonly message: string };

export type EngineAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: EngineFailure };

export type Labels = Readonly<Record<string, string>>;

/** A label that something must have; without a value, any value counts. */
export interface LabelFilter {
  readonly name: string;
  readonly value?: string;
}

export interface EngineInfo {
  /** `Docker Engine`, `Podman Engine`, as the engine calls itself. */
  readonly product: string;
  readonly version: string;
  readonly apiVersion: string;
  /** The host's name as the engine tells it. */
  readonly host: string;
  readonly operatingSystem: string;
  readonly containers: number;
  readonly images: number;
}

// ---- images

export interface BuildRequest {
  /** With its name, `PROJECT/NAME` or `PROJECT/NAME:TAG`. */
  readonly tag: string;
  /** The build context: an uncompressed tar. It is read to its end once and destroyed where the build is given up. */
  readonly context: NodeJS.ReadableStream;
  /** The path of the Dockerfile in the context; absent: `Dockerfile`. */
  readonly dockerfile?: string;
  readonly labels: Labels;
  readonly buildArguments?: Readonly<Record<string, string>>;
  /** False: no step is taken from the cache. */
  readonly cache: boolean;
  /** True: the engine looks for newer base images. */
  readonly pull?: boolean;
  /** The network of RUN steps; absent: the engine's own choice. */
  readonly network?: string;
}

export type BuildEvent =
  /** A step of the Dockerfile has begun: `Step 3/7 : RUN apt-get update` is step 3 of 7. */
  | { readonly type: 'step'; readonly step: number; readonly steps: number; readonly instruction: string }
  /** The step was taken from the cache. */
  | { readonly type: 'cached'; readonly step: number }
  /** A layer of a base image comes in. Bytes are absent where the engine tells none. */
  | {
      readonly type: 'layer';
      readonly layer: string;
      readonly status: string;
      readonly done?: number;
      readonly total?: number;
    }
  /** One line of the output of a RUN step, without its line end. */
  | { readonly type: 'output'; readonly text: string }
  /** The last event of a build that has succeeded. */
  | { readonly type: 'built'; readonly image: string }
  /** The last event of a build that has failed. `step`: the step that was running. */
  | { readonly type: 'failed'; readonly failure: EngineFailure; readonly step?: number };

export interface Port {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
}

export interface ImageFacts {
  readonly id: string;
  /** Each with its tag, `demo/web:latest`. */
  readonly tags: readonly string[];
  readonly labels: Labels;
  /** Unix ms. */
  readonly created: number;
  readonly bytes: number;
  /** The ports of the image's EXPOSE lines; absent where the image comes from a list of images. */
  readonly exposed?: readonly Port[];
  /** True where the image has a health check; absent in a list. */
  readonly healthCheck?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
}

export interface Pruned {
  readonly ids: readonly string[];
  readonly bytes: number;
}

export interface EngineImages {
  /** Builds when it is subscribed to; unsubscribing gives the build up. It never errors: it ends with `built` or `failed`. */
  build(request: BuildRequest): Observable<BuildEvent>;
  /** Brings an image from its registry, likewise; nothing is sent to the engine's own builder. */
  pull(name: string): Observable<BuildEvent>;
  inspect(name: string): Promise<EngineAnswer<ImageFacts>>;
  list(labels: readonly LabelFilter[]): Promise<EngineAnswer<readonly ImageFacts[]>>;
  /** Images without a name that no container uses and that have all these labels. */
  listDangling(labels: readonly LabelFilter[]): Promise<EngineAnswer<readonly ImageFacts[]>>;
  pruneDangling(labels: readonly LabelFilter[]): Promise<EngineAnswer<Pruned>>;
  remove(name: string, options?: { readonly force?: boolean }): Promise<EngineAnswer<void>>;
}

// ---- containers

export interface PublishedPort extends Port {
  readonly hostPort: number;
  /** Absent: on all addresses of the host. */
  readonly hostAddress?: string;
}

export type Mount =
  /** `source`: an absolute path of the engine's host; it must exist. */
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | { readonly type: 'volume'; readonly name: string; readonly target: string; readonly readOnly: boolean };

export interface NetworkLink {
  readonly container: string;
  readonly alias: string;
  /** The other container's address when this one is created: for engines without links of their own. */
  readonly address: string;
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly hostname: string;
  readonly labels: Labels;
  readonly environment: Readonly<Record<string, string>>;
  readonly ports: readonly PublishedPort[];
  readonly mounts: readonly Mount[];
  /** The one network that the container is on; absent: the engine's default. */
  readonly network?: string;
  /** The names of the container on that network, beside its own. */
  readonly aliases: readonly string[];
  /** Names of other containers on that network that only this container sees. */
  readonly links?: readonly NetworkLink[];
  /** Replaces the image's own. */
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly user?: string;
  readonly directory?: string;
  /** A pseudo-terminal is the container's stdin, stdout and stderr. */
  readonly terminal?: boolean;
  /** The container's stdin stays open, so that somebody can attach to it. */
  readonly openInput?: boolean;
  /** The engine removes the container when it exits. */
  readonly autoRemove?: boolean;
  /** Seconds between the stop signal and SIGKILL; absent: the engine's own. */
  readonly stopTimeout?: number;
}

export type ContainerStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'removing'
  | 'stopping'
  | 'exited'
  | 'dead';

/** `none`: the container has no health check. */
export type Health = 'none' | 'starting' | 'healthy' | 'unhealthy';

export interface ContainerFacts {
  readonly id: string;
  readonly name: string;
  /** The image as the container was created from it: by name. */
  readonly image: string;
  readonly imageId: string;
  readonly labels: Labels;
  readonly hostname: string;
  readonly status: ContainerStatus;
  readonly health: Health;
  /** The exit code; 0 while the container has not exited. */
  readonly exitCode: number;
  /** Why the engine could not start the container; empty where it could. */
  readonly error: string;
  readonly outOfMemory: boolean;
  /** Unix ms; absent for what has not happened yet. */
  readonly created: number;
  readonly started?: number;
  readonly finished?: number;
  /** The address on each network by its name; empty while the container is not running. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly ports: readonly PublishedPort[];
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly terminal: boolean;
}

/** A row of a list: what an engine tells of many containers at once. */
export interface ContainerRow {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly labels: Labels;
  readonly status: ContainerStatus;
  /** `Up 3 minutes (healthy)`, in the engine's words. */
  readonly statusText: string;
  /** Unix ms. */
  readonly created: number;
  readonly addresses: Readonly<Record<string, string>>;
  readonly ports: readonly PublishedPort[];
  /** Names of named volumes that are mounted. */
  readonly volumes: readonly string[];
}

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Uint8Array;
}

export interface LogRequest {
  readonly follow: boolean;
  /** The number of lines from the end; absent: all. */
  readonly tail?: number;
  /** Unix ms. */
  readonly since?: number;
  readonly timestamps?: boolean;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly directory?: string;
  readonly terminal: boolean;
  /** True: what is written to the session is the command's stdin. */
  readonly input: boolean;
  /**
   * Aborted: nobody awaits the command any more. Docker may neither begin nor close the connection of a command whose container ends at
   * the same moment, and an open connection would keep whoever asked from ending.
   */
  readonly signal?: AbortSignal;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A program's terminal or pipes through the engine's own connection. */
export interface Session {
  /** Hot from the call on, kept until the first subscription; completes at the end of the output. With a terminal all is `stdout`. */
  readonly output: Observable<OutputChunk>;
  write(bytes: Uint8Array): void;
  /** Ends the program's stdin. */
  end(): void;
  resize(size: TerminalSize): Promise<EngineAnswer<void>>;
  /** Settles after the output has ended. The exit code of the program. */
  readonly ended: Promise<EngineAnswer<number>>;
  /** Leaves the connection; the program goes on. */
  close(): void;
}

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface EngineContainers {
  create(spec: ContainerSpec): Promise<EngineAnswer<{ readonly id: string; readonly warnings: readonly string[] }>>;
  /** Starting what runs already succeeds. */
  start(container: string): Promise<EngineAnswer<void>>;
  /** `timeout`: seconds until SIGKILL; absent: the container's own. Stopping what has exited succeeds. */
  stop(container: string, timeout?: number): Promise<EngineAnswer<void>>;
  kill(container: string, signal: string): Promise<EngineAnswer<void>>;
  /** Named volumes stay; volumes without a name go where `volumes` says so. */
  remove(
    container: string,
    options?: { readonly force?: boolean; readonly volumes?: boolean },
  ): Promise<EngineAnswer<void>>;
  inspect(container: string): Promise<EngineAnswer<ContainerFacts>>;
  /** Running and others, that have all these labels. */
  list(labels: readonly LabelFilter[]): Promise<EngineAnswer<readonly ContainerRow[]>>;
  logs(container: string, request: LogRequest): Observable<OutputChunk | { readonly failure: EngineFailure }>;
  /** Starts a program in a running container and stays connected with it. */
  exec(container: string, request: ExecRequest): Promise<EngineAnswer<Session>>;
  /** Runs a program to its end and returns its output, of which the first 16 MiB are kept. */
  run(container: string, request: Omit<ExecRequest, 'terminal' | 'input'>): Promise<EngineAnswer<Finished>>;
  /** Connects with the container's own stdin and output. Call it before `start` to see all of it. */
  attach(container: string, options: { readonly input: boolean }): Promise<EngineAnswer<Session>>;
  /** Waits until the container has exited. */
  wait(container: string): Promise<EngineAnswer<number>>;
}

// ---- networks and volumes

export interface NetworkFacts {
  readonly id: string;
  readonly name: string;
  readonly labels: Labels;
}

export interface EngineNetworks {
  create(name: string, labels: Labels): Promise<EngineAnswer<NetworkFacts>>;
  list(labels: readonly LabelFilter[]): Promise<EngineAnswer<readonly NetworkFacts[]>>;
  inspect(name: string): Promise<EngineAnswer<NetworkFacts>>;
  remove(name: string): Promise<EngineAnswer<void>>;
}

export interface VolumeFacts {
  readonly name: string;
  readonly labels: Labels;
}

export interface EngineVolumes {
  create(name: string, labels: Labels): Promise<EngineAnswer<VolumeFacts>>;
  list(labels: readonly LabelFilter[]): Promise<EngineAnswer<readonly VolumeFacts[]>>;
  remove(name: string): Promise<EngineAnswer<void>>;
}

// ---- events

/** What happens to containers, as the engine tells it. */
export type EngineEvent =
  /** The stream is open: all that happens from now on arrives. Always the first one. */
  | { readonly type: 'opened' }
  | (ContainerEvent & {
      readonly container: string;
      readonly name: string;
      readonly labels: Labels;
      readonly at: number;
    })
  /** The stream has ended or broken; always the last one. What happens now is not told. */
  | { readonly type: 'lost'; readonly failure: EngineFailure };

type ContainerEvent =
  | { readonly type: 'created' | 'started' | 'paused' | 'unpaused' | 'removed' | 'renamed' }
  /** The stop signal, or another one, was sent. */
  | { readonly type: 'killed'; readonly signal: string }
  | { readonly type: 'outOfMemory' }
  | { readonly type: 'exited'; readonly exitCode: number }
  | { readonly type: 'health'; readonly health: Health };

export interface Engine {
  /** Where the engine is, for messages: `unix:///var/run/docker.sock`. */
  readonly address: string;
  info(): Promise<EngineAnswer<EngineInfo>>;
  readonly images: EngineImages;
  readonly containers: EngineContainers;
  readonly networks: EngineNetworks;
  readonly volumes: EngineVolumes;
  /**
   * Events of containers that have all these labels. `since`: Unix ms, from which on past events are told first. It never errors
   * and it does not connect again by itself: `lost` is the last event.
   */
  events(labels: readonly LabelFilter[], since?: number): Observable<EngineEvent>;
}
