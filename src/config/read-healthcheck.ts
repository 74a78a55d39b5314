/** Reads `healthcheck` as Compose has it: what is left out has Compose's defaults. */
import type { Probe } from '../model/service/probe.ts';
import { didYouMean } from '../model/words/nearest.ts';
import type { YamlNode } from './parse-yaml.ts';
import type { ProbeValues } from './probe-values.ts';
import { describeNode } from './read-names.ts';
import { parseBoolean } from './values.ts';
import { quote } from './wording.ts';

const keys = ['test', 'interval', 'timeout', 'retries', 'start_period', 'start_interval', 'disable'] as const;

type Key = (typeof keys)[number];

function isKey(text: string): text is Key {
  return keys.some((key) => key === text);
}

const testHint = 'expected a command as text, or [CMD-SHELL, TEXT], [CMD, PROGRAM, ARGUMENT…] or [NONE]';

/** Undefined where there is no check, and where it has a mistake. */
export function readHealthcheck(node: YamlNode, reader: ProbeValues): Probe | undefined {
  if (node.kind !== 'map')
    return reader.wrong(
      'wrong-shape',
      `healthcheck is ${describeNode(node)}`,
      node.place,
      `expected a map with ${keys.join(', ')}`,
    );
  const given = new Map<Key, YamlNode>();
  for (const { key, value } of node.entries) {
    if (isKey(key.text)) given.set(key.text, value);
    else
      reader.wrong(
        'unknown-key',
        `unknown key ${quote(key.text)} in healthcheck`,
        key.place,
        didYouMean(key.text, keys) ?? `expected ${keys.join(', ')}`,
      );
  }
  const time = (key: Key, otherwise: number, least?: number): number => {
    const value = given.get(key);
    return (value === undefined ? undefined : reader.time(value, `${key} of healthcheck`, least)) ?? otherwise;
  };
  const retries = given.get('retries');
  const interval = time('interval', 30_000);
  const startPeriod = time('start_period', 0, 0);
  const probe = {
    kind: 'probe',
    interval,
    longest: interval,
    timeout: time('timeout', 30_000),
    retries: (retries === undefined ? undefined : reader.retries(retries, 'retries of healthcheck')) ?? 3,
    startPeriod,
    startInterval: startPeriod > 0 ? time('start_interval', 5_000) : interval,
  } as const;
  if (isDisabled(given.get('disable'), reader)) return undefined;
  const test = given.get('test');
  if (test === undefined) return reader.wrong('missing-directive', 'healthcheck has no test', node.place, testHint);
  const argv = readTest(test, reader);
  return argv === undefined ? undefined : { ...probe, check: { kind: 'command', argv } };
}

function isDisabled(node: YamlNode | undefined, reader: ProbeValues): boolean {
  if (node === undefined) return false;
  const text = reader.text(node, 'disable of healthcheck', 'expected true or false');
  if (text === undefined) return true;
  const value = parseBoolean(text);
  if (value === undefined)
    reader.wrong(
      'not-a-boolean',
      `disable of healthcheck is neither true nor false: ${quote(text)}`,
      node.place,
      'expected true or false',
    );
  return value ?? true;
}

function readTest(node: YamlNode, reader: ProbeValues): readonly string[] | undefined {
  const label = 'test of healthcheck';
  if (node.kind === 'scalar') {
    const text = reader.text(node, label, testHint);
    return text === undefined ? undefined : inShell(text);
  }
  if (node.kind !== 'list')
    return reader.wrong('wrong-shape', `${label} is ${describeNode(node)}`, node.place, testHint);
  const words = node.items.map((item) => reader.text(item, label, testHint));
  const [how, ...rest] = words.filter((word) => word !== undefined);
  if (rest.length + 1 < words.length) return undefined;
  const [first] = rest;
  if (how === 'NONE' && first === undefined) return undefined;
  if (how === 'CMD' && first !== undefined) return rest;
  if (how === 'CMD-SHELL' && first !== undefined && rest.length === 1) return inShell(first);
  return reader.wrong('not-a-choice', `${label} is not known: ${quote(words.join(' '))}`, node.place, testHint);
}

function inShell(text: string): readonly string[] {
  return ['/bin/sh', '-c', text];
}
