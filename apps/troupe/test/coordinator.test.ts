/** The coordinator's lock with a coordinator that the bully algorithm elects, where nodes die and come back. */
import { Bully, Election } from "@troupe/election"
import { Heartbeat } from "@troupe/failure-detection"
import { Coordinator, Mutex } from "@troupe/mutex"
import { Simulation } from "@troupe/simulation"
import { Context, Duration, Effect, Layer, Random, References } from "effect"
import { describe, expect, it } from "vitest"

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const leader = Effect.map(Election, ({ changes }) => changes)
const layer = Coordinator.layer({ resource: "orders", leader }).pipe(
  Layer.provide(Bully.layer()),
  Layer.provide(Heartbeat.layer({ interval: "200 millis", deadline: "600 millis" }))
)

/** All enter again and again for 20 s; `victim` crashes once, forgets, and is back when it was `down` for so long. */
const run = async (seed: number, victim: string, down: number) => {
  const inside = new Set<string>()
  const tokens: Array<number> = []
  const entered: Array<readonly [string, number]> = []
  const atMillis = 3_000 + ((seed * 617) % 3_000)
  const now = Effect.clockWith((clock) => Effect.map(clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6))
  const body = (node: string) => (token: number) =>
    Effect.acquireUseRelease(
      Effect.map(now, (millis) => {
        inside.add(node)
        tokens.push(token)
        entered.push([node, millis])
      }),
      () => Effect.flatMap(Random.nextIntBetween(0, 60), (millis) => Effect.sleep(Duration.millis(millis))),
      () => Effect.sync(() => inside.delete(node))
    )
  const { violations } = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes,
      program: (node) =>
        Effect.gen(function* () {
          const mutex = Context.get(yield* Layer.build(layer), Mutex)
          while ((yield* now) < 20_000) {
            yield* mutex.withLock(body(node))
            yield* Effect.sleep(Duration.millis(yield* Random.nextIntBetween(0, 200)))
          }
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None")),
      scheduled: [{ _tag: "Crash", node: victim, atMillis, forMillis: down }],
      duration: "25 seconds",
      properties: [
        ...Simulation.fromCard(Coordinator.card, "mutex/coordinator/orders"),
        Simulation.always("one body at a time", ({ isAlive }) => {
          for (const node of inside) if (!isAlive(node)) inside.delete(node)
          return inside.size <= 1
        })
      ]
    })
  )
  const since = (node: string, millis: number) => entered.filter(([who, at]) => who === node && at > millis).length
  return { violations: violations.map(({ name }) => name), tokens, since, atMillis }
}

describe("with the bully algorithm", () => {
  it.each([
    ["the coordinator crashes for good", "n5", 1e9],
    ["the coordinator crashes, and comes back", "n5", 5_000],
    ["the coordinator is back before anybody has missed it", "n5", 300],
    ["another node crashes, and comes back", "n2", 5_000],
    ["another node is back before anybody has missed it", "n2", 300]
  ])("%s: nobody is inside twice, tokens increase, and all enter again", async (_what, victim, down) => {
    for (let seed = 1; seed <= 30; seed++) {
      const { atMillis, since, tokens, violations } = await run(seed, victim, down)
      expect([seed, ...violations]).toEqual([seed])
      expect([seed, tokens]).toEqual([seed, [...new Set(tokens)].sort((a, b) => a - b)])
      for (const node of nodes.filter((each) => down < 1e9 || each !== victim)) {
        expect([seed, node, since(node, atMillis + 6_000) > 0]).toEqual([seed, node, true])
      }
    }
  })
})
