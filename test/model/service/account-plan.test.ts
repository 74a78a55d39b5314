import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AccountFacts,
  type AccountPlan,
  type AccountTexts,
  planAccount,
} from '../../../src/model/service/account-plan.ts';
import { parseAccounts, parseGroups, parseUsers } from '../../../src/model/service/accounts.ts';
import { parseUserRequest } from '../../../src/model/service/user-request.ts';

/** 20,000 days after the epoch, and some hours. */
const now = 20_000 * 86_400_000 + 12_345_678;
const facts: AccountFacts = { homeExists: false, bashExists: true, now };

const root = 'root:x:0:0:root:/root:/bin/bash\n';
const node = 'node:x:1000:1000::/home/node:/bin/bash\n';
const image: AccountTexts = {
  passwd: `${root}www-data:x:33:33::/var/www:/usr/sbin/nologin\n${node}nobody:x:65534:65534::/:/bin/false\n`,
  group: 'root:x:0:\nusers:x:100:\nwww-data:x:33:\nnode:x:1000:\nnogroup:x:65534:\n',
  shadow: 'root:*:19000:0:99999:7:::\nnode:!:19000:0:99999:7:::\n',
  gshadow: 'root:*::\nnode:!::\n',
};

function plan(text: string, texts: AccountTexts = image, more: Partial<AccountFacts> = {}, home?: string): AccountPlan {
  const reading = parseUserRequest(text, home);
  if (reading.kind !== 'request') throw new Error(reading.message);
  return planAccount(reading.request, texts, { ...facts, ...more });
}

/** The lines that a plan adds, by file. */
function added(text: string, texts: AccountTexts = image, more: Partial<AccountFacts> = {}, home?: string) {
  const planned = plan(text, texts, more, home);
  if (planned.kind !== 'create') throw new Error(JSON.stringify(planned));
  return Object.fromEntries(
    Object.entries(planned.texts).map(([file, text]) => {
      const old = texts[file as keyof AccountTexts] ?? '';
      return [file, text.startsWith(old) ? text.slice(old.length) : text];
    }),
  );
}

