/**
 * Actors of an application, beside a bare mailbox (an array and a loop) and a fiber around an Effect queue.
 *
 *     node --expose-gc --conditions=@troupe/source packages/actor/bench/system.bench.ts [--json] [--rounds 5]
 *
 * Rates are of work that was done: where it is not what was intended, there is none. A bare mailbox has no supervision, no
 * bound and no turns: it is the floor.
 */
import { type ActorRef, ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Effect, Fiber, Queue, Schema } from "effect"
import { parseArgs } from "node:util"
import { asking, burst, type Counting, effectful, plain, telling } from "./counters.ts"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given)

const tells = 1_000_000
const trips = 500_000
const asks = 200_000
const actors = 200_000

/** Per second, of `count` that were done; the check is that they were. */
const rate = <E, R>(count: number, work: Effect.Effect<number, E, R>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    // The work before may have ended inside an actor's turn, in which no other has one.
    yield* Effect.yieldNow
    const start = performance.now()
    const done = yield* work
    const seconds = (performance.now() - start) / 1000
    if (done !== count) return yield* Effect.die(new Error(`${done} were done of ${count}: that is no rate`))
    return count / seconds
  })

// ------------------------------------------------------------------------------------------------------------- telling

const bare = Effect.sync(() => {
  let mailbox: Array<{ readonly _tag: "Add"; readonly amount: number }> = []
  let sum = 0
  for (let told = 0; told < tells; told += burst) {
    for (let i = 0; i < burst; i++) mailbox.push({ _tag: "Add", amount: 1 })
    const batch = mailbox
    mailbox = []
    for (const message of batch) if (message._tag === "Add") sum += message.amount
  }
  return sum
})

const queueAndFiber = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<{ readonly _tag: "Add"; readonly amount: number }>()
  let sum = 0
  const fiber = yield* Effect.forkChild(
    Effect.gen(function* () {
      while (sum < tells) sum += (yield* Queue.take(queue)).amount
    })
  )
  for (let told = 0; told < tells; told += burst) {
    for (let i = 0; i < burst; i++) Queue.offerUnsafe(queue, { _tag: "Add", amount: 1 })
    yield* Effect.yieldNow
  }
  yield* Fiber.join(fiber)
  return sum
})

// ----------------------------------------------------------------------------------------------------------- ping-pong

const Player = Messages.make("player", { Ball: Messages.tell({ left: Schema.Int }) })
type Playing = ActorRef<typeof Player.definition>

const pingPong = (kind: "plain" | "effect") =>
  Effect.gen(function* () {
    const players: Array<Playing> = []
    let hits = 0
    let done = (): void => {}
    const hit = (at: number, left: number): void => {
      hits++
      if (left === 0) done()
      else players[1 - at]!.tell({ _tag: "Ball", left: left - 1 })
    }
    const player = (at: number): Behavior.Behavior<typeof Player.definition> =>
      kind === "plain"
        ? Behavior.make(Player, {
            init: () => at,
            on: {
              Ball: (state, { left }) => {
                hit(at, left)
                return state
              }
            }
          })
        : Behavior.effect(Player, {
            init: () => Effect.succeed(at),
            on: { Ball: (state, { left }) => Effect.sync(() => (hit(at, left), state)) }
          })
    for (const at of [0, 1]) players.push(yield* ActorSystem.spawn(player(at)))
    return Effect.callback<number>((resume) => {
      hits = 0
      done = () => resume(Effect.succeed(Math.floor(hits / 2)))
      players[0]!.tell({ _tag: "Ball", left: 2 * trips - 1 })
    })
  })

const bareTrips = Effect.sync(() => {
  let mailboxes: [Array<number>, Array<number>] = [[2 * trips - 1], []]
  let hits = 0
  for (let at = 0; mailboxes[at]!.length > 0; at = 1 - at) {
    const batch = mailboxes[at]!
    mailboxes = at === 0 ? [[], mailboxes[1]] : [mailboxes[0], []]
    for (const left of batch) {
      hits++
      if (left > 0) mailboxes[1 - at]!.push(left - 1)
    }
  }
  return hits / 2
})

// ---------------------------------------------------------------------------------------------------- asking, spawning

const Parent = Messages.make("parent", { Spawn: Messages.ask({ count: Schema.Int }, { reply: Schema.Any }) })
const parent = Behavior.make(Parent, {
  init: () => 0,
  on: {
    Spawn: (state, { count }, self) => ({
      state,
      reply: Array.from({ length: count }, () => self.spawn(plain)) as ReadonlyArray<Counting>
    })
  }
})

const spawning = Effect.gen(function* () {
  const ref = yield* ActorSystem.spawn(parent)
  const system = yield* ActorSystem.ActorSystem
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  let spawned: ReadonlyArray<Counting> = []
  const perSecond = yield* rate(
    actors,
    Effect.map(ref.ask({ _tag: "Spawn", count: actors }), (refs: ReadonlyArray<Counting>) => (spawned = refs).length)
  )
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / spawned.length
  yield* system.stop(ref)
  return { perSecond, bytes }
})

// -------------------------------------------------------------------------------------------------------------- the run

const program = Effect.gen(function* () {
  const [counter, effects] = [yield* ActorSystem.spawn(plain), yield* ActorSystem.spawn(effectful)]
  const [game, slowGame] = [yield* pingPong("plain"), yield* pingPong("effect")]
  const works = [
    ["tell, plain handlers", tells, telling(counter, tells)],
    ["tell, Effect handlers", tells, telling(effects, tells)],
    ["tell, a bare mailbox", tells, bare],
    ["tell, a queue and a fiber", tells, queueAndFiber],
    ["ping-pong, plain handlers", trips, game],
    ["ping-pong, Effect handlers", trips, slowGame],
    ["ping-pong, bare mailboxes", trips, bareTrips],
    ["ask, plain handlers", asks, asking(counter, asks)],
    ["ask, Effect handlers", asks, asking(effects, asks)]
  ] as const
  const found = new Map<string, Array<number>>()
  const note = (what: string, value: number): void => void found.set(what, [...(found.get(what) ?? []), value])
  // Interleaved, so that what else the machine does befalls all of them.
  for (let round = -1; round < rounds; round++) {
    for (const [what, count, work] of works) {
      const perSecond = yield* rate(count, work)
      if (round >= 0) note(what, perSecond)
    }
    const { bytes, perSecond } = yield* spawning
    if (round < 0) continue
    note("spawn", perSecond)
    note("bytes of an idle actor", bytes)
  }
  return found
})

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const found = await Effect.runPromise(Effect.scoped(Effect.provide(program, ActorSystem.layer())))
const figures = Object.fromEntries(
  [...found].map(([what, values]) => {
    const value = median(values)
    return [what, what.startsWith("bytes") ? Math.round(value) : Number((value / 1e6).toPrecision(3))]
  })
)
const report = { benchmark: "actors of an application", unit: "million/s, medians", rounds, ...figures }
console.log(json ? JSON.stringify(report) : report)
