import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { directives, type SectionKind, startTimeouts } from '../../src/config/directives.ts';
import { renderErrors } from '../../src/config/render-diagnostics.ts';
import { parseSignal } from '../../src/model/service/signal.ts';
import { loadText } from '../config/loading.ts';
import { extraKeys, referenceTables, referenceTimeouts } from '../fixtures/reference-tables.ts';
import { configurationSchema } from './json-schema.ts';

const root = new URL('../../', import.meta.url);
const shipped = new URL('docs/reference/chaperone.schema.json', root);
const schema = configurationSchema();
const validate = new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false, allErrors: true }).compile(
  schema,
);

/** What the schema says of a text, as an editor reads it: YAML 1.2 as a rule. */
function schemaTakes(text: string, version: '1.1' | '1.2' = '1.2'): boolean {
  return validate(
    parse(text.replaceAll('\t', '        '), { version, merge: true, uniqueKeys: false, logLevel: 'silent' }),
  );
}

function loaderTakes(text: string): boolean {
  return renderErrors(loadText(text).diagnostics) === '';
}

function service(line: string): string {
  return `a.service:\n  command: "true"\n  ${line}\n`;
}

function template(instances: string): string {
  return `a@.service:\n  command: "true"\n  instances: ${instances}\n`;
}

