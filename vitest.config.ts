import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Tests run the sources, so that a failure points at a line somebody wrote; what is built and packed is checked apart.
const conditions = ['@switchyard/source', 'module', 'node', 'development'];

/** Tests of traffic in real time, which want the machine for themselves: one file after the other, when all else is done. */
const TIMED = ['test/scenarios/outages.test.ts', 'test/scenarios/leaks.test.ts', 'test/scenarios/streams.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: 'all',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/dist/**', ...TIMED],
          environment: 'node',
          testTimeout: 30_000,
          // Of two processors the default would leave one idle.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve: { conditions },
        ssr: { resolve: { conditions } },
        test: {
          name: 'timed',
          include: TIMED,
          environment: 'node',
          testTimeout: 30_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
