// biome-ignore lint/style/noRestrictedImports: this program waits for the process itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { post, refused, withControl } from './control-call.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';

const defaultShell = '/bin/sh';

/** Runs a command at the terminal of the caller, with the rights and the environment of a service; returns its exit status. */
export function run({ words }: Request): Promise<number> {
  return withControl(async () => {
    const [name, ...behind] = words;
    // A "--" may stand before the command, as it may with "run".
    const command = behind[0] === '--' ? behind.slice(1) : behind;
    if (name === undefined) {
      await print(2, 'chaperonectl shell: no service is named\ntry "chaperonectl shell --help"\n');
      return 2;
    }
    const argv = command.length === 0 ? [defaultShell] : command;
    const { status, body } = await post(`/v1/services/${encodeURIComponent(name)}/program`, { argv });
    if (status === 200) return become(programIn(body));
    const exitStatus = await refused(body, false);
    if (command.length === 0 && body.includes(defaultShell)) {
      await print(
        2,
        `without a shell in the image, name a program: chaperonectl shell ${name} PROGRAM [ARGUMENT...]\n`,
      );
    }
    return exitStatus;
  });
}

function programIn(body: string): Buffer {
  const value: unknown = JSON.parse(body);
  const text = typeof value === 'object' && value !== null && 'program' in value ? String(value.program) : '';
  return Buffer.from(text, 'base64');
}

/** The body's program, by another name, reads what it is to become. Keys that end the command at the terminal do not end this process. */
async function become(program: Buffer): Promise<number> {
  const ignore = (): void => undefined;
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore);
  const child = spawn(join(__dirname, 'chaperone'), [], {
    argv0: 'as-service',
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  });
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const pipe = child.stdio[3];
  if (pipe instanceof Writable) {
    pipe.on('error', ignore);
    pipe.end(program);
  }
  const [code, signal]: readonly unknown[] = await once(child, 'close');
  if (typeof code === 'number') return code;
  return 128 + (Object.entries(constants.signals).find(([known]) => known === signal)?.[1] ?? 0);
}
