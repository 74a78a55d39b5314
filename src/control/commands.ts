/**
 * The table of commands: for each its parameters, the rights it needs, and its place in the HTTP API. The grammar of
 * words, the routes of actions with their OpenAPI description, the rights, help, man pages and completions are derived
 * from it.
 */

import { parseSeverity, severities } from '../model/log/syslog-names.ts';
import type { GrantedAction } from '../model/service/control-policy.ts';
import { parseSignal, signalNames } from '../model/service/signal.ts';
import { mostInstances } from '../model/service/template.ts';
import { choice, flag, type Given, type Parameter, readSeconds, seconds, value } from '../model/words/parameter.ts';
import { oneLine } from '../model/words/printable.ts';
import { type Command, type CommandOf, type Verb, waitGoals } from './command.ts';
import { readInstanceCount } from './scale.ts';

export interface CommandEntry {
  readonly summary: string;
  /** What the command does without a name, which only the form in words can leave out. */
  readonly alone?: string;
  readonly options: readonly Parameter<unknown>[];
  /** Whether its words include names of services. */
  readonly names: 'none' | 'any' | 'some';
  /** The last word, if it is not a name. */
  readonly word?: {
    readonly parameter: Parameter<unknown>;
    readonly required: boolean;
    /** What shells offer for it. */
    readonly offers: readonly string[];
  };
  /** True if telchap has the command, because the original has it. */
  readonly telchap: boolean;
  readonly needs: readonly Need<string>[];
  readonly route: CommandRoute;
  /** Makes the command; undefined if a required part is missing. */
  readonly read: (names: readonly string[], given: Given) => Command | undefined;
}

/** The entry of one verb: it makes a command of that verb, and names fields of it. */
interface EntryOf<V extends Verb> extends CommandEntry {
  readonly needs: readonly Need<keyof CommandOf<V> & string>[];
  readonly read: (names: readonly string[], given: Given) => CommandOf<V> | undefined;
}

/** A right that the caller needs: always, or only if a field of the command is set. */
type Need<Field extends string> = GrantedAction | { readonly action: GrantedAction; readonly with: Field };

/** `service`: POST /v1/services/{name}/VERB. `system`: POST /v1/VERB. `none`: a GET gives the same in JSON. */
type CommandRoute =
  | { readonly at: 'none' }
  | { readonly at: 'service' }
  /**
   * `requires`: a field that the body must have; `summary`: what the route does, if not the same as the command; `ofService`: what
   * POST /v1/services/{name}/VERB does, which takes no options.
   */
  | {
      readonly at: 'system';
      readonly requires?: Parameter<unknown>;
      readonly summary?: string;
      readonly ofService?: string;
    };

const force = flag('force', 'do it in whatever state the service is');
const waitRun = flag('wait', 'answer only when the runs have ended, by whether they have succeeded');
const wait = flag('wait', 'answer only when the services have reached that state');
const timeout = seconds('timeout', 'SECONDS', 'how long to wait at most', { added: true });
const enable = flag('enable', 'enable the services first');
const disable = flag('disable', 'also disable the services, so that nothing starts them');
const drain = flag('drain', 'cron, inetd: let present runs and connections end by themselves', { added: true });
const withPrerequisites = flag('with-prerequisites', 'also start what the services wait for and is not up', {
  added: true,
});
const withDependents = flag('with-dependents', 'also restart what is up and waits for the services, directly or not', {
  added: true,
});
const forceRestart = flag('force', 'also restart services that could not be started again');
const forceReload = flag('force', 'reload even if that stops services that could not be started again');
const dryRun = flag('dry-run', 'only print what would change');
const goal = choice('for', 'STATE', 'the state to wait for; by default ready', waitGoals);
const signal = value(
  'signal',
  'SIGNAL',
  'a name or a number',
  { expects: 'a signal', wrong: (text) => `no such signal: ${oneLine(text)}` },
  parseSignal,
);
const level = value(
  'level',
  'LEVEL',
  'a priority',
  {
    expects: `a priority: ${[...severities].reverse().join(', ')}`,
    wrong: (text) => `Not a valid log level: ${oneLine(text)}`,
  },
  (text) => parseSeverity(text.replace(/^\*\./, '')),
);
const instances: Parameter<number | undefined> = {
  ...value(
    'count',
    'COUNT',
    'how many instances there are to be',
    {
      json: 'number',
      expects: `a number from 0 to ${mostInstances}`,
      wrong: (text) => `not a number of instances from 0 to ${mostInstances}: ${oneLine(text)}`,
    },
    readInstanceCount,
  ),
  readJson: (given) => (typeof given === 'number' ? readInstanceCount(String(given)) : undefined),
};
const delay: Parameter<number | 'now' | undefined> = {
  ...seconds('delay', 'DELAY|now', 'seconds from now', {
    wrong: (text) => `Specified delay is not a valid decimal number: ${oneLine(text)}`,
  }),
  read: ([text = '']) => (text.toLowerCase() === 'now' ? 'now' : readSeconds(text)),
};

