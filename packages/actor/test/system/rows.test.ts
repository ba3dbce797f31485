/** Rows of the README's tables on supervision, watching, mailboxes and time: what other tests do not say of them. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, type Reason, Supervision } from "@troupe/actor"
import { TestKit } from "@troupe/actor/testing"
import { Cause, Effect } from "effect"
import { kit, M, type Notes, noting, type Self } from "./noting.ts"

const broken = (): never => {
  throw new Error("ill")
}

const doing = (ref: ActorRef<M>, what: (self: Self) => void) => {
  ref.tell({ _tag: "Do", what })
  return TestKit.settle
}

const notesOf = (ref: ActorRef<M>) => Effect.orElseSucceed(ref.ask({ _tag: "Notes" }), () => "is no more" as const)

const counters = Effect.map(ActorSystem.ActorSystem, (system) => system.counters())

const watched = (reason: Reason): { readonly _tag: "Note"; readonly n: number } => ({
  _tag: "Note",
  n: reason._tag === "Stopped" ? 3 : 4
})

describe("supervision", () => {
  it.effect("restart (default): ten times a minute, and then it is no more", () =>
    kit(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(noting())
        for (let i = 0; i < 10; i++) yield* doing(ref, broken)
        yield* TestKit.adjust("61 seconds")
        for (let i = 0; i < 10; i++) yield* doing(ref, broken)
        expect(yield* notesOf(ref)).toEqual([])
        yield* doing(ref, broken)
        expect(yield* notesOf(ref)).toBe("is no more")
      })
    )
  )

  const rows = [
    ["restart: without its children, timers and watches", Supervision.restart(), [], 1],
    ["restart({ state: kept }): with all it has", Supervision.restart({ state: "kept" }), [0, 1, 2, 3], 0],
    ["resume: with all it has", Supervision.resume, [0, 1, 2, 3], 0]
  ] as const
  it.effect.each(rows)("%s", ([, supervision, left, stopped]) =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const other = yield* ActorSystem.spawn(noting())
        const ref = yield* ActorSystem.spawn(noting(), { supervision })
        ref.tell({ _tag: "Note", n: 0 })
        yield* doing(ref, (self) => {
          self.setTimer("once", "1 second", { _tag: "Note", n: 1 })
          self.setReceiveTimeout("2 seconds", { _tag: "Note", n: 2 })
          self.watch(other, watched)
          self.spawn(noting())
        })
        yield* doing(ref, broken)
        expect((yield* counters).stopped).toBe(stopped)
        yield* TestKit.adjust("3500 millis")
        yield* doing(ref, (self) => self.setReceiveTimeout(undefined))
        yield* system.stop(other)
        yield* TestKit.settle
        expect(yield* notesOf(ref)).toEqual(left)
      })
    )
  )

  it.effect("restart: goes on with its mailbox and with what it put aside; the message that it failed at is gone", () =>
    kit(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(noting())
        let isOpen = false
        const aside = (n: number) => (self: Self) => {
          if (isOpen) self.ref.tell({ _tag: "Note", n })
          else self.stash()
        }
        let failures = 0
        ref.tell({ _tag: "Do", what: aside(1) })
        ref.tell({
          _tag: "Do",
          what: () => {
            isOpen = true
            failures++
            broken()
          }
        })
        ref.tell({ _tag: "Do", what: aside(2) })
        yield* TestKit.settle
        expect(yield* notesOf(ref)).toEqual([1, 2])
        expect(failures).toBe(1)
      })
    )
  )

  it.effect("stop: is no more, nor are its children", () =>
    kit(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(noting(), { supervision: Supervision.stop })
        yield* doing(ref, (self) => self.spawn(noting(), { name: "child" }))
        yield* doing(ref, broken)
        expect(yield* notesOf(ref)).toBe("is no more")
        expect((yield* counters).stopped).toBe(2)
      })
    )
  )

  it.effect("escalate: the same, and its parent fails with `ChildFailed`", () =>
    kit(
      Effect.gen(function* () {
        const causes: Array<unknown> = []
        const supervision = Supervision.decide((cause) => {
          causes.push(Cause.squash(cause))
          return Supervision.resume
        })
        const ref = yield* ActorSystem.spawn(noting(), { name: "parent", supervision })
        let child: ActorRef<M> | undefined
        yield* doing(ref, (self) => {
          child = self.spawn(noting(), { name: "child", supervision: Supervision.escalate })
        })
        yield* doing(child!, broken)
        expect(yield* notesOf(child!)).toBe("is no more")
        expect(causes).toMatchObject([{ _tag: "ChildFailed", child: "parent/child", cause: { message: "ill" } }])
      })
    )
  )
})

describe("watching", () => {
  const supervision = Supervision.stop

  it.effect("is told once: `Stopped`, or `Failed` with the cause", () =>
    kit(
      Effect.gen(function* () {
        const reasons: Array<unknown> = []
        const ref = yield* ActorSystem.spawn(noting())
        const others = [yield* ActorSystem.spawn(noting()), yield* ActorSystem.spawn(noting(), { supervision })]
        yield* doing(ref, (self) => {
          for (const other of others) {
            self.watch(other, (reason) => {
              reasons.push(reason._tag === "Failed" ? Cause.squash(reason.cause) : reason._tag)
              return watched(reason)
            })
          }
        })
        yield* doing(others[0]!, (self) => self.stop())
        yield* doing(others[1]!, broken)
        expect(yield* notesOf(ref)).toEqual([3, 4])
        expect(reasons).toMatchObject(["Stopped", { message: "ill" }])
      })
    )
  )
  it.effect("self.unwatch(ref): is not told, even if the word of it waits already", () =>
    kit(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const ref = yield* ActorSystem.spawn(noting())
        const others = [yield* ActorSystem.spawn(noting()), yield* ActorSystem.spawn(noting())]
        for (const other of others) yield* system.stop(other)
        yield* doing(ref, (self) => {
          // They are no more: it is told so at once, after this message.
          for (const other of others) self.watch(other, watched)
          self.unwatch(others[0]!)
        })
        expect(yield* notesOf(ref)).toEqual([3])
      })
    )
  )

  it.effect.each(["who links", "who is linked to"])("self.link(ref): the other one fails for good with %s", (who) =>
    kit(
      Effect.gen(function* () {
        const { expectTerminated } = yield* TestKit.probe(M)
        const refs = [
          yield* ActorSystem.spawn(noting(), { supervision }),
          yield* ActorSystem.spawn(noting(), { supervision })
        ] as const
        yield* doing(refs[0], (self) => self.link(refs[1]))
        const [falls, other] = who === "who links" ? refs : [refs[1], refs[0]]
        yield* doing(falls, broken)
        const reason = yield* expectTerminated(other)
        expect(reason._tag === "Failed" && Cause.squash(reason.cause)).toMatchObject({ _tag: "LinkBroken" })
      })
    )
  )
})

it.effect("mailboxes, drop-newest: a dead letter; `MailboxFull` to who asked", () =>
  kit(
    Effect.gen(function* () {
      const ref = yield* ActorSystem.spawn(noting({ capacity: 1, onFull: "drop-newest" }))
      ref.tell({ _tag: "Note", n: 1 })
      const asking = yield* Effect.forkScoped(Effect.flip(ref.ask({ _tag: "Notes" })), { startImmediately: true })
      expect(asking.pollUnsafe()).toMatchObject({ value: { _tag: "MailboxFull", capacity: 1 } })
      expect((yield* counters).deadLetters).toBe(1)
    })
  )
)

it.effect("time, self.setTimer: set anew or cleared, the earlier one is not heard, even if it waits already", () =>
  kit(
    Effect.gen(function* () {
      const slow = Behavior.effect(M, {
        init: () => Effect.succeed<Notes>([]),
        on: {
          Do: (notes, { what }, self) => Effect.as(what(self), notes),
          Note: (notes, { n }) => Effect.succeed([...notes, n]),
          Notes: (notes) => Effect.succeed({ state: notes, reply: notes }),
          Aside: (notes, _, self) => Effect.succeed({ state: notes, later: self.stash() })
        }
      })
      const ref = yield* ActorSystem.spawn(slow)
      const setting = (millis: number, from: number) => (self: Self) =>
        Effect.sync(() => {
          for (const timer of [0, 1, 2]) self.setTimer(`${timer}`, millis, { _tag: "Note", n: from + timer })
        })
      ref.tell({ _tag: "Do", what: setting(1_000, 0) })
      ref.tell({ _tag: "Do", what: () => Effect.sleep("2 seconds") })
      ref.tell({
        _tag: "Do",
        what: (self: Self) =>
          Effect.sync(() => {
            self.setTimer("0", "1 second", { _tag: "Note", n: 10 })
            self.clearTimer("1")
          })
      })
      yield* TestKit.adjust("2 seconds")
      expect(yield* ref.ask({ _tag: "Notes" })).toEqual([2])
      yield* TestKit.adjust("1 second")
      expect(yield* ref.ask({ _tag: "Notes" })).toEqual([2, 10])
    })
  )
)
