import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/globalSetup.ts'],
    // The order counts: the closing line is the last of all output.
    reporters: ['default', './test/reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    // Two workers share the machine with a broker and a database.
    maxWorkers: 2,
    // Files of a worker share their modules: loading them anew for each was a tenth of the time.
    isolate: false,
  },
});
