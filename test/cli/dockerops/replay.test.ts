import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readRequest } from '../../../src/cli/dockerops/read-request.ts';
import { diff, replay } from '../../../src/cli/dockerops/replay.ts';
import { dockeropsVerbs } from '../../../src/cli/dockerops/verbs.ts';
import { renderEntry } from '../../../src/inspect/journal-writer.ts';
import { recorded } from '../../inspect/recorded.ts';
import { simpleService, systemOf } from '../../simulation/world.ts';

async function told(name: 'replay' | 'diff', ...words: readonly string[]) {
  const verb = dockeropsVerbs.find((known) => known.name === name);
  const reading = verb === undefined ? undefined : readRequest(verb, words);
  if (reading?.kind !== 'request') throw new Error(`${words.join(' ')} is no request`);
  let stderr = '';
  const status = await { replay, diff }[name](reading, {
    print: async (fd, text) => {
      if (fd === 2) stderr += text;
    },
    colour: false,
    sleep: async () => undefined,
  });
  return { status, stderr };
}

/** @returns the path of a recording, with this before its last line */
function recording(inside = ''): string {
  const folder = mkdtempSync(join(tmpdir(), 'dockerops-replay-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'first.journal');
  const lines = recorded(systemOf([simpleService('store')])).map(renderEntry);
  writeFileSync(path, [...lines.slice(0, -1), inside, ...lines.slice(-1)].join(''));
  return path;
}

it('names itself where a file cannot be read, and where words are wrong', async () => {
  const missing = 'cannot read /no/such/file: no such file or directory\n';
  expect(await told('replay', '/no/such/file')).toEqual({ status: 2, stderr: `dockerops replay: ${missing}` });
  expect(await told('diff', '/no/such/file')).toEqual({ status: 2, stderr: `dockerops diff: ${missing}` });
  expect(await told('replay', 'a', 'b')).toEqual({
    status: 2,
    stderr: 'dockerops replay: too many files: b\ntry "dockerops replay --help"\n',
  });
  expect(await told('diff', 'a', 'b', 'c')).toEqual({
    status: 2,
    stderr: 'dockerops diff: too many files: c\ntry "dockerops diff --help"\n',
  });
});

it('names itself where a boot or an instant is not there, and where something is skipped', async () => {
  const path = recording('{"no JSON\n');
  const skipped = expect.stringMatching(/^dockerops (?:replay|diff): .*: skipped: /);
  for (const { stderr } of [await told('replay', path), await told('diff', `${path}#1`, `${path}#1`)])
    expect(stderr).toEqual(skipped);
  const whole = recording();
  const hint = `, which has 1; see "dockerops replay --list"\n`;
  expect(await told('replay', whole, '--boot', '7')).toEqual({
    status: 2,
    stderr: `dockerops replay: there is no boot 7 in ${whole}${hint}`,
  });
  expect(await told('diff', whole)).toEqual({
    status: 2,
    stderr: `dockerops diff: there is no boot -2 in ${whole}${hint}`,
  });
  expect(await told('replay', whole, '--until', 'nothing:never')).toEqual({
    status: 1,
    stderr: 'dockerops replay: what --until names never came\n',
  });
});
