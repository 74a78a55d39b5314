/** Verbs that go into an instance: ssh, shell, exec, run-bash. Their words are never read by a shell of the host. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import type { Engine, ExecRequest } from '../../platform/engine/engine.ts';
import { ensureKey, keyFile } from '../../platform/host/keys.ts';
import { runInPlace } from '../../platform/host/run-program.ts';
import type { InstanceSpec } from '../../platform/model/instance.ts';
import type { ObservedContainer, Plan } from '../../platform/model/plan.ts';
import { imageName, labelNames } from '../../platform/model/project.ts';
import { containerSpec } from '../../platform/runtime/container-spec.ts';
import { carryOut } from '../../platform/work/carry-out.ts';
import { digest } from '../../platform/work/digest.ts';
import { hasTerminal, join } from './attach.ts';
import { exitStatuses, type Found, failureText, findAnyProject, refuse, requireEngine, requireOne } from './context.ts';
import * as options from './options.ts';
import type { Request } from './read-request.ts';
import { mistaken } from './select-words.ts';

/** Finds the container that the command names, which has to run. */
async function enter(request: Request): Promise<Found> {
  const found = await requireOne(request);
  const { key, state } = found.one;
  return state === 'running' ? found : refuse(`${key} does not run: it is ${state}`);
}

export async function exec(request: Request): Promise<number> {
  const [, ...command] = request.words;
  if (command.length === 0) return refuse('exec needs NAME COMMAND', exitStatuses.mistake);
  return runInside(await enter(request), request, command);
}

/** The best shell that the image has. */
const shells = ['/bin/bash', '/usr/bin/bash', '/bin/sh'];

export async function shell(request: Request): Promise<number> {
  const inside = await enter(request);
  const { engine, one } = inside;
  for (const path of shells) {
    const tried = await engine.containers.run(one.id, { command: [path, '-c', ':'] });
    if (tried.ok && tried.value.exitCode === 0) return runInside(inside, request, [path]);
    if (!tried.ok && tried.failure.kind === 'unreachable') return refuse(failureText(tried.failure, engine));
  }
  return refuse(`${one.key}: its image has no shell`);
}

async function runInside({ engine, one }: Found, { given }: Request, command: readonly string[]): Promise<number> {
  const isTerminal = hasTerminal();
  const user = given.get(options.user);
  const directory = given.get(options.workdir);
  const environment: Record<string, string> = { ...(isTerminal ? { TERM: process.env['TERM'] ?? 'xterm' } : {}) };
  for (const word of given.get(options.env)) {
    const [, name, value] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(word) ?? [];
    if (name === undefined || value === undefined)
      return refuse(`--env needs NAME=VALUE, not "${word}"`, exitStatuses.mistake);
    environment[name] = value;
  }
  const asked: ExecRequest = {
    command,
    environment,
    terminal: isTerminal,
    input: true,
    ...(user === undefined ? {} : { user }),
    ...(directory === undefined ? {} : { directory }),
  };
  const session = await engine.containers.exec(one.id, asked);
  if (!session.ok) return refuse(`${one.key}: ${failureText(session.failure, engine)}`);
  const ended = await join(session.value, isTerminal);
  return ended.ok ? ended.value : refuse(`${one.key}: ${failureText(ended.failure, engine)}`);
}

