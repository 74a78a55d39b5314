/** Tells what went wrong since the boot, from a running chaperone or from a journal. */
import { exitStatuses } from '../../control/answer.ts';
import { eventsIn } from '../../control/line-call.ts';
import type { HistoryLine } from '../../facts/history.ts';
import { type Course, type Incident, incidentsOf, renderIncident, type Stay } from '../../facts/incidents.ts';
import { type Line, linesIn, recordedIncidents, withLastWords } from '../../inspect/recorded-incidents.ts';
import { gapText } from '../../inspect/render-report.ts';
import { applyEntry, createReplica } from '../../inspect/replica.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import { get, refused, withControl } from './control-call.ts';
import { JournalFileError, loadBoot } from './journal-file.ts';
import { print } from './print.ts';
import { readHistory, readMoment, readServices } from './read-services.ts';
import type { Request } from './read-words.ts';
import { boot, json } from './verb-options.ts';

interface Told {
  readonly incidents: readonly Incident[];
  /** Remarks about what the record does not tell. */
  readonly remarks: readonly string[];
}

export async function run({ given, words: [file, ...others] }: Request): Promise<number> {
  const asJson = given.get(json);
  if (others.length > 0) return mistake(`too many files: ${others.join(' ')}`);
  if (file === undefined) {
    if (given.has(boot)) return mistake('--boot needs a journal: FILE');
    return withControl(() => tellOfNow(asJson));
  }
  try {
    return await tell(await recorded(file, given.get(boot)), asJson);
  } catch (error) {
    if (!(error instanceof JournalFileError)) throw error;
    await print(2, `chaperonectl incidents: ${error.message}\n`);
    return error.exitStatus;
  }
}

async function mistake(text: string): Promise<number> {
  await print(2, `chaperonectl incidents: ${text}\ntry "chaperonectl incidents --help"\n`);
  return exitStatuses.mistake;
}

async function recorded(file: string, choice: string | undefined): Promise<Told> {
  const { entries } = await loadBoot(file, choice, (line) => print(2, `chaperonectl incidents: ${line}\n`));
  const replica = createReplica();
  for (const entry of entries) applyEntry(replica, entry);
  return {
    incidents: recordedIncidents(replica, replica.at, linesIn(entries)),
    remarks: replica.gaps.map((gap) => `${gapText(gap)}: what happened then is not told`),
  };
}

async function tellOfNow(asJson: boolean): Promise<number> {
  const [system, services] = [await get('/v1/status'), await get('/v1/services')];
  const failed = [system, services].find(({ status }) => status !== 200);
  if (failed !== undefined) return refused(failed.body, asJson);
  const courses: Course[] = [];
  let detailFrom = 0;
  for (const { name, prerequisites } of readServices(services.body)) {
    const { status, body } = await get(`/v1/services/${encodeURIComponent(name)}/history`);
    if (status !== 200) return refused(body, asJson);
    const history = readHistory(body);
    courses.push({ name, waitsFor: prerequisites, stays: staysOf(history) });
    for (const line of history) if (line.kind === 'lost') detailFrom = Math.max(detailFrom, line.at);
  }
  const remarks =
    detailFrom === 0
      ? []
      : [`of the time before ${(detailFrom / 1000).toFixed(3)} s only the first and the last failures are known`];
  const uptime = readMoment(system.body, 'uptime') ?? 0;
  const lineBefore = await linesOfNow(Date.now() - uptime);
  return tell(
    { incidents: incidentsOf(courses, uptime).map((each) => withLastWords(each, lineBefore)), remarks },
    asJson,
  );
}

/**
 * Finds the last line of a service before an instant, among the records that chaperone keeps; finds none for a caller who may not read them.
 *
 * @param epoch Unix ms at which chaperone began
 */
async function linesOfNow(epoch: number): Promise<(service: string, at: number) => Line | undefined> {
  const { status, body } = await get('/v1/logs');
  if (status !== 200) return () => undefined;
  const lines = eventsIn(body, 'record').map((data) => {
    const { time, service, message }: LogRecord = JSON.parse(data);
    return { at: time - epoch, service, message };
  });
  return (service, at) => lines.findLast((line) => line.service === service && line.at <= at);
}

function staysOf(history: readonly HistoryLine[]): readonly Stay[] {
  const moves = history.flatMap((line) => (line.kind === 'transition' ? [line] : []));
  const first = moves[0]?.from;
  return [
    // Before its first move a service waits, or is disabled, and no line tells of that.
    ...(first === undefined ? [] : [{ state: first, from: 0 }]),
    ...moves.map(({ to, at, event, cause }) => ({
      state: to,
      from: at,
      ...(event === undefined ? {} : { event }),
      ...(cause === undefined ? {} : { cause }),
    })),
  ];
}

async function tell({ incidents, remarks }: Told, asJson: boolean): Promise<number> {
  const lines =
    incidents.length === 0 ? ['no service has failed'] : incidents.flatMap((incident) => renderIncident(incident));
  await print(
    1,
    asJson ? `${JSON.stringify(incidents)}\n` : [...remarks, ...lines].map((line) => `${line}\n`).join(''),
  );
  return exitStatuses.done;
}
