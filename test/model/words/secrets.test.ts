import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isSecretName,
  maskAssignments,
  maskSecrets,
  secretValues,
  shownCommand,
  shownEnvironment,
  shownValue,
} from '../../../src/model/words/secrets.ts';

describe('names of secrets', () => {
  it.each([
    'PASSWORD',
    'DB_PASSWORD',
    'PASSWORD_DB',
    'db_password',
    'POSTGRES_PASSWORD_1',
    'MYSQL_PASSWD',
    'MYSQL_PWD',
    'DB_PASS',
    'KEY_PASSPHRASE',
    'GITHUB_TOKEN',
    'TOKEN_OF_X',
    'SECRET',
    'SECRET_KEY_BASE',
    'CLIENT_SECRET',
    'API_KEY',
    'APIKEY',
    'AWS_SECRET_ACCESS_KEY',
    'GOOGLE_CREDENTIALS',
    'PROXY_AUTH',
    'DB_PASSWORD_FILE',
  ])('%s', (name) => expect(isSecretName(name)).toBe(true));

  it.each([
    'PATH',
    'PWD',
    'OLDPWD',
    'SSH_AUTH_SOCK',
    'KEYBOARD',
    'MONKEY',
    'COMPASS',
    'PASSENGER_ROOT',
    'AUTHOR',
    'SPINNER',
    'constructor',
    '',
  ])('not %j', (name) => expect(isSecretName(name)).toBe(false));
});

describe('what is shown', () => {
  it('of a variable: its value, unless that is a secret; an empty one shows that it is empty', () => {
    expect(shownValue('DB_PASSWORD', 'x')).toBe('***');
    expect(shownValue('DB_PASSWORD', '')).toBe('');
    expect(shownValue('PORT', '80')).toBe('80');
  });

  it('of an environment: no secret, also where another variable holds it', () => {
    expect(
      shownEnvironment({
        DB_PASSWORD: 'hunter2',
        DSN: 'host=db password=hunter2',
        URL: 'postgres://app:other-word@db/app',
        PORT: '80',
      }),
    ).toEqual({
      DB_PASSWORD: '***',
      DSN: 'host=db password=***',
      URL: 'postgres://app:***@db/app',
      PORT: '80',
    });
  });

  it('of a command: not the values of secrets that were expanded into it', () => {
    const environment = {
      TOKEN: 'abcd',
      LONG_TOKEN: 'abcdef',
      API_KEY: 'abc',
      KEY_FILE: '/etc/key',
      A_TOKEN_FILE: '/t/f',
    };
    expect(shownCommand({ command: 'run abcdef abcd abc /etc/key /t/f', environment })).toBe(
      'run *** *** abc /etc/key /t/f',
    );
  });

  it('of any text: none of the secrets, whatever characters are in them', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 4 })), fc.string(), (values, text) => {
        const secrets = secretValues(values.map((value) => ['TOKEN', value] as const));
        const shown = maskSecrets([text, ...values, text].join(' '), secrets);
        for (const secret of secrets)
          if (!/^[*\s]*$/.test(secret)) expect(shown.replaceAll('***', '\n')).not.toContain(secret);
      }),
    );
  });
});

describe('a quoted line of a configuration', () => {
  it.each([
    ['  DB_PASSWORD: hunter2', '  DB_PASSWORD: *******'],
    ['env_set: { DB_PASSWORD: hunter2, PORT: 80 }', 'env_set: { DB_PASSWORD: *******, PORT: 80 }'],
    [`env_set: { "TOKEN": "a, b", PORT: 80 }`, `env_set: { "TOKEN": "** *", PORT: 80 }`],
    [`{"TOKEN":"abc"}`, `{"TOKEN":"***"}`],
    ['  TOKEN: abc # mine', '  TOKEN: *** # mine'],
    ["  TOKEN: 'grüße😀' ", "  TOKEN: '******' "],
    ['command: env API_KEY=abc run', 'command: env API_KEY=*** run'],
    ['  TOKEN: $(OTHER:?has to be set)', '  TOKEN: $(OTHER:?has to be set)'],
    ['command: run $(TOKEN:-none) x', 'command: run $(TOKEN:-none) x'],
    ['secrets: { DB: /run/secrets/db }', 'secrets: { DB: /run/secrets/db }'],
    ['web.service: { command: run }', 'web.service: { command: run }'],
  ])('%s', (line, shown) => {
    expect(maskAssignments(line)).toBe(shown);
  });

  it('has as many characters as before', () => {
    const pieces = ['TOKEN', ': ', '=', '"', "'", ' ', ',', '{', '}', 'x', '😀', '$(', ')', '#', '\\'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (chosen) => {
        const line = chosen.join('');
        expect([...maskAssignments(line)]).toHaveLength([...line].length);
      }),
      { numRuns: 2_000 },
    );
  });
});
