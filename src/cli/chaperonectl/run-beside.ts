import { constants } from 'node:os';
import { exitStatuses } from '../../control/answer.ts';
import { EventReader } from '../../control/client.ts';
import { post, refused, withControl } from './control-call.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { json } from './verb-options.ts';

/** Runs a command beside the services, with its output and its exit status. */
export function run({ given, words: argv }: Request): Promise<number> {
  return withControl(async () => {
    const asJson = given.get(json);
    if (argv.length === 0) {
      await print(2, 'chaperonectl run: no command is given\ntry "chaperonectl run --help"\n');
      return 2;
    }
    let exitStatus: number | undefined;
    let last: Promise<void> = Promise.resolve();
    const reader = new EventReader((name, data) => {
      if (asJson) last = last.then(() => print(1, `${JSON.stringify(data)}\n`));
      if (name === 'output' && !asJson) {
        const { fd, text } = readOutput(data);
        last = last.then(() => print(fd, text));
      } else if (name === 'end') {
        const end = readEnd(data);
        exitStatus = end.exitStatus;
        if (end.message !== '' && !asJson) last = last.then(() => print(2, `chaperonectl run: ${end.message}\n`));
      }
      return true;
    });
    const { status, body } = await post('/v1/run', { argv }, reader);
    await last;
    if (status === 200) return exitStatus ?? exitStatuses.failed;
    return refused(body, asJson);
  });
}

function readOutput(data: unknown): { readonly fd: 1 | 2; readonly text: string } {
  if (typeof data !== 'object' || data === null || !('text' in data)) return { fd: 1, text: '' };
  return { fd: 'stream' in data && data.stream === 'stderr' ? 2 : 1, text: String(data.text) };
}

/** Reads the end of the command as an exit status of a shell: 128 + n where signal n has ended the command. */
function readEnd(data: unknown): { readonly exitStatus: number; readonly message: string } {
  if (typeof data !== 'object' || data === null) return { exitStatus: 1, message: 'it ended somehow' };
  if ('message' in data) {
    const exitStatus = 'exitStatus' in data && typeof data.exitStatus === 'number' ? data.exitStatus : 126;
    return { exitStatus, message: String(data.message) };
  }
  if (!('status' in data) || typeof data.status !== 'object' || data.status === null)
    return { exitStatus: 1, message: '' };
  const { status } = data;
  if ('code' in status && typeof status.code === 'number') return { exitStatus: status.code, message: '' };
  const signal = 'signal' in status ? String(status.signal) : '';
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1] ?? 0;
  return { exitStatus: 128 + number, message: '' };
}
