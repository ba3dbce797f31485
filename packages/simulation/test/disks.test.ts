/** Nodes that persist, on simulated disks, in simulated worlds where they crash. */
import { Actor, type Protocol } from "@troupe/actor"
import { Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Layer, Logger, Schema } from "effect"
import { describe, expect, it } from "vitest"

/** Counts, and never tells a number twice. */
const counter: Protocol.Protocol<number, number, "tick", number, never, void, number> = {
  name: "test/durable-counter",
  message: Schema.Int,
  durable: {
    record: Schema.Int,
    restore: (_, count) => count,
    compact: (count) => [count]
  },
  init: () => 0,
  onCommand: (count, _tick, act) => {
    act.persist(count + 1)
    act.emit(count + 1)
    return count + 1
  },
  onMessage: (count) => count
}

const run = async (seed: number, disk: Partial<SimulatedDisk.Options> = {}) => {
  const disks = SimulatedDisk.make({ seed, syncMillisMax: 5, segmentBytes: 4096, ...disk })
  const told = new Map([
    ["n1", 0],
    ["n2", 0]
  ])
  let failures = 0
  const result = await Effect.runPromise(
    Simulation.run({
      seed,
      nodes: ["n1", "n2"],
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(disks.layer(node))
          const actor = yield* Effect.provide(Actor.spawnDurable(counter, { compactAbove: 2000 }), context)
          if (actor.state() < told.get(node)!) return yield* Effect.die(`${node} forgot ${told.get(node)}`)
          actor.subscribe((count) => {
            if (count <= told.get(node)!) throw new Error(`${count} was told before`)
            told.set(node, count)
          })
          const failed = yield* Effect.forkChild(Effect.exit(actor.failed))
          for (;;) {
            for (let i = 0; i < 3; i++) actor.tell("tick")
            yield* Effect.sleep("2 millis")
            if (failed.pollUnsafe() !== undefined) {
              failures++
              return
            }
          }
        }),
      faults: { crashesPerMinute: 2_000, downMillisMin: 1, downMillisMax: 50 },
      duration: "400 millis"
    }).pipe(Effect.provide(Logger.layer([])))
  )
  return { result, told, failures, disks }
}

describe("a node on a simulated disk", () => {
  it("forgets in no crash what it told", async () => {
    let sum = 0
    for (let seed = 0; seed < 30; seed++) {
      const { result, told } = await run(seed)
      expect(result.violations, `seed ${seed}`).toEqual([])
      sum += told.get("n1")!
    }
    expect(sum).toBeGreaterThan(5_000)
  })

  it("stops when its disk is full or fails, and has told nothing that is lost", async () => {
    let failed = 0
    for (let seed = 0; seed < 20; seed++) {
      const { failures, result } = await run(seed, { capacityBytes: 30_000, failureProbability: 0.003 })
      const unexpected = result.violations.filter(({ detail }) => !/cannot grow|EIO/.test(detail ?? ""))
      expect(unexpected, `seed ${seed}`).toEqual([])
      failed += failures
    }
    expect(failed).toBeGreaterThan(0)
  })

  it("does the same for the same seed", async () => {
    const [one, other] = [await run(3), await run(3)]
    expect([...one.told]).toEqual([...other.told])
    expect(one.result.counts).toEqual(other.result.counts)
    expect(one.disks.disk("n1").operations).toBe(other.disks.disk("n1").operations)
  })
})
