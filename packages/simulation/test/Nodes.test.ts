import { describe, expect, it } from "@effect/vitest"
import { Actor, type Protocol } from "@troupe/actor"
import { Faults, Simulation } from "@troupe/simulation"
import { Transport } from "@troupe/transport"
import { Clock, Deferred, Effect, Exit, Schema } from "effect"
import { delayOf, nowMillis, Numbers, stream, three, upTo } from "./support.ts"

/** Ticks every 10 ms, and counts. */
const ticker: Protocol.Protocol<number, string, never, never, "tick"> = {
  name: "test/ticker",
  message: Schema.String,
  init: () => 0,
  onStart: (ticks, act) => {
    act.setTimer("tick", 10)
    return ticks
  },
  onCommand: (ticks) => ticks,
  onMessage: (ticks) => ticks,
  onTimeout: (ticks, _tick, act) => {
    act.setTimer("tick", 10)
    return ticks + 1
  }
}

const ticks = (simulator: Simulation.Simulator, node: string): { readonly alive: boolean; readonly state: number } => {
  const { alive, state } = simulator.world.snapshot("test/ticker").find((entry) => entry.node === node)!
  return { alive, state }
}

const withTickers = <A>(
  test: (simulator: Simulation.Simulator) => Effect.Effect<A, unknown>,
  options: Partial<Simulation.Options<unknown, A>> = {}
) =>
  Effect.map(
    Simulation.run<unknown, A>({ seed: 1, nodes: three, ...options, test, program: () => Actor.spawn(ticker) }),
    ({ value, violations }) => {
      expect(violations).toEqual([])
      return value!
    }
  )

describe("a crash", () => {
  it.effect("stops the timers of that life for good; a restart begins anew", () =>
    Effect.gen(function* () {
      const seen = yield* withTickers((simulator) =>
        Effect.gen(function* () {
          yield* Effect.sleep(55)
          yield* simulator.crash("n1")
          const seen = [ticks(simulator, "n1")]
          expect(simulator.world.isAlive("n1")).toBe(false)
          yield* Effect.sleep(50)
          seen.push(ticks(simulator, "n1"))
          yield* simulator.restart("n1")
          yield* Effect.sleep(36)
          return [...seen, ticks(simulator, "n1"), ticks(simulator, "n2")]
        })
      )
      expect(seen).toEqual([
        { alive: false, state: 5 },
        { alive: false, state: 5 },
        { alive: true, state: 3 },
        { alive: true, state: 14 }
      ])
    })
  )

  it.effect("runs no finalizer; the end of the run does, for programs and for the test", () =>
    Effect.gen(function* () {
      const closed: Array<string> = []
      const lives = new Map<string, number>()
      yield* Simulation.run({
        seed: 1,
        nodes: three,
        duration: "10 seconds",
        program: (node) =>
          Effect.gen(function* () {
            const life = (lives.get(node) ?? 0) + 1
            lives.set(node, life)
            yield* Effect.addFinalizer(() => Effect.sync(() => closed.push(`${node}/${life} scope`)))
            yield* Effect.never.pipe(
              Effect.onInterrupt(() => Effect.sync(() => closed.push(`${node}/${life} program`)))
            )
          }),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep("1 second")
            yield* simulator.crash("n1")
            yield* simulator.crash("n2")
            yield* simulator.restart("n2")
            yield* simulator.pause("n3")
            yield* Effect.never
          }).pipe(Effect.onInterrupt(() => Effect.sync(() => closed.push("test"))))
      }).pipe(Effect.ignore)
      expect(closed.toSorted()).toEqual(["n2/2 program", "n2/2 scope", "n3/1 program", "n3/1 scope", "test"])
    })
  )

  it.effect("loses what is under way to the node, also when it restarts meanwhile", () =>
    Effect.gen(function* () {
      const { numbers, result } = yield* stream({
        faults: delayOf(20),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep(50.5)
            yield* simulator.crash("n2")
            yield* simulator.restart("n2")
            yield* Effect.sleep(200)
          })
      })
      expect(numbers("n2")).toEqual(upTo(100).filter((number) => number <= 30 || number > 50))
      expect(numbers("n3")).toEqual(upTo(100))
      expect(result.counts.lost).toBe(20)
    })
  )

  it.effect("ends a node's fibers even when something that it shares with others would wake them", () =>
    Effect.gen(function* () {
      const did: Array<string> = []
      const shared = yield* Deferred.make<void>()
      yield* Simulation.run({
        seed: 1,
        nodes: ["n1", "n2"],
        program: (node) =>
          Effect.andThen(
            Deferred.await(shared),
            Effect.sync(() => did.push(node))
          ),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep(1)
            yield* simulator.crash("n1")
            yield* Deferred.succeed(shared, undefined)
            yield* Effect.sleep(1)
          })
      })
      expect(did).toEqual(["n2"])
    })
  )

  it.effect("of a node that is down, and a restart of one that is up, change nothing", () =>
    Effect.gen(function* () {
      const state = yield* withTickers((simulator) =>
        Effect.gen(function* () {
          yield* simulator.restart("n1")
          yield* simulator.unpause("n1")
          yield* Effect.sleep(25)
          yield* simulator.crash("n2")
          yield* simulator.crash("n2")
          yield* simulator.pause("n2")
          yield* simulator.restart("n2")
          yield* Effect.sleep(26)
          return [ticks(simulator, "n1").state, ticks(simulator, "n2").state]
        })
      )
      expect(state).toEqual([5, 2])
    })
  )

  it.effect("of a node that does not exist is a failure of the test", () =>
    Effect.gen(function* () {
      const { violations } = yield* Simulation.run({
        seed: 1,
        nodes: three,
        program: () => Effect.void,
        test: (simulator) => simulator.crash("n9")
      })
      expect(violations).toEqual([
        expect.objectContaining({
          name: "the test failed",
          detail: expect.stringContaining(`"n9" is not a node of this world: n1, n2, n3`)
        })
      ])
    })
  )
})

