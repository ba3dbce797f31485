/** What cannot move, and why. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, EventSourced, Messages, Migration, Server } from "@troupe/actor"
import { MemoryStorage } from "@troupe/storage"
import { Effect, Fiber, Schema } from "effect"
import { Kept, Keeper, keeper, keeping, type Ref, type World, world } from "./support.ts"

const { move, spawn } = Migration

describe("what cannot move goes on where it is", () => {
  const refused = (at: World, ref: Ref, to = "n2", kind: "weak" | "strong" = "strong") =>
    Effect.gen(function* () {
      yield* ref.ask({ _tag: "Sum" })
      const error = yield* Effect.flip(at.on("n1", move(ref, { to, kind })))
      ref.tell({ _tag: "Add", amount: 1 })
      expect(yield* ref.ask({ _tag: "Sum" })).toBeGreaterThan(0)
      return error
    })

  it.live("one with children, with links, that watches others, or was spawned otherwise", () =>
    world((at) =>
      Effect.gen(function* () {
        const { on, system } = at
        const ref = yield* on("n1", spawn(keeper))
        ref.tell({ _tag: "Family" })
        expect(yield* refused(at, ref)).toMatchObject({ _tag: "NotMovable", reason: "it has children: child" })
        const other = yield* on("n1", ActorSystem.spawn(keeping))
        expect(yield* refused(at, other)).toMatchObject({ _tag: "NotMovable" })
        const Linked = Messages.make("linked", {
          Link: Messages.tell({}),
          Watch: Messages.tell({}),
          Free: Messages.tell({}),
          Ok: Messages.ask({}, { reply: Schema.Int })
        })
        const linking = Migration.movable("linked", {
          state: Schema.Int,
          behavior: Behavior.make(Linked, {
            init: () => 0,
            on: {
              Link: (state, _, self) => {
                self.link(other)
                return state
              },
              Watch: (state, _, self) => {
                self.watch(other, () => ({ _tag: "Free" }))
                return state
              },
              Free: (state, _, self) => {
                self.unlink(other)
                return state
              },
              Ok: (state) => ({ state, reply: 1 })
            }
          })
        })
        const linked = yield* on("n1", spawn(linking))
        linked.tell({ _tag: "Link" })
        yield* linked.ask({ _tag: "Ok" })
        const link = yield* Effect.flip(on("n1", move(linked, { to: "n2", kind: "strong" })))
        expect(link).toMatchObject({ _tag: "NotMovable", reason: "it is linked to others" })
        linked.tell({ _tag: "Free" })
        linked.tell({ _tag: "Watch" })
        yield* linked.ask({ _tag: "Ok" })
        const watch = yield* Effect.flip(on("n1", move(linked, { to: "n2", kind: "strong" })))
        expect(watch.message).toContain("it watches others")
        expect(yield* linked.ask({ _tag: "Ok" })).toBe(1)
        expect(yield* Effect.flip(on("n1", move(linked, { to: "n2", kind: "weak" })))).toEqual(
          new Migration.UnknownBehavior({ behavior: "linked", node: "n2" })
        )
        yield* system("n1").stop(linked)
        expect(yield* Effect.flip(on("n1", move(linked, { to: "n2", kind: "weak" })))).toMatchObject({
          _tag: "NotMovable"
        })
      })
    )
  )

  it.live("one that is event-sourced", () => {
    const Tally = Messages.make("tally", { Add: Messages.ask({ amount: Schema.Int }, { reply: Schema.Int }) })
    const tally = EventSourced.make(Tally, {
      log: "tally",
      event: Schema.Int,
      init: () => 0,
      apply: (sum, amount) => sum + amount,
      on: { Add: (sum, { amount }) => ({ events: [amount], reply: sum + amount }) }
    })
    return world(
      ({ on }) =>
        on(
          "n1",
          Effect.gen(function* () {
            const behavior = yield* Behavior.provide(tally)
            const ref = yield* spawn(Migration.movable("tally", { behavior, state: Schema.Any }))
            expect(yield* ref.ask({ _tag: "Add", amount: 5 })).toBe(5)
            for (const kind of ["strong", "weak"] as const) {
              const refusal = yield* Effect.flip(move(ref, { to: "n2", kind }))
              expect(refusal).toMatchObject({
                _tag: "NotMovable",
                reason: "what it has become is on a disk of its node"
              })
            }
            expect(yield* ref.ask({ _tag: "Add", amount: 2 })).toBe(7)
          }).pipe(Effect.provide(MemoryStorage.layer()))
        ),
      { layer: () => Migration.layer([]) }
    )
  })

  it.live("to a node that is not there, that has no part in it, or whose schema is another", () => {
    const other = Migration.movable("keeper", { behavior: keeping, state: Schema.Struct({ sum: Schema.String }) })
    return world(
      (at) =>
        Effect.gen(function* () {
          const ref = yield* at.on("n1", spawn(keeper))
          expect(yield* refused(at, ref, "n9")).toMatchObject({ _tag: "MigrationFailed" })
          expect((yield* refused(at, ref, "n3")).message).toContain("that node has not answered")
          expect(yield* refused(at, ref, "n2")).toMatchObject({ _tag: "ImageMismatch", node: "n2" })
        }),
      {
        without: ["n3"],
        layer: (node) => Migration.layer([node === "n2" ? other : keeper], { timeout: "1 second" })
      }
    )
  })

  it.live("but what comes meanwhile, and is none of the messages there, is refused there, and holds up nothing", () => {
    const Small = Messages.make("keeper", {
      ...Keeper.definition,
      Add: Messages.tell({ amount: Schema.Int.check(Schema.isLessThan(10)) }),
      Twice: Messages.ask({ amount: Schema.Int.check(Schema.isLessThan(10)) }, { reply: Schema.Int })
    })
    const Twice = Messages.make("keeper", {
      ...Keeper.definition,
      Twice: Messages.ask({ amount: Schema.Int }, { reply: Schema.Int })
    })
    const movable = (messages: typeof Twice) => {
      const on = { ...keeping.table, Twice: { isAsk: true, handle: (state: unknown) => ({ state, reply: 2 }) } }
      return Migration.movable("keeper", { behavior: { ...keeping, messages, table: on } as never, state: Kept })
    }
    const layer = (node: string) => Migration.layer([movable(node === "n2" ? (Small as never) : Twice)])
    return world(
      ({ on, system }) =>
        Effect.gen(function* () {
          const ref = (yield* on("n1", spawn(movable(Twice)))) as unknown as ActorRef<typeof Twice.definition>
          const moving = on("n1", move(ref, { to: "n2", kind: "strong" }))
          const there = yield* Effect.forkChild(moving, { startImmediately: true })
          for (const amount of [50, 1]) ref.tell({ _tag: "Add", amount })
          const twice = yield* Effect.flip(ref.ask({ _tag: "Twice", amount: 50 }))
          expect(twice).toMatchObject({ _tag: "Misunderstood" })
          expect(yield* (yield* Fiber.join(there)).ask({ _tag: "Sum" })).toBe(1)
          expect(system("n2").counters().deadLetters).toBe(2)
        }),
      { layer }
    )
  })

  it.live("while a node may hold it that has not answered: if this one died, it would live there", () =>
    world(
      (at) =>
        Effect.gen(function* () {
          const { on, simulator } = at
          const ref = yield* on("n1", spawn(keeper))
          for (const to of ["n2", "n1"]) yield* on("n1", move(ref, { to, kind: "strong" }))
          yield* Effect.sleep("100 millis")
          const heal = [yield* simulator.cut(["n2"], ["n1"])]
          const moving = yield* Effect.forkChild(Effect.flip(on("n1", move(ref, { to: "n2", kind: "strong" }))))
          yield* Effect.sleep("100 millis")
          heal.push(yield* simulator.cut(["n1"], ["n2"]))
          expect((yield* Fiber.join(moving)).message).toContain("that node has not answered")
          expect((yield* refused(at, ref, "n3")).message).toContain("n2 may hold a copy of it")
          for (const each of heal) yield* each
          const moved = yield* on("n1", move(ref, { to: "n3", kind: "strong" }))
          expect(yield* moved.ask({ _tag: "Sum" })).toBe(1)
        }),
      { migration: { timeout: "1 second", retry: "50 millis" } }
    )
  )

  it.live("a server: what it has under way cannot be taken out of it", () => {
    const Work = Messages.make("work", { Do: Messages.ask({}, { reply: Schema.Int }) })
    const server = Migration.movable("server", {
      behavior: Server.make(Work, { on: { Do: () => Effect.succeed(1) }, dispatcher: Server.eventLoop() }),
      state: Schema.Null
    })
    return world(({ on }) =>
      Effect.gen(function* () {
        const ref = yield* on("n1", spawn(server))
        expect(yield* Effect.flip(on("n1", move(ref, { to: "n2", kind: "strong" })))).toMatchObject({
          _tag: "NotMovable"
        })
        expect(yield* ref.ask({ _tag: "Do" })).toBe(1)
      })
    )
  })

  it.live("asked for twice at once, it moves once", () =>
    world((at) =>
      Effect.gen(function* () {
        const ref = yield* at.on("n1", spawn(keeper))
        const both = ["n2", "n3"].map((to) => Effect.exit(at.on("n1", move(ref, { to, kind: "strong" }))))
        const ends = yield* Effect.all(both, { concurrency: 2 })
        expect(ends.map(({ _tag }) => _tag)).toEqual(["Success", "Failure"])
        expect(yield* ref.ask({ _tag: "Sum" })).toBe(0)
      })
    )
  )
})
