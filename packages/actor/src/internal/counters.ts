/**
 * What an actor counts, as metrics that are read when somebody asks, so that counting costs an increment.
 */
import { type Context, Metric } from "effect"
import type { Counters } from "../Actor.ts"

const series = {
  steps: "inputs handled",
  sent: "messages sent",
  received: "messages received",
  commands: "commands taken",
  timeouts: "timers run out",
  events: "events emitted",
  restarts: "restarts after a handler threw"
} satisfies Record<keyof Counters, string>

export const registerCounters = (
  driver: { readonly node: string; readonly name: string; readonly counters: Counters },
  protocol: string,
  context: Context.Context<never>
): ReadonlyArray<Metric.Registration> =>
  (Object.keys(series) as Array<keyof Counters>).map((key) =>
    Metric.registerUnsafe(
      Metric.counter(`troupe_actor_${key}`, {
        description: series[key],
        incremental: true,
        attributes: { protocol, node: driver.node, actor: driver.name }
      }),
      context,
      { get: () => ({ count: driver.counters[key], incremental: true }), update: () => {}, modify: () => {} }
    )
  )