describe("a pause", () => {
  it.effect("holds up a node's messages and timers, which come in their order when it goes on", () =>
    Effect.gen(function* () {
      const { arrivals, at } = yield* stream({
        faults: delayOf(5),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep(30.5)
            yield* simulator.pause("n2")
            yield* Effect.sleep(30)
            yield* simulator.unpause("n2")
            yield* Effect.sleep(100)
          })
      })
      expect(at("n2").map(({ number }) => number)).toEqual(upTo(100))
      for (const { atMillis, sentAtMillis, to } of arrivals) {
        const arrives = sentAtMillis + 5
        expect(atMillis).toBeCloseTo(to === "n2" && arrives > 30.5 && arrives < 60.5 ? 60.5 : arrives, 6)
      }
    })
  )

  it.effect("makes timers late, not lost", () =>
    Effect.gen(function* () {
      const states = yield* withTickers((simulator) =>
        Effect.gen(function* () {
          yield* Effect.sleep(15)
          yield* simulator.pause("n1")
          yield* Effect.sleep(40)
          const during = ticks(simulator, "n1")
          yield* simulator.unpause("n1")
          yield* Effect.sleep(15)
          return [during, ticks(simulator, "n1")]
        })
      )
      // At 10, then at 55 what was due at 20, then at 65.
      expect(states).toEqual([
        { alive: true, state: 1 },
        { alive: true, state: 3 }
      ])
    })
  )

  it.effect(
    "of a plan lasts as long as it says: neither one that it runs into nor one of an earlier life ends it",
    () =>
      Effect.gen(function* () {
        const pause = (atMillis: number, forMillis: number) =>
          ({ _tag: "Pause", node: "n2", atMillis, forMillis }) as const
        const crash = { _tag: "Crash", node: "n2", atMillis: 400, forMillis: 50 } as const
        const seen = yield* withTickers(
          (simulator) =>
            Effect.forEach([395, 595, 905, 995], (at) =>
              Effect.gen(function* () {
                yield* Effect.sleep(at - simulator.world.nowMillis)
                return ticks(simulator, "n2").state
              })
            ),
          { faults: delayOf(1), scheduled: [pause(105, 395), pause(200, 100), crash, pause(480, 400)] }
        )
        // Still from 105 until its crash at 400, and from 480, thirty milliseconds into its second life, until 880.
        expect(seen).toEqual([10, 2, 5, 14])
      })
  )

  it.effect("of a node that crashes loses what had waited", () =>
    Effect.gen(function* () {
      const { numbers } = yield* stream({
        faults: delayOf(1),
        test: (simulator) =>
          Effect.gen(function* () {
            yield* Effect.sleep(30.5)
            yield* simulator.pause("n2")
            yield* Effect.sleep(30)
            yield* simulator.crash("n2")
            yield* simulator.restart("n2")
            yield* Effect.sleep(100)
          })
      })
      expect(numbers("n2")).toEqual(upTo(100).filter((number) => number < 30 || number > 60))
    })
  )
})

