import type { ServiceSpec, ServiceType } from '../../src/model/service/service-spec.ts';
import { Random } from './random.ts';
import { randomForkingScript, randomNotifyScript, randomScript } from './random-programs.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const serviceTypes: readonly ServiceType[] = ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'];

function randomServices(random: Random, secret: string | undefined): readonly ServiceSpec[] {
  return Array.from({ length: random.integer(1, 8) }, (_, index) => {
    const type = random.pick(serviceTypes);
    return simpleService(`s${index}`, {
      type,
      ...(secret === undefined
        ? {}
        : {
            command: `s${index} --password ${secret}`,
            argv: [`s${index}`, '--password', secret],
            environment: { PASSWORD: secret, [secret]: '1' },
            // With debug on, the service's log has both.
            debug: true,
          }),
      prerequisites: index > 0 && random.chance(0.5) ? [`s${random.integer(0, index - 1)}.service`] : [],
      enabled: random.chance(0.9),
      restart: random.chance(0.6),
      restartDelay: random.pick([0, 100, 3_000]),
      restartLimit: random.integer(0, 4),
      startupPause: random.pick([0, 100, 500]),
      processTimeout: random.pick([200, 5_000]),
      ignoreFailures: random.chance(0.7),
      ...(type === 'forking' && random.chance(0.7) ? { pidfile: `/run/s${index}.pid` } : {}),
      ...(type === 'notify' && random.chance(0.4) ? { watchdog: random.integer(100, 2_000) } : {}),
      ...(type === 'cron' ? { interval: random.pick(['* * * * * *', '* * * * * */3']) } : {}),
      ...(type === 'inetd' ? { port: 8_000 + index, maxConnections: random.integer(1, 4) } : {}),
    });
  });
}

/**
 * A world that is not started yet: services of all types, and an end by SIGTERM.
 *
 * @param secret a text that stands in all places where people keep secrets
 */
export function randomWorld(seed: number, secret?: string): World {
  const random = new Random(seed);
  const services = randomServices(random, secret);
  const specs = new Map(services.map((service) => [service.name, service]));
  const world = createWorld(systemOf(services), {
    has: () => true,
    script: ([name]) => {
      const spec = specs.get(`${name}.service`);
      if (spec?.type === 'forking') return randomForkingScript(random, spec.pidfile);
      return spec?.type === 'notify' ? randomNotifyScript(random, spec.watchdog) : randomScript(random);
    },
    fault: () => (random.chance(0.05) ? { code: 'EAGAIN', stage: 'clone' } : undefined),
  });
  for (const { port } of services) {
    if (port !== undefined) world.clock.setTimeout(() => world.kernel.connect(port), random.integer(0, 10_000));
  }
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), random.integer(0, 20_000));
  return world;
}
