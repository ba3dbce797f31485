/** What `bin/troupe.js` runs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { cli } from "./cli.ts"

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Whoever read the output, `head` say, has seen enough.
  if (error.code === "EPIPE") process.exit(141)
  console.error(`troupe: the output could not be written: ${error.message}`)
  process.exit(3)
})

NodeRuntime.runMain(cli(process.argv.slice(2)))
