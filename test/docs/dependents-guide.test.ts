/** Runs the examples of docs/guide/dependents.md in virtual time, and compares what the page shows with what happens. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/control/command-words.ts';
import { execute } from '../../src/control/execute.ts';
import { Meter } from '../../src/control/meter.ts';
import { dependencyChart } from '../../src/model/order/dependency-chart.ts';
import { buildDependencyGraph } from '../../src/model/order/dependency-graph.ts';
import type { SystemSpec } from '../../src/model/service/service-spec.ts';
import { specOf } from '../config/loading.ts';
import { supervised } from '../simulation/supervised.ts';
import { createWorld } from '../simulation/world.ts';

const guide = readFileSync(new URL('../../docs/guide/dependents.md', import.meta.url), 'utf8');

/** The blocks under a heading, by their language. */
function sectionOf(heading: string): Readonly<Record<string, string>> {
  const section = guide.split(/^#+ /m).find((part) => part.startsWith(heading));
  if (section === undefined) throw new Error(`the guide has no section "${heading}"`);
  const blocks = [...section.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)];
  return Object.fromEntries(blocks.map(([, language = '', text = '']) => [language, text]));
}

/** A running system of such a configuration, whose programs run until they are killed. */
function running(spec: SystemSpec) {
  const world = createWorld(
    { ...spec, detectExit: false },
    { has: () => true, script: () => ({ steps: [{ do: 'hang' }] }) },
  );
  const { assembly, inspection, kernel, clock } = world;
  const said: string[] = [];
  assembly.records$.subscribe(({ program, message, severity }) => {
    if (program === 'chaperone' && severity !== 'debug') said.push(message);
  });
  const supervisor = supervised({ assembly, kernel, clock, inspection });
  assembly.start();
  const pass = (ms: number): void => clock.run(clock.now() + ms);
  pass(2_000);
  said.length = 0;
  return {
    said,
    supervisor,
    pass,
    kill: (name: string): void => {
      const pid = supervisor.service(name)?.pid;
      if (pid === undefined) throw new Error(`${name} does not run`);
      kernel.signal(pid, 'SIGKILL', 'process');
      pass(1);
    },
    /** What `chaperonectl` answers. */
    control: async (line: string): Promise<string> => {
      const parsed = parseLine(line);
      if (parsed.kind !== 'command') throw new Error(`no command: ${line}`);
      const { text } = await execute(parsed.command, { supervisor, timers: globalTimers, meter: new Meter() });
      pass(2_000);
      return text;
    },
  };
}

const globalTimers = {
  setTimeout: (): number => {
    throw new Error('nobody waits');
  },
  clearTimeout: (): void => {},
};

/** The lines about consequences, tries and the end of the system, which the page shows. */
function shown(said: readonly string[]): string {
  const lines = said.filter((line) => /_prerequisite_|pausing|on_failure|Request/.test(line));
  return `${lines.join('\n')}\n`;
}

describe('docs/guide/dependents.md', () => {
  it('shows how services wait for stages', () => {
    const { yaml = '', chart } = sectionOf('How far: stages');
    expect(chart).toBe(dependencyChart(buildDependencyGraph(specOf(yaml).services)));
  });

  it('shows a service that goes on without one that it wants', async () => {
    const { yaml = '', log = '' } = sectionOf('Going on without');
    const system = running(specOf(yaml));
    await expectDialogue(system.control, log);
    expect(system.supervisor.service('web.service')?.state).toBe('ready');
    const strict = running(specOf(yaml.replace('wants:', 'after:')));
    await strict.control('stop cache');
    expect(await strict.control('restart web')).toContain('cache is stopped');
  });

  it('shows a service that stops because its prerequisite has crashed, and starts again with it', () => {
    const { yaml = '', log, why } = sectionOf('on_prerequisite_failure: stop');
    const { said, supervisor, kill, pass } = running(specOf(yaml));
    kill('db.service');
    expect(shown(said)).toBe(log);
    expect(`${supervisor.service('web.service')?.why.sentence}\n`).toBe(why);
    expect(supervisor.service('web.service')?.cause).toBe('db has crashed');
    pass(5_000);
    expect(supervisor.service('web.service')?.state).toBe('ready');
    expect(supervisor.service('web.service')?.cause).toBeUndefined();
  });

  it('shows a service that fails because its prerequisite has crashed', () => {
    const { yaml = '', log } = sectionOf('on_prerequisite_failure: fail');
    const { said, kill, supervisor } = running(specOf(yaml));
    kill('db.service');
    expect(shown(said)).toBe(log);
    expect(supervisor.service('api.service')?.cause).toBe('db has crashed');
  });

  it('shows a service that restarts when its prerequisite is back', () => {
    const { yaml = '', log } = sectionOf('on_prerequisite_restart');
    const { said, kill, pass, supervisor } = running(specOf(yaml));
    const first = supervisor.service('pool.service')?.pid;
    kill('db.service');
    expect(supervisor.service('pool.service')?.pid).toBe(first);
    pass(8_000);
    expect(shown(said)).toBe(log);
    expect(supervisor.service('pool.service')?.pid).not.toBe(first);
    expect(supervisor.service('pool.service')?.state).toBe('ready');
  });

  it('shows starts and restarts with others', async () => {
    const { yaml = '', log = '' } = sectionOf('By hand, with others');
    const system = running(specOf(yaml));
    const before = system.supervisor.service('web.service')?.pid;
    await expectDialogue(system.control, log);
    expect(system.supervisor.service('web.service')?.state).toBe('ready');
    expect(system.supervisor.service('web.service')?.pid).not.toBe(before);
  });
});

/** Types the commands of a block, and expects the answers that follow each of them; a command without answers is not asked. */
async function expectDialogue(control: (line: string) => Promise<string>, block: string): Promise<void> {
  const parts = block.split(/^\$ chaperonectl /m).slice(1);
  expect(parts.length).toBeGreaterThan(0);
  for (const part of parts) {
    const [command = '', ...answers] = part.trimEnd().split('\n');
    const text = await control(command);
    if (answers.length > 0) expect(text).toBe(answers.join('\n'));
  }
}
