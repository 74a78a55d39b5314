import type { Probe, ProbeCheck } from '../../src/model/service/probe.ts';
import type { LoggingSpec, ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';

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
    onFailure: 'keep',
    remainAfterExit: changes.type === 'oneshot',
    killMode: 'group',
    debug: false,
    ...changes,
  };
}

/** A system with every default of the reference. */
export function systemSpec(services: readonly ServiceSpec[], changes: Partial<SystemSpec> = {}): SystemSpec {
  return {
    services,
    logging: [],
    idleDelay: 1_000,
    shutdownTimeout: 8_000,
    detectExit: true,
    enableSyslog: true,
    logSocket: '/dev/log',
    maxLine: 65_536,
    statusInterval: 30_000,
    journal: { maxSize: 16 * 1024 * 1024, records: false },
    control: { owners: [], grants: [] },
    fileCount: 1,
    ...changes,
  };
}

export function loggingSpec(changes: Partial<LoggingSpec> = {}): LoggingSpec {
  return {
    name: 'console.logging',
    selector: '*.*',
    enabled: true,
    stdout: true,
    stderr: false,
    overwrite: false,
    extended: false,
    ...changes,
  };
}

/** A probe that is tried ten times a second, and whose first failure counts. */
export function probeSpec(check: ProbeCheck, changes: Partial<Probe> = {}): Probe {
  const times = { interval: 100, longest: 100, timeout: 1_000 };
  return { kind: 'probe', check, ...times, retries: 1, startPeriod: 0, ...changes };
}
