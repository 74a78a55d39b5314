/** Reads a directive of `compat` of the settings: whether a convention of other inits is read, and where its files are. */
import type { YamlNode, YamlScalar } from './parse-yaml.ts';
import { describeNode, type ValueContext } from './read-names.ts';
import { parseBoolean } from './values.ts';
import { quote } from './wording.ts';

/** `paths` stands in place of the usual ones. */
export interface ConventionValue {
  readonly kind: 'convention';
  readonly on: boolean;
  readonly paths?: readonly string[];
}

export const conventionExpectation = 'expected true, false, an absolute path or a list of them';

/** Reads a boolean, a path or a list of paths. */
export function readConventionValue(node: YamlNode, { label, report }: ValueContext): ConventionValue | undefined {
  const hint = conventionExpectation;
  const wrongShape = (what: string, { place }: YamlNode): undefined =>
    void report.error('wrong-shape', `${label} ${what}`, place, { hint });
  if (node.kind === 'map') return wrongShape(`is ${describeNode(node)}`, node);
  if (node.kind === 'scalar') {
    const on = parseBoolean(node.text);
    if (on !== undefined) return { kind: 'convention', on };
  }
  const paths: string[] = [];
  for (const item of node.kind === 'list' ? node.items : [node]) {
    if (item.kind !== 'scalar') return wrongShape(`holds ${describeNode(item)}`, item);
    if (!isAbsolute(item)) {
      report.error('bad-path', `${label} is ${quote(item.text)}, which is no absolute path`, item.place, { hint });
      return undefined;
    }
    paths.push(item.text);
  }
  return { kind: 'convention', on: paths.length > 0, paths };
}

function isAbsolute({ text }: YamlScalar): boolean {
  return /^\/[^\0]*$/.test(text);
}
