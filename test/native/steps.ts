import type { BodySpawn, ChildStep } from '../../src/runtime/linux/body-protocol.ts';

/** What a test asks of a child in one word each, as the steps that the body does. */
export interface Shorthand {
  readonly limits?: readonly { readonly resource: number; readonly soft: number; readonly hard: number }[];
  readonly groups?: readonly number[];
  readonly gid?: number;
  readonly uid?: number;
  readonly umask?: number;
}

/** The request with its shorthands as steps, before those that it has. */
export function stepped({
  limits = [],
  gid,
  uid,
  umask,
  ...request
}: Partial<BodySpawn> & Shorthand): Partial<BodySpawn> & Pick<BodySpawn, 'steps'> {
  const of = (kind: ChildStep['kind'], first: number | undefined): readonly ChildStep[] =>
    first === undefined ? [] : [{ kind, first }];
  const steps: readonly ChildStep[] = [
    ...limits.map((each) => ({ kind: 'limit', which: each.resource, first: each.soft, second: each.hard }) as const),
    ...of('groups', request.groups === undefined ? undefined : 0),
    ...of('gid', gid),
    ...of('uid', uid),
    ...of('umask', umask),
    ...(request.steps ?? []),
  ];
  return { ...request, steps };
}
