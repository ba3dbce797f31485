/** What moves with an actor. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages, Migration, Supervision } from "@troupe/actor"
import { Context, Effect, Fiber, Layer, Schema } from "effect"
import { keeper, Keeper, keeping, Kept, note, world } from "./support.ts"

const { fetch, move, spawn } = Migration

describe("strong", () => {
  it.live("takes state, what it put aside, timers with the time they have left, and what waits for it", () =>
    Effect.gen(function* () {
      const found = yield* world(({ on }) =>
        Effect.gen(function* () {
          const ref = yield* on("n1", spawn(keeper))
          ref.tell({ _tag: "Add", amount: 5 })
          ref.tell({ _tag: "Every", millis: 1_000 })
          ref.tell({ _tag: "After", millis: 700, note: "once" })
          const waiting = yield* Effect.forkChild(ref.ask({ _tag: "WhenOpen" }))
          yield* Effect.sleep("400 millis")
          const moving = yield* Effect.forkChild(on("n1", move(ref, { to: "n2", kind: "strong" })))
          note(ref, "a", 1)
          note(ref, "a", 2)
          const asking = yield* Effect.forkChild(ref.ask({ _tag: "Sum" }))
          const moved = yield* Fiber.join(moving)
          expect(moved.path).toMatch(/^n2:/)
          expect(yield* Fiber.join(asking)).toBe(5)
          expect(yield* moved.ask({ _tag: "Notes" })).toEqual(["a1", "a2"])
          yield* Effect.sleep("400 millis")
          expect((yield* moved.ask({ _tag: "Notes" })).length).toBe(3)
          expect(yield* ref.ask({ _tag: "Sum" })).toBe(5)
          yield* Effect.sleep("300 millis")
          expect(yield* ref.ask({ _tag: "Sum" })).toBe(6)
          yield* Effect.sleep("2 seconds")
          expect(yield* ref.ask({ _tag: "Sum" })).toBe(8)
          ref.tell({ _tag: "Open" })
          return yield* Fiber.join(waiting)
        })
      )
      expect(found).toBe(8)
    })
  )

  it.live("the receive timeout has the rest of its time, and starts anew with a message there", () =>
    world(({ on }) =>
      Effect.gen(function* () {
        const ref = yield* on("n1", spawn(keeper))
        ref.tell({ _tag: "Quiet", millis: 1_000 })
        yield* Effect.sleep("800 millis")
        const moved = yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
        yield* Effect.sleep("150 millis")
        note(moved, "a", 1)
        yield* Effect.sleep("900 millis")
        expect(yield* moved.ask({ _tag: "Notes" })).toEqual(["a1"])
        yield* Effect.sleep("1100 millis")
        expect(yield* moved.ask({ _tag: "Notes" })).toEqual(["a1", "quiet0"])
      })
    )
  )

  it.live("one that is larger than what goes out at once goes in pieces", () =>
    world(({ on }) =>
      Effect.gen(function* () {
        const ref = yield* on("n1", spawn(keeper))
        const long = "x".repeat(500_000)
        note(ref, long, 1)
        yield* ref.ask({ _tag: "Sum" })
        note(ref, long, 2)
        yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
        expect(yield* ref.ask({ _tag: "Notes" })).toEqual([`${long}1`, `${long}2`])
      })
    )
  )

  it.live("one that fails there starts again as at home, by its own supervision", () =>
    world(({ on }) =>
      Effect.gen(function* () {
        const ref = yield* on("n1", spawn(keeper))
        ref.tell({ _tag: "Add", amount: 5 })
        yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
        ref.tell({ _tag: "Break" })
        ref.tell({ _tag: "Add", amount: 1 })
        expect(yield* ref.ask({ _tag: "Sum" })).toBe(1)
      })
    )
  )
})

describe("weak", () => {
  it.live("takes the state, and starts anew from it: timers and the like are of its new start", () =>
    world(({ on }) =>
      Effect.gen(function* () {
        const ref = yield* on("n1", spawn(keeper))
        ref.tell({ _tag: "Add", amount: 5 })
        ref.tell({ _tag: "Every", millis: 100 })
        const waiting = yield* Effect.forkChild(ref.ask({ _tag: "WhenOpen" }))
        yield* Effect.sleep("50 millis")
        const moving = yield* Effect.forkChild(on("n1", move(ref, { to: "n2", kind: "weak" })))
        note(ref, "a", 1)
        const moved = yield* Fiber.join(moving)
        yield* Effect.sleep("1 second")
        expect(yield* moved.ask({ _tag: "Sum" })).toBe(5)
        expect(yield* moved.ask({ _tag: "Notes" })).toEqual(["a1"])
        moved.tell({ _tag: "Open" })
        expect(yield* Fiber.join(waiting)).toBe(5)
      })
    )
  )

  it.live("`from` makes its first state of what came along", () => {
    const from = Migration.movable("keeper", {
      behavior: keeping,
      state: Kept,
      from: (moved, self) => {
        self.setTimer("hello", 10, { _tag: "Note", from: "hello", number: 1 })
        return { ...moved, sum: moved.sum * 10 }
      }
    })
    return world(
      ({ on }) =>
        Effect.gen(function* () {
          const ref = yield* on("n1", spawn(from))
          ref.tell({ _tag: "Add", amount: 5 })
          yield* ref.ask({ _tag: "Sum" })
          yield* on("n1", move(ref, { to: "n2", kind: "weak" }))
          yield* Effect.sleep("100 millis")
          expect(yield* ref.ask({ _tag: "Sum" })).toBe(50)
          expect(yield* ref.ask({ _tag: "Notes" })).toEqual(["hello1"])
        }),
      { layer: () => Migration.layer([from]) }
    )
  })

  it.live("Effect handlers: what they opened is closed where they leave, and opened anew where they come", () => {
    const open: Array<string> = []
    class Desk extends Context.Service<Desk, { readonly name: string }>()("test/Desk") {}
    const Drawer = Messages.make("drawer", {
      Add: Messages.tell({ amount: Schema.Int }),
      Sum: Messages.ask({}, { reply: Schema.Int })
    })
    const behavior = Behavior.effect(Drawer, {
      init: () =>
        Effect.gen(function* () {
          const { name } = yield* Desk
          yield* Effect.acquireRelease(
            Effect.sync(() => open.push(name)),
            () => Effect.sync(() => open.splice(open.indexOf(name), 1))
          )
          return 0
        }),
      on: {
        Add: (sum, { amount }) => Effect.succeed(sum + amount),
        Sum: (sum) => Effect.succeed({ state: sum, reply: sum })
      }
    })
    const desk = Migration.movable("desk", { behavior, state: Schema.Int, bindings: [Migration.byType(Desk)] })
    return world(
      ({ on }) =>
        Effect.gen(function* () {
          const ref = yield* on("n1", Effect.provideService(spawn(desk), Desk, { name: "n1" }))
          ref.tell({ _tag: "Add", amount: 5 })
          yield* ref.ask({ _tag: "Sum" })
          expect(open).toEqual(["n1"])
          yield* on("n1", move(ref, { to: "n2", kind: "weak" }))
          expect(yield* ref.ask({ _tag: "Sum" })).toBe(5)
          expect(open).toEqual(["n2"])
        }),
      { layer: (name) => Layer.provide(Migration.layer([desk]), Layer.succeed(Desk, { name })) }
    )
  })
})
describe("bindings", () => {
  class Printer extends Context.Service<Printer, { readonly print: (text: string) => string }>()("test/Printer") {}
  class Rates extends Context.Service<Rates, { readonly euro: number }>()("test/Rates") {}
  const Clerk = Messages.make("clerk", {
    Meet: Messages.tell({ friend: ActorSystem.Ref(Keeper) }),
    Work: Messages.ask({}, { reply: Schema.String })
  })
  const Known = Schema.Struct({ friend: Schema.NullOr(ActorSystem.Ref(Keeper)) })
  const clerk = Migration.movable("clerk", {
    behavior: Behavior.effect(Clerk, {
      init: () => Effect.succeed({ friend: null } as typeof Known.Type),
      on: {
        Meet: (_, { friend }) => Effect.succeed({ friend }),
        Work: (state) =>
          Effect.gen(function* () {
            const { euro } = yield* Rates
            const { print } = yield* Printer
            state.friend?.tell({ _tag: "Add", amount: euro })
            return { state, reply: print(`${euro}`) }
          })
      }
    }),
    state: Known,
    bindings: [Migration.byType(Printer), Migration.byValue(Rates, Schema.Struct({ euro: Schema.Int }))],
    supervision: Supervision.stop
  })
  const printerOf = (node: string) => Layer.succeed(Printer, { print: (text) => `${node}: ${text}` })
  const layer = (node: string): Layer.Layer<Migration.Migration, unknown, ActorSystem.ActorSystem> => {
    const made = Migration.layer([clerk, keeper])
    if (node === "n3") return made
    if (node === "n2") return Layer.provide(made, printerOf(node))
    return Layer.provide(made, Layer.merge(printerOf(node), Layer.succeed(Rates, { euro: 7 })))
  }

  it.live("by identifier: kept; by value: a copy comes along, or that of here; by type: of here, or refused", () =>
    world(
      ({ on }) =>
        Effect.gen(function* () {
          const friend = yield* on("n1", spawn(keeper))
          const ref = yield* on(
            "n1",
            spawn(clerk).pipe(
              Effect.provideService(Printer, { print: (text) => `own: ${text}` }),
              Effect.provideService(Rates, { euro: 3 })
            )
          )
          ref.tell({ _tag: "Meet", friend })
          expect(yield* ref.ask({ _tag: "Work" })).toBe("own: 3")
          yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
          expect(yield* ref.ask({ _tag: "Work" })).toBe("n2: 3")
          yield* Effect.sleep("50 millis")
          expect(yield* friend.ask({ _tag: "Sum" })).toBe(6)
          const lacking = yield* Effect.flip(on("n1", move(ref, { to: "n3", kind: "strong" })))
          expect(lacking).toEqual(
            new Migration.MissingBindings({ behavior: "clerk", node: "n3", missing: ["test/Printer"] })
          )
          expect(yield* ref.ask({ _tag: "Work" })).toBe("n2: 3")
          yield* on("n1", fetch(ref, { kind: "weak" }))
          expect(yield* ref.ask({ _tag: "Work" })).toBe("n1: 7")
        }),
      { layer }
    )
  )
})

it.live("what it had put off is answered from where it was; when it ends elsewhere, who waits is told so", () => {
  const answers: Array<Behavior.Answer<number, never>> = []
  const putOff = (state: Kept, _: unknown, self: Behavior.Asked<typeof Keeper.definition, number, never>) => {
    const later = self.defer()
    answers.push(later)
    return { state, later }
  }
  const table = { ...keeping.table, WhenOpen: { handle: putOff, isAsk: true } }
  const movable = Migration.movable("putting off", { behavior: { ...keeping, table }, state: Kept })
  return world(
    ({ on }) =>
      Effect.gen(function* () {
        const ref = yield* on("n1", spawn(movable))
        const ask = Effect.forkChild(Effect.result(ref.ask({ _tag: "WhenOpen" }, { timeout: "1 hour" })), {
          startImmediately: true
        })
        const [first, second] = [yield* ask, yield* ask]
        yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
        answers[0]!.reply(7)
        expect(yield* Fiber.join(first)).toMatchObject({ success: 7 })
        expect(second.pollUnsafe()).toBeUndefined()
        ref.tell({ _tag: "End" })
        yield* Effect.sleep("1 second")
        expect(second.pollUnsafe()).toMatchObject({ value: { failure: { _tag: "ActorStopped" } } })
      }),
    { layer: () => Migration.layer([movable]) }
  )
})

it.live.each(["n1", "n3"])("what %s asks where it was is over, where it is, when nobody waits any more", (asker) => {
  const when = (state: Kept, _: unknown, self: Behavior.Self<typeof Keeper.definition>) =>
    state.isOpen ? { state: { ...state, sum: state.sum + 1 }, reply: 0 } : { state, later: self.stash() }
  const table = { ...keeping.table, WhenOpen: { handle: when, isAsk: true } }
  const movable = Migration.movable("counting", { behavior: { ...keeping, table }, state: Kept })
  return world(
    ({ on, system }) =>
      Effect.gen(function* () {
        const here = yield* on("n1", spawn(movable, { name: "ann" }))
        yield* on("n1", move(here, { to: "n2", kind: "strong" }))
        const ref = yield* system(asker).at(Keeper, "ann", "n1")
        const late = yield* Effect.flip(ref.ask({ _tag: "WhenOpen" }, { timeout: "1 second" }))
        expect(late).toMatchObject({ _tag: "AskTimeout" })
        yield* Effect.sleep("1 second")
        ref.tell({ _tag: "Open" })
        expect(yield* ref.ask({ _tag: "Sum" })).toBe(0)
      }),
    { layer: () => Migration.layer([movable]) }
  )
})
