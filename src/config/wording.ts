const longestQuote = 60;

/** Text of the user inside a message: in double quotes, control characters made visible, cut where it is long. */
export function quote(text: string): string {
  const characters = [...text];
  const shown = characters.length > longestQuote ? `${characters.slice(0, longestQuote).join('')}…` : text;
  return `"${visible(shown)}"`;
}

/** Replaces control characters by their pictures, so that text of a configuration cannot control a terminal. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : '\ufffd';
  });
}
