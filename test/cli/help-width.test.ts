import { describe, expect, it } from 'vitest';
import { programHelp, verbHelp, verbsOf } from '../../src/cli/chaperonectl/verbs.ts';
import { helpText } from '../../src/cli/command-help.ts';
import { dockeropsHelp, dockeropsVerbHelp, dockeropsVerbs } from '../../src/cli/dockerops/verbs.ts';
import { programs } from '../../src/cli/programs.ts';

const texts: readonly (readonly [string, string])[] = [
  ...programs.filter(({ verbs }) => verbs.length === 0).map((each) => [each.name, helpText(each.name, each)] as const),
  ['dockerops', dockeropsHelp()],
  ...dockeropsVerbs.map((verb) => [`dockerops ${verb.name}`, dockeropsVerbHelp(verb)] as const),
  ...(['telchap', 'chaperonectl'] as const).flatMap((program) => [
    [program, programHelp(program)] as const,
    ...verbsOf(program).map((verb) => [`${program} ${verb.name}`, verbHelp(program, verb)] as const),
  ]),
];

describe('the help of a program fits on a terminal of 80 columns', () => {
  it.each(texts)('%s', (_, text) => {
    expect(text.split('\n').filter((line) => [...line].length > 80)).toEqual([]);
  });
});
