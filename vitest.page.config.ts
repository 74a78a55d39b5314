import { defineConfig } from 'vitest/config';

/** The tests that need a browser: `npm run test:page`. */
export default defineConfig({
  test: {
    include: ['test/**/*.page.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Tests wait for events, and a busy machine may take its time: these limits are met only by what hangs.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
