/** Reliable delivery: each row of the table in the README. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages, Migration, Reliable, Supervision } from "@troupe/actor"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Memory } from "@troupe/transport"
import { Context, Effect, Fiber, Layer, Schema, Scope } from "effect"
import { Acks } from "../../src/internal/reliable/wire.ts"
import { settled, within } from "../system/accounts.ts"
import { job, Jobs, lasting, later, nodes, receiverAt, senderAt, slow, upTo, worker } from "./support.ts"

describe("a reliable sender", () => {
  it.live("hands on all messages in the order of sending, to another node and to an actor beside it", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      const actor = yield* two.spawn(worker())
      const inbox = yield* receiverAt(two, actor)
      const sender = yield* senderAt(one)
      for (const number of upTo(1000)) sender.tell(job(number))
      yield* sender.acknowledged
      const beside = yield* Effect.provideService(Reliable.sender(Jobs, { to: inbox }), ActorSystem.ActorSystem, two)
      for (const number of upTo(10)) yield* beside.send(job(-number))
      yield* beside.acknowledged
      expect(yield* actor.ask({ _tag: "Done" })).toEqual([...upTo(1000), ...upTo(10).map((number) => -number)])
      expect(sender.counters()).toEqual({ sent: 1000, resent: 0, acknowledged: 1000 })
    }).pipe(Effect.scoped)
  )

  it.effect("acknowledges what is handled, not what waits", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      yield* receiverAt(two, yield* two.spawn(slow))
      const sender = yield* senderAt(one)
      for (const number of upTo(3)) sender.tell(job(number))
      yield* later(500)
      expect(sender.unacknowledged()).toBe(3)
      // Messages that share a mark are acknowledged together.
      yield* later(1000)
      expect(sender.unacknowledged()).toBe(2)
      for (let second = 0; second < 3; second++) yield* later(1000)
      expect(sender.unacknowledged()).toBe(0)
      expect(sender.counters().resent).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.live("counts a message at which the actor failed as handled: its supervision has decided", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      const picky = Behavior.make(Jobs, {
        init: (): ReadonlyArray<number> => [],
        on: {
          Do: (done, { job }) => {
            if (job === 2) throw new Error("not this one")
            return [...done, job]
          },
          Done: (done) => ({ state: done, reply: done })
        }
      })
      const actor = yield* two.spawn(picky, { supervision: Supervision.resume })
      yield* receiverAt(two, actor)
      const sender = yield* senderAt(one)
      for (const number of upTo(3)) sender.tell(job(number))
      yield* sender.acknowledged
      expect(yield* actor.ask({ _tag: "Done" })).toEqual([1, 3])
    }).pipe(Effect.scoped)
  )

  it.effect("at least once, sends again what is overtaken, also while others are acknowledged all the time", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      const passed: Array<number> = []
      // The first three get lost, the first one of them twice.
      const lossy = Behavior.make(Reliable.inbox(Jobs), {
        init: (): void => {},
        on: {
          Open: (_, __, self) => ({ state: undefined, later: self.defer() }),
          Deliver: () => {},
          Close: () => {},
          Pass: (_, { number, sender, session }) => {
            passed.push(number)
            const isLost = number <= 3 && passed.filter((each) => each === number).length <= (number === 1 ? 2 : 1)
            if (!isLost) sender.tell({ _tag: "Took", session, number })
          }
        }
      })
      yield* two.spawn(lossy, { name: "inbox" })
      const sender = yield* senderAt(one, { delivery: "at-least-once" })
      for (const number of upTo(30)) {
        sender.tell(job(number))
        yield* later(50)
      }
      expect(sender.unacknowledged()).toBe(0)
      expect(passed.filter((number) => number <= 3).sort()).toEqual([1, 1, 1, 2, 2, 3, 3])
      expect(passed).toHaveLength(34)
    }).pipe(Effect.scoped)
  )

  it.effect("at least once, takes what was sent again for overtaken by nothing but what went out after that", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      let first = 0
      const late = Behavior.make(Reliable.inbox(Jobs), {
        init: (): Array<() => void> => [],
        on: {
          Open: (state, __, self) => ({ state, later: self.defer() }),
          Deliver: (state) => state,
          Close: (state) => state,
          Pass: (acks, { number, sender, session }) => {
            if (number === 1) first++
            acks.push(() => (number > 1 || first > 1) && sender.tell({ _tag: "Took", session, number }))
            // Twenty go out before anything is heard of the oldest of them.
            if (acks.length > 20) acks.shift()!()
            return acks
          }
        }
      })
      yield* two.spawn(late, { name: "inbox" })
      const sender = yield* senderAt(one, { delivery: "at-least-once", resend: { after: "2 seconds" } })
      for (const number of upTo(80)) {
        sender.tell(job(number))
        yield* later(number > 30 && number < 50 ? 500 : 50)
      }
      expect(first).toBe(2)
    }).pipe(Effect.scoped)
  )

  it.effect("has a window: `send` waits for room in it, and `tell` throws `MailboxFull`", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      yield* receiverAt(two, yield* two.spawn(slow))
      const sender = yield* senderAt(one, { window: 2 })
      yield* sender.send(job(1))
      yield* sender.send(job(2))
      expect(() => sender.tell(job(3))).toThrow("2 messages wait")
      const third = yield* Effect.forkChild(sender.send(job(3)))
      yield* settled
      expect(third.pollUnsafe()).toBeUndefined()
      for (let second = 0; second < 3; second++) yield* later(1000)
      yield* Fiber.join(third)
      // Many wait, some give up, and nobody is forgotten.
      const many = yield* Effect.forEach(upTo(20), (number) => Effect.forkChild(sender.send(job(3 + number))))
      yield* settled
      for (const at of [0, 1, 5]) yield* Fiber.interrupt(many[at]!)
      for (let second = 0; second < 40; second++) yield* later(1000)
      for (const [at, each] of many.entries()) if (![0, 1, 5].includes(at)) yield* Fiber.join(each)
      const none = yield* Effect.exit(senderAt(one, { window: 0 }))
      expect(String(none)).toContain("InvalidOption")
    }).pipe(Effect.scoped)
  )

  it.effect("is held back by the room in the actor's mailbox, which it never fills to its bound", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      const actor = yield* two.spawn({ ...slow, capacity: 4 })
      yield* receiverAt(two, actor)
      const sender = yield* senderAt(one)
      for (const number of upTo(20)) sender.tell(job(number))
      for (let second = 0; second < 30; second++) yield* later(1000)
      yield* sender.acknowledged
      const done = yield* Effect.forkChild(actor.ask({ _tag: "Done" }))
      expect(yield* Fiber.join(done)).toEqual(upTo(20))
      expect(two.counters().deadLetters).toBe(0)
    }).pipe(Effect.scoped)
  )

  it.effect("waits for a receiver at a path to come, and to come back", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      const sender = yield* senderAt(one)
      sender.tell(job(1))
      yield* later(1000)
      const first = yield* two.spawn(worker())
      const inbox = yield* receiverAt(two, first)
      yield* later(10_000)
      yield* sender.acknowledged
      yield* two.stop(inbox)
      sender.tell(job(2))
      yield* later(1000)
      yield* receiverAt(two, first)
      yield* later(10_000)
      yield* sender.acknowledged
      expect(yield* first.ask({ _tag: "Done" })).toEqual([1, 2])
    }).pipe(Effect.scoped)
  )

  it.effect("fails with `ActorStopped` when the receiver that it has a reference to is no more", () =>
    within(
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const actor = yield* ActorSystem.spawn(worker())
        const to = yield* receiverAt(system, actor)
        const sender = yield* Reliable.sender(Jobs, { to })
        yield* sender.send(job(1))
        yield* sender.acknowledged
        // The receiver ends with its actor.
        yield* system.stop(actor)
        yield* settled
        sender.tell(job(2))
        const failed = yield* Effect.forkChild(Effect.flip(sender.acknowledged))
        yield* later(1000)
        expect(yield* Fiber.join(failed)).toMatchObject({ _tag: "ActorStopped" })
        expect(yield* Effect.flip(sender.send(job(3)))).toMatchObject({ _tag: "ActorStopped" })
      }).pipe(Effect.scoped)
    )
  )

  it.effect("refuses what is none of the messages, and what is too large; fails where something else answers", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      const sender = yield* senderAt(one, { maxBytes: 100 })
      expect(yield* Effect.flip(sender.send({ _tag: "Do", job: "one" } as never))).toMatchObject({
        _tag: "Misunderstood"
      })
      expect(yield* Effect.flip(sender.send({ ...job(1), note: "x".repeat(200) }))).toMatchObject({
        _tag: "MessageTooLarge",
        maxBytes: 100
      })
      yield* two.spawn(worker(), { name: "inbox" })
      yield* later(1000)
      expect(yield* Effect.flip(sender.send(job(1)))).toMatchObject({ _tag: "Misunderstood" })
    }).pipe(Effect.scoped)
  )

  it.effect("fails when its messages have another layout over there", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      yield* receiverAt(two, yield* two.spawn(worker()))
      const Other = Messages.make("jobs", { Do: Messages.tell({ job: Schema.String }) })
      const to = yield* one.at(Reliable.inbox(Other), "inbox", "n2")
      const sender = yield* Effect.provideService(Reliable.sender(Other, { to }), ActorSystem.ActorSystem, one)
      yield* sender.send({ _tag: "Do", job: "one" })
      yield* later(100)
      expect(yield* Effect.flip(sender.acknowledged)).toMatchObject({ _tag: "Misunderstood" })
    }).pipe(Effect.scoped)
  )
})

describe("a receiver", () => {
  it.effect("knows so many senders: one more waits until one is closed, or was silent for long", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      const actor = yield* two.spawn(worker())
      yield* receiverAt(two, actor, { sessions: 1, forgetAfter: "1 minute" })
      const scope = yield* Scope.make()
      const first = yield* Effect.provideService(senderAt(one), Scope.Scope, scope)
      first.tell(job(1))
      yield* settled
      yield* first.acknowledged
      const second = yield* senderAt(one)
      second.tell(job(2))
      yield* later(30_000)
      expect(second.unacknowledged()).toBe(1)
      yield* Scope.close(scope, (yield* Effect.exit(Effect.void)) as never)
      yield* later(10_000)
      yield* second.acknowledged
      const third = yield* senderAt(one)
      third.tell(job(3))
      for (let times = 0; times < 10; times++) yield* later(10_000)
      yield* third.acknowledged
      expect(yield* actor.ask({ _tag: "Done" })).toEqual([1, 2, 3])
      // The second was forgotten for the third, and cannot know what became of this.
      second.tell(job(4))
      const failed = yield* Effect.forkChild(Effect.flip(second.acknowledged))
      yield* later(10_000)
      expect(yield* Fiber.join(failed)).toMatchObject({ _tag: "SessionForgotten" })
      expect(yield* actor.ask({ _tag: "Done" })).toEqual([1, 2, 3])
    }).pipe(Effect.scoped)
  )

  it.effect("hands on anew what an event-sourced actor failed at, and forgets what that forgot", () =>
    Effect.gen(function* () {
      const { one, two } = yield* nodes
      const disk = SimulatedDisk.make({ seed: 1, syncMillisMin: 0, syncMillisMax: 0 }).disk("n2")
      const storage = yield* Layer.build(disk.layer)
      const actor = yield* two.spawn(yield* Effect.provideContext(Behavior.provide(lasting({ sessions: 1 })), storage))
      yield* receiverAt(two, actor)
      const sender = yield* senderAt(one)
      sender.tell(job(1))
      yield* later(100)
      yield* sender.acknowledged
      disk.failing = "writes"
      for (const number of [2, 3, 4]) sender.tell(job(number))
      yield* settled
      disk.failing = "nothing"
      for (let times = 0; times < 5; times++) yield* later(5_000)
      yield* sender.acknowledged
      expect(yield* actor.ask({ _tag: "Done" })).toEqual([1, 2, 3, 4])
      const second = yield* senderAt(one)
      second.tell(job(5))
      for (let times = 0; times < 5; times++) yield* later(1_000)
      yield* second.acknowledged
      sender.tell(job(6))
      const failed = yield* Effect.forkChild(Effect.flip(sender.acknowledged))
      for (let times = 0; times < 5; times++) yield* later(5_000)
      expect(yield* Fiber.join(failed)).toMatchObject({ _tag: "SessionForgotten" })
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    ["lost", "writes"],
    ["still has", "syncs"]
  ] as const)(
    "hears of all that an event-sourced actor %s when its disk failed in %s, and nothing came after that",
    ([, failing]) =>
      Effect.gen(function* () {
        const { one, two } = yield* nodes
        const disk = SimulatedDisk.make({ seed: 1, syncMillisMin: 10, syncMillisMax: 10 }).disk("n2")
        const storage = yield* Layer.build(disk.layer)
        // Each sync takes its time.
        const pass = Effect.repeat(later(10), { times: 100 })
        const actor = yield* two.spawn(yield* Effect.provideContext(Behavior.provide(lasting()), storage))
        yield* receiverAt(two, actor)
        const sender = yield* senderAt(one)
        yield* pass
        disk.failing = failing
        for (const number of [1, 2, 3]) sender.tell(job(number))
        yield* later(10)
        disk.failing = "nothing"
        yield* pass
        expect(sender.unacknowledged()).toBe(0)
        expect(yield* actor.ask({ _tag: "Done" })).toEqual([1, 2, 3])
      }).pipe(Effect.scoped)
  )

  it.live("hands on to an actor that moves to another node", () =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["n1", "n2"] })
      const moving = Migration.movable("worker", { behavior: worker(), state: Schema.Array(Schema.Int) })
      const [one, two] = yield* Effect.forEach(["n1", "n2"], (node) =>
        Migration.layer([moving]).pipe(
          Layer.provideMerge(ActorSystem.remote()),
          Layer.provide(Memory.layer(network, node)),
          Layer.fresh,
          Layer.build
        )
      )
      const actor = yield* Effect.provideContext(Migration.spawn(moving), two!)
      yield* receiverAt(Context.get(two!, ActorSystem.ActorSystem), actor)
      const sender = yield* senderAt(Context.get(one!, ActorSystem.ActorSystem), { window: 20 })
      for (const number of upTo(300)) {
        yield* sender.send(job(number))
        if (number === 100) yield* Effect.provideContext(Migration.move(actor, { to: "n1", kind: "strong" }), two!)
      }
      yield* sender.acknowledged
      expect(yield* actor.ask({ _tag: "Done" })).toEqual(upTo(300))
    }).pipe(Effect.scoped)
  )

  it.effect("skips what an earlier life of it was done with", () =>
    within(
      Effect.gen(function* () {
        const actor = yield* ActorSystem.spawn(worker())
        const inbox = yield* ActorSystem.spawn(Reliable.receiver(Jobs, actor))
        const told: Array<unknown> = []
        const sender = yield* ActorSystem.spawn(
          Behavior.make(Acks, {
            init: () => 0,
            on: { Done: (_, done) => told.push(done), Took: () => 0, Refused: () => 0 }
          })
        )
        const open = { _tag: "Open", session: 7, life: 0, first: 5, sender } as const
        expect(yield* inbox.ask(open)).toMatchObject({ done: 5, taken: 5, limit: 1029 })
        // The word that 5 to 7 are done with came to the sender after its question.
        inbox.tell({ _tag: "Deliver", session: 7, first: 8, number: 8, body: job(8) })
        expect(yield* inbox.ask(open)).toMatchObject({ taken: 9 })
        yield* settled
        expect(told).toEqual([{ _tag: "Done", session: 7, done: 9, limit: 1033, missing: 0 }])
        expect(yield* actor.ask({ _tag: "Done" })).toEqual([8])
      })
    )
  )

  it("stands beside its actor", () => {
    expect(() => Reliable.receiver(Jobs, { path: "n2:jobs" } as never)).toThrow("stands beside it")
  })
})
