/** Text of a conf to values with places. Old confs are JSON with `#` comments, which is YAML but for a few comments. */
import { mistakeHelp } from '../../config/mistake-help.ts';
import { parseYaml, type YamlNode } from '../../config/parse-yaml.ts';
import type { Report } from '../../config/report.ts';
import { createSource, type Place } from '../../config/source.ts';

/** A conf that was read, and a place for what concerns all of it. */
export interface ConfText {
  /** Absent: the conf is empty. */
  readonly root?: YamlNode;
  readonly whole: Place;
}

/** @returns undefined where the text cannot be understood; the report says why */
export function readConfText(file: string, raw: string, report: Report): ConfText | undefined {
  const source = createSource(file, raw);
  // Positions are those of the text as it is written, since a comment becomes as many blanks.
  const text = withoutComments(source.text);
  const documents = parseYaml({ ...source, text }, report, mistakeHelp);
  if (documents === undefined) return undefined;
  const whole: Place = { source, start: 0, end: 1 };
  const [root, second] = documents;
  if (second !== undefined) {
    report.error('wrong-shape', 'the conf has several documents', second.place, {
      hint: 'expected one, without "---"',
    });
    return undefined;
  }
  return root === undefined ? { whole } : { root, whole };
}

/** In JSON a comment may follow a comma or a brace at once, which YAML refuses. */
function withoutComments(text: string): string {
  if (!/^(?:\s|#[^\n]*\n)*[[{]/.test(text)) return text;
  return text.replace(/"(?:[^"\\\n]|\\.)*"|#[^\n]*/g, (part) =>
    part.startsWith('#') ? ' '.repeat(part.length) : part,
  );
}
