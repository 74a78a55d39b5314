/**
 * An engine in memory, on a virtual clock: its containers run scripted programs, its answers take their time, and faults are planted
 * into it. All that happens stands in its history, by which a test judges what was asked of it.
 */
import { Observable, Subject } from 'rxjs';
import type { Clock } from '../../runtime/kernel.ts';
import { fail, succeed } from './answer.ts';
import type {
  BuildEvent,
  ContainerFacts,
  ContainerRow,
  ContainerSpec,
  ContainerStatus,
  Engine,
  EngineAnswer,
  EngineContainers,
  EngineEvent,
  EngineFailure,
  EngineImages,
  EngineInfo,
  EngineNetworks,
  EngineVolumes,
  ExecRequest,
  Finished,
  Health,
  ImageFacts,
  LabelFilter,
  Labels,
  NetworkFacts,
  Session,
  VolumeFacts,
} from './engine.ts';

/** What a container's program does. Times are ms after its start. */
export interface SimulatedProgram {
  /** When the Chaperone inside says that it is ready; absent where the container has no Chaperone. */
  readonly readyAfter?: number;
  /** When its health check has a result; absent where it has no health check. */
  readonly health?: { readonly after: number; readonly result: 'healthy' | 'unhealthy' };
  /** When and how the program ends by itself; absent where it runs on. */
  readonly exits?: { readonly after: number; readonly code: number; readonly outOfMemory?: boolean };
  /** ms between the stop signal and the end of the program; where that is longer than the stop's time limit, the program is killed. */
  readonly stopTakes?: number;
  /** Why the engine cannot start the container: a port that is in use, say. */
  readonly startFails?: string;
}

export interface SimulatedImage {
  readonly name: string;
  readonly id: string;
  readonly labels?: Labels;
  readonly exposed?: ImageFacts['exposed'];
  readonly healthCheck?: boolean;
  /** ms that its build or its pull takes, in four steps. */
  readonly comesAfter?: number;
}

export type Operation = 'create' | 'start' | 'stop' | 'kill' | 'remove' | 'network' | 'volume';

export type EngineFault =
  /** The stream of events breaks, and can be opened again after `lasts` ms. What happens meanwhile is told to nobody. */
  | { readonly fault: 'lostStream'; readonly at: number; readonly lasts: number }
  /** The engine answers nothing from `at` for `lasts` ms; calls under way fail. Containers go on. */
  | { readonly fault: 'unreachable'; readonly at: number; readonly lasts: number }
  /** Events arrive `by` ms late, in their order. */
  | { readonly fault: 'lateEvents'; readonly by: number }
  /** The `nth` call of an operation about containers whose name ends so is refused with this failure. */
  | {
      readonly fault: 'refused';
      readonly operation: Operation;
      readonly name: string;
      readonly nth: number;
      readonly failure: EngineFailure;
    }
  /** Somebody else stops, kills or removes a container. */
  | {
      readonly fault: 'meddling';
      readonly at: number;
      readonly does: 'kill' | 'remove' | 'start';
      readonly name: string;
    };

/** One line of the history: a call that was asked for, or what has happened. */
export interface Happened {
  readonly at: number;
  readonly what: 'asked' | 'refused' | 'created' | 'started' | 'exited' | 'removed' | 'ready' | 'opened' | 'lost';
  readonly name: string;
  readonly id?: string;
  readonly operation?: Operation;
  readonly exitCode?: number;
}

export interface SimulatedOptions {
  readonly clock: Clock;
  readonly images: readonly SimulatedImage[];
  readonly programOf: (spec: ContainerSpec, run: number) => SimulatedProgram;
  /** ms that an answer takes. */
  readonly latency: (operation: string) => number;
  readonly faults: readonly EngineFault[];
  readonly product?: string;
}

interface Box {
  readonly spec: ContainerSpec;
  readonly id: string;
  readonly imageId: string;
  readonly created: number;
  status: ContainerStatus;
  health: Health;
  exitCode: number;
  outOfMemory: boolean;
  started: number | undefined;
  finished: number | undefined;
  address: string | undefined;
  run: number;
  program: SimulatedProgram;
  /** Ends what the program would still do. */
  timers: number[];
  /** The callers that wait for the end of the run. */
  waiters: ((answer: EngineAnswer<number>) => void)[];
}

type Told = Exclude<EngineEvent, { readonly type: 'opened' | 'lost' }>;

