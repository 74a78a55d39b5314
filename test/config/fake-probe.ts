import type { Probe } from '../../src/config/check-programs.ts';

/** A file that exists only in memory; an executable one of root where nothing else is said. */
export interface FakeFile {
  readonly kind?: 'file' | 'directory';
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly text?: string;
}

export const binary: FakeFile = { text: '\x7fELF' };
export const folder: FakeFile = { kind: 'directory' };

/** A container in which `/bin` has sh, sleep, env and true. */
export function fakeProbe(more: Readonly<Record<string, FakeFile>> = {}): Probe {
  const files = new Map<string, FakeFile>(
    Object.entries({ '/bin/sh': binary, '/bin/sleep': binary, '/bin/env': binary, '/bin/true': binary, ...more }),
  );
  const modeOf = (path: string): number | undefined => {
    const file = files.get(path);
    return file === undefined ? undefined : (file.mode ?? 0o755);
  };
  return {
    directory: '/start',
    findProgram(word, searchPath, directory) {
      if (word.includes('/')) return files.has(word.startsWith('/') ? word : `${directory}/${word}`) ? word : undefined;
      const found = (searchPath || '/bin').split(':').map((entry) => `${entry}/${word}`);
      return found.find((path) => ((modeOf(path) ?? 0) & 0o111) !== 0) ?? found.find((path) => files.has(path));
    },
    look(path) {
      const file = files.get(path);
      if (file === undefined) return 'missing';
      return { kind: file.kind ?? 'file', mode: file.mode ?? 0o755, uid: file.uid ?? 0, gid: file.gid ?? 0 };
    },
    head: (path) => files.get(path)?.text,
  };
}
