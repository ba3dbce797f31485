/** The broadcasts that put nothing in order, in the worlds that their cards allow: `npm run proof -- group`. */
import { bestEffort, flooding, uniform } from "../test/broadcasts.ts"
import { simulate, type Subject, type World } from "../test/worlds.ts"

const worlds: ReadonlyArray<readonly [subject: Subject, worlds: ReadonlyArray<World>]> = [
  [bestEffort, ["none", "crash"]],
  [flooding, ["none", "crash", "half-way", "doubled"]],
  [uniform, ["none", "half-way", "doubled"]]
]

/** Two steps of at most 10 ms, each of which waits for those before it on its link where messages are overtaken. */
const boundMillis = 100

export default worlds.flatMap(([subject, worlds]) =>
  worlds.map((world) => ({
    algorithm: subject.name,
    preset: world,
    run: async (seed: number) => {
      const { verdict, worstMillis, wrong } = await simulate(subject, world, seed, { nodes: 5, senders: 3, card: true })
      const violations = [...(verdict._tag === "Violated" ? [verdict.rule] : []), ...wrong]
      return { violations, worstMillis, boundMillis }
    }
  }))
)
