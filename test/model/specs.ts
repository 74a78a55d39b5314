import type { ServiceSpec } from '../../src/model/service-spec.ts';

export function serviceSpec(changes: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name: 'web.service',
    type: 'simple',
    command: '/bin/web --port 80',
    argv: ['/bin/web', '--port', '80'],
    enabled: true,
    prerequisites: [],
    groups: ['default'],
    environment: {},
    stdin: 'null',
    stdout: 'log',
    stderr: 'log',
    killSignal: 'SIGTERM',
    ownGroup: true,
    exitKills: false,
    ignoreFailures: false,
    optional: false,
    processTimeout: 30_000,
    startupPause: 500,
    restart: false,
    restartDelay: 3_000,
    restartLimit: 5,
    ...changes,
  };
}
