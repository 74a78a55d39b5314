/** Puts services in the place of templates: `worker@.service` with `instances: 3` becomes three sections. */
import {
  type InstanceRange,
  instanceName,
  instancesOf,
  isSameRange,
  isTemplate,
  parseInstances,
  parseNames,
  type Scale,
  type Template,
  templateOf,
} from '../model/service/template.ts';
import type { BuildContext, Defaults } from './build-context.ts';
import { createEnvironment, expandDirective, sectionLevels, serviceLevel } from './environment.ts';
import type { Report } from './report.ts';
import { accountOf } from './resolve-account.ts';
import type { Section } from './validate.ts';

/** How many instances of templates were asked for by hand, by the template's name. */
export type Scales = ReadonlyMap<string, Scale>;

export interface Instantiated {
  /** The sections of services, with those of instances in the place of templates. */
  readonly sections: readonly Section[];
  readonly templates: readonly Template[];
}

/** @param scales what was asked for by hand; it counts as long as the files say the same as then */
export function instantiate(
  services: ReadonlyMap<string, Section>,
  scales: Scales,
  defaults: Defaults,
  context: BuildContext,
): Instantiated {
  const templates = new Map<string, Template>();
  for (const section of services.values()) {
    if (!isTemplate(section.name)) warnOfInstances(section, context.report);
    else templates.set(section.name, readTemplate(section, scales.get(section.name), defaults, context));
  }
  const sections = [...services.values()].flatMap((section): readonly Section[] => {
    const template = templates.get(section.name);
    if (template !== undefined) return sectionsOf(template, section, services);
    const own = templates.get(templateOf(section.name) ?? '');
    if (own !== undefined) warnOfAbsent(section, own, context.report);
    // It stands in the place of its template, if it is one of the instances.
    return own === undefined ? [section] : [];
  });
  return { sections, templates: [...templates.values()] };
}

function readTemplate(section: Section, scale: Scale | undefined, defaults: Defaults, context: BuildContext): Template {
  const { name } = section;
  const configured = readRange(section, defaults, context) ?? { kind: 'list', names: [] };
  const holds = scale !== undefined && configured.kind === 'numbers' && isSameRange(scale.configured, configured);
  return { name, configured, ...(holds ? { scaled: scale.count } : {}) };
}

/** What the files say; undefined after a mistake, and while a command still has to run. */
function readRange(
  section: Section,
  defaults: Defaults,
  { commands, report }: BuildContext,
): InstanceRange | undefined {
  const value = section.values.get('instances');
  if (value?.kind !== 'instances') {
    if (!section.given.has('instances'))
      report.error('missing-directive', `${section.name} is a template and has no instances`, section.place, {
        hint: 'expected "instances: 3", a range such as 0-3, or a list of names',
      });
    return undefined;
  }
  const account = accountOf(defaults.account);
  const levels = [...defaults.levels, ...sectionLevels(section, account, false), serviceLevel(section.name)];
  const environment = createEnvironment(levels, commands, account);
  const expansion = { owner: section.name, enabled: true, report };
  const texts = value.items.map((item) => expandDirective(environment, 'instances', item, expansion)?.trim());
  if (texts.some((text) => text === undefined)) return undefined;
  const words = texts.filter((text) => text !== undefined);
  const label = `instances of ${section.name}`;
  if (!value.isList && words.every((word) => word === '')) {
    report.error('empty-value', `${label} expands to nothing`, value.place, { hint: 'expected 0 for none' });
    return undefined;
  }
  const read = value.isList ? parseNames(words) : parseInstances(words.join());
  if (read.ok) return read.range;
  report.error(read.code, `${label} ${read.problem}`, value.place, {
    hint: read.hint ?? 'expected a number, a range such as 0-3, or a list of names',
  });
  return undefined;
}

/** A section of an instance's own name replaces what the template says of it. */
function sectionsOf(
  { name, configured, scaled }: Template,
  section: Section,
  services: ReadonlyMap<string, Section>,
): readonly Section[] {
  return instancesOf(configured, scaled).map((instance) => {
    const full = instanceName(name, instance);
    return services.get(full) ?? { ...section, name: full };
  });
}

function warnOfInstances({ name, given }: Section, report: Report): void {
  const place = given.get('instances');
  if (place === undefined) return;
  const stem = name.replace(/@.*$|\.service$/s, '');
  report.error('contradiction', `instances of ${name}: only a template has some`, place, {
    hint: `expected the name "${stem}@.service" for the section`,
  });
}

function warnOfAbsent(
  { name, place }: Section,
  { name: template, configured, scaled }: Template,
  report: Report,
): void {
  if (instancesOf(configured, scaled).some((instance) => instanceName(template, instance) === name)) return;
  report.warning('no-effect', `${name} has no effect: it is none of the instances of ${template}`, place, {
    hint:
      configured.kind === 'numbers'
        ? 'it counts once the template is scaled to it'
        : `expected its name in "instances" of ${template}`,
  });
}

/** A report for the sections of one template: a mistake that its instances share is told once. */
export function reportForInstance(name: string, report: Report): Report {
  const template = templateOf(name);
  if (template === undefined) return report;
  const shared = (code: string, message: string, place: { readonly start: number } | undefined): string =>
    `${template}\0${code}\0${place?.start ?? ''}\0${message.replaceAll(name, () => template)}`;
  return {
    error: (code, message, place, remarks = {}) =>
      report.error(code, message, place, { ...remarks, once: remarks.once ?? shared(code, message, place) }),
    warning: (code, message, place, remarks = {}) =>
      report.warning(code, message, place, { ...remarks, once: remarks.once ?? shared(code, message, place) }),
    get errorCount() {
      return report.errorCount;
    },
    finish: (order) => report.finish(order),
  };
}
