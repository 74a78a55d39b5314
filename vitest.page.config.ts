import { defineConfig } from 'vitest/config';

/** The tests that need a browser: `npm run test:page`. */
export default defineConfig({
  test: {
    include: ['test/**/*.page.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // A real browser on a busy machine: what fails twice has failed.
    retry: process.env['CI'] === undefined ? 0 : 1,
  },
});
