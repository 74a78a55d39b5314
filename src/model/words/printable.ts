const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Control characters except the tab; and the C1 range, which can control a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be found
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

/** A backslash that begins what looks like an escape of one byte. */
const seemingEscape = /\\(?=x[0-9a-f]{2})/g;

/**
 * Bytes of unknown origin as text. What is UTF-8 stays as it is, control characters included; each other byte becomes
 * `\xHH`. That can be undone: a backslash that stood before `xHH` in the bytes becomes `\x5c`.
 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return withoutSeemingEscapes(decoder.decode(bytes));
  } catch {
    return decodePieces(bytes);
  }
}

/** As `decodeText`, on one line: control characters become `\xHH`, too, except for the tab. */
export function printable(bytes: Uint8Array): string {
  return escapeControls(decodeText(bytes));
}

/** Control characters as the `\xHH` of their bytes in UTF-8, except for the tab. */
export function escapeControls(text: string): string {
  return text.replace(controls, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x80 ? hexEscape(code) : `\\xc2${hexEscape(code)}`;
  });
}

function withoutSeemingEscapes(text: string): string {
  return text.includes('\\x') ? text.replace(seemingEscape, '\\x5c') : text;
}

function decodePieces(bytes: Uint8Array): string {
  let text = '';
  let plain = 0;
  const take = (end: number): void => {
    if (end > plain) text += withoutSeemingEscapes(decoder.decode(bytes.subarray(plain, end)));
  };
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    take(at);
    text += hexEscape(bytes[at] ?? 0);
    at += 1;
    plain = at;
  }
  take(bytes.length);
  return text;
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
  // A run of white space is looked at once, whatever is in it: /\s*\n\s*/ would begin anew at each of its characters.
  return escapeControls(text.trim().replace(/\s+/g, (space) => (space.includes('\n') ? ' ' : space)));
}
