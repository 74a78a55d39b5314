import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Each file in a process of its own: the Linux kernel's tests reap every child of theirs.
    pool: 'forks',
    maxWorkers: 2,
    // Real processes on a busy machine: what fails twice has failed.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 30_000,
    // XState's development build tells of each event that comes too late for an actor, which worlds and crossings are made of.
    onConsoleLog: (log) => !log.includes('was sent to stopped actor'),
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'lcov'],
    },
  },
});
