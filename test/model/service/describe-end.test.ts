import { expect, it } from 'vitest';
import { describeEnd } from '../../../src/model/service/describe-end.ts';
import type { SystemEnd } from '../../../src/model/service/system-end.ts';

const exit3 = { kind: 'exit', status: { kind: 'exited', code: 3 } } as const;
const service = 'web.service';
const ends: readonly (readonly [SystemEnd, string])[] = [
  [{ kind: 'signal', signal: 'SIGQUIT' }, 'SIGQUIT'],
  [{ kind: 'exitKills', service, outcome: exit3 }, 'web ended (exit_kills)'],
  [{ kind: 'serviceFailed', service, cause: { ...exit3, pid: 7 } }, 'web failed to start'],
  [{ kind: 'missingPrograms', problems: [] }, 'programs are missing'],
  [{ kind: 'noProcesses' }, 'no process is left (detect_exit)'],
  [{ kind: 'nothingStarted' }, 'nothing was started (detect_exit)'],
  [{ kind: 'internalError', message: 'secret' }, 'internal error'],
];

it.each(ends)('%j is told in few words', (end, text) => {
  expect(describeEnd(end)).toBe(text);
});
