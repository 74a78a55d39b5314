/** The links of an entry: `{ name, container, instance }`, or `"CONTAINER-INSTANCE:alias"`, alone or in a list. */
import type { YamlEntry, YamlNode, YamlScalar } from '../../config/parse-yaml.ts';
import type { Report } from '../../config/report.ts';
import type { Place } from '../../config/source.ts';
import { quote } from '../../config/wording.ts';
import { alternatives, didYouMean } from '../../model/words/nearest.ts';
import { isInstanceName } from '../model/project.ts';
import type { LinkWish } from '../model/run-entry.ts';
import { linkKeys } from './conf-keys.ts';

interface ReadLink {
  readonly link: LinkWish;
  readonly place: Place;
}

export function readLinks(value: YamlNode, containers: ReadonlySet<string>, report: Report): readonly ReadLink[] {
  const items = value.kind === 'list' ? value.items : [value];
  const links = items.flatMap((item): readonly ReadLink[] => {
    switch (item.kind) {
      case 'scalar':
        return item.text.split(',').flatMap((text) => linkOfText(text.trim(), item, containers, report));
      case 'map':
        return linkOfMap(item.entries, item.place, containers, report);
      case 'list':
        break;
    }
    report.error('wrong-shape', 'a link is a list', item.place, { hint: 'expected { name, container, instance }' });
    return [];
  });
  const aliases = new Set<string>();
  for (const { link, place } of links) {
    if (aliases.has(link.alias)) report.error('duplicate-key', `two links have the alias ${quote(link.alias)}`, place);
    aliases.add(link.alias);
  }
  return links;
}

/** The container and the instance that `CONTAINER-INSTANCE` names: both may hold dashes, so the folders decide. */
export function parseInstanceName(
  text: string,
  containers: ReadonlySet<string>,
): { readonly container: string; readonly instance: string } | undefined {
  const found = [...containers]
    .filter((container) => text.startsWith(`${container}-`) && text.length > container.length + 1)
    .sort((a, b) => b.length - a.length)[0];
  return found === undefined ? undefined : { container: found, instance: text.slice(found.length + 1) };
}

function linkOfText(
  text: string,
  { place }: YamlScalar,
  containers: ReadonlySet<string>,
  report: Report,
): readonly ReadLink[] {
  if (text === '') return [];
  const [target = '', alias, ...more] = text.split(':');
  const named = containers.has(target) ? { container: target, instance: '*' } : parseInstanceName(target, containers);
  if (named === undefined || more.length > 0) {
    const hint = didYouMean(target.replace(/-[^-]*$/, ''), containers);
    report.error('unknown-service', `the link ${quote(text)} goes to no container of the project`, place, {
      hint: hint ?? 'expected "CONTAINER-INSTANCE:alias"',
    });
    return [];
  }
  return checked({ ...named, alias: alias ?? named.container }, place, report);
}

function linkOfMap(
  entries: readonly YamlEntry[],
  place: Place,
  containers: ReadonlySet<string>,
  report: Report,
): readonly ReadLink[] {
  const texts = new Map<string, YamlScalar>();
  for (const { key, value } of entries) {
    if (linkKeys[key.text] === undefined) {
      report.error('unknown-key', `unknown key ${quote(key.text)} in a link`, key.place, {
        hint: didYouMean(key.text, Object.keys(linkKeys)) ?? 'expected name, container or instance',
      });
    } else if (value.kind !== 'scalar') {
      report.error('wrong-shape', `${key.text} of a link is no text`, value.place, { hint: 'expected a text' });
    } else {
      texts.set(key.text === 'service' ? 'container' : key.text, value);
    }
  }
  const container = texts.get('container');
  if (container === undefined || container.isNull) {
    report.error(
      'missing-directive',
      'the link names no container',
      { ...place, end: place.start + 1 },
      { hint: 'expected "container"' },
    );
    return [];
  }
  if (!containers.has(container.text)) {
    report.error('unknown-service', `there is no container ${quote(container.text)}`, container.place, {
      hint: didYouMean(container.text, containers) ?? `expected ${alternatives([...containers])}`,
    });
    return [];
  }
  const name = texts.get('name');
  const instance = texts.get('instance');
  const link = {
    container: container.text,
    instance: instance === undefined || instance.isNull ? '*' : instance.text,
    alias: name === undefined || name.isNull ? container.text : name.text,
  };
  return checked(link, (instance ?? container).place, report);
}

function checked(
  { container, instance, alias }: { readonly container: string; readonly instance: string; readonly alias: string },
  place: Place,
  report: Report,
): readonly ReadLink[] {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(alias)) {
    report.error('bad-name', `${quote(alias)} is no alias`, place, { hint: 'expected a host name' });
    return [];
  }
  if (instance === '*') return [{ link: { alias, container }, place }];
  if (isInstanceName(instance)) return [{ link: { alias, container, instance }, place }];
  report.error('bad-name', `no instance can have the name ${quote(instance)}`, place, {
    hint: 'expected letters, digits, ".", "_" and "-", or "*"',
  });
  return [];
}
