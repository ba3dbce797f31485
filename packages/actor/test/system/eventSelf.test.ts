/** What an event-sourced actor has besides its events, as any actor: a mailbox, timers, watches, a family, an end. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, EventSourced, Messages, Reliable, Supervision } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { MemoryStorage, type Storage } from "@troupe/storage"
import { Effect, Exit, Fiber, Logger, Schema, type Scope } from "effect"

const M = Messages.make("notes", {
  Note: Messages.tell({ n: Schema.Int }),
  /** The handler does so, and notes nothing. */
  Do: Messages.tell({ what: Schema.Any }),
  Notes: Messages.ask({}, { reply: Schema.Array(Schema.Int) }),
  /** Answered when there are so many notes. */
  WhenMany: Messages.ask({ count: Schema.Int }, { reply: Schema.Array(Schema.Int) })
})
type M = typeof M.definition
type Notes = ReadonlyArray<number>
type Self = Behavior.Self<M>
type Given = EventSourced.Given<M, Notes, number>

const given: Given = {
  log: "notes",
  event: Schema.Int,
  init: () => [],
  apply: (notes, n) => [...notes, n],
  on: {
    Note: (_, { n }, self) => ({ events: [n], after: () => self.unstash() }),
    Do: (_, { what }, self) => {
      what(self)
      return {}
    },
    Notes: (notes) => ({ reply: notes }),
    WhenMany: (notes, { count }, self) => (notes.length >= count ? { reply: notes } : { later: self.stash() })
  }
}

const notes = (more: Partial<Given> = {}) => EventSourced.make(M, { ...given, ...more })

/** On a disk that lasts as long as the test. */
const kit = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem | Storage | Scope.Scope>) => {
  const storage = MemoryStorage.layer(MemoryStorage.make())
  return Effect.provide(Effect.scoped(effect), [TestKit.layer(), storage, Logger.layer([])])
}

const doing = (ref: ActorRef<M>, what: (self: Self) => void): Effect.Effect<void, never, TestKit.TestKit> => {
  ref.tell({ _tag: "Do", what })
  return Effect.orDie(TestKit.settle)
}

const notesOf = (ref: ActorRef<M>) => ref.ask({ _tag: "Notes" })

const tellAll = (ref: ActorRef<M>, numbers: Notes): void => {
  for (const n of numbers) ref.tell({ _tag: "Note", n })
}

