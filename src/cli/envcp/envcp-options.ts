import { flag, type Parameter, value } from '../../model/words/parameter.ts';
import { oneLine } from '../../model/words/printable.ts';
import { addedVersion, type CommandHelp } from '../command-help.ts';

export const verbose = flag('verbose', 'print each copy', { short: 'v' });
export const archive = flag('archive', 'keep mode and times, and as root the owner', { short: 'a' });
export const overwrite = flag('overwrite', 'replace files that exist; without it nothing is copied where one does');
export const strip: Parameter<string | undefined> = value(
  'strip',
  'SUFFIX',
  'take SUFFIX off the end of names in a directory',
  { expects: 'a suffix' },
  (text) => text,
);
export const shellEnable = flag('shell-enable', 'run commands in backticks');
export const xprefix = value(
  'xprefix',
  'STRING',
  'what begins a form, instead of $',
  {
    expects: 'at least one character',
    wrong: (text) =>
      text === ''
        ? '--xprefix needs at least one character'
        : `--xprefix takes no brackets, quotes or backticks: "${oneLine(text)}"`,
  },
  (text) => (text === '' || /[()[\]{}"`]/.test(text) ? undefined : text),
);
export const xgrouping = value(
  'xgrouping',
  'CHARS',
  'which brackets may follow, of ( { [ (default: ({ )',
  {
    expects: 'one or more of ( { [',
    wrong: (text) => `--xgrouping takes one or more of ( { [, not "${oneLine(text)}"`,
  },
  (text) => (/^[({[]+$/.test(text) ? text : undefined),
);

export const envcp: CommandHelp = {
  summary: 'copy files, with the variables of the environment put in',
  usages: ['FILE... DESTINATION', '-'],
  description: `Copies files, with the variables of the environment put in. DESTINATION is a
directory, or with one FILE a file. "-" reads standard input and writes
standard output.
`,
  options: [verbose, archive, overwrite, strip, shellEnable, xprefix, xgrouping, addedVersion],
  operands: 'files',
  notes: `Forms: $(V) or \${V}, $(V:-default), $(V:+if set), $(V:_if not set),
$(V:?message), $(V:|yes|no), $(V:|glob|equal|not equal),
$(V:/regex/replacement/i), and $(\`command\`) or \`command\`. A variable that is
not set stays as it is written, and \\$( stands for $( itself.

Files are replaced in one step, all or none: whoever reads one sees the old or
the new text, never a part.
`,
  exit: 'Exit status: 0 done, 1 nothing was copied, 2 a mistake on the command line.\n',
};
