/** Reads where services write to, and checks what they name. */
import { isConsumer, isEntry, type Outputs, parseTarget } from '../model/service/output.ts';
import { isTemplate, templateOf } from '../model/service/template.ts';
import { didYouMean, nearest } from '../model/words/nearest.ts';
import type { BuildContext, Defaults } from './build-context.ts';
import { createEnvironment, sectionLevels, serviceLevel } from './environment.ts';
import type { NameReference } from './read-names.ts';
import type { Report } from './report.ts';
import { accountOf } from './resolve-account.ts';
import { choice, expandedBoolean, expandedText, scalarOf } from './section-values.ts';
import type { Section } from './validate.ts';
import { quote } from './wording.ts';

/** A service or a logging entry that an output of a service goes to. */
export interface OutputReference extends NameReference {
  readonly directive: 'stdout' | 'stderr';
}

export interface OutputWishes {
  readonly outputs: Outputs;
  readonly references: readonly OutputReference[];
}

const logged: OutputWishes = { outputs: { stdout: 'log', stderr: 'log' }, references: [] };

/** What a section says of its outputs. Whether the services and entries that it names exist is checked by `checkOutputs`. */
export function readOutputs(section: Section, defaults: Defaults, { commands, report }: BuildContext): OutputWishes {
  if (!section.values.has('stdout') && !section.values.has('stderr')) return logged;
  const account = accountOf(defaults.account);
  const levels = [...defaults.levels, ...sectionLevels(section, account, false), serviceLevel(section.name)];
  const environment = createEnvironment(levels, commands, account);
  const enabled = expandedBoolean(section, 'enabled', environment, report);
  const references: OutputReference[] = [];
  const targetOf = (directive: 'stdout' | 'stderr') => {
    const scalar = scalarOf(section, directive);
    const text = expandedText(section, directive, environment, enabled, report)?.trim();
    if (scalar === undefined || text === undefined) return 'log';
    const target = parseTarget(text);
    if (target === undefined || (target === 'stdout' && directive === 'stdout')) {
      report.error('not-a-choice', `${directive} of ${section.name} is not known: ${quote(text)}`, scalar.place, {
        hint:
          didYouMean(text, directive === 'stderr' ? ['log', 'inherit', 'stdout'] : ['log', 'inherit']) ??
          expectedOutputs(directive),
      });
      return 'log';
    }
    if (isEntry(target) || isConsumer(target)) references.push({ name: target, place: scalar.place, directive });
    return target;
  };
  const stdout = targetOf('stdout');
  const stderr = targetOf('stderr');
  return { outputs: { stdout: stdout === 'stdout' ? 'log' : stdout, stderr }, references };
}

export function expectedOutputs(directive: string): string {
  return `expected log, inherit, ${directive === 'stderr' ? 'stdout, ' : ''}NAME.service or NAME.logging`;
}

interface Declared {
  readonly services: ReadonlyMap<string, Section>;
  /** True where every file could be read. */
  readonly complete: boolean;
  readonly logging: ReadonlyMap<string, Section>;
}

/** Reports outputs that go to what does not exist, or to a service that cannot read them. */
export function checkOutputs(section: Section, wishes: OutputWishes, declared: Declared, report: Report): void {
  const rate = section.given.get('log_rate');
  if (rate !== undefined && !isLogged(section, wishes.outputs))
    report.warning('no-effect', `log_rate of ${section.name} has no effect: none of its lines go into the log`, rate);
  for (const { directive, name, place } of wishes.references) {
    const label = `${directive} of ${section.name}`;
    if (directive === 'stdout' && choice(section, 'type') === 'inetd') {
      const message = `${label} has no effect: the connection is the output of an inetd service`;
      report.error('no-effect', message, place, { hint: 'expected stderr, which may go elsewhere' });
      continue;
    }
    const { services, logging, complete } = declared;
    const known = name.endsWith('.service') ? services : logging;
    const target = known.get(name);
    if (target === undefined) {
      if (!complete) continue;
      const code = known === services ? 'unknown-service' : 'unknown-entry';
      report.error(code, `${label} names ${quote(name)}, which is not declared`, place, {
        hint: nearName(name, section.name, known) ?? `expected a "${name}" in the configuration`,
      });
    } else if (known === services) checkConsumer(label, target, place, report);
  }
}

/** True where lines of the service become records. */
function isLogged(section: Section, { stdout, stderr }: Outputs): boolean {
  if (choice(section, 'type') === 'inetd') return isEntry(stderr);
  return [stdout, stderr].some((target) => target === 'log' || isEntry(target));
}

function checkConsumer(label: string, target: Section, place: NameReference['place'], report: Report): void {
  const { name } = target;
  if (isTemplate(name)) {
    report.error('contradiction', `${label} names the template ${name}, and only one service can read it`, place, {
      hint: `expected one of its instances, such as "${name.replace('@.', '@$(_CHAP_SERVICE_INSTANCE).')}"`,
    });
    return;
  }
  const type = choice(target, 'type');
  if (type === 'simple' || type === 'notify') return;
  report.error('contradiction', `${label} names ${name}, which cannot read it: its type is ${type}`, place, {
    hint: 'expected a service of type simple or notify',
  });
}

function nearName(name: string, own: string, known: ReadonlyMap<string, Section>): string | undefined {
  const template = templateOf(name);
  if (template !== undefined && known.has(template)) return `it is none of the instances of ${template}`;
  const suffix = name.replace(/^.*\./s, '.');
  const stems = [...known.keys()].filter((other) => other !== own).map((other) => other.slice(0, -suffix.length));
  const near = nearest(name.slice(0, -suffix.length), stems);
  return near === undefined ? undefined : `did you mean "${near}${suffix}"?`;
}
