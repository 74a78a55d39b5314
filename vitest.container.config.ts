import { defineConfig } from 'vitest/config';

/** The tests that need a container engine: `npm run test:container`. */
export default defineConfig({
  test: {
    include: ['test/container/**/*.container.ts'],
    globalSetup: ['test/container/setup.ts'],
    pool: 'forks',
    // One engine, and limits that are counted over the whole machine.
    fileParallelism: false,
    // Tests wait for events, and a busy machine may take its time: these limits are met only by what hangs.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
