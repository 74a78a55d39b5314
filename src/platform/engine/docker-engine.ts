/** The engine port through the Docker Engine API: Docker's own engine, and Podman's compatible socket. */
import type Dockerode from 'dockerode';
import { Observable } from 'rxjs';
import { answerOf, fail, failureOf, succeed } from './answer.ts';
import { type Client, clientOf, labelFilters, productOf } from './docker-client.ts';
import { dockerContainers } from './docker-containers.ts';
import { imageFacts, imageRow } from './docker-facts.ts';
import { buildBegins, readBuildMessage, readEvent } from './docker-messages.ts';
import { destroy, readMessages } from './docker-streams.ts';
import type {
  BuildEvent,
  BuildRequest,
  Engine,
  EngineAnswer,
  EngineEvent,
  EngineImages,
  EngineInfo,
  EngineNetworks,
  EngineVolumes,
  LabelFilter,
  Labels,
} from './engine.ts';

/** The sockets at which an engine is looked for where DOCKER_HOST is not set. */
const defaultAddress = 'unix:///var/run/docker.sock';

/**
 * Opens an engine. Nothing is sent yet.
 *
 * @param address as DOCKER_HOST has it: `unix:///path`, `tcp://host:port` (TLS by DOCKER_TLS_VERIFY and DOCKER_CERT_PATH); absent:
 *   the default socket
 */
export function dockerEngine(address = defaultAddress): EngineAnswer<Engine> {
  try {
    return succeed(engineOf(clientOf(address)));
  } catch (error) {
    return fail(failureOf(error, address));
  }
}

function engineOf(client: Client): Engine {
  return {
    address: client.address,
    info: () => readInfo(client),
    images: dockerImages(client),
    containers: dockerContainers(client),
    networks: dockerNetworks(client),
    volumes: dockerVolumes(client),
    events: (labels, since) => followEvents(client, labels, since),
  };
}

function readInfo({ docker, address }: Client): Promise<EngineAnswer<EngineInfo>> {
  return answerOf(address, async () => {
    const [version, info]: [Dockerode.DockerVersion, unknown] = await Promise.all([docker.version(), docker.info()]);
    const told: Readonly<Record<string, unknown>> = typeof info === 'object' && info !== null ? { ...info } : {};
    const text = (key: string): string => (typeof told[key] === 'string' ? told[key] : '');
    const number = (key: string): number => (typeof told[key] === 'number' ? told[key] : 0);
    return {
      product: productOf(version),
      version: version.Version,
      apiVersion: version.ApiVersion,
      host: text('Name'),
      operatingSystem: text('OperatingSystem'),
      containers: number('Containers'),
      images: number('Images'),
    };
  });
}

function dockerImages(client: Client): EngineImages {
  const { docker, address } = client;
  const listDangling: EngineImages['listDangling'] = (labels) =>
    answerOf(address, async () => {
      const filters = { dangling: ['true'], label: [...labelFilters(labels)] };
      const [images, containers] = await Promise.all([
        docker.listImages({ filters: JSON.stringify(filters) }),
        docker.listContainers({ all: true }),
      ]);
      const used = new Set(containers.map(({ ImageID }) => ImageID));
      return images.filter(({ Id }) => !used.has(Id)).map(imageRow);
    });
  return {
    build: (request) => build(client, request),
    pull: (name) =>
      progressOf(
        client,
        (abortSignal) => docker.pull(tagged(name), { abortSignal }),
        async () => {
          const { Id } = await docker.getImage(name).inspect();
          return Id;
        },
      ),
    inspect: (name) => answerOf(address, async () => imageFacts(await docker.getImage(name).inspect())),
    list: (labels) =>
      answerOf(address, async () => {
        const filters = JSON.stringify({ label: labelFilters(labels) });
        return (await docker.listImages({ filters })).map(imageRow);
      }),
    listDangling,
    pruneDangling: (labels) =>
      answerOf(address, async () => {
        const pruned = await docker.pruneImages({
          filters: JSON.stringify({ dangling: ['true'], label: labelFilters(labels) }),
        });
        const ids = (pruned.ImagesDeleted ?? []).flatMap(({ Deleted }) => (Deleted ? [Deleted] : []));
        return { ids, bytes: pruned.SpaceReclaimed };
      }),
    remove: (name, options = {}) =>
      answerOf(address, async () => {
        await docker.getImage(name).remove({ force: options.force === true });
      }),
  };
}

/** Without a tag, the API would bring all tags of the name. */
function tagged(name: string): string {
  return /:[^/]+$/.test(name) || name.includes('@') ? name : `${name}:latest`;
}

