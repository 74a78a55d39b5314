import type { Convention, ConventionContext } from '../convention.ts';
import { writtenOf } from '../draft.ts';
import { readSupervisord } from './read-supervisord.ts';

/** supervisord(1): a service for each process that it would run. What it has beside programs is told by name. */
export const supervisord: Convention = {
  name: 'supervisord',
  read: (context) => {
    const { report, environment, attempt } = context;
    const { drafts, remarks, files } = readSupervisord({
      paths: mainFiles(context),
      environment,
      hostname: hostnameOf(context),
      directory: '.',
      keepsVariables: false,
      report,
      attempt,
    });
    for (const { message, place } of remarks) report.warning('no-counterpart', message, place);
    return { sections: drafts.map(writtenOf), files };
  },
};

/** supervisord reads the first main file that it finds; without one, the files of the folder that it would include. */
function mainFiles({ paths, attempt }: ConventionContext): readonly string[] {
  const kinds = paths.map((path) => ({ path, kind: attempt(path, (reader) => reader.stat(path)) }));
  const main = kinds.find(({ kind }) => kind === 'file');
  if (main !== undefined) return [main.path];
  return kinds
    .filter(({ kind }) => kind === 'directory')
    .flatMap(({ path: folder }) =>
      [...(attempt(folder, (reader) => reader.list(folder)) ?? [])]
        .filter((name) => name.endsWith('.conf') && !name.startsWith('.'))
        .sort()
        .map((name) => `${folder}/${name}`),
    );
}

const hostnameFile = '/proc/sys/kernel/hostname';

function hostnameOf({ environment, attempt }: ConventionContext): string {
  const text = attempt(hostnameFile, (reader) =>
    reader.stat(hostnameFile) === 'file' ? reader.read(hostnameFile) : '',
  );
  return text?.trim() || (environment['HOSTNAME'] ?? 'localhost');
}