const away: EngineFailure = {
  kind: 'unreachable',
  message: 'cannot reach the container engine at simulated: ECONNREFUSED',
};
const killedBySignal = 137;
const endedBySignal = 143;
const defaultStop = 10;

export class SimulatedEngine implements Engine {
  readonly address = 'simulated';
  readonly images: EngineImages;
  readonly containers: EngineContainers;
  readonly networks: EngineNetworks;
  readonly volumes: EngineVolumes;
  readonly history: Happened[] = [];
  readonly #options: SimulatedOptions;
  readonly #clock: Clock;
  readonly #boxes = new Map<string, Box>();
  readonly #networks = new Map<string, NetworkFacts>();
  readonly #volumes = new Map<string, VolumeFacts>();
  readonly #images: SimulatedImage[];
  readonly #told = new Subject<Told>();
  readonly #breaks = new Subject<EngineFailure>();
  readonly #counts = new Map<string, number>();
  #ids = 0;
  #addresses = 1;

  constructor(options: SimulatedOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#images = [...options.images];
    this.images = this.#imageCalls();
    this.containers = this.#containerCalls();
    this.networks = this.#networkCalls();
    this.volumes = this.#volumeCalls();
    for (const fault of options.faults) this.#plant(fault);
  }

  /** A container that is there from the beginning, running. @returns its id */
  put(spec: ContainerSpec): string {
    const box = this.#make(spec);
    this.#begin(box);
    return box.id;
  }

  /** Every container there is, for a test. */
  look(): readonly ContainerFacts[] {
    return [...this.#boxes.values()].map((box) => this.#facts(box));
  }

  info(): Promise<EngineAnswer<EngineInfo>> {
    return this.#call('info', () =>
      succeed({
        product: this.#options.product ?? 'Simulated Engine',
        version: '1',
        apiVersion: '1',
        host: 'simulated',
        operatingSystem: 'none',
        containers: this.#boxes.size,
        images: this.#images.length,
      }),
    );
  }

