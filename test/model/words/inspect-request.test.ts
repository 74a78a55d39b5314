import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type InspectRequest, parseInspectRequests } from '../../../src/model/words/inspect-request.ts';

const terminal = (...services: readonly string[]): InspectRequest => ({ kind: 'terminal', services });
const journal = (file: string): InspectRequest => ({ kind: 'journal', file });

describe('the kinds of an inspection', () => {
  it.each<[string, readonly InspectRequest[]]>([
    ['terminal', [terminal()]],
    ['terminal:web', [terminal('web')]],
    ['terminal:web,store', [terminal('web', 'store')]],
    ['terminal:web,store.service,w*', [terminal('web', 'store.service', 'w*')]],
    ['json:web', [{ kind: 'json', services: ['web'] }]],
    ['terminal,journal:/run/j', [terminal(), journal('/run/j')]],
    ['terminal:store,journal:/run/j', [terminal('store'), journal('/run/j')]],
    // A word that is a kind begins one; a service of that name is given with its suffix, or first.
    ['terminal:store,web', [terminal('store'), { kind: 'web' }]],
    ['terminal:store,web.service', [terminal('store', 'web.service')]],
    ['journal:a:b', [journal('a:b')]],
    ['journal:a,b', [journal('a,b')]],
    ['journal:a,ws', [journal('a'), { kind: 'ws' }]],
    ['ws,web', [{ kind: 'ws' }, { kind: 'web' }]],
    ['ws:0', [{ kind: 'ws', port: 0 }]],
    ['web:65535', [{ kind: 'web', port: 65_535 }]],
    ['ws:10.0.0.1:80', [{ kind: 'ws', address: '10.0.0.1', port: 80 }]],
    ['web,act', [{ kind: 'web', act: true }]],
    [
      'terminal:a,web:10.0.0.1:80,act,ws',
      [terminal('a'), { kind: 'web', port: 80, address: '10.0.0.1', act: true }, { kind: 'ws' }],
    ],
    // Elsewhere that is the name of a service, or of a file.
    ['terminal:web.service,act', [terminal('web.service', 'act')]],
    ['journal:a,act', [journal('a,act')]],
    ['ws:[::1]:80', [{ kind: 'ws', address: '::1', port: 80 }]],
  ])('%s', (text, requests) => {
    expect(parseInspectRequests(text)).toEqual({ kind: 'requests', requests });
  });

  it.each([
    ['', '""'],
    ['terminals', '"terminals"'],
    ['web,store', '"store"'],
    ['web,act,act', '"act"'],
    ['act', '"act"'],
    ['ws,act', '"act"'],
    ['terminal,,json', '""'],
    [':x', '""'],
    ['constructor', '"constructor"'],
  ])('%j is none', (text, quoted) => {
    const parsed = parseInspectRequests(text);
    expect(parsed.kind === 'mistake' && parsed.message).toBe(
      `cannot inspect to ${quoted}: expected terminal[:SERVICE,…], json[:SERVICE,…], journal:FILE, ws[:[ADDRESS:]PORT], web[:[ADDRESS:]PORT][,act]`,
    );
  });

  it.each([
    ['terminal:', 'terminal:', 'terminal[:SERVICE,…]'],
    ['json:a,', 'json:a,', 'json[:SERVICE,…]'],
    ['terminal:a,,b', 'terminal:a,,b', 'terminal[:SERVICE,…]'],
    ['journal', 'journal', 'journal:FILE'],
    ['journal:', 'journal:', 'journal:FILE'],
    ['journal,terminal', 'journal', 'journal:FILE'],
    ['ws:', 'ws:', 'ws[:[ADDRESS:]PORT]'],
    ['ws:65536', 'ws:65536', 'ws[:[ADDRESS:]PORT]'],
    ['ws:-1', 'ws:-1', 'ws[:[ADDRESS:]PORT]'],
    ['ws:http', 'ws:http', 'ws[:[ADDRESS:]PORT]'],
    ['web:::1:80', 'web:::1:80', 'web[:[ADDRESS:]PORT][,act]'],
    ['web:[::1]', 'web:[::1]', 'web[:[ADDRESS:]PORT][,act]'],
  ])('%j is told what is expected', (text, quoted, expected) => {
    expect(parseInspectRequests(text)).toEqual({
      kind: 'mistake',
      message: `cannot inspect to "${quoted}": expected ${expected}`,
    });
  });

  it('reads any filter as it was written', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,6}\.service$/);
    fc.assert(
      fc.property(fc.array(name, { minLength: 1 }), (services) => {
        expect(parseInspectRequests(`terminal:${services.join(',')}`)).toEqual({
          kind: 'requests',
          requests: [{ kind: 'terminal', services }],
        });
      }),
    );
  });
});
