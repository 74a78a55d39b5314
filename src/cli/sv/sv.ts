import '../given-environment.ts';
import { join } from 'node:path';
import { exitStatuses } from '../../control/answer.ts';
import { EventReader, UnreachableError } from '../../control/client.ts';
import type { ServiceStatus } from '../../control/supervisor.ts';
import { isObject } from '../../model/words/json.ts';
import { get, post, sendCommand } from '../chaperonectl/control-call.ts';
import { print } from '../chaperonectl/print.ts';
import { readServices } from '../chaperonectl/read-services.ts';
import { helpText } from '../command-help.ts';
import { version } from '../version.ts';
import {
  exists,
  folderOf,
  isExecutable,
  lookAtProcess,
  serviceNamesOf,
  usualFolder,
  whyNoFolder,
} from './sv-folder.ts';
import { sv } from './sv-options.ts';
import { type Standing, standingLine, standingOf } from './sv-standing.ts';
import { type Letter, readSvWords, type SvRequest } from './sv-words.ts';

/** ms between two looks, as sv(8) has it. */
const pollInterval = 420;
/** The most that the exit status counts. */
const mostFailures = 99;

/** A service that the command line names. */
interface Target {
  /** The service, as the command line names it. */
  readonly word: string;
  readonly folder: string;
  readonly name: string;
  /** The status of the service before the command did anything. */
  readonly before: Standing;
}

/** The signal that a letter of runsv(8) sends to a running process. */
const signals: Readonly<Partial<Record<Letter, string>>> = {
  t: 'TERM',
  k: 'KILL',
  p: 'STOP',
  c: 'CONT',
  h: 'HUP',
  a: 'ALRM',
  i: 'INT',
  q: 'QUIT',
  '1': 'USR1',
  '2': 'USR2',
};

/** One call of sv: the number of services for which the call failed, and the answers of the running chaperone. */
class Call {
  readonly #services: string;
  #failures = 0;

  constructor(services: string) {
    this.#services = services;
  }

