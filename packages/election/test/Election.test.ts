import { Bully, Election, InvalidOptions, type Leader } from "@troupe/election"
import { Simulation } from "@troupe/simulation"
import { Memory } from "@troupe/transport"
import { describe, expect, it, vi } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Layer, Logger, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { election, guarantees, nodesOf } from "./system.ts"

/** What each node has heard about its leader, life after life. */
const watched = Effect.fnUntraced(function* <A>(test: (simulator: Simulation.Simulator) => Effect.Effect<A>) {
  const heard: Record<string, Array<Leader | undefined>> = {}
  const result = yield* Simulation.run({
    seed: 5,
    nodes: nodesOf(3),
    duration: "1 hour",
    properties: guarantees,
    program: (node) =>
      Effect.gen(function* () {
        const { changes, leader, self } = yield* election()
        expect(self).toBe(node)
        const list = (heard[node] ??= [])
        yield* Stream.runForEach(changes, (change) =>
          Effect.gen(function* () {
            list.push(Option.getOrUndefined(change))
            expect(yield* leader).toEqual(change)
          })
        )
      }),
    test
  })
  expect(result.violations).toEqual([])
  return heard
})

describe("changes", () => {
  it.live("begin with the leader of now, and tell of each one that follows, in growing epochs", () =>
    Effect.gen(function* () {
      const heard = yield* watched((simulator) =>
        Effect.gen(function* () {
          yield* Effect.sleep("5 seconds")
          yield* simulator.crash("P3")
          yield* Effect.sleep("5 seconds")
          yield* simulator.restart("P3")
          yield* Effect.sleep("5 seconds")
        })
      )
      const leaders = heard["P1"]!.flatMap((leader) => leader ?? [])
      expect(heard["P1"]![0]).toBeUndefined()
      expect([...new Set(leaders.map(({ id }) => id))]).toEqual(["P3", "P2"])
      expect(leaders.at(-1)!.id).toBe("P3")
      leaders.forEach(({ epoch }, i) => expect(epoch).toBeGreaterThan(leaders[i - 1]?.epoch ?? 0))
      expect(heard["P2"]!.at(-1)).toEqual(heard["P3"]!.at(-1))
    })
  )
})

