/**
 * The `check` port of probes, on a kernel: it asks servers and looks at files, and listens to what the runs of services write.
 * Systems without probes do not load this code.
 */

import type { CheckFact, CheckRun } from '../../machines/probe.ts';
import { type HttpCheck, type ProbeCheck, type ProbeTree, probesOf } from '../../model/service/probe.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import { compileRegex, type Regex, shownRegex } from '../../model/words/regex.ts';
import type { Clock, Kernel, ServerAnswer, ServerQuestion } from '../kernel.ts';

export interface CheckPorts {
  readonly kernel: Pick<Kernel, 'ask' | 'following'>;
  readonly clock: Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;
}

/** The facts about the present run of one service. */
interface Run {
  readonly serial: number;
  /** The files of its probes as they were before the start, by path. */
  readonly stamps: ReadonlyMap<string, string | undefined>;
  /** The events that have happened already, by `keyOf`. */
  readonly happened: Set<string>;
  readonly listeners: Map<string, Set<() => void>>;
  /** The patterns of which no line has matched yet, by `keyOf`. */
  readonly patterns: Map<string, Regex>;
}

/** The most characters of one line that an expression looks through. */
const longestLine = 8_192;

export class Checks {
  readonly #ports: CheckPorts;
  readonly #runs = new Map<string, Run>();

  constructor(ports: CheckPorts) {
    this.#ports = ports;
  }

  /** Notes what was there before a start. Call it before the spawn. */
  begin(service: ServiceSpec, serial: number): void {
    const checks = checksOf(service);
    const stamps = new Map<string, string | undefined>();
    const patterns = new Map<string, Regex>();
    for (const check of checks) {
      if (check.kind === 'file') stamps.set(check.path, this.#ports.kernel.following.stampOf(check.path));
      if (check.kind !== 'log') continue;
      patterns.set(keyOf(check), compiled(check.pattern));
    }
    this.#runs.set(service.name, { serial, stamps, patterns, happened: new Set(), listeners: new Map() });
  }

  /** The run has written a line. */
  line(service: string, serial: number, text: string): void {
    const run = this.#runOf(service, serial);
    if (run === undefined || run.patterns.size === 0) return;
    const looked = text.slice(0, longestLine);
    for (const [key, regex] of run.patterns) {
      if (!regex.test(looked)) continue;
      run.patterns.delete(key);
      happen(run, key);
    }
  }

  /** The run has written something to the descriptor of a probe. */
  told(service: string, serial: number, descriptor: number | string, bytes: Uint8Array): void {
    const run = this.#runOf(service, serial);
    if (run !== undefined && bytes.includes(newline)) happen(run, keyOf({ kind: 'fd', descriptor }));
  }

  forget(service: string): void {
    this.#runs.delete(service);
  }

  /**
   * Answers once.
   *
   * @returns ends it
   */
  check({ service, serial, check }: CheckRun, answer: (fact: CheckFact) => void): () => void {
    const { clock } = this.#ports;
    const begun = clock.now();
    const told = (passed: boolean, reason: string): void =>
      answer({ type: 'check.answered', passed, reason, at: clock.now() });
    switch (check.kind) {
      case 'tcp':
      case 'unix':
      case 'http':
        return this.#ports.kernel.ask(questionOf(check), (reply) => {
          const { passed, reason } = judge(check, reply, Math.round(clock.now() - begun));
          told(passed, reason);
        });
      case 'file':
        return this.#later(() => this.#lookAt(check.path, service.name, serial, told));
      default: {
        const run = this.#runOf(service.name, serial);
        return run === undefined ? () => undefined : this.#listen(run, check, told);
      }
    }
  }

  #runOf(service: string, serial: number): Run | undefined {
    const run = this.#runs.get(service);
    return run?.serial === serial ? run : undefined;
  }

  #lookAt(path: string, service: string, serial: number, told: (passed: boolean, reason: string) => void): void {
    const stamp = this.#ports.kernel.following.stampOf(path);
    const before = this.#runOf(service, serial)?.stamps.get(path);
    if (stamp === undefined) told(false, 'it does not exist');
    else if (stamp === before) told(false, 'it was there before the start, and has not changed since');
    else told(true, 'it is there');
  }

  #listen(run: Run, check: ProbeCheck, told: (passed: boolean, reason: string) => void): () => void {
    const key = keyOf(check);
    const pass = (): void => told(true, check.kind === 'log' ? 'a line matched' : 'a newline came');
    if (run.happened.has(key)) return this.#later(pass);
    const listeners = run.listeners.get(key) ?? new Set();
    run.listeners.set(key, listeners.add(pass));
    return () => listeners.delete(pass);
  }

  /** An answer never comes in the turn of the question. */
  #later(act: () => void): () => void {
    const timer = this.#ports.clock.setTimeout(act, 0);
    return () => this.#ports.clock.clearTimeout(timer);
  }
}

