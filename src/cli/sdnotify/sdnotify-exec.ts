/**
 * The program sdnotify-exec: makes a notify socket, and runs a command that sends its messages there (see
 * notified-command.ts).
 */
import '../given-environment.ts';
import { join } from 'node:path';
import { loadEdge } from '../../runtime/linux/load-edge.ts';
import { mistake, type Reply, readProgramWords } from '../program-words.ts';
import { NotifiedCommand, type Operation } from './notified-command.ts';
import { defaultTemplate, NotifyCommandError } from './notify-command.ts';
import { complain, print } from './notify-output.ts';
import { NotifySocketError } from './notify-socket.ts';
import * as options from './sdnotify-exec-options.ts';

type Job = Reply | ({ readonly kind: 'run' } & Operation);

function readWords(given: readonly string[]): Job {
  const reading = readProgramWords('sdnotify-exec', options.sdnotifyExec, given, { untilWord: true });
  if (reading.kind !== 'given') return reading;
  const { get } = reading.given;
  const { words } = reading;
  if (words.length === 0) return mistake('no command is given');
  const timeout = get(options.timeout);
  const socket = get(options.socket);
  return {
    kind: 'run',
    command: words,
    mode: get(options.waitStop) ? 'stop' : get(options.waitReady) ? 'ready' : 'command',
    proxy: !get(options.noproxy),
    verbose: get(options.verbose),
    template: get(options.template) ?? defaultTemplate,
    ...(timeout === undefined ? {} : { timeout }),
    ...(socket === undefined ? {} : { socket }),
  };
}

async function main(): Promise<void> {
  const job = readWords(process.argv.slice(2));
  if (job.kind === 'information') process.exitCode = await print('sdnotify-exec', job.text);
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
