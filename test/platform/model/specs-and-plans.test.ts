import { describe, expect, it } from 'vitest';
import { buildOrder } from '../../../src/platform/model/build-order.ts';
import { readDockerfile } from '../../../src/platform/model/dockerfile.ts';
import { resolveEnv } from '../../../src/platform/model/env-values.ts';
import { exposedPorts } from '../../../src/platform/model/exposed-ports.ts';
import type { InstanceSpec } from '../../../src/platform/model/instance.ts';
import { instanceTypes, typeOfInstance } from '../../../src/platform/model/instance-types.ts';
import { describeStep, planEnd, planRun, strays } from '../../../src/platform/model/make-plan.ts';
import { makeSpecs, type Overrides, type Surroundings, wishesOf } from '../../../src/platform/model/make-specs.ts';
import { isIdle, type Observed, type ObservedContainer } from '../../../src/platform/model/plan.ts';
import { isContainerName, isInstanceName } from '../../../src/platform/model/project.ts';
import { recordSpec } from '../../../src/platform/model/recorded-spec.ts';
import type { RunEntry } from '../../../src/platform/model/run-entry.ts';
import { selectEntries, selectFrom } from '../../../src/platform/model/select.ts';

const digest = (text: string): string => `#${text.length}`;

function entry(container: string, instance: string, more: Partial<RunEntry> = {}): RunEntry {
  return { container, instance, sleep: 0, links: [], env: {}, volumes: [], dependsOn: [], ...more };
}

const places = {
  name: 'p',
  folder: '/work/p',
  dataFolder: '/work/p/data_p',
  containersFolder: '/work/p/apps_containers',
};

function surroundings(more: Partial<Surroundings> = {}): Surroundings {
  return { places, env: () => ({}), exposed: () => [], hostName: 'box', running: [], ...more };
}

function specs(
  all: readonly RunEntry[],
  chosen: readonly RunEntry[] = all,
  overrides: Overrides = {},
  more = surroundings(),
) {
  const made = makeSpecs(all, new Set(chosen), overrides, more);
  if (made.kind === 'impossible') throw new Error(made.problems.join('\n'));
  return made;
}

function onlySpec(one: RunEntry, overrides: Overrides = {}, more = surroundings()): InstanceSpec {
  const [spec] = specs([one], [one], overrides, more).specs;
  if (spec === undefined) throw new Error('there is no specification');
  return spec;
}

function container(spec: InstanceSpec, more: Partial<ObservedContainer> = {}): ObservedContainer {
  return {
    id: `id-${spec.key}`,
    key: spec.key,
    container: spec.container,
    instance: spec.instance,
    containerName: spec.containerName,
    state: 'running',
    imageId: `image-${spec.container}`,
    recorded: recordSpec(spec, digest),
    linkAddresses: {},
    ...more,
  };
}

function observed(all: readonly InstanceSpec[], containers: readonly ObservedContainer[]): Observed {
  const images = new Map(
    all.map((spec) => [spec.image, { id: `image-${spec.container}`, exposed: [], hasHealthcheck: false }]),
  );
  return { containers, images, foreignNames: new Set() };
}

describe('an instance type', () => {
  it.each([
    ['standard', 'linked'],
    ['published', 'linked publishPorts'],
    ['persistent', 'linked persistentData persistentLog'],
    ['master', 'linked publishPorts persistentData persistentLog'],
    ['interactive', 'linked'],
    ['safemode', ''],
    ['debug', ''],
  ] as const)('%s decides on %s', (type, decided) => {
    const on = Object.entries(instanceTypes[type]).flatMap(([key, value]) => (value ? [key] : []));
    expect(on.join(' ')).toBe(decided);
    expect(typeOfInstance(type)).toBe(type);
  });

  it('is overruled by run.conf, and that by the command line', () => {
    const one = entry('db', 'master', { publishPorts: false, env: { HOST_IP: { kind: 'value', value: '1' } } });
    const exposed = () => [{ port: 80, protocol: 'tcp' as const }];
    expect(onlySpec(one, {}, surroundings({ exposed })).ports).toEqual([]);
    expect(onlySpec(one, { publishPorts: true }, surroundings({ exposed })).ports).toEqual(exposed());
    expect(onlySpec(entry('db', 'master'), { type: 'debug' }, surroundings({ exposed })).ports).toEqual([]);
  });
});

