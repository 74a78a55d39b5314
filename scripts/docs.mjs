// Writes the generated pages of docs/ anew, by the tests that otherwise compare them with the code.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));

execFileSync(
  process.execPath,
  [
    vitest,
    'run',
    'test/machines/diagrams.test.ts',
    'test/docs/reference.test.ts',
    'test/docs/errors.test.ts',
    'test/docs/control.test.ts',
    'test/docs/schema.test.ts',
    'test/docs/dockerops.test.ts',
    'test/docs/restarts-guide.test.ts',
    'test/docs/coming-from-others.test.ts',
    'test/docs/journal.test.ts',
    'test/docs/troubleshooting.test.ts',
    'test/docs/worlds.test.ts',
  ],
  {
    cwd: root,
    env: { ...process.env, UPDATE_DOCS: '1' },
    stdio: 'inherit',
  },
);
