/**
 * Which directives of a service fit which types: the table of the reference, directive × type, as data. A directive that stands in
 * no rule fits every type.
 */
import type { ServiceType } from '../model/service/service-spec.ts';
import type { Report } from './report.ts';
import type { Section } from './validate.ts';
import { parseBoolean } from './values.ts';

interface TypeRule {
  readonly keys: readonly string[];
  /** The types in which the directive has no effect. */
  readonly refusedBy: readonly ServiceType[];
  /** The types in which the directive has an effect only with a pidfile. */
  readonly followedOnly?: readonly ServiceType[];
  /**
   * True: old configurations have the directive where it has no effect, and go on working with a warning. `boolean`: those that
   * say true or false.
   */
  readonly old?: true | 'boolean';
  /** Another directive that gives this one an effect in every type but cron. */
  readonly unless?: string;
  /** Said where a type refuses the directive; absent: which types would take it. */
  readonly hint?: string;
}

const allTypes: readonly ServiceType[] = ['simple', 'forking', 'oneshot', 'notify', 'inetd', 'cron'];

/** The rule of a directive that belongs to these types only. */
function only(keys: readonly string[], types: readonly ServiceType[], more: Partial<TypeRule> = {}): TypeRule {
  return { keys, refusedBy: allTypes.filter((type) => !types.includes(type)), ...more };
}

function forEnding(key: string): string {
  return `${key} is for services that end; a failed run or connection does not affect the next one`;
}

const rules: readonly TypeRule[] = [
  only(['pidfile'], ['simple', 'forking'], { old: true }),
  only(['watchdog', 'notify_access'], ['notify'], { old: true }),
  only(['port', 'max_connections'], ['inetd'], { old: true }),
  only(['interval'], ['cron'], { old: true }),
  { keys: ['exit_kills'], refusedBy: ['inetd', 'cron'], old: true, hint: forEnding('exit_kills') },
  {
    keys: ['restart'],
    refusedBy: ['inetd', 'cron'],
    followedOnly: ['forking'],
    old: 'boolean',
    hint: forEnding('restart'),
  },
  ...([true, false] as const).map(
    (old): TypeRule => ({
      keys: old
        ? ['restart_delay', 'restart_limit']
        : ['restart_delay_max', 'restart_backoff', 'restart_jitter', 'restart_window', 'restart_prevent'],
      refusedBy: ['inetd', 'cron'],
      followedOnly: ['forking'],
      ...(old ? { old } : {}),
      unless: 'restart_on_start_failure',
      hint: 'restarts are for services that end, or for starts that fail (restart_on_start_failure)',
    }),
  ),
  { keys: ['restart_on_start_failure'], refusedBy: ['cron'], hint: 'a failed run does not affect the next one' },
  {
    keys: ['on_success'],
    refusedBy: ['inetd', 'cron'],
    followedOnly: ['forking'],
    hint: 'on_success is for services that end',
  },
  only(['before_start', 'after_stop'], ['simple', 'forking', 'oneshot', 'notify', 'cron']),
  only(['after_start', 'before_stop', 'stop_command'], ['simple', 'forking', 'oneshot', 'notify']),
  only(['timezone', 'overlap', 'jitter', 'run_at_start', 'catch_up'], ['cron']),
  { keys: ['max_runtime'], refusedBy: [], followedOnly: ['forking'] },
  { keys: ['reload_command', 'reload_signal'], refusedBy: ['oneshot', 'inetd', 'cron'], followedOnly: ['forking'] },
  { keys: ['on_failure'], refusedBy: ['cron'], hint: 'a failed run does not affect the next one' },
  {
    keys: ['remain_after_exit'],
    refusedBy: ['inetd', 'cron'],
    followedOnly: ['forking'],
    hint: 'remain_after_exit is for services that end',
  },
  only(['ready'], ['simple', 'forking', 'notify']),
  only(['healthy', 'healthcheck', 'on_unhealthy'], ['simple', 'forking', 'notify'], { followedOnly: ['forking'] }),
];

const ruleOf: ReadonlyMap<string, TypeRule> = new Map(rules.flatMap((rule) => rule.keys.map((key) => [key, rule])));

/** How a directive fits a type: `followed` where it has an effect only with a pidfile. */
export function fitOf(key: string, type: ServiceType): 'fits' | 'followed' | 'refused' {
  const rule = ruleOf.get(key);
  if (rule?.refusedBy.includes(type) === true) return 'refused';
  return rule?.followedOnly?.includes(type) === true ? 'followed' : 'fits';
}

/** Reports each directive of the section that has no effect in this type. */
export function checkTypes(section: Section, type: ServiceType, report: Report): void {
  for (const key of section.values.keys()) {
    const rule = ruleOf.get(key);
    if (rule === undefined || isOff(section, key, rule)) continue;
    if (rule.unless !== undefined && section.given.has(rule.unless) && type !== 'cron') continue;
    const complain = (why: string, hint: string): void =>
      report[
        rule.old === true || (rule.old === 'boolean' && writtenBoolean(section, key) !== undefined)
          ? 'warning'
          : 'error'
      ]('no-effect', `${key} of ${section.name} has no effect: ${why}`, section.given.get(key), { hint });
    switch (fitOf(key, type)) {
      case 'fits':
        break;
      case 'refused':
        complain(`its type is ${type}`, rule.hint ?? `expected type ${takers(rule)}`);
        break;
      case 'followed':
        if (section.given.has('pidfile')) break;
        complain(
          `it is ${type} and has no pidfile`,
          'expected a pidfile: without one chaperone cannot know when the daemon ends',
        );
    }
  }
}

/** True where an old directive is switched off: what has no effect anyway is no mistake. */
function isOff(section: Section, key: string, rule: TypeRule): boolean {
  return rule.old !== undefined && writtenBoolean(section, key) === false;
}

/** The boolean that stands there; undefined where something else stands there, or a variable. */
function writtenBoolean(section: Section, key: string): boolean | undefined {
  const value = section.values.get(key);
  if (value?.kind === 'boolean') return value.value;
  return value?.kind === 'unexpanded' ? parseBoolean(value.scalar.text) : undefined;
}

function takers({ refusedBy }: TypeRule): string {
  return allTypes.filter((type) => !refusedBy.includes(type)).join(' or ');
}
