import { shortName } from '../service/service-spec.ts';
import type { DependencyGraph, DependencyNode } from './dependency-graph.ts';
import { tieTo, tieWords } from './prerequisite.ts';

const separator = ' | ';

/**
 * The start order as text: a head row of names, for each service a bar that begins right after the column of its last
 * prerequisite and ends at its own, and who waits for whom (reference, section 6). What the groups INIT and IDLE imply
 * counts as a prerequisite, too.
 */
export function dependencyChart({ names, nodes }: DependencyGraph): string {
  const shortNames = names.map(shortName);
  const width = Math.max(0, ...shortNames.map((name) => name.length));
  const row = (name: string, rest: string): string => `${name.padEnd(width)}${separator}${rest}`.trimEnd();

  let column = 0;
  /** Where each name ends in the head row. */
  const ends = new Map<string, number>();
  names.forEach((name, index) => {
    const { length } = shortNames[index] ?? '';
    ends.set(name, column + length);
    column += length + separator.length;
  });

  /** Latest first. */
  const prerequisites = names.map((name, index) => {
    const node = nodes[name];
    const earlier = names.slice(0, index).reverse();
    return earlier.filter(
      (other) => node?.prerequisites.includes(other) === true || (nodes[other]?.stage ?? 0) < (node?.stage ?? 0),
    );
  });
  const bars = names.map((name, index) => {
    const start = Math.max(0, ...(prerequisites[index] ?? []).map((other) => ends.get(other) ?? 0));
    return row(shortNames[index] ?? '', `${' '.repeat(start)}${'='.repeat((ends.get(name) ?? 0) - start)}`);
  });
  const lists = names.map((name, index) =>
    row(shortNames[index] ?? '', (prerequisites[index] ?? []).map((other) => waitText(other, nodes[name])).join(', ')),
  );
  return [
    `${' '.repeat(width + separator.length)}${shortNames.join(separator)}`,
    ...bars,
    `${'-'.repeat(width)}-> depends on...`,
    ...lists,
    '',
  ].join('\n');
}

/** `db`, or where it is not simply to be ready `db (requires, healthy)`. */
function waitText(name: string, node: DependencyNode | undefined): string {
  const words = tieWords(tieTo(node, name));
  return words === '' ? shortName(name) : `${shortName(name)} (${words})`;
}
