/**
 * Bytes as text, and back without a loss. What is not UTF-8 is kept as lone surrogates, one for each byte (U+DC80 to
 * U+DCFF), which no well-formed text holds: environments and command lines of Linux are bytes.
 */
const lowest = 0xdc00;
const loneSurrogate = /[\uDC80-\uDCFF]/;

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** How many bytes the character has that begins with this byte; 1 where none does. */
function lengthOf(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

export function fromBytes(bytes: Uint8Array): string {
  const whole = decode(bytes);
  if (whole !== undefined) return whole;
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const piece = bytes.subarray(at, at + lengthOf(first));
    const character = decode(piece);
    text += character ?? String.fromCharCode(lowest + first);
    at += character === undefined ? 1 : piece.length;
  }
  return text;
}

export function toBytes(text: string): Uint8Array {
  if (!loneSurrogate.test(text)) return encoder.encode(text);
  const pieces: Uint8Array[] = [];
  let begin = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // The second half of a pair is no lone surrogate.
    if (code >= 0xd800 && code < lowest) at += 1;
    else if (code >= lowest + 0x80 && code < lowest + 0x100) {
      pieces.push(encoder.encode(text.slice(begin, at)), Uint8Array.of(code - lowest));
      begin = at + 1;
    }
  }
  pieces.push(encoder.encode(text.slice(begin)));
  return Buffer.concat(pieces);
}