  events(labels: readonly LabelFilter[]): Observable<EngineEvent> {
    return new Observable<EngineEvent>((subscriber) => {
      const lose = (failure: EngineFailure): void => {
        subscriber.next({ type: 'lost', failure });
        subscriber.complete();
      };
      let over = false;
      const late = this.#options.faults.reduce((most, each) => (each.fault === 'lateEvents' ? each.by : most), 0);
      const timer = this.#clock.setTimeout(() => {
        if (this.#isAway() || this.#isDeaf()) return lose(away);
        this.#note({ what: 'opened', name: '' });
        subscriber.next({ type: 'opened' });
        const told = this.#told.subscribe((event) => {
          if (!matches(event.labels, labels)) return;
          if (late === 0) subscriber.next(event);
          else
            this.#clock.setTimeout(() => {
              if (!over) subscriber.next(event);
            }, late);
        });
        const broken = this.#breaks.subscribe((failure) => {
          over = true;
          this.#note({ what: 'lost', name: '' });
          lose(failure);
        });
        subscriber.add(told);
        subscriber.add(broken);
      }, this.#options.latency('events'));
      return () => {
        over = true;
        this.#clock.clearTimeout(timer);
      };
    });
  }

  // ---- faults

  #plant(fault: EngineFault): void {
    switch (fault.fault) {
      case 'lostStream':
      case 'unreachable':
        this.#clock.setTimeout(() => this.#breaks.next(away), fault.at);
        break;
      case 'meddling':
        this.#clock.setTimeout(() => this.#meddle(fault.does, fault.name), fault.at);
        break;
      case 'lateEvents':
      case 'refused':
        break;
    }
  }

  #meddle(does: 'kill' | 'remove' | 'start', name: string): void {
    const box = [...this.#boxes.values()].find(({ spec }) => spec.name.endsWith(name));
    if (box === undefined) return;
    if (does === 'start') {
      if (box.status !== 'running') this.#begin(box);
      return;
    }
    if (box.status === 'running') this.#end(box, killedBySignal, false);
    if (does === 'remove') this.#drop(box);
  }

  #within(kind: 'lostStream' | 'unreachable'): boolean {
    const now = this.#clock.now();
    return this.#options.faults.some((each) => each.fault === kind && now >= each.at && now < each.at + each.lasts);
  }

  #isAway(): boolean {
    return this.#within('unreachable');
  }

  #isDeaf(): boolean {
    return this.#within('lostStream');
  }

  #refusal(operation: Operation, name: string): EngineFailure | undefined {
    for (const fault of this.#options.faults) {
      if (fault.fault !== 'refused' || fault.operation !== operation || !name.endsWith(fault.name)) continue;
      const key = `${operation} ${fault.name} ${fault.nth}`;
      const count = (this.#counts.get(key) ?? 0) + 1;
      this.#counts.set(key, count);
      if (count === fault.nth) return fault.failure;
    }
    return undefined;
  }

  // ---- calls

  #note(happened: Omit<Happened, 'at'>): void {
    this.history.push({ at: this.#clock.now(), ...happened });
  }

  /** An answer comes after its time; the engine may have gone away by then. */
  #call<T>(operation: string, answer: () => EngineAnswer<T>): Promise<EngineAnswer<T>> {
    return new Promise((resolve) => {
      if (this.#isAway()) {
        this.#clock.setTimeout(() => resolve(fail(away)), 1);
        return;
      }
      this.#clock.setTimeout(() => resolve(this.#isAway() ? fail(away) : answer()), this.#options.latency(operation));
    });
  }

  /** A call that changes something about one thing with a name. */
  #change<T>(operation: Operation, subject: string, change: () => EngineAnswer<T>): Promise<EngineAnswer<T>> {
    const name = this.#find(subject)?.spec.name ?? subject;
    this.#note({ what: 'asked', operation, name, ...idOf(this.#find(subject)) });
    return this.#call(operation, () => {
      const failure = this.#refusal(operation, name);
      const answer = failure === undefined ? change() : fail<T>(failure);
      if (!answer.ok) this.#note({ what: 'refused', operation, name });
      return answer;
    });
  }

  #find(container: string): Box | undefined {
    return this.#boxes.get(container) ?? [...this.#boxes.values()].find(({ spec }) => spec.name === container);
  }

  #with<T>(container: string, use: (box: Box) => EngineAnswer<T>): EngineAnswer<T> {
    const box = this.#find(container);
    if (box === undefined) return fail({ kind: 'absent', message: `No such container: ${container}` });
    return use(box);
  }

  #containerCalls(): EngineContainers {
    const call = <T>(operation: string, container: string, use: (box: Box) => EngineAnswer<T>) =>
      this.#call(operation, () => this.#with(container, use));
    const change = <T>(operation: Operation, container: string, use: (box: Box) => EngineAnswer<T>) =>
      this.#change(operation, container, () => this.#with(container, use));
    return {
      create: (spec) => this.#change('create', spec.name, () => this.#create(spec)),
      start: (container) => change('start', container, (box) => this.#start(box)),
      stop: (container, timeout) => this.#stop(container, timeout),
      kill: (container, signal) =>
        change('kill', container, (box) => {
          if (box.status !== 'running') {
            return fail({ kind: 'conflict', message: `Container ${box.id} is not running` });
          }
          if (/KILL|^9$/.test(signal)) this.#end(box, killedBySignal, false);
          else if (/TERM|INT|^15$|^2$/.test(signal)) this.#end(box, endedBySignal, false);
          return succeed(undefined);
        }),
      remove: (container, options = {}) =>
        change('remove', container, (box) => {
          if (box.status === 'running') {
            if (options.force !== true) {
              return fail({ kind: 'conflict', message: `cannot remove container "/${box.spec.name}": it is running` });
            }
            this.#end(box, killedBySignal, false);
          }
          this.#drop(box);
          return succeed(undefined);
        }),
      inspect: (container) => call('inspect', container, (box) => succeed(this.#facts(box))),
      list: (labels) =>
        this.#call('list', () =>
          succeed(
            [...this.#boxes.values()].filter(({ spec }) => matches(spec.labels, labels)).map((box) => this.#row(box)),
          ),
        ),
      logs: () => new Observable((subscriber) => subscriber.complete()),
      exec: (container, request) => call('exec', container, (box) => this.#session(box, request)),
      run: (container, request) => call('exec', container, (box) => this.#run(box, request)),
      attach: (container) =>
        call('attach', container, (box) => this.#session(box, { command: [], terminal: false, input: false })),
      wait: async (container) => {
        const found = await call('wait', container, succeed);
        // Before its start, an engine takes a container for one that has ended.
        if (!found.ok || found.value.status !== 'running') return found.ok ? succeed(found.value.exitCode) : found;
        return new Promise((resolve) => {
          found.value.waiters.push(resolve);
        });
      },
    };
  }

  #create(spec: ContainerSpec): EngineAnswer<{ readonly id: string; readonly warnings: readonly string[] }> {
    const taken = this.#find(spec.name);
    if (taken !== undefined) {
      const message = `Conflict. The container name "/${spec.name}" is already in use by container "${taken.id}".`;
      return fail({ kind: 'conflict', message });
    }
    if (!this.#images.some(({ name }) => name === spec.image)) {
      return fail({ kind: 'absent', message: `No such image: ${spec.image}:latest` });
    }
    if (spec.network !== undefined && !this.#networks.has(spec.network)) {
      return fail({ kind: 'absent', message: `network ${spec.network} not found` });
    }
    return succeed({ id: this.#make(spec).id, warnings: [] });
  }

  #make(spec: ContainerSpec): Box {
    this.#ids += 1;
    const id = `c${String(this.#ids).padStart(3, '0')}`;
    const box: Box = {
      spec,
      id,
      imageId: this.#images.find(({ name }) => name === spec.image)?.id ?? '',
      created: this.#clock.wallTime(),
      status: 'created',
      health: 'none',
      exitCode: 0,
      outOfMemory: false,
      started: undefined,
      finished: undefined,
      address: undefined,
      run: 0,
      program: {},
      timers: [],
      waiters: [],
    };
    this.#boxes.set(id, box);
    this.#note({ what: 'created', name: spec.name, id });
    this.#tell(box, { type: 'created' });
    return box;
  }

  #start(box: Box): EngineAnswer<void> {
    if (box.status === 'running') return succeed(undefined);
    const { startFails } = this.#options.programOf(box.spec, box.run + 1);
    if (startFails !== undefined) {
      box.run += 1;
      return fail({ kind: 'refused', status: 500, message: startFails });
    }
    const port = this.#takenPort(box);
    if (port !== undefined) {
      const message = `driver failed programming external connectivity: Bind for 0.0.0.0:${port} failed: port is already allocated`;
      return fail({ kind: 'refused', status: 500, message });
    }
    this.#begin(box);
    return succeed(undefined);
  }

  #takenPort(box: Box): number | undefined {
    const others = [...this.#boxes.values()].filter((other) => other !== box && other.status === 'running');
    const taken = new Set(others.flatMap(({ spec }) => spec.ports.map(({ hostPort }) => hostPort)));
    return box.spec.ports.find(({ hostPort }) => taken.has(hostPort))?.hostPort;
  }

  #begin(box: Box): void {
    box.run += 1;
    box.program = this.#options.programOf(box.spec, box.run);
    this.#addresses += 1;
    Object.assign(box, {
      status: 'running',
      health: box.program.health === undefined ? 'none' : 'starting',
      started: this.#clock.wallTime(),
      finished: undefined,
      address: `10.0.0.${this.#addresses}`,
    });
    this.#note({ what: 'started', name: box.spec.name, id: box.id });
    this.#tell(box, { type: 'started' });
    const { exits, health, readyAfter } = box.program;
    if (exits !== undefined)
      this.#later(box, exits.after, () => this.#end(box, exits.code, exits.outOfMemory === true));
    if (readyAfter !== undefined) {
      this.#later(box, readyAfter, () => this.#note({ what: 'ready', name: box.spec.name, id: box.id }));
    }
    if (health === undefined) return;
    this.#later(box, health.after, () => {
      box.health = health.result;
      if (health.result === 'healthy') this.#note({ what: 'ready', name: box.spec.name, id: box.id });
      this.#tell(box, { type: 'health', health: health.result });
    });
  }

  #later(box: Box, delay: number, happen: () => void): void {
    box.timers.push(this.#clock.setTimeout(happen, delay));
  }

  #end(box: Box, exitCode: number, outOfMemory: boolean): void {
    for (const timer of box.timers.splice(0)) this.#clock.clearTimeout(timer);
    Object.assign(box, {
      status: 'exited',
      exitCode,
      outOfMemory,
      finished: this.#clock.wallTime(),
      address: undefined,
    });
    this.#note({ what: 'exited', name: box.spec.name, id: box.id, exitCode });
    for (const answer of box.waiters.splice(0)) answer(succeed(exitCode));
    if (outOfMemory) this.#tell(box, { type: 'outOfMemory' });
    this.#tell(box, { type: 'exited', exitCode });
  }

  #drop(box: Box): void {
    this.#boxes.delete(box.id);
    this.#note({ what: 'removed', name: box.spec.name, id: box.id });
    this.#tell(box, { type: 'removed' });
  }

  #stop(container: string, timeout = defaultStop): Promise<EngineAnswer<void>> {
    const box = this.#find(container);
    const takes = box?.status === 'running' ? (box.program.stopTakes ?? 0) : 0;
    const limit = timeout * 1000;
    return this.#change('stop', container, () => this.#with(container, () => succeed(undefined))).then(
      (answer) =>
        new Promise<EngineAnswer<void>>((resolve) => {
          if (!answer.ok || box === undefined || box.status !== 'running') return resolve(answer);
          this.#clock.setTimeout(
            () => {
              if (box.status === 'running') this.#end(box, takes > limit ? killedBySignal : endedBySignal, false);
              resolve(this.#isAway() ? fail(away) : answer);
            },
            Math.min(takes, limit),
          );
        }),
    );
  }

  /** The one program that a simulated container can be asked to run. Others are not found. */
  #run(box: Box, { command }: Pick<ExecRequest, 'command'>): EngineAnswer<Finished> {
    if (box.status !== 'running') {
      return fail({ kind: 'conflict', message: `Container ${box.id} is not running` });
    }
    const { readyAfter } = box.program;
    const [program = '', verb] = command;
    if (readyAfter === undefined || !program.endsWith('chaperonectl') || verb !== 'is-ready') {
      return succeed({ exitCode: 127, stdout: '', stderr: `exec: "${program}": executable file not found in $PATH` });
    }
    const isReady = this.#clock.wallTime() >= (box.started ?? 0) + readyAfter;
    return succeed({ exitCode: isReady ? 0 : 1, stdout: '', stderr: '' });
  }

  #session(box: Box, request: ExecRequest): EngineAnswer<Session> {
    const finished = this.#run(box, request);
    if (!finished.ok) return finished;
    const { exitCode, stderr } = finished.value;
    const output = new Observable<{ readonly stream: 'stderr'; readonly bytes: Uint8Array }>((subscriber) => {
      if (stderr !== '') subscriber.next({ stream: 'stderr', bytes: new TextEncoder().encode(`${stderr}\n`) });
      subscriber.complete();
    });
    return succeed({
      output,
      write: () => {},
      end: () => {},
      resize: () => Promise.resolve(succeed(undefined)),
      ended: Promise.resolve(succeed(exitCode)),
      close: () => {},
    });
  }

  #tell(box: Box, event: ToldOnly): void {
    if (this.#isAway() || this.#isDeaf()) return;
    const { id, spec } = box;
    this.#told.next({ ...event, container: id, name: spec.name, labels: spec.labels, at: this.#clock.wallTime() });
  }

  #facts(box: Box): ContainerFacts {
    const { spec, id, imageId, status, health, exitCode, outOfMemory, started, finished, created } = box;
    return {
      id,
      name: spec.name,
      image: spec.image,
      imageId,
      labels: spec.labels,
      hostname: spec.hostname,
      status,
      health,
      exitCode,
      error: '',
      outOfMemory,
      created,
      ...(started === undefined ? {} : { started }),
      ...(finished === undefined ? {} : { finished }),
      addresses: this.#addressesOf(box),
      ports: spec.ports,
      environment: spec.environment,
      mounts: spec.mounts,
      terminal: spec.terminal === true,
    };
  }

  #addressesOf({ spec, address }: Box): Readonly<Record<string, string>> {
    return address === undefined ? {} : { [spec.network ?? 'bridge']: address };
  }

  #row(box: Box): ContainerRow {
    const { spec, id, imageId, status, created } = box;
    return {
      id,
      name: spec.name,
      image: spec.image,
      imageId,
      labels: spec.labels,
      status,
      statusText: status,
      created,
      addresses: this.#addressesOf(box),
      ports: spec.ports,
      volumes: spec.mounts.flatMap((mount) => (mount.type === 'volume' ? [mount.name] : [])),
    };
  }

  #imageCalls(): EngineImages {
    const factsOf = ({ name, id, labels = {}, exposed = [], healthCheck = false }: SimulatedImage): ImageFacts => ({
      id,
      tags: [`${name}:latest`],
      labels,
      created: 0,
      bytes: 1,
      exposed,
      healthCheck,
    });
    const find = (name: string) => this.#images.find((image) => image.name === name || image.id === name);
    const come = (name: string): Observable<BuildEvent> =>
      new Observable<BuildEvent>((subscriber) => {
        const known = find(name);
        const steps = 4;
        const took = known?.comesAfter ?? 0;
        const timers = Array.from({ length: steps }, (_, step) =>
          this.#clock.setTimeout(
            () =>
              subscriber.next({
                type: 'layer',
                layer: `l${step}`,
                status: 'Downloading',
                done: step + 1,
                total: steps,
              }),
            (took * step) / steps,
          ),
        );
        timers.push(
          this.#clock.setTimeout(() => {
            const failure: EngineFailure = { kind: 'absent', message: `pull access denied for ${name}` };
            const failed: BuildEvent = { type: 'failed', failure: this.#isAway() ? away : failure };
            subscriber.next(known === undefined || this.#isAway() ? failed : { type: 'built', image: known.id });
            subscriber.complete();
          }, took),
        );
        return () => {
          for (const timer of timers) this.#clock.clearTimeout(timer);
        };
      });
    const remove: EngineImages['remove'] = (name) =>
      this.#call('image', () => {
        const index = this.#images.findIndex((image) => image.name === name || image.id === name);
        if (index < 0) return fail({ kind: 'absent', message: `No such image: ${name}` });
        this.#images.splice(index, 1);
        return succeed(undefined);
      });
    return {
      build: ({ tag }) => come(tag),
      pull: come,
      inspect: (name) =>
        this.#call('image', () => {
          const image = find(name);
          return image === undefined
            ? fail({ kind: 'absent', message: `No such image: ${name}` })
            : succeed(factsOf(image));
        }),
      list: (labels) =>
        this.#call('image', () =>
          succeed(this.#images.filter((each) => matches(each.labels ?? {}, labels)).map(factsOf)),
        ),
      listDangling: () => this.#call('image', () => succeed([])),
      pruneDangling: () => this.#call('image', () => succeed({ ids: [], bytes: 0 })),
      remove,
    };
  }

  #networkCalls(): EngineNetworks {
    return {
      create: (name, labels) =>
        this.#change('network', name, () => {
          if (this.#networks.has(name))
            return fail({ kind: 'conflict', message: `network with name ${name} already exists` });
          const network = { id: name, name, labels };
          this.#networks.set(name, network);
          return succeed(network);
        }),
      list: (labels) =>
        this.#call('network', () =>
          succeed([...this.#networks.values()].filter((each) => matches(each.labels, labels))),
        ),
      inspect: (name) =>
        this.#call('network', () => {
          const network = this.#networks.get(name);
          return network === undefined
            ? fail({ kind: 'absent', message: `network ${name} not found` })
            : succeed(network);
        }),
      remove: (name) =>
        this.#change('network', name, () =>
          this.#networks.delete(name)
            ? succeed(undefined)
            : fail({ kind: 'absent', message: `network ${name} not found` }),
        ),
    };
  }

  #volumeCalls(): EngineVolumes {
    return {
      create: (name, labels) =>
        this.#change('volume', name, () => {
          const volume = this.#volumes.get(name) ?? { name, labels };
          this.#volumes.set(name, volume);
          return succeed(volume);
        }),
      list: (labels) =>
        this.#call('volume', () => succeed([...this.#volumes.values()].filter((each) => matches(each.labels, labels)))),
      remove: (name) =>
        this.#change('volume', name, () =>
          this.#volumes.delete(name)
            ? succeed(undefined)
            : fail({ kind: 'absent', message: `no such volume: ${name}` }),
        ),
    };
  }
}

type WithoutPlace<T> = T extends unknown ? Omit<T, 'container' | 'name' | 'labels' | 'at'> : never;
type ToldOnly = WithoutPlace<Told>;

function idOf(box: Box | undefined): { readonly id?: string } {
  return box === undefined ? {} : { id: box.id };
}

function matches(labels: Labels, filters: readonly LabelFilter[]): boolean {
  return filters.every(({ name, value }) => {
    const held = labels[name];
    return held !== undefined && (value === undefined || held === value);
  });
}
