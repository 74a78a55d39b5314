import { watchPlatform } from '../../platform/inspection/inspect-platform.ts';
import { keyOf, startPlatform } from '../../platform/runtime/platform.ts';
import { containersOf } from '../../platform/work/carry-out.ts';
import { digest } from '../../platform/work/digest.ts';
import { hostClock } from '../../platform/work/host-clock.ts';
import { pastOf, waitsOf } from '../../platform/work/past-of.ts';
import { hubSource } from '../../runtime/inspection/hub-source.ts';
import { serveUntilSignal } from '../chaperonectl/serve-page.ts';
import { listen, port } from '../chaperonectl/verb-options.ts';
import { version } from '../version.ts';
import { complain, print } from './console.ts';
import { failureText, findAnyProject, refuse, requireEngine } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

/** Serves one page over the platform and each Chaperone inside it, until a signal comes. */
export async function inspect(request: Request): Promise<number> {
  const { given } = request;
  const project = (await findAnyProject(request)).places.name;
  const engine = await requireEngine();
  const found = await containersOf(engine, project);
  if (!found.ok) return refuse(failureText(found.failure, engine));
  if (found.value.length === 0)
    return refuse(`the project ${project} has no containers: "dockerops run all" makes them`);
  const clock = hostClock();
  const onError = (error: unknown): void => void complain(`the inspection has failed: ${String(error)}`);
  const past = await pastOf(engine, project, found.value);
  const platform = startPlatform(
    { plan: { project, steps: [], warnings: [] }, found: found.value, past },
    { clock, engine, project, timers: clock, digest, makeFolder: () => Promise.resolve(), onError },
  );
  const known = new Map(
    found.value.flatMap((facts) => {
      const key = keyOf(facts);
      return key === undefined ? [] : [[key, { image: facts.image, waitsFor: waitsOf(facts) }] as const];
    }),
  );
  const watch = watchPlatform({ platform, engine, timers: clock, project, version, epoch: past.epoch, known, onError });
  const record = given.get(options.record);
  if (record !== undefined) watch.record(record);
  const pages = hubSource(watch.hub);
  try {
    return await serveUntilSignal(
      'dockerops inspect',
      { port: given.get(port) ?? 0, listen: given.get(listen), source: pages },
      print,
    );
  } finally {
    pages.close();
    watch.close();
    platform.stop();
  }
}
