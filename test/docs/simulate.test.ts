import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { inDist } from '../dist.ts';

const guide = readFileSync(new URL('../../docs/guide/simulate.md', import.meta.url), 'utf8');
const [workflow = ''] = /(?<=```yaml\n)[\s\S]*?(?=```)/.exec(guide) ?? [];
const scratch = mkdtempSync(join(tmpdir(), 'chaperone-recipe-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const before = 'db.service: { type: notify, command: db }\nweb.service: { command: web, after: db.service }\n';
const unrelated = `${before}cache.service: { command: cache }\n`;
const worse = `${before.replace('after: db.service', 'after: "db.service, cache.service"')}cache.service: { command: cache, startup_pause: 0.8 }
`;

/** Does the steps of the recipe that are commands, as the runner does them, in a repository with these two versions. */
function pullRequest(base: string, head: string) {
  const directory = mkdtempSync(join(scratch, 'run-'));
  const workspace = join(directory, 'repository');
  mkdirSync(join(workspace, 'chaperone.d'), { recursive: true });
  mkdirSync(join(directory, 'bin'));
  const tool = inDist('chaperonectl.cjs');
  symlinkSync(tool, join(directory, 'bin/chaperonectl'));
  const environment = {
    PATH: `${join(directory, 'bin')}:${dirname(process.execPath)}:/usr/bin:/bin`,
    HOME: directory,
    GITHUB_WORKSPACE: workspace,
    RUNNER_TEMP: directory,
  };
  const shell = (script: string, env: Readonly<Record<string, string>> = {}) =>
    spawnSync('bash', ['-e', '-c', script], { cwd: workspace, env: { ...environment, ...env }, encoding: 'utf8' });
  const commit = (text: string): string => {
    writeFileSync(join(workspace, 'chaperone.d/all.conf'), text);
    const author = '-c user.name=test -c user.email=test@example.org';
    const { stdout, status, stderr } = shell(
      `git init --quiet && git add . && git ${author} commit --quiet --allow-empty -m x && git rev-parse HEAD`,
    );
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const baseSha = commit(base);
  commit(head);
  const { jobs } = parse(workflow);
  let last = { status: -1, output: '' };
  for (const { run, env = {} } of jobs.boot.steps) {
    if (run === undefined) continue;
    const given = Object.fromEntries(
      Object.entries<string>(env).map(([name, value]) => [
        name,
        value.replace(/\$\{\{ github\.event\.pull_request\.base\.sha \}\}/, baseSha),
      ]),
    );
    const { status, stdout, stderr } = shell(run, given);
    last = { status: status ?? -1, output: stdout + stderr };
    if (status !== 0) break;
  }
  return last;
}

describe('the recipe for CI', () => {
  it('passes where the start order is as good as before', () => {
    const { status, output } = pullRequest(before, unrelated);
    expect(output).toContain('ready as soon as in the baseline (0.600 s)\n');
    expect(status).toBe(0);
  });

  it('fails where it got worse, and shows how', () => {
    const { status, output } = pullRequest(before, worse);
    expect(output).toContain('critical chain: web 0.500 s ← cache 0.800 s\n');
    expect(output).toContain('ready 0.700 s later than in the baseline (0.600 s); 0.200 s are allowed (--tolerance)\n');
    expect(status).toBe(1);
  });

  it('fails where the configuration has a mistake', () => {
    const { status, output } = pullRequest(before, before.replace('command: web', 'comand: web'));
    expect(output).toContain('did you mean "command"?');
    expect(status).toBe(1);
  });
});
