/** Senders whose messages survive their process, and all kinds of delivery in simulated worlds. */
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages, Reliable } from "@troupe/actor"
import { MemoryStorage, type Storage } from "@troupe/storage"
import * as SimulatedDisk from "@troupe/storage/SimulatedDisk"
import { Effect, Layer, Schema, Scope } from "effect"
import { settled } from "../system/accounts.ts"
import { job, Jobs, lasting, later, nodes, receiverAt, senderAt, upTo, worker } from "./support.ts"
import { doublesOf, faults, run, type Subject } from "./worlds.ts"

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

describe("an event-sourced actor behind a receiver", () => {
  it.effect("knows from its snapshot, also that of an earlier version, what it took, and from whom", () =>
    Effect.gen(function* () {
      const store = MemoryStorage.make()
      const storage = yield* Layer.build(MemoryStorage.layer(store))
      const { one, two } = yield* nodes
      const behavior = yield* Effect.provideContext(Behavior.provide(lasting()), storage)
      const actor = yield* two.spawn(behavior)
      yield* receiverAt(two, actor)
      const sender = yield* senderAt(one)
      for (const number of upTo(500)) sender.tell(job(number))
      yield* settled
      yield* sender.acknowledged
      expect(store.logs.get("jobs")!.first).toBeGreaterThan(0)
      yield* two.stop(actor)
      yield* settled
      sender.tell(job(501))
      const same = (older: unknown): unknown => older
      const snapshot = { state: Schema.Array(Schema.Int), upcast: same }
      const newer = Behavior.provide(lasting({ version: 2, upcast: same, snapshot }))
      const again = yield* two.spawn(yield* Effect.provideContext(newer, storage))
      yield* receiverAt(two, again)
      for (let times = 0; times < 5; times++) yield* later(2_000)
      yield* sender.acknowledged
      expect(yield* again.ask({ _tag: "Done" })).toEqual(upTo(501))
    }).pipe(Effect.scoped)
  )
})

const worlds = async (subject: Subject, kind: keyof typeof faults, seeds: number, diskFailures = 0) => {
  let doubles = 0
  let lost = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const { seen, violations } = await run({ subject, seed, faults: faults[kind], seconds: 5, diskFailures })
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

  it("durable: nor when disks fail, of which nothing that was acknowledged is lost", async () => {
    expect((await worlds("durable", "crash", 35, 0.004)).doubles).toBe(0)
  })

  it("a sender that is not durable loses what is unacknowledged with its node, and a receiver's crash makes doubles", async () => {
    const { doubles, lost } = await worlds("once", "crash", 20)
    expect(lost).toBeGreaterThan(0)
    expect(doubles).toBeGreaterThan(0)
  })
})
