import { describe, expect, it } from 'vitest';
import { parseAccounts } from '../../../src/model/service/accounts.ts';
import { loadWithStandIns } from '../../../src/runtime/simulated/stand-ins.ts';
import { memoryReader } from '../../config/memory-reader.ts';

const path = '/etc/chaperone.d/x.conf';

function load(text: string, more: { readonly user?: string; readonly configPath?: string } = {}) {
  return loadWithStandIns(
    { configPath: path, ...more },
    {
      reader: memoryReader({ [path]: text, '/home/app/x.conf': text }),
      environment: { PATH: '/bin' },
      accounts: parseAccounts('app:x:1000:1000::/home/app:\n', 'app:x:1000:\n'),
      findProgram: (word) => (word === 'here' ? '/bin/here' : undefined),
    },
  );
}

describe('a configuration on another machine than its own', () => {
  it('loads without its accounts and programs, and says which', () => {
    const { spec, diagnostics, standIns } = load(
      [
        'a.service: { command: here, uid: app }',
        'b.service: { command: gone, uid: redis, gid: disk }',
        'c.service: { command: gone, uid: redis, optional: true }',
        'd.service: { command: ./made-later, uid: 7 }',
        'e.service: { command: never, uid: off, enabled: no }',
      ].join('\n'),
    );
    expect(diagnostics).toEqual([]);
    expect(standIns).toEqual({ commands: [], accounts: ['redis', 'disk', 'off'], programs: ['gone'] });
    expect(spec?.services.map(({ account }) => account?.uid)).toEqual([1000, 65534, 65534, 7, 65534]);
    expect(spec?.services[1]?.account).toMatchObject({ name: 'redis', gid: 65534 });
    expect(spec?.services[2]?.enabled).toBe(true);
  });

  it('takes commands in backticks as giving nothing, one after the other', () => {
    const { spec, standIns } = load(
      'a.service: { command: "here `one` x", env_set: { A: "`two`", B: "$(A:-`three`)" } }',
    );
    expect(spec?.services[0]?.argv).toEqual(['here', 'x']);
    expect(spec?.services[0]?.environment).toEqual({ PATH: '/bin', A: '', B: '' });
    expect([...standIns.commands].sort()).toEqual(['one', 'three', 'two']);
  });

  it('has further groups of accounts, limits, and files of values, which are those of another machine', () => {
    const { spec, diagnostics, standIns } = load(
      'a.service: { command: here, supplementary_groups: [render, 7, app], limits: { nofile: 5 }, secrets: [K] }',
    );
    expect(diagnostics).toEqual([]);
    expect(standIns.accounts).toEqual(['render']);
    expect(spec?.services[0]?.resources?.supplementaryGroups).toEqual([65534, 7, 1000]);
  });

  it('reports mistakes', () => {
    const { spec, diagnostics } = load('a.service: { comand: x }');
    expect(spec).toBeUndefined();
    expect(diagnostics.length).toBeGreaterThan(0);
  });

  it('looks for a relative path where a start does', () => {
    expect(load('a.service: { command: here }', { user: 'app', configPath: 'x.conf' }).path).toBe('/home/app/x.conf');
    expect(load('a.service: { command: here }', { configPath: 'etc/chaperone.d/x.conf' }).spec).toBeDefined();
  });
});
