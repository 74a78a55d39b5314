import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { renderErrors, renderWarnings } from '../../config/render-diagnostics.ts';
import { createReport } from '../../config/report.ts';
import { exitStatuses } from '../../control/answer.ts';
import type { Draft, Remark } from '../../conventions/draft.ts';
import { importFrom } from '../../conventions/import/import-from.ts';
import { describeRemark, writeFile } from '../../conventions/import/write-yaml.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import { ImageFiles } from '../../runtime/linux/image-files.ts';
import { reasonOf } from '../program-io.ts';
import { print, refuse } from './print.ts';
import type { Request } from './read-words.ts';
import { importFrom as fromOption, json, to as toOption } from './verb-options.ts';

interface Outcome {
  readonly drafts: readonly Draft[];
  readonly remarks: readonly Remark[];
  readonly diagnostics: readonly Diagnostic[];
  readonly kinds: readonly string[];
}

/** Reads files of another program, and writes what they say into a folder of a configuration. */
export async function run({ given, words }: Request): Promise<number> {
  if (words.length === 0) return refuse('chaperonectl import', '"import" needs the name of a file or a folder');
  const outcome = readAll(words, given.get(fromOption));
  const failed = outcome.diagnostics.some(({ severity }) => severity === 'error');
  const to = given.get(toOption) ?? 'chaperone.d';
  const file = to === '-' ? undefined : join(to, 'imported.conf');
  const text = writeFile(outcome.drafts, { lines: headOf(words, outcome), remarks: outcome.remarks });
  const mistake = failed ? undefined : file === undefined ? undefined : write(to, file, text);
  if (given.get(json)) await print(1, `${JSON.stringify(asJson(outcome, failed ? undefined : (file ?? '-'), text))}\n`);
  else await tell(outcome, { text, ...(failed ? {} : { file: file ?? '-' }) });
  if (mistake !== undefined) await print(2, `chaperonectl import: ${mistake}\n`);
  return failed || mistake !== undefined ? 1 : exitStatuses.done;
}

function readAll(words: readonly string[], from: ReturnType<typeof fromOption.read>): Outcome {
  const report = createReport();
  const reader = new ImageFiles();
  const imported = words.flatMap((word) => {
    const path = resolve(word);
    return (
      importFrom({ path, reader, environment: process.env, report, ...(from === undefined ? {} : { from }) }) ?? []
    );
  });
  const files = imported.flatMap((each) => each.files);
  return {
    drafts: [...new Map(imported.flatMap(({ drafts }) => drafts).map((draft) => [draft.name, draft])).values()],
    remarks: imported.flatMap(({ remarks }) => remarks),
    diagnostics: report.finish(files),
    kinds: [...new Set(imported.map(({ kind }) => kind))],
  };
}

function headOf(words: readonly string[], { kinds }: Outcome): readonly string[] {
  return [
    `Written by "chaperonectl import" from ${words.map((word) => resolve(word)).join(', ')} (${kinds.join(', ')}).`,
  ];
}

/** @returns why it cannot be written */
function write(folder: string, file: string, text: string): string | undefined {
  try {
    mkdirSync(folder, { recursive: true });
    if (existsSync(file)) return `${file} is there already: move it away, or name another folder with --to`;
    writeFileSync(file, text, { flag: 'wx' });
    return undefined;
  } catch (error) {
    return `cannot write ${file}: ${reasonOf(error) ?? String(error)}`;
  }
}

/** @param written the file, `-` for standard output; absent where nothing is written */
async function tell(
  { drafts, remarks, diagnostics }: Outcome,
  { text, file }: { readonly text: string; readonly file?: string },
): Promise<void> {
  const problems = [renderErrors(diagnostics, 'nothing was written'), renderWarnings(diagnostics)].join('');
  if (problems !== '') await print(2, problems);
  if (file === undefined) return;
  const services = drafts.filter(({ name }) => name.endsWith('.service')).length;
  const notes =
    remarks.length === 0 ? [] : ['without a counterpart:', ...remarks.map((remark) => `  ${describeRemark(remark)}`)];
  if (file === '-') {
    await print(1, text);
    return;
  }
  await print(1, `${[`${file}: ${services === 1 ? '1 service' : `${services} services`}`, ...notes].join('\n')}\n`);
}

function asJson({ drafts, remarks, diagnostics, kinds }: Outcome, file: string | undefined, text: string) {
  return {
    kinds,
    ...(file === undefined ? {} : file === '-' ? { text } : { file }),
    sections: drafts.map(({ name }) => name),
    withoutCounterpart: remarks.map(({ message, place }) => {
      if (place === undefined) return { message };
      const { file: source, line, column } = place.source.position(place.start, place.end);
      return { message, file: source, line, column };
    }),
    diagnostics,
  };
}
