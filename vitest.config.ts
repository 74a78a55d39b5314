import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Rooms whose tests have no effect outside of themselves: their files follow each other in one process, which loads a module once. */
const pure = [
  'model',
  'facts',
  'streams',
  'control',
  'inspect',
  'config',
  'conventions',
  'simulation',
  'platform',
  'cli',
  'docs',
].map((room) => `test/${room}/**/*.test.ts`);

export default defineConfig({
  test: {
    pool: 'forks',
    projects: [
      { extends: true, test: { name: 'pure', include: pure, isolate: false } },
      // Each of these files runs in a process of its own. A test of the Linux kernel reaps every child of its process, and a test of
      // machines must not get the ports that a world has put into them.
      { extends: true, test: { name: 'alone', include: ['test/**/*.test.ts'], exclude: pure } },
    ],
    // Many tests wait for real time, so that three of them share a processor well; more than six would only be in each other's way.
    maxWorkers: Math.min(6, 3 * availableParallelism()),
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