/** Through sshd of the instance, which is known by the host keys that the engine fetches from inside. */
export async function ssh(request: Request): Promise<number> {
  const [, ...command] = request.words;
  const { project, engine, one } = await enter(request);
  const { folder, name } = project.places;
  if (one.address === undefined) return refuse(`${one.key} has no address`);
  await ensureKey(folder, name);
  const keys = await hostKeys(engine, one);
  const temporary = mkdtempSync(joinPath(tmpdir(), 'dockerops-ssh-'));
  try {
    const known = joinPath(temporary, 'known_hosts');
    writeFileSync(known, keys.map((key) => `${one.containerName} ${key}\n`).join(''), { mode: 0o600 });
    const words = [
      ...['-i', keyFile(folder), '-F', '/dev/null', '-l', 'root', '-o', 'IdentitiesOnly=yes'],
      ...['-o', `UserKnownHostsFile=${known}`, '-o', `HostKeyAlias=${one.containerName}`],
      ...['-o', 'StrictHostKeyChecking=yes', '-o', 'ConnectTimeout=10', '-o', 'LogLevel=ERROR'],
      ...(hasTerminal() && command.length === 0 ? ['-t'] : []),
      ...['--', one.address, ...command],
    ];
    return await runInPlace('ssh', words);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

const keyKinds = ['ed25519', 'ecdsa', 'rsa'];

async function hostKeys(engine: Engine, one: ObservedContainer): Promise<readonly string[]> {
  const files = keyKinds.map((kind) => `/etc/ssh/ssh_host_${kind}_key.pub`);
  const answer = await engine.containers.run(one.id, { command: ['cat', ...files] });
  if (!answer.ok) return refuse(`${one.key}: ${failureText(answer.failure, engine)}`);
  const keys = answer.value.stdout
    .split('\n')
    .flatMap((line) => /^((?:ssh|ecdsa)-\S+ [A-Za-z0-9+/=]+)/.exec(line)?.[1] ?? []);
  if (keys.length > 0) return keys;
  return refuse(
    `${one.key} has no SSH host keys: no SSH server has started in it (its image needs one, and AUTHORIZED_KEYS)`,
  );
}

/** A container of an image with nothing in it but a shell, which is removed when the shell ends. */
export async function runBash(request: Request): Promise<number> {
  const project = await findAnyProject(request);
  const [name = ''] = request.words;
  if (!project.sources.has(name)) return refuse(mistaken(name, [...project.sources.keys()]), exitStatuses.mistake);
  const engine = await requireEngine();
  const user = request.given.get(options.user);
  const isTerminal = hasTerminal();
  const created = await engine.containers.create({
    name: `${project.places.name}-${name}-shell-${randomBytes(4).toString('hex')}`,
    image: imageName(project.places.name, name),
    hostname: `${name}-shell`,
    // Not an instance: no other verb may take it for one.
    labels: { [labelNames.project]: project.places.name },
    environment: {},
    ports: [],
    mounts: [],
    aliases: [],
    entrypoint: ['/bin/bash'],
    command: [],
    terminal: isTerminal,
    openInput: true,
    autoRemove: true,
    ...(user === undefined ? {} : { user }),
  });
  if (!created.ok) return refuse(`${name}: ${failureText(created.failure, engine)}`);
  return runAttached(engine, created.value.id, name, isTerminal);
}

/** Attaches before it starts the container, so that nothing of its output is missed. */
async function runAttached(engine: Engine, id: string, name: string, isTerminal: boolean): Promise<number> {
  const session = await engine.containers.attach(id, { input: true });
  if (!session.ok) return refuse(`${name}: ${failureText(session.failure, engine)}`);
  const started = await engine.containers.start(id);
  if (!started.ok) {
    session.value.close();
    await engine.containers.remove(id, { force: true });
    return refuse(`${name}: ${failureText(started.failure, engine)}`);
  }
  // Before the start, an engine takes a container for one that has ended.
  const exited = engine.containers.wait(id);
  await join(session.value, isTerminal);
  const code = await exited;
  return code.ok ? code.value : exitStatuses.done;
}

/** An instance whose shell is this terminal. Those that it waits for are started as usual. */
export async function runInteractively(engine: Engine, plan: Plan, spec: InstanceSpec): Promise<number> {
  const step = plan.steps.find(({ key }) => key === spec.key);
  const others: Plan = { ...plan, steps: plan.steps.filter(({ key }) => key !== spec.key) };
  if (others.steps.length > 0) {
    const outcome = await carryOut({ engine, plan: others, tell: () => {} });
    if (!outcome.ok) return refuse(failureText(outcome.failure, engine));
    if (!outcome.value.done) return refuse(`${spec.key}: what it waits for has failed`);
  }
  if (step !== undefined && 'found' in step.action) {
    const removed = await engine.containers.remove(step.action.found.id, { force: true });
    if (!removed.ok) return refuse(`${spec.key}: ${failureText(removed.failure, engine)}`);
  }
  const networkReady = spec.network === undefined ? undefined : await ensureNetwork(engine, spec.network, plan.project);
  if (networkReady?.ok === false) return refuse(`${spec.key}: ${failureText(networkReady.failure, engine)}`);
  const addresses: Record<string, string> = {};
  for (const { alias, containerName } of spec.links) {
    const facts = await engine.containers.inspect(containerName);
    const address = facts.ok
      ? (facts.value.addresses[spec.network ?? ''] ?? Object.values(facts.value.addresses)[0])
      : undefined;
    if (address !== undefined) addresses[alias] = address;
  }
  const created = await engine.containers.create({ ...containerSpec(spec, addresses, digest), openInput: true });
  if (!created.ok) return refuse(`${spec.key}: ${failureText(created.failure, engine)}`);
  return runAttached(engine, created.value.id, spec.key, spec.terminal);
}

async function ensureNetwork(engine: Engine, name: string, project: string) {
  const there = await engine.networks.inspect(name);
  if (there.ok || there.failure.kind !== 'absent') return there;
  return engine.networks.create(name, { [labelNames.project]: project });
}
