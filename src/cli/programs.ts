/** All programs, with what each takes: completions and man pages are made of this table. */

import { chaperone } from './chaperone/options.ts';
import { exitHelp, namesHelp, programSummaries, verbsOf } from './chaperonectl/verbs.ts';
import { type CommandHelp, help, version } from './command-help.ts';
import { dockeropsExit, dockeropsSummary, dockeropsVerbs, namesNote } from './dockerops/verbs.ts';
import { envcp } from './envcp/envcp-options.ts';
import { sdnotifyExec } from './sdnotify/sdnotify-exec-options.ts';
import { sdnotify } from './sdnotify/sdnotify-options.ts';
import { sv } from './sv/sv-options.ts';
import type { VerbHelp } from './verb-help.ts';

export interface Program extends CommandHelp {
  readonly name: string;
  /** Empty for a program that does one thing. */
  readonly verbs: readonly VerbHelp[];
  readonly seeAlso: readonly string[];
  /** True: it stands in chaperone's folder and not in PATH, because an image may have a program of that name. */
  readonly apart?: true;
}

export const programs: readonly Program[] = [
  {
    ...chaperone,
    name: 'chaperone',
    verbs: [],
    seeAlso: ['chaperonectl', 'telchap', 'envcp', 'sdnotify', 'chaperone.d'],
  },
  controlProgram('chaperonectl', 'verb', ['chaperone', 'telchap']),
  controlProgram('telchap', 'command', ['chaperone', 'chaperonectl']),
  {
    name: 'dockerops',
    summary: dockeropsSummary,
    usages: ['verb [options] [name ...]', 'verb:name,key=value,...'],
    description: `The project is the folder PROJECT_DIR, else the nearest one that holds apps_containers or services. Its name is
PROJECT_NAME, else that of the folder. Further variables are DATA_DIR, APPS_CONTAINERS_DIR, BASE_CONTAINERS_DIR and LOG_LEVEL.
The engine is that of DOCKER_HOST, else the default socket of Docker.

${namesNote}`,
    options: [version, help],
    operands: 'words',
    exit: dockeropsExit,
    verbs: dockeropsVerbs,
    seeAlso: ['chaperone', 'chaperonectl'],
  },
  { ...envcp, name: 'envcp', verbs: [], seeAlso: ['chaperone'] },
  { ...sdnotify, name: 'sdnotify', verbs: [], seeAlso: ['chaperone', 'sdnotify-exec'] },
  { ...sdnotifyExec, name: 'sdnotify-exec', verbs: [], seeAlso: ['chaperone', 'sdnotify'] },
  { ...sv, name: 'sv', verbs: [], seeAlso: ['chaperone', 'chaperonectl'], apart: true },
];

function controlProgram(name: 'chaperonectl' | 'telchap', word: string, seeAlso: readonly string[]): Program {
  return {
    name,
    summary: programSummaries[name],
    usages: [`${word} [options] [name ...]`],
    description: `${namesHelp}The socket is the one that the variable CHAPERONE_SOCKET names, else the first there is of
/dev/chaperone.sock, /run/chaperone, $XDG_RUNTIME_DIR/chaperone, /dev/shm/chaperone-UID and /tmp/chaperone-UID. UID is the own
account, then that of PID 1, then, for root, any other.
`,
    options: [version, help],
    operands: 'words',
    exit: exitHelp(),
    verbs: verbsOf(name),
    seeAlso,
  };
}
