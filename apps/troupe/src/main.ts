/** What `bin/troupe.js` runs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Runtime } from "effect"
import { cli } from "./cli.ts"

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read the output, `head` say, has seen enough.
  if (error.code === "EPIPE") process.exit(141)
  console.error(`troupe: the output could not be written: ${error.message}`)
  process.exit(3)
})

// Of what was interrupted the code is 130, but for a server that was told to stop, and has: it has set its own.
NodeRuntime.runMain(cli(process.argv.slice(2)), {
  teardown: (exit, onExit) =>
    Runtime.defaultTeardown(exit, (code) => onExit(code === 130 ? Number(process.exitCode ?? code) : code))
})
