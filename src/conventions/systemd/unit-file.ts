/** Reads unit files, systemd.syntax(7). */
import type { Place, Source } from '../../config/source.ts';

export interface UnitEntry {
  readonly section: string;
  readonly key: string;
  /** Without the space around it; further lines are joined with a space. */
  readonly value: string;
  readonly place: Place;
  readonly keyPlace: Place;
}

export interface UnitFile {
  readonly entries: readonly UnitEntry[];
  /** The lines that are neither a section nor an assignment. */
  readonly mistakes: readonly Place[];
  readonly place: Place;
}

export function readUnitFile(source: Source): UnitFile {
  const entries: UnitEntry[] = [];
  const mistakes: Place[] = [];
  let section = '';
  for (const { text, start } of logicalLines(source.text)) {
    const [header, name] = /^\[([^\]]+)\]$/.exec(text) ?? [];
    if (header !== undefined) {
      section = name ?? '';
      continue;
    }
    const [whole, key = '', gap = '', value = ''] = /^([A-Za-z][A-Za-z0-9-]*)(\s*=\s*)(.*)$/s.exec(text) ?? [];
    const end = start + text.length;
    if (whole === undefined || section === '') {
      mistakes.push({ source, start, end });
      continue;
    }
    const from = start + key.length + gap.length;
    entries.push({
      section,
      key,
      value: value.trim(),
      place: { source, start: from, end: Math.max(from + 1, from + value.length) },
      keyPlace: { source, start, end: start + key.length },
    });
  }
  return { entries, mistakes, place: { source, start: 0, end: 1 } };
}

/** Lines that end with a backslash go on in the next one; comments between them are left out. */
function* logicalLines(text: string): Generator<{ readonly text: string; readonly start: number }> {
  let joined: { text: string; start: number } | undefined;
  let offset = 0;
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const start = offset + raw.length - raw.trimStart().length;
    offset += raw.length + 1;
    if (/^[#;]/.test(line)) continue;
    const continues = line.endsWith('\\');
    const part = continues ? `${line.slice(0, -1).trimEnd()} ` : line;
    joined = joined === undefined ? { text: part, start } : { ...joined, text: joined.text + part };
    if (continues) continue;
    if (joined.text.trim() !== '') yield { text: joined.text.trimEnd(), start: joined.start };
    joined = undefined;
  }
  if (joined !== undefined && joined.text.trim() !== '') yield { text: joined.text.trimEnd(), start: joined.start };
}
