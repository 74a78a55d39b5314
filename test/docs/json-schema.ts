/**
 * The configuration as a JSON Schema, for editors: made from the table that the loader reads.
 *
 * Draft-07, because that is the newest that the YAML language server (VS Code, Neovim, Helix, Zed …) supports in its releases;
 * nothing of a later draft is needed. No `u` flag is needed for its patterns either.
 *
 * It refuses only what the loader refuses, too; what it cannot know (accounts, other files, variables) it lets through. Most
 * editors read YAML 1.2, where `yes` and `0x1f` are text: so numbers and booleans may be text that the loader understands.
 */
import { type Directive, directives, type SectionKind } from '../../src/config/directives.ts';
import { largestId } from '../../src/model/service/accounts.ts';
import { grantableActions } from '../../src/model/service/control-policy.ts';
import { resourceNumbers } from '../../src/model/service/resources.ts';
import { standardSignals } from '../../src/model/service/signal.ts';
import { mostInstances } from '../../src/model/service/template.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Schema = { readonly [key: string]: Json };

/** Text in which a variable or a command is expanded: nobody knows what it will be. */
const expandable = '\\$[({]|`';
/** `[Tt][Rr]…`: patterns have no flag for it. */
const anyCase = (word: string): string => [...word].map((letter) => `[${letter.toUpperCase()}${letter}]`).join('');
const truth = ['true', 'yes', 'on', 'y', 'false', 'no', 'off', 'n'].map(anyCase).join('|');
const whole = '[+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)';
const decimal = '[+]?(?:[0-9][0-9_]*\\.?[0-9_]*|\\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?';
const sexagesimal = '[0-9]+(?::[0-5]?[0-9])+';
const units = '(?:[0-9]+(?:\\.[0-9]+)?(?:ms|s|m|h|d))+';
const spans = [whole, decimal, sexagesimal, units, ''];
/** A name, or nothing, between two commas. */
const name = '\\s*(?:[^\\s,]+\\s*)?';
/** The name of an instance, or nothing, between two commas. */
const instance = '\\s*(?:[A-Za-z0-9_][A-Za-z0-9_.-]*\\s*)?';
const largestSeconds = Math.floor(Number.MAX_SAFE_INTEGER / 1000);
/** Exit codes and signals, with commas between them. */
const ending = '\\s*(?:[0-9a-zA-Z_+]+\\s*)?';
const endings = `${ending}(?:,${ending})*`;
const scalar = ['string', 'number', 'boolean', 'null'];

/** Text that fits one of the patterns as a whole; where variables are expanded, also text that holds one. */
function text(patterns: readonly string[], expands: boolean): string {
  const fitting = `^\\s*(?:${patterns.join('|')})\\s*$`;
  return expands ? `${fitting}|${expandable}` : fitting;
}

