import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Each file in a process of its own: the Linux kernel's tests reap every child of theirs.
    pool: 'forks',
    // Many tests wait for real time, so that two of them share a processor well; more than four would only be in each other's way.
    maxWorkers: Math.min(4, 2 * availableParallelism()),
    // Tests wait for events, and a busy machine may take its time: these limits are met only by what hangs.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    // XState's development build tells of each event that comes too late for an actor, which worlds and crossings are made of.
    onConsoleLog: (log) => !log.includes('was sent to stopped actor'),
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'lcov'],
    },
  },
});