describe("whileLeader", () => {
  /** Who runs a body under which epoch, and how it ended. */
  const sweeping = Effect.fnUntraced(function* <A>(
    test: (simulator: Simulation.Simulator, services: Record<string, Election["Service"]>) => Effect.Effect<A>,
    seed = 1
  ) {
    const log: Array<string> = []
    const services: Record<string, Election["Service"]> = {}
    const result = yield* Simulation.run({
      seed,
      nodes: nodesOf(3),
      duration: "1 hour",
      properties: guarantees,
      program: (node) =>
        Effect.gen(function* () {
          const service = (services[node] = yield* election())
          yield* service.whileLeader((epoch) =>
            Effect.onInterrupt(
              Effect.andThen(
                Effect.sync(() => log.push(`${node} begins in ${epoch}`)),
                Effect.never
              ),
              () => Effect.sync(() => log.push(`${node} is interrupted in ${epoch}`))
            )
          )
        }),
      test: (simulator) => test(simulator, services)
    })
    expect(result.violations).toEqual([])
    return log
  })

  it.live("runs its body where the leader is, interrupts it on loss, and begins anew when the node leads again", () =>
    Effect.forEach(nodesOf(30), (_, seed) =>
      Effect.gen(function* () {
        const log = yield* sweeping(
          (simulator) =>
            Effect.gen(function* () {
              yield* Effect.sleep("5 seconds")
              yield* simulator.crash("P3")
              yield* Effect.sleep("5 seconds")
              yield* simulator.restart("P3")
              yield* Effect.sleep("5 seconds")
            }),
          seed
        )
        const began = log.filter((line) => line.includes("begins"))
        const [first, second, third] = began.map((line) => Number(line.split(" ").at(-1)))
        expect(log).toEqual([
          `P3 begins in ${first}`,
          `P2 begins in ${second}`,
          `P2 is interrupted in ${second}`,
          `P3 begins in ${third}`,
          // At the end of the run, programs are interrupted.
          `P3 is interrupted in ${third}`
        ])
        expect(first! < second! && second! < third!).toBe(true)
      })
    )
  )

  it.live("resign ends it, and another leads at once; campaign brings it back", () =>
    Effect.gen(function* () {
      const log = yield* sweeping((simulator, services) =>
        Effect.gen(function* () {
          yield* Effect.sleep("5 seconds")
          yield* services["P3"]!.resign
          yield* Effect.sleep("1 second")
          expect(Option.map(yield* services["P1"]!.leader, ({ id }) => id)).toEqual(Option.some("P2"))
          expect(Option.map(yield* services["P3"]!.leader, ({ id }) => id)).toEqual(Option.some("P2"))
          yield* simulator.crash("P2")
          yield* Effect.sleep("5 seconds")
          expect(Option.map(yield* services["P3"]!.leader, ({ id }) => id)).toEqual(Option.some("P1"))
          yield* services["P3"]!.campaign
          yield* Effect.sleep("5 seconds")
        })
      )
      expect(log.map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
        "P3 begins in",
        "P3 is interrupted",
        "P2 begins in",
        "P1 begins in",
        "P1 is interrupted",
        "P3 begins in",
        "P3 is interrupted"
      ])
    })
  )

  it.effect("ends as its body does, and is interrupted when the layer closes", () =>
    Effect.gen(function* () {
      const build = Layer.build(
        Bully.layer().pipe(Layer.provide(Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")))
      )
      const waiting = yield* Effect.scoped(
        Effect.gen(function* () {
          const service = Context.get(yield* build, Election)
          yield* TestClock.adjust("1 second")
          expect(yield* service.whileLeader((epoch) => Effect.succeed(epoch))).toBe(1)
          expect(yield* Effect.flip(service.whileLeader(() => Effect.fail("no")))).toBe("no")
          const fiber = yield* Effect.forkDetach(service.whileLeader(() => Effect.never))
          yield* Effect.yieldNow
          return fiber
        })
      )
      const exit = yield* Fiber.await(waiting)
      expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
    })
  )

  it.live("a node that starts anew after a failure does not go on as leader", () =>
    Effect.gen(function* () {
      let faulty = false
      const { onTimeout } = Bully.protocol
      vi.spyOn(Bully.protocol, "onTimeout").mockImplementation((state, timer, act) => {
        if (!faulty || timer !== "heartbeat" || act.self.id !== "P3") return onTimeout!(state, timer, act)
        faulty = false
        throw new Error("a planted failure")
      })
      const log = yield* sweeping(() =>
        Effect.gen(function* () {
          yield* Effect.sleep("5 seconds")
          faulty = true
          yield* Effect.sleep("5 seconds")
        })
      ).pipe(Effect.provide(Logger.layer([])))
      const [first, second] = log
        .filter((line) => line.includes("begins"))
        .map((line) => Number(line.split(" ").at(-1)))
      expect(log.slice(0, 3)).toEqual([
        `P3 begins in ${first}`,
        `P3 is interrupted in ${first}`,
        `P3 begins in ${second}`
      ])
      expect(second).toBeGreaterThan(first!)
      vi.restoreAllMocks()
    })
  )
})

describe("in memory", () => {
  it.effect("three nodes agree on the highest", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: nodesOf(3), encode: "always" })
      const elections = yield* Effect.forEach(network.nodes, (node) =>
        Layer.build(Bully.layer().pipe(Layer.provide(Memory.layer(network, node))))
      )
      yield* TestClock.adjust("5 seconds")
      const leaders = yield* Effect.forEach(elections, (context) => Context.get(context, Election).leader)
      expect(leaders.map(Option.map(({ id }) => id))).toEqual(nodesOf(3).map(() => Option.some("P3")))
    })
  )

  it.effect("a node that is alone leads after a round trip", () =>
    Effect.gen(function* () {
      const transport = Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")
      const { leader } = yield* Effect.map(
        Layer.build(Bully.layer({ roundTrip: "1 second" }).pipe(Layer.provide(transport))),
        Context.get(Election)
      )
      yield* TestClock.adjust("999 millis")
      expect(yield* leader).toEqual(Option.none())
      yield* TestClock.adjust("1 millis")
      expect(yield* leader).toEqual(Option.some({ id: "P1", epoch: 1 }))
    })
  )
})

describe("options", () => {
  it.effect.each([0, -1, Number.NaN, "soon", "Infinity", "25 days"])("a round trip of %s is refused", (roundTrip) =>
    Effect.gen(function* () {
      const transport = Memory.layer(Memory.network({ nodes: ["P1"] }), "P1")
      const layer = Bully.layer({ roundTrip: roundTrip as "1 second" }).pipe(Layer.provide(transport))
      const error = yield* Effect.flip(Layer.build(layer))
      expect(error).toBeInstanceOf(InvalidOptions)
      expect(error.message).toContain("roundTrip")
    })
  )
})
