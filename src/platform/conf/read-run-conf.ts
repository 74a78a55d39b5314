/** run.conf: a list of entries. All its mistakes are reported, each at its place. */
import type { YamlEntry, YamlNode, YamlScalar } from '../../config/parse-yaml.ts';
import type { Report } from '../../config/report.ts';
import type { Place } from '../../config/source.ts';
import { parseBoolean, parseSpan } from '../../config/values.ts';
import { quote } from '../../config/wording.ts';
import { alternatives, didYouMean } from '../../model/words/nearest.ts';
import type { InstanceType, WaitFor } from '../model/instance.ts';
import { instanceKey } from '../model/instance.ts';
import { instanceTypeNames } from '../model/instance-types.ts';
import { isContainerName, isInstanceName } from '../model/project.ts';
import type { EnvWish, LinkWish, RunEntry, VolumeWish } from '../model/run-entry.ts';
import { type RunKey, runKeyNames } from './conf-keys.ts';
import type { ConfText } from './conf-text.ts';
import { parseInstanceName, readLinks } from './read-links.ts';
import { firstOf, isEmpty, kindOf } from './shapes.ts';

export interface ReadEntry {
  readonly entry: RunEntry;
  /** The place of the container's name in the conf. */
  readonly place: Place;
  /** The place of each link and dependency in the conf, by the name of the other instance. */
  readonly named: readonly { readonly what: LinkWish | string; readonly place: Place }[];
}

/** @param containers the folders of the project, which entries may name */
export function readRunConf(
  { root, whole }: ConfText,
  containers: ReadonlySet<string>,
  report: Report,
): readonly ReadEntry[] {
  if (root === undefined || isEmpty(root)) {
    report.error('wrong-shape', 'the conf names no instances', whole, { hint: 'expected a list of entries' });
    return [];
  }
  if (root.kind !== 'list') {
    report.error('wrong-shape', `the conf is ${kindOf(root)}`, firstOf(root.place), {
      hint: 'expected a list of entries',
    });
    return [];
  }
  const entries = root.items.flatMap((item) => {
    if (item.kind === 'map') return new EntryReader(item.entries, item.place, containers, report).read();
    report.error('wrong-shape', `an entry is ${kindOf(item)}`, item.place, { hint: 'expected { container: NAME, … }' });
    return [];
  });
  reportTwins(entries, report);
  return entries;
}

class EntryReader {
  readonly #containers: ReadonlySet<string>;
  readonly #report: Report;
  readonly #values = new Map<RunKey, { readonly key: YamlScalar; readonly value: YamlNode }>();
  readonly #place: Place;
  readonly #named: { readonly what: LinkWish | string; readonly place: Place }[] = [];

  constructor(entries: readonly YamlEntry[], place: Place, containers: ReadonlySet<string>, report: Report) {
    this.#containers = containers;
    this.#report = report;
    this.#place = firstOf(place);
    for (const { key, value } of entries) {
      const name = runKeyNames.get(key.text);
      if (name === undefined) {
        const hint =
          didYouMean(key.text, runKeyNames.keys()) ?? `expected one of ${[...runKeyNames.keys()].join(', ')}`;
        report.error('unknown-key', `unknown key ${quote(key.text)}`, key.place, { hint });
      } else if (this.#values.has(name)) {
        report.error('duplicate-key', `${quote(key.text)} says again what another key says`, key.place);
      } else {
        this.#values.set(name, { key, value });
      }
    }
  }

