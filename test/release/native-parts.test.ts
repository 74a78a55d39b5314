/** scripts/native-parts.mjs: what the addon of a release may need. */
import { expect, it } from 'vitest';
import { foreignSymbols } from '../../scripts/native-parts.mjs';
import { inDist } from '../dist.ts';

/** Names that only the build for this machine has: those of files of any size. */
const large = /^(?:fcntl|getrlimit|lseek|open)64$/;

it('an addon needs nothing that only some C libraries have, since a release loads it with any', () => {
  expect(foreignSymbols(inDist('edge.node')).filter((name) => !large.test(name))).toEqual([]);
});
