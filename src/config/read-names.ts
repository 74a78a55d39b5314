/** Reads lists of names; also holds what all readers of values share. */
import { placeWithin, type YamlNode } from './parse-yaml.ts';
import type { Report } from './report.ts';
import type { Place } from './source.ts';
import { quote } from './wording.ts';

/** A name among others: of a service, a group, a right. */
export interface NameReference {
  readonly name: string;
  readonly place: Place;
}

/** How messages name the value, and the report that they go to. */
export interface ValueContext {
  /** `kill_signal of web.service`. */
  readonly label: string;
  readonly report: Report;
}

/** Describes a value for messages. */
export function describeNode(node: YamlNode): string {
  switch (node.kind) {
    case 'scalar':
      return quote(node.text);
    case 'list':
      return 'a list';
    case 'map':
      return 'a map';
    default:
      throw new Error('internal error: unknown kind of YAML value');
  }
}

/** Reads names separated by commas, or a list of such; undefined if one is not a name. */
export function readNames(node: YamlNode, context: ValueContext): readonly NameReference[] | undefined {
  const hint = 'expected names with commas between them';
  if (node.kind === 'map') {
    context.report.error('wrong-shape', `${context.label} is a map`, node.place, { hint });
    return undefined;
  }
  const names: NameReference[] = [];
  let complete = true;
  for (const item of node.kind === 'list' ? node.items : [node]) {
    if (item.kind !== 'scalar') {
      context.report.error('wrong-shape', `${context.label} holds ${describeNode(item)}`, item.place, { hint });
      complete = false;
      continue;
    }
    for (const match of item.text.matchAll(/[^,]+/g)) {
      const name = match[0].trim();
      if (name === '') continue;
      const index = match.index + match[0].indexOf(name);
      const place = placeWithin(item, index, name.length);
      if (/[\s\0]/.test(name)) {
        context.report.error('bad-name', `${context.label} holds ${quote(name)}, which is not a name`, place, { hint });
        complete = false;
      } else {
        names.push({ name, place });
      }
    }
  }
  return complete ? names : undefined;
}
