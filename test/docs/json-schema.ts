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
import { standardSignals } from '../../src/model/service/signal.ts';

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
/** A name, or nothing, between two commas. */
const name = '\\s*(?:[^\\s,]+\\s*)?';
const largestSeconds = Math.floor(Number.MAX_SAFE_INTEGER / 1000);
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
        pattern: text([whole, decimal, sexagesimal, ...nothing], expands),
      };
    case 'integer':
      return {
        type: ['integer', 'string', 'null'],
        minimum: range?.[0] ?? 0,
        maximum: range?.[1] ?? Number.MAX_SAFE_INTEGER,
        pattern: text([whole, ...nothing], expands),
      };
    case 'size':
      return {
        type: ['integer', 'string', 'null'],
        minimum: range?.[0] ?? 0,
        maximum: range?.[1] ?? Number.MAX_SAFE_INTEGER,
        pattern: text([`${whole}[kKmMgG]?`], false),
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
    case 'signal':
      return {
        anyOf: [
          { enum: standardSignals.flatMap((signal) => [signal, signal.slice('SIG'.length)]) },
          { type: 'integer', minimum: 1, maximum: 64, not: { enum: [32, 33] } },
          { type: ['string', 'null'], pattern: text([signalPattern()], false) },
        ],
      };
    case 'account':
      return { type: ['string', 'integer', 'null'], minimum: 0, maximum: largestId };
    case 'selector':
      return { type: ['string', 'null'], examples: ['*.info', 'auth,authpriv.*', '[web].err', '*.info;!mail.*'] };
    case 'schedule':
      return { type: ['string', 'null'], examples: ['0 3 * * *', '*/15 * * * *', '@hourly', '* * * * * */10'] };
    case 'command':
      return { type: ['string', 'number', 'boolean'], pattern: '\\S' };
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
    case 'control':
      return controlSchema;
    default:
      throw new Error(`internal error: ${key} has a kind without a schema`);
  }
}

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
    },
    additionalProperties: false,
    // Without a command no service can be: a list can only hold the others.
    items: { type: 'string', pattern: `^(?:settings|${sectionName}\\.logging)$` },
  };
}
