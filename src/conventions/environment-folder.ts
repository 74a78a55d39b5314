import { quote } from '../config/wording.ts';
import { valueOfFile, whyNoValue } from '../model/service/container-environment.ts';
import type { Convention, ConventionContext } from './convention.ts';

/** A folder with a file for each variable, as images of phusion's kind have it. What the container was started with counts more. */
export const environmentFolder: Convention = {
  name: 'environment_folder',
  read: (context) => {
    const environment: Record<string, string> = {};
    const [folder] = context.paths;
    if (folder !== undefined) {
      for (const name of [...(context.attempt(folder, (reader) => reader.list(folder)) ?? [])].sort()) {
        const value = readVariable(`${folder}/${name}`, name, context);
        if (value !== undefined && context.environment[name] === undefined) environment[name] = value;
      }
    }
    return { sections: [], environment, ...(folder === undefined ? {} : { variableFolder: folder }) };
  },
};

function readVariable(path: string, name: string, { attempt, report }: ConventionContext): string | undefined {
  const leave = (why: string): undefined => {
    report.warning('not-read', `${quote(path)} is not read: ${why}`, undefined);
  };
  const entry = attempt(path, (reader) => reader.look(path));
  if (entry === undefined) return undefined;
  if (entry.kind !== 'file') return leave('it is no file');
  const text = attempt(path, (reader) => reader.read(path));
  if (text === undefined) return undefined;
  const why = whyNoValue(name, text);
  return why === undefined ? valueOfFile(text) : leave(why);
}
