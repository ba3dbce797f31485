/** What was told within a span is, to all but its handler, as it would be outside of any. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, type Behavior } from "@troupe/actor"
import { Effect, Stream } from "effect"
import type { Cell } from "../../src/internal/system/Cell.ts"
import { bare } from "../../src/internal/observed/Told.ts"
import * as Moving from "../../src/internal/system/Moving.ts"
import { type Desk, keeper, note, settled, traced } from "./clerks.ts"

describe("what is told in a chain that is traced", () => {
  it.effect("is the message itself to mailboxes that rank, to dead letters and to who it is handed on to", () =>
    traced(() =>
      Effect.gen(function* () {
        const kept: Array<string> = []
        const mailbox: Behavior.Mailbox<Desk> = {
          capacity: 3,
          onFull: "drop-oldest",
          priority: ({ text }) => Number(text)
        }
        const ann = yield* ActorSystem.spawn(keeper(kept, mailbox), { name: "ann" })
        const system = yield* ActorSystem.ActorSystem
        const letters: Array<unknown> = []
        yield* Effect.forkChild(
          Stream.runForEach(system.deadLetters, ({ message }) => Effect.sync(() => letters.push(message)))
        )
        yield* settled
        const told = Effect.sync(() => {
          for (const text of ["3", "1", "4", "2"]) ann.tell(note(text))
        })
        yield* Effect.withSpan(told, "writing")
        yield* settled
        yield* system.stop(ann)
        yield* Effect.withSpan(
          Effect.sync(() => ann.tell(note("late"))),
          "writing"
        )
        yield* settled
        expect(kept).toEqual(["1", "2", "4"])
        expect(letters).toEqual([note("3"), note("late")])
      })
    )
  )

  it.effect("goes on with an actor that stands still to move, and to the place where it has gone", () =>
    traced((spans) =>
      Effect.gen(function* () {
        const kept: Array<string> = []
        const cell = (yield* ActorSystem.spawn(keeper(kept))) as unknown as Cell
        const told = (text: string) => Effect.withSpan(cell.send(note(text)), "writing")
        Moving.freeze(cell, () => {})
        yield* told("1")
        const still = Moving.still(cell)
        expect(still.messages.map(bare)).toEqual([note("1")])
        Moving.thaw(cell, still)
        yield* settled
        expect(kept).toEqual(["1"])
        expect(spans.map(({ kind }) => kind)).toEqual(["internal", "consumer"])
        Moving.freeze(cell, () => {})
        const there: Array<unknown> = []
        Moving.depart(cell, {
          tell: (taken) => void there.push(taken),
          stop: () => Moving.end(cell, { _tag: "Stopped" })
        })
        yield* told("2")
        expect(there).toMatchObject([{ message: note("2"), span: { name: "writing" } }])
      })
    )
  )
})
