import { blame, blameText } from '../../control/listing.ts';
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
    const services = readServices(body);
    await print(1, asJson ? `${JSON.stringify(blame(services))}\n` : blameText(services));
    return 0;
  });
}
