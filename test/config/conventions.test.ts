import { describe, expect, it } from 'vitest';
import { type ConventionPlace, conventionPlaces } from '../../src/config/convention-places.ts';
import { conventions } from '../../src/config/convention-table.ts';
import { mergeSections } from '../../src/config/merge.ts';
import { parseYaml } from '../../src/config/parse-yaml.ts';
import { createReport } from '../../src/config/report.ts';
import { createSource } from '../../src/config/source.ts';
import { emptySection, readSections } from '../../src/config/validate.ts';
import { errorsOf, loadText } from './loading.ts';

const all = conventions.flatMap(({ paths }) => paths);

/** Where conventions are looked for, and where they are, with these settings. */
function placesOf(compat: string, existing: readonly string[] = all) {
  const report = createReport();
  const roots = parseYaml(createSource('x.conf', `settings: { compat: ${compat} }\n`), report) ?? [];
  const { settings = emptySection('settings', 'settings') } = mergeSections([readSections(roots, report)]);
  expect(report.finish([])).toEqual([]);
  const looked: string[] = [];
  const places = conventionPlaces(settings, (path) => {
    looked.push(path);
    return existing.includes(path);
  });
  return { looked, places: Object.fromEntries(places.map(({ name, paths }) => [name, paths])) };
}

describe('compat of the settings', () => {
  it('leaves everything on that exists, but crontab and sshd', () => {
    const { looked, places } = placesOf('');
    const usual = conventions.filter(({ name }) => name !== 'crontab' && name !== 'sshd');
    expect(Object.keys(places)).toEqual(usual.map(({ name }) => name));
    expect(looked).toEqual(usual.flatMap(({ paths }) => paths));
    expect(placesOf('', ['/etc/rc.local', '/etc/service']).places).toEqual({
      my_init: ['/etc/rc.local'],
      runit: ['/etc/service'],
    });
  });

  it.each<[string, string, Record<string, readonly string[]>]>([
    ['false turns one off, and nobody looks', '{ runit: false }', {}],
    ['an empty list turns one off', '{ runit: [] }', {}],
    ['true means the usual paths', '{ runit: yes }', { runit: ['/etc/service'] }],
    ['a path stands in place of the usual ones', '{ runit: /srv/sv }', { runit: ['/srv/sv'] }],
    ['so does a list', '{ runit: [/srv/sv, /none, /etc/service] }', { runit: ['/srv/sv', '/etc/service'] }],
    ['a path turns on what is off', '{ runit: off, crontab: /etc/crontab }', { crontab: ['/etc/crontab'] }],
    ['true turns on what is off', '{ runit: off, crontab: true }', { crontab: ['/etc/crontab'] }],
  ])('%s', (_, compat, expected) => {
    const { looked, places } = placesOf(compat, ['/etc/service', '/srv/sv', '/etc/crontab']);
    expect(places).toEqual(expected);
    if (!Object.hasOwn(expected, 'runit')) expect(looked).not.toContain('/etc/service');
  });

  it.each([
    ['{ runit: sv }', 'runit of compat is "sv", which is no absolute path'],
    ['{ runit: [/etc/sv, [a]] }', 'runit of compat holds a list'],
    ['{ runit: { path: /etc/sv } }', 'runit of compat is a map'],
    ['{ runitt: true }', 'unknown key "runitt" in compat'],
    ['true', 'compat is "true" and not a map of directives'],
  ])('refuses %s', (compat, message) => {
    expect(errorsOf(`settings: { compat: ${compat} }\n`)).toContain(message);
  });

  it('asks for the readers only where something stands', () => {
    const read = (): never => {
      throw new Error('nothing is to be read');
    };
    const context = { conventions: { exists: () => false, read } };
    expect(loadText('a.service: { command: "true" }\n', context).needsConventions).toBeUndefined();
    const found = { conventions: { exists: (path: string) => path === '/etc/service' } };
    expect(loadText('a.service: { command: "true" }\n', found)).toEqual({
      diagnostics: [],
      commands: [],
      needsConventions: true,
    });
  });

  it('passes the places on, and takes sections, variables and diagnostics from the readers', () => {
    const asked: (readonly ConventionPlace[])[] = [];
    const { spec, diagnostics } = loadText('a.service: { command: "echo $(X)" }\n', {
      environment: { X: 'outer', Y: 'outer' },
      conventions: {
        exists: (path) => path === '/etc/service',
        read: (places, report) => {
          asked.push(places);
          report.warning('not-read', 'something is told', undefined);
          const roots = parseYaml(
            createSource('made', 'a.service: { command: b }\nb.service: { command: "$(X)" }\n'),
            report,
          );
          return { roots: roots ?? [], environment: { X: '$(Y)' }, watched: [], files: [] };
        },
      },
    });
    expect(asked).toEqual([[{ name: 'runit', paths: ['/etc/service'] }]]);
    expect(diagnostics.map(({ message }) => message)).toEqual([
      'something is told',
      expect.stringContaining('the inherited variable X'),
    ]);
    // A section of a file replaces one of the readers; a variable of the readers is data.
    expect(spec?.services.map(({ name, argv }) => [name, argv])).toEqual([
      ['a.service', ['echo', '$(Y)']],
      ['b.service', ['$(Y)']],
    ]);
  });
});
