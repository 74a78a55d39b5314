import { first, mergeMap, type Observable } from 'rxjs';
import type { CommandRequest } from '../../config/environment.ts';
import { commandFailed, type Message } from '../../model/log/messages.ts';
import { isNormal, procStatus } from '../../model/service/exit-status.ts';
import { commandKey } from '../../model/service/late-environment.ts';
import { describeSpawnError } from '../../model/service/spawn-error.ts';
import { oneLine } from '../../model/words/printable.ts';
import { maskSecrets } from '../../model/words/secrets.ts';
import type { Clock, Kernel, ProcessExit, SpawnOutcome } from '../kernel.ts';

/** The exits of a kernel, for the time before the exit router is there. */
export function exitsOf({ exits$ }: Pick<Kernel, 'exits$'>): CommandPorts['exitOf'] {
  return (pid) =>
    exits$.pipe(
      mergeMap(({ exits }) => exits),
      first((exit) => exit.pid === pid),
    );
}

/** ms that one command may take. */
const commandTimeout = 30_000;
/** The most bytes of one command's output: an environment variable holds no more. */
const longestOutput = 131_072;
/** How many commands run at the same time. */
const mostAtOnce = 8;

export interface CommandPorts {
  readonly kernel: Pick<Kernel, 'spawn' | 'signal'>;
  /** The exit of a child that was spawned in this turn; emits once. */
  readonly exitOf: (pid: number) => Observable<ProcessExit>;
  readonly clock: Pick<Clock, 'setTimeout' | 'clearTimeout'>;
  /** The environment that chaperone was started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Called with the reason why a command gave no output. */
  readonly onMessage: (message: Message) => void;
}

/**
 * Runs the commands in backticks of a configuration through /bin/sh, each under its account. The result is the output
 * (stdout and stderr), trimmed and with newlines as spaces; a command that fails gives the empty string.
 *
 * @returns the outputs by `commandKey`
 */
export async function runCommands(
  requests: readonly CommandRequest[],
  ports: CommandPorts,
): Promise<ReadonlyMap<string, string>> {
  const outputs = new Map<string, string>();
  const waiting = [...requests];
  const work = async (): Promise<void> => {
    for (let request = waiting.shift(); request !== undefined; request = waiting.shift()) {
      const result = await runCommand(request, ports);
      if (result.failure !== undefined) {
        const [command, reason] = [request.command, result.failure].map((text) => maskSecrets(text, request.secrets));
        ports.onMessage(commandFailed(command ?? '', reason ?? ''));
      }
      outputs.set(commandKey(request.command, request.account), result.failure === undefined ? result.output : '');
    }
  };
  await Promise.all(Array.from({ length: Math.min(mostAtOnce, requests.length) }, work));
  return outputs;
}

interface CommandResult {
  readonly output: string;
  readonly failure?: string;
}

function runCommand(request: CommandRequest, ports: CommandPorts): Promise<CommandResult> {
  const { kernel } = ports;
  const spawn = {
    // Both streams share one pipe, so that the output keeps its order.
    argv: ['/bin/sh', '-c', `exec 2>&1\n${request.command}`],
    environment: ports.environment,
    ownGroup: true,
    stdin: 'null',
    stdout: 'pipe',
    stderr: 'pipe',
    ...(request.account === undefined ? {} : { account: request.account }),
  } as const;
  return new Promise((resolve) => {
    kernel.spawn(spawn, (outcome) => {
      if (outcome.ok) collect(outcome, ports, resolve);
      else resolve({ output: '', failure: describeSpawnError(outcome.error) });
    });
  });
}

/** Collects the output of a command until it has ended. */
function collect(
  { pid, stdout }: SpawnOutcome & { readonly ok: true },
  { kernel, clock, exitOf }: CommandPorts,
  resolve: (result: CommandResult) => void,
): void {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let cause: string | undefined;
  const end = (reason: string): void => {
    cause ??= reason;
    kernel.signal(pid, 'SIGKILL', 'group');
  };
  const timer = clock.setTimeout(() => end(`it did not end within ${commandTimeout / 1000} s`), commandTimeout);
  const reading = stdout.subscribe((chunk) => {
    bytes += chunk.length;
    if (bytes > longestOutput) end(`it printed more than ${longestOutput / 1024} KiB`);
    else chunks.push(chunk);
  });
  exitOf(pid).subscribe(({ status }) => {
    clock.clearTimeout(timer);
    reading.unsubscribe();
    const output = Buffer.concat(chunks).toString('utf8').trim().replace(/\r?\n/g, ' ');
    if (cause !== undefined) resolve({ output: '', failure: cause });
    else if (isNormal(status)) resolve({ output: output.replaceAll('\0', '') });
    else {
      const said = output === '' ? '' : `: ${oneLine(output.slice(-200))}`;
      resolve({ output: '', failure: `${procStatus(status)}${said}` });
    }
  });
}
