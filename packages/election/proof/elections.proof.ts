/** Every election in every world that its card allows: `npm run proof -- election`. */
import { all } from "./elections.ts"
import { run } from "./worlds.ts"

export default all.flatMap(({ algorithm, subject, worlds }) =>
  worlds.map((world) => ({ algorithm, preset: world.name, run: (seed: number) => run(subject, world, seed) }))
)
