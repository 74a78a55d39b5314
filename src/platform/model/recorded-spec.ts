/** What a container was made from, kept in a label of its own, so that a later plan can say what has changed. */
import type { InstanceSpec } from './instance.ts';

/** Everything that only a new container can change, by topic. Values of variables are digests, since labels are widely read. */
export interface RecordedSpec {
  readonly hostname: string;
  readonly network: string;
  readonly terminal: boolean;
  readonly type: string;
  /** `alias=KEY`. */
  readonly links: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** `80/tcp`. */
  readonly ports: readonly string[];
  /** `source:target:ro`. */
  readonly mounts: readonly string[];
}

/** Turns a text into a short one that is the same for the same text only. */
export type Digest = (text: string) => string;

export function recordSpec(spec: InstanceSpec, digest: Digest): RecordedSpec {
  const env = Object.entries(spec.env).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    hostname: spec.hostname,
    network: spec.network ?? '',
    terminal: spec.terminal,
    type: spec.type,
    links: spec.links.map(({ alias, to }) => `${alias}=${to}`).sort(),
    env: Object.fromEntries(env.map(([name, value]) => [name, digest(`${name}=${value}`)])),
    ports: spec.ports.map(({ port, protocol }) => `${port}/${protocol}`).sort(),
    mounts: spec.mounts
      .map((mount) => {
        const source = mount.kind === 'bind' ? mount.source : mount.name;
        return `${source}:${mount.target}:${mount.readOnly ? 'ro' : 'rw'}`;
      })
      .sort(),
  };
}

/** Reads a label; undefined where it is none of `recordSpec`. */
export function parseRecordedSpec(text: string): RecordedSpec | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isRecordedSpec(value) ? value : undefined;
}

function isRecordedSpec(value: unknown): value is RecordedSpec {
  return (
    typeof value === 'object' &&
    value !== null &&
    'hostname' in value &&
    typeof value.hostname === 'string' &&
    'network' in value &&
    typeof value.network === 'string' &&
    'terminal' in value &&
    typeof value.terminal === 'boolean' &&
    'type' in value &&
    typeof value.type === 'string' &&
    'links' in value &&
    isTexts(value.links) &&
    'env' in value &&
    typeof value.env === 'object' &&
    value.env !== null &&
    isTexts(Object.values(value.env)) &&
    'ports' in value &&
    isTexts(value.ports) &&
    'mounts' in value &&
    isTexts(value.mounts)
  );
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** The differences between two specifications, in words for a person; empty where they are the same. */
export function changesOf(before: RecordedSpec, after: RecordedSpec): readonly string[] {
  const plain = (['hostname', 'network', 'terminal', 'type'] as const).flatMap((topic) =>
    before[topic] === after[topic] ? [] : [`${topic} changed`],
  );
  const lists = (
    [
      ['link', before.links, after.links],
      ['port', before.ports, after.ports],
      ['mount', before.mounts, after.mounts],
    ] as const
  ).flatMap(([what, old, now]) => [
    ...now.filter((item) => !old.includes(item)).map((item) => `${what} ${item} added`),
    ...old.filter((item) => !now.includes(item)).map((item) => `${what} ${item} removed`),
  ]);
  const names = [...new Set([...Object.keys(before.env), ...Object.keys(after.env)])].sort();
  const variables = names.flatMap((name) => {
    const [old, now] = [before.env[name], after.env[name]];
    if (old === now) return [];
    return [`variable ${name} ${old === undefined ? 'added' : now === undefined ? 'removed' : 'changed'}`];
  });
  return [...plain, ...lists, ...variables];
}
