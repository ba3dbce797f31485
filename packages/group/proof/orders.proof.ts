/** The orders in the worlds that their cards allow, and in views that change: `npm run proof -- group --only order`. */
import { chaos, run } from "../test/chaos.ts"
import { texts, rules } from "../test/interleavings.ts"
import { fixed, guaranteesOf, names, stable } from "../test/orders.ts"
import { simulate, type Subject, type World } from "../test/worlds.ts"

/** In the simulator's worlds: the longest split, and asking again after it at growing intervals. */
const boundMillis: Readonly<Partial<Record<World, number>>> = {
  none: 100,
  doubled: 500,
  lossy: 5_000,
  partition: 20_000
}

const among = (subject: Subject) =>
  (["none", "lossy", "partition", "doubled"] as const).map((world) => ({
    algorithm: subject.name,
    preset: world,
    run: async (seed: number) => {
      const { verdict, worstMillis, wrong } = await simulate(subject, world, seed, { senders: 3, card: true })
      const violations = [...(verdict._tag === "Violated" ? [verdict.rule] : []), ...wrong]
      return { violations, worstMillis, boundMillis: boundMillis[world]! }
    }
  }))

/** From being told of a view to being in it. */
const viewMillis = 10_000

const inViews = names.flatMap((name) =>
  [false, true].map((uniform) => {
    const options = { ...chaos.options, uniform, ...(uniform ? { reportMillis: 0 } : {}) }
    const guarantees = [...guaranteesOf(name), "view-synchronous", ...(uniform ? (["uniform"] as const) : [])] as const
    const protocol = texts(rules[name])
    return {
      algorithm: (uniform ? stable : fixed)(name).name,
      preset: "chaos, views",
      run: async (seed: number) => {
        const { broken, worstMillis } = await run(seed, { ...chaos, protocol, options, guarantees })
        return { violations: broken, worstMillis, boundMillis: viewMillis }
      }
    }
  })
)

export default [...names.flatMap((name) => [...among(fixed(name)), ...among(stable(name))]), ...inViews]
