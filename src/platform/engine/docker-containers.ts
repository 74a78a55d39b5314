/** Containers through the Docker Engine API. */
import type { Duplex } from 'node:stream';
import type Dockerode from 'dockerode';
import { Observable } from 'rxjs';
import { answerOf, fail, failureOf, succeed } from './answer.ts';
import { type Client, labelFilters } from './docker-client.ts';
import { containerFacts, containerRow } from './docker-facts.ts';
import { openSession } from './docker-session.ts';
import { destroy, follow, outputReader, readLines } from './docker-streams.ts';
import type {
  ContainerSpec,
  EngineAnswer,
  EngineContainers,
  EngineFailure,
  ExecRequest,
  Finished,
  LogRequest,
  OutputChunk,
  Session,
} from './engine.ts';

/** The most bytes that are kept of stdout, and of stderr. */
const keptOutput = 16 << 20;
/** ms between questions whether a program whose output has ended has exited, and how many of them there are. */
const exitPoll = 20;
const exitPolls = 250;

export function dockerContainers(client: Client): EngineContainers {
  const { docker, address } = client;
  const done = (call: () => Promise<unknown>): Promise<EngineAnswer<void>> =>
    answerOf(address, async () => {
      await call();
    });
  /** Already running, or already stopped: the engine answers 304, which the client takes for a failure. */
  const settled = async (call: () => Promise<unknown>): Promise<EngineAnswer<void>> => {
    const answer = await done(call);
    if (!answer.ok && answer.failure.kind === 'refused' && answer.failure.status === 304) return succeed(undefined);
    return answer;
  };
  return {
    create: (spec) => create(client, spec),
    start: (id) => settled(() => docker.getContainer(id).start()),
    stop: (id, timeout) => settled(() => docker.getContainer(id).stop(timeout === undefined ? {} : { t: timeout })),
    kill: (id, signal) => done(() => docker.getContainer(id).kill({ signal })),
    remove: (id, options = {}) =>
      done(() => docker.getContainer(id).remove({ force: options.force === true, v: options.volumes === true })),
    inspect: (id) => answerOf(address, async () => containerFacts(await docker.getContainer(id).inspect())),
    list: (labels) =>
      answerOf(address, async () => {
        const filters = JSON.stringify({ label: labelFilters(labels) });
        return (await docker.listContainers({ all: true, filters })).map(containerRow);
      }),
    logs: (id, request) => logs(client, id, request),
    exec: (id, request) => exec(client, id, request),
    run: (id, request) => run(client, id, request),
    attach: (id, { input }) => attach(client, id, input),
    wait: (id) => wait(client, id, 'not-running'),
  };
}

async function create(
  client: Client,
  spec: ContainerSpec,
): Promise<EngineAnswer<{ readonly id: string; readonly warnings: readonly string[] }>> {
  const podman = (spec.links ?? []).length > 0 && (await client.isPodman());
  return answerOf(client.address, async () => {
    const container = await client.docker.createContainer(optionsOf(spec, podman));
    return { id: container.id, warnings: warningsOf(container) };
  });
}

/** The client's types leave the warnings out. */
function warningsOf(answer: object): readonly string[] {
  const warnings: unknown = 'Warnings' in answer ? answer.Warnings : [];
  return Array.isArray(warnings) ? warnings.filter((warning) => typeof warning === 'string') : [];
}

function optionsOf(spec: ContainerSpec, podman: boolean): Dockerode.ContainerCreateOptions {
  const terminal = spec.terminal === true;
  return {
    name: spec.name,
    Image: spec.image,
    Hostname: spec.hostname,
    Labels: { ...spec.labels },
    Env: Object.entries(spec.environment).map(([name, value]) => `${name}=${value}`),
    ExposedPorts: Object.fromEntries(spec.ports.map(({ port, protocol }) => [`${port}/${protocol}`, {}])),
    Tty: terminal,
    OpenStdin: spec.openInput === true,
    StdinOnce: spec.openInput === true,
    AttachStdin: spec.openInput === true,
    ...(spec.command === undefined ? {} : { Cmd: [...spec.command] }),
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: [...spec.entrypoint] }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.directory === undefined ? {} : { WorkingDir: spec.directory }),
    ...(spec.stopTimeout === undefined ? {} : { StopTimeout: spec.stopTimeout }),
    HostConfig: hostOptions(spec, podman),
    ...(spec.network === undefined ? {} : { NetworkingConfig: networkOptions(spec, spec.network, podman) }),
  };
}

