/** The routes of actions, made from the table of commands. A body becomes a command directly and is never turned into words. */
import { fieldName } from '../model/words/parameter.ts';
import { mistake } from './answer.ts';
import type { Verb } from './command.ts';
import { type CommandEntry, commandEntry, commandOf, fieldsOf, neededWith, verbs } from './commands.ts';
import { answer, type Route } from './route.ts';

export const actionRoutes: readonly Route[] = verbs.flatMap((verb) => actionRoute(verb));

function actionRoute(verb: Verb): readonly Route[] {
  const { route } = commandEntry(verb);
  if (route.at === 'none') return [];
  const own = routeOf(verb, route, route.at === 'service');
  if (route.at === 'service' || route.ofService === undefined) return [own];
  return [own, routeOf(verb, { at: 'system', summary: route.ofService }, true)];
}

function routeOf(
  verb: Verb,
  route: Exclude<CommandEntry['route'], { readonly at: 'none' }>,
  isForService: boolean,
): Route {
  const entry = commandEntry(verb);
  const { word } = entry;
  const isOfSystem = route.at === 'system';
  // The options of a command for the whole system are not for one service.
  const parameters = isForService && isOfSystem ? [] : fieldsOf(entry);
  const inBody = route.at === 'system' ? route.requires : word?.required === true ? word.parameter : undefined;
  const required = inBody === undefined ? [] : [inBody];
  const summary = route.at === 'system' ? (route.summary ?? entry.summary) : entry.summary;
  const always = neededWith(verb, (field) => required.some((parameter) => fieldName(parameter) === field));
  const more = parameters.map((parameter): readonly [string, ReturnType<typeof neededWith>] => {
    const field = fieldName(parameter);
    return [field, neededWith(verb, (set) => set === field).filter((action) => !always.includes(action))];
  });
  return {
    method: 'POST',
    path: isForService ? `/v1/services/{name}/${verb}` : `/v1/${verb}`,
    id: isForService && isOfSystem ? `${verb}-service` : verb,
    summary: `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.${isForService ? ' The name may be a glob.' : ''}`,
    needs: always,
    needsWith: Object.fromEntries(more.filter(([, actions]) => actions.length > 0)),
    fields: { parameters, required },
    gives: { kind: 'schema', name: 'Answer' },
    handle: async ({ gate, caller, aborted, meter, name, given }) => {
      const command = commandOf(verb, isForService ? [name] : [], given);
      return answer(
        command === undefined
          ? mistake('a required field is missing')
          : await gate.command(command, caller, { aborted, meter }),
      );
    },
  };
}
