import { readFileSync, writeFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dockeropsExit, dockeropsVerbHelp, dockeropsVerbs, namesNote } from '../../src/cli/dockerops/verbs.ts';
import { type ConfKey, runKeys } from '../../src/platform/conf/conf-keys.ts';
import { readConfs } from '../../src/platform/conf/read-confs.ts';
import { instanceTypeNames, instanceTypes } from '../../src/platform/model/instance-types.ts';
import { givenVariables } from '../../src/platform/model/make-specs.ts';
import { buildConfSchema, hostConfSchema, runConfSchema } from './dockerops-schema.ts';

const root = new URL('../../docs/reference/', import.meta.url);

function matches(file: string, text: string): void {
  const path = new URL(file, root);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(path, text);
  expect(readFileSync(path, 'utf8')).toBe(text);
}

const word = (value: boolean): string => (value ? 'yes' : 'no');

function page(): string {
  const types = instanceTypeNames.map((type) => {
    const { linked, publishPorts, persistentData, persistentOpt, persistentLog } = instanceTypes[type];
    const cells = [linked, publishPorts, persistentData, persistentOpt, persistentLog].map(word);
    return `| \`${type}\` | ${cells.join(' | ')} |`;
  });
  const keys = Object.entries<ConfKey>(runKeys).map(([key, { summary, choices, alias }]) => {
    const also = alias === undefined ? '' : `, \`${alias}\``;
    return `| \`${key}\`${also} | ${summary}${choices === undefined ? '' : `: ${choices.join(', ')}`} |`;
  });
  const verbs = dockeropsVerbs.map((verb) => {
    const help = dockeropsVerbHelp(verb).replace(namesNote, '').replace(dockeropsExit, '').trimEnd();
    return `### ${verb.name}\n\n\`\`\`\n${help}\n\`\`\`\n`;
  });
  return `# dockerops

Generated from [\`src/cli/dockerops/verbs.ts\`](../../src/cli/dockerops/verbs.ts) and
[\`src/platform/conf/conf-keys.ts\`](../../src/platform/conf/conf-keys.ts) by \`npm run docs\`; do not edit.

dockerops builds, runs, links, inspects and cleans a project: a folder of containers. It talks to the API of the Docker Engine, or
of Podman, at \`DOCKER_HOST\`. [A platform in ten minutes](../guide/platform.md) shows it at work.

## The project

| path | holds |
|---|---|
| \`apps_containers/NAME/Dockerfile\`, \`services/NAME/Dockerfile\` | a container; its image is \`PROJECT/NAME\` |
| \`apps_containers/run.conf\`, \`run.yaml\` | the instances; another conf is named by \`--conf\` |
| \`apps_containers/build.conf\` | a list of names, the order of builds where FROM leaves a choice |
| \`host.conf\` | values of variables on this host |
| \`keys/id_ed25519\` | the key that \`ssh\` uses, with mode 0600 |
| \`data_PROJECT/NAME/INSTANCE\` | what a persistent instance keeps; it is mounted at \`/persistent\` |

| variable | default |
|---|---|
| \`PROJECT_DIR\` | the nearest folder that holds \`apps_containers\` or \`services\` |
| \`PROJECT_NAME\` | the name of that folder |
| \`DATA_DIR\` | \`data_PROJECT\` |
| \`APPS_CONTAINERS_DIR\` | \`apps_containers\`, else \`services\` |
| \`BASE_CONTAINERS_DIR\` | absent: \`PROJECT/dockerops-base\` is made of the recipe in \`config/dockerops-base\`, which has Chaperone and an SSH server |
| \`LOG_LEVEL\` | \`DEBUG\` prints what the steps of builds print |

The container of an instance is \`PROJECT-NAME-INSTANCE\`, its host name \`NAME-INSTANCE\`. Everything that dockerops makes has the
label \`org.dockerops.project=PROJECT\`; nothing without it is ever stopped or removed.

## run.conf

A list of entries, in JSON with \`#\` comments or in YAML. Schemas for editors:
[\`run-conf.schema.json\`](run-conf.schema.json), [\`build-conf.schema.json\`](build-conf.schema.json),
[\`host-conf.schema.json\`](host-conf.schema.json).

| key | meaning |
|---|---|
${keys.join('\n')}

A link is \`{ "name": ALIAS, "container": NAME, "instance": INSTANCE }\` or \`"NAME-INSTANCE:ALIAS"\`. An instance that is \`null\` or
\`*\` is any that runs, or the first of the conf; of several the first is taken, with a warning. The instance finds the other one under the
alias, and its address in \`ALIAS_CONTAINER_IP\`.

The value of a variable comes from the caller's environment, else from host.conf, else from run.conf. For \`null\` somebody at the
terminal is asked, and the answer is saved in host.conf. Every instance has
${givenVariables.map((name) => `\`${name}\``).join(', ')}, and AUTHORIZED_KEYS with the project's public key; a master also needs \`HOST_IP\`.

