/** What is written into the FIFO: the first byte says in what pieces it arrives. */
import { CommandLines } from '../../src/control/command-lines.ts';
import { limits } from '../../src/control/limits.ts';
import { parseCommand } from '../../src/control/raw-protocol.ts';
import { check } from './target.ts';

export const dictionary = [
  'status',
  'stop web',
  'shutdown now',
  '--wait',
  '\n',
  '\r\n',
  '\n\n',
  '"',
  "'",
  '\\',
  ' ',
  '\0',
  'ä',
  '\xff',
  '[*',
];

export function fuzz(data: Buffer): void {
  const whole = new CommandLines();
  const lines = whole.add(data).map(textOf);
  const pieces = new CommandLines();
  const size = 1 + ((data[0] ?? 0) % 97);
  const again: string[] = [];
  for (let start = 0; start < data.length; start += size) {
    again.push(...pieces.add(data.subarray(start, start + size)).map(textOf));
  }
  check(JSON.stringify(again) === JSON.stringify(lines), 'lines are the same in any pieces');
  check(pieces.dropped === whole.dropped, 'and so are those that are dropped');
  check(lines.length + whole.dropped <= data.filter((byte) => byte === 0x0a).length + 1, 'no line comes from nowhere');
  for (const line of lines) {
    check(
      line !== '' && !line.includes('\n') && line.length <= limits.line,
      'a line is one, and no longer than it may be',
    );
    const parsed = parseCommand(Buffer.from(line, 'latin1'));
    check(parsed.kind !== 'mistake' || parsed.message.length < 2 * limits.line, 'a mistake is told in few words');
  }
}

/** Bytes as they are, one character each. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
