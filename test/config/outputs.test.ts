import { describe, expect, it } from 'vitest';
import { describeOutputs, describeRate, parseRate } from '../../src/model/service/output.ts';
import { errorsOf, serviceOf, specOf, warningsOf } from './loading.ts';

const logger = 'logger.service: { command: svlogd /var/log }\n';
const web = (more: string): string => `web.service: { command: x, ${more} }\n`;

describe('the output of a service', () => {
  it('goes to the standard input of another, which starts before it', () => {
    const text = `${web('stdout: logger.service, stderr: stdout')}${logger}`;
    expect(serviceOf(text, {}, 'web.service')).toMatchObject({
      stdout: 'logger.service',
      stderr: 'stdout',
      prerequisites: ['logger.service'],
      stdin: 'null',
    });
    expect(serviceOf(text, {}, 'logger.service')).toMatchObject({ stdin: 'pipe', stdout: 'log', prerequisites: [] });
  });

  it('may come from many, and from one stream alone', () => {
    const text = `${web('stderr: logger.service')}two.service: { command: y, stdout: logger.service }\n${logger}`;
    expect(serviceOf(text, {}, 'web.service')).toMatchObject({ stdout: 'log', stderr: 'logger.service' });
    expect(serviceOf(text, {}, 'two.service')).toMatchObject({ stdout: 'logger.service', stderr: 'log' });
  });

  it('goes where variables say, for each instance by itself', () => {
    const text =
      'web@.service: { command: x, instances: 2, stdout: "log@$(_CHAP_SERVICE_INSTANCE).service" }\n' +
      'log@.service: { command: y, instances: 2 }\n' +
      web('stdout: "$(WHERE:-log)"');
    const { services } = specOf(text);
    expect(services.map(({ name, stdout }) => `${name} ${stdout}`)).toEqual([
      'web@1.service log@1.service',
      'web@2.service log@2.service',
      'log@1.service log',
      'log@2.service log',
      'web.service log',
    ]);
    expect(serviceOf(text, { environment: { WHERE: 'log@2.service' } }, 'web.service').stdout).toBe('log@2.service');
  });

  it('goes into one entry alone, which takes others only by a selector of its own', () => {
    const text = `${web('stdout: audit.logging, stderr: both.logging')}audit.logging: { stdout: true }\nboth.logging: { stderr: true, selector: "*.err" }\n`;
    const { logging } = specOf(text);
    expect(logging.map(({ name, namedOnly, selector }) => [name, namedOnly, selector])).toEqual([
      ['audit.logging', true, '*.*'],
      ['both.logging', undefined, '*.err'],
    ]);
    // Everything else is shown as without any entry, where no entry takes it.
    expect(specOf(`${web('stdout: a.logging')}a.logging: { file: /a }\n`).logging.map(({ name }) => name)).toEqual([
      'a.logging',
      'default.logging',
    ]);
    expect(specOf(`${web('stdout: log')}a.logging: { file: /a }\n`).logging).toHaveLength(1);
  });

  it('cannot go to what does not exist', () => {
    expect(errorsOf(`${web('stdout: loger.service')}${logger}`)).toContain(
      'stdout of web.service names "loger.service", which is not declared [unknown-service]',
    );
    expect(errorsOf(`${web('stdout: loger.service')}${logger}`)).toContain('did you mean "logger.service"?');
    expect(errorsOf(`${web('stderr: audt.logging')}audit.logging: { stdout: true }\n`)).toContain(
      'did you mean "audit.logging"?',
    );
    expect(errorsOf(web('stdout: a.logging'))).toContain('[unknown-entry]');
    expect(errorsOf(web('stdout: inhert'))).toContain('did you mean "inherit"?');
    expect(errorsOf(web('stdout: logger'))).toContain('expected log, inherit, NAME.service or NAME.logging');
    expect(errorsOf(`${web('stdout: log@7.service')}log@.service: { command: y, instances: 2 }\n`)).toContain(
      'it is none of the instances of log@.service',
    );
  });

  it('cannot go to a service that reads nothing, or to many', () => {
    expect(errorsOf(`${web('stdout: job.service')}job.service: { command: y, type: oneshot }\n`)).toContain(
      'stdout of web.service names job.service, which cannot read it: its type is oneshot',
    );
    expect(errorsOf(`${web('stdout: log@.service')}log@.service: { command: y, instances: 2 }\n`)).toContain(
      'only one service can read it',
    );
    expect(errorsOf(`${web('type: inetd, port: 80, stdout: logger.service')}${logger}`)).toContain(
      'stdout of web.service has no effect: the connection is the output of an inetd service',
    );
    expect(
      serviceOf(`${web('type: inetd, port: 80, stderr: logger.service')}${logger}`, {}, 'web.service').stderr,
    ).toBe('logger.service');
  });

  it('cannot go round in a circle', () => {
    expect(errorsOf(web('stdout: web.service'))).toContain('web.service waits for itself: web → web');
    const errors = errorsOf(`${web('stdout: two.service')}two.service: { command: y, stdout: web.service }\n`);
    expect(errors).toContain('[dependency-cycle]');
    expect(errors).toContain('stdout: ');
    expect(errorsOf(`${web('stdout: logger.service, before: logger.service')}${logger}`)).toContain(
      '[dependency-cycle]',
    );
  });

  it('to a service or an entry that is disabled is told', () => {
    expect(warningsOf(`${web('stdout: logger.service')}logger.service: { command: y, enabled: false }\n`)).toContain(
      'stdout of web.service goes to logger.service, which is disabled: its lines go into the log',
    );
    expect(warningsOf(`${web('stderr: a.logging')}a.logging: { stdout: true, enabled: false }\n`)).toContain(
      'stderr of web.service goes to a.logging, which is disabled: its lines go nowhere',
    );
    expect(
      warningsOf(`${web('stdout: logger.service, enabled: false')}logger.service: { command: y, enabled: no }\n`),
    ).toBe('');
  });

  it('is told in words', () => {
    expect(describeOutputs({ stdout: 'log', stderr: 'log' })).toBeUndefined();
    expect(describeOutputs({ stdout: 'log', stderr: 'stdout' })).toBeUndefined();
    expect(describeOutputs({ stdout: 'a.service', stderr: 'log' })).toBe('stdout goes to a.service');
    expect(describeOutputs({ stdout: 'a.service', stderr: 'stdout' })).toBe('stdout and stderr go to a.service');
    expect(describeOutputs({ stdout: 'log', stderr: 'a.logging' })).toBe('stderr goes to a.logging');
    expect(describeOutputs({ stdout: 'inherit', stderr: 'a.logging' })).toBe(
      "stdout goes to chaperone's own, stderr to a.logging",
    );
  });
});

