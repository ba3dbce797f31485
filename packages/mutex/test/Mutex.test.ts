import { Actor, Membership, type Protocol } from "@troupe/actor"
import { type Delay, Mutex, Reentrant, RicartAgrawala } from "@troupe/mutex"
import { type Faults, Simulation } from "@troupe/simulation"
import { Memory, type Transport } from "@troupe/transport"
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import { Cause, Context, Duration, Effect, Exit, Fiber, Layer, Logger, Option, Queue, type Scope, Stream } from "effect"
import { guarantees, type Lock, lock, nodesOf, using } from "./system.ts"

/** What the lock guards: notes who is in, and with which token. */
const ledger = () => {
  const tokens: Array<number> = []
  const inside = new Set<string>()
  const visit = (token: number, millis = 5, who = "") =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        expect([...inside]).toEqual([])
        inside.add(who)
        tokens.push(token)
      }),
      () => Effect.sleep(Duration.millis(millis)),
      () => Effect.sync(() => inside.delete(who))
    )
  const increasing = () => tokens.every((token, i) => i === 0 || token > tokens[i - 1]!)
  return { tokens, visit, increasing, crashed: (who: string) => Effect.sync(() => inside.delete(who)) }
}

interface Run<A> {
  readonly seed: number
  readonly nodes: number
  readonly program: (node: string) => Effect.Effect<unknown, unknown, Transport | Scope.Scope>
  readonly test?: (simulator: Simulation.Simulator) => Effect.Effect<A, unknown>
  readonly faults?: Partial<Faults.Faults>
}

const simulate = <A = void>({ nodes, ...options }: Run<A>) =>
  Effect.map(
    Simulation.run({ ...options, nodes: nodesOf(nodes), properties: guarantees, yieldProbability: 0.2 }),
    (result) => {
      expect(result.violations).toEqual([])
      return result
    }
  )

const seeds = Array.from({ length: 50 }, (_, i) => i + 1)
const each = <A, E>(run: (seed: number) => Effect.Effect<A, E>) => Effect.forEach(seeds, run, { discard: true })

describe("withLock, over fifty seeds", () => {
  it.live.each([1, 2, 3, 5])("hands a token to the body, higher than all before it on any node: %d nodes", (nodes) =>
    each((seed) =>
      Effect.gen(function* () {
        const { increasing, tokens, visit } = ledger()
        const use = (mutex: Lock) => Effect.forEach([1, 2, 3], () => mutex.withLock(visit), { discard: true })
        yield* simulate({ seed, nodes, program: using(use) })
        expect(tokens).toHaveLength(3 * nodes)
        expect(increasing()).toBe(true)
      })
    )
  )

  it.live("fibers of one node queue for it, and return what their bodies return", () =>
    each((seed) =>
      Effect.gen(function* () {
        const { tokens, visit } = ledger()
        const use = (mutex: Lock) =>
          Effect.forEach([1, 2, 3, 4], (n) => mutex.withLock((token) => Effect.as(visit(token), n)), {
            concurrency: "unbounded"
          }).pipe(Effect.map((all) => expect(all).toEqual([1, 2, 3, 4])))
        yield* simulate({ seed, nodes: 3, program: using(use) })
        expect(tokens).toHaveLength(12)
      })
    )
  )

  it.live.each([1, 2, 3])(
    "is released when the body fails, dies or is interrupted, and the wait withdrawn: %d nodes",
    (nodes) =>
      each((seed) =>
        Effect.gen(function* () {
          const { visit } = ledger()
          let served = 0
          const use = (mutex: Lock) =>
            Effect.gen(function* () {
              const failed = yield* Effect.exit(
                mutex.withLock((token) => Effect.andThen(visit(token), Effect.fail("no")))
              )
              expect(failed).toEqual(Exit.fail("no"))
              expect(Exit.isFailure(yield* Effect.exit(mutex.withLock(() => Effect.die("never"))))).toBe(true)
              for (const millis of [0, 1, 7, 12, 30]) {
                const fiber = yield* Effect.forkChild(mutex.withLock((token) => visit(token, 10)))
                yield* Effect.sleep(Duration.millis(millis))
                yield* Fiber.interrupt(fiber)
                yield* Effect.timeoutOption(mutex.withLock(visit), "9 millis")
              }
              yield* mutex.withLock(visit)
              served++
            })
          yield* simulate({ seed, nodes, program: using(use) })
          expect(served).toBe(nodes)
        })
      )
  )

  it.live("is not lost when an interruption comes just as it is granted", () =>
    each((seed) =>
      Effect.gen(function* () {
        const { tokens, visit } = ledger()
        const use = (mutex: Lock) =>
          Effect.gen(function* () {
            for (let turns = 0; turns < 20; turns++) {
              const fiber = yield* Effect.forkChild(mutex.withLock(() => Effect.void))
              for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
              yield* Fiber.interrupt(fiber)
            }
            yield* mutex.withLock(visit)
          })
        yield* simulate({ seed, nodes: 1, program: using(use) })
        expect(tokens).toHaveLength(1)
      })
    )
  )

  it.live("two locks of different names exclude nobody from each other", () =>
    Effect.gen(function* () {
      let both = 0
      const inside = new Set<string>()
      const hold = (name: "orders" | "stock") =>
        Effect.gen(function* () {
          const locks = { orders: yield* lock("orders"), stock: yield* lock("stock") }
          yield* locks[name].withLock(() =>
            Effect.acquireUseRelease(
              Effect.sync(() => (inside.add(name), (both = Math.max(both, inside.size)))),
              () => Effect.sleep("1 second"),
              () => Effect.sync(() => inside.delete(name))
            )
          )
        })
      yield* Simulation.run({ seed: 1, nodes: nodesOf(2), program: (node) => hold(node === "n1" ? "orders" : "stock") })
      expect(both).toBe(2)
    })
  )
})

