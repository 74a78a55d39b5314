/** Commands that a service runs beside its own: they have its account, its environment and its directory, and are none of its runs. */
import type { HelperCommand } from './helper-command.ts';
import type { Hook, HookPlace } from './hook.ts';
import type { ServiceSpec } from './service-spec.ts';

/** The directive that has a command beside the service's own. */
export type HelperRole = 'reload_command' | 'start_if';

type Variables = Readonly<Record<string, string>>;

/** One run of a hook. Its words are made when it runs. */
export interface HookRun extends HookPlace {
  readonly kind: 'hook';
  readonly hook: Hook;
  /** Variables of the moment: MAINPID, and for after_stop how the run ended. */
  readonly variables: Variables;
}

/** What a unit runs in place of the service's own command. */
export type Beside =
  | HookRun
  /** What it writes is logged as the service's; its end is no end of the service. */
  | { readonly kind: 'helper'; readonly role: HelperRole; readonly variables: Variables }
  /** The command of a probe: what it writes is kept and not logged, and it is killed with the actor that owns its unit. */
  | { readonly kind: 'probe' };

/** The definition by which such a command runs: a process group of its own, and no notify socket, pidfile, probe or terminal. */
export function besideSpec(service: ServiceSpec, { command, argv }: HelperCommand): ServiceSpec {
  const { pidfile: _p, watchdog: _w, ready: _r, healthy: _h, hooks: _k, successExit: _s, ...rest } = service;
  return {
    ...rest,
    type: 'simple',
    command,
    argv,
    stdin: 'null',
    killMode: 'group',
    ownGroup: true,
    exitKills: false,
    debug: false,
  };
}
