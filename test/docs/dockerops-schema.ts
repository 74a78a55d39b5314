/** The confs of a project as JSON Schemas, for editors: made from the table that their reader uses. */
import { type ConfKey, linkKeys, runKeys } from '../../src/platform/conf/conf-keys.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type Schema = { readonly [key: string]: Json };

const draft = 'http://json-schema.org/draft-07/schema#';
const nothing: Schema = { type: 'null' };
const name = (pattern: string): Schema => ({ type: ['string', 'number'], pattern });
const container = name('^[a-z0-9]+(?:(?:\\.|_{1,2}|-+)[a-z0-9]+)*$');
const instance = name('^[A-Za-z0-9][A-Za-z0-9_.-]*$');
const hostName = name('^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$');
const texts = (item: Schema): Schema => ({ anyOf: [item, { type: 'array', items: item }, nothing] });

/** As the reader takes booleans, which are texts where an editor reads YAML 1.2. */
const truth: Schema = { enum: [true, false, 'yes', 'no', 'on', 'off', 'True', 'False', null] };

const link: Schema = {
  anyOf: [
    { type: 'string' },
    {
      type: 'object',
      additionalProperties: false,
      anyOf: [{ required: ['container'] }, { required: ['service'] }],
      properties: Object.fromEntries(
        Object.entries(linkKeys).map(([key, { summary }]) => [
          key,
          { type: ['string', 'number', 'null'], description: summary },
        ]),
      ),
    },
  ],
};

function schemaOf({ kind, choices }: ConfKey): Schema {
  switch (kind) {
    case 'container':
      return container;
    case 'instance':
      return instance;
    case 'text':
      return { type: ['string', 'number', 'null'] };
    case 'host name':
      return { anyOf: [hostName, nothing] };
    case 'boolean':
      return truth;
    case 'seconds':
      return { anyOf: [{ type: 'number', minimum: 0, maximum: 86_400 }, { type: 'string' }, nothing] };
    case 'links':
      return { anyOf: [link, { type: 'array', items: link }, nothing] };
    case 'variables':
      return {
        anyOf: [
          {
            type: 'object',
            propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
            additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
          },
          nothing,
        ],
      };
    case 'volumes':
      return texts({ type: 'string', pattern: '^[^:]+:/[^:]*(?::r[ow])?(?:,[^:]+:/[^:]*(?::r[ow])?)*$' });
    case 'instances':
      return texts({ type: 'string' });
    case 'choice':
      return { enum: [...(choices ?? []), null] };
  }
}

export function runConfSchema(): Schema {
  const keys = Object.entries<ConfKey>(runKeys).flatMap(([key, conf]) => {
    const schema = { ...schemaOf(conf), description: `${conf.summary}.` };
    return [[key, schema] as const, ...(conf.alias === undefined ? [] : [[conf.alias, schema] as const])];
  });
  return {
    $schema: draft,
    title: 'run.conf of dockerops',
    type: 'array',
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['instance'],
      anyOf: [{ required: ['container'] }, { required: ['service'] }],
      properties: Object.fromEntries(keys),
    },
  };
}

export function buildConfSchema(): Schema {
  return { $schema: draft, title: 'build.conf of dockerops', type: 'array', items: container };
}

export function hostConfSchema(): Schema {
  return {
    $schema: draft,
    title: 'host.conf of dockerops',
    type: 'object',
    additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
  };
}
