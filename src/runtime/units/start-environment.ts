/** The environment of one start: as it is configured, with what is read for it from files. */

import { type Message, valueLinesIgnored } from '../../model/log/messages.ts';
import type { composeValues } from '../../model/service/compose-values.ts';
import { environmentOfRun } from '../../model/service/late-environment.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { SpawnError } from '../../model/service/spawn-error.ts';
import { requestsFor, type ValueSources } from '../../model/service/value-sources.ts';
import { codeOf, messageOf } from '../../model/words/errno.ts';
import type { Clock, Kernel } from '../kernel.ts';

type Compose = typeof composeValues;

export interface EnvironmentPorts {
  readonly kernel: Pick<Kernel, 'readValues'>;
  readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>;
  /** Called at the first start that reads values. */
  readonly loadValues: () => Compose | Promise<Compose>;
  readonly onMessage: (message: Message) => void;
}

export type StartEnvironment =
  | {
      readonly ok: true;
      readonly environment: Readonly<Record<string, string>>;
      /** Variables that are not to be shown. */
      readonly hidden: ReadonlySet<string>;
    }
  | { readonly ok: false; readonly error: SpawnError };

const nothingHidden: ReadonlySet<string> = new Set();
/** ms until a start is given up whose files cannot be read: the disk may be far away, and gone. */
export const readPatience = 10_000;

/**
 * Makes the environment of one start, and calls back once: in this turn where nothing is read, else in a later one.
 *
 * @param known the variables of this start
 * @returns gives it up; then the call back comes soon, in a later turn, with ECANCELED
 */
export function startEnvironment(
  service: ServiceSpec,
  known: Readonly<Record<string, string>>,
  ports: EnvironmentPorts,
  told: (result: StartEnvironment) => void,
): () => void {
  if (service.values !== undefined) return readFor(service, service.values, known, ports, told);
  told({ ok: true, environment: environmentOfRun(service, known), hidden: nothingHidden });
  return () => undefined;
}

function readFor(
  service: ServiceSpec,
  sources: ValueSources,
  known: Readonly<Record<string, string>>,
  { kernel, clock, loadValues, onMessage }: EnvironmentPorts,
  told: (result: StartEnvironment) => void,
): () => void {
  let isOver = false;
  const finish = (result: StartEnvironment): void => {
    if (isOver) return;
    isOver = true;
    clock.clearTimeout(timer);
    told(result);
  };
  const fail = (code: string, detail: string): void =>
    finish({ ok: false, error: { code, stage: 'values', program: service.argv[0] ?? '', detail } });
  const timer = clock.setTimeout(
    () => fail('ETIMEDOUT', `read its values: they were not read within ${readPatience / 1000} s`),
    readPatience,
  );
  kernel.readValues(requestsFor(sources), (results) => {
    const compose = (run: Compose): void => {
      if (isOver) return;
      const composed = run(sources, results, known);
      if (!composed.ok) {
        fail(composed.code, composed.detail);
        return;
      }
      for (const { path, lines } of composed.ignored) onMessage(valueLinesIgnored(service.name, path, lines));
      finish(composed);
    };
    const loaded = loadValues();
    if (!(loaded instanceof Promise)) compose(loaded);
    else
      loaded
        .then(compose)
        .catch((error: unknown) => fail(codeOf(error) ?? 'EIO', `read its values: ${messageOf(error)}`));
  });
  return () => {
    if (isOver) return;
    isOver = true;
    clock.clearTimeout(timer);
    clock.setTimeout(() => {
      told({
        ok: false,
        error: { code: 'ECANCELED', stage: 'values', program: service.argv[0] ?? '', detail: cancelled },
      });
    }, 0);
  };
}

const cancelled = 'read its values: its start was cancelled';
