interface Timed {
  readonly at: number;
}

interface Typed {
  readonly type: string;
}

/**
 * Makes the assignments of one machine's actions. Each assignment is for one type of event, or for several, and records
 * the event's time. It throws where an action is wired to another type of event, so that a test that walks through the
 * chart finds the mistake.
 *
 * @example const when = stamped<Context, Event>(); … recordPid: assign(when('unit.spawned', (_, { pid }) => ({ pid })))
 */
export function stamped<C extends Timed, E extends Typed>() {
  return <T extends E['type']>(
    given: T | readonly T[],
    change: (context: C, event: Extract<E, { readonly type: T }>) => Partial<C>,
  ) => {
    const types: readonly string[] = typeof given === 'string' ? [given] : given;
    return ({ context, event }: { readonly context: C; readonly event: E }): Partial<C> => {
      if (!isOf<E, T>(event, types))
        throw new Error(`internal error: an action for ${types.join(' or ')} meets ${event.type}`);
      return { ...timeOf<C>(event), ...change(context, event) };
    };
  };
}

function isOf<E extends Typed, T extends string>(
  event: E,
  types: readonly string[],
): event is Extract<E, { readonly type: T }> {
  return types.includes(event.type);
}

function timeOf<C extends Timed>(event: Typed): Partial<C> | { readonly at: number } {
  return 'at' in event && typeof event.at === 'number' ? { at: event.at } : {};
}
