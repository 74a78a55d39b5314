/** A configuration means the same whether it stands in one file or is divided among several. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SystemSpec } from '../../src/model/service/service-spec.ts';
import { loadFiles } from './loading.ts';

type Value = string | number | boolean | readonly string[] | { readonly [key: string]: Value };
type Map = { readonly [key: string]: Value };

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const variables = fc.dictionary(
  fc.constantFrom('A', 'B', 'PATH', 'C_D'),
  fc.constantFrom('1', 'two words', '$(A:-x)', ''),
  {
    maxKeys: 3,
  },
);
const users = fc.constantFrom('root', 'www', 'joe');

const settings = fc.record({
  uid: maybe(users),
  gid: maybe(fc.constantFrom('users', 'adm')),
  debug: maybe(fc.boolean()),
  detect_exit: maybe(fc.boolean()),
  idle_delay: maybe(fc.constantFrom(0, 2, '30ms')),
  ignore_failures: maybe(fc.boolean()),
  startup_pause: maybe(fc.constantFrom(0, '20ms')),
  shutdown_timeout: maybe(fc.constantFrom(1, '1m')),
  max_line: maybe(fc.constantFrom('4K', 2048)),
  env_set: maybe(variables),
  env_inherit: maybe(fc.constantFrom(['PATH'], ['*'])),
  inspect: maybe(fc.constantFrom<Map>({ journal: '/var/log/journal', records: true }, { max_size: '1M' })),
});

const service = fc.record({
  command: fc.constantFrom('/bin/true', 'sleep 5', 'sh -c "echo $(A)"'),
  type: maybe(fc.constantFrom('simple', 'oneshot', 'notify', 'forking')),
  uid: maybe(users),
  after: maybe(fc.constantFrom(['a.service'], ['a.service', 'back'], 'b.service')),
  service_groups: maybe(fc.constantFrom('back', 'INIT', 'IDLE')),
  enabled: maybe(fc.boolean()),
  env_set: maybe(variables),
  restart: maybe(fc.boolean()),
  directory: maybe(fc.constantFrom('/tmp', '$(HOME:-/)')),
});

const entry = fc
  .record({
    selector: maybe(fc.constantFrom('*.info', 'auth.*;[c].info', '*.err')),
    file: maybe(fc.constantFrom('/var/log/x', '/var/log/%Y.log')),
    stdout: maybe(fc.boolean()),
    uid: maybe(users),
    gid: maybe(fc.constantFrom('users', 'adm')),
    mode: maybe(fc.constantFrom('0600', '0664')),
    overwrite: maybe(fc.boolean()),
    max_size: maybe(fc.constantFrom('1M', '4096')),
    keep: maybe(fc.constantFrom(2, 7)),
  })
  // A gid needs a uid, and the directives of rotation need a file.
  .map(({ gid, uid, file, max_size, keep, ...rest }) => ({
    ...rest,
    ...(uid === undefined ? {} : { uid, gid }),
    ...(file === undefined ? {} : { file, max_size, keep: max_size === undefined ? undefined : keep }),
  }));

const configuration = fc.record({
  settings: settings.map(({ gid, uid, ...rest }) => ({ ...rest, ...(uid === undefined ? {} : { uid, gid }) })),
  'c.service': service.map(({ after, ...rest }) => ({ ...rest, after })),
  'b.service': service.map(({ after, ...rest }) => ({ ...rest, after: after === 'b.service' ? undefined : after })),
  'a.service': service.map(({ after: _, service_groups: __, ...rest }) => rest),
  'console.logging': entry,
  'file.logging': entry,
});

/** One key of one section: the smallest part that may stand in a file of its own. */
interface Part {
  readonly section: string;
  readonly content: Map;
}