describe("clocks", () => {
  const readings = (options: Partial<Simulation.Options<unknown, void>>) => {
    const read = new Map<string, Array<{ readonly wall: number; readonly steady: number }>>()
    return Effect.as(
      Simulation.run<unknown, void>({
        seed: 1,
        nodes: three,
        duration: "1000 seconds",
        ...options,
        program: (node) =>
          Effect.gen(function* () {
            const mine: Array<{ readonly wall: number; readonly steady: number }> = []
            read.set(node, mine)
            for (let i = 0; i < 3; i++) {
              mine.push({ wall: yield* Clock.currentTimeMillis, steady: yield* nowMillis })
              yield* Effect.sleep("100 seconds")
            }
          })
      }),
      read
    )
  }
  const start = Date.UTC(2020, 0, 1)

  it.effect("start at 2020-01-01T00:00:00Z and agree", () =>
    Effect.gen(function* () {
      for (const mine of (yield* readings({})).values()) {
        expect(mine).toEqual([0, 100_000, 200_000].map((steady) => ({ wall: start + steady, steady })))
      }
    })
  )

  it.effect("are off by up to clockSkewMillisMax, each by its own, and keep that", () =>
    Effect.gen(function* () {
      const read = yield* readings({ faults: { clockSkewMillisMax: 500 } })
      const offsets = [...read.values()].map((mine) => mine.map(({ steady, wall }) => wall - steady - start))
      for (const [first, ...later] of offsets) {
        expect(Math.abs(first!)).toBeLessThanOrEqual(500)
        expect(later).toEqual([first, first])
      }
      expect(new Set(offsets.map(([first]) => first)).size).toBe(3)
    })
  )

  it.effect("that drift run fast or slow by up to clockDriftPpmMax, their timers with them", () =>
    Effect.gen(function* () {
      const ends = new Map<string, number>()
      const trueTime: { now: () => number } = { now: () => 0 }
      yield* Simulation.run({
        seed: 1,
        nodes: upTo(10).map((at) => `n${at}`),
        duration: "1000 seconds",
        faults: { clockDriftPpmMax: 10_000 },
        program: (node) =>
          Effect.andThen(
            Effect.sleep("100 seconds"),
            Effect.sync(() => ends.set(node, trueTime.now()))
          ),
        test: (simulator) =>
          Effect.gen(function* () {
            trueTime.now = () => simulator.world.nowMillis
            yield* Effect.sleep("200 seconds")
          })
      })
      for (const end of ends.values()) expect(Math.abs(end - 100_000)).toBeLessThanOrEqual(1011)
      expect(new Set(ends.values()).size).toBe(10)
      expect(Math.max(...ends.values())).toBeGreaterThan(100_000)
      expect(Math.min(...ends.values())).toBeLessThan(100_000)
    })
  )

  it.effect("that jump change the time of day and no timer", () =>
    Effect.gen(function* () {
      const jump = { _tag: "ClockJump", node: "n1", atMillis: 50_000, byMillis: 3_600_000 } as const
      const read = yield* readings({ scheduled: [jump] })
      expect(read.get("n1")!.map(({ wall }) => wall - start)).toEqual([0, 3_700_000, 3_800_000])
      expect(read.get("n1")!.map(({ steady }) => steady)).toEqual([0, 100_000, 200_000])
      expect(read.get("n2")!.map(({ wall }) => wall - start)).toEqual([0, 100_000, 200_000])
    })
  )

  it.effect("jump when the test says so", () =>
    Effect.gen(function* () {
      const { value } = yield* Simulation.run({
        seed: 1,
        nodes: ["n1"],
        program: () => Effect.never,
        test: (simulator) => Effect.as(simulator.jump("n1", "1 hour"), "jumped")
      })
      expect(value).toBe("jumped")
    })
  )
})

