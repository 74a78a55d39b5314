import { didYouMean } from '../model/nearest.ts';
import { oneLine } from '../model/printable.ts';
import { commands, exitHelp } from './commands.ts';
import { version } from './version.ts';

/** What a verb's file exports. */
interface Verb {
  /**
   * @param words what follows the verb
   * @returns the exit status
   */
  run(words: readonly string[]): Promise<number>;
}

interface LoadedVerb {
  readonly summary: string;
  readonly load: () => Promise<Verb>;
}

/** The verbs with more to do than to send a command and print the answer. */
const ownVerbs: Readonly<Record<string, () => Promise<Verb>>> = {
  status: () => import('./status.ts'),
  logs: () => import('./logs.ts'),
  'is-ready': () => import('./is-ready-verb.ts'),
  check: () => import('./check.ts'),
  blame: () => import('./blame.ts'),
  'critical-chain': () => import('./critical-chain.ts'),
  run: () => import('./run-beside.ts'),
  inspect: () => import('./inspect.ts'),
  replay: () => import('./replay.ts'),
  simulate: () => import('./simulate.ts'),
};

/** Each verb loads only what it needs, and when it is asked for. */
const verbs: ReadonlyMap<string, LoadedVerb> = new Map([
  ...commands.map(({ name, summary }): [string, LoadedVerb] => [
    name,
    { summary, load: ownVerbs[name] ?? (async () => (await import('./send-command.ts')).commandVerb(name)) },
  ]),
]);

function helpText(): string {
  const width = Math.max(...[...verbs.keys()].map((name) => name.length));
  return `usage: chaperonectl VERB [options]

${[...verbs].map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}

"chaperonectl VERB --help" tells about a verb; also: --version, --help.
${exitHelp()}`;
}

/** process.stdout is not looked at: that would make a pipe non-blocking that others share. */
async function print(fd: 1 | 2, text: string): Promise<void> {
  const { writeAll } = await import('./program-io.ts');
  await writeAll(fd, Buffer.from(text));
}

/** Runs a verb; returns the exit status. */
export async function main([name, ...words]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === 'help') {
    await print(name === undefined ? 2 : 1, helpText());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    await print(1, `chaperonectl ${version}\n`);
    return 0;
  }
  const verb = verbs.get(name);
  if (verb === undefined) {
    const kind = name.startsWith('-') ? 'option' : 'verb';
    const near = didYouMean(name, kind === 'verb' ? verbs.keys() : ['--help', '--version']);
    const hint = near === undefined ? '' : `: ${near}`;
    await print(2, `chaperonectl: unknown ${kind} "${oneLine(name)}"${hint}\ntry "chaperonectl --help"\n`);
    return 2;
  }
  const { run } = await verb.load();
  return run(words);
}
