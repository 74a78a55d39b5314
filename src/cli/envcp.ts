import type { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { CopyError, copyFiles } from './envcp-copy.ts';
import { createTemplateExpander, TemplateError } from './envcp-template.ts';
import { reasonOf, writeAll } from './program-io.ts';
import { version } from './version.ts';

const helpText = `usage: envcp [options] FILE... DESTINATION
       envcp [options] -

Copies files, with the variables of the environment put in. DESTINATION is a
directory, or with one FILE a file. "-" reads standard input and writes
standard output.

  -v, --verbose         print each copy
  -a, --archive         keep mode and times, and as root the owner
  --overwrite           replace files that exist; without it nothing is copied
                        where one does
  --strip SUFFIX        take SUFFIX off the end of names in a directory
  --shell-enable        run commands in backticks
  --xprefix STRING      what begins a form, instead of $
  --xgrouping CHARS     which brackets may follow, of ( { [ (default: ({ )
  --version             print the version
  --help                print this text

Forms: $(V) or \${V}, $(V:-default), $(V:+if set), $(V:_if not set),
$(V:?message), $(V:|yes|no), $(V:|glob|equal|not equal),
$(V:/regex/replacement/i), and $(\`command\`) or \`command\`. A variable that is
not set stays as it is written, and \\$( stands for $( itself.

Files are replaced in one step, all or none: whoever reads one sees the old or
the new text, never a part.
Exit status: 0 done, 1 nothing was copied, 2 a mistake on the command line.
`;

type Job =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string }
  | ({ readonly kind: 'copy' } & Operation);

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

function readWords(words: readonly string[]): Job {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        archive: { type: 'boolean', short: 'a' },
        help: { type: 'boolean' },
        overwrite: { type: 'boolean' },
        'shell-enable': { type: 'boolean' },
        strip: { type: 'string' },
        verbose: { type: 'boolean', short: 'v' },
        version: { type: 'boolean' },
        xgrouping: { type: 'string' },
        xprefix: { type: 'string' },
      },
    });
    if (values.help === true) return { kind: 'help' };
    if (values.version === true) return { kind: 'version' };
    const { xprefix = '$', xgrouping = '({' } = values;
    if (xprefix === '') return mistake('--xprefix needs at least one character');
    if (/[()[\]{}"`]/.test(xprefix)) return mistake(`--xprefix takes no brackets, quotes or backticks: "${xprefix}"`);
    if (!/^[({[]+$/.test(xgrouping)) return mistake(`--xgrouping takes one or more of ( { [, not "${xgrouping}"`);
    if (positionals.includes('-')) {
      if (positionals.length > 1) return mistake('"-" stands alone: standard input goes to standard output');
    } else if (positionals.length < 2) {
      return mistake(positionals.length === 0 ? 'no file is given' : `no destination is given for ${positionals[0]}`);
    }
    return {
      kind: 'copy',
      files: positionals,
      verbose: values.verbose === true,
      archive: values.archive === true,
      overwrite: values.overwrite === true,
      suffix: values.strip ?? '',
      shell: values['shell-enable'] === true,
      prefix: xprefix,
      brackets: xgrouping,
    };
  } catch (error) {
    return mistake(error instanceof Error ? (error.message.split(/\.\s/)[0] ?? error.message) : String(error));
  }
}

function mistake(message: string): Job {
  return { kind: 'mistake', message };
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
    if (job.kind === 'help') await print(helpText);
    else if (job.kind === 'version') await print(`envcp ${version}\n`);
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
