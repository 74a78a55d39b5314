/** The terminal of `chaperonectl top`: draws lines and hears keys with ink. It is a bundle of its own, loaded only there. */
import { render, Text, useInput } from 'ink';
import { createElement, Fragment, type ReactElement } from 'react';
import type { Hue } from '../../facts/hues.ts';
import type { Key } from './keys.ts';
import type { Screen, ScreenOptions } from './top-screen.ts';
import type { Piece, ViewLine } from './top-view.ts';

/** Clears the screen, and goes to its first cell. */
const wiped = '\u001b[2J\u001b[H';

interface FrameProps extends ScreenOptions {
  readonly lines: readonly ViewLine[];
}

const colours: Readonly<Record<Hue, string>> = {
  grey: 'gray',
  blue: 'blue',
  green: 'green',
  cyan: 'cyan',
  amber: 'yellow',
  purple: 'magenta',
  red: 'red',
};

export function openScreen(options: ScreenOptions): Screen {
  const frame = (lines: readonly ViewLine[]): ReactElement => createElement(Frame, { ...options, lines });
  const instance = render(frame([]), { exitOnCtrlC: false, patchConsole: false });
  return {
    draw: (lines) => instance.rerender(frame(lines)),
    // What a terminal makes of its lines when its size changes is not known.
    wipe: () => {
      instance.clear();
      process.stdout.write(wiped);
    },
    close: () => instance.unmount(),
  };
}

function Frame({ lines, colour, onKey }: FrameProps): ReactElement {
  useInput((input, key) => {
    // Keys that come in one go are heard one by one.
    const pressed = nameOf(key);
    if (pressed !== undefined) onKey(pressed);
    else if (key.ctrl) onKey(`ctrl+${input}`);
    else if (!key.meta) for (const character of input) onKey(controlKeys.get(character) ?? character);
  });
  return createElement(
    Fragment,
    undefined,
    ...lines.map((line, index) =>
      createElement(
        Text,
        { key: index, wrap: 'truncate-end' },
        // An empty text would take no line.
        ...(line.length === 0 ? [' '] : line.map((piece, nth) => drawn(piece, nth, colour))),
      ),
    ),
  );
}

function drawn({ text, hue, strong }: Piece, key: number, colour: boolean): ReactElement {
  return createElement(
    Text,
    {
      key,
      ...(hue === undefined || !colour ? {} : { color: colours[hue] }),
      ...(strong === true ? { bold: true } : {}),
    },
    text,
  );
}

/** Keys that come in one go with others, which ink gives no names then. */
const controlKeys: ReadonlyMap<string, Key> = new Map([
  ['\r', 'return'],
  ['\n', 'return'],
  ['\u001b', 'escape'],
  ['\u007f', 'backspace'],
  ['\b', 'backspace'],
]);

type PressedKey = Parameters<Parameters<typeof useInput>[0]>[1];

const names: readonly (readonly [keyof PressedKey, Key])[] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['pageUp', 'pageUp'],
  ['pageDown', 'pageDown'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'return'],
  ['escape', 'escape'],
  ['backspace', 'backspace'],
  ['delete', 'backspace'],
];

function nameOf(key: PressedKey): Key | undefined {
  return names.find(([flag]) => key[flag] === true)?.[1];
}