function valueSchema({ key, kind, choices = [], range, section, summary, expands }: Directive): Schema {
  // What expands to nothing counts as not given, or as false.
  const nothing = expands ? [''] : [];
  switch (kind) {
    case 'boolean':
      return { type: ['boolean', 'string', 'null'], pattern: text([truth, ...nothing], expands) };
    case 'seconds':
      return {
        type: ['number', 'string', 'null'],
        minimum: 0,
        maximum: largestSeconds,
        pattern: text([whole, decimal, sexagesimal, units, ...nothing], expands),
      };
    case 'integer':
      return {
        type: ['integer', 'string', 'null'],
        minimum: range?.[0] ?? 0,
        maximum: range?.[1] ?? Number.MAX_SAFE_INTEGER,
        pattern: text([(range?.[0] ?? 0) < 0 ? `-?${whole}` : whole, ...nothing], expands),
      };
    case 'size':
      return {
        type: ['integer', 'string', 'null'],
        minimum: range?.[0] ?? 0,
        maximum: range?.[1] ?? Number.MAX_SAFE_INTEGER,
        pattern: text([`${whole}[kKmMgG]?`, ...nothing], expands),
      };
    case 'span':
      return { type: ['number', 'string', 'null'], minimum: 1, maximum: largestSeconds, pattern: text(spans, expands) };
    case 'period':
      return {
        anyOf: [
          { enum: [...choices] },
          {
            type: ['number', 'string', 'null'],
            minimum: 1,
            maximum: largestSeconds,
            pattern: text([...choices, ...spans], expands),
          },
        ],
      };
    case 'fileMode':
      return {
        type: ['integer', 'string', 'null'],
        minimum: 0,
        pattern: text(['(?:0|0o)?[0-7]{3}', ...nothing], expands),
      };
    case 'umask':
      return {
        type: ['integer', 'string', 'null'],
        minimum: 0,
        pattern: text(['(?:0|0o)?[0-7]{1,3}', ...nothing], expands),
      };
    case 'limits':
      return {
        type: ['object', 'null'],
        properties: Object.fromEntries(Object.keys(resourceNumbers).map((name) => [name, { type: scalar }])),
      };
    case 'texts':
      return { type: [...scalar, 'array'], items: { type: scalar } };
    case 'secrets':
      return {
        type: [...scalar, 'array', 'object'],
        items: { type: scalar },
        propertyNames: { pattern: '^[^=]+$' },
        additionalProperties: { type: scalar },
      };
    case 'overflow':
      return {
        type: ['string', 'null'],
        pattern: text(
          ['wait', 'wait\\s+[0-9]{1,9}(?:\\.[0-9]{1,6})?(?:ms|s|m|h)?', 'block', 'drop', ...nothing],
          false,
        ),
      };
    case 'section':
      return sectionSchema(section ?? 'settings', summary);
    case 'choice':
      return {
        anyOf: [
          { enum: [...choices] },
          // Spaces around it do no harm, where quotes keep them.
          { type: ['string', 'null'], pattern: text([...choices, ...nothing], expands) },
        ],
      };
    case 'restart':
      return {
        anyOf: [
          { enum: [true, false, 'no', 'on-failure', 'always', 'unless-stopped'] },
          {
            type: ['string', 'null'],
            pattern: text([truth, 'on-failure(?::[1-9][0-9]{0,8})?', 'always', 'unless-stopped', ...nothing], expands),
          },
        ],
      };
    case 'limit':
      return {
        type: ['integer', 'string', 'null'],
        minimum: 0,
        pattern: text([whole, 'unlimited', ...nothing], expands),
      };
    case 'number':
      return {
        type: ['number', 'string', 'null'],
        minimum: range?.[0] ?? 0,
        maximum: range?.[1] ?? Number.MAX_SAFE_INTEGER,
        pattern: text(['[+]?(?:[0-9][0-9_]*\\.?[0-9_]*|\\.[0-9][0-9_]*)', ...nothing], expands),
      };
    case 'endings':
      return {
        type: ['integer', 'string', 'array', 'null'],
        minimum: 0,
        maximum: 255,
        pattern: text([endings], expands),
        items: { type: ['integer', 'string'], minimum: 0, maximum: 255, pattern: text([endings], expands) },
      };
    case 'output':
      return {
        anyOf: [
          { enum: [...choices] },
          {
            type: ['string', 'null'],
            pattern: text([...choices, '[^\\s,]+\\.(?:service|logging)', ...nothing], expands),
          },
        ],
      };
    case 'rate':
      return {
        type: ['string', 'integer', 'null'],
        minimum: 1,
        pattern: text(['[0-9]{1,9}(?:\\s*/\\s*(?:[0-9]{1,9}(?:\\.[0-9]{1,6})?)?(?:ms|s|m|h)?)?', ...nothing], expands),
      };
    case 'signal':
      return {
        anyOf: [
          { enum: standardSignals.flatMap((signal) => [signal, signal.slice('SIG'.length)]) },
          { type: 'integer', minimum: 1, maximum: 64, not: { enum: [32, 33] } },
          { type: ['string', 'null'], pattern: text([signalPattern(), ...nothing], expands) },
        ],
      };
    case 'killSteps':
      return {
        anyOf: [
          { enum: standardSignals.flatMap((signal) => [signal, signal.slice('SIG'.length)]) },
          { type: 'integer', minimum: 1, maximum: 64, not: { enum: [32, 33] } },
          { type: ['string', 'null'], pattern: text([killStepsPattern(), ...nothing], expands) },
        ],
      };
    case 'hook':
      return { type: scalar, pattern: hookPattern };
    case 'hooks':
      return { type: [...scalar, 'array'], pattern: hookPattern, items: { type: scalar, pattern: hookPattern } };
    case 'account':
      return { type: ['string', 'integer', 'null'], minimum: 0, maximum: largestId };
    case 'selector':
      return { type: ['string', 'null'], examples: ['*.info', 'auth,authpriv.*', '[web].err', '*.info;!mail.*'] };
    case 'schedule':
      return { type: ['string', 'null'], examples: ['0 3 * * *', '*/15 * * * *', '@hourly', '* * * * * */10'] };
    case 'command':
      // Only a service's own command is required.
      return { type: ['string', 'number', 'boolean', ...(key === 'command' ? [] : ['null'])], pattern: '\\S' };
    case 'text':
      return { type: scalar };
    case 'names':
      return {
        type: [...scalar, 'array'],
        pattern: `^${name}(?:,${name})*$`,
        items: { type: scalar, pattern: `^${name}(?:,${name})*$` },
      };
    case 'globs':
      return { type: [...scalar, 'array'], items: { type: scalar } };
    case 'textMap':
      return {
        type: ['object', 'null'],
        propertyNames: { pattern: '^[^=]+$' },
        additionalProperties: { type: scalar },
      };
    case 'conditions':
      return { anyOf: [{ type: 'null' }, { $ref: '#/definitions/condition' }] };
    case 'control':
      return controlSchema;
    case 'convention':
      return {
        anyOf: [
          { type: ['boolean', 'null'] },
          { type: 'string', pattern: text([truth, '/.*'], false) },
          { type: 'array', items: { type: 'string', pattern: '^/' } },
        ],
      };
    case 'probes':
      return probesSchema(key === 'healthy');
    case 'healthcheck':
      return healthcheckSchema;
    case 'instances':
      return {
        type: ['string', 'integer', 'array', 'null'],
        minimum: 0,
        maximum: mostInstances,
        pattern: text(['[0-9]+', '[0-9]+\\s*-\\s*[0-9]+', `${instance}(?:,${instance})*`, ...nothing], expands),
        items: { type: ['string', 'number'], pattern: `^${instance}$|${expandable}` },
      };
    default:
      throw new Error(`internal error: ${key} has a kind without a schema`);
  }
}