function build(client: Client, request: BuildRequest): Observable<BuildEvent> {
  const options: Dockerode.ImageBuildOptions = {
    t: request.tag,
    dockerfile: request.dockerfile ?? 'Dockerfile',
    labels: { ...request.labels },
    buildargs: { ...request.buildArguments },
    nocache: !request.cache,
    pull: request.pull === true,
    rm: true,
    forcerm: true,
    ...(request.network === undefined ? {} : { networkmode: request.network }),
  };
  return progressOf(
    client,
    (abortSignal) => client.docker.buildImage(request.context, { ...options, abortSignal }),
    async (image) => image ?? (await client.docker.getImage(request.tag).inspect()).Id,
    () => destroy(request.context),
  );
}

/**
 * Follows a stream of progress to its end.
 *
 * @param imageOf the id of the image, with what the stream has told of it
 */
function progressOf(
  { address }: Client,
  open: (signal: AbortSignal) => Promise<NodeJS.ReadableStream>,
  imageOf: (told: string | undefined) => Promise<string>,
  release: () => void = () => {},
): Observable<BuildEvent> {
  return new Observable<BuildEvent>((subscriber) => {
    const controller = new AbortController();
    let state = buildBegins;
    const finish = (event: BuildEvent): void => {
      subscriber.next(event);
      subscriber.complete();
    };
    const failed = (error: unknown): void => {
      const step = state.step === 0 ? {} : { step: state.step };
      finish({ type: 'failed', failure: failureOf(error, address), ...step });
    };
    const follow = async (): Promise<void> => {
      const stream = await open(controller.signal);
      readMessages(
        stream,
        (message) => {
          const read = readBuildMessage(state, message);
          state = read.state;
          for (const event of read.events) subscriber.next(event);
          if (state.failed) subscriber.complete();
        },
        (how) => {
          if (state.failed) return;
          if (how !== undefined) failed(how);
          else imageOf(state.image).then((image) => finish({ type: 'built', image }), failed);
        },
      );
    };
    follow().catch(failed);
    return () => {
      controller.abort();
      release();
    };
  });
}

function dockerNetworks({ docker, address }: Client): EngineNetworks {
  const read = async (name: string) => {
    const { Id, Name, Labels: labels } = await docker.getNetwork(name).inspect();
    return { id: Id, name: Name, labels: labels ?? {} };
  };
  return {
    create: (name, labels: Labels) =>
      answerOf(address, async () => {
        const { id } = await docker.createNetwork({ Name: name, CheckDuplicate: true, Labels: { ...labels } });
        return { id, name, labels };
      }),
    list: (labels) =>
      answerOf(address, async () => {
        const filters = JSON.stringify({ label: labelFilters(labels) });
        const networks = await docker.listNetworks({ filters });
        return networks.map(({ Id, Name, Labels: held }) => ({ id: Id, name: Name, labels: held ?? {} }));
      }),
    inspect: (name) => answerOf(address, () => read(name)),
    remove: (name) =>
      answerOf(address, async () => {
        await docker.getNetwork(name).remove();
      }),
  };
}

function dockerVolumes({ docker, address }: Client): EngineVolumes {
  return {
    create: (name, labels) =>
      answerOf(address, async () => {
        await docker.createVolume({ Name: name, Labels: { ...labels } });
        return { name, labels };
      }),
    list: (labels) =>
      answerOf(address, async () => {
        const filters = JSON.stringify({ label: labelFilters(labels) });
        const { Volumes: volumes } = await docker.listVolumes({ filters });
        return (volumes ?? []).map(({ Name, Labels: held }) => ({ name: Name, labels: held ?? {} }));
      }),
    remove: (name) =>
      answerOf(address, async () => {
        await docker.getVolume(name).remove();
      }),
  };
}

function followEvents(
  { docker, address }: Client,
  labels: readonly LabelFilter[],
  since?: number,
): Observable<EngineEvent> {
  return new Observable<EngineEvent>((subscriber) => {
    const controller = new AbortController();
    const lost = (error: unknown): void => {
      subscriber.next({ type: 'lost', failure: failureOf(error, address) });
      subscriber.complete();
    };
    const open = async (): Promise<void> => {
      const filters = JSON.stringify({ type: ['container'], label: labelFilters(labels) });
      const stream = await docker.getEvents({
        filters,
        abortSignal: controller.signal,
        ...(since === undefined ? {} : { since: since / 1000 }),
      });
      if (controller.signal.aborted) return destroy(stream);
      subscriber.next({ type: 'opened' });
      readMessages(
        stream,
        (message) => {
          const event = readEvent(message);
          if (event !== undefined) subscriber.next(event);
        },
        (how) => lost(how ?? new Error('the engine has ended its stream of events')),
      );
    };
    open().catch(lost);
    return () => controller.abort();
  });
}