describe("a plan", () => {
  const options = { seed: 7, nodes: three, faults: Faults.chaos, durationMillis: 60_000 }

  it("follows from its seed", () => {
    expect(Faults.plan(options)).toEqual(Faults.plan(options))
    expect(Faults.plan(options)).not.toEqual(Faults.plan({ ...options, seed: 8 }))
  })

  it("has as many events of each kind as the rates say, in order of time, numbered", () => {
    const plan = Faults.plan(options)
    const count = (tag: Faults.Event["_tag"]) => plan.filter(({ _tag }) => _tag === tag).length
    expect([count("Crash"), count("Pause"), count("Partition"), count("ClockJump")]).toEqual([6, 6, 4, 4])
    expect(plan.map(({ index }) => index)).toEqual(upTo(20))
    expect(plan.map(({ atMillis }) => atMillis)).toEqual(plan.map(({ atMillis }) => atMillis).toSorted((a, b) => a - b))
    expect(Faults.plan({ ...options, faults: Faults.none })).toEqual([])
  })

  it("rounds a rate by chance where a run is too short for a whole number of events", () => {
    const counts = upTo(1000).map((seed) => Faults.plan({ ...options, seed, durationMillis: 12_500 }).length)
    // 20 a minute: 1.25 crashes, 1.25 pauses, 0.83 partitions, 0.83 jumps.
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
    expect(mean).toBeGreaterThan(4.05)
    expect(mean).toBeLessThan(4.3)
  })

  it("starts its events in the first 60 % and has them over by 70 %, so that the rest shows recovery", () => {
    for (let seed = 0; seed < 200; seed++) {
      for (const event of Faults.plan({ ...options, seed })) {
        expect(event.atMillis).toBeLessThanOrEqual(36_000)
        if ("forMillis" in event) {
          expect(event.forMillis).toBeGreaterThan(0)
          expect(event.atMillis + event.forMillis).toBeLessThanOrEqual(42_000)
        }
      }
    }
  })

  it("cuts off some nodes, never none or all, in both directions or in one", () => {
    const partitions = upTo(200)
      .flatMap((seed) => Faults.plan({ ...options, seed, faults: Faults.partition }))
      .flatMap((event) => (event._tag === "Partition" ? [event] : []))
    expect(new Set(partitions.map(({ side }) => side.length))).toEqual(new Set([1, 2]))
    expect(new Set(partitions.map(({ direction }) => direction))).toEqual(new Set(["both", "from", "to"]))
    const oneWay = partitions.filter(({ direction }) => direction !== "both").length / partitions.length
    expect(oneWay).toBeGreaterThan(0.2)
    expect(oneWay).toBeLessThan(0.3)
  })

  it("draws each kind of fault from a stream of its own: another rate moves no other event", () => {
    const crashes = (faults: Faults.Faults) =>
      Faults.plan({ ...options, faults }).flatMap(({ index: _, ...event }) => (event._tag === "Crash" ? [event] : []))
    expect(crashes({ ...Faults.chaos, pausesPerMinute: 60 })).toEqual(crashes(Faults.chaos))
  })

  it("reads as sentences", () => {
    const at = { index: 0, atMillis: 1500 }
    expect(
      [
        { ...at, _tag: "Crash", node: "n1", forMillis: 2000 } as const,
        { ...at, _tag: "Pause", node: "n1", forMillis: 2000 } as const,
        { ...at, _tag: "Partition", side: ["n1", "n2"], direction: "from", forMillis: 2000 } as const,
        { ...at, _tag: "ClockJump", node: "n1", byMillis: -20 } as const
      ].map(Faults.describe)
    ).toEqual([
      "at 1.5 s n1 crashes for 2 s",
      "at 1.5 s n1 stands still for 2 s",
      "at 1.5 s {n1 n2} is not heard for 2 s",
      "at 1.5 s the clock of n1 jumps by -0.02 s"
    ])
  })
})

describe("the end of a run", () => {
  it.effect("closes scopes in full: layers are released, and nothing of it is in the result", () =>
    Effect.gen(function* () {
      const released: Array<string> = []
      const result = yield* Simulation.run({
        seed: 1,
        nodes: three,
        program: (node) =>
          Effect.gen(function* () {
            const transport = yield* Transport
            const send = yield* transport.open(Numbers, () => {})
            yield* Effect.addFinalizer((exit) =>
              Effect.gen(function* () {
                yield* Effect.yieldNow
                send("n1", 1)
                released.push(`${node} ${Exit.isSuccess(exit)}`)
              })
            )
          })
      })
      expect(released.toSorted()).toEqual(["n1 true", "n2 true", "n3 true"])
      expect(result.counts.sent).toBe(0)
      expect(result.violations).toEqual([])
    })
  )
})
