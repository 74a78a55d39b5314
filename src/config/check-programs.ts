/** Checks whether the programs and directories that services name exist and may be used. */

import type { DependencyGraph } from '../model/order/dependency-graph.ts';
import type { Account } from '../model/service/account.ts';
import { isShell, programFault, unixLineEnds } from '../model/service/program-file.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { DiagnosticCode } from '../model/words/diagnostic-code.ts';
import type { Places } from './check-places.ts';
import type { Report } from './report.ts';
import { quote } from './wording.ts';

/** What stands at a path, symbolic links followed. */
interface Look {
  readonly kind: 'file' | 'directory' | 'other';
  /** The permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** The file system that the services will find; the analysis reads it only through this interface. */
export interface Probe {
  /** Chaperone's own working directory. */
  readonly directory: string;
  /** Looks up the first word of a command as a start does. */
  findProgram(word: string, searchPath: string, directory: string): string | undefined;
  /** `unknown`: the caller has no permission to look there. */
  look(path: string): Look | 'missing' | 'unknown';
  /** The first `headLength` bytes of a file, one character a byte; undefined if they cannot be read. */
  head(path: string): string | undefined;
}

export interface CheckContext {
  readonly graph: DependencyGraph;
  readonly services: ReadonlyMap<string, ServiceSpec>;
  readonly places: Places;
  readonly probe: Probe;
  readonly report: Report;
}

/** What is known about a service's start. */
export type Outlook =
  | { readonly kind: 'starts' }
  /** The service counts as disabled, and its dependents can start. */
  | { readonly kind: 'disabled'; readonly why: string }
  /** The service never becomes ready; `why` continues "store.service, ". `runs`: its program does run. */
  | { readonly kind: 'fails'; readonly why: string; readonly runs: boolean };

const starts: Outlook = { kind: 'starts' };

/** Looks for a service's program, its interpreter, and its directory. */
export function checkProgram(service: ServiceSpec, context: CheckContext): Outlook {
  const { places, report } = context;
  if (!service.enabled) {
    const why = service.missingAccount === undefined ? 'disabled' : `no account ${quote(service.missingAccount)}`;
    return { kind: 'disabled', why };
  }
  checkDirectory(service, context);
  const fault = findFault(service, context);
  if (fault === undefined) return starts;
  const place = places.directive(service.name, 'command');
  const remarks = { hint: fault.hint };
  if (fault.kind === 'doubt') {
    report.warning(fault.code, fault.message, place, remarks);
    return starts;
  }
  if (fault.kind === 'missing' && service.optional) return { kind: 'disabled', why: 'optional, no program' };
  if (service.ignoreFailures) {
    report.warning(fault.code, fault.message, place, remarks);
    return fault.kind === 'missing' ? { kind: 'disabled', why: 'no program' } : starts;
  }
  report.error(fault.code, fault.message, place, remarks);
  // Services of these types are ready before their program runs.
  const readyAnyhow = service.type === 'cron' || service.type === 'inetd';
  return readyAnyhow && fault.kind !== 'missing' ? starts : { kind: 'fails', why: fault.why, runs: false };
}

interface Fault {
  /** `missing`: the look-up finds no program; `unusable`: it cannot be executed; `doubt`: it may not be executable. */
  readonly kind: 'missing' | 'unusable' | 'doubt';
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly hint?: string;
  readonly why: string;
}

function findFault(service: ServiceSpec, context: CheckContext): Fault | undefined {
  const { probe } = context;
  const { name, argv, environment, account } = service;
  const program = argv[0] ?? '';
  const directory = workingDirectory(service, probe);
  const searchPath = environment['PATH'] ?? '';
  const isPath = program.includes('/');
  // The PATH of the service is known only when it starts.
  if (!isPath && service.late?.names.includes('PATH') === true) return undefined;
  const shown = quote(program);
  if (isPath && !program.startsWith('/')) {
    const doubt = relativeDoubt(service, directory, probe);
    if (doubt !== undefined) return doubt;
  }
  const found = probe.findProgram(program, searchPath, directory);
  if (found === undefined) {
    return {
      kind: 'missing',
      code: 'program-not-found',
      message: `the program ${shown} of ${name} is not found`,
      hint: isPath ? 'there is no such file' : `looked for in ${searchPath === '' ? 'the usual folders' : searchPath}`,
      why: 'whose program is not found',
    };
  }
  const path = absolute(found, directory);
  const look = probe.look(path);
  if (typeof look === 'string') return undefined;
  if (look.kind === 'directory') {
    return {
      kind: 'unusable',
      code: 'program-not-executable',
      message: `the program ${shown} of ${name} is a directory`,
      why: 'whose program is a directory',
    };
  }
  const mode = look.mode.toString(8).padStart(4, '0');
  if ((look.mode & 0o111) === 0) {
    return {
      kind: 'unusable',
      code: 'program-not-executable',
      message: `the program ${shown} of ${name} may not be executed: ${path} has mode ${mode}`,
      hint: `expected an executable file: chmod +x ${path}`,
      why: 'whose program may not be executed',
    };
  }
  if (account !== undefined && !mayExecute(look, account)) {
    const user = account.name ?? `uid ${account.uid}`;
    return {
      kind: 'doubt',
      code: 'program-not-permitted',
      message: `${user} may not execute the program ${shown} of ${name}: ${path} has mode ${mode}, owner ${look.uid}:${look.gid}`,
      why: '',
      hint: 'expected a program that this account may execute: another mode, or another uid',
    };
  }
  return fileFault(service, { path, directory, searchPath }, probe) ?? scriptDoubt(service, directory, context);
}

/** A relative path means a different file in every directory. */
function relativeDoubt(service: ServiceSpec, directory: string, probe: Probe): Fault | undefined {
  const program = service.argv[0] ?? '';
  const message = `the program ${quote(program)} of ${service.name} is a relative path`;
  const doubt = { kind: 'doubt', code: 'relative-program', why: '' } as const;
  if (service.directory === undefined && service.account?.home === undefined) {
    return { ...doubt, message, hint: 'expected a "directory", or the whole path' };
  }
  if (probe.look(absolute(program, directory)) !== 'missing') return undefined;
  // This is no error, since an earlier service may create the file.
  return { ...doubt, message: `${message}, and ${directory} does not hold it yet` };
}

/** What the file tells of its own execution: interpreter, loader, format. */
function fileFault(
  { name }: ServiceSpec,
  { path, directory, searchPath }: { readonly path: string; readonly directory: string; readonly searchPath: string },
  probe: Probe,
): Fault | undefined {
  const head = probe.head(path);
  if (head === undefined) return undefined;
  const fault = programFault(head, {
    exists: (file) => probe.look(absolute(file, directory)) !== 'missing',
    findProgram: (word) => probe.findProgram(word, searchPath, directory) !== undefined,
  });
  if (fault === undefined) return undefined;
  const program = `the program ${quote(path)} of ${name}`;
  const unusable = { kind: 'unusable', why: 'whose program cannot be executed' } as const;
  const doubt = { kind: 'doubt', why: '' } as const;
  switch (fault.kind) {
    case 'interpreter':
      return {
        ...unusable,
        code: 'interpreter-not-found',
        message: `the interpreter ${quote(fault.missing)} of ${program} is not found`,
        hint: fault.windows ? unixLineEnds(path) : 'expected an interpreter that this image has, or another "#!" line',
      };
    case 'argument':
      return {
        ...doubt,
        code: 'unknown-format',
        message: `${program} calls ${quote(fault.interpreter)} with an argument that ends in a carriage return`,
        hint: unixLineEnds(path),
      };
    case 'loader':
      return {
        ...unusable,
        code: 'interpreter-not-found',
        message: `the loader ${quote(fault.missing)} of ${program} is not found`,
        hint: 'it was built for another C library (musl or glibc) or machine: expected a build for this image',
      };
    case 'empty':
      return { ...doubt, code: 'unknown-format', message: `${program} is empty`, hint: enoexec };
    case 'format':
      return {
        ...doubt,
        code: 'unknown-format',
        message: `${program} is no binary and has no "#!" line`,
        hint: enoexec,
      };
  }
}

/** The script that a shell is given. */
function scriptDoubt(service: ServiceSpec, directory: string, context: CheckContext): Fault | undefined {
  const { name, argv } = service;
  const { probe } = context;
  const [program = '', ...words] = argv;
  const script = words.find((word) => !word.startsWith('-'));
  const isCommand = words.some((word) => /^-\w*[cs]$/.test(word));
  if (!isShell(program) || script === undefined || isCommand) return undefined;
  const path = absolute(script, directory);
  const doubt = { kind: 'doubt', why: '' } as const;
  const look = probe.look(path);
  if (look === 'missing' && script.startsWith('/') && !hasEarlier(service, context)) {
    const message = `the script ${quote(script)} of ${name} is not found`;
    return { ...doubt, code: 'program-not-found', message, hint: 'no service that starts before could create it' };
  }
  const [first = ''] = typeof look === 'string' || look.kind !== 'file' ? [] : (probe.head(path) ?? '').split('\n', 1);
  if (!first.endsWith('\r')) return undefined;
  const message = `the script ${quote(script)} of ${name} has a carriage return at the end of its lines`;
  return { ...doubt, code: 'unknown-format', message, hint: unixLineEnds(path) };
}

const enoexec = 'its start will probably fail with ENOEXEC: a script begins with "#!/bin/sh"';

/** Judges by the permission bits alone; capabilities and access lists are not considered. */
function mayExecute({ mode, uid, gid }: Look, account: Account): boolean {
  if (account.uid === 0) return true;
  if (account.uid === uid) return (mode & 0o100) !== 0;
  const inGroup = account.gid === gid || account.groups.includes(gid);
  return (mode & (inGroup ? 0o010 : 0o001)) !== 0;
}

function checkDirectory(service: ServiceSpec, context: CheckContext): void {
  const { directory, name } = service;
  const { probe, places, report } = context;
  if (directory === undefined) return;
  const look = probe.look(absolute(directory, probe.directory));
  const place = places.directive(name, 'directory');
  if (look === 'missing' && !hasEarlier(service, context)) {
    report.warning('directory-not-found', `the directory ${quote(directory)} of ${name} does not exist`, place, {
      hint: 'no service that starts before could create it',
    });
  } else if (typeof look !== 'string' && look.kind !== 'directory') {
    report.warning('not-a-directory', `the directory ${quote(directory)} of ${name} is no directory`, place, {
      hint: 'expected a directory',
    });
  }
}

/** True if some service runs before this one and may create what it needs. */
function hasEarlier({ name }: ServiceSpec, { graph, services }: CheckContext): boolean {
  const node = graph.nodes[name];
  if (node === undefined) return false;
  if (node.prerequisites.some((other) => services.get(other)?.enabled === true)) return true;
  if (node.stage === 0) return false;
  return graph.names.some(
    (other) => (graph.nodes[other]?.stage ?? 0) < node.stage && services.get(other)?.enabled === true,
  );
}

function workingDirectory({ directory, account }: ServiceSpec, probe: Probe): string {
  return absolute(directory ?? account?.home ?? '.', probe.directory);
}

function absolute(path: string, directory: string): string {
  if (path.startsWith('/')) return path;
  return path === '.' ? directory : `${directory}/${path}`;
}
