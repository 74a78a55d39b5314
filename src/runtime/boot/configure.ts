/** From the command line to the checked configuration: creates the user, reads files, runs commands in backticks. */
import { resolve } from 'node:path';
import type { ConsoleRequest } from '../../config/build-service.ts';
import type { ImageConventions } from '../../config/convention-places.ts';
import { type LoadContext, loadConfiguration, type MistakeHelp } from '../../config/load.ts';
import { remembering } from '../../config/remember.ts';
import type { Scales } from '../../config/templates.ts';
import { type Message, userCreated } from '../../model/log/messages.ts';
import { type AccountDatabase, parseAccounts } from '../../model/service/accounts.ts';
import type { SystemSpec } from '../../model/service/service-spec.ts';
import type { UserRequest } from '../../model/service/user-request.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import type { Clock } from '../kernel.ts';
import { configFiles, pathExists, readAccountFile } from '../linux/config-files.ts';
import type { NativeEdge } from '../linux/native.ts';
import { type CommandPorts, runCommands } from './run-commands.ts';

export interface ConfigureRequest {
  /** A file or a directory, relative to the user's home, or to the root where there is no user. */
  readonly configPath: string;
  /** Further absolute paths, which are read after the first. */
  readonly more?: readonly string[];
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
  /** Makes the same configuration with other numbers of instances; absent where it has no templates and watches no folders. */
  readonly again?: Again;
  /** Looks into the folders that are watched; true where `again` makes something else than before. */
  readonly refresh?: () => boolean;
}

/** What was read stays as it is; `exitOf` is for commands in backticks that only the new instances have. */
export type Again = (scales: Scales, exitOf: CommandPorts['exitOf']) => Promise<Configured>;

/** The most rounds of loading: each may find further commands, whose text depends on the output of earlier ones. */
const mostRounds = 20;

export async function configure(
  request: ConfigureRequest,
  ports: ConfigurePorts,
  scales: Scales = new Map(),
): Promise<Configured> {
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
  const accounts = ownAccounts();
  const path = configurationPath(request.configPath, user, accounts);
  const inputs: Inputs = {
    path,
    context: {
      reader: remembering(configFiles),
      environment: ports.environment,
      accounts,
      interactive: ports.interactive,
      more: request.more ?? [],
      ...(user === undefined ? {} : { user }),
      ...(request.console === undefined ? {} : { console: request.console }),
    },
    conventions: { exists: pathExists },
    outputs: new Map(),
    ports,
  };
  return load(inputs, scales, messages);
}

function ownAccounts(): AccountDatabase {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  return parseAccounts(readAccountFile('/etc/passwd'), readAccountFile('/etc/group'), own);
}

/** The absolute path of the configuration. PID 1 has no working directory of its own (reference, section 1). */
export function configurationPath(
  given: string,
  user: string | undefined,
  accounts: AccountDatabase = ownAccounts(),
): string {
  return resolve('/', user === undefined ? '/' : (accounts.findUser(user)?.home ?? '/'), given);
}

/** Everything that a configuration depends on but the numbers of instances. */
interface Inputs {
  readonly path: string;
  readonly context: LoadContext;
  readonly conventions: ImageConventions;
  /** Outputs of commands in backticks, each of which runs once. */
  readonly outputs: Map<string, string>;
  readonly ports: ConfigurePorts;
}

async function load(inputs: Inputs, scales: Scales, messages: Message[]): Promise<Configured> {
  const { path, context, outputs, ports } = inputs;
  let help: MistakeHelp | undefined;
  let { conventions } = inputs;
  for (let round = 0; round < mostRounds; round += 1) {
    const { spec, diagnostics, commands, needsConventions } = loadConfiguration(path, {
      ...context,
      conventions,
      ...(help === undefined ? {} : { help }),
      outputs,
      scales,
    });
    // Most containers hold nothing of other inits.
    if (needsConventions === true) {
      const { imageConventions } = await import('../linux/image-files.ts');
      conventions = imageConventions(ports.environment);
      continue;
    }
    // Code that helps with mistakes is loaded only where there are some.
    if (help === undefined && diagnostics.some(({ severity }) => severity === 'error')) {
      help = (await import('../../config/mistake-help.ts')).mistakeHelp;
      continue;
    }
    if (commands.length === 0) {
      const again: Again = (other, exitOf) => load({ ...inputs, conventions, ports: { ...ports, exitOf } }, other, []);
      const mayChange = spec?.templates !== undefined || spec?.watched !== undefined;
      const { refresh } = conventions;
      return {
        ...(spec === undefined ? {} : { spec }),
        diagnostics,
        messages,
        path,
        ...(mayChange ? { again } : {}),
        ...(spec?.watched === undefined || refresh === undefined ? {} : { refresh }),
      };
    }
    const results = await runCommands(commands, {
      kernel: ports.kernel,
      exitOf: ports.exitOf,
      clock: ports.clock,
      environment: ports.environment,
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
