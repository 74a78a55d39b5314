import { limits } from './limits.ts';

/** Cuts the text from the FIFO into lines; a line that is too long is dropped as a whole, and counted. */
export class CommandLines {
  #rest: Uint8Array = new Uint8Array();
  #skipping = false;
  dropped = 0;

  /** @returns the lines that are complete now, without their newlines */
  add(chunk: Uint8Array): readonly Uint8Array[] {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      const line = this.#join(chunk.subarray(start, end));
      start = end + 1;
      this.#rest = new Uint8Array();
      if (this.#skipping) this.#skipping = false;
      else if (line.length > limits.line) this.dropped += 1;
      else if (line.length > 0) lines.push(line);
    }
    const rest = chunk.subarray(start);
    if (this.#skipping) return lines;
    this.#rest = this.#join(rest);
    if (this.#rest.length > limits.line) {
      this.#rest = new Uint8Array();
      this.#skipping = true;
      this.dropped += 1;
    }
    return lines;
  }

  #join(more: Uint8Array): Uint8Array {
    if (this.#rest.length === 0) return more.slice();
    const whole = new Uint8Array(this.#rest.length + more.length);
    whole.set(this.#rest);
    whole.set(more, this.#rest.length);
    return whole;
  }
}
