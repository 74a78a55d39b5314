import { isWanted, Transcript } from '../../inspect/transcript.ts';
import { warning } from '../../model/log/messages.ts';
import { shortName } from '../../model/service/service-spec.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import { shownCommand } from '../../model/words/secrets.ts';
import type { AttachInspector } from './inspector-port.ts';

/** Prints each transition as it happens. */
export const attach: AttachInspector<Extract<InspectRequest, { kind: 'terminal' | 'json' }>> = (
  hub,
  { kind, services },
  { services: configured, write, colour, say },
) => {
  const unknown = services.filter((wanted) => !configured().some(({ name }) => isWanted(shortName(name), [wanted])));
  if (unknown.length > 0)
    say(warning(`nothing of ${unknown.join(', ')} will be seen in the inspection: there is no such service`));
  const commandOf = (service: string): string | undefined => {
    const spec = configured().find(({ name }) => name === service);
    return spec === undefined ? undefined : shownCommand(spec);
  };
  const transcript = new Transcript(
    kind === 'json' ? { format: 'json', services } : { format: 'text', colour, services, commandOf },
  );
  const watch = hub.watch({
    onEntry: (entry) => {
      const text = transcript.write(entry);
      if (text !== '') write(text);
      return true;
    },
  });
  return watch.close;
};
