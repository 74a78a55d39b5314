import { expect, it } from 'vitest';
import { besideSpec } from '../../../src/model/service/beside.ts';
import { ownsRemains } from '../../../src/model/service/service-spec.ts';
import { serviceSpec } from '../specs.ts';

it('a command beside a service has its account and its environment, and nothing of how it is followed', () => {
  const environment = { A: '1' };
  const service = serviceSpec({
    ...{ type: 'forking', pidfile: '/run/web.pid', watchdog: 5, successExit: [], environment, directory: '/srv' },
    ...{ stdin: 'inherit', killMode: 'process', ownGroup: false, exitKills: true, debug: true },
    hooks: { commands: {}, afterStopTimeout: 1 },
  });
  expect(besideSpec(service, { command: 'check it', argv: ['check', 'it'] })).toStrictEqual(
    serviceSpec({
      remainAfterExit: service.remainAfterExit,
      command: 'check it',
      argv: ['check', 'it'],
      environment,
      directory: '/srv',
    }),
  );
});

it('what a start leaves behind belongs to a service of which it is the purpose, unless it is told to be left alone', () => {
  const owns = (changes: Parameters<typeof serviceSpec>[0]): boolean => ownsRemains(serviceSpec(changes));
  expect([owns({ type: 'forking' }), owns({ type: 'notify' }), owns({ pidfile: '/run/x' })]).toEqual([
    true,
    true,
    true,
  ]);
  expect([owns({}), owns({ type: 'oneshot' }), owns({ type: 'cron' })]).toEqual([false, false, false]);
  expect([owns({ type: 'forking', killMode: 'process' }), owns({ killMode: 'process' })]).toEqual([false, false]);
});
