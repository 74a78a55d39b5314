import { expect } from 'vitest';
import { type LoadContext, type LoadResult, loadConfiguration } from '../../src/config/load.ts';
import { mistakeHelp } from '../../src/config/mistake-help.ts';
import { renderErrors, renderWarnings } from '../../src/config/render-diagnostics.ts';
import { parseAccounts } from '../../src/model/service/accounts.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import { type MemoryFile, memoryReader } from './memory-reader.ts';

export const accounts = parseAccounts(
  'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/false\njoe:x:1000:100:Joe:/home/joe:/bin/sh\n',
  'root:x:0:\nwww:x:33:\nusers:x:100:\nadm:x:4:joe,www\n',
);

/** Loads `chaperone.d` with these files in it. */
export function loadFiles(files: Readonly<Record<string, MemoryFile>>, context: Partial<LoadContext> = {}): LoadResult {
  const inside = Object.entries(files).map(([name, content]): [string, MemoryFile] => [`chaperone.d/${name}`, content]);
  const reader = memoryReader(Object.fromEntries(inside));
  return loadConfiguration('chaperone.d', {
    reader,
    environment: {},
    accounts,
    interactive: false,
    help: mistakeHelp,
    ...context,
  });
}

/** Loads one file. */
export function loadText(text: string, context: Partial<LoadContext> = {}): LoadResult {
  return loadFiles({ 'x.conf': text }, context);
}

/** The configuration of a text without mistakes. */
export function specOf(text: string, context: Partial<LoadContext> = {}): SystemSpec {
  const result = loadText(text, context);
  expect(renderErrors(result.diagnostics)).toBe('');
  if (result.spec === undefined) throw new Error('no configuration');
  return result.spec;
}

/** The only service, or the one of that name, of a text without mistakes. */
export function serviceOf(text: string, context: Partial<LoadContext> = {}, name?: string): ServiceSpec {
  const service = specOf(text, context).services.find((candidate) => name === undefined || candidate.name === name);
  if (service === undefined) throw new Error('no such service');
  return service;
}

export function errorsOf(text: string, context: Partial<LoadContext> = {}): string {
  return renderErrors(loadText(text, context).diagnostics);
}

export function warningsOf(text: string, context: Partial<LoadContext> = {}): string {
  return renderWarnings(loadText(text, context).diagnostics);
}
