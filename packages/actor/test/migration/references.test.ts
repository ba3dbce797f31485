/** What becomes of who tells, asks and watches an actor that moves. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages, Migration } from "@troupe/actor"
import { Effect, Fiber, Schema } from "effect"
import { keeper, Keeper, keeping, note, type Ref, type World, world } from "./support.ts"

const { fetch, move, spawn } = Migration

const there = (at: World, node: string, ref: Ref): Effect.Effect<Ref, unknown> =>
  // The same actor, as another node refers to it.
  at.on(
    node,
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      return yield* system.at(Keeper, ref.path, "n1")
    })
  )

describe("to whom it was known", () => {
  it.live(
    "what each sender sends comes in order, once, through any number of moves, and then by the shortest way",
    () =>
      Effect.gen(function* () {
        const senders = ["n1", "n2", "n3"]
        const { carried, notes } = yield* world((at) =>
          Effect.gen(function* () {
            const { on } = at
            const ref = yield* on("n1", spawn(keeper, { name: "ann" }))
            const refs: Array<Ref> = [ref]
            for (const node of ["n2", "n3"]) refs.push(yield* there(at, node, ref))
            const sending = yield* Effect.forkChild(
              Effect.forEach(
                senders,
                (sender, index) =>
                  Effect.gen(function* () {
                    for (let number = 1; number <= 100; number++) {
                      note(refs[index]!, sender, number)
                      yield* Effect.sleep("3 millis")
                    }
                  }),
                { concurrency: "unbounded", discard: true }
              )
            )
            for (const to of ["n2", "n3", "n1", "n3", "n2", "n1", "n2", "n3"]) {
              yield* on("n1", move(ref, { to, kind: "strong" }))
              yield* Effect.sleep("7 millis")
            }
            yield* Fiber.join(sending)
            yield* Effect.sleep("1 second")
            const before = at.system("n2").counters().processed
            for (let i = 0; i < 10; i++) note(ref, "last", i)
            const notes = yield* ref.ask({ _tag: "Notes" })
            return { notes, carried: at.system("n2").counters().processed - before }
          })
        )
        for (const sender of senders) {
          const own = notes.filter((each) => each.startsWith(sender))
          expect(own).toEqual(Array.from({ length: 100 }, (_, index) => `${sender}${index + 1}`))
        }
        // Nothing goes through where it has been besides.
        expect(carried).toBe(0)
      })
  )

  it.live("watchers here and elsewhere are told of its end, not of its moves", () =>
    world((at) =>
      Effect.gen(function* () {
        const { on } = at
        const Watcher = Messages.make("watcher", {
          Watch: Messages.tell({ ref: ActorSystem.Ref(Keeper) }),
          Ended: Messages.tell({ why: Schema.String }),
          Ends: Messages.ask({}, { reply: Schema.Array(Schema.String) })
        })
        const watcher = Behavior.make(Watcher, {
          init: (): ReadonlyArray<string> => [],
          on: {
            Watch: (ends, { ref }, self) => {
              self.watch(ref, ({ _tag }) => ({ _tag: "Ended", why: _tag }))
              return ends
            },
            Ended: (ends, { why }) => [...ends, why],
            Ends: (ends) => ({ state: ends, reply: ends })
          }
        })
        const ref = yield* on("n1", spawn(keeper, { name: "ann" }))
        const watchers = []
        for (const node of ["n1", "n2", "n3"]) {
          const each = yield* on(node, ActorSystem.spawn(watcher))
          each.tell({ _tag: "Watch", ref: node === "n1" ? ref : yield* there(at, node, ref) })
          watchers.push(each)
        }
        yield* Effect.sleep("100 millis")
        for (const to of ["n2", "n3", "n2"]) yield* on("n1", move(ref, { to, kind: "strong" }))
        yield* Effect.sleep("100 millis")
        for (const each of watchers) expect(yield* each.ask({ _tag: "Ends" })).toEqual([])
        ref.tell({ _tag: "End" })
        yield* Effect.sleep("100 millis")
        for (const each of watchers) expect(yield* each.ask({ _tag: "Ends" })).toEqual(["Stopped"])
        expect(yield* Effect.flip(ref.ask({ _tag: "Sum" }))).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.live("`stop` reaches it where it is, at once or after what waits", () =>
    world(({ on, system }) =>
      Effect.gen(function* () {
        for (const drain of [true, false]) {
          const ref = yield* on("n1", spawn(keeper))
          const moved = yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
          const asking = yield* Effect.forkChild(Effect.exit(ref.ask({ _tag: "Sum" })))
          yield* Effect.sleep("100 micros")
          yield* system("n1").stop(ref, { drain })
          if (drain) expect((yield* Fiber.join(asking))._tag).toBe("Success")
          expect(yield* Effect.flip(moved.ask({ _tag: "Sum" }))).toMatchObject({ _tag: "ActorStopped" })
        }
      })
    )
  )

  it.live("what it still does where it was stops it where it is, and spawns nobody", () =>
    Effect.gen(function* () {
      const Bell = Messages.make("bell", { Ring: Messages.ask({}, { reply: Schema.Int }) })
      let there: Behavior.Self<typeof Bell.definition> | undefined
      const init = (self: NonNullable<typeof there>): number => {
        there = self
        return 7
      }
      const on = { Ring: (rung: number) => ({ state: rung, reply: rung }) }
      const bell = Migration.movable("bell", { behavior: Behavior.make(Bell, { init, on }), state: Schema.Int })
      yield* world(
        ({ on }) =>
          Effect.gen(function* () {
            const ref = yield* on("n1", spawn(bell))
            const moved = yield* on("n1", move(ref, { to: "n2", kind: "strong" }))
            expect(yield* moved.ask({ _tag: "Ring" })).toBe(7)
            expect(yield* Effect.flip(there!.spawn(keeping).ask({ _tag: "Sum" }))).toMatchObject({
              _tag: "ActorStopped"
            })
            there!.stop()
            yield* Effect.sleep("100 millis")
            expect(yield* Effect.flip(moved.ask({ _tag: "Ring" }))).toMatchObject({ _tag: "ActorStopped" })
          }),
        { layer: () => Migration.layer([bell]) }
      )
    })
  )

  it.live("who has it come asks where it was known, and it comes from wherever it is", () =>
    world((at) =>
      Effect.gen(function* () {
        const { on } = at
        const ref = yield* on("n1", spawn(keeper, { name: "ann" }))
        ref.tell({ _tag: "Add", amount: 1 })
        const from2 = yield* there(at, "n2", ref)
        const from3 = yield* there(at, "n3", ref)
        const on2 = yield* on("n2", fetch(from2, { kind: "strong" }))
        const on3 = yield* on("n3", fetch(from3, { kind: "strong" }))
        expect(on3.path).not.toContain(":")
        // Where it is already.
        expect(yield* on("n3", fetch(from3, { kind: "strong" }))).toBe(on3)
        for (const each of [ref, from2, from3, on2, on3]) expect(yield* each.ask({ _tag: "Sum" })).toBe(1)
      })
    )
  )
})
