import { oneLine } from '../../model/words/printable.ts';
import { labelNames } from '../../platform/model/project.ts';
import { version } from '../version.ts';
import { print, printJson } from './console.ts';
import { exitStatuses, failureText, findAnyProject, refuse, requireEngine, requireOne } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

export async function ip(request: Request): Promise<number> {
  const { key, address } = (await requireOne(request)).one;
  if (address === undefined) return refuse(`${key} does not run, so it has no address`);
  if (request.given.get(options.json)) await printJson({ instance: key, address });
  else await print(1, `${address}\n`);
  return exitStatuses.done;
}

export async function info(request: Request): Promise<number> {
  return request.words.length === 0 ? projectInfo(request) : instanceInfo(request);
}

async function instanceInfo(request: Request): Promise<number> {
  const { engine, one: found } = await requireOne(request);
  const answer = await engine.containers.inspect(found.id);
  if (!answer.ok) return refuse(`${found.key}: ${failureText(answer.failure, engine)}`);
  const facts = answer.value;
  if (request.given.get(options.json)) {
    // Values of variables may be secrets: names are enough.
    await printJson({ instance: found.key, ...facts, environment: Object.keys(facts.environment).sort() });
    return exitStatuses.done;
  }
  const shown = (time: number | undefined): string => (time === undefined ? '–' : new Date(time).toISOString());
  const rows: readonly (readonly [string, string])[] = [
    ['instance', found.key],
    ['container', `${facts.name} (${facts.id.slice(0, 12)})`],
    ['image', `${facts.image} (${facts.imageId.replace('sha256:', '').slice(0, 12)})`],
    ['state', `${facts.status}${facts.health === 'none' ? '' : `, ${facts.health}`}`],
    ['exit code', facts.status === 'exited' ? String(facts.exitCode) : '–'],
    ['error', facts.error === '' ? '–' : oneLine(facts.error)],
    ['host name', facts.hostname],
    ['created', shown(facts.created)],
    ['started', shown(facts.started)],
    [
      'addresses',
      Object.entries(facts.addresses)
        .map(([name, each]) => `${each} (${name})`)
        .join(', ') || '–',
    ],
    ['ports', facts.ports.map(({ hostPort, port, protocol }) => `${hostPort} → ${port}/${protocol}`).join(', ') || '–'],
    ['links', (found.recorded?.links ?? []).join(', ') || '–'],
    [
      'mounts',
      facts.mounts
        .map(
          (mount) =>
            `${mount.type === 'bind' ? mount.source : mount.name} → ${mount.target}${mount.readOnly ? ' (ro)' : ''}`,
        )
        .join(', ') || '–',
    ],
    ['variables', Object.keys(facts.environment).sort().join(', ')],
  ];
  await print(1, rows.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join(''));
  return exitStatuses.done;
}

async function projectInfo(request: Request): Promise<number> {
  const { places, sources, run } = await findAnyProject(request);
  const engine = await requireEngine();
  const answer = await engine.info();
  if (!answer.ok) return refuse(failureText(answer.failure, engine));
  const containers = [...sources.values()].filter(({ own }) => own).map(({ name }) => name);
  const told = {
    project: places.name,
    ...places,
    containers,
    instances: run?.length ?? 0,
    engine: { address: engine.address, ...answer.value },
  };
  if (request.given.get(options.json)) {
    await printJson(told);
    return exitStatuses.done;
  }
  const { product, version: release, host } = answer.value;
  const rows: readonly (readonly [string, string])[] = [
    ['project', places.name],
    ['folder', oneLine(places.folder)],
    ['data', oneLine(places.dataFolder)],
    ['containers', containers.join(', ') || '–'],
    ['instances', run === undefined ? 'there is no run.conf' : String(run.length)],
    ['engine', `${product} ${release} on ${host}, at ${engine.address}`],
    ['label', `${labelNames.project}=${places.name}`],
  ];
  await print(1, rows.map(([name, value]) => `${name.padEnd(10)} ${value}\n`).join(''));
  return exitStatuses.done;
}

export async function versions({ given }: Request): Promise<number> {
  const engine = await requireEngine();
  const answer = await engine.info();
  if (given.get(options.json)) {
    await printJson({ dockerops: version, engine: answer.ok ? { address: engine.address, ...answer.value } : null });
    return exitStatuses.done;
  }
  const told = answer.ok
    ? `${answer.value.product} ${answer.value.version}, API ${answer.value.apiVersion}, at ${engine.address}`
    : failureText(answer.failure, engine);
  await print(1, `dockerops ${version}\n${told}\n`);
  return exitStatuses.done;
}
