import '../given-environment.ts';
import type { spawnSync } from 'node:child_process';
import { reasonOf, writeAll } from '../program-io.ts';
import { mistake, type Reply, readProgramWords } from '../program-words.ts';
import { CopyError, copyFiles } from './envcp-copy.ts';
import * as options from './envcp-options.ts';
import { createTemplateExpander, TemplateError } from './envcp-template.ts';

type Job = Reply | ({ readonly kind: 'copy' } & Operation);

interface Operation {
  readonly files: readonly string[];
  readonly verbose: boolean;
  readonly archive: boolean;
  readonly overwrite: boolean;
  readonly suffix: string;
  readonly shell: boolean;
  readonly prefix: string;
  readonly brackets: string;
}

function readWords(given: readonly string[]): Job {
  const reading = readProgramWords('envcp', options.envcp, given);
  if (reading.kind !== 'given') return reading;
  const { get } = reading.given;
  const { words } = reading;
  if (words.includes('-')) {
    if (words.length > 1) return mistake('"-" stands alone: standard input goes to standard output');
  } else if (words.length < 2) {
    return mistake(words.length === 0 ? 'no file is given' : `no destination is given for ${words[0]}`);
  }
  return {
    kind: 'copy',
    files: words,
    verbose: get(options.verbose),
    archive: get(options.archive),
    overwrite: get(options.overwrite),
    suffix: get(options.strip) ?? '',
    shell: get(options.shellEnable),
    prefix: get(options.xprefix) ?? '$',
    brackets: get(options.xgrouping) ?? '({',
  };
}

async function copy(operation: Operation): Promise<void> {
  const { files, shell, prefix, brackets } = operation;
  const transform = createTemplateExpander({
    environment: process.env,
    prefix,
    brackets,
    // Loaded only where it is needed: it costs a tenth of the start.
    ...(shell ? { runCommand: createCommandRunner((await import('node:child_process')).spawnSync) } : {}),
  });
  if (files[0] === '-') {
    const content = transform(await readStandardInput(), 'standard input');
    return print(content);
  }
  const copies = await copyFiles({
    ...operation,
    sources: files.slice(0, -1),
    destination: files.at(-1) ?? '',
    transform,
  });
  if (operation.verbose) await print(copies.map(([from, to]) => `${from} -> ${to}\n`).join(''));
}

async function print(content: string | Buffer): Promise<void> {
  await writeAll(1, Buffer.from(content)).catch((error) => fail('write standard output', error));
}

async function readStandardInput(): Promise<Buffer> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    return Buffer.concat(chunks);
  } catch (error) {
    return fail('read standard input', error);
  }
}

function fail(what: string, error: unknown): never {
  const reason = reasonOf(error);
  throw reason === undefined ? error : new CopyError(`cannot ${what}: ${reason}`);
}

/** Runs each command once. One that fails gives nothing, and standard error says why. */
function createCommandRunner(spawn: typeof spawnSync): (command: string, place: string) => string {
  const outputs = new Map<string, string>();
  return (command, place) => {
    const known = outputs.get(command);
    if (known !== undefined) return known;
    // The inner shell gets one pipe for both of its outputs, so that they come in the order they were written.
    const { status, signal, error, stdout } = spawn('/bin/sh', ['-c', 'exec /bin/sh -c "$0" 2>&1', command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output = (stdout?.toString() ?? '').trim().replaceAll('\n', ' ');
    const reason = error !== undefined ? (reasonOf(error) ?? error.message) : (signal ?? `exit status ${status}`);
    const failed = error !== undefined || status !== 0;
    if (failed) complain(`cannot run \`${command}\` at ${place}: ${reason}${output === '' ? '' : `: ${output}`}`);
    outputs.set(command, failed ? '' : output);
    return failed ? '' : output;
  };
}

function complain(message: string): void {
  process.stderr.write(`envcp: ${message}\n`);
}

async function main(): Promise<number> {
  const job = readWords(process.argv.slice(2));
  if (job.kind === 'mistake') {
    complain(`${job.message}\ntry "envcp --help"`);
    return 2;
  }
  try {
    if (job.kind === 'information') await print(job.text);
    else await copy(job);
    return 0;
  } catch (error) {
    if (error instanceof TemplateError) complain(`cannot expand ${error.message}`);
    else if (error instanceof CopyError) complain(error.message);
    else throw error;
    return 1;
  }
}

main().then((status) => {
  process.exitCode = status;
});
