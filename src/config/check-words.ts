/** Reports what is valid, and hardly means what it says: shell syntax, unknown variables, names of no group, restarts in vain. */
import { hookStages } from '../model/service/hook.ts';
import { type ServiceSpec, shortName } from '../model/service/service-spec.ts';
import { isReadByShell, shellSyntax } from '../model/service/shell-syntax.ts';
import { nearest } from '../model/words/nearest.ts';
import { hooksIn } from './build-hooks.ts';
import type { CheckContext } from './check-programs.ts';
import { placeWithin, type YamlScalar } from './parse-yaml.ts';
import { secretNamesOf } from './read-values.ts';
import { groupsOf, namesOf, scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';
import { quote } from './wording.ts';

/** @param inherited names of the variables that a start inherits; undefined: that is not known here */
export function checkWords(
  starting: readonly ServiceSpec[],
  inherited: readonly string[] | undefined,
  context: CheckContext,
): void {
  const { places } = context;
  const settings = places.settings;
  const common = [...(inherited ?? []), ...(settings === undefined ? [] : variablesOf(settings).keys())];
  const groups = new Set([...places.services.all()].flatMap((section) => groupsOf(section).map(({ name }) => name)));
  for (const service of starting) {
    const section = places.services.get(service.name);
    if (section === undefined) continue;
    checkShell(section, context);
    checkNames(section, groups, context);
    checkRestart(section, service, context);
    if (inherited !== undefined) checkVariables(section, common, context);
  }
  if (settings !== undefined && inherited !== undefined) checkVariables(settings, common, context);
}

function checkShell(section: Section, context: CheckContext): void {
  const scalar = scalarOf(section, 'command');
  if (scalar !== undefined) checkCommand(section, 'the command', { scalar, from: 0 }, context);
  for (const stage of hookStages)
    for (const { scalar: hook, command } of hooksIn(section, stage))
      checkCommand(section, stage, { scalar: hook, from: hook.text.indexOf(command) }, context);
}

/** @param written `from`: where the command begins in the scalar, behind its prefixes */
function checkCommand(
  section: Section,
  label: string,
  { scalar, from }: { readonly scalar: YamlScalar; readonly from: number },
  { report }: CheckContext,
): void {
  for (const { kind, text, index, advice } of shellSyntax(scalar.text.slice(from))) {
    const what =
      kind === 'builtin'
        ? 'is a word of the shell, and no shell reads the command'
        : kind === 'variable'
          ? 'stays as it is: no shell reads the command'
          : kind === 'assignment'
            ? 'counts as the program: no shell reads the command'
            : 'is passed on as an argument: no shell reads the command';
    report.warning(
      'no-shell',
      `${quote(text)} in ${label} of ${section.name} ${what}`,
      placeWithin(scalar, from + index, text.length),
      { hint: advice },
    );
  }
}

/** Names without a suffix are those of groups: one that nobody is in, and that a service nearly has, is a slip. */
function checkNames(section: Section, groups: ReadonlySet<string>, { services, report }: CheckContext): void {
  const names = [...services.keys()].filter((name) => name !== section.name).map(shortName);
  for (const directive of ['after', 'before'] as const) {
    for (const { name, place } of namesOf(section, directive)) {
      if (name.endsWith('.service') || groups.has(name) || name === name.toUpperCase()) continue;
      const meant = names.includes(name) ? name : nearest(name, names);
      const group = meant === undefined || meant !== name ? nearest(name, groups) : undefined;
      if (meant === undefined && group === undefined) continue;
      const hint = meant === undefined ? `did you mean "${group}"?` : `did you mean "${meant}.service"?`;
      report.warning(
        'empty-group',
        `${directive} of ${section.name} names the group ${quote(name)}, which no service is in: it has no effect`,
        place,
        { hint },
      );
    }
  }
}

function checkRestart(section: Section, { restart, exitKills }: ServiceSpec, { report, places }: CheckContext): void {
  const isTried = section.given.has('restart') || section.given.has('restart_on_start_failure');
  for (const key of ['restart_delay', 'restart_limit']) {
    if (isTried || !section.values.has(key)) continue;
    report.warning('no-effect', `${key} of ${section.name} has no effect: it has no restart`, section.given.get(key), {
      hint: 'expected restart, or restart_on_start_failure, too',
    });
  }
  if (!restart || !exitKills) return;
  report.warning(
    'no-effect',
    `restart of ${section.name} has no effect: with exit_kills the system ends with the service`,
    places.directive(section.name, 'restart'),
    { hint: 'expected one of the two: leave out "exit_kills" to have it restarted' },
  );
}

/** `$(NAME)` without an operator; with one it has a value in any case. */
const reference = /(?<!\\)\$(?:\(([A-Za-z_]\w*)\)|\{([A-Za-z_]\w*)\})/g;
/** Set by Chaperone, for some services at least. */
const always: readonly string[] = ['HOME', 'USER', 'LOGNAME', 'NOTIFY_SOCKET', 'CHAPERONE_SOCKET'];

/** Chaperone sets these variables for hooks alone (systemd.exec(5)). */
const ofHooks: readonly string[] = ['MAINPID', 'SERVICE_RESULT', 'EXIT_CODE', 'EXIT_STATUS', 'EXIT_SIGNAL'];

function hasHooks(section: Section): boolean {
  return hookStages.some((stage) => section.given.has(stage));
}

function checkVariables(section: Section, common: readonly string[], { report }: CheckContext): void {
  const own = variablesOf(section);
  const known = new Set([
    ...always,
    ...common,
    ...own.keys(),
    ...secretNamesOf(section),
    ...(hasHooks(section) ? ofHooks : []),
  ]);
  const look = (label: string, scalar: YamlScalar, self?: string): void => {
    if (!scalar.text.includes('$')) return;
    for (const match of scalar.text.matchAll(reference)) {
      const name = match[1] ?? match[2] ?? '';
      if (known.has(name) || name === self || name.startsWith('_CHAP_')) continue;
      // It is used only where it is set: $(NAME:+--option $(NAME)).
      if (new RegExp(`\\$[({]${name}:`).test(scalar.text)) continue;
      const meant = nearest(
        name,
        [...known].filter((other) => other !== self),
      );
      report.warning(
        'unknown-variable',
        `${quote(match[0])} in ${label} names a variable that is not set: the text stays as it is`,
        placeWithin(scalar, match.index, match[0].length),
        {
          hint:
            meant === undefined ? `write it into "env_set", or "$(${name}:-DEFAULT)"` : `did you mean "$(${meant})"?`,
        },
      );
    }
  };
  // What is read at the start may hold any variable.
  const isOpen = section.values.has('env_file') || section.values.has('env_dir');
  for (const [name, scalar] of isOpen ? [] : own) look(`${name} in env_set of ${section.name}`, scalar, name);
  for (const [key, value] of section.values) {
    if (value.kind === 'hooks')
      for (const { scalar } of value.hooks)
        if (!isReadByShell(scalar.text.replace(/^\s*[-+]*/, ''))) look(`${key} of ${section.name}`, scalar);
    if (value.kind !== 'unexpanded' || (key === 'command' && isReadByShell(value.scalar.text))) continue;
    look(`${key === 'command' ? 'the command' : key} of ${section.name}`, value.scalar);
  }
}

function variablesOf(section: Section): ReadonlyMap<string, YamlScalar> {
  const set = section.values.get('env_set');
  return set?.kind === 'textMap' ? set.entries : new Map();
}
