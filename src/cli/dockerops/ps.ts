import type { Engine } from '../../platform/engine/engine.ts';
import { instanceKey } from '../../platform/model/instance.ts';
import { typeOfInstance } from '../../platform/model/instance-types.ts';
import { strays } from '../../platform/model/make-plan.ts';
import type { ObservedContainer } from '../../platform/model/plan.ts';
import { imageName } from '../../platform/model/project.ts';
import { observe } from '../../platform/work/observe.ts';
import { columns, print, printJson } from './console.ts';
import { entriesOf, exitStatuses, failureText, refuse, requireEngine, requireProject } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';

/** An instance that is there, or that the conf names. */
interface Line {
  readonly instance: string;
  readonly state: string;
  readonly since?: number;
  readonly address?: string;
  readonly ports: readonly string[];
  readonly type: string;
  readonly note: string;
  readonly found?: ObservedContainer;
}

export async function ps(request: Request): Promise<number> {
  const { lines } = await look(request);
  if (request.given.get(options.json)) {
    await printJson(
      lines.map(({ found, ...line }) => ({ ...line, ...(found === undefined ? {} : { container: found.id }) })),
    );
    return exitStatuses.done;
  }
  await print(1, tableOf(lines));
  return exitStatuses.done;
}

/** As `ps`, with what Chaperone inside each says of its services. */
export async function status(request: Request): Promise<number> {
  const { lines, engine } = await look(request);
  const asJson = request.given.get(options.json);
  const told = [];
  for (const line of lines) {
    const running = line.found?.state === 'running' ? line.found : undefined;
    const words = ['chaperonectl', 'status', ...(asJson ? ['--json'] : [])];
    const answer = running === undefined ? undefined : await engine.containers.run(running.id, { command: words });
    // An image without Chaperone has nothing to say.
    const inside = answer?.ok === true && answer.value.exitCode === 0 ? answer.value.stdout : undefined;
    told.push({ line, inside });
  }
  if (asJson) {
    await printJson(
      told.map(({ line: { found: _, ...line }, inside }) => ({
        ...line,
        chaperone: inside === undefined ? null : parsed(inside),
      })),
    );
    return exitStatuses.done;
  }
  const table = tableOf(lines).split('\n');
  const [head = '', ...rows] = table;
  const parts = told.flatMap(({ inside }, index) => [
    `${rows[index] ?? ''}\n`,
    ...(inside?.trimEnd().split('\n') ?? []).map((text) => (text === '' ? '\n' : `    ${text}\n`)),
  ]);
  await print(1, `${head}\n${parts.join('')}`);
  return exitStatuses.done;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function look(request: Request): Promise<{ readonly lines: readonly Line[]; readonly engine: Engine }> {
  const project = await requireProject(request);
  const engine = await requireEngine();
  const entries = entriesOf(project);
  const images = [...new Set(entries.map(({ container }) => imageName(project.places.name, container)))];
  const observed = await observe(engine, project.places.name, images);
  if (!observed.ok) return refuse(failureText(observed.failure, engine));
  const { containers } = observed.value;
  const known = new Map(containers.map((container) => [container.key, container]));
  const lines = entries.map((entry): Line => {
    const found = known.get(instanceKey(entry));
    const type = entry.type ?? typeOfInstance(entry.instance);
    if (found === undefined) return { instance: instanceKey(entry), state: 'absent', ports: [], type, note: '' };
    const image = observed.value.images.get(imageName(project.places.name, entry.container));
    const note = image !== undefined && image.id !== found.imageId ? 'its image has changed' : '';
    return lineOf(found, note);
  });
  const others = strays(observed.value, entries).map((found) =>
    lineOf(found, project.run === undefined ? '' : 'not in the conf'),
  );
  const all = [...lines, ...others];
  const { words } = request;
  const named = all.filter(
    ({ instance, found }) =>
      words.length === 0 ||
      words.includes('all') ||
      words.some((word) => instance === word || found?.container === word || instance.startsWith(`${word}-`)),
  );
  if (named.length === 0 && words.length > 0) return refuse(`there is no instance of "${words.join('", "')}"`);
  return { lines: named, engine };
}

function lineOf(found: ObservedContainer, note: string): Line {
  const { key, state, health, exitCode, startedAt, address, recorded } = found;
  const shown =
    state === 'running' && health !== undefined ? health : state === 'exited' ? `exited (${exitCode ?? '?'})` : state;
  return {
    instance: key,
    state: shown,
    ...(startedAt === undefined || state !== 'running' ? {} : { since: startedAt }),
    ...(address === undefined || state !== 'running' ? {} : { address }),
    ports: recorded?.ports ?? [],
    type: recorded?.type ?? '',
    note,
    found,
  };
}

function tableOf(lines: readonly Line[]): string {
  const rows = lines.map(({ instance, state, since, address, ports, type, note }) => [
    ...[instance, state, since === undefined ? '–' : age(Date.now() - since), address ?? '–'],
    ...[type === '' ? '–' : type, ports.length === 0 ? '–' : ports.join(', '), note],
  ]);
  return columns([['INSTANCE', 'STATE', 'SINCE', 'ADDRESS', 'TYPE', 'PORTS', 'NOTE'], ...rows]);
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