describe("an event-sourced actor", () => {
  it.effect.each([
    ["drop-newest", { capacity: 2, onFull: "drop-newest" }, [1, 2]],
    ["drop-oldest", { capacity: 2, onFull: "drop-oldest" }, [3, 4]],
    ["priority", { priority: (message) => (message._tag === "Note" ? -message.n : 0) }, [4, 3, 2, 1]]
  ] as const satisfies ReadonlyArray<readonly [string, Behavior.Mailbox<M>, Notes]>)(
    "has a mailbox of its own: %s",
    ([, mailbox, left]) =>
      kit(
        Effect.gen(function* () {
          const ref = yield* ActorSystem.spawn(notes({ mailbox }))
          tellAll(ref, [1, 2, 3, 4])
          yield* TestKit.settle
          expect(yield* notesOf(ref)).toEqual(left)
        })
      )
  )

  it.effect("refuses a mailbox that is none, where it is given", () =>
    Effect.sync(() => expect(() => notes({ mailbox: { capacity: 0 } })).toThrow(/mailbox.capacity/))
  )

  it.effect("begins, each time that it starts, with what its log makes of it", () =>
    kit(
      Effect.gen(function* () {
        const begun: Array<Notes> = []
        const onStart = (state: Notes, self: Self) => {
          begun.push(state)
          self.setTimer("soon", "1 second", { _tag: "Note", n: 10 * (state.length + 1) })
        }
        const ref = yield* ActorSystem.spawn(notes({ onStart }))
        tellAll(ref, [1])
        yield* TestKit.adjust("1 second")
        yield* doing(ref, () => {
          throw new Error("ill")
        })
        yield* TestKit.adjust("1 second")
        expect(begun).toEqual([[], [1, 10]])
        expect(yield* notesOf(ref)).toEqual([1, 10, 30])
      })
    )
  )

  it.effect("that fails as it begins has failed as any does that cannot start", () =>
    kit(
      Effect.gen(function* () {
        const { expectTerminated } = yield* TestKit.probe(M)
        const onStart = () => {
          throw new Error("ill")
        }
        const ref = yield* ActorSystem.spawn(notes({ onStart }), { supervision: Supervision.stop })
        expect(yield* expectTerminated(ref)).toMatchObject({ _tag: "Failed" })
        // Its log is free for another one.
        expect(yield* notesOf(yield* ActorSystem.spawn(notes()))).toEqual([])
      })
    )
  )

  it.effect("sets timers, intervals and a receive timeout in its handlers", () =>
    kit(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(notes())
        yield* doing(ref, (self) => {
          self.setTimer("once", "1 second", { _tag: "Note", n: 1 })
          self.setInterval("often", "2 seconds", { _tag: "Note", n: 2 })
          self.setReceiveTimeout("1500 millis", { _tag: "Note", n: 3 })
        })
        yield* TestKit.adjust("5 seconds")
        yield* doing(ref, (self) => {
          self.clearTimer("often")
          self.setReceiveTimeout(undefined)
        })
        yield* TestKit.adjust("1 hour")
        expect(yield* notesOf(ref)).toEqual([1, 2, 3, 2])
        yield* doing(ref, (self) => self.setReceiveTimeout("1500 millis", { _tag: "Note", n: 3 }))
        yield* TestKit.adjust("1500 millis")
        expect(yield* notesOf(ref)).toEqual([1, 2, 3, 2, 3])
      })
    )
  )

  it.effect("is told of the end of those that it watches, its children too", () =>
    kit(
      Effect.gen(function* () {
        const children: Array<ActorRef<M>> = []
        const ref = yield* ActorSystem.spawn(notes())
        const child = Behavior.make(M, { init: () => 0, on: failing })
        yield* doing(ref, (self) => {
          for (const n of [1, 2]) {
            const spawned = self.spawn(child, { supervision: Supervision.stop })
            self.watch(spawned, ({ _tag }) => ({ _tag: "Note", n: _tag === "Failed" ? n : -n }))
            children.push(spawned)
          }
        })
        children[1]!.tell({ _tag: "Note", n: 0 })
        yield* TestKit.settle
        yield* doing(ref, (self) => self.stop(children[0]))
        expect(yield* notesOf(ref)).toEqual([2, -1])
      })
    )
  )

  it.effect("shares the fate of children that escalate: it has what is in its log; all-for-one, they theirs", () =>
    kit(
      Effect.gen(function* () {
        let starts = 0
        const children: Array<ActorRef<M>> = []
        const child = Behavior.make(M, { init: () => ++starts, on: failing })
        const ref = yield* ActorSystem.spawn(notes({ children: "all-for-one" }))
        tellAll(ref, [7])
        yield* doing(ref, (self) => {
          for (const supervision of [Supervision.restart(), Supervision.escalate]) {
            children.push(self.spawn(child, { supervision }))
          }
        })
        children[0]!.tell({ _tag: "Note", n: 0 })
        yield* TestKit.settle
        expect(starts).toBe(4)
        children[1]!.tell({ _tag: "Note", n: 0 })
        yield* TestKit.settle
        expect((yield* ActorSystem.ActorSystem).counters()).toMatchObject({ stopped: 2, restarts: 3 })
        expect(yield* notesOf(ref)).toEqual([7])
      })
    )
  )

  it.effect("puts messages aside, questions too, and takes them up again", () =>
    kit(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(notes())
        const asking = yield* Effect.forkScoped(ref.ask({ _tag: "WhenMany", count: 2 }), { startImmediately: true })
        yield* TestKit.settle
        tellAll(ref, [1, 2])
        expect(yield* Fiber.join(asking)).toEqual([1, 2])
      })
    )
  )

  it.effect("stops itself after the message, whose events are in its log; then `onStop` has its last state", () =>
    kit(
      Effect.gen(function* () {
        const last: Array<Notes> = []
        const { expectTerminated } = yield* TestKit.probe(M)
        const on = {
          ...given.on,
          Note: (_: Notes, { n }: { readonly n: number }, self: Self) => (self.stop(), { events: [n] })
        }
        const ref = yield* ActorSystem.spawn(notes({ on, onStop: (state) => void last.push(state) }))
        tellAll(ref, [5])
        expect(yield* expectTerminated(ref)).toMatchObject({ _tag: "Stopped" })
        expect(last).toEqual([[5]])
        expect(yield* notesOf(yield* ActorSystem.spawn(notes()))).toEqual([5])
      })
    )
  )

  it.effect("whose state is kept when it fails does not read its log again, and keeps its timers", () =>
    kit(
      Effect.gen(function* () {
        let begun = 0
        const supervision = Supervision.restart({ state: "kept" })
        const ref = yield* ActorSystem.spawn(notes({ onStart: () => void begun++ }), { supervision })
        tellAll(ref, [1])
        yield* doing(ref, (self) => {
          self.setTimer("soon", "1 second", { _tag: "Note", n: 2 })
          throw new Error("ill")
        })
        yield* TestKit.adjust("1 second")
        expect(yield* notesOf(ref)).toEqual([1, 2])
        expect(begun).toBe(1)
      })
    )
  )
})

const failing = {
  Note: () => {
    throw new Error("ill")
  },
  Do: (state: number) => state,
  Notes: (state: number) => ({ state, reply: [] }),
  WhenMany: (state: number) => ({ state, reply: [] })
}

describe("one behind a receiver", () => {
  const behavior = Reliable.eventSourced(M, {
    ...given,
    mailbox: { capacity: 1, onFull: "drop-newest" },
    onStart: (state, self) => self.ref.tell({ _tag: "Note", n: state.length }),
    onStop: (state) => void ends.push(state)
  })
  const ends: Array<Notes> = []

  it.effect("has them as well, of its own state", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(behavior)
        yield* TestKit.settle
        tellAll(ref, [8, 9])
        yield* TestKit.settle
        expect(yield* notesOf(ref)).toEqual([0, 8])
        yield* system.stop(ref)
        expect(ends).toEqual([[0, 8]])
      })
    )
  )
})

it.effect("one under test is asked for its state first, whatever its priorities", () =>
  kit(
    Effect.gen(function* () {
      const priority = ({ _tag }: Messages.Of<typeof M>): number => {
        if (!(_tag in M.definition)) throw new Error(`${_tag} is none of its messages`)
        return 0
      }
      const onStart = (state: Notes, self: Self) => self.ref.tell({ _tag: "Note", n: state.length })
      const { restart, run } = yield* TestKit.eventSourcedTest(notes({ mailbox: { priority }, onStart }))
      expect((yield* run({ _tag: "Note", n: 7 })).state).toEqual([0, 7])
      expect(yield* Effect.exit(restart)).toEqual(Exit.succeed([0, 7]))
    })
  )
)

/** Handlers are functions, and their order is that of the log behind a receiver: it is enough that this compiles. */
export const mistaken = [
  // @ts-expect-error
  () => EventSourced.make(M, { ...given, handlerTimeout: "1 second" }),
  // @ts-expect-error
  () => Reliable.eventSourced(M, { ...given, mailbox: { priority: () => 0 } })
]
