/** Advice on the command of a service that could not start. */
import type { ServiceSpec } from '../service/service-spec.ts';
import { isReadByShell, shellSyntax } from '../service/shell-syntax.ts';

/** What to write instead, in a sentence each. */
export function adviceOnCommand(service: ServiceSpec): readonly string[] {
  return [...shellAdvice(service), ...variableAdvice(service)];
}

/** Names the words of a command that only a shell would understand, and says what to write instead. */
function shellAdvice({ command }: ServiceSpec): readonly string[] {
  const [first] = shellSyntax(command);
  return first === undefined
    ? []
    : [`${first.advice}: no shell reads the command, and "${first.text}" is a word of a shell`];
}

/** A variable that nobody sets: its text has stayed in the command. */
function variableAdvice({ command }: ServiceSpec): readonly string[] {
  const unset = /\$(?:\((?!_CHAP_)([A-Za-z_]\w*)\)|\{(?!_CHAP_)([A-Za-z_]\w*)\})/.exec(command);
  if (unset === null || isReadByShell(command)) return [];
  return [
    `set ${unset[1] ?? unset[2]}, in "env_set" or for the container: ${unset[0]} in the command has stayed as it is`,
  ];
}
