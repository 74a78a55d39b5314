import { expect } from 'vitest';
import { renderErrors, renderWarnings } from '../../../src/config/render-diagnostics.ts';
import { createReport } from '../../../src/config/report.ts';
import { type ImportKind, importFrom } from '../../../src/conventions/import/import-from.ts';
import { describeRemark, writeFile } from '../../../src/conventions/import/write-yaml.ts';
import type { SystemSpec } from '../../../src/model/service/service-spec.ts';
import { type ImageFile, loadImage, memoryImage } from '../memory-image.ts';

/** What an import of files in memory gives. */
export function importOf(
  path: string,
  files: Readonly<Record<string, ImageFile>>,
  { from, environment = {} }: { from?: ImportKind; environment?: Readonly<Record<string, string>> } = {},
) {
  const report = createReport();
  const found = importFrom({
    path,
    reader: memoryImage(files),
    environment,
    report,
    ...(from === undefined ? {} : { from }),
  });
  const diagnostics = report.finish(found?.files ?? []);
  return {
    kind: found?.kind,
    text: found === undefined ? '' : writeFile(found.drafts, { lines: [], remarks: [] }),
    remarks: found?.remarks.map(describeRemark) ?? [],
    errors: renderErrors(diagnostics),
    warnings: renderWarnings(diagnostics),
  };
}

/** The system that the written file makes. It has no mistakes and no warnings. */
export function systemOf(text: string, environment: Readonly<Record<string, string>> = { PATH: '/bin' }): SystemSpec {
  const { spec, diagnostics } = loadImage({ '/etc/chaperone.d/imported.conf': text }, environment);
  expect(`${renderErrors(diagnostics)}${renderWarnings(diagnostics)}`).toBe('');
  if (spec === undefined) throw new Error('no configuration');
  return spec;
}
