import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';

/** A place in a bundle: `/lib/main.cjs:12:34`. */
const place = /([^\s():]+\.cjs):(\d+):(\d+)/g;

/**
 * Names the source files in a stack trace, because the code that runs is minified. Where the source map of a file cannot be read,
 * the places in this file stay as they are.
 */
export function sourceStack(stack: string, readMap: (path: string) => string = readText): string {
  const maps = new Map<string, SourceMap | undefined>();
  return stack.replace(place, (found, file: string, line: string, column: string) => {
    if (!maps.has(file)) maps.set(file, mapOf(`${file}.map`, readMap));
    // Stack traces count from 1, source maps from 0.
    const entry = maps.get(file)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return found;
    const source = entry.originalSource.replace(/^(?:\.\.\/)+/, '');
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function mapOf(path: string, readMap: (path: string) => string): SourceMap | undefined {
  try {
    const payload: unknown = JSON.parse(readMap(path));
    return isPayload(payload) ? new SourceMap(payload) : undefined;
  } catch {
    return undefined;
  }
}

function isPayload(value: unknown): value is SourceMapPayload {
  return typeof value === 'object' && value !== null && 'mappings' in value && 'sources' in value;
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
