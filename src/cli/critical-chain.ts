import { shortName } from '../model/service-spec.ts';
import { criticalChain, renderChain } from '../record/critical-chain.ts';
import { get, print, refused, refuseWords, takeFlag, withControl } from './control-call.ts';
import { readServices } from './read-services.ts';

export function run(words: readonly string[]): Promise<number> {
  return withControl('chaperonectl', 'critical-chain', words, async () => {
    const { set, rest } = takeFlag(words, '--json');
    const mistake = await refuseWords('critical-chain', rest);
    if (mistake !== undefined) return mistake;
    const { status, body } = await get('/v1/services');
    if (status !== 200) return refused(body, set);
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
    await print(1, set ? `${JSON.stringify(chain)}\n` : `${renderChain(chain)}\n`);
    return 0;
  });
}
