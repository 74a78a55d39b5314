import { describe, expect, it } from 'vitest';
import type { Scale } from '../../src/model/service/template.ts';
import { errorsOf, loadFiles, serviceOf, specOf, warningsOf } from './loading.ts';

const worker = (instances: string, more = ''): string =>
  `worker@.service:\n  command: work $(_CHAP_SERVICE_INSTANCE)\n  instances: ${instances}\n${more}`;

const namesOf = (text: string, context: Parameters<typeof specOf>[1] = {}): readonly string[] =>
  specOf(text, context).services.map(({ name }) => name);

describe('a template', () => {
  it('stands for as many services as it has instances', () => {
    expect(namesOf(worker('3'))).toEqual(['worker@1.service', 'worker@2.service', 'worker@3.service']);
    expect(namesOf(worker('0-1'))).toEqual(['worker@0.service', 'worker@1.service']);
    expect(namesOf(worker('[mail, web]'))).toEqual(['worker@mail.service', 'worker@web.service']);
    expect(namesOf(`${worker('0')}\nweb.service: { command: x }\n`)).toEqual(['web.service']);
  });

  it('takes their number from a variable', () => {
    const environment = { WORKERS: '2', NAMES: 'a,b' };
    expect(namesOf(worker('"$(WORKERS)"'), { environment })).toHaveLength(2);
    expect(namesOf(worker('"$(NAMES)"'), { environment })).toEqual(['worker@a.service', 'worker@b.service']);
    expect(namesOf(worker('["x$(WORKERS)", y]'), { environment })).toEqual(['worker@x2.service', 'worker@y.service']);
    expect(namesOf(worker('"$(NONE:-4)"'))).toHaveLength(4);
    expect(errorsOf(worker('"$(NONE:+4)"'))).toContain('instances of worker@.service expands to nothing');
  });

  it('waits for the output of a command that tells the number', () => {
    const loaded = loadFiles({ 'x.conf': worker('"$(`nproc`)"') });
    expect(loaded.commands.map(({ command }) => command)).toEqual(['nproc']);
    const outputs = new Map([['\0nproc', '2']]);
    expect(namesOf(worker('"$(`nproc`)"'), { outputs })).toHaveLength(2);
  });

  it('tells each service which instance it is', () => {
    const text = worker(
      '2',
      '  env_set: { ME: "i$(_CHAP_SERVICE_INSTANCE)" }\n  directory: /srv/$(_CHAP_SERVICE_INSTANCE)\n',
    );
    expect(serviceOf(text, {}, 'worker@2.service')).toMatchObject({
      command: 'work 2',
      directory: '/srv/2',
      environment: { ME: 'i2' },
    });
  });

  it('gives each inetd service a port of its own', () => {
    const inetd = (port: string): string => worker('2', `  type: inetd\n  port: ${port}\n`);
    expect(specOf(inetd('"808$(_CHAP_SERVICE_INSTANCE)"')).services.map(({ port }) => port)).toEqual([8081, 8082]);
    const errors = errorsOf(inetd('8080'));
    expect(errors).toContain('instances of worker@.service have the same port: 8080');
    expect(errors).toContain('"80$(_CHAP_SERVICE_INSTANCE)"');
  });

  it('is replaced by a section of one instance', () => {
    const text = `${worker('2')}\nworker@2.service: { command: other $(_CHAP_SERVICE_INSTANCE) }\n`;
    expect(specOf(text).services.map(({ name, command }) => `${name} ${command}`)).toEqual([
      'worker@1.service work 1',
      'worker@2.service other 2',
    ]);
  });

  it('tells of the section of an instance that is none', () => {
    const text = `${worker('2')}\nworker@3.service: { command: other }\n`;
    expect(namesOf(text)).toEqual(['worker@1.service', 'worker@2.service']);
    expect(warningsOf(text)).toContain(
      'worker@3.service has no effect: it is none of the instances of worker@.service',
    );
    expect(namesOf('worker@3.service: { command: alone }')).toEqual(['worker@3.service']);
  });
});

