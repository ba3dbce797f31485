/** What an actor asks for besides its handlers, or when it is no more. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, type Behavior, EventSourced } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Fiber, Layer, Schema } from "effect"
import type { Cell } from "../../src/internal/system/Cell.ts"
import { settled } from "./accounts.ts"
import { kit, M, type Notes, noting, type Self } from "./noting.ts"

/** What its handlers are given. */
const selfOf = (mailbox?: Behavior.Mailbox<M>) =>
  Effect.gen(function* () {
    const ref = yield* ActorSystem.spawn(noting(mailbox))
    let given: Self | undefined
    ref.tell({ _tag: "Do", what: (self: Self) => (given = self) })
    yield* TestKit.settle
    return { ref, self: given! }
  })

describe("besides its handlers, an actor", () => {
  it.effect("stops itself at once: what waits for it are dead letters", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const { expectTerminated } = yield* TestKit.probe(M)
        for (const waiting of [0, 2]) {
          const { ref, self } = yield* selfOf()
          for (let n = 0; n < waiting; n++) ref.tell({ _tag: "Note", n })
          self.stop()
          expect(yield* expectTerminated(ref)).toMatchObject({ _tag: "Stopped" })
          expect(system.counters().deadLetters).toBe(waiting)
        }
      })
    )
  )

  it.live("takes up what it put aside: when events are on disk, say", () =>
    Effect.gen(function* () {
      const disks = SimulatedDisk.make({ seed: 1, syncMillisMin: 5, syncMillisMax: 5 })
      const behavior = EventSourced.make(M, {
        log: "notes",
        event: Schema.Int,
        init: (): Notes => [],
        apply: (notes, n) => [...notes, n],
        on: {
          Do: () => ({}),
          Note: (_, { n }, self) => ({ events: [n], after: () => self.unstash() }),
          Notes: (notes) => ({ reply: notes }),
          Aside: (notes, _, self) => (notes.length === 0 ? { later: self.stash() } : { reply: notes[0]! })
        }
      })
      const asking = Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(behavior)
        const aside = yield* Effect.forkChild(ref.ask({ _tag: "Aside" }), { startImmediately: true })
        while ((ref as unknown as Cell).status !== "idle") yield* settled
        ref.tell({ _tag: "Note", n: 7 })
        return yield* Fiber.join(aside)
      })
      const system = Layer.provideMerge(ActorSystem.layer(), disks.layer("n1"))
      expect(yield* Effect.provide(asking, system)).toBe(7)
    })
  )
})

it.effect("one that is no more sets no timer, and watches nobody", () =>
  kit(
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      const other = yield* ActorSystem.spawn(noting())
      const { ref, self } = yield* selfOf()
      yield* system.stop(ref)
      self.setTimer("once", "1 hour", { _tag: "Note", n: 1 })
      self.setInterval("often", "1 second", { _tag: "Note", n: 1 })
      self.setReceiveTimeout("1 second", { _tag: "Note", n: 1 })
      self.setReceiveTimeout(undefined)
      self.watch(other, () => ({ _tag: "Note", n: 1 }))
      self.link(other)
      self.spawn(noting())
      for (const each of [ref, other]) expect((each as unknown as Cell).rare).toBeUndefined()
      expect(system.counters()).toMatchObject({ spawned: 3, stopped: 2 })
      expect(yield* Effect.flip(TestKit.elapse(Effect.never))).toMatchObject({ _tag: "Stuck" })
    })
  )
)

it.effect("what nobody waits for any more leaves room for what is put aside", () =>
  kit(
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      const { ref, self } = yield* selfOf({ capacity: 2 })
      for (let i = 0; i < 5; i++) {
        yield* TestKit.elapse(Effect.flip(ref.ask({ _tag: "Aside" }, { timeout: "1 second" })))
      }
      expect(system.counters().failures).toBe(0)
      self.unstash()
      expect(yield* ref.ask({ _tag: "Notes" })).toEqual([])
    })
  )
)
