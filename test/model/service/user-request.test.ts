import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseUserRequest } from '../../../src/model/service/user-request.ts';

describe('parseUserRequest', () => {
  it.each([
    ['joe', { name: 'joe' }],
    ['joe:', { name: 'joe' }],
    ['joe::', { name: 'joe' }],
    ['joe:1234', { name: 'joe', uid: 1234 }],
    ['joe:1234:', { name: 'joe', uid: 1234 }],
    ['joe:1234:100', { name: 'joe', uid: 1234, gid: 100 }],
    ['joe::100', { name: 'joe', gid: 100 }],
    ['joe:0:0', { name: 'joe', uid: 0, gid: 0 }],
    ['joe:007', { name: 'joe', uid: 7 }],
    ['joe:4294967294', { name: 'joe', uid: 4_294_967_294 }],
    ['joe:1234:users', { name: 'joe', uid: 1234, gid: 'users' }],
    ['joe::users', { name: 'joe', gid: 'users' }],
    ['joe:users', { name: 'joe', gid: 'users' }],
    ['joe::samba.users', { name: 'joe', gid: 'samba.users' }],
    ['Joe_1-x', { name: 'Joe_1-x' }],
    ['_joe', { name: '_joe' }],
    ['j'.repeat(32), { name: 'j'.repeat(32) }],
    ['joe:/apps', { name: 'joe', path: '/apps' }],
    ['joe:/', { name: 'joe', path: '/' }],
    ['joe:/apps:', { name: 'joe', path: '/apps' }],
    ['joe:/apps::', { name: 'joe', path: '/apps' }],
    ['joe:/apps:1234', { name: 'joe', path: '/apps', uid: 1234 }],
    ['joe:/apps:1234:100', { name: 'joe', path: '/apps', uid: 1234, gid: 100 }],
    ['joe:/apps::100', { name: 'joe', path: '/apps', gid: 100 }],
    ['joe:/apps:users', { name: 'joe', path: '/apps', gid: 'users' }],
    ['joe:/a\\:b:5', { name: 'joe', path: '/a:b', uid: 5 }],
    ['joe:/a\\:', { name: 'joe', path: '/a:' }],
    ['joe:/a\\b', { name: 'joe', path: '/a\\b' }],
    ['joe:/with space/ü', { name: 'joe', path: '/with space/ü' }],
  ])('reads %j', (text, request) => {
    expect(parseUserRequest(text)).toEqual({ kind: 'request', request });
  });

  it.each([
    ['', /a user's name is letters/],
    [':5', /a user's name is letters/],
    ['1joe', /a user's name is letters/],
    ['-joe', /a user's name is letters/],
    ['jo.e', /a user's name is letters/],
    ['jö', /a user's name is letters/],
    ['joe\n', /^cannot create the user "joe": a user's name is letters/],
    ['/apps', /a user's name is letters/],
    ['j'.repeat(33), /at most 32 characters/],
    ['joe:-1', /the UID "-1" is no number from 0 to 4294967294/],
    ['joe:4294967295', /the UID "4294967295" is no number/],
    ['joe:12a', /the UID "12a" is no number/],
    ['joe:users:5', /the UID "users" is no number/],
    ['joe:5:-5', /the GID "-5" is no number from 0 to 4294967294 or the name of a group/],
    ['joe:5:4294967295', /the GID "4294967295" is no number/],
    ['joe:5:5:5', /too many parts/],
    ['joe:/a:5:5:5', /too many parts/],
    ['joe:apps/web', /a path begins with "\/"/],
    ['joe:./apps', /a path begins with "\/"/],
    ['joe:5:/apps', /a path comes right after the name/],
    ['joe::/apps', /a path comes right after the name/],
    ['joe:/a\0b', /no NUL/],
  ])('refuses %j', (text, message) => {
    expect(parseUserRequest(text)).toEqual({ kind: 'mistake', message: expect.stringMatching(message) });
    expect(parseUserRequest(text)).toMatchObject({
      message: expect.stringMatching(/^cannot create the user [^\n\0]*$/),
    });
  });

  it('takes the home of --default-home, unless it breaks the line', () => {
    expect(parseUserRequest('joe', '/srv/home')).toEqual({
      kind: 'request',
      request: { name: 'joe', defaultHome: '/srv/home' },
    });
    for (const home of ['', 'srv', '/a:b', '/a\nb:x:0:0::/:/bin/sh']) {
      expect(parseUserRequest('joe', home)).toMatchObject({
        kind: 'mistake',
        message: expect.stringMatching(/--default-home/),
      });
    }
  });

  it('reads back whatever was written by its rules', () => {
    const id = fc.option(fc.integer({ min: 0, max: 4_294_967_294 }), { nil: undefined });
    const path = fc.option(
      fc
        .array(fc.string({ unit: fc.constantFrom('a', ':', '/', ' ', '.', 'é'), maxLength: 5 }))
        .map((parts) => `/${parts.join('')}`),
      { nil: undefined },
    );
    fc.assert(
      fc.property(id, id, path, (uid, gid, file) => {
        const text = `joe${file === undefined ? '' : `:${file.replaceAll(':', '\\:')}`}:${uid ?? ''}:${gid ?? ''}`;
        expect(parseUserRequest(text)).toEqual({
          kind: 'request',
          request: {
            name: 'joe',
            ...(file === undefined ? {} : { path: file }),
            ...(uid === undefined ? {} : { uid }),
            ...(gid === undefined ? {} : { gid }),
          },
        });
      }),
    );
  });

  it('never throws', () => {
    const text = fc.string({ unit: fc.constantFrom('j', '_', ':', '/', '\\', '5', '-', '\n') });
    fc.assert(
      fc.property(text, (option) => {
        expect(['request', 'mistake']).toContain(parseUserRequest(option).kind);
      }),
    );
  });
});
