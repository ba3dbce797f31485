#!/usr/bin/env node
// In the workspace the packages resolve to their sources, and Node runs TypeScript as it is: no build is needed.
import * as Module from "node:module"

if (Module.registerHooks === undefined || !process.features.typescript) {
  console.error(`troupe: Node 22.19 or later is needed, and this is ${process.version}. \`npm ci\` brings one along.`)
  process.exit(2)
}

// What was compiled once is not compiled by each process anew.
Module.enableCompileCache()

Module.registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, { ...context, conditions: ["@troupe/source", ...context.conditions] })
})

await import("../src/main.ts")
