/** What waits for an actor with priorities, in its order also where it stands still meanwhile. */
import { expect, it } from "@effect/vitest"
import { type ActorRef, Behavior, Checkpoint, Messages, Migration } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { MemoryStorage } from "@troupe/storage"
import { Effect, Layer, Schema } from "effect"
import type { Cell } from "../../src/internal/system/Cell.ts"
import { Mark } from "../../src/internal/system/envelopes.ts"
import { world } from "./support.ts"

const Clerk = Messages.make("clerk", {
  File: Messages.tell({ name: Schema.String, rank: Schema.Int }),
  /** Takes up again what was put aside, and then takes a second. */
  Resume: Messages.tell({}),
  Filed: Messages.ask({}, { reply: Schema.Array(Schema.String) })
})

const State = Schema.Struct({ isPatient: Schema.Boolean, filed: Schema.Array(Schema.String) })
type State = typeof State.Type

const first: State = { isPatient: true, filed: [] }

/** Puts aside what it is told until it is to resume. The lower rank comes first. */
const clerk = Behavior.effect(Clerk, {
  mailbox: {
    capacity: 5,
    onFull: "drop-oldest",
    priority: (message) => (message._tag === "File" ? message.rank : message._tag === "Resume" ? 0 : 10)
  },
  init: () => Effect.succeed(first),
  on: {
    File: (state, { name }, self) =>
      Effect.sync(() => {
        if (!state.isPatient) return { ...state, filed: [...state.filed, name] }
        self.stash()
        return state
      }),
    Resume: (state, _, self) => {
      self.unstash()
      return Effect.as(Effect.sleep("1 second"), { ...state, isPatient: false })
    },
    Filed: (state) => Effect.succeed({ state, reply: state.filed })
  }
})

const movable = Migration.movable("clerk", { behavior: clerk, state: State })

const file = (ref: ActorRef<typeof Clerk.definition>, name: string, rank: number): void =>
  ref.tell({ _tag: "File", name, rank })

/** While it takes up what it has put aside, more comes; and then it stands still. */
const busy = (ref: ActorRef<typeof Clerk.definition>) =>
  Effect.gen(function* () {
    file(ref, "aside 1", 8)
    file(ref, "aside 2", 9)
    yield* Effect.sleep("10 millis")
    ref.tell({ _tag: "Resume" })
    yield* Effect.sleep("10 millis")
    file(ref, "late", 3)
    file(ref, "urgent", 1)
  })

const inOrder = ["aside 1", "aside 2", "urgent", "late"]

it.effect.each(["to another node", "nowhere, as that does not know it,"])(
  "one that moves %s goes on with what it had taken up before others",
  (where) =>
    world(
      ({ on }) =>
        on(
          "n1",
          Effect.gen(function* () {
            const ref = yield* Migration.spawn(movable)
            yield* busy(ref)
            yield* Effect.exit(Migration.move(ref, { to: where === "to another node" ? "n2" : "n3", kind: "strong" }))
            expect(yield* ref.ask({ _tag: "Filed" })).toEqual(inOrder)
          })
        ),
      { layer: (node) => Migration.layer(node === "n3" ? [] : [movable]) }
    )
)

it.effect("who waits for what is handled is told so when it is, and not when it is to move", () =>
  world(
    ({ on }) =>
      on(
        "n1",
        Effect.gen(function* () {
          const ref = yield* Migration.spawn(movable)
          const reached: Array<string> = []
          const move = (to: string) => {
            ref.tell({ _tag: "Resume" })
            ;(ref as unknown as Cell).deliver(new Mark(() => void reached.push(to)))
            return Effect.exit(Migration.move(ref, { to, kind: "strong" }))
          }
          expect(yield* move("n3")).toMatchObject({ _tag: "Failure" })
          expect(reached).toEqual([])
          yield* Effect.sleep("2 seconds")
          expect(reached).toEqual(["n3"])
          expect(yield* move("n2")).toMatchObject({ _tag: "Success" })
          expect(reached).toEqual(["n3", "n2"])
        })
      ),
    { layer: (node) => Migration.layer(node === "n3" ? [] : [movable]) }
  )
)

it.effect("one that has moved drops what has waited longest, and not what is most urgent", () =>
  world(
    ({ on }) =>
      on(
        "n1",
        Effect.gen(function* () {
          const ref = yield* Migration.spawn(movable)
          yield* busy(ref)
          ref.tell({ _tag: "Resume" })
          yield* Effect.forkChild(Migration.move(ref, { to: "n2", kind: "strong" }))
          yield* Effect.sleep("1500 millis")
          for (const name of ["a", "b", "c", "d"]) file(ref, name, 2)
          yield* Effect.sleep("1 second")
          expect(yield* ref.ask({ _tag: "Filed" })).toEqual(["aside 1", "aside 2", "urgent", "a", "b", "c", "d"])
        })
      ),
    { layer: (node) => Migration.layer(node === "n3" ? [] : [movable]) }
  )
)

it.effect("one that is saved in a checkpoint goes on in its order", () =>
  TestKit.elapse(
    Effect.gen(function* () {
      const { save, spawn } = yield* Checkpoint.Checkpoint
      const ref = yield* spawn(clerk, { name: "clerk", state: State })
      yield* busy(ref)
      yield* save
      expect(yield* ref.ask({ _tag: "Filed" })).toEqual(inOrder)
    })
  ).pipe(
    Effect.provide(
      Checkpoint.layer("office").pipe(Layer.provideMerge(TestKit.layer()), Layer.provide(MemoryStorage.layer()))
    )
  )
)