  read(): readonly ReadEntry[] {
    const container = this.#container();
    const type = this.#choice<InstanceType>('instance_type', instanceTypeNames);
    const instance = this.#instance();
    const group = this.#text('group');
    const hostname = this.#hostname();
    const wait = this.#choice<WaitFor>('wait', ['started', 'ready', 'healthy']);
    const links = this.#links();
    const env = this.#variables();
    const dependsOn = this.#dependsOn();
    const entry = {
      ...(type === undefined ? {} : { type }),
      ...(group === undefined ? {} : { group }),
      ...(hostname === undefined ? {} : { hostname }),
      ...(wait === undefined ? {} : { wait }),
      ...this.#truths(),
      ...{ links, env, dependsOn, sleep: this.#sleep(), volumes: this.#volumes() },
    };
    if (container === undefined || instance === undefined) return [];
    const place = this.#values.get('container')?.value.place ?? this.#place;
    return [{ entry: { ...entry, container, instance }, place, named: this.#named }];
  }

  /** The text of a value that is not null; undefined where there is none or where it is no text, which is reported. */
  #scalar(name: RunKey, expected: string): YamlScalar | undefined {
    const value = this.#values.get(name)?.value;
    if (value === undefined || isEmpty(value)) return undefined;
    if (value.kind === 'scalar') return value;
    this.#report.error('wrong-shape', `${name} is ${kindOf(value)}`, value.place, { hint: `expected ${expected}` });
    return undefined;
  }

  #container(): string | undefined {
    const scalar = this.#scalar('container', 'the name of a container');
    if (scalar === undefined) {
      if (!this.#values.has('container') || this.#values.get('container')?.value.kind === 'scalar')
        this.#report.error('missing-directive', 'the entry names no container', this.#place, {
          hint: 'expected "container"',
        });
      return undefined;
    }
    if (this.#containers.has(scalar.text)) return scalar.text;
    const known = [...this.#containers];
    const hint =
      didYouMean(scalar.text, known) ??
      (known.length === 0 ? 'the project has none' : `expected ${alternatives(known)}`);
    const what = isContainerName(scalar.text) ? 'there is no container' : 'no container can have the name';
    this.#report.error('unknown-service', `${what} ${quote(scalar.text)}`, scalar.place, { hint });
    return undefined;
  }

  #instance(): string | undefined {
    const scalar = this.#scalar('instance', 'the name of an instance');
    if (scalar === undefined) {
      if (!this.#values.has('instance') || this.#values.get('instance')?.value.kind === 'scalar')
        this.#report.error('missing-directive', 'the entry names no instance', this.#place, {
          hint: 'expected "instance"',
        });
      return undefined;
    }
    if (isInstanceName(scalar.text)) return scalar.text;
    this.#report.error('bad-name', `no instance can have the name ${quote(scalar.text)}`, scalar.place, {
      hint: 'expected letters, digits, ".", "_" and "-"',
    });
    return undefined;
  }

  #text(name: RunKey): string | undefined {
    return this.#scalar(name, 'a text')?.text;
  }

  #hostname(): string | undefined {
    const scalar = this.#scalar('hostname', 'a host name');
    if (scalar === undefined || /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(scalar.text)) return scalar?.text;
    this.#report.error('bad-name', `${quote(scalar.text)} is no host name`, scalar.place, {
      hint: 'expected at most 63 letters, digits, ".", "_" and "-"',
    });
    return undefined;
  }

  #choice<C extends string>(name: RunKey, choices: readonly C[]): C | undefined {
    const scalar = this.#scalar(name, alternatives(choices));
    if (scalar === undefined) return undefined;
    const found = choices.find((choice) => choice === scalar.text);
    if (found === undefined)
      this.#report.error('not-a-choice', `${name} is ${quote(scalar.text)}`, scalar.place, {
        hint: didYouMean(scalar.text, choices) ?? `expected ${alternatives(choices)}`,
      });
    return found;
  }

  #truths() {
    const [linked, publishPorts] = [this.#truth('linked'), this.#truth('publish_ports')];
    const [data, opt, log] = [
      this.#truth('persistent_data'),
      this.#truth('persistent_opt'),
      this.#truth('persistent_log'),
    ];
    return {
      ...(linked === undefined ? {} : { linked }),
      ...(publishPorts === undefined ? {} : { publishPorts }),
      ...(data === undefined ? {} : { persistentData: data }),
      ...(opt === undefined ? {} : { persistentOpt: opt }),
      ...(log === undefined ? {} : { persistentLog: log }),
    };
  }

  #truth(name: RunKey): boolean | undefined {
    const scalar = this.#scalar(name, 'true or false');
    const truth = scalar === undefined ? undefined : parseBoolean(scalar.text);
    if (scalar !== undefined && truth === undefined)
      this.#report.error('not-a-boolean', `${name} is ${quote(scalar.text)}`, scalar.place, {
        hint: 'expected true or false',
      });
    return truth;
  }

  #sleep(): number {
    const scalar = this.#scalar('sleep', 'a number of seconds');
    if (scalar === undefined) return 0;
    const ms = parseSpan(scalar.text, scalar.plain);
    if (ms !== undefined && ms >= 0 && ms <= 86_400_000) return ms;
    this.#report.error('not-a-time', `sleep is ${quote(scalar.text)}`, scalar.place, {
      hint: 'expected seconds, at most a day',
    });
    return 0;
  }

  #links(): readonly LinkWish[] {
    const value = this.#values.get('links')?.value;
    if (value === undefined || isEmpty(value)) return [];
    const found = readLinks(value, this.#containers, this.#report);
    for (const { link, place } of found) this.#named.push({ what: link, place });
    return found.map(({ link }) => link);
  }

  #dependsOn(): readonly string[] {
    return this.#items('depends_on', 'a list of instances').flatMap(({ text, place }) => {
      if (!this.#containers.has(text) && parseInstanceName(text, this.#containers) === undefined) {
        this.#report.error('unknown-service', `depends_on names ${quote(text)}`, place, {
          hint: didYouMean(text, this.#containers) ?? 'expected CONTAINER or CONTAINER-INSTANCE',
        });
        return [];
      }
      this.#named.push({ what: text, place });
      return [text];
    });
  }

  /** The items of a list, or a text with commas between them. */
  #items(name: RunKey, expected: string): readonly { readonly text: string; readonly place: Place }[] {
    const value = this.#values.get(name)?.value;
    if (value === undefined || isEmpty(value)) return [];
    if (value.kind === 'map') {
      this.#report.error('wrong-shape', `${name} is a map`, value.place, { hint: `expected ${expected}` });
      return [];
    }
    const items = value.kind === 'list' ? value.items : [value];
    return items.flatMap((item) => {
      if (item.kind !== 'scalar') {
        this.#report.error('wrong-shape', `${name} holds ${kindOf(item)}`, item.place, {
          hint: `expected ${expected}`,
        });
        return [];
      }
      const texts = item.text.split(',').map((text) => text.trim());
      return texts.filter((text) => text !== '').map((text) => ({ text, place: item.place }));
    });
  }

  #volumes(): readonly VolumeWish[] {
    return this.#items('volumes', 'texts such as "SOURCE:TARGET"').flatMap(({ text, place }) => {
      const [source = '', target = '', mode, ...more] = text.split(':');
      const isPath = source.startsWith('/') || source.startsWith('.');
      const isVolume = /^[A-Za-z0-9][A-Za-z0-9_.-]+$/.test(source);
      const isMode = mode === undefined || mode === 'ro' || mode === 'rw';
      if ((isPath || isVolume) && target.startsWith('/') && isMode && more.length === 0)
        return [{ source, target, readOnly: mode === 'ro' }];
      this.#report.error('bad-path', `${quote(text)} is no volume`, place, {
        hint: 'expected SOURCE:TARGET or SOURCE:TARGET:ro; SOURCE is a path (/… or ./…) or a volume, TARGET a path',
      });
      return [];
    });
  }

  #variables(): Readonly<Record<string, EnvWish>> {
    const value = this.#values.get('env_vars')?.value;
    if (value === undefined || isEmpty(value)) return {};
    if (value.kind !== 'map') {
      this.#report.error('wrong-shape', `env_vars is ${kindOf(value)}`, value.place, {
        hint: 'expected { NAME: VALUE, … }',
      });
      return {};
    }
    const wishes: Record<string, EnvWish> = {};
    for (const { key, value: wish } of value.entries) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key.text)) {
        this.#report.error('bad-variable-name', `${quote(key.text)} is no name of a variable`, key.place, {
          hint: 'expected letters, digits and "_", and no digit first',
        });
      } else if (wish.kind !== 'scalar') {
        this.#report.error('wrong-shape', `${key.text} is ${kindOf(wish)}`, wish.place, {
          hint: 'expected a text or null',
        });
      } else {
        wishes[key.text] = envWish(wish);
      }
    }
    return wishes;
  }
}

function envWish({ isNull, text }: YamlScalar): EnvWish {
  if (isNull) return { kind: 'required' };
  const name = /^from_([A-Za-z0-9_.:-]+)$/.exec(text)?.[1];
  return name === undefined ? { kind: 'value', value: text } : { kind: 'interface', name };
}

/** `a-b` with `c` and `a` with `b-c` would be one container at the engine. */
function reportTwins(entries: readonly ReadEntry[], report: Report): void {
  const first = new Map<string, ReadEntry>();
  for (const read of entries) {
    const key = instanceKey(read.entry);
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, read);
    else
      report.error('duplicate-key', `the instance ${key} stands twice`, read.place, {
        hint: 'expected another instance',
        related: { message: 'the first one is', place: earlier.place },
      });
  }
}
