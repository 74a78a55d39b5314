import { oneLine } from '../../model/words/printable.ts';
import { neededOf } from '../../platform/model/build-order.ts';
import { instanceKey } from '../../platform/model/instance.ts';
import { print, printJson } from './console.ts';
import { entriesOf, exitStatuses, findAnyProject, requireProject } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

/** What images begin with, and what instances wait for, by the confs alone: no engine is asked. */
export async function graph(request: Request): Promise<number> {
  const { given } = request;
  if (given.get(options.names)) {
    const { sources, run = [] } = await findAnyProject(request);
    const names = [...[...sources.values()].filter(({ own }) => own).map(({ name }) => name), ...run.map(instanceKey)];
    await print(1, names.map((name) => `${oneLine(name)}\n`).join(''));
    return exitStatuses.done;
  }
  const project = await requireProject(request);
  const dockerfiles = new Map([...project.sources].map(([name, { dockerfile }]) => [name, dockerfile]));
  const images = [...project.sources.values()]
    .map(({ name, own, dockerfile }) => {
      const needs = neededOf(project.places.name, dockerfiles, name);
      return { name, own, needs, base: dockerfile.base };
    })
    .filter(({ name, own }, _, all) => own || all.some(({ needs }) => needs.includes(name)));
  const instances = entriesOf(project).map((entry) => ({
    instance: instanceKey(entry),
    group: entry.group ?? null,
    links: entry.links.map(({ alias, container, instance }) => ({
      alias,
      to: instance === undefined ? `${container}-*` : `${container}-${instance}`,
    })),
    dependsOn: entry.dependsOn,
  }));
  if (given.get(options.json)) {
    await printJson({ project: project.places.name, images, instances });
    return exitStatuses.done;
  }
  const imageLines = images.map(({ name, needs, base }) => {
    const others = needs.length > 0 ? needs.join(', ') : (base ?? '');
    return `  ${name}${others === '' ? '' : ` ← ${others}`}\n`;
  });
  const instanceLines = instances.map(({ instance, links, dependsOn }) => {
    const needs = [...links.map(({ alias, to }) => `${to} (${alias})`), ...dependsOn];
    return `  ${instance}${needs.length === 0 ? '' : ` ← ${needs.join(', ')}`}\n`;
  });
  await print(1, `images\n${imageLines.join('')}instances\n${instanceLines.join('')}`);
  return exitStatuses.done;
}
