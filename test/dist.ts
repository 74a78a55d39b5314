/** What was built: tests that run it are refused where it is older than its sources, since they would judge another program. */
import { join } from 'node:path';
import { isBuilt, root } from '../scripts/prepare.mjs';

let checked = false;

/** The path of a file in `dist/`, or of the folder. Throws where anything was changed since it was built. */
export function inDist(...names: readonly string[]): string {
  if (!checked && !isBuilt())
    throw new Error('dist/ is older than what it is built from: run "npm run build", or "npm test"');
  checked = true;
  return join(root, 'dist', ...names);
}
