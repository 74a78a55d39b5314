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

  it('is cut where a line is too long, with a mark', async () => {
    const [long, after] = (await speak('long')).map(({ message }) => message);
    expect(long).toMatch(/^x{8192} \[… 91808 bytes cut\]$/);
    expect(after).toBe('after');
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
