import type { Condition } from '../model/service/condition.ts';
import { isPlain } from '../model/words/expand.ts';
import { type Environment, expandDirective } from './environment.ts';
import type { YamlScalar } from './parse-yaml.ts';
import type { ConditionNode } from './read-conditions.ts';
import { readHelperCommand } from './read-helper-command.ts';
import type { Report } from './report.ts';
import { quote } from './wording.ts';

interface ExpansionContext {
  readonly owner: string;
  readonly environment: Environment;
  readonly enabled: boolean;
  readonly report: Report;
}

/** The condition with its variables expanded; undefined where there is a mistake. */
export function expandCondition(node: ConditionNode, context: ExpansionContext): Condition | undefined {
  switch (node.kind) {
    case 'not': {
      const of = expandCondition(node.of, context);
      return of === undefined ? undefined : { kind: 'not', of };
    }
    case 'all': {
      const of = node.of.flatMap((each) => expandCondition(each, context) ?? []);
      return of.length === node.of.length ? { kind: 'all', of } : undefined;
    }
    case 'command': {
      const command = readHelperCommand('start_if', node.scalar, context);
      return command === undefined ? undefined : { kind: 'command', ...command };
    }
    case 'file':
      return expandFile(node.scalar, context);
    case 'env':
      return expandVariable(node.scalar, context);
  }
}

function expandFile(
  scalar: YamlScalar,
  { owner, environment, enabled, report }: ExpansionContext,
): Condition | undefined {
  const path = expandDirective(environment, 'start_if', scalar, { owner, enabled, report })?.trim();
  if (path === undefined) return undefined;
  if (path.startsWith('/')) return { kind: 'file', path };
  // The values of a disabled service often make sense only in places where it is enabled.
  if (enabled || isPlain(scalar.text))
    report.error('bad-path', `the file ${quote(path)} in start_if of ${owner} is no absolute path`, scalar.place, {
      hint: 'expected a path that begins with "/"',
    });
  return undefined;
}

/** The name is data; variables in the value are expanded. */
function expandVariable(
  scalar: YamlScalar,
  { owner, environment, enabled, report }: ExpansionContext,
): Condition | undefined {
  const text = expandDirective(environment, 'start_if', scalar, { owner, enabled, report });
  if (text === undefined) return undefined;
  const equals = text.indexOf('=');
  const name = (equals < 0 ? text : text.slice(0, equals)).trim();
  if (/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name))
    return { kind: 'env', name, ...(equals < 0 ? {} : { value: text.slice(equals + 1) }) };
  if (enabled || isPlain(scalar.text))
    report.error(
      'bad-variable-name',
      `${quote(name)} in start_if of ${owner} is not a name for a variable`,
      scalar.place,
      {
        hint: 'expected NAME or NAME=VALUE',
      },
    );
  return undefined;
}
