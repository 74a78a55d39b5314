import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inDist } from '../dist.ts';
import { boot, config, fixtures, readProcess } from './namespace.ts';

const dist = inDist();
const home = mkdtempSync(join(tmpdir(), 'chaperone-faulty-'));

beforeAll(() => {
  for (const name of ['chaperone', 'chaperone.cjs', 'edge.node']) copyFileSync(join(dist, name), join(home, name));
  execFileSync(process.execPath, [join(fixtures, 'bundle-faulty.mjs'), home]);
});

afterAll(() => rmSync(home, { recursive: true }));

const faults = [
  { fault: 'spawn', message: /fault in spawn/ },
  { fault: 'output', message: /fault in output/ },
  { fault: 'handler', message: /fault in a handler/ },
  { fault: 'exits', message: /fault in exits/ },
  { fault: 'twice', message: /first fault/ },
];

describe.each(faults)('an error inside chaperone ($fault)', ({ fault, message }) => {
  it.each([
    true,
    false,
  ])('is told first, ends the others by their own signals, and is exit status 1 (PID 1: %s)', async (pid1) => {
    const system = boot({
      pid1,
      program: join(home, 'chaperone'),
      env: { FAULT: fault },
      merge: true,
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: 4 },
          'first.service': {
            command: '$(FIXTURES)/obey USR1 "first stops" 0 $(_CHAP_CONFIG_DIR)/first',
            kill_signal: 'SIGUSR1',
            startup_pause: 0.2,
          },
          'second.service': {
            command: '$(FIXTURES)/obey USR2 "second stops" 0 $(_CHAP_CONFIG_DIR)/second',
            kill_signal: 'SIGUSR2',
            startup_pause: 0.2,
          },
          'gate.service': { type: 'oneshot', command: '$(FIXTURES)/finish-when $(_CHAP_CONFIG_DIR)/go' },
          'boom.service': {
            command: 'sh -c "echo boom; exit 77" boom',
            // The service is ready at once, because a failed start would end the system by itself.
            startup_pause: 0,
            after: 'first.service, second.service, gate.service',
          },
        }),
      },
    });
    await system.waitForLine(/first\[\d+\]: obeying/);
    await system.waitForLine(/second\[\d+\]: obeying/);
    const before = system.processes().map(({ pid }) => pid);
    expect(before.length).toBeGreaterThan(0);
    // The fault happens when boom starts, so the other services have to have set their traps before.
    writeFileSync(system.path('go'), '');
    expect(await system.exit).toBe(1);

    const lines = system.lines();
    // The first line that chaperone prints about it is the cause.
    const cause = lines.findIndex((line) => line.startsWith('chaperone: '));
    expect(lines[cause]).toMatch(/^chaperone: internal error, ending the system: Error: /);
    expect(lines[cause]).toMatch(message);
    // What runs is minified; the stack names the sources.
    const stack = lines.slice(
      cause + 1,
      lines.findIndex((line, at) => at > cause && !/^ {4}at /.test(line)),
    );
    expect(stack.join('\n')).toMatch(/test\/fixtures\/faulty-chaperone\.ts:\d+:\d+/);
    expect(stack.filter((line) => line.includes('main.cjs'))).toEqual([]);
    const consequence = /chaperone\[\d+\]: internal error|Final termination|(first|second)\[\d+\]: .* stops/;
    expect(lines.slice(0, cause).filter((line) => consequence.test(line))).toEqual([]);
    // Each service wrote its reaction to its own signal to a file, which no fault of chaperone's output can hide.
    expect(readFileSync(system.path('first'), 'utf8')).toBe('first stops\n');
    expect(readFileSync(system.path('second'), 'utf8')).toBe('second stops\n');
    expect(before.filter((pid) => readProcess(pid) !== undefined)).toEqual([]);
  });
});
