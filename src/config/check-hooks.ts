/** Reports hooks whose programs are missing, and stops that take longer than a shutdown lets them. */
import { leastShare, shutdownReserve, stopShare } from '../model/order/ordering.ts';
import { describePlace, hookStages, hooksOf, hookWords } from '../model/service/hook.ts';
import type { ServiceSpec, SystemSpec } from '../model/service/service-spec.ts';
import { isPlain } from '../model/words/expand.ts';
import { hooksIn } from './build-hooks.ts';
import type { CheckContext } from './check-programs.ts';
import { quote } from './wording.ts';

export function checkHooks(spec: SystemSpec, starting: readonly ServiceSpec[], context: CheckContext): void {
  for (const service of starting) {
    checkHookPrograms(service, context);
    checkStopTimeout(service, spec.shutdownTimeout, context);
  }
}

/** A hook whose program has a name of its own is looked up as a start would; a relative path may come to be before. */
function checkHookPrograms(service: ServiceSpec, { places, probe, report }: CheckContext): void {
  const section = places.services.get(service.name);
  const { environment, late } = service;
  if (section === undefined || late?.names.includes('PATH') === true) return;
  for (const stage of hookStages) {
    const written = hooksIn(section, stage);
    for (const [index, hook] of hooksOf(service.hooks, stage).entries()) {
      const words = isPlain(hook.command) && hook.mayFail !== true ? hookWords(hook, environment) : undefined;
      const [program = ''] = words?.ok === true ? words.argv : [];
      if (program === '' || (program.includes('/') && !program.startsWith('/'))) continue;
      const searchPath = environment['PATH'] ?? '';
      if (probe.findProgram(program, searchPath, probe.directory) !== undefined) continue;
      const place = describePlace({ stage, nth: index + 1, of: written.length });
      report.warning(
        'program-not-found',
        `the program ${quote(program)} in ${place} of ${service.name} is not found`,
        written[index]?.scalar.place,
        {
          hint: program.includes('/')
            ? 'there is no such file'
            : `looked for in ${searchPath === '' ? 'the usual folders' : searchPath}`,
        },
      );
    }
  }
}

/** ms. */
const oneDay = 24 * 60 * 60 * 1000;

/** The whole shutdown has one budget. */
function checkStopTimeout(
  { name, stopTimeout }: ServiceSpec,
  budget: number,
  { graph, places, report }: CheckContext,
): void {
  // Whoever waits for a day waits for the end, and leaves it to the shutdown to know better.
  if (stopTimeout === undefined || stopTimeout >= oneDay) return;
  const below = graph.nodes[name]?.layer ?? 0;
  const share = stopShare(below, budget, budget, stopTimeout);
  if (share >= stopTimeout) return;
  const isGiven = places.directive(name, 'stop_timeout') !== undefined;
  const needed = stopTimeout + below * leastShare;
  const whole = Math.ceil((needed + shutdownReserve(2 * needed)) / 100) / 10;
  const key = isGiven ? 'stop_timeout' : 'kill_signal';
  report.warning(
    'shutdown-too-short',
    `a stop of ${name} may take ${stopTimeout / 1000} s (${key}), and in a shutdown only ${share / 1000} s (shutdown_timeout ${budget / 1000} s)`,
    places.directive(name, key),
    {
      hint: `expected shutdown_timeout ${whole} or more, and as much of whoever stops the container (docker stop --time)`,
    },
  );
}
