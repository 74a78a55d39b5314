/**
 * Reads `settings: control`:
 *
 *     control:
 *       allow:
 *         users: { deploy: "restart, reload" }
 *         groups: { ops: all }
 *         everybody: logs
 */
import { type GrantedAction, grantableActions } from '../model/service/control-policy.ts';
import { didYouMean } from '../model/words/nearest.ts';
import type { YamlEntry, YamlNode } from './parse-yaml.ts';
import { describeNode, type NameReference, readNames, type ValueContext } from './read-names.ts';
import { quote } from './wording.ts';

/** A grant before its account is looked up. */
export interface GrantRequest {
  readonly to: { readonly kind: 'user' | 'group'; readonly account: NameReference } | { readonly kind: 'everybody' };
  readonly actions: 'all' | readonly GrantedAction[];
}

export type GrantsValue = { readonly kind: 'grants'; readonly grants: readonly GrantRequest[] };

const allowKeys = ['users', 'groups', 'everybody'] as const;
const rightsHint = `expected all, or some of ${grantableActions.join(', ')}`;

/** Undefined if there is a mistake: a part of the intended grants must not take effect alone. */
export function readControl(node: YamlNode, context: ValueContext): GrantsValue | undefined {
  const sections = entriesOf(node, context, 'expected a map with "allow"');
  const grants: GrantRequest[] = [];
  let complete = sections !== undefined;
  const take = (read: readonly GrantRequest[] | undefined): void => {
    if (read === undefined) complete = false;
    else grants.push(...read);
  };
  for (const { key, value } of sections ?? []) {
    if (key.text === 'allow') take(readAllow(value, within('allow', context)));
    else {
      context.report.error('unknown-key', `unknown key ${quote(key.text)} in ${context.label}`, key.place, {
        hint: didYouMean(key.text, ['allow']) ?? 'expected "allow"',
      });
      complete = false;
    }
  }
  return complete ? { kind: 'grants', grants } : undefined;
}

function readAllow(node: YamlNode, context: ValueContext): readonly GrantRequest[] | undefined {
  const entries = entriesOf(node, context, 'expected a map with "users", "groups" or "everybody"');
  if (entries === undefined) return undefined;
  const read = entries.map(({ key, value }) => {
    switch (key.text) {
      case 'users':
        return readAccounts('user', value, within('users', context));
      case 'groups':
        return readAccounts('group', value, within('groups', context));
      case 'everybody': {
        const actions = readRights(value, within('everybody', context));
        return actions === undefined ? undefined : [{ to: { kind: 'everybody' as const }, actions }];
      }
      default:
        context.report.error('unknown-key', `unknown key ${quote(key.text)} in ${context.label}`, key.place, {
          hint: didYouMean(key.text, allowKeys) ?? 'expected "users", "groups" or "everybody"',
        });
        return undefined;
    }
  });
  return allOf(read);
}

function readAccounts(
  kind: 'user' | 'group',
  node: YamlNode,
  context: ValueContext,
): readonly GrantRequest[] | undefined {
  const entries = entriesOf(node, context, `expected a map of ${kind}s to rights`);
  if (entries === undefined) return undefined;
  return allOf(
    entries.map(({ key, value }) => {
      const actions = readRights(value, { ...context, label: `${quote(key.text)} in ${context.label}` });
      if (actions === undefined) return undefined;
      return [{ to: { kind, account: { name: key.text.trim(), place: key.place } }, actions }];
    }),
  );
}

function readRights(node: YamlNode, context: ValueContext): 'all' | readonly GrantedAction[] | undefined {
  const names = readNames(node, context);
  if (names === undefined) return undefined;
  if (names.length === 0) {
    context.report.error('empty-value', `${context.label} names no right`, node.place, { hint: rightsHint });
    return undefined;
  }
  const actions = new Set<GrantedAction>();
  let complete = true;
  for (const { name, place } of names) {
    const action = grantableActions.find((candidate) => candidate === name);
    if (action !== undefined) actions.add(action);
    else if (name !== 'all') {
      const hint = name === 'status' ? 'everybody may read the status' : undefined;
      context.report.error('unknown-right', `${context.label} names no right: ${quote(name)}`, place, {
        hint: hint ?? didYouMean(name, ['all', ...grantableActions]) ?? rightsHint,
      });
      complete = false;
    }
  }
  if (!complete) return undefined;
  return names.some(({ name }) => name === 'all') ? 'all' : [...actions];
}

/** An empty value counts as an empty map. */
function entriesOf(node: YamlNode, context: ValueContext, hint: string): readonly YamlEntry[] | undefined {
  if (node.kind === 'map') return node.entries;
  if (node.kind === 'scalar' && node.isNull) return [];
  context.report.error('wrong-shape', `${context.label} is ${describeNode(node)}`, node.place, { hint });
  return undefined;
}

function within(key: string, context: ValueContext): ValueContext {
  return { ...context, label: `${key} of ${context.label}` };
}

function allOf(lists: readonly (readonly GrantRequest[] | undefined)[]): readonly GrantRequest[] | undefined {
  const found = lists.filter((list) => list !== undefined);
  return found.length === lists.length ? found.flat() : undefined;
}
