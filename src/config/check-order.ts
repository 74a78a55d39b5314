/** Reports what the order of services makes impossible: services that can never start, and stops without enough time. */
import type { DependencyGraph } from '../model/order/dependency-graph.ts';
import { blocked, type Standing, type Standings } from '../model/order/ordering.ts';
import { budgetFor, overrun, stopNeeds } from '../model/order/stop-budget.ts';
import { type ServiceSpec, type SystemSpec, shortName } from '../model/service/service-spec.ts';
import type { CheckContext, Outlook } from './check-programs.ts';

/** Most services that are reported one by one; of the rest only the number. */
const mostUnreachable = 20;

/** Whether a service that starts can become ready. */
export function startOutlook(service: ServiceSpec, { places, report, graph }: CheckContext): Outlook {
  const { name, type } = service;
  const waits = type === 'oneshot' || type === 'forking' || type === 'notify' || service.pidfile !== undefined;
  if (waits && service.processTimeout === 0) {
    const place = places.directive(name, 'process_timeout') ?? places.directive('settings', 'process_timeout');
    report.warning('never-ready', `${name} cannot become ready: its process_timeout is 0`, place, {
      hint: `expected the seconds that a ${type} service may take`,
    });
    return { kind: 'fails', why: 'whose process_timeout is 0', runs: true };
  }
  // Without dependents this is how a task is written, and no mistake.
  if (type === 'oneshot' && service.exitKills && (graph.nodes[name]?.dependents.length ?? 0) > 0) {
    return { kind: 'fails', why: 'whose end is the end of the system (exit_kills)', runs: true };
  }
  return { kind: 'starts' };
}

/**
 * The services that can never start, by the rules of the running system.
 *
 * @returns their names
 */
export function checkReachable(outlooks: ReadonlyMap<string, Outlook>, context: CheckContext): ReadonlySet<string> {
  const { graph, services, places, report } = context;
  const standings: Standings = new Map(
    graph.names.map((name): [string, Standing] => {
      const outlook = outlooks.get(name)?.kind;
      const phase = outlook === 'disabled' ? 'disabled' : outlook === 'fails' ? 'failed' : 'pending';
      const ignoreFailures = services.get(name)?.ignoreFailures ?? false;
      return [name, { phase, hasBeenReady: false, ignoreFailures }];
    }),
  );
  const unreachable = blocked(graph, standings);
  let told = 0;
  for (const name of unreachable) {
    told += 1;
    if (told > mostUnreachable) continue;
    const chain = chainToFailure(name, unreachable, outlooks, graph);
    const last = chain.at(-1) ?? '';
    const outlook = outlooks.get(last);
    const why = outlook?.kind === 'fails' ? `, ${outlook.why}` : '';
    const through = chain.length > 2 ? ` (${[...chain].map(shortName).join(' → ')})` : '';
    const place = places.directive(name, 'after') ?? places.section(name);
    report.warning('never-starts', `${name} can never start: it waits for ${last}${why}${through}`, place);
  }
  if (told > mostUnreachable)
    report.warning('never-starts', `${told - mostUnreachable} more services can never start`, undefined);
  return unreachable;
}

/** The path from a service over its prerequisites to one that fails; over stages if no directive leads there. */
function chainToFailure(
  start: string,
  unreachable: ReadonlySet<string>,
  outlooks: ReadonlyMap<string, Outlook>,
  graph: DependencyGraph,
): readonly string[] {
  const isLost = (name: string): boolean => unreachable.has(name) || outlooks.get(name)?.kind === 'fails';
  const chain = [start];
  for (let name = start; outlooks.get(name)?.kind !== 'fails'; ) {
    const node = graph.nodes[name];
    const next =
      node?.prerequisites.find(isLost) ??
      graph.names.find((other) => (graph.nodes[other]?.stage ?? 0) < (node?.stage ?? 0) && isLost(other));
    if (next === undefined) break;
    chain.push(next);
    name = next;
  }
  return chain;
}

/** Warns if `shutdown_timeout` is too short for all layers, each of which stops after the one above. */
export function checkStop(spec: SystemSpec, outlooks: ReadonlyMap<string, Outlook>, context: CheckContext): void {
  const { graph, services, places, report } = context;
  // A oneshot has ended before the shutdown and needs no time.
  const lives = (name: string): boolean =>
    outlooks.get(name)?.kind === 'starts' && services.get(name)?.type !== 'oneshot';
  const needs = stopNeeds(
    graph,
    graph.names.flatMap((name) => {
      const service = services.get(name);
      return service !== undefined && lives(name) ? [service] : [];
    }),
  );
  const budget = spec.shutdownTimeout;
  if (needs.length < 2 || overrun(needs, budget) === 0) return;
  const needed = Math.ceil(budgetFor(needs) / 100) / 10;
  report.warning(
    'shutdown-too-short',
    `services stop in ${needs.length} layers, one after the other, and a shutdown_timeout of ${budget / 1000} s is too short for that`,
    places.directive('settings', 'shutdown_timeout'),
    { hint: `expected shutdown_timeout ${needed} or more: 1 s for each layer, and a reserve for the last SIGKILL` },
  );
}