describe("tryLock, over fifty seeds", () => {
  it.live("enters where it can in time, withdraws where it cannot, and loses no grant at the very moment", () =>
    each((seed) =>
      Effect.gen(function* () {
        const { increasing, visit } = ledger()
        const outcomes: Array<boolean> = []
        const use = (mutex: Lock) =>
          Effect.gen(function* () {
            for (const millis of [0, 1, 5, 9, 10, 11, 20, 40, 1_000]) {
              const entered = yield* mutex.tryLock(`${millis} millis`, (token) => visit(token, 10))
              outcomes.push(Option.isSome(entered))
            }
            expect(yield* mutex.tryLock("1 minute", (token) => Effect.as(visit(token), "done"))).toEqual(
              Option.some("done")
            )
          })
        yield* simulate({ seed, nodes: 3, program: using(use) })
        expect(outcomes).toContain(true)
        expect(outcomes).toContain(false)
        expect(increasing()).toBe(true)
      })
    )
  )

  it.live("counts the wait behind other fibers of its node", () =>
    Effect.gen(function* () {
      const use = (mutex: Lock) =>
        Effect.gen(function* () {
          yield* Effect.forkScoped(mutex.withLock(() => Effect.sleep("1 second")))
          yield* Effect.sleep("1 millis")
          expect(yield* mutex.tryLock("500 millis", () => Effect.void)).toEqual(Option.none())
          expect(yield* mutex.status).toEqual({ holder: Option.some("n1"), waiting: 0, waitsFor: [] })
          expect(yield* mutex.tryLock("600 millis", () => Effect.succeed(1))).toEqual(Option.some(1))
        })
      yield* simulate({ seed: 1, nodes: 1, program: using(use) })
    })
  )

  it.live("hands on how the body ends", () =>
    Effect.gen(function* () {
      const use = (mutex: Lock) =>
        Effect.gen(function* () {
          expect(yield* Effect.flip(mutex.tryLock("1 second", () => Effect.fail("no")))).toBe("no")
          expect(yield* mutex.withLock(() => Effect.succeed("yes"))).toBe("yes")
        })
      yield* simulate({ seed: 1, nodes: 2, program: using(use) })
    })
  )
})

describe("a lock asked for inside its own body", () => {
  const dies = (exit: Exit.Exit<unknown, unknown>) =>
    expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(Reentrant)

  it.live(
    "dies of Reentrant, in a fiber of the body too; afterwards, and under another lock, it may be asked for",
    () =>
      Effect.gen(function* () {
        const program = Effect.gen(function* () {
          const [orders, stock] = [yield* lock("orders"), yield* lock("stock")]
          const again = orders.withLock(() => Effect.void)
          const later = yield* orders.withLock(() =>
            Effect.gen(function* () {
              dies(yield* Effect.exit(again))
              dies(yield* Effect.exit(orders.tryLock("1 second", () => Effect.void)))
              dies(yield* Fiber.await(yield* Effect.forkChild(again)))
              dies(yield* Effect.exit(stock.withLock(() => again)))
              yield* stock.withLock(() => Effect.void)
              return yield* Effect.forkScoped(Effect.andThen(Effect.sleep("1 second"), again))
            })
          )
          yield* again
          yield* Fiber.join(later)
        })
        const result = yield* Simulation.run({ seed: 1, nodes: nodesOf(2), program: () => program })
        expect(result.violations).toEqual([])
      })
  )
})