describe('a specification', () => {
  it('has all that is always given', () => {
    expect(onlySpec(entry('db', 'persistent'), {}, surroundings({ publicKey: 'ssh-ed25519 A' }))).toMatchObject({
      key: 'db-persistent',
      containerName: 'p-db-persistent',
      image: 'p/db',
      hostname: 'db-persistent',
      network: 'p-network',
      env: {
        CONTAINER: 'db',
        INSTANCE: 'persistent',
        INSTANCE_TYPE: 'persistent',
        PERSISTENT_DATA: 'True',
        PERSISTENT_OPT: 'False',
        PERSISTENT_LOG: 'True',
        SAFEMODE: 'False',
        INTERACTIVE: 'False',
        HOST_HOSTNAME: 'box',
        AUTHORIZED_KEYS: 'ssh-ed25519 A',
      },
      mounts: [
        { kind: 'bind', source: '/work/p/data_p/db/persistent', target: '/persistent', readOnly: false, create: true },
      ],
      labels: { 'org.dockerops.project': 'p', 'org.dockerops.container': 'db', 'org.dockerops.instance': 'persistent' },
    });
  });

  it('of a master needs the address of the host', () => {
    expect(wishesOf(entry('db', 'master'))).toEqual({ HOST_IP: { kind: 'required' } });
    expect(wishesOf(entry('db', 'standard'))).toEqual({});
    expect(wishesOf(entry('db', 'one'), { type: 'master' })).toEqual({ HOST_IP: { kind: 'required' } });
  });

  it('has volumes of the host, of the project and of the engine', () => {
    const volumes = ['/etc/x:/x', './a/../b:/b', 'kept:/kept'].map((text) => {
      const [source = '', target = ''] = text.split(':');
      return { source, target, readOnly: false };
    });
    expect(onlySpec(entry('db', 'one', { volumes })).mounts).toMatchObject([
      { kind: 'bind', source: '/etc/x', create: false },
      { kind: 'bind', source: '/work/p/b' },
      { kind: 'volume', name: 'kept' },
    ]);
  });

  it('without links stands on no network of the project', () => {
    const db = entry('db', 'one');
    const debug = entry('api', 'debug', { links: [{ alias: 'db', container: 'db', instance: 'one' }] });
    const [, spec] = specs([db, debug]).specs;
    expect(spec?.links).toEqual([]);
    expect(spec).not.toHaveProperty('network');
  });
});

describe('a link', () => {
  const db = entry('db', 'one');
  const other = entry('db', 'two');

  it('takes what it needs along, and waits for it', () => {
    const api = entry('api', 'a', { links: [{ alias: 'my-db', container: 'db', instance: 'two' }] });
    const made = specs([db, other, api], [api]).specs;
    expect(made.map(({ key }) => key)).toEqual(['db-two', 'api-a']);
    expect(made[1]).toMatchObject({
      dependsOn: ['db-two'],
      links: [{ alias: 'my-db', variable: 'MY_DB_CONTAINER_IP', to: 'db-two', containerName: 'p-db-two' }],
    });
  });

  it.each([
    ['the first of the conf', [], 'db-one', 'api-a: its link db may go to db-one or db-two, and goes to db-one'],
    ['one that runs', [{ container: 'db', instance: 'two' }], 'db-two', undefined],
    [
      'the first that runs, with a warning',
      [
        { container: 'db', instance: 'three' },
        { container: 'db', instance: 'one' },
      ],
      'db-three',
      'api-a: its link db may go to db-three or db-one, and goes to db-three',
    ],
  ])('to any instance takes %s', (_, running, to, warning) => {
    const api = entry('api', 'a', { links: [{ alias: 'db', container: 'db' }] });
    const made = specs([db, other, api], [api], {}, surroundings({ running }));
    expect(made.specs.at(-1)?.links[0]?.to).toBe(to);
    expect(made.warnings).toEqual(warning === undefined ? [] : [warning]);
  });

  it('to nothing is refused, unless nobody asked for its instance', () => {
    const api = entry('api', 'a', { links: [{ alias: 'db', container: 'db', instance: 'none' }] });
    const made = makeSpecs([db, api], new Set([api]), {}, surroundings());
    expect(made).toEqual({
      kind: 'impossible',
      problems: ['api-a: its link db goes to db-none, which does not run and stands in no run.conf (known: db-one)'],
    });
    expect(makeSpecs([db, api], new Set([db]), {}, surroundings()).kind).toBe('specs');
  });
});

