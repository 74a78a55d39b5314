/** From the command line to the checked configuration: creates the user, reads files, runs commands in backticks. */
import { resolve } from 'node:path';
import type { ConsoleRequest } from '../../config/build-service.ts';
import { loadConfiguration } from '../../config/load.ts';
import { type Message, userCreated } from '../../model/log/messages.ts';
import { parseAccounts } from '../../model/service/accounts.ts';
import type { SystemSpec } from '../../model/service/service-spec.ts';
import type { UserRequest } from '../../model/service/user-request.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import type { Clock } from '../kernel.ts';
import { configFiles, readAccountFile } from '../linux/config-files.ts';
import type { NativeEdge } from '../linux/native.ts';
import { type CommandPorts, runCommands } from './run-commands.ts';

export interface ConfigureRequest {
  /** A file or a directory, relative to the user's home, or to the root where there is no user. */
  readonly configPath: string;
  readonly user?: string;
  readonly createUser?: UserRequest;
  readonly console?: ConsoleRequest;
}

export interface ConfigurePorts {
  /** Runs commands in backticks. */
  readonly kernel: CommandPorts['kernel'];
  readonly clock: Clock;
  readonly edge: NativeEdge;
  readonly exitOf: CommandPorts['exitOf'];
  /** The environment that chaperone was started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** True where chaperone's stdin is a terminal. */
  readonly interactive: boolean;
}

export interface Configured {
  /** Absent where one of the diagnostics is an error. */
  readonly spec?: SystemSpec;
  readonly diagnostics: readonly Diagnostic[];
  /** Messages that are to be logged once there is a log. */
  readonly messages: readonly Message[];
  /** The absolute path of the configuration. */
  readonly path: string;
}

/** The most rounds of loading: each may find further commands, whose text depends on the output of earlier ones. */
const mostRounds = 20;

export async function configure(request: ConfigureRequest, ports: ConfigurePorts): Promise<Configured> {
  const { environment, interactive } = ports;
  const messages: Message[] = [];
  let user = request.user;
  if (request.createUser !== undefined) {
    const created = await createTheUser(request.createUser, ports);
    if (created.kind === 'error') {
      const hint = created.hint === undefined ? {} : { hint: created.hint };
      return {
        diagnostics: [{ severity: 'error', code: 'user-not-created', message: created.message, ...hint }],
        messages,
        path: request.configPath,
      };
    }
    if (created.kind === 'created') messages.push(userCreated(created.name, created.uid, created.gid));
    user = created.name;
  }
  const accounts = parseAccounts(readAccountFile('/etc/passwd'), readAccountFile('/etc/group'));
  // PID 1 has no working directory of its own (reference, section 1).
  const home = user === undefined ? '/' : (accounts.findUser(user)?.home ?? '/');
  const path = resolve('/', home, request.configPath);

  const outputs = new Map<string, string>();
  for (let round = 0; round < mostRounds; round += 1) {
    const { spec, diagnostics, commands } = loadConfiguration(path, {
      reader: configFiles,
      environment,
      accounts,
      interactive,
      outputs,
      ...(user === undefined ? {} : { user }),
      ...(request.console === undefined ? {} : { console: request.console }),
    });
    if (commands.length === 0) return { ...(spec === undefined ? {} : { spec }), diagnostics, messages, path };
    const results = await runCommands(commands, {
      kernel: ports.kernel,
      exitOf: ports.exitOf,
      clock: ports.clock,
      environment,
      onMessage: (message) => messages.push(message),
    });
    for (const [key, output] of results) outputs.set(key, output);
  }
  const message = `commands in backticks depend on each other more than ${mostRounds} deep`;
  return { diagnostics: [{ severity: 'error', code: 'commands-too-deep', message }], messages, path };
}

async function createTheUser(request: UserRequest, { edge, clock }: ConfigurePorts) {
  // The code is loaded only here, because most containers create no user.
  const { createUser } = await import('../linux/account-files.ts');
  return createUser(request, { clock, lockFile: (path) => edge.lockFile(path) });
}
