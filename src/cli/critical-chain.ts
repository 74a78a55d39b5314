import { criticalChain, renderChain } from '../inspect/critical-chain.ts';
import { shortName } from '../model/service-spec.ts';
import { get, print, takeFlag, withControl } from './control-call.ts';
import { readServices } from './read-services.ts';

export function run(words: readonly string[]): Promise<number> {
  return withControl('chaperonectl', 'critical-chain', words, async () => {
    const { body } = await get('/v1/services');
    const times = readServices(body).flatMap(({ name, boot }) =>
      boot === undefined
        ? []
        : [
            {
              service: shortName(name),
              started: boot.started,
              ready: boot.ready,
              ...(boot.waitedFor === undefined ? {} : { waitedFor: shortName(boot.waitedFor) }),
            },
          ],
    );
    const chain = criticalChain(times);
    await print(1, takeFlag(words, '--json').set ? `${JSON.stringify(chain)}\n` : `${renderChain(chain)}\n`);
    return 0;
  });
}