describe('the order', () => {
  it('follows sleep: what stands below waits, unless that would be a circle', () => {
    const first = entry('a', '1', { sleep: 3000, dependsOn: ['c-1'] });
    const made = specs([first, entry('b', '1'), entry('c', '1')]).specs;
    expect(made.map(({ key, dependsOn }) => [key, dependsOn])).toEqual([
      ['a-1', ['c-1']],
      ['b-1', ['a-1']],
      ['c-1', []],
    ]);
  });

  it('is refused where two publish the same port', () => {
    const exposed = () => [{ port: 80, protocol: 'tcp' as const }];
    const all = [entry('a', 'published'), entry('b', 'published')];
    expect(makeSpecs(all, new Set(all), {}, surroundings({ exposed }))).toEqual({
      kind: 'impossible',
      problems: ['b-published: it publishes port 80/tcp, and so does a-published'],
    });
  });
});

describe('a plan', () => {
  const db = entry('db', 'one');
  const api = entry('api', 'a', { links: [{ alias: 'db', container: 'db', instance: 'one' }] });
  const made = specs([api, db]).specs;
  const [apiSpec, dbSpec] = made;
  if (apiSpec === undefined || dbSpec === undefined) throw new Error('two specifications are needed');

  function plan(containers: readonly ObservedContainer[], wish: Partial<Parameters<typeof planRun>[0]> = {}) {
    const planning = planRun({ project: 'p', specs: made, observed: observed(made, containers), digest, ...wish });
    if (planning.kind === 'impossible') throw new Error(planning.problems.join('\n'));
    return planning.plan;
  }
  const kinds = (containers: readonly ObservedContainer[], wish = {}) =>
    plan(containers, wish).steps.map(({ key, action, reasons }) => `${action.kind} ${key}: ${reasons.join('; ')}`);

  it('creates what is not there, each after what it waits for', () => {
    const { steps, network } = plan([]);
    expect(steps.map(({ key, action, after }) => [key, action.kind, after])).toEqual([
      ['db-one', 'create', []],
      ['api-a', 'create', ['db-one']],
    ]);
    expect(network).toBe('p-network');
  });

  it('changes nothing where all runs as it shall', () => {
    const same = plan([container(dbSpec), container(apiSpec)]);
    expect(isIdle(same)).toBe(true);
    expect(same.steps.map(describeStep)).toEqual([undefined, undefined]);
  });

  it.each([
    [
      'starts what has ended',
      [container(dbSpec, { state: 'exited', exitCode: 3 }), container(apiSpec)],
      ['start db-one: it has exited with 3', 'keep api-a: it runs as it shall'],
    ],
    [
      'makes anew what has another image, and what holds its address',
      [container(dbSpec, { imageId: 'older' }), container(apiSpec)],
      ['recreate db-one: image p/db has changed', 'recreate api-a: link db goes to db-one, which is made anew'],
    ],
    [
      'makes anew what holds an old address',
      [container(dbSpec, { address: '10.0.0.2' }), container(apiSpec, { linkAddresses: { db: '10.0.0.9' } })],
      ['keep db-one: it runs as it shall', 'recreate api-a: link db has another address'],
    ],
  ])('%s', (_, containers, expected) => {
    expect(kinds(containers)).toEqual(expected);
  });

  it('says what has changed, and no value', () => {
    const before = {
      ...dbSpec,
      hostname: 'x',
      env: { ...dbSpec.env, INSTANCE: 'secret!', OLD: '1' },
      ports: [{ port: 5, protocol: 'tcp' as const }],
    };
    const found = container(dbSpec, { recorded: recordSpec(before, digest) });
    expect(kinds([found, container(apiSpec)])[0]).toBe(
      'recreate db-one: hostname changed; port 5/tcp removed; variable INSTANCE changed; variable OLD removed',
    );
  });

  it('makes anew what is asked for, and what nobody knows the making of', () => {
    expect(kinds([container(dbSpec), container(apiSpec)], { again: new Set(['api-a']) })).toEqual([
      'keep db-one: it runs as it shall',
      'recreate api-a: it was asked for',
    ]);
    const { recorded: _, ...unknown } = container(dbSpec);
    expect(kinds([unknown])[0]).toBe('recreate db-one: what its container was made from is not known');
  });

  it('is refused without an image, with a name that is taken, and with a circle', () => {
    const nothing: Observed = { containers: [], images: new Map(), foreignNames: new Set(['p-api-a']) };
    expect(planRun({ project: 'p', specs: made, observed: nothing, digest })).toEqual({
      kind: 'impossible',
      problems: [
        'api-a: there is no image p/api; "dockerops build api" makes it',
        "api-a: the name p-api-a is taken by a container that is not the project's",
        'db-one: there is no image p/db; "dockerops build db" makes it',
      ],
    });
    const circle = specs([entry('db', 'one', { dependsOn: ['api-a'] }), api]).specs;
    expect(planRun({ project: 'p', specs: circle, observed: observed(circle, []), digest })).toEqual({
      kind: 'impossible',
      problems: ['db-one: it waits for itself: db-one → api-a → db-one'],
    });
  });

  it('ends each after those that wait for it', () => {
    const containers = [
      container(dbSpec),
      container(apiSpec),
      container(onlySpec(entry('x', '1')), { state: 'exited' }),
    ];
    const stop = planEnd('p', { kind: 'stop', timeout: 3 }, containers, new Map());
    expect(stop.steps.map(({ key, after }) => [key, after])).toEqual([
      ['api-a', []],
      ['db-one', ['api-a']],
    ]);
    const remove = planEnd('p', { kind: 'remove' }, containers, new Map([['db-one', ['x-1']]]));
    expect(remove.steps.map(({ key, after }) => [key, after])).toEqual([
      ['api-a', []],
      ['db-one', ['api-a']],
      ['x-1', ['db-one']],
    ]);
    expect(remove.steps.map(describeStep)[0]).toBe('remove    api-a   container p-api-a');
  });

  it('knows what no conf names', () => {
    expect(strays(observed(made, [container(dbSpec), container(apiSpec)]), [db]).map(({ key }) => key)).toEqual([
      'api-a',
    ]);
  });
});

