/** An actor that was handed to a node which is then not heard: whether it has moved is in doubt. */
import { describe, expect, it } from "@effect/vitest"
import { Migration } from "@troupe/actor"
import { Effect, Fiber, References } from "effect"
import { Keeper, keeper, keeping, Kept, note, type Ref, world, type World } from "./support.ts"

const { move, spawn } = Migration

/** Of little room. */
const tight = Migration.movable("keeper", { behavior: { ...keeping, capacity: 2 }, state: Kept })

const options = { timeout: "1 second", retry: "50 millis" } as const

const untilHandedOver = ({ agent }: World) =>
  Effect.gen(function* () {
    const [resident] = agent("n1").residents.values()
    while (!(resident!.phase._tag === "Leaving" && resident!.phase.isCommitted)) yield* Effect.sleep("100 micros")
  })

interface Doubtful {
  readonly at: World
  readonly ref: Ref
  readonly failure: unknown
  readonly heal: Effect.Effect<void>
}

/** Cuts off n2 when n1 has handed the actor over: one way, so that it does live there, or both ways. */
const inDoubt = (cut: "one way" | "both ways", body: (world: Doubtful) => Effect.Effect<void, unknown>) =>
  world(
    (at) =>
      Effect.gen(function* () {
        const ref = yield* at.on("n1", spawn(tight))
        note(ref, "a", 1)
        const moving = yield* Effect.forkChild(Effect.flip(at.on("n1", move(ref, { to: "n2", kind: "strong" }))))
        yield* untilHandedOver(at)
        const cuts = [yield* at.simulator.cut(["n2"], ["n1"])]
        if (cut === "both ways") cuts.push(yield* at.simulator.cut(["n1"], ["n2"]))
        const failure = yield* Fiber.join(moving)
        yield* body({ at, ref, failure, heal: Effect.all(cuts, { discard: true }) })
      }),
    { layer: () => Migration.layer([tight], options) }
  ).pipe(Effect.provideService(References.MinimumLogLevel, "None"))

describe.each(["one way", "both ways"] as const)("when the other node is cut off (%s)", (cut) => {
  it.live("who has it move is told in time; what it is told waits, up to its bound; who asks is told, too", () =>
    inDoubt(cut, ({ failure, heal, ref }) =>
      Effect.gen(function* () {
        expect(failure).toMatchObject({ _tag: "MigrationInDoubt", actor: ref.path, to: "n2" })
        expect(yield* Effect.flip(ref.ask({ _tag: "Sum" }, { timeout: "1 second" }))).toMatchObject({
          _tag: "AskTimeout"
        })
        note(ref, "a", 2)
        expect(() => note(ref, "a", 3)).toThrow(expect.objectContaining({ _tag: "MailboxFull" }))
        yield* heal
        yield* Effect.sleep("1 second")
        note(ref, "a", 4)
        expect(yield* ref.ask({ _tag: "Notes" })).toEqual(["a1", "a2", "a4"])
      })
    )
  )

  it.live("it lives there when that node is heard again, and is not asked to move meanwhile", () =>
    inDoubt(cut, ({ at, heal, ref }) =>
      Effect.gen(function* () {
        const again = yield* Effect.flip(at.on("n1", move(ref, { to: "n3", kind: "strong" })))
        expect(again).toMatchObject({ _tag: "NotMovable", reason: "it is moving already" })
        yield* heal
        yield* Effect.sleep("1 second")
        expect((yield* at.on("n1", move(ref, { to: "n2", kind: "strong" }))).path).toMatch(/^n2:/)
        expect(at.agent("n1").residents.get([...at.agent("n2").residents.keys()][0]!)?.phase._tag).toBe("Away")
      })
    )
  )

  it.live("it goes on here when that node is named by `down`, or begins anew", () =>
    Effect.forEach(["named", "anew"], (how) =>
      inDoubt(cut, ({ at, heal, ref }) =>
        Effect.gen(function* () {
          yield* at.simulator.crash("n2")
          if (how === "named") yield* at.down("n1", "n2")
          else {
            yield* heal
            yield* at.simulator.restart("n2")
          }
          yield* Effect.sleep("1 second")
          note(ref, "a", 2)
          expect(yield* ref.ask({ _tag: "Notes" })).toEqual(["a1", "a2"])
          expect(at.agent("n1").residents.size).toBe(1)
        })
      )
    )
  )

  it.live("who stops it meanwhile waits until that is clear", () =>
    inDoubt(cut, ({ at, heal, ref }) =>
      Effect.gen(function* () {
        const stopping = yield* Effect.forkChild(at.system("n1").stop(ref))
        yield* Effect.sleep("1 second")
        expect(stopping.pollUnsafe()).toBe(undefined)
        yield* heal
        yield* Fiber.join(stopping)
        yield* Effect.sleep("100 millis")
        for (const node of ["n1", "n2"]) expect(at.agent(node).residents.size).toBe(0)
      })
    )
  )
})

it.live("who asks from a third node is told the same, or that nobody there has answered", () =>
  world(
    (at) =>
      Effect.gen(function* () {
        const { on, simulator } = at
        yield* on("n1", spawn(keeper, { name: "ann" }))
        const known = yield* at.system("n3").at(Keeper, "ann", "n1")
        const asked = yield* Effect.forkChild(Effect.flip(on("n3", move(known, { to: "n2", kind: "strong" }))))
        yield* untilHandedOver(at)
        const heal = yield* simulator.cut(["n2"], ["n1"])
        const told = yield* Fiber.join(asked)
        expect(told).toMatchObject({ _tag: "MigrationInDoubt", actor: "ann", to: "n2" })
        expect(told.message).toContain("has not said that it lives there")
        yield* simulator.cut(["n1"], ["n3"])
        const none = yield* Effect.flip(on("n3", move(known, { to: "n3", kind: "strong" })))
        expect(none).toMatchObject({ _tag: "MigrationInDoubt", actor: "n1:ann", to: "n3" })
        expect(none.message).toContain("nobody has answered, and it may yet move")
        yield* heal
      }),
    { layer: () => Migration.layer([keeper], options) }
  )
)