function hostOptions(spec: ContainerSpec, podman: boolean): Dockerode.HostConfig {
  const bindings = spec.ports.map(({ port, protocol, hostPort, hostAddress = '' }) => ({
    key: `${port}/${protocol}`,
    binding: { HostIp: hostAddress, HostPort: String(hostPort) },
  }));
  const ports = new Map<string, { HostIp: string; HostPort: string }[]>();
  for (const { key, binding } of bindings) ports.set(key, [...(ports.get(key) ?? []), binding]);
  const hosts = podman ? (spec.links ?? []).map(({ alias, address }) => `${alias}:${address}`) : [];
  return {
    PortBindings: Object.fromEntries(ports),
    Mounts: spec.mounts.map((mount) => ({
      Type: mount.type,
      Source: mount.type === 'bind' ? mount.source : mount.name,
      Target: mount.target,
      ReadOnly: mount.readOnly,
    })),
    AutoRemove: spec.autoRemove === true,
    ...(spec.network === undefined ? {} : { NetworkMode: spec.network }),
    ...(hosts.length === 0 ? {} : { ExtraHosts: hosts }),
  };
}

function networkOptions(
  spec: ContainerSpec,
  network: string,
  podman: boolean,
): NonNullable<Dockerode.ContainerCreateOptions['NetworkingConfig']> {
  const links = podman ? [] : (spec.links ?? []).map(({ container, alias }) => `${container}:${alias}`);
  const endpoint = { Aliases: [...spec.aliases], ...(links.length === 0 ? {} : { Links: links }) };
  return { EndpointsConfig: { [network]: endpoint } };
}

function logs(
  { docker, address }: Client,
  id: string,
  request: LogRequest,
): Observable<OutputChunk | { readonly failure: EngineFailure }> {
  return new Observable<OutputChunk | { readonly failure: EngineFailure }>((subscriber) => {
    const controller = new AbortController();
    const end = (error: unknown): void => {
      if (error !== undefined) subscriber.next({ failure: failureOf(error, address) });
      subscriber.complete();
    };
    const open = async (): Promise<void> => {
      const container = docker.getContainer(id);
      const { Config: config } = await container.inspect();
      const push = outputReader(config.Tty, (chunk) => subscriber.next(chunk));
      const options = {
        stdout: true,
        stderr: true,
        timestamps: request.timestamps === true,
        abortSignal: controller.signal,
        ...(request.tail === undefined ? {} : { tail: request.tail }),
        ...(request.since === undefined ? {} : { since: request.since / 1000 }),
      };
      if (request.follow) follow(await container.logs({ ...options, follow: true }), push, end);
      else {
        push(await container.logs({ ...options, follow: false }));
        end(undefined);
      }
    };
    open().catch(end);
    return () => controller.abort();
  });
}

async function exec({ docker, address }: Client, id: string, request: ExecRequest): Promise<EngineAnswer<Session>> {
  return answerOf(address, async () => {
    const { terminal, input, signal } = request;
    const made = await docker.getContainer(id).exec({
      Cmd: [...request.command],
      AttachStdin: input,
      AttachStdout: true,
      AttachStderr: true,
      Tty: terminal,
      ...(request.environment === undefined
        ? {}
        : { Env: Object.entries(request.environment).map(([name, value]) => `${name}=${value}`) }),
      ...(request.user === undefined ? {} : { User: request.user }),
      ...(request.directory === undefined ? {} : { WorkingDir: request.directory }),
    });
    const connection: Duplex = await made.start({
      hijack: true,
      stdin: input,
      Tty: terminal,
      ...(signal === undefined ? {} : { abortSignal: signal }),
    });
    return openSession({
      connection,
      terminal,
      address,
      resize: ({ columns, rows }) =>
        answerOf(address, async () => {
          await made.resize({ h: rows, w: columns });
        }),
      exitCode: () => exitCodeOf(address, made),
    });
  });
}

/** The output may end a moment before the engine notices the exit. */
async function exitCodeOf(address: string, made: Dockerode.Exec): Promise<EngineAnswer<number>> {
  for (let poll = 0; poll < exitPolls; poll++) {
    const answer = await answerOf(address, () => made.inspect());
    if (!answer.ok) return answer;
    if (!answer.value.Running) return succeed(answer.value.ExitCode ?? 0);
    await new Promise((resolve) => setTimeout(resolve, exitPoll));
  }
  return fail({ kind: 'refused', status: 0, message: 'the command has closed its output and goes on' });
}

