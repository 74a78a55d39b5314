/** What the directives of a service say about its ties to others: stages of references, and the answers to losses and returns. */
import {
  type LossAnswer,
  lossAnswers,
  type PrerequisiteStage,
  prerequisiteStages,
  type ReturnAnswer,
  returnAnswers,
  type Tie,
  type Ties,
} from '../model/order/prerequisite.ts';
import { consoleService, type ServiceSpec } from '../model/service/service-spec.ts';
import { alternatives, didYouMean } from '../model/words/nearest.ts';
import type { Environment } from './environment.ts';
import type { NameReference } from './read-names.ts';
import type { Report } from './report.ts';
import { expandedChoice, scalarOf } from './section-values.ts';
import type { Place } from './source.ts';
import type { Section } from './validate.ts';
import { quote } from './wording.ts';

/** A reference with the stage that follows its last colon. */
export interface StagedReference extends NameReference {
  /** Absent: ready. */
  readonly stage?: PrerequisiteStage;
}

/** The directives that make a service wait for others. */
export const tyingDirectives = ['after', 'wants', 'requires'] as const satisfies readonly Tie['kind'][];

/**
 * Takes the stage off a reference: what follows its last colon, where that comes after `.service` or after a group's name.
 * A group whose own name has a colon keeps it.
 *
 * @returns undefined for a stage that nobody knows, which is reported
 */
export function stagedReference(
  reference: NameReference,
  label: string,
  isGroup: (name: string) => boolean,
  report: Report,
): StagedReference | undefined {
  const { name, place } = reference;
  const colon = name.lastIndexOf(':');
  if (colon < 0 || name.endsWith('.service') || isGroup(name)) return reference;
  const word = name.slice(colon + 1);
  const stage = prerequisiteStages.find((one) => one === word);
  if (stage !== undefined) return { name: name.slice(0, colon), place, stage };
  const isWritten = place.end - place.start === name.length;
  const where = isWritten ? { ...place, start: place.start + colon + 1 } : place;
  report.error('not-a-choice', `${label} names the stage ${quote(word)}, which does not exist`, where, {
    hint: didYouMean(word, prerequisiteStages) ?? `expected ${alternatives(prerequisiteStages)}`,
  });
  return undefined;
}

/** Reports names that stand in two of after, wants and requires. */
export function checkSingleTies(
  owner: string,
  references: readonly (readonly [Tie['kind'], readonly NameReference[]])[],
  report: Report,
): void {
  const first = new Map<string, { readonly directive: string; readonly place: Place }>();
  for (const [directive, names] of references) {
    for (const { name, place } of names) {
      const known = first.get(name);
      if (known === undefined) first.set(name, { directive, place });
      else if (known.directive !== directive) {
        const message = `${owner} has ${quote(name)} both in ${known.directive} and in ${directive}`;
        report.error('contradiction', message, place, {
          hint: 'expected one of them: requires waits as after does, and wants goes on without',
          related: { message: `it stands in ${known.directive} here`, place: known.place },
        });
      }
    }
  }
}

/** Stages that another one of the list includes are left out. */
export function leastStages(stages: ReadonlySet<PrerequisiteStage>): Tie['stages'] {
  const implied =
    stages.has('healthy') || stages.has('exited') ? ['ready', 'started'] : stages.has('ready') ? ['started'] : [];
  return prerequisiteStages.filter((stage) => stages.has(stage) && !implied.includes(stage));
}

/** Reads `on_prerequisite_failure` and `on_prerequisite_restart`. */
export function readAnswers(
  section: Section,
  environment: Environment,
  enabled: boolean,
  report: Report,
): Pick<ServiceSpec, 'onPrerequisiteFailure' | 'onPrerequisiteRestart'> {
  const requires = section.given.has('requires');
  for (const key of ['on_prerequisite_failure', 'on_prerequisite_restart'] as const) {
    if (requires || !section.given.has(key)) continue;
    report.error(
      'no-effect',
      `${key} of ${section.name} has no effect: it requires no service`,
      section.given.get(key),
      {
        hint: 'expected "requires: NAME.service", in place of "after"',
      },
    );
  }
  const loss = expandedChoice(section, 'on_prerequisite_failure', environment, enabled, report);
  const back = expandedChoice(section, 'on_prerequisite_restart', environment, enabled, report);
  const onLoss = lossAnswers.find((answer): answer is LossAnswer => answer === loss);
  const onReturn = returnAnswers.find((answer): answer is ReturnAnswer => answer === back);
  if (onReturn === 'reload' && !section.given.has('reload_command') && !section.given.has('reload_signal')) {
    const place = scalarOf(section, 'on_prerequisite_restart')?.place;
    report.error('no-effect', `${section.name} cannot reload: it has no reload_command and no reload_signal`, place, {
      hint: 'expected one of them, or "on_prerequisite_restart: restart"',
    });
  }
  return {
    ...(onLoss === undefined ? {} : { onPrerequisiteFailure: onLoss }),
    ...(onReturn === undefined ? {} : { onPrerequisiteRestart: onReturn }),
  };
}

/** A stage that a directive names, for the check against the services that it means. */
export interface StageWish {
  readonly owner: string;
  readonly directive: string;
  readonly target: string;
  readonly stage: PrerequisiteStage;
  readonly place: Place;
}

/** Reports stages that the named services never reach, whatever happens. */
export function checkStages(wishes: readonly StageWish[], services: readonly ServiceSpec[], report: Report): void {
  const specs = new Map(services.map((spec) => [spec.name, spec]));
  for (const { owner, directive, target, stage, place } of wishes) {
    const spec = specs.get(target);
    const why = spec === undefined ? undefined : neverReached(spec, stage);
    if (why === undefined) continue;
    report.error(
      'impossible-order',
      `${directive} of ${owner} waits for ${target} to be ${stage}, and ${why.reason}`,
      place,
      {
        hint: why.hint,
      },
    );
  }
}

function neverReached(
  spec: ServiceSpec,
  stage: PrerequisiteStage,
): { readonly reason: string; readonly hint: string } | undefined {
  switch (stage) {
    case 'started':
    case 'ready':
      return undefined;
    case 'healthy':
      return spec.healthy !== undefined
        ? undefined
        : { reason: 'it has no health probe', hint: `expected "healthy" in ${sectionOf(spec)}, or the stage ready` };
    case 'exited':
      if (spec.type === 'cron' || spec.type === 'inetd')
        return { reason: `a service of type ${spec.type} does not end`, hint: 'expected the stage ready' };
      return restartsAlways(spec)
        ? {
            reason: 'with restart: always it never stays ended',
            hint: 'expected restart: on-failure, or the stage ready',
          }
        : undefined;
  }
}

function restartsAlways(spec: ServiceSpec): boolean {
  return spec.restartPolicy?.always === true;
}

function sectionOf({ name }: ServiceSpec): string {
  return name === consoleService ? 'a service of its own' : name;
}

/** The ties of one service that are not plain; undefined where there are none. */
export function tiesOf(ties: ReadonlyMap<string, Tie>): Ties | undefined {
  const special = [...ties].filter(([, { kind, stages }]) => kind !== 'after' || stages.join() !== 'ready');
  return special.length === 0 ? undefined : Object.fromEntries(special);
}
