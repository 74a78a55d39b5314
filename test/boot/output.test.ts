import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boot, config, expectOrder, logAll } from './namespace.ts';

/** The texts under the service's name, and the pid in those lines. */
function records(lines: readonly string[], service: string) {
  const pattern = new RegExp(`^[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d \\S+ ${service}\\[(\\d+)\\]: (.*)$`);
  return lines.flatMap((line) => {
    const match = pattern.exec(line);
    return match === null ? [] : [{ pid: Number(match[1]), message: match[2] ?? '' }];
  });
}

async function speak(what: string) {
  const system = boot({
    files: {
      'x.conf': config({
        'voice.service': { type: 'oneshot', command: `$(FIXTURES)/speak.mjs ${what}`, ignore_failures: true },
      }),
    },
  });
  expect(await system.exit).toBe(0);
  expect(system.lines('stderr')).toEqual([]);
  return records(system.lines('stdout'), 'voice');
}

describe('what a service writes', () => {
  it('is logged line by line, with its name and pid, without blank lines', async () => {
    const spoken = await speak('lines');
    const pid = spoken[0]?.pid;
    expect(spoken).toHaveLength(4);
    expect(spoken).toEqual(
      expect.arrayContaining(
        [`pid ${pid}`, 'second', 'split in two', 'complaint'].map((message) => ({ pid, message })),
      ),
    );
    expect(spoken.map(({ message }) => message).filter((message) => message !== 'complaint')).toEqual([
      `pid ${pid}`,
      'second',
      'split in two',
    ]);
  });

  it('has stdout as info and stderr as warning', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'voice.service': { type: 'oneshot', command: '$(FIXTURES)/speak.mjs lines' },
          'warnings.logging': { selector: '*.warning', stderr: true },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(records(system.lines('stderr'), 'voice').map(({ message }) => message)).toEqual(['complaint']);
    expect(system.lines('stdout')).toEqual([]);
  });

  it('shows bytes that cannot be shown, and control characters, as escapes', async () => {
    expect((await speak('binary')).map(({ message }) => message)).toEqual(['a\\x00\\x01\\xff\\xfeb\tc\\x1b[31mä']);
  });

  it('is divided where a line is too long, and no byte of it is lost', async () => {
    const [first, second, after] = (await speak('long')).map(({ message }) => message);
    expect(first).toMatch(/^x{65536}$/);
    expect(second).toMatch(/^\[continued\] x{34464}$/);
    expect(after).toBe('after');
  });

  it('is kept in order where stderr goes to the same pipe', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'voice.service': {
            type: 'oneshot',
            command: `sh -c 'for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done'`,
            stderr: 'stdout',
          },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(records(system.lines('stdout'), 'voice').map(({ message }) => message)).toEqual(
      Array.from({ length: 9 }, (_, index) => [`out ${index + 1}`, `err ${index + 1}`]).flat(),
    );
  });

  it('of stdout comes first where stderr was written to later', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'voice.service': { type: 'oneshot', command: "sh -c 'seq 10000; echo last >&2'" },
        }),
      },
    });
    expect(await system.exit).toBe(0);
    expect(records(system.lines('stdout'), 'voice').at(-1)?.message).toBe('last');
  });

  it('is kept where the last line has no end', async () => {
    expect((await speak('unfinished')).map(({ message }) => message)).toEqual(['no newline at the end']);
  });

  it('is kept where the process is killed in the middle of a line', async () => {
    expect((await speak('killed')).map(({ message }) => message)).toEqual(['whole line', 'half a li']);
  });

  it('comes before the news of its end', async () => {
    const system = boot({
      files: {
        'x.conf': config({ 'voice.service': { type: 'oneshot', command: 'seq 5000' }, ...logAll }),
      },
    });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/voice\[\d+\]: 5000$/, /voice\.service exit status for pid=/]);
    expect(records(system.lines('stdout'), 'voice').map(({ message }) => message)).toEqual(
      Array.from({ length: 5000 }, (_, index) => String(index + 1)),
    );
  });

  it('explains an end by its last lines, the last one without an end and what no entry shows included', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'voice.service': { command: `sh -c 'seq 4; printf "<7>and quiet\\nno end" >&2; exit 3'` },
          'none.logging': { selector: '*.emerg', stdout: true },
        }),
      },
    });
    expect(await system.exit).toBe(1);
    const lines = system.lines('stderr').join('\n');
    expect(lines).toMatch(
      /^ {2}last {4}"2" {2}\(stdout, .*\n {10}"3" {2}\(stdout.*\n {10}"4" {2}\(stdout.*\n {10}"and quiet" {2}\(stderr, .*\n {10}"no end" {2}\(stderr/m,
    );
  });

  it('explains an end as JSON where the console is JSON', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'voice.service': { command: `sh -c 'printf half; exit 3'` },
          'console.logging': { selector: '*.info', stdout: true, format: 'json' },
        }),
      },
    });
    expect(await system.exit).toBe(1);
    const [only, ...more] = system.lines('stderr');
    expect(more).toEqual([]);
    const record: unknown = JSON.parse(only ?? '');
    expect(record).toMatchObject({ severity: 'err', program: 'chaperone', pid: 1 });
    expect(record).toHaveProperty(
      'message',
      expect.stringMatching(/^chaperone: system failed: .*\n {2}last {4}"half"/s),
    );
  });

  it('does not hold up its end where a grandchild keeps the pipe, and later lines still arrive', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'voice.service': { type: 'oneshot', command: '$(FIXTURES)/speak.mjs grandchild $(_CHAP_CONFIG_DIR)/go' },
          'next.service': { type: 'oneshot', command: 'echo next ran', after: 'voice.service' },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/next\[\d+\]: next ran/);
    writeFileSync(system.path('go'), '');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /voice\[\d+\]: parent line/,
      /voice\.service exit status for pid=/,
      /next ran/,
      /voice\[\d+\]: later line/,
    ]);
  });
});
