/** Carries out `scale`: asks for another number of instances, and answers. */
import { isTemplate, mostInstances, templateName } from '../model/service/template.ts';
import { type Answer, done, noSuchService, unstartable } from './answer.ts';
import type { CommandOf, WaitGoal } from './command.ts';
import type { ScaleChange, Supervisor } from './supervisor.ts';

export type Waiting = (names: readonly string[], goal: WaitGoal) => Promise<Answer>;

/** @param waiting waits for services; absent where the caller does not want to wait */
export async function scale(
  { names, count }: CommandOf<'scale'>,
  supervisor: Supervisor,
  waiting: Waiting | undefined,
): Promise<Answer> {
  const templates = [...new Set(names.map(templateName))];
  const unknown = names.filter((name) => !isTemplate(templateName(name)));
  if (unknown.length > 0) return noSuchTemplate(unknown);
  const result = await supervisor.scale(templates, count);
  switch (result.kind) {
    case 'unknown':
      return noSuchTemplate(names.filter((name) => result.names.includes(templateName(name))));
    case 'listed': {
      const text = `${result.names.join(', ')}: "instances" is a list of names there, and only a number or a range can be scaled`;
      return { kind: 'failed', names: result.names, text: `Command error: cannot scale ${text}` };
    }
    case 'mistakes':
      return { kind: 'failed', names: [], text: result.report, diagnostics: result.diagnostics };
    case 'ending':
      return { kind: 'failed', names: [], text: 'Command error: the system is shutting down' };
    case 'unstartable':
      return unstartable(result.services);
    case 'begun':
      break;
  }
  const { changes } = result;
  const awaited: readonly (readonly [WaitGoal, readonly string[]])[] = [
    ['ready', changes.flatMap(({ started }) => started)],
    ['stopped', changes.flatMap(({ stopped }) => stopped)],
  ];
  for (const [goal, services] of waiting === undefined ? [] : awaited) {
    const answer = services.length === 0 ? undefined : await waiting?.(services, goal);
    if (answer !== undefined && answer.kind !== 'done') return answer;
  }
  return done(changes.map((change) => describeChange(change, waiting !== undefined)).join('\n'));
}

function describeChange({ template, count, started, stopped }: ScaleChange, isOver: boolean): string {
  const instances = `${template}: ${count} instance${count === 1 ? '' : 's'}`;
  if (started.length + stopped.length === 0) return `${instances}, as before.`;
  if (isOver) return `${instances}.`;
  return started.length > 0
    ? `${instances}, starting ${inShort(started)}.`
    : `${instances}, stopping ${inShort(stopped)}.`;
}

/** The first and the last of many names. */
function inShort(names: readonly string[]): string {
  const [first = '', ...rest] = names.map((name) => name.replace(/\.service$/, ''));
  if (rest.length < 5) return [first, ...rest].join(', ');
  return `${first} to ${rest.at(-1)}`;
}

function noSuchTemplate(names: readonly string[]): Answer {
  const answer = noSuchService(names);
  return { ...answer, text: `Command error: no such template: ${names.join(', ')}` };
}

/** Reads how many instances there are to be. */
export function readInstanceCount(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) && Number(text) <= mostInstances ? Number(text) : undefined;
}
