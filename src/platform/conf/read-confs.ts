/** The confs of a project, from texts to values; all their mistakes at once. */
import type { YamlNode } from '../../config/parse-yaml.ts';
import { createReport, type Report } from '../../config/report.ts';
import type { Place } from '../../config/source.ts';
import { quote } from '../../config/wording.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import { didYouMean } from '../../model/words/nearest.ts';
import { instanceKey } from '../model/instance.ts';
import { topological } from '../model/make-plan.ts';
import type { RunEntry } from '../model/run-entry.ts';
import { readConfText } from './conf-text.ts';
import { type ReadEntry, readRunConf } from './read-run-conf.ts';
import { isEmpty, kindOf } from './shapes.ts';

/** A file that may be absent. */
export interface ConfFile {
  /** The path of the conf, as messages name it. */
  readonly name: string;
  readonly text: string;
}

export interface Confs {
  /** Absent: there is no such conf. */
  readonly run?: readonly RunEntry[];
  readonly build?: readonly string[];
  readonly host: Readonly<Record<string, string>>;
  readonly diagnostics: readonly Diagnostic[];
}

export function readConfs(
  files: { readonly run?: ConfFile; readonly build?: ConfFile; readonly host?: ConfFile },
  containers: ReadonlySet<string>,
): Confs {
  const report = createReport();
  const run = files.run === undefined ? undefined : readRun(files.run, containers, report);
  const build = files.build === undefined ? undefined : readBuild(files.build, containers, report);
  const host = files.host === undefined ? {} : readHost(files.host, report);
  const order = [files.build, files.run, files.host].flatMap((file) => file?.name ?? []);
  return {
    ...(run === undefined ? {} : { run }),
    ...(build === undefined ? {} : { build }),
    host,
    diagnostics: report.finish(order),
  };
}

function readRun({ name, text }: ConfFile, containers: ReadonlySet<string>, report: Report): readonly RunEntry[] {
  const read = readConfText(name, text, report);
  if (read === undefined) return [];
  const entries = readRunConf(read, containers, report);
  reportCircle(entries, report);
  return entries.map(({ entry }) => entry);
}

/** Only named instances count: a link to any instance is settled when it is known which ones run. */
function reportCircle(entries: readonly ReadEntry[], report: Report): void {
  const byKey = new Map(entries.map((read) => [instanceKey(read.entry), read]));
  const namedBy = (read: ReadEntry): readonly { readonly key: string; readonly place: Place }[] =>
    read.named.flatMap(({ what, place }) => {
      if (typeof what !== 'string')
        return what.instance === undefined ? [] : [{ key: `${what.container}-${what.instance}`, place }];
      const all = entries.filter(({ entry }) => entry.container === what && entry !== read.entry);
      return byKey.has(what) ? [{ key: what, place }] : all.map(({ entry }) => ({ key: instanceKey(entry), place }));
    });
  const order = topological([...byKey.keys()], (key) => {
    const read = byKey.get(key);
    return read === undefined ? [] : namedBy(read).flatMap((named) => (byKey.has(named.key) ? [named.key] : []));
  });
  if (order.kind === 'order') return;
  const [first = '', second = ''] = order.cycle;
  const read = byKey.get(first);
  if (read === undefined) return;
  const place = namedBy(read).find(({ key }) => key === second)?.place ?? read.place;
  report.error('dependency-cycle', `${first} waits for itself: ${order.cycle.join(' → ')}`, place);
}

function readBuild({ name, text }: ConfFile, containers: ReadonlySet<string>, report: Report): readonly string[] {
  const read = readConfText(name, text, report);
  if (read?.root === undefined || isEmpty(read.root)) return [];
  const { root } = read;
  if (root.kind !== 'list') {
    report.error('wrong-shape', `the conf is ${kindOf(root)}`, root.place, { hint: 'expected a list of containers' });
    return [];
  }
  return root.items.flatMap((item) => {
    const found = textOf(item, 'the list', report);
    if (found === undefined || containers.has(found)) return found ?? [];
    report.error('unknown-service', `there is no container ${quote(found)}`, item.place, {
      hint: didYouMean(found, containers) ?? 'expected the name of a folder with a Dockerfile',
    });
    return [];
  });
}

function textOf(node: YamlNode, what: string, report: Report): string | undefined {
  if (node.kind === 'scalar') return node.text;
  report.error('wrong-shape', `${what} holds ${kindOf(node)}`, node.place, { hint: 'expected a text' });
  return undefined;
}

/** host.conf: variables of this host. The original keeps other things there, too, which are no texts: they are left alone. */
function readHost({ name, text }: ConfFile, report: Report): Readonly<Record<string, string>> {
  const read = readConfText(name, text, report);
  if (read?.root === undefined || isEmpty(read.root)) return {};
  const { root } = read;
  if (root.kind !== 'map') {
    report.error('wrong-shape', `the conf is ${kindOf(root)}`, root.place, { hint: 'expected { NAME: VALUE, … }' });
    return {};
  }
  return Object.fromEntries(
    root.entries.flatMap(({ key, value }) => {
      if (isEmpty(value)) return [];
      const found = textOf(value, key.text, report);
      return found === undefined ? [] : [[key.text, found]];
    }),
  );
}
