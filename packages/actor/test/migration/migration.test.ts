/** What moves with an actor, and what becomes of who tells, asks and watches it. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Migration, Server, Supervision } from "@troupe/actor"
import { Context, Effect, Fiber, Layer, Schema } from "effect"
import { inWorld, keeper, Keeper, keeping, Kept, type World, type WorldOptions } from "./support.ts"

type Ref = ActorRef<typeof Keeper.definition>

const { fetch, move, spawn } = Migration

/** Runs in a world, and fails with what is wrong there. */
const world = <A>(body: (world: World) => Effect.Effect<A, unknown>, options?: WorldOptions) =>
  Effect.gen(function* () {
    const { value, violations } = yield* inWorld(body, options)
    expect(violations).toEqual([])
    return value as A
  })

const note = (ref: Ref, from: string, number: number): void => ref.tell({ _tag: "Note", from, number })

const there = (at: World, node: string, ref: Ref): Effect.Effect<Ref, unknown> =>
  // The same actor, as another node refers to it.
  at.on(
    node,
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      return yield* system.at(Keeper, ref.path, "n1")
    })
  )

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
