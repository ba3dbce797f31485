/** What `bin/troupe.js` runs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { cli } from "./cli.ts"

// Whoever read the output, `head` say, has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
  process.exit(141)
})

NodeRuntime.runMain(cli(process.argv.slice(2)))
