/** Reads the values inside of `ready`, `healthy` and `healthcheck`, whose variables are expanded. */
import type { ServiceSpec, ServiceType } from '../model/service/service-spec.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import { type Environment, expandDirective } from './environment.ts';
import type { YamlNode, YamlScalar } from './parse-yaml.ts';
import { describeNode } from './read-names.ts';
import type { Report } from './report.ts';
import type { Place } from './source.ts';
import { parseInteger, parseSpan } from './values.ts';
import { quote } from './wording.ts';

export interface ProbesContext {
  readonly type: ServiceType;
  readonly stdout: ServiceSpec['stdout'];
  readonly stderr: ServiceSpec['stderr'];
  /** `restart` is on. */
  readonly restart: boolean;
  readonly environment: Environment;
  readonly enabled: boolean;
  readonly report: Report;
  /** The words of a command; undefined where it has a mistake, which is reported. */
  readonly words: (scalar: YamlScalar, label: string) => { readonly argv: readonly string[] } | undefined;
}

/** ms: shorter pauses would keep chaperone busy. */
export const shortestTime = 10;
const mostRetries = 1_000;
/** Reads values for the probes of one service. */
export class ProbeValues {
  readonly context: ProbesContext;
  readonly #service: string;

  constructor(service: string, context: ProbesContext) {
    this.#service = service;
    this.context = context;
  }

  wrong(code: DiagnosticCode, message: string, place: Place, hint: string | undefined): undefined {
    this.context.report.error(code, message, place, { hint });
    return undefined;
  }

  /** The expanded text of a value; undefined where it is a mistake, or has to wait for a command. */
  text(node: YamlNode, label: string, hint = 'expected text'): string | undefined {
    if (node.kind !== 'scalar') return this.wrong('wrong-shape', `${label} is ${describeNode(node)}`, node.place, hint);
    if (node.text.includes('\0'))
      return this.wrong('nul-character', `${label} holds a NUL character`, node.place, 'expected text without "\\0"');
    const { environment, enabled, report } = this.context;
    const key = label.replace(` of ${this.#service}`, '');
    const text = expandDirective(environment, key, node, { owner: this.#service, enabled, report });
    if (text === undefined) return undefined;
    if (text.trim() === '')
      return enabled ? this.wrong('empty-value', `${label} is empty`, node.place, hint) : undefined;
    return text.trim();
  }

  /** ms; 0 only where that is allowed. */
  time(node: YamlNode, label: string, least = shortestTime): number | undefined {
    const hint = 'expected a time such as 500ms, 2s or 1m30s';
    const text = this.text(node, label, hint);
    if (text === undefined || node.kind !== 'scalar') return undefined;
    const value = parseSpan(text, node.plain);
    if (value === undefined)
      return this.wrong('not-a-time', `${label} is not a time: ${quote(text)}`, node.place, hint);
    if (value < least)
      return this.wrong('out-of-range', `${label} is too short a time: ${quote(text)}`, node.place, hint);
    if (!Number.isSafeInteger(value))
      return this.wrong('out-of-range', `${label} is too long a time: ${quote(text)}`, node.place, hint);
    return value;
  }

  retries(node: YamlNode, label: string): number | undefined {
    const hint = `expected a whole number from 1 to ${mostRetries}`;
    const text = this.text(node, label, hint);
    if (text === undefined || node.kind !== 'scalar') return undefined;
    const value = parseInteger(text, node.plain);
    if (value === undefined)
      return this.wrong('not-a-number', `${label} is not a whole number: ${quote(text)}`, node.place, hint);
    if (value < 1 || value > mostRetries)
      return this.wrong('out-of-range', `${label} is out of range: ${quote(text)}`, node.place, hint);
    return value;
  }
}
