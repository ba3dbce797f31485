import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { promisify } from "node:util"
import { Worker } from "node:worker_threads"
import { describe, expect, it } from "@effect/vitest"
import { Actor, type Protocol } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { Effect, Random, Schema } from "effect"
import { options, trace } from "./application.ts"
import * as RandomApplication from "./randomApplication.ts"
import { traced, upTo } from "./support.ts"

const printedBy = (file: string, ...seeds: ReadonlyArray<number>) =>
  Effect.promise(() =>
    promisify(execFile)(
      process.execPath,
      ["--conditions=@troupe/source", join(import.meta.dirname, file), ...seeds.map(String)],
      { maxBuffer: 2 ** 26 }
    )
  ).pipe(Effect.map(({ stdout }) => stdout))

const inProcessOfItsOwn = (seed: number) => printedBy("application.ts", seed)

/** Keeps every core busy while `effect` runs. */
const underLoad = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => [1, 2].map(() => new Worker("for (;;) Math.sqrt(2)", { eval: true }))),
    () => effect,
    (workers) => Effect.promise(() => Promise.all(workers.map((worker) => worker.terminate())))
  )

describe("the same seed gives the same trace, byte by byte", () => {
  it.live("twice in one process, and in another", () =>
    Effect.gen(function* () {
      const first = yield* trace(42)
      expect(first.length).toBeGreaterThan(100_000)
      expect(yield* trace(42)).toBe(first)
      expect(yield* inProcessOfItsOwn(42)).toBe(first)
    })
  )

  it.live("while other threads load the machine", () =>
    Effect.gen(function* () {
      const first = yield* trace(43)
      expect(yield* underLoad(trace(43))).toBe(first)
      expect(yield* underLoad(inProcessOfItsOwn(43))).toBe(first)
    })
  )

  it.live("while another run goes on between its turns", () =>
    Effect.gen(function* () {
      const first = yield* trace(44)
      const all = yield* Effect.all([trace(44), trace(45), trace(44)], { concurrency: "unbounded" })
      expect([all[0] === first, all[1] === first, all[2] === first]).toEqual([true, false, true])
    })
  )

  it.live("whatever of Effect a program is made of: a hundred little applications", () =>
    Effect.gen(function* () {
      const all = Effect.map(Effect.forEach(upTo(100), RandomApplication.trace), (traces) => traces.join("\n"))
      const first = yield* all
      expect(first).not.toContain("a program failed")
      expect((yield* all) === first).toBe(true)
      expect((yield* underLoad(printedBy("randomApplication.ts", 0, 99))) === `${first}\n`).toBe(true)
    })
  )

  it.live("with a trace and without one", () =>
    Effect.gen(function* () {
      const silent = yield* Simulation.run(options(46))
      expect(yield* Simulation.run({ ...options(46), trace: () => {} })).toEqual(silent)
    })
  )

  // A new hash is right when the simulator, the driver or Effect has changed what is drawn when, and for no other reason.
  it.live("on any machine", () =>
    Effect.gen(function* () {
      const { result, trace } = yield* traced({
        seed: 1,
        nodes: ["n1", "n2", "n3", "n4", "n5"],
        faults: Faults.chaos,
        duration: "20 seconds",
        program: () =>
          Effect.gen(function* () {
            const actor = yield* Actor.spawn(rumour)
            for (let i = 0; i < 20; i++) {
              yield* Effect.sleep(yield* Random.nextIntBetween(1, 1000))
              actor.tell(yield* Random.nextIntBetween(1, 100))
            }
          })
      })
      expect(result.counts.delivered).toBeGreaterThan(200)
      expect(createHash("sha256").update(trace).digest("hex")).toBe(
        "4a917bc3e12defa74e39b209f6f3420fc8f03c07f1dffa26e89ba1e007473a1c"
      )
    })
  )
})

/** Passes on a number to one peer by chance, later. */
const rumour: Protocol.Protocol<number, number, number, number, "pass on"> = {
  name: "test/rumour",
  message: Schema.Number,
  init: () => 0,
  onCommand: (_heard, news, act) => {
    act.setTimer("pass on", news)
    return news
  },
  onMessage: (heard, from, news, act) => {
    if (news <= heard) return heard
    act.emit(news)
    act.setTimer("pass on", act.random() * 100)
    if (act.now() % 2 === 0) act.send(from, news + 1)
    return news
  },
  onTimeout: (heard, _passOn, act) => {
    act.send(act.self.peers[Math.floor(act.random() * act.self.peers.length)]!, heard)
    return heard
  }
}

describe("another seed", () => {
  it.live("gives another trace", () =>
    Effect.gen(function* () {
      const traces = yield* Effect.all([1, 2, 3, -1, 2 ** 40 + 1].map(trace))
      expect(new Set(traces).size).toBe(5)
    })
  )
})
