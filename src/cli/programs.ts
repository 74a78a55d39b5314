/** All programs, with what each takes: completions and man pages are made of this table. */

import { chaperone } from './chaperone/options.ts';
import { exitHelp, namesHelp, programSummaries, type VerbHelp, verbsOf } from './chaperonectl/verbs.ts';
import { type CommandHelp, help, version } from './command-help.ts';
import { envcp } from './envcp/envcp-options.ts';
import { sdnotifyExec } from './sdnotify/sdnotify-exec-options.ts';
import { sdnotify } from './sdnotify/sdnotify-options.ts';

export interface Program extends CommandHelp {
  readonly name: string;
  /** Empty for a program that does one thing. */
  readonly verbs: readonly VerbHelp[];
  readonly seeAlso: readonly string[];
}

export const programs: readonly Program[] = [
  { ...chaperone, name: 'chaperone', verbs: [], seeAlso: ['chaperonectl', 'telchap', 'envcp', 'sdnotify'] },
  controlProgram('chaperonectl', 'verb', ['chaperone', 'telchap']),
  controlProgram('telchap', 'command', ['chaperone', 'chaperonectl']),
  { ...envcp, name: 'envcp', verbs: [], seeAlso: ['chaperone'] },
  { ...sdnotify, name: 'sdnotify', verbs: [], seeAlso: ['chaperone', 'sdnotify-exec'] },
  { ...sdnotifyExec, name: 'sdnotify-exec', verbs: [], seeAlso: ['chaperone', 'sdnotify'] },
];

function controlProgram(name: 'chaperonectl' | 'telchap', word: string, seeAlso: readonly string[]): Program {
  return {
    name,
    summary: programSummaries[name],
    usages: [`${word} [options] [name ...]`],
    description: `${namesHelp}The socket is the one that the variable CHAPERONE_SOCKET names, else the first there is of
/dev/chaperone.sock, /run/chaperone, $XDG_RUNTIME_DIR/chaperone and /tmp/chaperone-UID.
`,
    options: [version, help],
    operands: 'words',
    exit: exitHelp(),
    verbs: verbsOf(name),
    seeAlso,
  };
}