describe("how the lock stands", () => {
  it.live("is told: who is inside as far as is known, how many wait, and on whom", () =>
    Effect.gen(function* () {
      const use = (mutex: Lock, node: string) =>
        Effect.gen(function* () {
          if (node === "n1") {
            yield* mutex.withLock(() => Effect.sleep("1 second"))
            return
          }
          yield* Effect.sleep("500 millis")
          for (const _ of [1, 2]) yield* Effect.forkScoped(mutex.withLock(() => Effect.void))
          yield* Effect.sleep("100 millis")
          expect(yield* mutex.status).toEqual({ holder: Option.none(), waiting: 2, waitsFor: ["n1"] })
          yield* Effect.sleep("1 second")
          expect(yield* mutex.status).toEqual({ holder: Option.none(), waiting: 0, waitsFor: [] })
        })
      yield* simulate({ seed: 1, nodes: 2, program: using(use) })
    })
  )

  it.live("a request that starves says on whom it waits, every five seconds", () =>
    Effect.gen(function* () {
      const delays: Array<Delay> = []
      const use = (mutex: Lock, node: string) =>
        Effect.gen(function* () {
          if (node !== "n1") return yield* Effect.void
          yield* Effect.forkScoped(Stream.runForEach(mutex.delays, (delay) => Effect.sync(() => delays.push(delay))))
          yield* Effect.sleep("1 second")
          yield* mutex.withLock(() => Effect.void)
        })
      yield* Simulation.run({
        seed: 1,
        nodes: nodesOf(3),
        program: using(use),
        test: (simulator) => Effect.andThen(simulator.crash("n3"), Effect.sleep("17 seconds"))
      }).pipe(Effect.provide(Logger.layer([])))
      expect(delays).toEqual([5_000, 10_000, 15_000].map((millis) => ({ millis, waitsFor: ["n3"] })))
    })
  )
})

describe("in memory", () => {
  it.live("three nodes take turns, each message through its codec", () =>
    Effect.gen(function* () {
      const { increasing, tokens, visit } = ledger()
      const network = Memory.network({ nodes: nodesOf(3), encode: "always" })
      const locks = yield* Effect.forEach(network.nodes, (node) =>
        Layer.build(RicartAgrawala.layer({ resource: "orders" }).pipe(Layer.provide(Memory.layer(network, node))))
      )
      yield* Effect.forEach(
        locks,
        (context) =>
          Effect.forEach(nodesOf(20), () => Context.get(context, Mutex).withLock((token) => visit(token, 0))),
        { concurrency: "unbounded" }
      )
      expect(tokens).toHaveLength(60)
      expect(increasing()).toBe(true)
    })
  )

  it.live("whoever waits when the lock's layer closes is interrupted", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: nodesOf(2) })
      const waiting = yield* Effect.scoped(
        Effect.gen(function* () {
          const layer = RicartAgrawala.layer({ resource: "orders" }).pipe(Layer.provide(Memory.layer(network, "n1")))
          const context = yield* Layer.build(layer)
          const fiber = yield* Effect.forkDetach(Context.get(context, Mutex).withLock(() => Effect.void))
          yield* Effect.yieldNow
          return fiber
        })
      )
      const exit = yield* Fiber.await(waiting)
      expect(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
    })
  )
})

