#!/usr/bin/env node
// In the workspace the packages resolve to their sources, and Node runs TypeScript as it is: no build is needed.
import { enableCompileCache, registerHooks } from "node:module"

// What was compiled once is not compiled by each process anew.
enableCompileCache()

registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, { ...context, conditions: ["@troupe/source", ...context.conditions] })
})

await import("../src/main.ts")
