/** Mailboxes at their bounds, messages put aside, and time. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Clock, type Duration, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { deadLetters, settled, within } from "./accounts.ts"

const Clerk = Messages.make("clerk", {
  Note: Messages.tell({ n: Schema.Int }),
  Open: Messages.tell({}),
  Notes: Messages.ask({}, { reply: Schema.Array(Schema.Int) })
})

type Notes = ReadonlyArray<number>

const clerk = (mailbox: Behavior.Mailbox<typeof Clerk.definition>) =>
  Behavior.make(Clerk, {
    mailbox,
    init: (): Notes => [],
    on: {
      Note: (notes, { n }) => [...notes, n],
      Open: (notes) => notes,
      Notes: (notes) => ({ state: notes, reply: notes })
    }
  })

describe("a mailbox that is full", () => {
  const told = (mailbox: Behavior.Mailbox<typeof Clerk.definition>) =>
    Effect.gen(function* () {
      const ref = yield* ActorSystem.spawn(clerk(mailbox))
      const refused: Array<unknown> = []
      for (let n = 1; n <= 5; n++) {
        try {
          ref.tell({ _tag: "Note", n })
        } catch (error) {
          refused.push(error)
        }
      }
      yield* settled
      return { refused, notes: yield* ref.ask({ _tag: "Notes" }), dead: yield* deadLetters }
    })

  it.effect("drop-newest: what comes is a dead letter", () =>
    within(
      Effect.gen(function* () {
        const found = yield* told({ capacity: 3, onFull: "drop-newest" })
        expect(found).toEqual({ refused: [], notes: [1, 2, 3], dead: 2 })
      })
    )
  )

  it.effect("drop-oldest: what waits longest is a dead letter", () =>
    within(
      Effect.gen(function* () {
        const found = yield* told({ capacity: 3, onFull: "drop-oldest" })
        expect(found).toEqual({ refused: [], notes: [3, 4, 5], dead: 2 })
      })
    )
  )

  it.effect("fail, the default: who tells is told so, and who asks too", () =>
    within(
      Effect.gen(function* () {
        const { dead, notes, refused } = yield* told({ capacity: 3 })
        expect({ dead, notes }).toEqual({ dead: 0, notes: [1, 2, 3] })
        expect(refused).toMatchObject([
          { _tag: "MailboxFull", capacity: 3 },
          { _tag: "MailboxFull", capacity: 3 }
        ])
        const ref = yield* ActorSystem.spawn(clerk({ capacity: 1 }))
        ref.tell({ _tag: "Note", n: 1 })
        expect(yield* Effect.flip(ref.ask({ _tag: "Notes" }))).toMatchObject({ _tag: "MailboxFull" })
      })
    )
  )

  it.effect("suspend: who sends waits for room, in the order of coming", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(clerk({ capacity: 2, onFull: "suspend" }))
        const senders = yield* Effect.forkChild(
          Effect.forEach([1, 2, 3, 4, 5, 6, 7], (n) => ref.send({ _tag: "Note", n }), { concurrency: "unbounded" })
        )
        yield* Effect.yieldNow
        expect(() => {
          ref.tell({ _tag: "Note", n: 8 })
          ref.tell({ _tag: "Note", n: 9 })
          ref.tell({ _tag: "Note", n: 10 })
        }).toThrow(/as many as may/)
        yield* Fiber.join(senders)
        yield* settled
        const notes = yield* ref.ask({ _tag: "Notes" })
        expect(notes.filter((n) => n < 8)).toEqual([1, 2, 3, 4, 5, 6, 7])
        expect(yield* deadLetters).toBe(0)
      })
    )
  )

  it.effect("suspend: who waits for room at an actor that stops is told so", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(clerk({ capacity: 1, onFull: "suspend" }))
        ref.tell({ _tag: "Note", n: 1 })
        const sending = Effect.flip(ref.send({ _tag: "Note", n: 2 }))
        const waiting = yield* Effect.forkChild(sending, { startImmediately: true })
        yield* system.stop(ref)
        expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "ActorStopped" })
      })
    )
  )

  it.effect("priority: what ranks first comes first, and of equals what came first", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(
          clerk({ priority: (message) => (message._tag === "Note" ? -(message.n % 10) : 0) })
        )
        for (const n of [1, 12, 2, 13, 3, 11]) ref.tell({ _tag: "Note", n })
        yield* settled
        expect(yield* ref.ask({ _tag: "Notes" })).toEqual([13, 3, 12, 2, 1, 11])
      })
    )
  )
})

describe("what is put aside", () => {
  interface Desk {
    readonly isOpen: boolean
    readonly notes: Notes
  }
  const patient = Behavior.make(Clerk, {
    mailbox: { capacity: 3 },
    init: (): Desk => ({ isOpen: false, notes: [] }),
    on: {
      Note: (desk, { n }, self) => {
        if (desk.isOpen) return { ...desk, notes: [...desk.notes, n] }
        self.stash()
        return desk
      },
      Open: (desk, _, self) => {
        self.unstash()
        return { ...desk, isOpen: true }
      },
      Notes: (desk, _, self) =>
        desk.isOpen ? { state: desk, reply: desk.notes } : { state: desk, later: self.stash() }
    }
  })

  it.effect("comes before all else when it is taken up again, questions too", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(patient)
        ref.tell({ _tag: "Note", n: 1 })
        const asking = yield* Effect.forkChild(ref.ask({ _tag: "Notes" }))
        yield* settled
        ref.tell({ _tag: "Open" })
        ref.tell({ _tag: "Note", n: 2 })
        expect(yield* Fiber.join(asking)).toEqual([1])
        yield* settled
        expect(yield* ref.ask({ _tag: "Notes" })).toEqual([1, 2])
      })
    )
  )

  it.effect(
    "is bounded as the mailbox is: one more, and the actor fails; it starts again with what was put aside",
    () =>
      within(
        Effect.gen(function* () {
          const system = yield* ActorSystem.ActorSystem
          const ref = yield* ActorSystem.spawn(patient)
          for (let n = 1; n <= 4; n++) {
            ref.tell({ _tag: "Note", n })
            yield* settled
          }
          expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
          ref.tell({ _tag: "Open" })
          yield* settled
          expect(yield* ref.ask({ _tag: "Notes" })).toEqual([1, 2, 3])
        })
      )
  )
})

describe("time", () => {
  const Timed = Messages.make("timed", {
    Go: Messages.tell({ what: Schema.Literals(["once", "again", "every", "clear", "wait", "wait no more"]) }),
    Rang: Messages.tell({ bell: Schema.String }),
    Bells: Messages.ask({}, { reply: Schema.Array(Schema.String) })
  })
  const timed = Behavior.make(Timed, {
    init: (): ReadonlyArray<string> => [],
    on: {
      Go: (bells, { what }, self) => {
        if (what === "once") self.setTimer("bell", "1 second", { _tag: "Rang", bell: "once" })
        if (what === "again") self.setTimer("bell", "1 second", { _tag: "Rang", bell: "again" })
        if (what === "every") self.setInterval("bell", "1 second", { _tag: "Rang", bell: "every" })
        if (what === "clear") self.clearTimer("bell")
        if (what === "wait") self.setReceiveTimeout("1 second", { _tag: "Rang", bell: "nothing came" })
        if (what === "wait no more") self.setReceiveTimeout(undefined)
        return bells
      },
      Rang: (bells, { bell }) => [...bells, bell],
      Bells: (bells) => ({ state: bells, reply: bells })
    }
  })
  const passes = (millis: number) => Effect.andThen(TestClock.adjust(millis), settled)

  it.effect("a timer rings when it is due, once; set anew, it counts anew; cleared, not at all", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(timed)
        ref.tell({ _tag: "Go", what: "once" })
        yield* settled
        yield* passes(999)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual([])
        yield* passes(1)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual(["once"])
        ref.tell({ _tag: "Go", what: "once" })
        yield* settled
        yield* passes(500)
        ref.tell({ _tag: "Go", what: "again" })
        yield* settled
        yield* passes(999)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual(["once"])
        yield* passes(1)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual(["once", "again"])
        ref.tell({ _tag: "Go", what: "once" })
        ref.tell({ _tag: "Go", what: "clear" })
        yield* settled
        yield* passes(5_000)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual(["once", "again"])
      })
    )
  )

  it.effect("one that rings while it is cleared is not heard", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(timed)
        ref.tell({ _tag: "Go", what: "once" })
        yield* settled
        // Told first, so that it is handled before the ring that already waits.
        ref.tell({ _tag: "Go", what: "clear" })
        yield* TestClock.adjust("1 second")
        yield* settled
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual([])
      })
    )
  )

  it.effect("an interval rings again and again", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(timed)
        ref.tell({ _tag: "Go", what: "every" })
        yield* settled
        for (let i = 0; i < 3; i++) yield* passes(1_000)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual(["every", "every", "every"])
      })
    )
  )

  it.effect("a receive timeout comes when nothing else has for so long", () =>
    within(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(timed)
        ref.tell({ _tag: "Go", what: "wait" })
        yield* settled
        yield* passes(900)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual([])
        yield* passes(900)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual([])
        yield* passes(1_100)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual(["nothing came"])
        ref.tell({ _tag: "Go", what: "wait no more" })
        yield* settled
        yield* passes(10_000)
        expect(yield* ref.ask({ _tag: "Bells" })).toEqual(["nothing came"])
      })
    )
  )

  it.effect("a receive timeout of one that is at a message for long wakes once in its time, not all the time", () =>
    Effect.gen(function* () {
      let sleeps = 0
      const clock = yield* Clock.Clock
      const counting: Clock.Clock = Object.assign(Object.create(clock), {
        sleep: (duration: Duration.Duration) => (sleeps++, clock.sleep(duration))
      })
      const M = Messages.make("m", { Work: Messages.tell({}), Idle: Messages.tell({}) })
      let idle = 0
      const working = Behavior.effect(M, {
        init: (self) => Effect.sync(() => self.setReceiveTimeout("1 second", { _tag: "Idle" })),
        on: { Work: () => Effect.delay(Effect.void, "1 minute"), Idle: () => Effect.sync(() => void idle++) }
      })
      const used = Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(working)
        ref.tell({ _tag: "Work" })
        yield* settled
        // It is at work for a minute, in the midst of which its time has passed often.
        for (let second = 0; second < 59; second++) yield* passes(1_000)
        expect(idle).toBe(0)
        for (let second = 0; second < 3; second++) yield* passes(1_000)
        expect(idle).toBeGreaterThan(0)
      })
      yield* Effect.provideService(within(used), Clock.Clock, counting)
      expect(sleeps).toBeGreaterThan(60)
      expect(sleeps).toBeLessThan(100)
    })
  )

  it.effect("a handler that takes longer than it may is interrupted, and has failed", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        let interrupted = false
        const M = Messages.make("m", { Hang: Messages.tell({}), Hello: Messages.ask({}, { reply: Schema.String }) })
        const hanging = Behavior.effect(M, {
          handlerTimeout: "1 second",
          init: () => Effect.succeed("hello"),
          on: {
            Hang: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => (interrupted = true))),
            Hello: (state) => Effect.succeed({ state, reply: state })
          }
        })
        const ref = yield* ActorSystem.spawn(hanging)
        ref.tell({ _tag: "Hang" })
        yield* settled
        const asking = yield* Effect.forkChild(ref.ask({ _tag: "Hello" }))
        yield* passes(1_000)
        expect(yield* Fiber.join(asking)).toBe("hello")
        expect(interrupted).toBe(true)
        expect(system.counters()).toMatchObject({ failures: 1, restarts: 1 })
      })
    )
  )
})
