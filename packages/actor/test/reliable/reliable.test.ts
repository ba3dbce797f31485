/** Reliable delivery: each row of the table in the README. */
import { describe, expect, it } from "@effect/vitest"
import { type ActorRef, ActorSystem, Behavior, Messages, Migration, Reliable, Supervision } from "@troupe/actor"
import { MemoryStorage, type Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Memory } from "@troupe/transport"
import { Context, Effect, Fiber, Layer, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Acks } from "../../src/internal/reliable/wire.ts"
import { settled, within } from "../system/accounts.ts"
import { doublesOf, faults, run, type Subject } from "./worlds.ts"

const Jobs = Messages.make("jobs", {
  Do: Messages.tell({ job: Schema.Int, note: Schema.optionalKey(Schema.String) }),
  Done: Messages.ask({}, { reply: Schema.Array(Schema.Int) })
})
type Jobs = typeof Jobs.definition

const worker = (mailbox: Behavior.Mailbox<Jobs> = {}) =>
  Behavior.make(Jobs, {
    init: (): ReadonlyArray<number> => [],
    mailbox,
    on: { Do: (done, { job }) => [...done, job], Done: (done) => ({ state: done, reply: done }) }
  })

/** Takes a second for each. */
const slow = Behavior.effect(Jobs, {
  init: () => Effect.succeed<ReadonlyArray<number>>([]),
  on: {
    Do: (done, { job }) => Effect.as(Effect.sleep("1 second"), [...done, job]),
    Done: (done) => Effect.succeed({ state: done, reply: done })
  }
})

const lasting = (given: { readonly sessions?: number } = {}) =>
  Reliable.eventSourced(Jobs, {
    log: "jobs",
    event: Schema.Int,
    init: (): ReadonlyArray<number> => [],
    apply: (done, job) => [...done, job],
    snapshot: { state: Schema.Array(Schema.Int), above: 4096 },
    on: { Do: (_, { job }) => ({ events: [job] }), Done: (done) => ({ reply: done }) },
    ...given
  })

const job = (number: number) => ({ _tag: "Do", job: number }) as const

const upTo = (last: number): ReadonlyArray<number> => Array.from({ length: last }, (_, at) => at + 1)

type System = ActorSystem.ActorSystem["Service"]

/** Two nodes, each with its system. */
const nodes = Effect.gen(function* () {
  const network = Memory.network({ nodes: ["n1", "n2"] })
  const [one, two] = yield* Effect.forEach(["n1", "n2"], (node) => {
    const layer = Layer.provide(ActorSystem.remote(), Memory.layer(network, node))
    return Effect.map(Layer.build(Layer.fresh(layer)), Context.get(ActorSystem.ActorSystem))
  })
  return { one: one!, two: two! }
})

const atInbox = (system: System) => system.at(Reliable.inbox(Jobs), "inbox", "n2")

const senderAt = (system: System, options: Omit<Reliable.SenderOptions, "to"> = {}) =>
  Effect.flatMap(atInbox(system), (to) =>
    Effect.provideService(Reliable.sender(Jobs, { ...options, to }), ActorSystem.ActorSystem, system)
  )

const receiverAt = (system: System, actor: ActorRef<Jobs>, options: Reliable.ReceiverOptions = {}) =>
  system.spawn(Reliable.receiver(Jobs, actor, options), { name: "inbox" })

/** As long as it takes for something to be sent again, and heard of. */
const later = (millis: number) => Effect.andThen(settled, Effect.andThen(TestClock.adjust(millis), settled))

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

/** A life of the process, with the disk of the lives before; nothing of it is ended. */
const durableLife = (storage: Layer.Layer<Storage, never>, compactAbove = 1024) =>
  Effect.gen(function* () {
    const { one, two } = yield* nodes
    const context = yield* Layer.build(Layer.fresh(storage))
    const make = (messages: Messages.Messages<any>) =>
      Effect.flatMap(one.at(Reliable.inbox(messages), "inbox", "n2"), (to) =>
        Reliable.durableSender(messages, { to, log: "outbox", compactAbove })
      ).pipe(Effect.provideService(ActorSystem.ActorSystem, one), Effect.provideContext(context))
    return { one, two, context, make }
  })