async function run(
  client: Client,
  id: string,
  request: Omit<ExecRequest, 'terminal' | 'input'>,
): Promise<EngineAnswer<Finished>> {
  const answer = await exec(client, id, { ...request, terminal: false, input: false });
  if (!answer.ok) return answer;
  const kept = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const sizes = { stdout: 0, stderr: 0 };
  answer.value.output.subscribe(({ stream, bytes }) => {
    if (sizes[stream] < keptOutput) kept[stream].push(bytes.subarray(0, keptOutput - sizes[stream]));
    sizes[stream] += bytes.length;
  });
  const ended = await endOrAbort(answer.value, request.signal);
  if (!ended.ok) return ended;
  const text = (stream: 'stdout' | 'stderr'): string => Buffer.concat(kept[stream]).toString('utf8');
  return succeed({ exitCode: ended.value, stdout: text('stdout'), stderr: text('stderr') });
}

function endOrAbort(session: Session, signal: AbortSignal | undefined): Promise<EngineAnswer<number>> {
  if (signal === undefined) return session.ended;
  return new Promise((resolve) => {
    const leave = (): void => {
      session.close();
      resolve(fail({ kind: 'refused', status: 0, message: 'nobody awaits the command any more' }));
    };
    if (signal.aborted) {
      leave();
      return;
    }
    signal.addEventListener('abort', leave, { once: true });
    void session.ended.then((answer) => {
      signal.removeEventListener('abort', leave);
      resolve(answer);
    });
  });
}

async function attach(client: Client, id: string, input: boolean): Promise<EngineAnswer<Session>> {
  const { docker, address } = client;
  return answerOf(address, async () => {
    const container = docker.getContainer(id);
    const { Config: config } = await container.inspect();
    const controller = new AbortController();
    // Asked before the container starts: one that removes itself at its end could not be asked afterwards.
    const exited = wait(client, id, 'next-exit', controller.signal);
    const stream = await container.attach({ stream: true, hijack: true, stdin: input, stdout: true, stderr: true });
    return openSession({
      connection: duplexOf(stream),
      terminal: config.Tty,
      address,
      resize: ({ columns, rows }) =>
        answerOf(address, async () => {
          await container.resize({ h: rows, w: columns });
        }),
      exitCode: () => exited,
      closed: () => controller.abort(),
    });
  });
}

function duplexOf(stream: NodeJS.ReadWriteStream): Duplex {
  if (!isDuplex(stream)) throw new Error('the engine has not handed the connection over');
  return stream;
}

function isDuplex(stream: NodeJS.ReadWriteStream): stream is Duplex {
  return 'destroy' in stream && 'writable' in stream;
}

/**
 * Waits for an exit. The engine answers with its headers at once and with the code in the end: the client's own `wait` would never
 * return where the engine goes away in between.
 */
function wait(
  { docker, address }: Client,
  id: string,
  condition: 'not-running' | 'next-exit',
  signal?: AbortSignal,
): Promise<EngineAnswer<number>> {
  return new Promise((resolve) => {
    const fails = (error: unknown): void => resolve(fail(failureOf(error, address)));
    const options = {
      path: `/containers/${encodeURIComponent(id)}/wait?`,
      method: 'POST',
      isStream: true,
      statusCodes: { 200: true, 404: 'no such container', 400: 'bad parameter', 500: 'server error' },
      options: { _query: { condition }, _body: {} },
      ...(signal === undefined ? {} : { abortSignal: signal }),
    };
    docker.modem.dial(options, (error: Error | null, answer: unknown) => {
      if (error !== null || !isStream(answer)) return fails(error ?? new Error('the engine has sent no answer'));
      let text = '';
      readLines(
        answer,
        (line) => {
          text += line;
        },
        (how) => {
          if (how !== undefined) return fails(how);
          const code = /"StatusCode"\s*:\s*(-?\d+)/.exec(text)?.[1];
          if (code === undefined) return fails(new Error(`the engine has sent ${text}`));
          resolve(succeed(Number(code)));
        },
      );
      signal?.addEventListener('abort', () => destroy(answer), { once: true });
    });
  });
}

function isStream(value: unknown): value is NodeJS.ReadableStream {
  return typeof value === 'object' && value !== null && 'pipe' in value;
}