describe("a handler that throws", () => {
  const { onMessage } = RicartAgrawala.protocol
  /** Lets n1 throw at each message for which `faulty` says so. */
  const plant = (faulty: () => boolean) =>
    vi.spyOn(RicartAgrawala.protocol, "onMessage").mockImplementation((state, from, message, act) => {
      if (act.self.id === "n1" && faulty()) throw new Error("a planted failure")
      return onMessage(state, from, message, act)
    })
  afterEach(() => vi.restoreAllMocks())
  const run = (program: Run<void>["program"]) =>
    Effect.provide(Simulation.run({ seed: 1, nodes: nodesOf(2), program }), Logger.layer([]))

  it.live("interrupts the body: it may not be alone any more", () =>
    Effect.gen(function* () {
      let faulty = false
      plant(() => faulty)
      let exit: Exit.Exit<unknown, unknown> | undefined
      const program = (node: string) =>
        Effect.gen(function* () {
          const mutex = yield* lock()
          if (node === "n1") {
            const fiber = yield* Effect.forkChild(mutex.withLock(() => Effect.never))
            exit = yield* Fiber.await(fiber)
            faulty = false
            yield* mutex.withLock(() => Effect.void)
          } else {
            yield* Effect.sleep("1 second")
            faulty = true
            yield* mutex.withLock(() => Effect.void).pipe(Effect.timeoutOption("1 second"))
          }
        })
      const result = yield* run(program)
      expect(result.violations).toEqual([])
      expect(exit !== undefined && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)).toBe(true)
    })
  )

  it.live("a request that waits is made again", () =>
    Effect.gen(function* () {
      let failures = 1
      plant(() => failures-- > 0)
      let entered = false
      const program = (node: string) =>
        Effect.gen(function* () {
          const mutex = yield* lock()
          if (node === "n1") yield* mutex.withLock(() => Effect.sync(() => void (entered = true)))
        })
      yield* run(program)
      expect(entered).toBe(true)
    })
  )

  it.live("for good: whoever waits, or comes later, is told why", () =>
    Effect.gen(function* () {
      plant(() => true)
      const exits: Array<Exit.Exit<void>> = []
      const program = (node: string) =>
        Effect.gen(function* () {
          const mutex = yield* lock()
          if (node !== "n1") return
          exits.push(yield* Effect.exit(mutex.withLock(() => Effect.void)))
          exits.push(yield* Effect.exit(mutex.withLock(() => Effect.void)))
        })
      yield* run(program)
      expect(exits).toHaveLength(2)
      for (const exit of exits)
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(Actor.ActorFailed)
    })
  )
})

describe("with a Membership", () => {
  /** Views that a test publishes; a node hears the latest one and each that follows. */
  const group = () => {
    let latest: Protocol.View | undefined
    const listeners = new Set<(view: Protocol.View) => void>()
    const views = Stream.callback<Protocol.View>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const listener = (view: Protocol.View) => void Queue.offerUnsafe(queue, view)
          if (latest !== undefined) listener(latest)
          listeners.add(listener)
          return listener
        }),
        (listener) => Effect.sync(() => listeners.delete(listener))
      )
    )
    const publish = (number: number, members: ReadonlyArray<string>) =>
      Effect.sync(() => {
        latest = { number, members }
        for (const listener of listeners) listener(latest)
      })
    return { publish, layer: Layer.succeed(Membership, { views }) }
  }

  it.live("a crash starves nobody once a view leaves the node out, and it comes back with higher tokens", () =>
    each((seed) =>
      Effect.gen(function* () {
        const { layer, publish } = group()
        const { crashed, increasing, tokens, visit } = ledger()
        const byNode: Record<string, number> = {}
        const visits = (mutex: Lock, node: string) =>
          mutex.withLock((token) =>
            Effect.tap(visit(token, 5, node), () => Effect.sync(() => void (byNode[node] = (byNode[node] ?? 0) + 1)))
          )
        yield* simulate({
          seed,
          nodes: 3,
          program: (node) =>
            using((mutex) =>
              Effect.forEach(nodesOf(30), () => Effect.andThen(visits(mutex, node), Effect.sleep("20 millis")))
            )(node).pipe(Effect.provide(layer)),
          test: (simulator) =>
            Effect.gen(function* () {
              yield* publish(1, nodesOf(3))
              yield* Effect.sleep("200 millis")
              yield* simulator.crash("n3")
              yield* crashed("n3")
              yield* Effect.sleep("500 millis")
              yield* publish(2, nodesOf(2))
              yield* Effect.sleep("1 second")
              const before = byNode["n3"] ?? 0
              // It hears of no view until one lists it.
              yield* publish(3, nodesOf(3))
              yield* simulator.restart("n3")
              yield* Effect.sleep("30 seconds")
              expect(byNode["n3"]).toBe(before + 30)
            })
        })
        expect(byNode).toMatchObject({ n1: 30, n2: 30 })
        expect(increasing()).toBe(true)
        expect(tokens.length).toBeGreaterThan(90)
      })
    )
  )
})