  async run(request: SvRequest): Promise<number> {
    const found: Target[] = [];
    for (const word of request.services) {
      const target = await this.#find(word, request);
      if (target === undefined) continue;
      if (request.kind === 'status') await this.#printStatus(target);
      else if (request.kind === 'check' || (await this.#act(target, request.acts))) found.push(target);
    }
    if (request.waits) await this.#await(found, request);
    return Math.min(this.#failures, mostFailures);
  }

  /** Finds the service of a word; undefined, after a line that says so, where there is none. */
  async #find(word: string, { acts }: SvRequest): Promise<Target | undefined> {
    const folder = folderOf(word, this.#services);
    const why = whyNoFolder(folder);
    if (why !== undefined) return this.#fail('fail', word, `unable to change to service directory: ${why}`);
    const all = await this.#ask();
    if (all === undefined) {
      if (acts.includes('x')) await print(1, `ok: ${word}: runsv not running\n`);
      else await this.#fail('fail', word, 'runsv not running');
      return undefined;
    }
    for (const name of serviceNamesOf(folder, this.#services)) {
      const before = standingIn(all, name);
      if (before !== undefined) return { word, folder, name, before };
    }
    return this.#fail('warning', word, 'unable to open supervise/ok: file does not exist');
  }

  /** The services; undefined where no chaperone listens. */
  async #ask(): Promise<readonly ServiceStatus[] | undefined> {
    try {
      return readServices((await get('/v1/services')).body);
    } catch (error) {
      if (error instanceof UnreachableError) return undefined;
      throw error;
    }
  }

  async #fail(severity: 'fail' | 'warning', word: string, text: string): Promise<undefined> {
    this.#failures += 1;
    await print(1, `${severity}: ${word}: ${text}\n`);
    return undefined;
  }

  async #printStatus({ word, folder, name }: Target): Promise<void> {
    const all = (await this.#ask()) ?? [];
    const own = standingIn(all, name);
    if (own === undefined) return;
    const log = standingIn(all, name.replace(/\.service$/, '.log.service'));
    const behind = log === undefined ? '' : `; ${line('log', join(folder, 'log'), log)}`;
    await print(1, `${line(word, folder, own)}${behind}\n`);
  }

  /** Carries out the letters. Where the caller may not do that, the function prints so and returns false. */
  async #act(target: Target, acts: readonly Letter[]): Promise<boolean> {
    for (const letter of acts) {
      const now = standingIn((await this.#ask()) ?? [], target.name) ?? target.before;
      const refused = await this.#carryOut(target, letter, now);
      if (!refused) continue;
      await this.#fail('warning', target.word, 'unable to open supervise/control: access denied');
      return false;
    }
    return true;
  }

  /** @returns true where chaperone refuses it to this account */
  async #carryOut(target: Target, letter: Letter, { state, pid, wants }: Standing): Promise<boolean> {
    const { name, folder } = target;
    switch (letter) {
      case 'u':
        return state === 'run' ? tell('enable', name) : tell('start', '--enable', name);
      case 'd':
        return wants === 'down' && state === 'down' ? false : tell('stop', '--disable', '--force', name);
      case 'o':
        return state === 'run' ? tell('disable', name) : this.#startOnce(name);
      case 'x':
        // runsvdir(8) starts runsv(8) anew, which leaves a service down where there is the file.
        return exists(join(folder, 'down'))
          ? tell('stop', '--disable', '--force', name)
          : tell('restart', '--force', name);
      default: {
        if (state !== 'run' || (await replaces(folder, letter, pid))) return false;
        return tell('kill', name, signals[letter] ?? '');
      }
    }
  }

  /** Starts a service that nothing is to start again. */
  async #startOnce(name: string): Promise<boolean> {
    if (await tell('start', '--enable', name)) return true;
    const end = Date.now() + 7_000;
    while (standingIn((await this.#ask()) ?? [], name)?.state === 'down' && Date.now() < end) await pause();
    return tell('disable', name);
  }

  /** Waits until what was asked for has come, and tells how each service stands. */
  async #await(targets: readonly Target[], { acts, kills, patience }: SvRequest): Promise<void> {
    const begun = Date.now();
    for (let left = targets; left.length > 0; ) {
      const all = (await this.#ask()) ?? [];
      const late = Date.now() - begun > patience;
      const waiting: Target[] = [];
      for (const target of left) {
        const now = standingIn(all, target.name);
        const { word, folder } = target;
        if (now === undefined || isGone(target, acts, now)) await print(1, `ok: ${word}: runsv not running\n`);
        else if (isDone(target, acts, now)) await print(1, `ok: ${line(word, folder, now)}\n`);
        else if (!late) waiting.push(target);
        else {
          this.#failures += 1;
          await print(1, `${kills ? 'kill' : 'timeout'}: ${line(word, folder, told(target, acts, now))}\n`);
          if (kills) await this.#carryOut(target, 'k', now);
        }
      }
      left = waiting;
      if (left.length > 0) await pause();
    }
  }
}

/** True where `exit` has ended what ran. */
function isGone({ before }: Target, acts: readonly Letter[], now: Standing): boolean {
  return acts.includes('x') && now.state !== 'finish' && (now.pid === 0 || now.pid !== before.pid);
}

/** True where all letters have taken effect: check() of sv(8). */
function isDone(target: Target, acts: readonly Letter[], now: Standing): boolean {
  const { before } = target;
  if (acts.length === 0) return now.pid === 0 || now.isReady;
  return acts.every((letter) => {
    switch (letter) {
      case 'u':
        return now.state === 'run' && now.isReady;
      case 'd':
        return now.state === 'down';
      case 'x':
        return false;
      case 't':
      case 'k':
        if (now.pid === 0 && now.wants === 'down') return true;
        return now.state === 'run' && now.pid !== before.pid && now.isReady;
      case 'o':
        return now.pid === 0 ? now.since > before.since : now.wants === 'down';
      case 'p':
        return now.pid === 0 || now.isPaused;
      case 'c':
        return now.pid === 0 || !now.isPaused;
      default:
        return true;
    }
  });
}

/** runsv(8) remembers that it has sent TERM. */
function told({ before }: Target, acts: readonly Letter[], now: Standing): Standing {
  return acts.includes('t') && now.pid === before.pid && now.state === 'run' ? { ...now, gotTerm: true } : now;
}

function standingIn(all: readonly ServiceStatus[], name: string): Standing | undefined {
  const status = all.find((service) => service.name === name);
  return status === undefined ? undefined : standingOf(status, lookAtProcess, Date.now());
}

function line(word: string, folder: string, standing: Standing): string {
  return standingLine(word, standing, { now: Date.now(), isDown: exists(join(folder, 'down')) });
}

/** Sends a command to chaperone; true where it is refused to this account. What changes nothing is no failure. */
async function tell(...words: readonly string[]): Promise<boolean> {
  const { exitStatus } = await sendCommand(words);
  return exitStatus === exitStatuses.forbidden;
}

/** Runs the program of `control` for a letter, where there is one, and tells whether it stands in for the signal. */
async function replaces(folder: string, letter: Letter, pid: number): Promise<boolean> {
  if (!isExecutable(join(folder, 'control', letter))) return false;
  let passed = false;
  const reader = new EventReader((name, data) => {
    if (name === 'end' && isObject(data) && isObject(data['status'])) passed = data['status']['code'] === 0;
    return true;
  });
  const script = 'cd "$0" && export MAINPID="$2" && exec "./control/$1"';
  await post('/v1/run', { argv: ['/bin/sh', '-c', script, folder, letter, String(pid)] }, reader);
  return passed;
}

function pause(): Promise<void> {
  return new Promise((wake) => setTimeout(wake, pollInterval));
}

async function main(given: readonly string[]): Promise<number> {
  if (given.length === 1 && given[0] === '--help') return print(1, helpText('sv', sv)).then(() => 0);
  if (given.length === 1 && given[0] === '--version') return print(1, `sv ${version}\n`).then(() => 0);
  const read = readSvWords(given, process.env);
  if (read.kind === 'request') return new Call(process.env['SVDIR'] ?? usualFolder).run(read.request);
  const before = read.before === undefined ? '' : `${read.before}\n`;
  await print(2, `${before}usage: sv [-v] [-w sec] command service ...\n\n`);
  return 100;
}

main(process.argv.slice(2)).then((status) => process.exit(status));