describe('the name of a template', () => {
  const waits = (text: string, name: string): readonly string[] => serviceOf(text, {}, name).prerequisites;

  it('means all instances in after and before', () => {
    expect(waits(`${worker('2')}\nweb.service: { command: x, after: worker@.service }\n`, 'web.service')).toEqual([
      'worker@1.service',
      'worker@2.service',
    ]);
    const before = `${worker('2')}\ndb.service: { command: x, before: worker@.service }\n`;
    expect(waits(before, 'worker@1.service')).toEqual(['db.service']);
    expect(waits(before, 'worker@2.service')).toEqual(['db.service']);
    expect(waits(`${worker('2')}\nweb.service: { command: x, after: worker@2.service }\n`, 'web.service')).toEqual([
      'worker@2.service',
    ]);
  });

  it('means nobody where there are no instances', () => {
    const text = `${worker('0')}\nweb.service: { command: x, after: worker@.service }\n`;
    expect(waits(text, 'web.service')).toEqual([]);
    expect(warningsOf(text)).toBe('');
  });

  it('puts all instances into its groups', () => {
    const text = `${worker('2', '  service_groups: crew\n')}\nweb.service: { command: x, after: crew }\n`;
    expect(waits(text, 'web.service')).toEqual(['worker@1.service', 'worker@2.service']);
  });

  it('of an instance that is none is told', () => {
    const warnings = warningsOf(`${worker('2')}\nweb.service: { command: x, after: worker@7.service }\n`);
    expect(warnings).toContain('after of web.service names "worker@7.service", which is not declared');
    expect(warnings).toContain('it is none of the instances of worker@.service');
  });

  it('closes a circle', () => {
    expect(
      errorsOf(`${worker('2', '  after: web.service\n')}\nweb.service: { command: x, after: worker@.service }\n`),
    ).toContain('waits for itself');
  });
});

describe('a mistake', () => {
  it('in the number of instances is told once', () => {
    expect(errorsOf(worker('100000'))).toBe(`chaperone: 1 mistake in the configuration, nothing was started

chaperone.d/x.conf:3:14: instances of worker@.service makes too many services: 100000 [out-of-range]
    3 |   instances: 100000
      |              ^^^^^^ expected at most 1000 instances
`);
    expect(errorsOf(worker('3-1'))).toContain('instances of worker@.service begins behind its end: "3-1"');
    expect(errorsOf(worker('[a b]'))).toContain('holds "a b", which is no name of an instance');
    expect(errorsOf(worker('{ a: b }'))).toContain('instances of worker@.service is a map');
    expect(errorsOf(worker('[[a]]'))).toContain('instances of worker@.service holds a list');
    expect(errorsOf('worker@.service: { command: x }')).toContain('worker@.service is a template and has no instances');
    expect(errorsOf('worker.service: { command: x, instances: 3 }')).toContain('expected the name "worker@.service"');
  });

  it('of all instances is told once', () => {
    expect(errorsOf(worker('500', '  directory: "$(NO:?no place)"\n'))).toContain('1 mistake in');
    expect(errorsOf('worker@.service: { instances: 9 }')).toContain('1 mistake in');
  });
});

describe('a number that was asked for by hand', () => {
  const scaled = (count: number, configured: Scale['configured']) => ({
    scales: new Map([['worker@.service', { count, configured }]]),
  });

  it('holds until the files say something else', () => {
    const two = { kind: 'numbers', first: 1, count: 2 } as const;
    expect(namesOf(worker('2'), scaled(3, two))).toHaveLength(3);
    expect(namesOf(worker('1-2'), scaled(0, two))).toEqual([]);
    expect(specOf(worker('2'), scaled(3, two)).templates).toEqual([
      { name: 'worker@.service', configured: two, scaled: 3 },
    ]);
    expect(namesOf(worker('4'), scaled(3, two))).toHaveLength(4);
    expect(specOf(worker('4'), scaled(3, two)).templates?.[0]?.scaled).toBeUndefined();
    expect(namesOf(worker('[a, b]'), scaled(3, two))).toEqual(['worker@a.service', 'worker@b.service']);
  });
});