describe('planAccount', () => {
  describe('an id that is given', () => {
    it('and its group, made with the same number', () => {
      expect(added('joe:1234')).toEqual({
        passwd: 'joe:x:1234:1234::/home/joe:/bin/bash\n',
        shadow: 'joe:!:20000:0:99999:7:::\n',
        group: 'joe:x:1234:\n',
        gshadow: 'joe:!::\n',
      });
    });

    it.each([
      ['joe:1234:100', 1234, 100, undefined],
      ['joe:1234:users', 1234, 100, undefined],
      ['joe:1234:5000', 1234, 5000, 'joe:x:5000:\n'],
      ['joe::100', 1001, 100, undefined],
      ['joe:users', 1001, 100, undefined],
      ['joe:33000', 33_000, 33_000, 'joe:x:33000:\n'],
      // The number is another group's.
      ['joe:100', 100, 1001, 'joe:x:1001:\n'],
      ['joe:4294967294', 4_294_967_294, 4_294_967_294, 'joe:x:4294967294:\n'],
    ])('%s', (text, uid, gid, group) => {
      expect(plan(text)).toMatchObject({ kind: 'create', name: 'joe', uid, gid });
      expect(added(text)['group']).toBe(group);
      expect(added(text)['passwd']).toMatch(new RegExp(`^joe:x:${uid}:${gid}:`));
    });

    it.each([
      ['joe:1000', /^cannot create the user joe: uid 1000 belongs to the user node$/],
      ['joe:0', /uid 0 belongs to the user root/],
      ['joe:/apps:33', /uid 33 belongs to the user www-data/],
      ['joe:1234:wheel', /^cannot create the user joe: there is no group "wheel"$/],
      ['node:1234', /^cannot create the user node: it exists with uid 1000 and gid 1000, not with uid 1234 as asked$/],
      ['node::100', /it exists with uid 1000 and gid 1000, not with gid 100 as asked/],
      ['node:1000:users', /not with uid 1000 and gid 100 as asked/],
      ['node::wheel', /there is no group "wheel"/],
    ])('%s is refused', (text, message) => {
      expect(plan(text)).toEqual({
        kind: 'error',
        message: expect.stringMatching(message),
        hint: expect.stringMatching(/\S/),
      });
    });
  });

  it.each([
    'node',
    'node:1000',
    'node::1000',
    'node:1000:1000',
    'node:1000:node',
    'node:node',
    'root:0',
  ])('%s exists: nothing to do', (text) => {
    expect(plan(text)).toMatchObject({ kind: 'exists', name: text.split(':')[0] });
    expect(plan(text)).not.toHaveProperty('texts');
  });

  describe("a path's owner", () => {
    it('gives what is not given', () => {
      const owner = { owner: { uid: 2000, gid: 3000 } };
      expect(plan('joe:/apps', image, owner)).toMatchObject({ uid: 2000, gid: 3000 });
      expect(added('joe:/apps', image, owner)['group']).toBe('joe:x:3000:\n');
      expect(plan('joe:/apps:1234', image, owner)).toMatchObject({ uid: 1234, gid: 3000 });
      expect(plan('joe:/apps::100', image, owner)).toMatchObject({ uid: 2000, gid: 100 });
      expect(plan('joe:/apps:users', image, owner)).toMatchObject({ uid: 2000, gid: 100 });
    });

    it('may have a uid with a name: it gets a second one, after the first', () => {
      const planned = added('joe:/apps', image, { owner: { uid: 1000, gid: 1000 } });
      expect(planned).toEqual({
        passwd: 'joe:x:1000:1000::/home/joe:/bin/bash\n',
        shadow: 'joe:!:20000:0:99999:7:::\n',
      });
    });

    describe("is root's", () => {
      const ofRoot = { owner: { uid: 0, gid: 0 } };

      it.each(['joe:/apps', 'joe:/apps::100', 'joe:/apps:users'])('%s is refused, with what to do', (text) => {
        expect(plan(text, image, ofRoot)).toEqual({
          kind: 'error',
          message: 'cannot create the user joe: /apps belongs to root, and joe would be root by another name',
          hint: 'write the uid: --create-user joe:/apps:UID; or give the folder to another account first',
        });
      });

      it('is refused in an image without any user, too', () => {
        expect(plan('joe:/apps', {}, ofRoot)).toMatchObject({ kind: 'error' });
      });

      it('a uid that is written makes the user', () => {
        expect(plan('joe:/apps:1234', image, ofRoot)).toMatchObject({ kind: 'create', uid: 1234, gid: 0 });
      });

      it('root itself is there already', () => {
        expect(plan('root:/apps', image, ofRoot)).toMatchObject({ kind: 'exists', uid: 0 });
      });
    });

    it('has to fit a user that exists', () => {
      expect(plan('node:/apps', image, { owner: { uid: 1000, gid: 1000 } })).toMatchObject({ kind: 'exists' });
      expect(plan('node:/apps', image, { owner: { uid: 501, gid: 20 } })).toMatchObject({
        kind: 'error',
        message:
          'cannot create the user node: it exists with uid 1000 and gid 1000, not with uid 501 and gid 20 as asked (/apps gives what the option leaves out)',
      });
    });
  });

  describe('the next free uid', () => {
    const users = (...uids: number[]) => uids.map((uid) => `u${uid}:x:${uid}:0::/:/bin/sh\n`).join('');
    it.each([
      ['nobody there', '', undefined, 1000],
      ['above the highest', users(0, 1000, 1005), undefined, 1006],
      ['what lies outside of the range does not count', users(5, 999, 60_001, 65_534), undefined, 1000],
      ['the lowest where the highest is in use', users(1000, 60_000), undefined, 1001],
      ['login.defs', users(0, 1000), 'UID_MIN\t\t 500\nUID_MAX 2000\n', 1001],
      ['login.defs with comments', users(), '# UID_MIN 5\n#UID_MIN 6\nUID_MIN 700\n', 700],
      ['hidden entries count', `${users(1000)}u1000:x:1010:0::/:/bin/sh\n`, undefined, 1011],
    ])('%s', (_, passwd, loginDefs, uid) => {
      const texts = { passwd, group: '', ...(loginDefs === undefined ? {} : { 'login.defs': loginDefs }) };
      expect(plan('joe', texts)).toMatchObject({ kind: 'create', uid, gid: uid });
    });

    it('can run out, and so can gids', () => {
      const texts = { passwd: users(1, 2), group: '', 'login.defs': 'UID_MIN 1\nUID_MAX 2\n' };
      expect(plan('joe', texts)).toMatchObject({ kind: 'error', message: expect.stringMatching(/no uid is free/) });
      const full = { passwd: users(), group: 'a:x:1:\nb:x:7:\n', 'login.defs': 'GID_MIN 1\nGID_MAX 1\n' };
      expect(plan('joe:7', full)).toMatchObject({ kind: 'error', message: expect.stringMatching(/no gid is free/) });
    });
  });

  describe('the group', () => {
    const withJoe = { ...image, group: `${image.group}joe:x:700:\n` };
    it('named after the user is taken where none is given', () => {
      expect(plan('joe:1234', withJoe)).toMatchObject({ kind: 'create', uid: 1234, gid: 700 });
      expect(Object.keys(added('joe:1234', withJoe))).toEqual(['passwd', 'shadow']);
    });

    it('of an unknown gid gets another name where that one is in use', () => {
      expect(added('joe:1234:5000', withJoe)).toMatchObject({ group: 'joe-5000:x:5000:\n', gshadow: 'joe-5000:!::\n' });
      const long = 'j'.repeat(32);
      const texts = { ...image, group: `${image.group}${long}:x:700:\n` };
      expect(added(`${long}:1234:5000`, texts)['group']).toBe(`${'j'.repeat(27)}-5000:x:5000:\n`);
    });

    it('cannot be made where both names are in use', () => {
      const texts = { ...withJoe, group: `${withJoe.group}joe-5000:x:701:\n` };
      expect(plan('joe:1234:5000', texts)).toMatchObject({
        kind: 'error',
        message:
          'cannot create the user joe: gid 5000 has no group, and the names joe and joe-5000 are those of other groups',
      });
    });
  });

  describe('the line', () => {
    it('has the default home only where /home/NAME is missing', () => {
      expect(added('joe:5', image, {}, '/srv')['passwd']).toBe('joe:x:5:5::/srv:/bin/bash\n');
      expect(added('joe:5', image, { homeExists: true }, '/srv')['passwd']).toBe('joe:x:5:5::/home/joe:/bin/bash\n');
    });

    it('has /bin/sh where there is no bash', () => {
      expect(added('joe:5', image, { bashExists: false })['passwd']).toBe('joe:x:5:5::/home/joe:/bin/sh\n');
    });

    it('is locked also where there is no shadow', () => {
      expect(added('joe:5', { passwd: root, group: 'root:x:0:\n' })).toEqual({
        passwd: 'joe:!:5:5::/home/joe:/bin/bash\n',
        group: 'joe:x:5:\n',
      });
    });

    it('is the first where there are no files', () => {
      expect(plan('joe:5', {})).toMatchObject({
        texts: { passwd: 'joe:!:5:5::/home/joe:/bin/bash\n', group: 'joe:x:5:\n' },
      });
    });

    it('takes the ages of passwords from login.defs', () => {
      const texts = { ...image, 'login.defs': 'PASS_MIN_DAYS 1\nPASS_MAX_DAYS 90\nPASS_WARN_AGE -1\n' };
      expect(added('joe:5', texts)['shadow']).toBe('joe:!:20000:1:90::::\n');
    });

    it('takes over what a crash left in shadow and gshadow', () => {
      const texts = {
        ...image,
        group: `${image.group}joe:x:1234:\n`,
        shadow: `${image.shadow}joe:!:19000:0:99999:7:::\n`,
        gshadow: `${image.gshadow}joe:!::\n`,
      };
      expect(added('joe:1234', texts)).toEqual({ passwd: 'joe:x:1234:1234::/home/joe:/bin/bash\n' });
      expect(added('joe:1234', { ...texts, group: image.group ?? '' })).toEqual({
        passwd: 'joe:x:1234:1234::/home/joe:/bin/bash\n',
        group: 'joe:x:1234:\n',
      });
    });
  });

  describe('old lines stay as they are', () => {
    const line = 'joe:!:5:0::/home/joe:/bin/bash\n';
    it.each([
      ['without a final newline', root.trimEnd(), `${root}${line}`],
      ['with CRLF', 'root:x:0:0::/:/bin/sh\r\n', `root:x:0:0::/:/bin/sh\r\n${line}`],
      ['with comments and empty lines', `# a\n\n${root}# b\n\n`, `# a\n\n${root}# b\n\n${line}`],
      ['before NIS lines', `${root}+@net::::::\n+::::::\n`, `${root}${line}+@net::::::\n+::::::\n`],
      ['before a NIS line that excludes', `${root}-bob\n`, `${root}${line}-bob\n`],
      ['before a NIS line without a newline', `${root}+`, `${root}${line}+`],
      ['with nothing but a NIS line', '+::::::\n', `${line}+::::::\n`],
      ['with a plus within a line', 'root:x:0:0:+-:/+:/bin/sh', `root:x:0:0:+-:/+:/bin/sh\n${line}`],
      ['with damaged lines', `bob\nx:y\n${root}`, `bob\nx:y\n${root}${line}`],
    ])('%s', (_, passwd, result) => {
      expect(plan('joe:5:0', { passwd, group: 'root:x:0:\n' })).toMatchObject({ texts: { passwd: result } });
    });

    it('also in group, shadow and gshadow', () => {
      const texts = { passwd: root, group: 'root:x:0:\n+\n', shadow: 'root:*:1::::::\n+\n', gshadow: 'root:*::' };
      expect(plan('joe:5', texts)).toMatchObject({
        texts: {
          group: 'root:x:0:\njoe:x:5:\n+\n',
          shadow: 'root:*:1::::::\njoe:!:20000:0:99999:7:::\n+\n',
          gshadow: 'root:*::\njoe:!::\n',
        },
      });
    });
  });

  it('does not add a second line for a name whose line is damaged', () => {
    expect(plan('joe:5', { passwd: 'joe:x:five\n', group: '' })).toMatchObject({
      message: 'cannot create the user joe: its line in /etc/passwd is damaged',
    });
    expect(plan('joe:5', { passwd: '', group: 'joe:x:five:\n' })).toMatchObject({
      message: 'cannot create the user joe: the line of the group joe in /etc/group is damaged',
    });
  });

  it('keeps every old line, gives the ids asked for, and is done the second time', () => {
    const name = fc.constantFrom('joe', 'ann', 'bob', 'root', 'users', '1000');
    const id = fc.oneof(fc.constantFrom(0, 33, 999, 1000, 1001, 60_000), fc.integer({ min: 0, max: 4_294_967_294 }));
    const end = fc.constantFrom('\n', '\r\n');
    const other = fc.constantFrom('# note', '', '+', '+::::::', '-bob', 'junk', 'joe', 'x:y');
    const lines = (line: fc.Arbitrary<string>) =>
      fc
        .tuple(fc.array(fc.tuple(fc.oneof({ weight: 4, arbitrary: line }, other), end), { maxLength: 8 }), fc.boolean())
        .map(([parts, cut]) => {
          const text = parts.map((part) => part.join('')).join('');
          return cut ? text.replace(/\n$/, '') : text;
        });
    const passwd = lines(fc.tuple(name, id, id).map(([user, uid, gid]) => `${user}:x:${uid}:${gid}::/:/bin/sh`));
    const group = lines(fc.tuple(name, id).map(([entry, gid]) => `${entry}:x:${gid}:`));
    const secrets = fc.option(lines(name.map((user) => `${user}:!:1::::::`)), { nil: undefined });
    const request = fc.record(
      { name: fc.constantFrom('joe', 'ann', 'zoe'), path: fc.constant('/x'), uid: id, gid: fc.oneof(id, name) },
      { requiredKeys: ['name'] },
    );
    fc.assert(
      fc.property(
        request,
        passwd,
        group,
        secrets,
        secrets,
        fc.tuple(id, id),
        (asked, passwdText, groupText, shadow, gshadow, [uid, gid]) => {
          const texts: AccountTexts = {
            passwd: passwdText,
            group: groupText,
            ...(shadow === undefined ? {} : { shadow }),
            ...(gshadow === undefined ? {} : { gshadow }),
          };
          const given: AccountFacts = { ...facts, ...(asked.path === undefined ? {} : { owner: { uid, gid } }) };
          const planned = planAccount(asked, texts, given);
          if (planned.kind === 'error') {
            expect(planned.message).toMatch(/^cannot create the user \w+: /);
            return;
          }
          const after: AccountTexts = planned.kind === 'create' ? { ...texts, ...planned.texts } : texts;
          const accounts = parseAccounts(after.passwd ?? '', after.group ?? '');
          const user = accounts.findUser(asked.name);
          expect(user).toMatchObject({ uid: planned.uid, gid: planned.gid });
          if (asked.uid !== undefined || asked.path !== undefined) expect(planned.uid).toBe(asked.uid ?? uid);
          if (typeof asked.gid === 'number') expect(planned.gid).toBe(asked.gid);
          if (typeof asked.gid === 'string') expect(accounts.findGroup(asked.gid)?.gid).toBe(planned.gid);
          if (planned.kind === 'exists') return;

          expect(parseGroups(after.group ?? '').map((entry) => entry.gid)).toContain(planned.gid);
          expect(parseUsers(after.passwd ?? '').filter((entry) => entry.name === asked.name)).toHaveLength(1);
          for (const [file, text] of Object.entries(planned.texts)) {
            const old = texts[file as keyof AccountTexts] ?? '';
            // Exactly one line is new; without it the text is the old one.
            const lines = text.split(/(?<=\n)/);
            const at = lines.findIndex((line) => isNew(line, old));
            const rest = lines.filter((_, index) => index !== at);
            expect([old, `${old}\n`]).toContain(rest.join(''));
            // Readers stop at a NIS line.
            const nis = lines.findIndex((line) => /^[+-]/.test(line));
            if (nis >= 0) expect(at).toBeLessThan(nis);
          }
          expect(planAccount(asked, after, given)).toEqual({
            kind: 'exists',
            name: asked.name,
            uid: planned.uid,
            gid: planned.gid,
          });
        },
      ),
      { numRuns: 2000 },
    );
  });
});

/** Whether a line of the new text is the one that was added. */
function isNew(line: string, old: string): boolean {
  return line.endsWith('\n') && !old.split('\n').includes(line.slice(0, -1));
}
