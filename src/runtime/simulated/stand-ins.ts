/** Loads a configuration on a machine that it is not meant for, and runs nothing. */
import { resolve } from 'node:path';
import type { ImageConventions } from '../../config/convention-places.ts';
import { loadConfiguration } from '../../config/load.ts';
import { mistakeHelp } from '../../config/mistake-help.ts';
import type { ConfigReader } from '../../config/reader.ts';
import type { StandIns } from '../../inspect/forecast.ts';
import { type AccountDatabase, parseId } from '../../model/service/accounts.ts';
import { commandKey } from '../../model/service/late-environment.ts';
import type { ServiceSpec, SystemSpec } from '../../model/service/service-spec.ts';
import type { Diagnostic } from '../../model/words/diagnostic.ts';
import { maskSecrets } from '../../model/words/secrets.ts';

export interface StandInPorts {
  readonly reader: ConfigReader;
  readonly environment: Readonly<Record<string, string>>;
  readonly accounts: AccountDatabase;
  /** What the image holds for other inits, with its readers; absent: nobody looks. */
  readonly conventions?: ImageConventions;
  findProgram(word: string, searchPath: string | undefined, directory: string): string | undefined;
}

export interface StandInRequest {
  /** A file or a directory, relative to the user's home, or to the root where there is no user. */
  readonly configPath: string;
  /** Further absolute paths, which are read after the first. */
  readonly more?: readonly string[];
  readonly user?: string;
  /** True: `$(NAME:?MESSAGE)` is no mistake. */
  readonly assumesRequired?: boolean;
}

export interface LoadedWithStandIns {
  /** Absent where one of the diagnostics is an error. */
  readonly spec?: SystemSpec;
  readonly diagnostics: readonly Diagnostic[];
  /** The absolute path of the configuration. */
  readonly path: string;
  readonly standIns: StandIns;
}

/** The id that stands in for an account that does not exist here: that of nobody (passwd(5) of most distributions). */
const nobody = '65534';

/** Commands in backticks give the empty string; missing accounts and programs are treated as existing. */
export function loadWithStandIns(request: StandInRequest, ports: StandInPorts): LoadedWithStandIns {
  const { reader, environment, findProgram, conventions } = ports;
  const missing = new Set<string>();
  const accounts = withStandIns(ports.accounts, (name) => missing.add(name));
  const { user } = request;
  const home = user === undefined ? '/' : (ports.accounts.findUser(user)?.home ?? '/');
  const path = resolve('/', home, request.configPath);

  const outputs = new Map<string, string>();
  const commands = new Set<string>();
  for (;;) {
    const loaded = loadConfiguration(path, {
      reader,
      environment,
      accounts,
      interactive: false,
      outputs,
      help: mistakeHelp,
      more: request.more ?? [],
      assumesRequired: request.assumesRequired ?? false,
      ...(user === undefined ? {} : { user }),
      ...(conventions === undefined ? {} : { conventions }),
    });
    // Each round adds outputs, and an empty output contains no further commands, so that the loop ends.
    for (const { command, secrets, account } of loaded.commands) {
      commands.add(maskSecrets(command, secrets));
      outputs.set(commandKey(command, account), '');
    }
    if (loaded.commands.length > 0) continue;
    const { spec, diagnostics } = loaded;
    const programs = (spec?.services ?? []).filter((service) => isMissing(service, findProgram));
    const standIns = {
      commands: [...commands],
      accounts: [...missing],
      programs: [...new Set(programs.map(({ argv }) => argv[0] ?? ''))],
    };
    return { ...(spec === undefined ? {} : { spec }), diagnostics, path, standIns };
  }
}

function withStandIns(real: AccountDatabase, onMissing: (name: string) => void): AccountDatabase {
  const account: AccountDatabase['account'] = (user, group) => {
    const found = real.account(user, group);
    switch (found.kind) {
      case 'found':
        return found;
      case 'unknownUser': {
        onMissing(user);
        const standIn = account(nobody, group);
        return standIn.kind === 'found' ? { kind: 'found', account: { ...standIn.account, name: user } } : standIn;
      }
      case 'unknownGroup':
        onMissing(found.group);
        return account(user, nobody);
    }
  };
  const findGroup: AccountDatabase['findGroup'] = (name) => {
    const found = real.findGroup(name);
    // Numbers need no entry.
    if (found !== undefined || parseId(name) !== undefined) return found;
    onMissing(name);
    return { name, gid: Number(nobody), members: [] };
  };
  return { findUser: real.findUser, findGroup, account };
}

function isMissing(
  { enabled, argv, environment, directory, account }: ServiceSpec,
  findProgram: StandInPorts['findProgram'],
): boolean {
  const program = argv[0] ?? '';
  // A program with a relative path may be made by an earlier service.
  if (!enabled || (program.includes('/') && !program.startsWith('/'))) return false;
  return findProgram(program, environment['PATH'], directory ?? account?.home ?? '/') === undefined;
}