describe('log_rate', () => {
  it('is a number of lines in a time', () => {
    expect(serviceOf(web('log_rate: 1000/s')).logRate).toEqual({ lines: 1000, per: 1000 });
    expect(serviceOf(web('log_rate: "$(RATE:-5/m)"')).logRate).toEqual({ lines: 5, per: 60_000 });
    expect(serviceOf(web('stdout: log')).logRate).toBeUndefined();
    expect(
      ['100', '10/h', '7 / 500ms', '3/2s'].map((text) => describeRate(parseRate(text) ?? { lines: 0, per: 0 })),
    ).toEqual(['100/s', '10/h', '7/500ms', '3/2000ms']);
  });

  it.each(['0/s', '-1/s', 'many', '10/', '10/w', '10/0s', '1.5/s'])('is not %s', (rate) => {
    expect(errorsOf(web(`log_rate: "${rate}"`))).toContain(
      `log_rate of web.service is no rate: "${rate}" [not-a-rate]`,
    );
  });

  it('is told where no line of the service is logged', () => {
    const text = `${web('log_rate: 5/s, stdout: logger.service, stderr: stdout')}${logger}`;
    expect(warningsOf(text)).toContain('log_rate of web.service has no effect: none of its lines go into the log');
    expect(warningsOf(web('log_rate: 5/s, stdout: inherit'))).toBe('');
  });
});