/** Services are replaced by later files, so each stays whole; settings and logging entries are divided key by key. */
function partsOf(name: string, section: Map): readonly Part[] {
  if (name.endsWith('.service')) return [{ section: name, content: section }];
  return Object.entries(section).flatMap(([key, value]) =>
    (key === 'env_set' || key === 'inspect' || key === 'metrics') && typeof value === 'object' && !Array.isArray(value)
      ? Object.entries(value).map(([inner, text]) => ({ section: name, content: { [key]: { [inner]: text } } }))
      : [{ section: name, content: { [key]: value } }],
  );
}

function merged(one: Map, other: Map): Map {
  const result: Record<string, Value> = { ...one };
  for (const [key, value] of Object.entries(other)) {
    const before = result[key];
    result[key] = isMap(before) && isMap(value) ? merged(before, value) : value;
  }
  return result;
}

function isMap(value: Value | undefined): value is Map {
  return typeof value === 'object' && !Array.isArray(value);
}

/** JSON is YAML. What is undefined is left out. */
function textOf(parts: readonly Part[]): string {
  return JSON.stringify(parts.reduce<Map>((file, { section, content }) => merged(file, { [section]: content }), {}));
}

/**
 * The system, and what is said about it, without what only tells how it is written: the order in which names first appear, the places,
 * and the number of files.
 */
function systemOf(files: Readonly<Record<string, string>>): unknown {
  const { spec, diagnostics } = loadFiles(files, { environment: { PATH: '/bin:/usr/bin', HOME: '/root', Z: '1' } });
  // Of several cycles the first is told, and which that is depends on the order.
  const told = [...new Set(diagnostics.map(({ severity, code }) => `${severity} ${code}`))].sort();
  if (spec === undefined) return told;
  const byName = <T extends { readonly name: string }>(items: readonly T[]) =>
    [...items].sort((one, other) => (one.name < other.name ? -1 : 1));
  const { fileCount: _, ...system }: SystemSpec = spec;
  return {
    ...system,
    services: byName(system.services).map((one) => ({ ...one, prerequisites: [...one.prerequisites].sort() })),
    logging: byName(system.logging),
    told,
  };
}

describe('a configuration that is divided among files', () => {
  it('is the same system, with the same sinks, modes and accounts, in whatever order the files come', () => {
    fc.assert(
      fc.property(
        configuration,
        fc.infiniteStream(fc.nat(4)),
        fc.infiniteStream(fc.nat(1_000)),
        (sections, where, ranks) => {
          const given: Map = JSON.parse(JSON.stringify(sections));
          const parts = Object.entries(given).flatMap(([name, section]) =>
            isMap(section) ? partsOf(name, section) : [],
          );
          const shuffled = parts
            .map((part) => ({ part, rank: ranks.next().value }))
            .sort((one, other) => one.rank - other.rank)
            .map(({ part }) => part);
          const files: Part[][] = [[], [], [], [], []];
          for (const part of shuffled) files[where.next().value]?.push(part);
          const divided = files.map((content, index): [string, string] => [`${index}.conf`, textOf(content)]);
          expect(systemOf(Object.fromEntries(divided))).toEqual(systemOf({ 'all.conf': textOf(parts) }));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('lets the later of two files decide about the same key, and only about that key', () => {
    const files = (first: string, second: string) => ({ '1.conf': first, '2.conf': second });
    const one = '{"x.logging": {"file": "/a", "mode": "0600"}, "settings": {"env_set": {"A": "1", "B": "1"}}}';
    const two =
      '{"x.logging": {"file": "/b"}, "settings": {"env_set": {"A": "2"}}, "w.service": {"command": "/bin/true"}}';
    expect(systemOf(files(one, two))).toMatchObject({
      logging: [{ file: '/b', mode: 0o600 }],
      services: [{ environment: { A: '2', B: '1' } }],
    });
    expect(systemOf(files(two, one))).toMatchObject({
      logging: [{ file: '/a', mode: 0o600 }],
      services: [{ environment: { A: '1', B: '1' } }],
    });
  });
});
