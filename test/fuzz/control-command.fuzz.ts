/** Command lines on the socket and in the FIFO: an input is what a client sends, cut into pieces at its first bytes' say. */

import { CommandLines } from '../../src/control/command-lines.ts';
import { parseWords } from '../../src/control/command-words.ts';
import { neededFor } from '../../src/control/commands.ts';
import { limits } from '../../src/control/limits.ts';
import { parseCommand, RawCommand, rawAnswer } from '../../src/control/raw-protocol.ts';
import { check } from './target.ts';

export const dictionary = [
  ...[
    'status',
    'start',
    'stop',
    'reset',
    'restart',
    'enable',
    'disable',
    'kill',
    'wait',
    'loglevel',
    'shutdown',
    'reload',
  ],
  ...[
    '--force',
    '--wait',
    '--enable',
    '--timeout',
    '--timeout=',
    '--for',
    '--',
    '-',
    '=',
    ' ',
    '\n',
    '\r\n',
    '"',
    "'",
    '\\',
  ],
  ...['web.service', '*', '[a-z]*', 'SIGTERM', '9', '1e3', '0.5', '-1', 'now', '*.debug', 'ä', '\0', '\u001b[2J'],
];

export function fuzz(data: Buffer): void {
  const whole = new RawCommand();
  whole.add(data);
  const parsed = whole.parse();
  const pieces = new RawCommand();
  const size = 1 + ((data[0] ?? 0) % 7);
  for (let start = 0; start < data.length; start += size) pieces.add(data.subarray(start, start + size));
  check(JSON.stringify(pieces.parse()) === JSON.stringify(parsed), 'a command is the same in any pieces');
  if (parsed.kind === 'mistake') {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not come back
    check(!/[\u0000-\u0008\u000b-\u001f\u007f]/.test(parsed.message), 'a mistake is told without control characters');
    check(rawAnswer({ kind: 'mistake', text: parsed.message }).startsWith('COMMAND-ERROR\n'), 'and as one');
  }
  if (parsed.kind === 'command') {
    const { command } = parsed;
    for (const key of ['delay', 'timeout'] as const) {
      const value = key in command ? Object.entries(command).find(([name]) => name === key)?.[1] : undefined;
      check(value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0), `${key} is a time`);
    }
    neededFor(command);
    if ('names' in command) check(parseWords(['status', '--', ...command.names]).kind === 'command', 'names are words');
  }

  const lines = new CommandLines();
  const found: Uint8Array[] = [];
  for (let start = 0; start < data.length; start += size) found.push(...lines.add(data.subarray(start, start + size)));
  const expected = data
    .toString('latin1')
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== '' && line.length <= limits.line);
  check(
    JSON.stringify(found.map((line) => Buffer.from(line).toString('latin1'))) === JSON.stringify(expected),
    'the FIFO gives each line that is not too long, in any pieces',
  );
  for (const line of found) parseCommand(line);
}
