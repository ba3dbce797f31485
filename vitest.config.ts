import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: { conditions: ["@troupe/source"] },
  ssr: { resolve: { conditions: ["@troupe/source"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "apps/*/test/**/*.test.ts", "tools/test/**/*.test.ts"],
    testTimeout: 60_000,
    // Some tests wait for processes of their own: a worker for each core keeps the cores busy meanwhile.
    maxWorkers: "100%",
    // Tests leave nothing behind, so that a worker can go on to the next file with the modules that it has.
    isolate: false
  }
})
