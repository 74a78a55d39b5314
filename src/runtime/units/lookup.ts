/** The `lookup` port of the conditions machine: it looks for the files and variables that `start_if` asks about. */
import { type EventObject, fromCallback } from 'xstate';
import type { LookedFact } from '../../machines/conditions.ts';
import { answersOf, type NoAnswer, questionsOf } from '../../model/service/condition.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { Clock, Kernel } from '../kernel.ts';
import { type EnvironmentPorts, startEnvironment } from './start-environment.ts';

export interface LookupPorts extends Omit<EnvironmentPorts, 'kernel' | 'clock'> {
  readonly kernel: Pick<Kernel, 'fileExists' | 'readValues'>;
  readonly clock: Clock;
}

export function lookupLogic(ports: LookupPorts) {
  const { kernel, clock } = ports;
  return fromCallback<EventObject, ServiceSpec, LookedFact>(({ input: service, sendBack }) => {
    const { startIf } = service;
    if (startIf === undefined) throw new Error(`internal error: ${service.name} has no conditions`);
    const questions = questionsOf(startIf);
    const answers: (boolean | undefined)[] = questions.map(() => undefined);
    let failure: NoAnswer | undefined;
    let open = 1;
    const close = (): void => {
      open -= 1;
      if (open > 0) return;
      sendBack({
        type: 'conditions.looked',
        answers,
        ...(failure === undefined ? {} : { failure }),
        at: clock.now(),
      });
    };
    questions.forEach((question, index) => {
      if (question.kind !== 'file') return;
      open += 1;
      kernel.fileExists(question.path, (exists) => {
        answers[index] = exists;
        close();
      });
    });
    let giveUp = (): void => undefined;
    // What a service reads for its environment is read only where a condition asks for a variable.
    if (questions.some(({ kind }) => kind === 'env')) {
      open += 1;
      giveUp = startEnvironment(service, {}, ports, (result) => {
        if (!result.ok) failure = { kind: 'spawn', error: result.error };
        else for (const [index, answer] of answersOf(startIf, result.environment).entries()) answers[index] ??= answer;
        close();
      });
    }
    close();
    // XState lets a stopped actor send nothing, whatever is found later.
    return () => giveUp();
  });
}
