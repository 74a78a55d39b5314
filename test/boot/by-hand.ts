/** Actions of a person on a running system: the tools, edits of the configuration, and looks at the status. */

import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { inDist } from '../dist.ts';
import { type Booted, boot, config, logAll, type ProcessState, until } from './namespace.ts';

export type Sections = Parameters<typeof config>[0];

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout and stderr together. */
  readonly text: string;
}

export interface Listed {
  readonly name: string;
  readonly state: string;
  readonly enabled: boolean;
  readonly pid?: number;
}

const file = 'services.conf';

/** Boots these sections, with everything logged. */
export function begin(sections: Sections, options: Parameters<typeof boot>[0] = {}): Booted {
  return boot({ ...options, files: { [file]: config({ ...logAll, ...sections }) } });
}

/** Boots these sections and waits until the system is ready. */
export async function up(sections: Sections, options: Parameters<typeof boot>[0] = {}): Promise<Booted> {
  const system = begin(sections, options);
  await system.waitForLine(/chaperone version \S+, ready\.$/);
  return system;
}

/** Replaces the configuration of a system that `begin` has booted. */
export function edit(system: Booted, sections: Sections): void {
  writeFileSync(join(system.directory, 'chaperone.d', file), config({ ...logAll, ...sections }));
}

export const telchap = (system: Booted, ...words: readonly string[]): Promise<Outcome> =>
  tool(system, 'telchap', words);
export const ctl = (system: Booted, ...words: readonly string[]): Promise<Outcome> =>
  tool(system, 'chaperonectl', words);

function tool(system: Booted, program: string, words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = [...system.inside(), inDist(program), ...words];
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], CHAPERONE_SOCKET: system.path('control.sock') },
    });
    child.on('error', reject);
    const output = Promise.all([text(child.stdout), text(child.stderr)]);
    child.on('close', (code) => {
      output.then(
        ([stdout, stderr]) => resolve({ status: code ?? -1, stdout, stderr, text: `${stdout}${stderr}` }),
        reject,
      );
    });
  });
}

/** Sends one request to the control socket, from inside of the PID namespace, and gives the body of the answer. */
export async function ask(system: Booted, method: 'GET' | 'POST', path: string, body?: unknown): Promise<string> {
  const script = `
    const [socketPath, method, path, body] = process.argv.slice(1);
    require('node:http').request({ socketPath, method, path }, (answer) => answer.pipe(process.stdout)).end(body);
  `;
  const words = [system.path('control.sock'), method, path, ...(body === undefined ? [] : [JSON.stringify(body)])];
  const [file = '', ...args] = [...system.inside(), process.execPath, '--eval', script, ...words];
  return text(spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout);
}

/** The entry of one service in `chaperonectl status --json`. */
export async function listed(system: Booted, name: string): Promise<Listed> {
  const { stdout, stderr } = await ctl(system, 'status', name, '--json');
  const [service]: readonly Listed[] = JSON.parse(stdout);
  if (service === undefined) throw new Error(`nothing is told of ${name}: ${stdout}${stderr}`);
  return service;
}

/** Writes a file that services wait for in one step. */
export function put(system: Booted, name: string, content = ''): void {
  writeFileSync(system.path(`${name}.new`), content);
  renameSync(system.path(`${name}.new`), system.path(name));
}

/** The process with this pid in the system's namespace; undefined for a zombie. */
export function processOf(system: Booted, innerPid: number): ProcessState | undefined {
  return system.processes().find((process) => process.innerPid === innerPid && process.state !== 'Z');
}

export function lives(system: Booted, innerPid: number): boolean {
  return processOf(system, innerPid) !== undefined;
}

/** Waits until the process is dead, reaped or not. */
export async function untilGone(system: Booted, innerPid: number): Promise<void> {
  await until(`${innerPid} is dead`, () => (lives(system, innerPid) ? undefined : true));
}

/** Signals one process of the system. */
export function signalInner(system: Booted, innerPid: number, signal: NodeJS.Signals): void {
  const process_ = processOf(system, innerPid);
  if (process_ === undefined) throw new Error(`no process has the pid ${innerPid}`);
  process.kill(process_.pid, signal);
}

/** The number in the first group of the nth line (from 1) that matches; waits for the line. */
export function nthNumber(system: Booted, pattern: RegExp, nth: number): Promise<number> {
  return system.untilOutput(`line ${nth} that matches ${pattern}`, () => {
    const numbers = system.lines().flatMap((line) => pattern.exec(line)?.[1] ?? []);
    return numbers.length < nth ? undefined : Number(numbers[nth - 1]);
  });
}

/** How many of the system's lines match. */
export function count(system: Booted, pattern: RegExp): number {
  return system.lines().filter((line) => pattern.test(line)).length;
}

/** Waits until at least so many lines match. */
export function untilCount(system: Booted, pattern: RegExp, least: number): Promise<true> {
  return system.untilOutput(`${least} lines that match ${pattern}`, () =>
    count(system, pattern) >= least ? true : undefined,
  );
}

/** Waits until a later signal is logged: every immediate effect of earlier actions has been logged by then. */
export async function settle(system: Booted): Promise<void> {
  const seen = count(system, /SIGUSR2 received/);
  system.signal('SIGUSR2');
  await untilCount(system, /SIGUSR2 received/, seen + 1);
}

/** Waits until the service is in that state. */
export async function untilState(system: Booted, name: string, state: string): Promise<void> {
  let last: string | undefined;
  let asking = false;
  await until(`${name} is ${state}`, () => {
    if (last === state) return true;
    if (!asking) {
      asking = true;
      stateOf(system, name).then((now) => {
        last = now;
        asking = false;
      });
    }
    return undefined;
  });
}

/** The state of a service; undefined where nobody answers. What everybody may read is asked for here, without a process for it. */
function stateOf(system: Booted, name: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const path = `/v1/services/${encodeURIComponent(name)}`;
    const asked = request({ socketPath: system.path('control.sock'), path }, (answer) => {
      json(answer).then(
        (service) => resolve(isListed(service) ? service.state : undefined),
        () => resolve(undefined),
      );
    });
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}

function isListed(answer: unknown): answer is Pick<Listed, 'state'> {
  return typeof answer === 'object' && answer !== null && 'state' in answer && typeof answer.state === 'string';
}