describe('the JSON Schema', () => {
  it('is the one that is shipped (else: npm run docs)', () => {
    const text = `${JSON.stringify(schema, undefined, 2)}\n`;
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(shipped, text);
    expect(readFileSync(shipped, 'utf8')).toBe(text);
  });

  it('has every directive of the reference, with its default and its variables', () => {
    for (const kind of ['settings', 'compat', 'inspect', 'metrics', 'service', 'logging'] satisfies SectionKind[]) {
      const known = [...directives[kind].values()].filter(({ key }) => !extraKeys[kind].includes(key));
      const rows = known.map(({ key, default: fallback, expands }) => ({ key, default: fallback, env: expands }));
      expect(rows, kind).toEqual(referenceTables[kind]);
    }
    expect(startTimeouts).toEqual(referenceTimeouts);
    const section = (pick: (value: typeof schema) => unknown): unknown => pick(schema);
    const properties = JSON.stringify(section((value) => [value['properties'], value['patternProperties']]));
    for (const key of Object.values(directives).flatMap((table) => [...table.keys()])) {
      expect(properties).toContain(`"${key}":{"description":`);
    }
  });

  it.each(
    readdirSync(new URL('config', root)).filter((name) => name.endsWith('.conf')),
  )('takes the sample %s', (name) => {
    const text = readFileSync(new URL(`config/${name}`, root), 'utf8');
    expect(schemaTakes(text), JSON.stringify(validate.errors)).toBe(true);
    expect(schemaTakes(text, '1.1')).toBe(true);
  });

  it('takes what the documentation shows', () => {
    const pages = ['README.md', ...readdirSync(new URL('docs/guide', root)).map((name) => `docs/guide/${name}`)]
      // It shows mistakes.
      .filter((page) => !page.endsWith('troubleshooting.md'));
    let found = 0;
    for (const page of pages) {
      const blocks = readFileSync(new URL(page, root), 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```/gm);
      for (const [, text = ''] of blocks) {
        if (!/^\S+\.(?:service|logging):|^settings:/m.test(text)) continue;
        found += 1;
        expect(schemaTakes(text), `${page}\n${text}`).toBe(true);
      }
    }
    expect(found).toBeGreaterThan(0);
  });
});

/** Texts that both take. */
const good = [
  '',
  '# nothing\n',
  'settings:\n',
  'settings: { }\nx.logging:\n',
  'settings: { control: }\n',
  'settings: { control: { allow: { users: { root: "stop, start,", 33: [logs, "run,kill"] }, groups: { 0: all } } } }\n',
  'settings: { control: { allow: { users: , everybody: " logs " } } }\n',
  '[settings, x.logging]',
  service('after: [b.service, "c, d", INIT]'),
  service('after: b.service, c.service ,'),
  service('service_groups: [INIT, "one,two"]'),
  service('wants: b.service:started'),
  service(
    'requires: [b.service, "c.service:exited"]\n  on_prerequisite_failure: "$(X:-fail)"\n  on_prerequisite_restart: restart',
  ),
  service('before:'),
  ...['true', 'yes', 'on', 'y', 'No', 'OFF', '"n"', 'False', 'TRUE'].map((word) => service(`restart: ${word}`)),
  ...['true', '""', '" "', '"$(MYSQL:+true)"', `\${X:-no}`, '"`echo yes`"'].map((word) => service(`enabled: ${word}`)),
  ...['0', '0.5', '5', '"7.5"', '1_000', '0x10', '1:30', '1e2', '.5', '5.', '+3', '0755', '0b11'].map((number) =>
    service(`process_timeout: ${number}`),
  ),
  ...['no', 'on-failure', 'on-failure:3', 'always', 'unless-stopped', '""', '"$(X:-always)"'].map((word) =>
    service(`restart: ${word}`),
  ),
  ...['0', '5', '"5"', '0x1f', '1_0', 'unlimited', '"$(N:-7)"'].map((number) => service(`restart_limit: ${number}`)),
  ...['1', '1.5', '"2"', '100', '+2'].map((number) => service(`restart: true\n  restart_backoff: ${number}`)),
  ...['0', '.25', '1', '0.5'].map((number) => service(`restart: true\n  restart_jitter: ${number}`)),
  ...['143', 'SIGTERM', '143, SIGTERM', '[143, SIGTERM]', '[143, "TERM, 3"]', '"$(X:-5)"', '[]'].map((ends) =>
    service(`success_exit: ${ends}`),
  ),
  ...['80', '"80"', '65535', '"$(PORT:-80)"', `\${PORT:-80}`, '0x50'].map((port) =>
    service(`type: inetd\n  port: ${port}`),
  ),
  ...['TERM', 'SIGTERM', 'sigterm', 'Term', '15', '"15"', 'SIGRTMIN+3', 'rtmin', '64', '"037"', '31', '34'].map(
    (signal) => service(`kill_signal: ${signal}`),
  ),
  ...['log', 'inherit', '"$(X:-inherit)"', '""', '" log "'].map((target) => service(`stdout: ${target}`)),
  ...['b.service', '"$(X:-b.service)"', '" b.service "'].map(
    (target) => `${service(`stderr: ${target}`)}b.service: { command: "true", enabled: "$(X:+yes)" }\n`,
  ),
  ...['100', '1000/s', '5/500ms', '"10 / 2s"', '"$(RATE:-1/m)"'].map((rate) => service(`log_rate: ${rate}`)),
  ...['simple', 'oneshot', 'forking', 'notify', '" simple "'].map((type) => service(`type: ${type}`)),
  ...['3', '"0"', '0-3', '" 0 - 3 "', '[mail, web]', 'mail, web', '[1, 2]', '"$(N:-2)"', '["$(N:-2)"]'].map(template),
  service('type: cron\n  interval: "@hourly"'),
  service(
    'type: cron\n  interval: "@hourly"\n  timezone: Europe/Berlin\n  overlap: queue\n  jitter: 5m\n  run_at_start: on\n  catch_up: no',
  ),
  service('max_runtime: 1h30m'),
  service('reload_signal: HUP'),
  service('reload_command: "web-ctl reload $MAINPID"'),
  ...['{ file: /x }', '[{ env: X }, { env: X=on }]', '{ not: [{ command: "true" }] }', '{ file: "$(D:-/x)" }', ''].map(
    (condition) => service(`start_if: ${condition}`),
  ),
  service('type: cron\n  interval: "$(EVERY:-0 3 * * *)"'),
  ...['root', '33', '"0"', '"$(WHO:-root)"', ''].map((uid) => service(`uid: ${uid}`)),
  service('env_set: { A: 1, B: true, C: 080, D: , E: "$(F)", "with space": x }'),
  service('env_set:'),
  service('env_inherit: [PATH, "LC_*"]'),
  service('env_unset: "A,B"'),
  'a.service: { command: 5 }',
  'a.service: { command: "echo `date`", directory: /tmp, kill_mode: process, debug: on }',
  'x: &x',
  'settings: &s { debug: no }\n',
  'a.service: &a { command: "true", }\nb.service: { <<: *a, restart: yes, }\n',
  'A1b.service: { command: "true" }\n9.service: { command: "true" }\na.b.service: { command: "true" }\n',
  'x.logging: { selector: "*.info;[web].=err;/a.b/.*", stdout: yes, file: "/var/log/%Y.log" }\n',
  ...['262144', '"262144"', '256K', '16M', '"1g"', '2_000K', '0x40000'].map(
    (bytes) => `settings: { inspect: { max_size: ${bytes} } }\n`,
  ),
  'settings: { inspect: { journal: /var/log/journal, records: yes } }\n',
  'settings: { inspect: { journal: "$(X:+/x)" } }\n',
  'settings: { inspect: }\n',
  ...['false', 'yes', '/etc/sv', '[/etc/sv, /srv/sv]', '[]', ''].map(
    (value) => `settings: { compat: { runit: ${value} } }\n`,
  ),
  ...['1m', '1m30s', '500ms', '1.5h', '3d', '0s'].map((time) => service(`process_timeout: ${time}`)),
  ...['10', '-5', '"-20"', '"$(NICE:-3)"'].map((nice) => service(`nice: ${nice}`)),
  ...['022', '"0077"', '7', '0o27', '""'].map((umask) => service(`umask: ${umask}`)),
  ...['0', '"0-3"', '[0, "2-3"]', '"$(CPUS:-0)"', ''].map((cpus) => service(`cpu_affinity: ${cpus}`)),
  ...['[]', '[KILL]', 'NET_ADMIN', '"cap_kill, CHOWN"'].map((names) => service(`capabilities: ${names}`)),
  service('limits: { nofile: 1024:4096, core: 0, nproc: unlimited, as: 2G, stack: , cpu: "$(CPU:-30s)" }'),
  service('limits:'),
  service('supplementary_groups: [root, 5, "$(G:-6)"]'),
  service('oom_score_adjust: -1000\n  no_new_privileges: true'),
  'x-common: &c { restart: yes }\na.service: { <<: *c, command: x }\nx-anything: [1, [2]]\n',
  'settings: { env_set: { A: b }, uid: "$(WHO:-root)", shutdown_timeout: 0.5, idle_delay: 2 }\n',
].filter((text) => text !== 'x: &x');

/** Texts that both refuse. */
const bad = [
  ...['many', '-1/s', '1/w', '1.5/s'].map((rate) => service(`log_rate: ${rate}`)),
  service('stdout: stdout'),
  service('stdout: b.servce'),
  ...['1001', '-1', '[a b]', 'a b', '{ a: b }', '[[a]]', 'a/b'].map(template),
  'settings: { control: all }\n',
  'settings: { control: { alow: } }\n',
  'settings: { control: { allow: { root: all } } }\n',
  'settings: { control: { allow: { everybody: } } }\n',
  'settings: { control: { allow: { everybody: [] } } }\n',
  'settings: { control: { allow: { users: { root: status } } } }\n',
  'hello',
  '5',
  'setting: {}',
  'web: { command: x }',
  'web.servic: { command: x }',
  'WEB.service: { command: x }',
  'we b.service: { command: x }',
  'a,b.service: { command: x }',
  '.service: { command: x }',
  '[web.service]',
  '[nothing]',
  '[{ a: b }]',
  'a.service:\n',
  'a.service: {}',
  'a.service: { command: }',
  'a.service: { command: "" }',
  'a.service: { command: "  " }',
  'a.service: { command: [a, b] }',
  'a.service: text',
  'a.service: [command]',
  'settings: 5',
  'settings: [debug]',
  'x.logging: on',
  service('comand: x'),
  service('service_group: a'),
  'x.logging: { filter: "*.*" }',
  service('shutdown_timeout: 5'),
  'settings: { command: x }',
  'settings: { inspect: yes }',
  'settings: { inspect: [journal] }',
  ...['sv', '3', '{ path: /etc/sv }', '[sv]', '[[/etc/sv]]'].map(
    (value) => `settings: { compat: { runit: ${value} } }`,
  ),
  'settings: { inspect: { jornal: /x } }',
  'settings: { inspect: { journal: { a: b } } }',
  'settings: { inspect: { records: perhaps } }',
  ...['0', '262143', '-1', '16T', 'M', '1.5M', '"16 M"', 'true', '[1]'].map(
    (bytes) => `settings: { inspect: { max_size: ${bytes} } }`,
  ),
  ...['perhaps', '1', '0', 'on-failure:0', 'on-failure:x', 'never', 'maybe yes', '[]', '{}'].map((word) =>
    service(`restart: ${word}`),
  ),
  ...['0.5', '101', '-1', 'twice', 'true', '[2]'].map((number) =>
    service(`restart: true\n  restart_backoff: ${number}`),
  ),
  ...['1.5', '-0.1', 'some'].map((number) => service(`restart: true\n  restart_jitter: ${number}`)),
  ...['256', '-1', '{}', '[[1]]', '1.5'].map((ends) => service(`success_exit: ${ends}`)),
  ...['perhaps', '1', '[true]'].map((word) => service(`enabled: ${word}`)),
  ...['-1', 'soon', '1 m', '2w', '""', '"-0.5"', '1e400', '.inf', '[1]', 'true', '1e15', '"$(T)"'].map((number) =>
    service(`process_timeout: ${number}`),
  ),
  ...['-1', '1.5', 'many', '1e3x', 'true'].map((number) => service(`restart_limit: ${number}`)),
  ...['0', '65536', '-1', 'http', '80.5', '[80]'].map((port) => service(`type: inetd\n  port: ${port}`)),
  ...['SIGNOPE', '0', '65', '32', '"33"', 'SIGRTMIN+31', '15.5', 'true'].map((signal) =>
    service(`kill_signal: ${signal}`),
  ),
  ...['simple2', 'Simple', '5', '[simple]', '""', '"$(TYPE)"'].map((type) => service(`type: ${type}`)),
  ...['nowhere', 'true', '{}'].map((target) => service(`stdout: ${target}`)),
  service('kill_mode: all'),
  service('after: a b'),
  service('after: [a, [b]]'),
  service('after: { b.service: true }'),
  service('type: cron'),
  service('type: cron\n  interval: "@hourly"\n  overlap: often'),
  service('reload_signal: SIGNOPE'),
  ...['[]', '{}', 'yes', '{ file: [x] }', '{ file: x }', '{ env: "" }', '{ file: /x, env: X }', '{ files: /x }'].map(
    (condition) => service(`start_if: ${condition}`),
  ),
  service('type: cron\n  interval:'),
  service('type: inetd'),
  service('env_set: [A]'),
  service('env_set: text'),
  service('env_set: { A: [1] }'),
  service('env_set: { "A=B": 1 }'),
  service('env_set: { "": 1 }'),
  service('env_inherit: { A: 1 }'),
  service('env_unset: [[A]]'),
  ...['-1', '4294967295', '[0]', '{}'].map((uid) => service(`uid: ${uid}`)),
  ...['20', '-21', 'low', '[1]', '1.5'].map((nice) => service(`nice: ${nice}`)),
  ...['u=rwx', '"0888"', '-1', '[022]', '"01777"'].map((umask) => service(`umask: ${umask}`)),
  ...['{ a: b }', '[[0]]'].map((cpus) => service(`cpu_affinity: ${cpus}`)),
  service('limits: nofile'),
  service('limits: { nofile: [1] }'),
  service('oom_score_adjust: 1001'),
  'x.logging: { selector: [a] }',
  'x.logging: { file: { a: b } }',
  'x.logging: { stdout: log }',
];

/** Texts that only the loader refuses, and why the schema cannot. */
const beyondSchema: readonly (readonly [string, string])[] = [
  ['settings: { control: { allow: { users: { nobody-of-that-name: all } } } }\n', 'accounts'],
  [service('after: NOBODY'), 'reserved names'],
  [service('service_groups: NOBODY'), 'reserved names'],
  [service('after: a.service'), 'a cycle'],
  [service('uid: nobody-of-that-name'), 'accounts'],
  [service('limits: { nofiles: 1 }'), 'names of limits, which may be of any case'],
  [service('limits: { nofile: 2:1 }'), 'what a limit says'],
  [service('umask: 0888'), 'octal digits of a number'],
  [service('capabilities: [KIL]'), 'names of capabilities'],
  [service('cpu_affinity: one'), 'what a list of processors says'],
  [service('gid: 5'), 'a gid without a uid, which may stand in another file'],
  [service('type: cron\n  interval: "61 * * * *"'), 'what a schedule says'],
  [service('type: cron\n  interval: "@hourly"\n  timezone: Nowhere/Else'), 'time zones'],
  [service('overlap: queue'), 'which directive fits which type'],
  ['x.logging: { selector: "nothing" }', 'what a selector says'],
  ['a.service: { command: "sh -c \'open" }', 'quotes in a command'],
  [service('process_timeout: "1:30"'), 'quotes around a number to the base of 60'],
  [service('restart_limit: 5.0'), 'a whole number with a point'],
  [service('success_exit: SIGNOPE'), 'the names of all signals'],
  [service('success_exit: 3, 300'), 'numbers in a list'],
  [service('restart_window: 5m'), 'directives that need another one'],
  [service('directory: "$(X:?no X)"'), 'variables'],
  ['settings: { metrics: { listen: "localhost:9101" } }', 'addresses, which variables may make'],
  ['settings: { inspect: { journal: here } }', 'absolute paths, which variables may make'],
  ['settings: { inspect: { max_size: 65G } }', 'sums'],
  ['settings: { inspect: { max_size: 255K } }', 'sums'],
  ['É.service: { command: x }', 'upper case beyond ASCII'],
];

describe('the JSON Schema and the loader', () => {
  it.each(good.map((text) => [text]))('take %j', (text) => {
    expect(schemaTakes(text), JSON.stringify(validate.errors)).toBe(true);
    expect(renderErrors(loadText(text).diagnostics)).toBe('');
    // The types of YAML 1.1 are those of the loader.
    expect(schemaTakes(text, '1.1'), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each(bad.map((text) => [text]))('refuse %j', (text) => {
    expect(loaderTakes(text)).toBe(false);
    expect(schemaTakes(text)).toBe(false);
  });

  it.each(beyondSchema)('differ in %j: %s', (text) => {
    expect(loaderTakes(text)).toBe(false);
    expect(schemaTakes(text), JSON.stringify(validate.errors)).toBe(true);
  });

  it('know the same signals', () => {
    const words = fc.oneof(
      fc.integer({ min: 0, max: 70 }).map(String),
      fc.integer({ min: 0, max: 40 }).map((number) => `SIGRTMIN+${number}`),
      fc.constantFrom(
        'TERM',
        'sigTerm',
        'CLD',
        'SIGIO',
        'rtmin',
        'sigrtmin+03',
        'RTMAX',
        'SIG',
        'SIGSIGTERM',
        'RTMIN+',
      ),
    );
    fc.assert(
      fc.property(words, (word) => {
        expect(schemaTakes(service(`kill_signal: "${word}"`)), word).toBe(parseSignal(word) !== undefined);
      }),
    );
  });

  it('agree on any scalar of any directive, so far as the schema refuses it', () => {
    const keys = [...directives.service.keys()].filter((key) => key !== 'command');
    const scalars = fc.oneof(
      fc.constantFrom('yes', '~', 'null', '-1', '0', '1', '0x', '1.', '1e3', 'log', 'TERM', '$(A)', `\${A:-5}`, '1:30'),
      fc.integer({ min: -5, max: 70_000 }).map(String),
      fc.integer({ min: -10_000, max: 1_000_000 }).map((number) => String(number / 1000)),
      fc.string({ maxLength: 6 }).map((string) => JSON.stringify(string)),
    );
    fc.assert(
      fc.property(fc.constantFrom(...keys), scalars, (key, value) => {
        // What its type has no use for is not looked at.
        const type = key === 'interval' ? 'type: cron\n  ' : key === 'port' ? 'type: inetd\n  ' : '';
        const text = service(`${type}${key}: ${value}`);
        // The loader takes underscores anywhere in a number, YAML 1.1 and the schema only behind a digit.
        fc.pre(!/[\0\ufffd\t]|: .*_/.test(text));
        if (!schemaTakes(text)) expect(loaderTakes(text), text).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});
