import type { Protocol } from "@troupe/actor"
import { Checker, Property, System } from "@troupe/model-checker"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

/** Asks, and waits for an answer that nobody gives. */
const waiter: Protocol.Protocol<"waits" | "done", "question"> = {
  name: "test/waiter",
  message: Schema.Literal("question"),
  init: () => "done",
  onStart: (state, { self, send }) => {
    if (self.id !== "n1") return state
    send("n2", "question")
    return "waits"
  },
  onCommand: (state) => state,
  onMessage: (state) => state
}

const stuck = (faults: Pick<System.System<any, any, any, any, any, any, any>, "crashes" | "network">) =>
  System.make<"waits" | "done", "question">({
    name: "an answer that never comes",
    members: System.members(waiter, ["n1", "n2"], undefined),
    ...faults,
    properties: [
      Property.deadlockFree<System.View<string>>(({ nodes }) =>
        nodes.every(({ alive, state }) => !alive || state === "done")
      )
    ]
  })

describe("where nothing but a fault could happen, a run is at its end", () => {
  it.effect.each([
    {},
    { crashes: { max: 1, nodes: ["n1"] } },
    { network: { loss: 1 } },
    { network: { splits: [[["n1"], ["n2"]]] } }
  ])("a deadlock stays one when faults are allowed: %j", (faults) =>
    Effect.gen(function* () {
      for (const options of [{}, { search: "depth-first" }, { search: "random" }, { partialOrder: true }] as const) {
        const report = yield* Checker.check(stuck(faults), options)
        expect(report.properties[0]).toMatchObject({ verdict: "violated" })
      }
    })
  )
})

/** Looks at its watch for ever. */
const watcher: Protocol.Protocol<"waits", never, never, never, "look"> = {
  name: "test/watcher",
  message: Schema.Never,
  init: () => "waits",
  onStart: (state, { setTimer }) => {
    setTimer("look", 100)
    return state
  },
  onCommand: (state) => state,
  onMessage: (state) => state,
  onTimeout: (state, _, { setTimer }) => {
    setTimer("look", 100)
    return state
  }
}

describe("a timer that is set anew, and changes nothing", () => {
  it.effect.each(["any", "synchronous"] as const)("hides no deadlock: timeouts %s", (timeouts) =>
    Effect.gen(function* () {
      const watching = System.make<"waits", never, never, never, "look">({
        name: "a watch",
        members: System.members(watcher, ["n1"], undefined),
        timeouts,
        properties: [Property.deadlockFree()]
      })
      const report = yield* Checker.check(watching)
      expect(report).toMatchObject({ uniqueStates: 1, properties: [{ verdict: "violated" }] })
    })
  )
})
