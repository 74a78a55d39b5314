import { criticalChain, renderChain } from '../../facts/critical-chain.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { get, refused, withControl } from './control-call.ts';
import { print } from './print.ts';
import { readServices } from './read-services.ts';
import type { Request } from './read-words.ts';
import { json } from './verb-options.ts';

export function run({ given }: Request): Promise<number> {
  return withControl(async () => {
    const asJson = given.get(json);
    const { status, body } = await get('/v1/services');
    if (status !== 200) return refused(body, asJson);
    const times = readServices(body).flatMap(({ name, boot }) =>
      boot === undefined
        ? []
        : [
            {
              service: shortName(name),
              ...boot,
              ...(boot.waitedFor === undefined ? {} : { waitedFor: shortName(boot.waitedFor) }),
            },
          ],
    );
    const chain = criticalChain(times);
    await print(1, asJson ? `${JSON.stringify(chain)}\n` : `${renderChain(chain)}\n`);
    return 0;
  });
}