/** What `start_if` takes, and what it takes within. */
const conditionSchema: Schema = {
  anyOf: [
    { type: 'array', minItems: 1, items: { $ref: '#/definitions/condition' } },
    {
      type: 'object',
      minProperties: 1,
      maxProperties: 1,
      properties: {
        file: { type: 'string', pattern: text(['/.*'], true) },
        env: { type: 'string', pattern: text(['[A-Za-z_][A-Za-z0-9_.-]*(?:=.*)?'], true) },
        command: { type: ['string', 'number', 'boolean'], pattern: '\\S' },
        not: { $ref: '#/definitions/condition' },
      },
      additionalProperties: false,
    },
  ],
};

const right = `\\s*(?:${['all', ...grantableActions].join('|')})\\s*`;
const rights: Schema = {
  type: ['string', 'array'],
  // A comma too many does no harm.
  pattern: `^[\\s,]*${right}(?:,(?:${right})?)*$`,
  items: { type: 'string', pattern: `^[\\s,]*(?:${right}(?:,(?:${right})?)*)?$` },
  minItems: 1,
};
const accountRights: Schema = { type: ['object', 'null'], additionalProperties: rights };
const controlSchema: Schema = {
  type: ['object', 'null'],
  properties: {
    allow: {
      type: ['object', 'null'],
      properties: { users: accountRights, groups: accountRights, everybody: rights },
      additionalProperties: false,
    },
  },
  additionalProperties: false,
};

/** A program behind the prefixes. */
const hookPattern = '^\\s*[-+]*[^\\s]';

/** Signals with pauses between them, and one behind the last where there is one. */
function killStepsPattern(): string {
  const signal = `(?:${signalPattern()})`;
  const pause = `(?:${[whole, decimal, units].join('|')})`;
  return `${signal}(?:\\s+${pause}\\s+${signal})*(?:\\s+${pause})?`;
}

