import { fieldName } from '../model/words/parameter.ts';
import { fieldSchema } from './fields.ts';
import type { Route } from './route.ts';
import { type Schema, schemas } from './schema.ts';

/** The OpenAPI 3.1 description of routes. */
export function openApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const methods = paths[route.path] ?? {};
    methods[route.method.toLowerCase()] = operation(route);
    paths[route.path] = methods;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'chaperone',
      version,
      description:
        'Control of a running chaperone, over the unix socket that CHAPERONE_SOCKET names. Who is at the other end is known from ' +
        'the socket; each operation says what its caller needs. One request a connection.',
    },
    servers: [{ url: 'http://chaperone' }],
    paths,
    components: { schemas },
  };
}

function operation(route: Route): object {
  const { id, summary, needs, needsWith = {}, fields, path, method } = route;
  const entries = fields.parameters.map((parameter) => {
    const more = needsWith[fieldName(parameter)];
    return {
      name: fieldName(parameter),
      required: fields.required.includes(parameter),
      schema: { ...fieldSchema(parameter), ...(more === undefined ? {} : { 'x-needs': more }) },
    };
  });
  const inPath = path.includes('{name}')
    ? [
        {
          name: 'name',
          in: 'path',
          required: true,
          schema: { type: 'string' },
          description: 'with or without ".service"',
        },
      ]
    : [];
  const inQuery = method === 'GET' ? entries.map((entry) => ({ ...entry, in: 'query' })) : [];
  const required = entries.filter((entry) => entry.required).map(({ name }) => name);
  const body =
    method === 'POST' && entries.length > 0
      ? {
          requestBody: {
            required: required.length > 0,
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  properties: Object.fromEntries(entries.map(({ name, schema }) => [name, schema])),
                  required,
                  additionalProperties: false,
                },
              },
            },
          },
        }
      : {};
  return {
    operationId: id,
    summary,
    'x-needs': needs,
    parameters: [...inPath, ...inQuery],
    ...body,
    responses: {
      200: { description: 'done', content: contentOf(route) },
      default: {
        description: 'refused, unknown, not permitted, failed, timed out or too many',
        content: { 'application/json': { schema: reference('Answer') } },
      },
    },
  };
}

function contentOf({ gives }: Route): object {
  switch (gives.kind) {
    case 'schema': {
      const schema = reference(gives.name);
      return { 'application/json': { schema: gives.list ? { type: 'array', items: schema } : schema } };
    }
    case 'object':
      return { 'application/json': { schema: { type: 'object' } } };
    case 'text':
      return { [gives.type]: { schema: { type: 'string' } } };
    case 'events':
      return { 'text/event-stream': { schema: { type: 'string' } } };
  }
}

function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
