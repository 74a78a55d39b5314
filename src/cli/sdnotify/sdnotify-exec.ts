/** sdnotify-exec: runs a command with a notify socket of its own (see notified-command.ts). */
import { join } from 'node:path';
import { givenBy, parseOptions } from '../../model/words/option-parser.ts';
import { loadEdge } from '../../runtime/linux/load-edge.ts';
import { help, helpText, optionsOf, version as versionOption } from '../command-help.ts';
import { version } from '../version.ts';
import { NotifiedCommand, type Operation } from './notified-command.ts';
import { defaultTemplate, NotifyCommandError } from './notify-command.ts';
import { complain, print } from './notify-output.ts';
import { NotifySocketError } from './notify-socket.ts';
import * as options from './sdnotify-exec-options.ts';

type Job =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'mistake'; readonly message: string }
  | ({ readonly kind: 'run' } & Operation);

function readWords(given: readonly string[]): Job {
  const parsed = parseOptions(given, optionsOf(options.sdnotifyExec), { untilWord: true });
  if (parsed.kind === 'mistake') return parsed;
  const { get } = givenBy(parsed.texts);
  if (get(help)) return { kind: 'help' };
  if (get(versionOption)) return { kind: 'version' };
  if (parsed.words.length === 0) return mistake('no command is given');
  const timeout = get(options.timeout);
  const socket = get(options.socket);
  return {
    kind: 'run',
    command: parsed.words,
    mode: get(options.waitStop) ? 'stop' : get(options.waitReady) ? 'ready' : 'command',
    proxy: !get(options.noproxy),
    verbose: get(options.verbose),
    template: get(options.template) ?? defaultTemplate,
    ...(timeout === undefined ? {} : { timeout }),
    ...(socket === undefined ? {} : { socket }),
  };
}

function mistake(message: string): Job {
  return { kind: 'mistake', message };
}

async function main(): Promise<void> {
  const job = readWords(process.argv.slice(2));
  if (job.kind === 'help')
    process.exitCode = await print('sdnotify-exec', helpText('sdnotify-exec', options.sdnotifyExec));
  else if (job.kind === 'version') process.exitCode = await print('sdnotify-exec', `sdnotify-exec ${version}\n`);
  else if (job.kind === 'mistake') {
    await complain('sdnotify-exec', `${job.message}\ntry "sdnotify-exec --help"`);
    process.exitCode = 2;
  } else {
    try {
      new NotifiedCommand(job, loadEdge(join(__dirname, 'edge.node'))).start();
    } catch (error) {
      if (!(error instanceof NotifySocketError || error instanceof NotifyCommandError)) throw error;
      await complain('sdnotify-exec', error.message);
      process.exit(1);
    }
  }
}

main();