const anyText: Schema = { type: scalar };
const spanText: Schema = { type: ['number', 'string', 'null'] };
const countText: Schema = { type: ['integer', 'string', 'null'] };
const commandText: Schema = { type: ['string', 'number', 'boolean'] };

/** A probe or a tree of probes: two levels are described, deeper ones are let through. */
function probesSchema(isHealth: boolean): Schema {
  const options: Schema = {
    interval: spanText,
    timeout: spanText,
    ...(isHealth ? { retries: countText, start_period: spanText } : {}),
  };
  const checks: Schema = {
    tcp: commandText,
    unix: anyText,
    http: anyText,
    command: commandText,
    log: anyText,
    file: anyText,
    fd: commandText,
    delay: spanText,
    status: commandText,
    contains: anyText,
    headers: { type: 'object', additionalProperties: anyText },
  };
  const one: Schema = {
    type: ['object', 'string'],
    properties: { ...checks, ...options, all: {}, any: {} },
    additionalProperties: false,
  };
  const branch: Schema = { type: 'array', minItems: 1, items: one };
  return {
    type: ['object', 'string', 'null'],
    properties: { ...checks, ...options, all: branch, any: branch },
    additionalProperties: false,
  };
}

const healthcheckSchema: Schema = {
  type: ['object', 'null'],
  properties: {
    test: { type: ['string', 'array'], items: commandText },
    interval: spanText,
    timeout: spanText,
    retries: countText,
    start_period: spanText,
    start_interval: spanText,
    disable: { type: ['boolean', 'string'] },
  },
  additionalProperties: false,
};

/** Names in any case, with or without SIG, and numbers as text. */
function signalPattern(): string {
  const names = standardSignals.map((signal) => anyCase(signal.slice('SIG'.length).toLowerCase()));
  const realTime = `${anyCase('rtmin')}(?:\\+(?:[12]?[0-9]|30|0[0-9]))?`;
  return `(?:${anyCase('sig')})?(?:${[...names, realTime].join('|')})|0*(?:[1-9]|[12][0-9]|3[014-9]|[45][0-9]|6[0-4])`;
}

function directiveSchema(directive: Directive): Schema {
  const { summary, expands, default: fallback } = directive;
  const notes = [summary, ...(expands ? ['variables are expanded'] : [])];
  return {
    description: notes.join('; '),
    ...valueSchema(directive),
    ...(fallback === undefined ? {} : { default: fallback }),
  };
}

function sectionSchema(kind: SectionKind, description: string): Schema {
  return {
    description,
    // A service without a command is a mistake, even an empty one.
    type: kind === 'service' ? 'object' : ['object', 'null'],
    properties: Object.fromEntries([...directives[kind]].map(([key, directive]) => [key, directiveSchema(directive)])),
    additionalProperties: false,
    ...(kind === 'service'
      ? { required: ['command'], allOf: [needs('cron', 'interval'), needs('inetd', 'port')] }
      : {}),
  };
}

/** A type that does not work without a directive. */
function needs(type: string, key: string): Schema {
  return {
    if: { properties: { type: { const: type } }, required: ['type'] },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: { properties: { [key]: { not: { type: 'null' } } }, required: [key] },
  };
}

/** Not all upper case: those names are reserved. Only ASCII counts here; the loader knows the rest. */
const sectionName = '(?:[^\\s,A-Z]+|[^\\s,]*[a-z][^\\s,]*)';

export function configurationSchema(): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Chaperone configuration',
    description:
      'One file of chaperone.d: settings, services and logging entries; or a list of names, which declares those sections empty.',
    type: ['object', 'array', 'null'],
    properties: {
      settings: sectionSchema('settings', 'what counts for everything, and defaults; merged over all files'),
    },
    patternProperties: {
      [`^${sectionName}\\.service$`]: sectionSchema('service', 'a service; a later file replaces it'),
      [`^${sectionName}\\.logging$`]: sectionSchema('logging', 'where log records go; merged over all files'),
      '^x-(?!.*\\.(?:service|logging)$).': { description: 'skipped: a place for anchors that other sections refer to' },
    },
    additionalProperties: false,
    definitions: { condition: conditionSchema },
    // Without a command no service can be: a list can only hold the others.
    items: { type: 'string', pattern: `^(?:settings|${sectionName}\\.logging)$` },
  };
}
