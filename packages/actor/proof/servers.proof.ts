/** Servers whose threads hang, die and start late: `npm run proof -- actor --only server`. */
import { type Dispatcher, run } from "../test/system/server/worlds.ts"

const dispatchers: ReadonlyArray<Dispatcher> = ["single-threaded", "event loop", "multi-threaded"]

export default dispatchers.map((dispatcher) => ({
  algorithm: `server, ${dispatcher}`,
  preset: "chance",
  run: (seed: number) => run(seed, dispatcher)
}))
