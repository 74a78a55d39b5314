import type { YamlNode } from '../../config/parse-yaml.ts';
import type { Place } from '../../config/source.ts';

export function isEmpty(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.isNull;
}

export function kindOf({ kind }: YamlNode): string {
  switch (kind) {
    case 'scalar':
      return 'a text';
    case 'list':
      return 'a list';
    case 'map':
      return 'a map';
  }
}

/** The first character of a place that may go over many lines. */
export function firstOf(place: Place): Place {
  return { ...place, end: place.start + 1 };
}