## Instance types

| type | linked | publish_ports | persistent_data | persistent_opt | persistent_log |
|---|---|---|---|---|---|
${types.join('\n')}

An instance that is named like a type has that type, any other name is standard. The command line wins over run.conf, which wins
over the type. \`publish_ports\` publishes what the image exposes on the same ports of the host, and what the notes
\`#UDP_EXPOSE 53\` and \`# reyns: expose 53/udp\` in its Dockerfiles name.

## Plans

\`run\` compares each instance with its container: what runs as it shall is kept, what has ended is started, what is not there is
created. A container is made anew where its image, its entry, the values of its variables, or the address of a link has changed. That is told,
with the reason, and asked; \`--yes\` says yes, \`--dry-run\` only tells. \`/persistent\`, volumes and bind mounts stay.

## Verbs

${namesNote.trimEnd()}

\`\`\`
${dockeropsExit}\`\`\`

${verbs.join('\n')}`;
}

it('docs/reference/dockerops.md is that of the tables (else: npm run docs)', () => {
  matches('dockerops.md', page());
});

describe('the schemas of the confs', () => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false });
  const validate = ajv.compile(runConfSchema());

  it.each([
    ['run-conf', runConfSchema],
    ['build-conf', buildConfSchema],
    ['host-conf', hostConfSchema],
  ] as const)('%s is the one that is shipped', (name, schema) => {
    matches(`${name}.schema.json`, `${JSON.stringify(schema(), undefined, 2)}\n`);
  });

  const shipped = ['project', 'demo'].map((name) =>
    readFileSync(new URL(`../../config/dockerops-${name}/apps_containers/run.conf`, import.meta.url), 'utf8'),
  );

  it.each([
    ...shipped,
    '- { container: db, instance: 1, env_vars: { A: , B: 3, C: from_eth0 }, sleep: 3, linked: yes }',
    '- { service: db, instance: one, volumes: "a1:/b,./c:/d:ro", links: "api-one:x" }',
    '- { container: db, instance: one, depends_on: [db], wait: healthy, hostname: a_b, instance_type: master, group: g }',
  ])('take what is read without a mistake: %s', (text) => {
    const { diagnostics } = readConfs({ run: { name: 'run.conf', text } }, new Set(['db', 'api', 'web', 'app']));
    expect(diagnostics).toEqual([]);
    expect(validate(parse(text))).toBe(true);
  });

  it.each([
    '- { container: db }',
    '- { instance: one }',
    '- { container: DB, instance: one }',
    '- { container: db, instance: "a b" }',
    '- { container: db, instance: one, colour: red }',
    '- { container: db, instance: one, wait: never }',
    '- { container: db, instance: one, linked: perhaps }',
    '- { container: db, instance: one, env_vars: { A-B: 1 } }',
    '- { container: db, instance: one, volumes: nowhere }',
    '- { container: db, instance: one, links: [{ name: x }] }',
    '{ container: db, instance: one }',
  ])('refuse what is read with a mistake: %s', (text) => {
    const { diagnostics } = readConfs({ run: { name: 'run.conf', text } }, new Set(['db']));
    expect(diagnostics).not.toEqual([]);
    expect(validate(parse(text))).toBe(false);
  });
});
