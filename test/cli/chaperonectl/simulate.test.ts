import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { verbHelp, verbsOf } from '../../../src/cli/chaperonectl/verbs.ts';
import { renderEntry } from '../../../src/inspect/journal-writer.ts';
import type { Script } from '../../../src/runtime/simulated/script.ts';
import { inDist } from '../../dist.ts';
import { recorded } from '../../inspect/recorded.ts';
import { simpleService, systemOf } from '../../simulation/world.ts';

const program = inDist('chaperonectl.cjs');
const sample = join(import.meta.dirname, '../../../config');
const scratch = mkdtempSync(join(tmpdir(), 'chaperone-simulate-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function simulate(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'simulate', ...words], {
    cwd: scratch,
    env: { PATH: '/usr/bin:/bin' },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

function file(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

describe('chaperonectl simulate', () => {
  it('shows the boot of the sample', () => {
    const { status, stdout, stderr } = simulate('--config', sample, '--time', 'prepare=12ms', '--time=report=0.06');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('\ncritical chain: report 0.060 s ← writer 0.500 s ← store 0.300 s ← prepare 0.012 s\n');
    expect(stdout.endsWith('\n\nready in 1.872 s\n')).toBe(true);
  });

  it('starts nothing and writes nothing', () => {
    const touch = (name: string) => `/usr/bin/touch ${join(scratch, name)}`;
    const path = file(
      'touch.conf',
      `a.service: { type: oneshot, command: "${touch('a')}", env_set: { B: "\`${touch('b')}\`" } }\nx.logging: { file: ${join(scratch, 'log')} }\n`,
    );
    const { status, stdout } = simulate('--config', path);
    expect(status).toBe(0);
    expect(stdout).toContain(`not run, and took as giving nothing: \`${touch('b')}\`\n`);
    expect(readdirSync(scratch)).toEqual(['touch.conf']);
    rmSync(path);
  });

  it('adds the boot to a journal, where replay compares it with another one', () => {
    const journal = join(scratch, 'simulated');
    const first = simulate('--config', sample, '--time', 'prepare=12ms', '--record', journal);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(first.stdout).toBe(simulate('--config', sample, '--time', 'prepare=12ms').stdout);
    expect(simulate('--config', sample, '--time', 'prepare=912ms', '--record', journal).status).toBe(0);
    const words = [program, 'replay', '--diff', journal];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
    expect(stdout).toMatch(/^prepare +0\.012 s +0\.912 s +\+0\.900 s \(\+7500 %\)$/m);
    expect(stdout).toMatch(/^ready in +1\.912 s +2\.812 s +\+0\.900 s/m);
    rmSync(journal);
  });

  it('says where it cannot write the journal', () => {
    const { status, stderr } = simulate('--config', sample, '--record', join(scratch, 'nowhere', 'journal'));
    expect(status).toBe(1);
    expect(stderr).toContain('cannot write');
  });

  it('exits with 1 and the explanation where READY is not reached', () => {
    const { status, stdout } = simulate('--config', sample, '--fail', 'store=signal:9');
    expect(status).toBe(1);
    expect(stdout).toContain('\nchaperone: system failed: store.service did not become ready\n');
    expect(stdout).toContain('never started: waits for store\n');
  });

  it('exits with 1 where the configuration has mistakes, is missing, or holds no service', () => {
    const bad = simulate('--config', file('bad.conf', 'a.service: { comand: "`x`" }\n'));
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain('did you mean "command"?');
    expect(simulate('--config', 'bad.conf').stderr).toContain(`did you mean "${join(scratch, 'bad.conf')}"?`);
    const empty = simulate('--config', file('empty.conf', '\n'));
    expect(empty).toEqual({
      status: 1,
      stdout: '',
      stderr: `chaperonectl simulate: there are no services in ${join(scratch, 'empty.conf')}\n`,
    });
  });

  it('compares, with globs, and prints JSON', () => {
    const { status, stdout } = simulate('--config', sample, '--what-if', '*er=100ms', '--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      readyAfter: 2_000,
      whatIf: { times: { 'reader.service': 100, 'writer.service': 100 }, readyAfter: 2_000 },
    });
    const baseline = file('before.json', stdout);
    const compare = (...words: readonly string[]) =>
      simulate('--config', sample, '--time', 'flaky=0.7', '--baseline', baseline, ...words);
    expect(compare().status).toBe(1);
    expect(compare().stdout).toContain('ready 0.200 s later than in the baseline (2.000 s); 0.000 s are allowed');
    expect(compare('--tolerance', '200ms').status).toBe(0);
  });

  it('takes the times of programs from a journal, and pauses from the configuration', () => {
    const services = [
      simpleService('prepare', { type: 'oneshot' }),
      simpleService('store', { startupPause: 7_000, prerequisites: ['prepare.service'] }),
      simpleService('report', { type: 'oneshot', prerequisites: ['store.service'] }),
    ];
    const script = ([name = '']: readonly string[]): Script => ({
      steps: name === 'store' ? [{ do: 'hang' }] : [{ do: 'wait', ms: name === 'prepare' ? 40 : 250 }],
    });
    const entries = recorded(systemOf(services), { has: () => true, script });
    const journal = file('boots.journal', entries.map(renderEntry).join(''));
    const { status, stdout } = simulate('--config', sample, '--from', journal, '--time', 'report=0.5', '--json');
    expect(status).toBe(0);
    const result: unknown = JSON.parse(stdout);
    expect(result).toMatchObject({
      services: expect.arrayContaining([
        expect.objectContaining({ name: 'prepare.service', took: 40, timeFrom: 'measured' }),
        expect.objectContaining({ name: 'store.service', took: 300, timeFrom: 'startup_pause' }),
        expect.objectContaining({ name: 'report.service', took: 500, timeFrom: 'given' }),
      ]),
    });
    expect(simulate('--config', sample, '--from', `${journal}#7`)).toEqual({
      status: 2,
      stdout: '',
      stderr: `chaperonectl simulate: there is no boot 7 in ${journal}, which has 1; see "chaperonectl replay --list"\ntry "chaperonectl simulate --help"\n`,
    });
    expect(simulate('--config', sample, '--from', file('no.journal', 'x')).stderr).toContain('is not a journal');
  });

  it.each([
    [['--time', 'store'], 2, '--time store: expected NAME=VALUE'],
    [['--time', 'store=soon'], 2, '--time store=soon: "soon": expected a time such as 2s or 300ms'],
    [['--assume', '-1'], 2, '--assume "-1": expected a time such as 2s or 300ms'],
    [['--assume=x'], 2, '--assume "x": expected a time such as 2s or 300ms'],
    [['--fail', 'store=dies'], 2, '--fail store=dies: expected exit:N, signal:N, hang or late:TIME, such as db=exit:1'],
    [
      ['--fail', 'store=hang'],
      2,
      '--fail store=hang: store.service is simple: it is ready after its startup_pause, whatever it does',
    ],
    [
      ['--what-if', 'stor=1s'],
      4,
      '--what-if stor=1s: no such service; there are prepare, store, stubborn, writer, reader, flaky, report',
    ],
    [['--tolerance', '1s'], 2, '--tolerance needs --baseline'],
    [['--baseline', '/nonexistent'], 2, 'cannot read the baseline "/nonexistent": no such file or directory'],
    [['--confg'], 2, 'unknown option "--confg": did you mean "--config"?'],
    [['--t', 'store=1s'], 2, '"--t" may be --time or --tolerance'],
    [['x'], 2, '"simulate" takes no words but options, so not "x"; --config names a configuration'],
  ])('refuses %j', (words, exitStatus, message) => {
    const { status, stdout, stderr } = simulate('--config', sample, ...words);
    expect({ status, stdout }).toEqual({ status: exitStatus, stdout: '' });
    expect(stderr).toBe(`chaperonectl simulate: ${message}\ntry "chaperonectl simulate --help"\n`);
  });

  it('refuses what inetd and cron services have no time for', () => {
    const path = file('scheduled.conf', 'a.service: { type: cron, command: x, interval: "@daily" }\n');
    expect(simulate('--config', path, '--time', 'a=1s').stderr).toContain('it is ready as soon as it is scheduled\n');
    expect(simulate('--config', path, '--fail', 'a=hang').stderr).toContain(
      'no program of it runs before it is ready\n',
    );
  });

  it('says how it is used', () => {
    const verb = verbsOf('chaperonectl').find(({ name }) => name === 'simulate');
    const { status, stdout } = simulate('--help');
    expect(status).toBe(0);
    expect(verb === undefined ? undefined : verbHelp('chaperonectl', verb)).toBe(stdout);
    expect(simulate('--he')).toEqual({ status, stdout, stderr: '' });
  });

  it('is a file of its own, which no other verb loads', () => {
    const dist = inDist();
    expect(readFileSync(join(dist, 'chaperonectl.cjs'), 'utf8')).not.toContain('SimulatedKernel');
    // The names in the bundle are minified.
    expect(readFileSync(join(dist, 'main.cjs.map'), 'utf8')).not.toContain('simulated-kernel.ts');
    expect(readFileSync(join(dist, 'simulate.cjs'), 'utf8')).toContain('SimulatedKernel');
  });
});
