import { defineConfig } from 'vitest/config';

/** The tests that need a container engine: `npm run test:container`. */
export default defineConfig({
  test: {
    include: ['test/container/**/*.container.ts'],
    globalSetup: ['test/container/setup.ts'],
    pool: 'forks',
    // One engine, and limits that are counted over the whole machine.
    fileParallelism: false,
    // A real engine on a busy machine: what fails twice has failed.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
