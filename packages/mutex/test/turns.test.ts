import { Coordinator, Mutex } from "@troupe/mutex"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"

/** How often fibers of one node enter, with bodies that take no time, before another task gets its turn. */
const entriesBeforeOthers = (fibers: number) =>
  Effect.gen(function* () {
    const mutex = yield* Mutex
    let entries = 0
    let stopped = false
    const caller = Effect.gen(function* () {
      while (!stopped && entries < 100_000) yield* mutex.withLock(() => Effect.sync(() => entries++))
    })
    const other = Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => {
        stopped = true
      })
    )
    yield* Effect.all([other, ...Array.from({ length: fibers }, () => caller)], { concurrency: "unbounded" })
    return entries
  }).pipe(
    Effect.provide(Coordinator.layer({ resource: "busy" })),
    Effect.provide(Memory.layer(Memory.network({ nodes: ["n1"] }), "n1"))
  )

describe("fibers that enter again and again without a message", () => {
  it.live.each([1, 2, 3])("leave sockets and timers their turn: %d fibers of one node", (fibers) =>
    Effect.gen(function* () {
      expect(yield* entriesBeforeOthers(fibers)).toBeLessThanOrEqual(64)
    })
  )
})
