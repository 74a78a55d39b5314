import { criticalChain, renderChain, withShortNames } from '../../facts/critical-chain.ts';
import { hasStarted } from '../../facts/fact.ts';
import { get, refused, withControl } from './control-call.ts';
import { print } from './print.ts';
import { readMoment, readServices } from './read-services.ts';
import type { Request } from './read-words.ts';
import { json } from './verb-options.ts';

export function run({ given }: Request): Promise<number> {
  return withControl(async () => {
    const asJson = given.get(json);
    // The system is asked first: once it is up, no start of the boot is missing among the services any more.
    const system = await get('/v1/status');
    if (system.status !== 200) return refused(system.body, asJson);
    const { status, body } = await get('/v1/services');
    if (status !== 200) return refused(body, asJson);
    const ready = readMoment(system.body, 'ready');
    const now = readMoment(system.body, 'uptime');
    const times = readServices(body).flatMap(({ name, boot, stage }) => {
      if (boot === undefined) return [];
      const isDown = boot.ready !== undefined && boot.lost !== undefined && now !== undefined && !hasStarted(stage);
      return [withShortNames({ ...boot, service: name, ...(isDown ? { downAt: now } : {}) })];
    });
    const chain = criticalChain(times, readMoment(system.body, 'bootOver'));
    await print(1, asJson ? `${JSON.stringify(chain)}\n` : `${renderChain(chain, ready)}\n`);
    return 0;
  });
}
