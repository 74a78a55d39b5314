/** Turns the files of a supervisord into drafts of sections. */
import type { ConfigReader } from '../../config/reader.ts';
import type { Report } from '../../config/report.ts';
import { quote } from '../../config/wording.ts';
import { nearest } from '../../model/words/nearest.ts';
import { variableMark } from '../draft.ts';
import type { IniSection } from './ini.ts';
import type { Expansions } from './python-format.ts';
import { folderOf, readSupervisordFiles } from './read-files.ts';
import { type ProgramContext, readEnvironmentOption, readPrograms } from './read-programs.ts';
import { isKnownSection, remarksOfSections, type Services, servicesOf } from './services.ts';

export interface SupervisordRequest {
  /** The main files, in the order of reading. */
  readonly paths: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  /** The folder in which supervisord would be started. */
  readonly directory: string;
  /** True: texts refer to variables of the environment, whose values are those of another place. */
  readonly keepsVariables: boolean;
  readonly report: Report;
  attempt<Answer>(path: string, ask: (reader: ConfigReader) => Answer): Answer | undefined;
}

export interface SupervisordRead extends Services {
  readonly files: readonly string[];
}

export function readSupervisord(request: SupervisordRequest): SupervisordRead {
  const { report, hostname, paths } = request;
  const variables = new Map(
    Object.entries(request.environment).flatMap(([name, value]) =>
      value === undefined ? [] : [[`ENV_${name}`, value] as const],
    ),
  );
  const here = folderOf(paths[0] ?? '/');
  const shared = new Map<string, string | number>([...variables, ['here', here], ['host_node_name', hostname]]);
  const { sections, files } = readSupervisordFiles(paths, shared, request);
  const ofTexts = request.keepsVariables ? textVariables(sections, variables) : variables;
  const context: ProgramContext = { report, here, hostname, variables, textVariables: ofTexts };
  const main = sections.find(({ name }) => name === 'supervisord');
  const environment = main === undefined ? new Map<string, string>() : readEnvironmentOption(main, context);
  const common = [...environment].map(([name, value]) => [`ENV_${name}`, value] as const);
  const programs = readPrograms(sections, {
    ...context,
    variables: new Map([...variables, ...common]),
    textVariables: new Map([...ofTexts, ...common]),
  });
  for (const { name, place } of sections.filter((section) => !isKnownSection(section.name))) {
    const [kind = ''] = name.split(':');
    const meant = nearest(kind, ['program', 'group', 'supervisord', 'eventlistener', 'fcgi-program']);
    const hint =
      meant === undefined ? 'supervisord does not look at it' : `did you mean "${name.replace(kind, meant)}"?`;
    report.warning('unknown-section', `unknown section ${quote(name)}`, place, { hint });
  }
  const { drafts, remarks } = servicesOf(programs, { environment, directory: request.directory });
  return { drafts, remarks: [...remarksOfSections(sections), ...remarks], files };
}

/** A mark for each variable that the files refer to. */
function textVariables(sections: readonly IniSection[], variables: Expansions): Expansions {
  const texts = sections.flatMap(({ options }) => [...options.values()].map(({ value }) => value));
  const named = texts.flatMap((text) => [...text.matchAll(/%\(ENV_([^()]*)\)/g)].map(([, name = '']) => name));
  return new Map([...variables, ...named.map((name) => [`ENV_${name}`, variableMark(name)] as const)]);
}