const reloadAlone =
  "read chaperone's configuration anew and carry out what has changed; a mistake in it changes nothing";

/** The delay of a shutdown "now", ms, so that the answer can reach the caller. */
const shutdownNow = 100;

/** In the order in which the original's usage has them. */
const entries: { readonly [V in Verb]: EntryOf<V> } = {
  status: {
    summary: 'what runs, since when, and what waits for what',
    options: [],
    names: 'any',
    telchap: true,
    needs: [],
    route: { at: 'none' },
    read: (names) => ({ verb: 'status', names }),
  },
  loglevel: {
    summary: 'show, or set, the least severe priority that is logged everywhere',
    options: [],
    names: 'none',
    word: { parameter: level, required: false, offers: [...severities].reverse() },
    telchap: true,
    needs: [{ with: 'level', action: 'loglevel' }],
    route: { at: 'system', requires: level, summary: 'widen every log selector to a priority' },
    read: (_, given) => ({ verb: 'loglevel', ...optional('level', given.get(level)) }),
  },
  stop: {
    summary: 'stop services',
    options: [force, wait, disable, drain, timeout],
    names: 'some',
    telchap: true,
    needs: ['stop', { with: 'disable', action: 'disable' }],
    route: { at: 'service' },
    read: (names, given) => ({
      verb: 'stop',
      ...serviceOptions(names, given),
      disable: given.get(disable),
      drain: given.get(drain),
    }),
  },
  start: {
    summary: 'start services',
    alone: 'without names all that can be started',
    options: [force, wait, enable, timeout, withPrerequisites],
    names: 'any',
    telchap: true,
    // A forced start ends running processes.
    needs: ['start', { with: 'enable', action: 'enable' }, { with: 'force', action: 'stop' }],
    route: { at: 'service' },
    read: (names, given) => ({
      verb: 'start',
      ...serviceOptions(names, given),
      enable: given.get(enable),
      ...(given.get(withPrerequisites) ? { withPrerequisites: true } : {}),
    }),
  },
  reset: {
    summary: 'forget failures and restarts; end followed daemons, and what inetd and cron services run',
    options: [force, wait, timeout],
    names: 'some',
    telchap: true,
    needs: ['reset', { with: 'force', action: 'stop' }],
    route: { at: 'service' },
    read: (names, given) => ({ verb: 'reset', ...serviceOptions(names, given) }),
  },
  restart: {
    summary: 'stop services and start them again',
    options: [forceRestart, wait, timeout, withDependents],
    names: 'some',
    telchap: true,
    // A forced restart may leave services stopped.
    needs: ['restart', { with: 'force', action: 'stop' }],
    route: { at: 'service' },
    read: (names, given) => ({
      verb: 'restart',
      ...serviceOptions(names, given),
      ...(given.get(withDependents) ? { withDependents: true } : {}),
    }),
  },
  'run-now': {
    summary: 'run cron services now, beside their schedule',
    options: [waitRun, timeout],
    names: 'some',
    telchap: false,
    needs: ['run-now'],
    route: { at: 'service' },
    read: (names, given) => ({
      verb: 'run-now',
      names,
      wait: given.get(waitRun),
      ...optional('timeout', given.get(timeout)),
    }),
  },
  enable: {
    summary: 'allow services to be started',
    options: [],
    names: 'some',
    telchap: true,
    needs: ['enable'],
    route: { at: 'service' },
    read: (names) => ({ verb: 'enable', names }),
  },
  disable: {
    summary: 'keep services from being started; what runs goes on',
    options: [],
    names: 'some',
    telchap: true,
    needs: ['disable'],
    route: { at: 'service' },
    read: (names) => ({ verb: 'disable', names }),
  },
  dependencies: {
    summary: 'who waits for whom',
    options: [],
    names: 'none',
    telchap: true,
    needs: [],
    route: { at: 'none' },
    read: () => ({ verb: 'dependencies' }),
  },
  shutdown: {
    summary: 'end the system in order, now or after DELAY seconds',
    options: [],
    names: 'none',
    word: { parameter: delay, required: false, offers: ['now'] },
    telchap: true,
    needs: ['shutdown'],
    route: { at: 'system' },
    read: (_, given) => {
      const after = given.get(delay) ?? 'now';
      return after === 'now'
        ? { verb: 'shutdown', delay: shutdownNow, now: true }
        : { verb: 'shutdown', delay: after, now: false };
    },
  },
  kill: {
    summary: 'send a signal to the processes of services',
    options: [],
    names: 'some',
    word: { parameter: signal, required: true, offers: signalNames },
    telchap: false,
    needs: ['kill'],
    route: { at: 'service' },
    read: (names, given) => {
      const sent = given.get(signal);
      return sent === undefined ? undefined : { verb: 'kill', names, signal: sent };
    },
  },
  wait: {
    summary: 'return when services are ready, stopped or failed',
    options: [goal, timeout],
    names: 'some',
    telchap: false,
    needs: [],
    route: { at: 'service' },
    read: (names, given) => ({
      verb: 'wait',
      names,
      goal: given.get(goal) ?? 'ready',
      ...optional('timeout', given.get(timeout)),
    }),
  },
  scale: {
    summary: 'start or stop instances of templates until there are COUNT of each',
    options: [wait, timeout],
    names: 'some',
    word: { parameter: instances, required: true, offers: [] },
    telchap: false,
    needs: ['scale'],
    route: { at: 'service' },
    read: (names, given) => {
      const count = given.get(instances);
      const options = { wait: given.get(wait), ...optional('timeout', given.get(timeout)) };
      return count === undefined ? undefined : { verb: 'scale', names, count, ...options };
    },
  },
  reload: {
    summary: 'let services read their own configuration anew, by reload_command or reload_signal',
    alone: `without names ${reloadAlone}`,
    options: [dryRun, forceReload],
    names: 'any',
    telchap: false,
    needs: ['reload'],
    route: {
      at: 'system',
      summary: reloadAlone,
      ofService: 'let a service read its own configuration anew, by its reload_command or reload_signal',
    },
    read: (names, given) => ({ verb: 'reload', names, dryRun: given.get(dryRun), force: given.get(forceReload) }),
  },
};

