const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Control characters except the tab; and the C1 range, which can control a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be found
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/**
 * Bytes of unknown origin as one printable line: UTF-8 where they are UTF-8, each other byte as `\xHH`; control characters
 * as `\xHH` too, but for the tab.
 */
export function printable(bytes: Uint8Array): string {
  return escapeControls(decodeLoosely(bytes));
}

function escapeControls(text: string): string {
  return text.replace(controls, (character) => hexEscape(character.charCodeAt(0)));
}

function decodeLoosely(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    let text = '';
    for (let start = 0; start < bytes.length; ) {
      const length = sequenceLength(bytes, start);
      if (length === 0) {
        text += hexEscape(bytes[start] ?? 0);
        start += 1;
      } else {
        text += decoder.decode(bytes.subarray(start, start + length));
        start += length;
      }
    }
    return text;
  }
}

/** The length of the well-formed UTF-8 sequence at `start`, 0 where there is none (RFC 3629, section 4). */
function sequenceLength(bytes: Uint8Array, start: number): number {
  const lead = bytes[start] ?? 0;
  const length =
    lead < 0x80
      ? 1
      : lead >= 0xc2 && lead < 0xe0
        ? 2
        : lead >= 0xe0 && lead < 0xf0
          ? 3
          : lead >= 0xf0 && lead < 0xf5
            ? 4
            : 0;
  if (length === 0 || start + length > bytes.length) return 0;
  for (let index = start + 1; index < start + length; index++) {
    if (((bytes[index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  const second = bytes[start + 1] ?? 0;
  // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
  if (lead === 0xe0 && second < 0xa0) return 0;
  if (lead === 0xed && second >= 0xa0) return 0;
  if (lead === 0xf0 && second < 0x90) return 0;
  if (lead === 0xf4 && second >= 0x90) return 0;
  return length;
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

/** Text of several lines as one printable line, for log records and tables. */
export function oneLine(text: string): string {
  return escapeControls(text.trim().replace(/\s*\n\s*/g, ' '));
}
