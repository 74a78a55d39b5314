import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { renderErrors } from '../../src/config/render-diagnostics.ts';
import { parseAccounts } from '../../src/model/service/accounts.ts';
import { memoryReader } from '../config/memory-reader.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const [example = ''] = /(?<=```yaml\n)[\s\S]*?(?=```)/.exec(readme) ?? [];
const path = '/etc/chaperone.d/web.conf';

function load(text: string) {
  return loadConfiguration(path, {
    reader: memoryReader({ [path]: text }),
    environment: { PATH: '/usr/bin:/bin' },
    accounts: parseAccounts('', ''),
    interactive: false,
  });
}

describe('the README', () => {
  it('shows a first configuration that loads', () => {
    const { spec, diagnostics } = load(example);
    expect(diagnostics).toEqual([]);
    expect(spec?.services.map(({ name, type, restart }) => ({ name, type, restart }))).toEqual([
      { name: 'prepare.service', type: 'oneshot', restart: false },
      { name: 'web.service', type: 'simple', restart: true },
    ]);
  });

  it('shows the report of a mistake as it is', () => {
    const { diagnostics } = load(example.replace('  command: "/usr/sbin/nginx', '  comand: "/usr/sbin/nginx'));
    const unknown = diagnostics.filter(({ message }) => message.startsWith('unknown key'));
    const report = renderErrors(unknown).trimEnd();
    expect(report).toContain('did you mean "command"?');
    expect(readme).toContain(report.split('\n').slice(2).join('\n'));
  });
});
