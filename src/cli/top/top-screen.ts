import type { Key } from './keys.ts';
import type { ViewLine } from './top-view.ts';

export interface ScreenOptions {
  readonly colour: boolean;
  readonly onKey: (key: Key) => void;
}

/** What draws lines at a terminal and hears keys. */
export interface Screen {
  draw(lines: readonly ViewLine[]): void;
  /** Clears the terminal, whose size has changed: the next drawing is a whole one. */
  wipe(): void;
  /** Draws no more, and hears no more keys. */
  close(): void;
}
