import { labelNames } from '../../platform/model/project.ts';
import { complain, isConfirmed, print, printJson } from './console.ts';
import { exitStatuses, failureText, findAnyProject, refuse, requireEngine } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

/** Removes images of the project that have lost their name to newer ones, and its volumes where that is asked for. */
export async function purge(request: Request): Promise<number> {
  const { given } = request;
  const project = await findAnyProject(request);
  const engine = await requireEngine();
  const own = [{ name: labelNames.project, value: project.places.name }];
  const images = await engine.images.listDangling(own);
  if (!images.ok) return refuse(failureText(images.failure, engine));
  const volumes = given.get(options.volumes) === true ? await engine.volumes.list(own) : undefined;
  if (volumes?.ok === false) return refuse(failureText(volumes.failure, engine));
  const names = (volumes?.value ?? []).map(({ name }) => name);
  const asJson = given.get(options.json);
  if (images.value.length + names.length === 0) {
    if (asJson) await printJson({ images: [], volumes: [] });
    else await print(1, 'there is nothing to remove\n');
    return exitStatuses.done;
  }
  const lines = [
    ...images.value.map(
      ({ id, labels, bytes }) =>
        `  image ${short(id)}  once ${labels[labelNames.container] ?? '?'}, ${(bytes / 1e6).toFixed(1)} MB\n`,
    ),
    ...names.map((name) => `  volume ${name}, with all that it holds\n`),
  ];
  const isForced = given.get(options.yes) || given.get(options.force) === true;
  await print(2, `These will be removed:\n${lines.join('')}`);
  if (!(await isConfirmed('Remove them?', isForced))) return exitStatuses.failed;
  let exitStatus: number = exitStatuses.done;
  const removed: { images: string[]; volumes: string[] } = { images: [], volumes: [] };
  for (const { id } of images.value) {
    const answer = await engine.images.remove(id);
    if (answer.ok) removed.images.push(id);
    else if (answer.failure.kind !== 'absent') {
      await complain(`image ${short(id)}: ${failureText(answer.failure, engine)}`);
      exitStatus = exitStatuses.failed;
    }
  }
  for (const name of names) {
    const answer = await engine.volumes.remove(name);
    if (answer.ok) removed.volumes.push(name);
    else {
      await complain(`volume ${name}: ${failureText(answer.failure, engine)}`);
      exitStatus = exitStatuses.failed;
    }
  }
  if (asJson) await printJson(removed);
  else await print(1, `removed: ${removed.images.length} images, ${removed.volumes.length} volumes\n`);
  return exitStatus;
}

const short = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);