function serviceOptions(names: readonly string[], given: Given) {
  return {
    names,
    force: given.get(force),
    wait: given.get(wait),
    ...optional('timeout', given.get(timeout)),
  };
}

/** A property that is absent where it has no value. */
function optional<K extends string, V>(key: K, found: V | undefined): { readonly [P in K]?: V } {
  const properties: { [P in K]?: V } = {};
  if (found !== undefined) properties[key] = found;
  return properties;
}

export function isVerb(word: string): word is Verb {
  return Object.hasOwn(entries, word);
}

export const verbs: readonly Verb[] = Object.keys(entries).filter(isVerb);

export function commandEntry(verb: Verb): CommandEntry {
  return entries[verb];
}

/** All parameters of a command beside names: its fields in JSON. */
export function fieldsOf({ options, word }: CommandEntry): readonly Parameter<unknown>[] {
  return word === undefined ? options : [...options, word.parameter];
}

/** Makes a command from given parameters, from words or JSON; undefined if a required one is missing. */
export function commandOf(verb: Verb, names: readonly string[], given: Given): Command | undefined {
  return entries[verb].read(names, given);
}

/** The rights that a command needs, with those of its options; none if it only reads the status. */
export function neededFor(command: Command): readonly GrantedAction[] {
  const set = new Set(Object.entries(command).flatMap(([field, found]) => (found === false ? [] : [field])));
  return neededWith(command.verb, (field) => set.has(field));
}

/** The rights that a verb needs if these fields of its command are set. */
export function neededWith(verb: Verb, isSet: (field: string) => boolean): readonly GrantedAction[] {
  return commandEntry(verb).needs.flatMap((need) =>
    typeof need === 'string' ? [need] : isSet(need.with) ? [need.action] : [],
  );
}

/** The words of the command as usage shows them: `[NAME...]`, `NAME... SIGNAL`. */
export function wordsOf({ names, word }: CommandEntry): string {
  const parts = names === 'none' ? [] : [names === 'any' ? '[NAME...]' : 'NAME...'];
  if (word !== undefined) parts.push(word.required ? word.parameter.metavar : `[${word.parameter.metavar}]`);
  return parts.join(' ');
}