describe("a durable sender", () => {
  it.effect("goes on in a later life with what is unacknowledged, and takes a message over when it is on disk", () =>
    Effect.gen(function* () {
      const store = MemoryStorage.make()
      const crashed = yield* Scope.make()
      const before = yield* Effect.provideService(durableLife(MemoryStorage.layer(store)), Scope.Scope, crashed)
      const lost = yield* Effect.provideService(before.make(Jobs), Scope.Scope, crashed)
      for (const number of upTo(5)) yield* lost.send(job(number))
      const { make, two } = yield* durableLife(MemoryStorage.layer(store))
      const actor = yield* two.spawn(worker())
      yield* receiverAt(two, actor)
      const sender = yield* make(Jobs)
      expect(sender.unacknowledged()).toBe(5)
      yield* sender.send(job(6))
      yield* later(1000)
      yield* sender.acknowledged
      expect(yield* actor.ask({ _tag: "Done" })).toEqual(upTo(6))
    }).pipe(Effect.scoped)
  )

  it.effect("keeps a log of what is unacknowledged, not of all that was ever sent", () =>
    Effect.gen(function* () {
      const store = MemoryStorage.make()
      const { make, two } = yield* durableLife(MemoryStorage.layer(store))
      yield* receiverAt(two, yield* two.spawn(worker()))
      const sender = yield* make(Jobs)
      for (let round = 0; round < 20; round++) {
        for (const number of upTo(50)) yield* sender.send(job(number))
        yield* settled
        yield* sender.acknowledged
      }
      expect(store.logs.get("outbox")!.bytes).toBeLessThan(8 * 1024)
    }).pipe(Effect.scoped)
  )

  it.effect("refuses a log whose messages are none of today's, and fails with its disk", () =>
    Effect.gen(function* () {
      const disk = SimulatedDisk.make({ seed: 1, syncMillisMin: 0, syncMillisMax: 0 }).disk("n1")
      const first = yield* durableLife(disk.layer)
      const sender = yield* first.make(Jobs)
      yield* sender.send(job(1))
      disk.failing = "writes"
      expect(yield* Effect.flip(sender.send(job(2)))).toMatchObject({ _tag: "StorageFailed" })
      expect(yield* Effect.flip(sender.send(job(3)))).toMatchObject({ _tag: "StorageFailed" })
      disk.failing = "nothing"
      const second = yield* durableLife(disk.layer)
      const Other = Messages.make("jobs", { Do: Messages.tell({ job: Schema.String }) })
      expect(yield* Effect.flip(second.make(Other))).toMatchObject({ _tag: "Corrupt", at: "message 1" })
    }).pipe(Effect.scoped)
  )
})

const worlds = async (subject: Subject, kind: keyof typeof faults, seeds: number) => {
  let doubles = 0
  let lost = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const { seen, violations } = await run({ subject, seed, faults: faults[kind], seconds: 5 })
    expect(violations, `${subject}, ${kind}, seed ${seed}`).toEqual([])
    doubles += doublesOf(seen)
    for (const { accepted, from, isOver } of seen.produced.values()) {
      const handled = new Set(seen.handled.filter((put) => put.from === from).map(({ number }) => number))
      if (isOver) lost += accepted.filter((number) => !handled.has(number)).length
    }
  }
  return { doubles, lost }
}

describe("in simulated worlds", () => {
  it("effectively once: each message once and in order, whatever the network does", async () => {
    expect((await worlds("once", "lossy", 20)).doubles).toBe(0)
    expect((await worlds("once", "partition", 15)).doubles).toBe(0)
  })

  it("at least once: each message, some of them twice", async () => {
    expect((await worlds("least", "lossy", 15)).doubles).toBeGreaterThan(0)
  })

  it("durable: each message has its effect once, whatever crashes", async () => {
    expect((await worlds("durable", "crash", 30)).doubles).toBe(0)
  })

  it("a sender that is not durable loses what is unacknowledged with its node, and a receiver's crash makes doubles", async () => {
    const { doubles, lost } = await worlds("once", "crash", 20)
    expect(lost).toBeGreaterThan(0)
    expect(doubles).toBeGreaterThan(0)
  })
})