describe('variables', () => {
  const sources = {
    environment: { A: 'caller' },
    hostConf: { A: 'host', B: 'host' },
    interfaces: { eth0: '10.1.2.3' },
  };

  it('come from the environment, then from host.conf, then from run.conf', () => {
    const value = { kind: 'value', value: 'conf' } as const;
    const { values } = resolveEnv({ A: value, B: value, C: value, D: { kind: 'interface', name: 'eth0' } }, sources);
    expect(values).toEqual({ A: 'caller', B: 'host', C: 'conf', D: '10.1.2.3' });
  });

  it('are told where nobody has them', () => {
    const { missing, problems } = resolveEnv(
      Object.fromEntries([
        ['A', { kind: 'required' as const }],
        ['toString', { kind: 'required' as const }],
        ['X', { kind: 'interface' as const, name: 'eth9' }],
      ]),
      sources,
    );
    expect(missing).toEqual(['toString']);
    expect(problems).toEqual([
      'X is "from_eth9", and the host has no interface eth9 with an IPv4 address: it has eth0',
    ]);
  });
});

describe('a Dockerfile', () => {
  it('tells the images that it needs', () => {
    expect(
      readDockerfile(`# syntax
ARG TAG=12
FROM --platform=linux/amd64 debian:\${TAG} AS build
RUN true \\
  # a comment
  && false
FROM p/base:latest
COPY --from=build /a /b
COPY --from=p/tools --chown=1 /a /b
`),
    ).toEqual({ needs: ['debian:12', 'p/base:latest', 'p/tools'], base: 'p/base:latest', noted: [] });
  });

  it.each([
    ['#UDP_EXPOSE 53 123', [53, 123], 'udp'],
    ['# reyns: expose 53/udp', [53], 'udp'],
    ['# reyns: expose 80', [80], 'tcp'],
    ['# we expose 53/udp', [], 'udp'],
    ['#UDP_EXPOSE 0 70000 x', [], 'udp'],
  ])('has the note %s', (line, ports, protocol) => {
    expect(readDockerfile(`FROM x\n${line}\n`).noted).toEqual(ports.map((port) => ({ port, protocol })));
  });

  it('adds the notes of those that it begins with to what its image exposes', () => {
    const files = new Map([
      ['dns', readDockerfile('FROM p/base\n#UDP_EXPOSE 53')],
      ['base', readDockerfile('FROM debian\n# reyns: expose 22')],
    ]);
    expect(exposedPorts('p', 'dns', files, ['80/tcp', '53/udp', '5/sctp'])).toEqual([
      { port: 22, protocol: 'tcp' },
      { port: 53, protocol: 'udp' },
      { port: 80, protocol: 'tcp' },
    ]);
  });
});

