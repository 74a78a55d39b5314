import { describe, expect, it } from 'vitest';
import { renderWarnings } from '../../src/config/render-diagnostics.ts';
import { hookWords } from '../../src/model/service/hook.ts';
import { resultVariables } from '../../src/model/service/hook-result.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { type ImageFile, loadImage } from './memory-image.ts';

const program = '#!/bin/sh\nexec sleep 1d\n';

/** The services of an image, without any warning. */
function servicesOf(files: Readonly<Record<string, ImageFile>>): readonly ServiceSpec[] {
  const { spec, diagnostics } = loadImage(files);
  expect(diagnostics).toEqual([]);
  return spec?.services ?? [];
}

function warningsOf(files: Readonly<Record<string, ImageFile>>): readonly string[] {
  const { spec, diagnostics } = loadImage({ '/etc/service/fine/run': program, ...files });
  expect(spec?.services.map(({ name }) => name)).toEqual(['fine.service']);
  return diagnostics.map(({ message }) => message);
}

describe('folders of runit', () => {
  it('become services that are restarted always, a second after their end', () => {
    const { spec, diagnostics } = loadImage({ '/etc/service/web/run': program });
    expect(diagnostics).toEqual([]);
    expect(spec?.services).toEqual([
      expect.objectContaining({
        name: 'web.service',
        type: 'simple',
        argv: ['./run'],
        directory: '/etc/service/web',
        enabled: true,
        restart: true,
        restartDelay: 1000,
        restartLimit: Number.POSITIVE_INFINITY,
        restartPolicy: expect.objectContaining({ always: true, startFailure: true }),
        startupPause: 0,
        killMode: 'process',
        stdout: 'log',
        stderr: 'log',
      }),
    ]);
    // runsvdir stays, too, and looks for further folders.
    expect(spec).toMatchObject({ detectExit: false, watched: ['/etc/service'] });
  });

  it('leave detect_exit to whoever writes it down', () => {
    const files = { '/etc/service/web/run': program, '/etc/chaperone.d/x.conf': 'settings: { detect_exit: true }\n' };
    expect(loadImage(files).spec?.detectExit).toBe(true);
  });

  it.each<[string, Record<string, ImageFile>, object]>([
    ['down: it is not started', { down: '' }, { enabled: false }],
    ['env: its files are variables', { 'env/NAME': 'value\n' }, { values: { envDir: '/etc/service/web/env' } }],
    ['an env that is a file: nothing', { env: 'NAME=value' }, { enabled: true }],
    [
      'check: it is ready when that exits with 0',
      { check: program },
      {
        ready: { kind: 'probe', check: { kind: 'command', argv: ['./check'] }, timeout: 7_000 },
        processTimeout: 1_728_000_000,
      },
    ],
    ['a check that is no program: nothing', { check: 'text' }, { processTimeout: 30_000 }],
    [
      'control/u: it runs before',
      { 'control/u': program },
      { hooks: expect.objectContaining({ commands: { before_start: [{ command: './control/u', mayFail: true }] } }) },
    ],
    ['other controls: nothing at a start or a stop', { 'control/h': program }, { killSignal: 'SIGTERM' }],
  ])('%s', (_, beside, expected) => {
    const inside = Object.entries(beside).map(([name, file]) => [`/etc/service/web/${name}`, file]);
    expect(servicesOf({ '/etc/service/web/run': program, ...Object.fromEntries(inside) })).toMatchObject([expected]);
  });

  it('tell finish how run has ended, as runsv does', () => {
    const [service] = servicesOf({ '/etc/service/web/run': program, '/etc/service/web/finish': program });
    const [hook] = service?.hooks?.commands.after_stop ?? [];
    if (hook === undefined) throw new Error('there is no hook');
    const wordsFor = (status: Parameters<typeof resultVariables>[0]['status']): readonly string[] => {
      const words = hookWords(hook, resultVariables({ cause: undefined, status, overdue: false }));
      return words.ok ? words.argv : [words.problem];
    };
    expect(wordsFor({ kind: 'exited', code: 0 })).toEqual(['./finish', '0', '0']);
    expect(wordsFor({ kind: 'exited', code: 3 })).toEqual(['./finish', '3', '0']);
    expect(wordsFor({ kind: 'signaled', signal: 'SIGTERM', coreDumped: false })).toEqual(['./finish', '-1', '15']);
    expect(wordsFor({ kind: 'signaled', signal: 'SIGSEGV', coreDumped: true })).toEqual(['./finish', '-1', '139']);
    expect(wordsFor(undefined)).toEqual(['./finish', '111', '0']);
  });

  it('write to the service of their log', () => {
    const services = servicesOf({
      '/etc/service/web/run': program,
      '/etc/service/web/log/run': program,
      '/etc/service/web/log/finish': program,
    });
    expect(services).toMatchObject([
      { name: 'web.log.service', directory: '/etc/service/web/log', stdin: 'pipe', hooks: {} },
      { name: 'web.service', stdout: 'web.log.service', stderr: 'log' },
    ]);
  });

  it('write to the log where log holds no program', () => {
    const { spec, diagnostics } = loadImage({
      '/etc/service/web/run': program,
      '/etc/service/web/log/main/current': '',
    });
    expect(spec?.services).toMatchObject([{ name: 'web.service', stdout: 'log' }]);
    expect(diagnostics.map(({ message }) => message)).toEqual([
      '"/etc/service/web/log/run" is not read: there is no such file',
    ]);
  });

  it.each<[string, Record<string, ImageFile>, readonly string[]]>([
    ['run is text', { '/etc/service/x/run': 'text' }, ['"/etc/service/x/run" is not read: it is not executable']],
    ['run is a folder', { '/etc/service/x/run/y': '' }, ['"/etc/service/x/run" is not read: it is no regular file']],
    ['there is no run', { '/etc/service/x/': '' }, ['"/etc/service/x/run" is not read: there is no such file']],
    [
      'links lead in a circle',
      { '/etc/service/x/run': { error: 'ELOOP' } },
      ['"/etc/service/x/run" is not read: its links lead in a circle'],
    ],
    [
      'the folder may not be read',
      { '/etc/service/x/': { error: 'EACCES' } },
      ['"/etc/service/x" is not read: permission denied'],
    ],
    ['its name begins with a dot', { '/etc/service/.x/run': program }, []],
    ['it is a file', { '/etc/service/README': 'text' }, []],
  ])('are left out where %s', (_, files, expected) => {
    expect(warningsOf(files)).toEqual(expected);
  });

  it('have names that a configuration can have', () => {
    const names = ['NGINX', 'two words', 'a,b', 'worker@', 'getty@tty1', 'x.y'];
    const files = Object.fromEntries(names.map((name) => [`/etc/service/${name}/run`, program]));
    expect(servicesOf(files).map(({ name, directory }) => [name, directory])).toEqual([
      ['nginx.service', '/etc/service/NGINX'],
      ['a_b.service', '/etc/service/a,b'],
      ['getty@tty1.service', '/etc/service/getty@tty1'],
      ['two_words.service', '/etc/service/two words'],
      ['worker_.service', '/etc/service/worker@'],
      ['x.y.service', '/etc/service/x.y'],
    ]);
  });

  it('keep what looks like a variable in a name', () => {
    const [service] = servicesOf({ [`/etc/service/$(HOME)\${X}/run`]: program });
    expect(service?.directory).toBe(`/etc/service/$(HOME)\${X}`);
  });

  it('are replaced by a section of the same name, and by a folder that is read later', () => {
    const section = loadImage({
      '/etc/service/web/run': program,
      '/etc/chaperone.d/x.conf': 'web.service: { command: httpd }\n',
    });
    expect(section.spec?.services).toMatchObject([{ name: 'web.service', argv: ['httpd'], restart: false }]);
    const { spec, diagnostics } = loadImage({
      '/etc/service/web/run': program,
      '/srv/web/run': program,
      '/etc/chaperone.d/x.conf': 'settings: { compat: { runit: [/etc/service, /srv] } }\n',
    });
    expect(spec?.services).toMatchObject([{ name: 'web.service', directory: '/srv/web' }]);
    expect(renderWarnings(diagnostics)).toContain(
      '"/etc/service/web/run" is not read: web.service is made of "/srv/web/run"',
    );
  });
});
