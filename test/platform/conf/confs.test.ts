import { describe, expect, it } from 'vitest';
import { renderErrors } from '../../../src/config/render-diagnostics.ts';
import { readConfs } from '../../../src/platform/conf/read-confs.ts';

const containers = new Set(['db', 'api', 'api-gateway', 'dockerops-dns']);

function run(text: string) {
  return readConfs({ run: { name: 'run.conf', text } }, containers);
}

function mistakes(text: string): string {
  return renderErrors(run(text).diagnostics, 'nothing was started', 'dockerops');
}

const wrong = `[
 { "container": "apu", "instance": "a", "colour": 1 },   # two
 { "container": "api", "instance": "a b", "sleep": "soon", "wait": "redy" },
 { "container": "db", "instance": "x", "linked": "perhaps", "links": [ "dbx-1:db" ], "env_vars": { "A-B": 1 } },
 { "container": "db", "instance": "x", "volumes": ["data"], "hostname": "-" },
 { "instance": "x", "depends_on": "apo-1", "persistent_data": [] }
]
`;

describe('run.conf', () => {
  it('is read as the original wrote it: JSON with comments', () => {
    const { run: entries, diagnostics } = run(`
# All instances.
[
 {
  "service": "dockerops-dns",
  "instance": "master", # the one of this host
  "persistent_data": false,
\t"sleep": 3,
  "links": [],
  "env_vars": {"HOST_FQDN": "demo.com#not a comment", "HOST_IP":"from_eth0", "COUNT": 3, "TOKEN": null },#glued
  "volumes": "demo:/demo,./conf:/etc/conf:ro"
  },
 {
  "container": "api",
  "instance": "one",
  "instance_type": "published",
  "sleep": 0,
  "group": "front",
  "hostname": "sample_hostname",
  "links": ["dockerops-dns-master:dns", "db-*:any", { "name": "DB", "container": "db", "instance": null }]
  }
 ]
`);
    expect(diagnostics).toEqual([]);
    expect(entries).toEqual([
      {
        container: 'dockerops-dns',
        instance: 'master',
        persistentData: false,
        sleep: 3000,
        links: [],
        dependsOn: [],
        env: {
          HOST_FQDN: { kind: 'value', value: 'demo.com#not a comment' },
          HOST_IP: { kind: 'interface', name: 'eth0' },
          COUNT: { kind: 'value', value: '3' },
          TOKEN: { kind: 'required' },
        },
        volumes: [
          { source: 'demo', target: '/demo', readOnly: false },
          { source: './conf', target: '/etc/conf', readOnly: true },
        ],
      },
      {
        container: 'api',
        instance: 'one',
        type: 'published',
        sleep: 0,
        group: 'front',
        hostname: 'sample_hostname',
        env: {},
        dependsOn: [],
        volumes: [],
        links: [
          { alias: 'dns', container: 'dockerops-dns', instance: 'master' },
          { alias: 'any', container: 'db' },
          { alias: 'DB', container: 'db' },
        ],
      },
    ]);
  });

  it('is read as YAML', () => {
    const { run: entries, diagnostics } = run(
      '- container: api\n  instance: "1"\n  depends_on: [db]\n  wait: healthy\n  links: api-gateway-a:gate\n',
    );
    expect(diagnostics).toEqual([]);
    expect(entries).toMatchObject([
      {
        instance: '1',
        dependsOn: ['db'],
        wait: 'healthy',
        links: [{ alias: 'gate', container: 'api-gateway', instance: 'a' }],
      },
    ]);
  });

  it('tells all its mistakes at once, each with its place', () => {
    expect(mistakes(wrong)).toMatch(/^dockerops: 14 mistakes in the configuration, nothing was started\n\n/);
    const heads = run(wrong).diagnostics.map(
      ({ message, position, hint }) => `${position?.line}:${position?.column}: ${message}; ${hint?.slice(0, 50)}`,
    );
    expect(heads).toEqual([
      '2:17: there is no container "apu"; did you mean "api"?',
      '2:41: unknown key "colour"; expected one of container, service, instance, inst',
      '3:36: no instance can have the name "a b"; expected letters, digits, ".", "_" and "-"',
      '3:52: sleep is "soon"; expected seconds, at most a day',
      '3:68: wait is "redy"; did you mean "ready"?',
      '4:50: linked is "perhaps"; expected true or false',
      '4:72: the link "dbx-1:db" goes to no container of the project; did you mean "db"?',
      '4:100: "A-B" is no name of a variable; expected letters, digits and "_", and no digit fir',
      '5:17: the instance db-x stands twice; expected another instance',
      '5:52: "data" is no volume; expected SOURCE:TARGET or SOURCE:TARGET:ro; SOURCE',
      '5:73: "-" is no host name; expected at most 63 letters, digits, ".", "_" and ',
      '6:2: the entry names no container; expected "container"',
      '6:35: depends_on names "apo-1"; expected CONTAINER or CONTAINER-INSTANCE',
      '6:63: persistent_data is a list; expected true or false',
    ]);
  });

  it('points at a mistake with a caret', () => {
    expect(mistakes(wrong)).toContain(`
run.conf:3:68: wait is "redy" [not-a-choice]
    3 |  { "container": "api", "instance": "a b", "sleep": "soon", "wait": "redy" },
      |                                                                    ^^^^^^ did you mean "ready"?
`);
  });

  it('says what its lines cannot be parsed as', () => {
    expect(mistakes('[ { "container": "db" "instance": "x" } ]\n')).toContain('run.conf:1:');
  });

  it.each([
    ['', 'the conf names no instances'],
    ['{ "container": "db" }', 'the conf is a map'],
    ['[ "db" ]', 'an entry is a text'],
  ])('refuses %j', (text, message) => {
    expect(mistakes(text)).toContain(message);
  });

  it('names a circle at the link that closes it', () => {
    expect(
      mistakes(
        '- { container: db, instance: a, links: ["api-a:x"] }\n- { container: api, instance: a, depends_on: db }\n',
      ),
    ).toContain('run.conf:1:41: db-a waits for itself: db-a → api-a → db-a [dependency-cycle]');
  });
});

describe('build.conf and host.conf', () => {
  it('are read with comments', () => {
    const confs = readConfs(
      {
        build: { name: 'build.conf', text: '["db",#first\n"api"]' },
        host: { name: 'host.conf', text: '{"HOST_FQDN": "devbox", "PORT": 8080, "last_conf": null}' },
      },
      containers,
    );
    expect(confs).toEqual({ build: ['db', 'api'], host: { HOST_FQDN: 'devbox', PORT: '8080' }, diagnostics: [] });
  });

  it('are told with their places', () => {
    const { diagnostics } = readConfs(
      {
        build: { name: 'build.conf', text: '["dv"]' },
        host: { name: 'host.conf', text: 'A: [1]' },
      },
      containers,
    );
    expect(diagnostics.map(({ message, position }) => `${position?.file}:${position?.column}: ${message}`)).toEqual([
      'build.conf:2: there is no container "dv"',
      'host.conf:4: A holds a list',
    ]);
  });
});
