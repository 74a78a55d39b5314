import type { Account } from '../model/service/account.ts';
import type { AccountDatabase } from '../model/service/accounts.ts';
import { type Environment, expandDirective } from './environment.ts';
import type { Report } from './report.ts';
import { scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';
import { quote } from './wording.ts';

/** The account of a section. `own`: the section names it itself, instead of inheriting it from the settings. */
export type ResolvedAccount =
  | { readonly kind: 'none'; readonly own?: boolean }
  | { readonly kind: 'missing'; readonly name: string; readonly own?: boolean }
  | { readonly kind: 'found'; readonly account: Account; readonly user: string; readonly own?: boolean };

export function resolveAccount(
  section: Section,
  environment: Environment,
  inherited: ResolvedAccount,
  { enabled, optional }: { readonly enabled: boolean; readonly optional: boolean },
  { accounts, report }: { readonly accounts: AccountDatabase; readonly report: Report },
): ResolvedAccount {
  const required = enabled && !optional;
  const texts = new Map<string, string>();
  for (const key of ['uid', 'gid']) {
    const scalar = scalarOf(section, key);
    if (scalar === undefined) continue;
    const text = expandDirective(environment, key, scalar, { owner: section.name, enabled, report });
    // If a uid that cannot be expanded counted as not given, the service would run as chaperone itself.
    if (text === undefined) return { kind: 'missing', name: scalar.text, own: true };
    if (text.trim() !== '') texts.set(key, text.trim());
  }
  const user = texts.get('uid');
  const group = texts.get('gid');
  if (user === undefined && group === undefined) return { ...inherited, own: false };
  const place = (key: 'uid' | 'gid') => scalarOf(section, key)?.place ?? section.place;
  if (user === undefined && inherited.kind === 'missing') return { ...inherited, own: false };
  const userText = user ?? (inherited.kind === 'found' ? inherited.user : undefined);
  if (userText === undefined) {
    report.error('gid-without-uid', `gid of ${section.name} is given without any uid`, place('gid'), {
      hint: 'expected a uid here or in settings',
    });
    return { kind: 'none' };
  }
  const missing = (kind: 'user' | 'group', name: string): ResolvedAccount => {
    const key = kind === 'user' ? 'uid' : 'gid';
    if (required) {
      const message = `${key} of ${section.name} is no ${kind} of this system: ${quote(name)}`;
      report.error(`unknown-${kind}`, message, place(key), { hint: `expected a ${kind} name or a number` });
    }
    return { kind: 'missing', name, own: true };
  };
  const found = accounts.account(userText, group);
  switch (found.kind) {
    case 'found':
      return { kind: 'found', account: found.account, user: userText, own: true };
    case 'unknownUser':
      return missing('user', found.user);
    case 'unknownGroup':
      return missing('group', found.group);
    default:
      throw new Error('internal error: unknown outcome of an account look-up');
  }
}

/** The account in force, where there is one. */
export function accountOf(resolved: ResolvedAccount): Account | undefined {
  return resolved.kind === 'found' ? resolved.account : undefined;
}
