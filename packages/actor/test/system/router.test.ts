/** Routers. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Router } from "@troupe/actor"
import { Effect, Fiber, Schema } from "effect"
import { settled, within } from "./accounts.ts"

const Worker = Messages.make("worker", {
  Note: Messages.tell({ text: Schema.String }),
  Who: Messages.ask({ key: Schema.String }, { reply: Schema.Int }),
  Notes: Messages.ask({}, { reply: Schema.Array(Schema.String) }),
  Wait: Messages.ask({}, { reply: Schema.Int }),
  Count: Messages.ask({}, { reply: Schema.Int }),
  Go: Messages.tell({})
})
type Working = ActorRef<typeof Worker.definition>

const worker = (number: number) =>
  Behavior.make(Worker, {
    init: () => ({ notes: [] as ReadonlyArray<string>, count: 0, go: () => {} }),
    on: {
      Note: (state, { text }) => ({ ...state, notes: [...state.notes, text] }),
      Who: (state) => ({ state, reply: number }),
      Notes: (state) => ({ state, reply: state.notes }),
      Count: (state) => ({ state: { ...state, count: state.count + 1 }, reply: state.count + 1 }),
      Wait: (state, _, self) => {
        const answer = self.defer()
        return { state: { ...state, go: () => answer.reply(number) }, later: answer }
      },
      Go: (state) => {
        state.go()
        return state
      }
    }
  })

const workers = Effect.forEach([0, 1, 2], (number) => ActorSystem.spawn(worker(number), { name: `w${number}` }))

const who = (router: Working, keys: ReadonlyArray<string>) =>
  Effect.forEach(keys, (key) => router.ask({ _tag: "Who", key }))

const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`)

describe("a router", () => {
  it.effect("round-robin: to each in turn", () =>
    within(
      Effect.gen(function* () {
        const router = yield* ActorSystem.spawn(Router.make(Worker, yield* workers, Router.roundRobin))
        expect(yield* who(router, keys.slice(0, 6))).toEqual([0, 1, 2, 0, 1, 2])
      })
    )
  )

  it.effect("random: to any", () =>
    within(
      Effect.gen(function* () {
        const router = yield* ActorSystem.spawn(Router.make(Worker, yield* workers, Router.random))
        expect(new Set(yield* who(router, keys))).toEqual(new Set([0, 1, 2]))
      })
    )
  )

  it.effect("smallest mailbox: to the one with the least before it", () =>
    within(
      Effect.gen(function* () {
        const all = yield* workers
        const router = yield* ActorSystem.spawn(Router.make(Worker, all, Router.smallestMailbox))
        const asking = yield* Effect.forkChild(router.ask({ _tag: "Who", key: "" }), { startImmediately: true })
        expect(yield* Fiber.join(asking)).toBe(0)
        // The router is told first, and has its turn before them.
        router.tell({ _tag: "Note", text: "x" })
        for (const each of [0, 1]) for (let i = 0; i < 5; i++) all[each]!.tell({ _tag: "Note", text: "busy" })
        yield* settled
        expect(yield* all[2]!.ask({ _tag: "Notes" })).toEqual(["x"])
      })
    )
  )

  it.effect("consistent hash: one key to one actor, and when one is gone, only its keys move", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const all = yield* workers
        const byKey = Router.consistentHash<typeof Worker.definition>((message) =>
          "key" in message ? message.key : ""
        )
        const router = yield* ActorSystem.spawn(Router.make(Worker, all, byKey))
        const before = yield* who(router, keys)
        expect(yield* who(router, keys)).toEqual(before)
        expect(new Set(before).size).toBe(3)
        yield* system.stop(all[1]!)
        yield* settled
        const after = yield* who(router, keys)
        expect(after).not.toContain(1)
        expect(after.filter((_, i) => before[i] !== 1)).toEqual(before.filter((number) => number !== 1))
      })
    )
  )

  it.effect("all: to each of them, and of answers the first counts", () =>
    within(
      Effect.gen(function* () {
        const all = yield* workers
        const router = yield* ActorSystem.spawn(Router.make(Worker, all, Router.all))
        router.tell({ _tag: "Note", text: "hear" })
        const asking = yield* Effect.forkChild(router.ask({ _tag: "Wait" }), { startImmediately: true })
        yield* settled
        for (const each of all) expect(yield* each.ask({ _tag: "Notes" })).toEqual(["hear"])
        all[2]!.tell({ _tag: "Go" })
        all[0]!.tell({ _tag: "Go" })
        expect(yield* Fiber.join(asking)).toBe(2)
      })
    )
  )

  it.effect("all: a question reaches each of them, also when one has answered", () =>
    within(
      Effect.gen(function* () {
        const all = yield* workers
        const router = yield* ActorSystem.spawn(Router.make(Worker, all, Router.all))
        expect(yield* router.ask({ _tag: "Count" })).toBe(1)
        yield* settled
        expect(yield* Effect.all(all.map((each) => each.ask({ _tag: "Count" })))).toEqual([2, 2, 2])
      })
    )
  )

  it.effect(
    "all: who is full or fails keeps no answer of others from who asks; where nobody has one, that is told",
    () =>
      within(
        Effect.gen(function* () {
          const system = yield* ActorSystem.ActorSystem
          const on = { Wait: () => 0 } as never
          const none: Behavior.Behavior<typeof Worker.definition> = Behavior.make(Worker, { init: () => 0, on })
          const full = yield* ActorSystem.spawn<typeof Worker.definition>({ ...none, capacity: 0 })
          const [failing, answering] = [yield* ActorSystem.spawn(none), yield* ActorSystem.spawn(worker(7))]
          const router = yield* ActorSystem.spawn(Router.make(Worker, [full, failing, answering], Router.all))
          const asking = yield* Effect.forkChild(router.ask({ _tag: "Wait" }), { startImmediately: true })
          yield* settled
          answering.tell({ _tag: "Go" })
          expect(yield* Fiber.join(asking)).toBe(7)
          yield* system.stop(answering)
          yield* settled
          expect(yield* Effect.flip(router.ask({ _tag: "Wait" }))).toMatchObject({ _tag: "HandlerFailed" })
        })
      )
  )

  it.effect("what a handler hands on to nobody is a dead letter, and who asks is told", () =>
    within(
      Effect.gen(function* () {
        const Slip = Messages.make("slip", { Pass: Messages.tell({}), Ask: Messages.ask({}, { reply: Schema.Int }) })
        const passing = Behavior.make(Slip, {
          init: () => 0,
          on: {
            Pass: (count, _, self) => (self.forward(), count),
            Ask: (count, _, self) => ({ state: count, later: self.forward() })
          }
        })
        const ref = yield* ActorSystem.spawn(passing)
        ref.tell({ _tag: "Pass" })
        expect(yield* Effect.flip(ref.ask({ _tag: "Ask" }))).toMatchObject({ _tag: "ActorStopped", actor: ref.path })
        expect((yield* ActorSystem.ActorSystem).counters()).toMatchObject({ deadLetters: 2, failures: 0 })
      })
    )
  )

  it.effect("leaves out who is no more, and stops when nobody is left", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const all = yield* workers
        const router = yield* ActorSystem.spawn(Router.make(Worker, all, Router.roundRobin))
        yield* system.stop(all[0]!)
        yield* settled
        expect(new Set(yield* who(router, keys.slice(0, 4)))).toEqual(new Set([1, 2]))
        for (const each of [1, 2]) yield* system.stop(all[each]!)
        yield* settled
        expect(yield* Effect.flip(router.ask({ _tag: "Wait" }))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )
})
