/** What comes to an actor besides what others tell it: timers, ends that it watches, its own end. None of it is lost. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Effect, Exit, Schema, type Scope } from "effect"

const M = Messages.make("m", {
  Note: Messages.tell({ n: Schema.Int }),
  Open: Messages.tell({}),
  Wait: Messages.tell({ millis: Schema.Int }),
  Notes: Messages.ask({}, { reply: Schema.Array(Schema.Int) })
})
type M = typeof M.definition
type Notes = ReadonlyArray<number>
interface Given {
  readonly mailbox?: Behavior.Mailbox<M>
  readonly begin?: (self: Behavior.Self<M>) => void
}

/** Its handlers may take their time. */
const slow = ({ begin, ...given }: Given) =>
  Behavior.effect(M, {
    ...given,
    init: (self) => Effect.sync((): Notes => (begin?.(self), [])),
    on: {
      Note: (notes, { n }) => Effect.succeed([...notes, n]),
      Open: (notes) => Effect.succeed(notes),
      Wait: (notes, { millis }) => Effect.as(Effect.sleep(millis), notes),
      Notes: (notes) => Effect.succeed({ state: notes, reply: notes })
    }
  })

const kit = <A, E>(effect: Effect.Effect<A, E, TestKit.TestKit | ActorSystem.ActorSystem | Scope.Scope>) =>
  Effect.provide(Effect.scoped(effect), TestKit.layer())

/** Busy for a second and a half from now on, and told more meanwhile than there is room for. */
const overwhelmed = (ref: ActorRef<M>, amid: Effect.Effect<unknown, unknown, any> = Effect.void) =>
  Effect.gen(function* () {
    ref.tell({ _tag: "Wait", millis: 1_500 })
    yield* TestKit.settle
    yield* amid
    yield* TestKit.adjust("1 second")
    for (const n of [1, 2, 3]) ref.tell({ _tag: "Note", n })
    yield* TestKit.adjust("500 millis")
    yield* TestKit.settle
  })

const ranked = (message: Messages.Of<typeof M>): number => (message._tag === "Note" ? message.n : 0)

describe.each([
  ["", { capacity: 2, onFull: "drop-oldest" }],
  [", with priorities", { capacity: 2, onFull: "drop-oldest", priority: ranked }]
] as const)("a mailbox that drops the oldest%s", (_, mailbox) => {
  it.effect("drops no tick of an interval: it rings on", () =>
    kit(
      Effect.gen(function* () {
        const begin = (self: Behavior.Self<M>) => self.setInterval("often", "1 second", { _tag: "Note", n: 0 })
        const ref = yield* ActorSystem.spawn(slow({ mailbox, begin }))
        yield* overwhelmed(ref)
        yield* TestKit.adjust("2 seconds")
        expect(yield* ref.ask({ _tag: "Notes" })).toEqual([0, 3, 0, 0])
      })
    )
  )

  it.effect("drops no word of an end that it watches", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const other = yield* ActorSystem.spawn(slow({}))
        const begin = (self: Behavior.Self<M>) => self.watch(other, () => ({ _tag: "Note", n: 0 }))
        const ref = yield* ActorSystem.spawn(slow({ mailbox, begin }))
        yield* overwhelmed(ref, system.stop(other))
        expect(yield* ref.ask({ _tag: "Notes" })).toEqual([0, 3])
      })
    )
  )

  it.effect("drops no end of its own: drained, it ends", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(slow({ mailbox }))
        const ended: Array<string> = []
        const end = Effect.map(system.stop(ref, { drain: true }), () => ended.push("ended"))
        yield* overwhelmed(ref, Effect.forkScoped(end, { startImmediately: true }))
        expect(ended).toEqual(["ended"])
      })
    )
  )

  it.effect("tells who asks that it is full, not that it has stopped", () =>
    kit(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(slow({ mailbox }))
        ref.tell({ _tag: "Wait", millis: 1_500 })
        yield* TestKit.settle
        const asking = yield* Effect.forkScoped(Effect.flip(ref.ask({ _tag: "Notes" })), { startImmediately: true })
        for (const n of [1, 2]) ref.tell({ _tag: "Note", n })
        yield* TestKit.settle
        expect(asking.pollUnsafe()).toMatchObject({ value: { _tag: "MailboxFull", capacity: 2 } })
      })
    )
  )
})

it.effect("a mailbox with priorities drops what came first, whatever its rank", () =>
  kit(
    Effect.gen(function* () {
      const ref = yield* ActorSystem.spawn(slow({ mailbox: { capacity: 3, onFull: "drop-oldest", priority: ranked } }))
      for (const n of [3, 1, 2, 5, 4]) ref.tell({ _tag: "Note", n })
      yield* TestKit.settle
      expect(yield* ref.ask({ _tag: "Notes" })).toEqual([2, 4, 5])
    })
  )
)

it.effect("drained, an actor with priorities has handled what waited; what came later is a dead letter", () =>
  kit(
    Effect.gen(function* () {
      const system = yield* ActorSystem.ActorSystem
      let notes: Notes | undefined
      const onStop = (last: Notes) => void (notes = last)
      const behavior: Behavior.Behavior<M> = { ...slow({ mailbox: { priority: ranked } }), onStop }
      const ref = yield* ActorSystem.spawn(behavior)
      for (const n of [3, 1, 2]) ref.tell({ _tag: "Note", n })
      const stopping = yield* Effect.forkScoped(system.stop(ref, { drain: true }), { startImmediately: true })
      ref.tell({ _tag: "Note", n: -1 })
      yield* TestKit.settle
      expect(stopping.pollUnsafe()).toEqual(Exit.void)
      expect(notes).toEqual([1, 2, 3])
      expect(system.counters().deadLetters).toBe(1)
    })
  )
)

describe("a timer's message, and that of an end", () => {
  /** Puts notes aside until it is opened, or hands them on. */
  const passing = (begin: (self: Behavior.Self<M>) => void, to?: ActorRef<M>) =>
    Behavior.make(M, {
      init: (self) => {
        begin(self)
        return { isOpen: false, notes: [] as Notes }
      },
      on: {
        Note: (state, { n }, self) => {
          if (state.isOpen) return { ...state, notes: [...state.notes, n] }
          if (to === undefined) self.stash()
          else self.forward(to)
          return state
        },
        Open: (state, _, self) => {
          self.unstash()
          return { ...state, isOpen: true }
        },
        Wait: (state) => state,
        Notes: (state) => ({ state, reply: state.notes })
      }
    })

  const begin = (watched: ActorRef<M>) => (self: Behavior.Self<M>) => {
    self.setTimer("once", "1 second", { _tag: "Note", n: 1 })
    self.watch(watched, () => ({ _tag: "Note", n: 2 }))
  }

  it.effect("may be put aside, and handed on", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const watched = yield* ActorSystem.spawn(slow({}))
        const to = yield* ActorSystem.spawn(slow({}))
        const aside = yield* ActorSystem.spawn(passing(begin(watched)))
        yield* ActorSystem.spawn(passing(begin(watched), to))
        yield* TestKit.adjust("1 second")
        yield* system.stop(watched)
        yield* TestKit.settle
        aside.tell({ _tag: "Open" })
        expect(yield* aside.ask({ _tag: "Notes" })).toEqual([1, 2])
        expect(yield* to.ask({ _tag: "Notes" })).toEqual([1, 2])
      })
    )
  )
})
