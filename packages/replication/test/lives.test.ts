/** A front end asks in a life that no crash undoes: else two lives would have one number, and requests of both one id. */
import { describe, expect, it } from "@effect/vitest"
import { LocalWrite, Passive } from "@troupe/replication"
import { Simulation } from "@troupe/simulation"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Context, Effect, Layer, References } from "effect"
import { Numbers, put } from "./machines.ts"

/** A node comes back twice, the first time for so long: perhaps less than its disk takes to write that it did. */
const answers = (layer: typeof passive, seed: number, livesMillis: number) =>
  Effect.gen(function* () {
    const disks = SimulatedDisk.make({ seed, syncMillisMin: 600, syncMillisMax: 600 })
    const given: Array<readonly [asked: number, answered: number]> = []
    let lives = 0
    yield* Simulation.run({
      seed,
      nodes: ["n1", "n2", "n3"],
      duration: "20 seconds",
      scheduled: [
        { _tag: "Crash", node: "n2", atMillis: 5_000, forMillis: 100 },
        { _tag: "Crash", node: "n2", atMillis: 5_100 + livesMillis, forMillis: 1_500 }
      ],
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(Layer.provide(layer, disks.layer(node)))
          if (node !== "n2") return yield* Effect.never
          const value = 100 * ++lives
          given.push([value, yield* Context.get(context, Numbers).invoke(put("x", value))])
          return yield* Effect.never
        }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
    })
    return given
  })

const passive = Passive.layer(Numbers)

describe("a request of a life is answered with its own response", () => {
  it.live.each([
    ["passive", passive],
    ["local-write", LocalWrite.layer(Numbers)]
  ] as const)("%s", ([, layer]) =>
    Effect.gen(function* () {
      const unanswered = new Set<number>()
      for (let seed = 1; seed <= 24; seed++) {
        const livesMillis = 100 * (seed % 40)
        const given = yield* answers(layer, seed, livesMillis)
        expect({ seed, given }).toEqual({ seed, given: given.map(([asked]) => [asked, asked]) })
        for (const asked of [100, 200, 300]) if (given.every(([each]) => each !== asked)) unanswered.add(asked)
      }
      // Some of the first return's requests were on their way when it ended.
      expect([...unanswered]).toContain(200)
    })
  )
})