describe('the order of builds', () => {
  const files = new Map(
    Object.entries({ web: 'p/api', api: 'p/base', base: 'debian', own: 'p/own:latest', two: 'p/web' }).map(
      ([name, from]) => [name, readDockerfile(`FROM ${from}\n`)] as const,
    ),
  );

  it.each([
    [['web'], ['base', 'api', 'web']],
    [
      ['base', 'web'],
      ['base', 'api', 'web'],
    ],
    [
      ['two', 'api'],
      ['base', 'api', 'web', 'two'],
    ],
  ])('of %j is %j', (wanted, names) => {
    expect(buildOrder('p', files, wanted)).toEqual({ kind: 'order', names });
  });

  it('is none where images begin with each other', () => {
    expect(buildOrder('p', files, ['own'])).toEqual({ kind: 'cycle', cycle: ['own', 'own'] });
    const circle = new Map([
      ['a', readDockerfile('FROM p/b')],
      ['b', readDockerfile('FROM p/a')],
      ['c', readDockerfile('FROM p/a')],
    ]);
    expect(buildOrder('p', circle, ['c'])).toEqual({ kind: 'cycle', cycle: ['a', 'b', 'a'] });
  });
});

describe('names', () => {
  it.each([
    ['web', true],
    ['my-app.v2__x', true],
    ['My', false],
    ['a..b', false],
    ['-a', false],
    ['a/b', false],
    ['a;b', false],
    ['', false],
    ['a'.repeat(64), false],
  ])('%j may be a container: %j', (name, may) => {
    expect(isContainerName(name)).toBe(may);
  });

  it.each([
    ['One', true],
    ['1', true],
    ['a..b', false],
    ['../x', false],
    ['a b', false],
    ['$(x)', false],
  ])('%j may be an instance: %j', (name, may) => {
    expect(isInstanceName(name)).toBe(may);
  });

  const entries = [entry('web', 'a', { group: 'front' }), entry('web', 'b'), entry('web-a', 'x')];
  const select = (words: readonly string[], more = {}) => {
    const selected = selectEntries(entries, { words, ...more }, new Set(['web', 'web-a', 'db']));
    return selected.kind === 'mistake'
      ? selected.message
      : selected.items.map((item) => `${item.container}/${item.instance}`);
  };

  it.each([
    [['all'], {}, ['web/a', 'web/b', 'web-a/x']],
    [[], { group: 'front' }, ['web/a']],
    [['web'], { instance: 'b' }, ['web/b']],
    [['web'], { instance: 'new' }, ['web/new']],
    [['db'], {}, ['db/standard']],
    [['web-b'], {}, ['web/b']],
    [['wep'], {}, 'there is no instance of "wep": did you mean "web"?'],
    [['all'], { group: 'none' }, 'no instance is of the group "none"'],
    [['web'], { instance: 'a;b' }, 'no instance can have the name "a;b"'],
  ])('%j with %j mean %j', (words, more, expected) => {
    expect(select(words, more)).toEqual(expected);
  });

  it('are only those that exist, for what is there', () => {
    const found = selectFrom([{ container: 'web', instance: 'a' }], { words: ['db'] }, () => undefined);
    expect(found).toEqual({ kind: 'mistake', message: 'there is no instance of "db": there is web-a' });
  });
});