const newline = 0x0a;

function happen(run: Run, key: string): void {
  run.happened.add(key);
  const listeners = run.listeners.get(key) ?? new Set();
  run.listeners.delete(key);
  for (const listener of listeners) listener();
}

function keyOf(check: ProbeCheck): string {
  if (check.kind === 'fd') return `fd ${check.descriptor}`;
  return check.kind === 'log' ? `log ${check.pattern}` : check.kind;
}

function checksOf({ ready, healthy }: ServiceSpec): readonly ProbeCheck[] {
  const of = (tree: ProbeTree | undefined) => (tree === undefined ? [] : probesOf(tree).map(({ check }) => check));
  return [...of(ready), ...of(healthy)];
}

/** Expressions by their text: each is compiled once. Each reload may bring others. */
const expressions = new Map<string, Regex>();
const mostExpressions = 1_000;

function compiled(pattern: string): Regex {
  const known = expressions.get(pattern);
  if (known !== undefined) return known;
  const result = compileRegex(pattern);
  if (!result.ok)
    throw new Error(`internal error: the expression ${shownRegex(pattern)} was checked, and is not valid`);
  if (expressions.size >= mostExpressions) expressions.clear();
  expressions.set(pattern, result.regex);
  return result.regex;
}

type ServerCheck = Extract<ProbeCheck, { readonly kind: 'tcp' | 'unix' | 'http' }>;

function questionOf(check: ServerCheck): ServerQuestion {
  switch (check.kind) {
    case 'tcp':
      return { kind: 'connect', to: { host: check.host, port: check.port } };
    case 'unix':
      return { kind: 'connect', to: { path: check.path } };
    case 'http': {
      const { url, headers, unix, contains } = check;
      const via = unix === undefined ? {} : { unix };
      return { kind: 'request', url, headers, ...via, wantsBody: contains !== undefined };
    }
  }
}

/** What an answer means. @param took ms */
function judge(
  check: ServerCheck,
  answer: ServerAnswer,
  took: number,
): { readonly passed: boolean; readonly reason: string } {
  if (answer.kind === 'failed') return { passed: false, reason: answer.code };
  if (answer.kind === 'accepted' || check.kind !== 'http') return { passed: true, reason: `accepted in ${took} ms` };
  return judgeHttp(check, answer, took);
}

function judgeHttp(
  { status, contains }: HttpCheck,
  answer: ServerAnswer & { readonly kind: 'answered' },
  took: number,
): { readonly passed: boolean; readonly reason: string } {
  const reason = `${answer.status} in ${took} ms`;
  if (!status.some(([low, high]) => answer.status >= low && answer.status <= high)) return { passed: false, reason };
  if (contains === undefined || compiled(contains).test(answer.body)) return { passed: true, reason };
  return { passed: false, reason: `${reason}, and ${shownRegex(contains)} is not in it` };
}
