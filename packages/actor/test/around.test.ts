/** An actor among others: names, bounds, who listens to it, watches it and tells it views, and its end. */
import { describe, expect, it } from "@effect/vitest"
import { Actor, Membership, Observer, type Protocol, type Step } from "@troupe/actor"
import { Memory, Transport } from "@troupe/transport"
import { Effect, Exit, Fiber, Layer, Metric, Queue, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { alone, emit, fail, logged, send, set, settle, spawn } from "./support.ts"

/** Counts. */
const adder: Protocol.Protocol<number, string, "start" | "add", string> = {
  name: "test/adder",
  message: Schema.String,
  init: () => 0,
  onCommand: (sum, command, act) => {
    if (command === "add") return sum + 1
    act.emit("start")
    return sum
  },
  onMessage: (sum) => sum
}

describe("actors on one node", () => {
  it.effect("of one protocol need two names, and then don't hear each other", () =>
    Effect.gen(function* () {
      const [a, b] = yield* Effect.all([spawn({}, { name: "a" }), spawn({}, { name: "b" })])
      a.tell([send("n1", "to a")])
      b.tell([])
      yield* settle
      expect(a.state()).toEqual(["start", "command", "n1: to a"])
      expect(b.state()).toEqual(["start", "command"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("under one name are refused, and leave no trace", () =>
    Effect.gen(function* () {
      const registry = new Map()
      yield* spawn()
      const exit = yield* Effect.exit(Effect.provideService(spawn(), Metric.MetricRegistry, registry))
      expect(exit).toMatchObject(Exit.fail({ _tag: "ChannelInUse", node: "n1", channel: "test/recorder" }))
      expect(registry.size).toBe(0)
    }).pipe(Effect.provide(alone()))
  )

  it.effect("may take a name again that its actor has left", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(spawn())
      expect((yield* spawn()).state()).toEqual(["start"])
    }).pipe(Effect.provide(alone()))
  )
})

describe("bounds", () => {
  it.effect("65,536 inputs wait at the most; one more is MailboxFull, and the actor goes on", () =>
    Effect.gen(function* () {
      const actor = yield* Actor.spawn(adder)
      let thrown: unknown
      let told = 0
      actor.subscribe((event) => {
        if (event !== "start") return
        try {
          for (; ; told++) actor.tell("add")
        } catch (error) {
          thrown = error
        }
      })
      actor.tell("start")
      expect(told).toBe(65_536)
      expect(thrown).toBeInstanceOf(Actor.MailboxFull)
      expect(String(thrown)).toContain(`65536 inputs wait for actor "test/adder" on node "n1" already`)
      expect(actor.state()).toBe(65_536)
      actor.tell("add")
      expect(actor.state()).toBe(65_537)
    }).pipe(Effect.provide(alone()))
  )

  it.effect("a reader of events that lags by more than 1,024 misses the oldest", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      const read: Array<string> = []
      const reader = yield* Stream.runForEach(actor.events, (event) =>
        Effect.andThen(
          Effect.sync(() => read.push(event)),
          Effect.yieldNow
        )
      ).pipe(Effect.forkChild)
      yield* settle
      actor.tell(Array.from({ length: 3000 }, (_, at) => emit(`${at}`)))
      yield* Effect.forEach(Array.from({ length: 4000 }), () => Effect.yieldNow, { discard: true })
      expect(read.length).toBeLessThanOrEqual(1024 + 64)
      expect(read.length).toBeGreaterThanOrEqual(1024)
      expect(read.at(-1)).toBe("2999")
      expect(read.toSorted((a, b) => Number(a) - Number(b))).toEqual(read)
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.provide(alone()))
  )
})

describe("subscriptions", () => {
  it.effect("end when they are told to", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      const events: Array<string> = []
      const stop = actor.subscribe((event) => {
        events.push(event)
        stop()
      })
      actor.tell([emit("a"), emit("b")])
      expect(events).toEqual(["a"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("of one listener twice are two, which end one by one", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const actor = yield* spawn()
      const listener = (event: string) => events.push(event)
      const [first] = [actor.subscribe(listener), actor.subscribe(listener)]
      actor.tell([emit("a")])
      first()
      first()
      actor.tell([emit("b")])
      expect(events).toEqual(["a", "a", "b"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("as a stream give the events from then on", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      actor.tell([emit("missed")])
      const reader = yield* Effect.forkChild(Stream.runCollect(Stream.take(actor.events, 3)))
      yield* settle
      actor.tell([emit("a"), emit("b"), emit("c"), emit("d")])
      expect(yield* Fiber.join(reader)).toEqual(["a", "b", "c"])
    }).pipe(Effect.provide(alone()))
  )
})

describe("metrics", () => {
  const series = Effect.map(Metric.snapshot, (all) =>
    all
      .filter(({ id }) => id.startsWith("troupe_actor_"))
      .map(({ attributes, id, state }) => ({ id, attributes, count: (state as { readonly count: number }).count }))
  )

  it.effect("are the counters, by protocol, node and actor, for as long as the actor lives", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const actor = yield* spawn({}, { name: "named" })
          actor.tell([send("n2", "x"), send("n2", "y"), emit("z")])
          const attributes = { protocol: "test/recorder", node: "n1", actor: "named" }
          const expected = { steps: 2, sent: 2, received: 0, commands: 1, timeouts: 0, events: 1, restarts: 0 }
          expect(actor.counters).toEqual(expected)
          expect(yield* series).toEqual(
            expect.arrayContaining(
              Object.entries(expected).map(([name, count]) => ({ id: `troupe_actor_${name}`, attributes, count }))
            )
          )
        })
      )
      expect(yield* series).toEqual([])
    }).pipe(Effect.provide(alone()), Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})

describe("an observer", () => {
  it.effect("sees every spawn and step: input, next state, and what was asked for", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const onStep = ({ actions, failure, input, node, state }: Step) =>
        seen.push({ node, input, state, actions, ...(failure === undefined ? {} : { failure: String(failure) }) })
      const actor = yield* Effect.provideService(spawn({ onStart: [set("t", 10)] }), Observer, {
        onSpawn: ({ actor, node, state }) => seen.push({ spawned: actor, node, state }),
        onStep
      })
      actor.tell([emit("e"), send("n2", "m")])
      yield* TestClock.adjust("10 millis")
      actor.tell([emit("lost"), fail("boom")])
      const input = { _tag: "Command" }
      expect(seen).toEqual([
        { spawned: "test/recorder", node: "n1", state: [] },
        {
          node: "n1",
          input: { _tag: "Start" },
          state: ["start"],
          actions: [{ _tag: "SetTimer", timer: "t", delayMillis: 10 }]
        },
        {
          node: "n1",
          input: expect.objectContaining(input),
          state: ["start", "command"],
          actions: [
            { _tag: "Emit", event: "e" },
            { _tag: "Send", to: "n2", message: "m" }
          ]
        },
        { node: "n1", input: { _tag: "Timeout", timer: "t" }, state: ["start", "command", "timeout t"], actions: [] },
        { node: "n1", input: expect.objectContaining(input), state: [], actions: [], failure: "Error: boom" },
        expect.objectContaining({ input: { _tag: "Start" }, state: ["start"] })
      ])
    }).pipe(Effect.provide([alone(), logged([])]))
  )

  it.effect("sees once that an actor stops, with its scope or for good", () =>
    Effect.gen(function* () {
      const stopped: Array<string> = []
      const observer = {
        onSpawn: () => {},
        onStep: () => {},
        onStop: ({ actor }: { readonly actor: string }) => stopped.push(actor)
      }
      const failing = yield* spawn({}, { restart: { limit: 0 } }).pipe(
        Effect.provideService(Observer, observer),
        Effect.provide(logged([])),
        Effect.tap((actor) => Effect.sync(() => actor.tell([fail("boom")]))),
        Effect.scoped
      )
      expect(stopped).toEqual([failing.name])
      yield* Effect.scoped(Effect.provideService(spawn(), Observer, observer))
      expect(stopped).toEqual([failing.name, failing.name])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("sees a step before its actions are performed", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const actor = yield* Effect.provideService(spawn(), Observer, {
        onSpawn: () => {},
        onStep: ({ input }) => order.push(`step ${input._tag}`)
      })
      actor.subscribe((event) => order.push(event))
      actor.tell([emit("a"), emit("b")])
      expect(order).toEqual(["step Start", "step Command", "a", "b"])
    }).pipe(Effect.provide(alone()))
  )
})

describe("membership", () => {
  it.effect("hands over each view in order, and the latest again after a restart", () =>
    Effect.gen(function* () {
      const views = yield* Queue.unbounded<Protocol.View>()
      const actor = yield* Effect.provideService(spawn(), Membership, { views: Stream.fromQueue(views) })
      yield* Queue.offerAll(views, [
        { number: 1, members: ["n1"] },
        { number: 2, members: ["n1", "n2"] }
      ])
      yield* settle
      expect(actor.state()).toEqual(["start", "view 1", "view 2"])
      actor.tell([fail("boom")])
      expect(actor.state()).toEqual(["start", "view 2"])
      yield* Queue.offer(views, { number: 3, members: ["n2"] })
      yield* settle
      expect(actor.state()).toEqual(["start", "view 2", "view 3"])
    }).pipe(Effect.provide([alone(), logged([])]))
  )

  it.effect("gives the view once after a start that failed on the way", () =>
    Effect.gen(function* () {
      const views = yield* Queue.unbounded<Protocol.View>()
      let failures = 0
      const onView = () => (failures++ === 0 ? [fail("first view")] : [])
      const actor = yield* Effect.provideService(spawn({ onView }), Membership, { views: Stream.fromQueue(views) })
      yield* Queue.offer(views, { number: 1, members: ["n1"] })
      yield* settle
      expect(actor.state()).toEqual(["start", "view 1"])
      expect(actor.counters.restarts).toBe(1)
    }).pipe(Effect.provide([alone(), logged([])]))
  )

  it.effect("is not asked for by a protocol that has no views", () =>
    Effect.gen(function* () {
      const views = Stream.fromEffect(Effect.die("nobody reads this"))
      const actor = yield* Effect.provideService(Actor.spawn(adder), Membership, { views })
      yield* settle
      expect(actor.state()).toBe(0)
    }).pipe(Effect.provide(alone()))
  )
})

describe("the end of the scope", () => {
  it.effect("stops the actor: no timer, message or command reaches it, and its channel is free", () => {
    const network = Memory.network({ nodes: ["n1", "n2"] })
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const first = yield* Layer.build(Memory.layer(network, "n1"))
      const actor = yield* spawn().pipe(Effect.provideContext(first), Scope.provide(scope))
      const other = yield* Effect.provideContext(spawn(), yield* Layer.build(Memory.layer(network, "n2")))
      actor.tell([set("t", 10)])
      other.tell([send("n1", "late")])
      yield* Scope.close(scope, Exit.void)
      yield* settle
      yield* TestClock.adjust("1 hour")
      actor.tell([emit("late")])
      expect(actor.state()).toEqual(["start", "command"])
      expect(actor.counters).toMatchObject({ timeouts: 0, events: 0 })
    })
  })

  it.effect("in onRestart leaves it at its new first state", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const onRestart = () => Effect.runSync(Scope.close(scope, Exit.void))
      const actor = yield* spawn({}, { onRestart }).pipe(Effect.provide(logged([])), Scope.provide(scope))
      actor.tell([fail("boom")])
      expect(actor.state()).toEqual([])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("in the middle of a step leaves the rest of its actions undone", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const actor = yield* Scope.provide(spawn(), scope)
      const events: Array<string> = []
      actor.subscribe((event) => {
        events.push(event)
        Effect.runSync(Scope.close(scope, Exit.void))
      })
      actor.tell([emit("a"), set("t", 10), emit("b"), send("n2", "x")])
      yield* TestClock.adjust("1 hour")
      expect(events).toEqual(["a"])
      expect(actor.counters).toMatchObject({ sent: 0, timeouts: 0 })
    }).pipe(Effect.provide(alone()))
  )
})

describe("a protocol's messages", () => {
  it.effect("go through its codec where the transport encodes: one that the schema refuses is dropped", () => {
    const network = Memory.network({ nodes: ["n1", "n2"], encode: "always" })
    return Effect.gen(function* () {
      const one = yield* Effect.provideContext(spawn(), yield* Layer.build(Memory.layer(network, "n1")))
      const two = yield* Effect.provideContext(spawn(), yield* Layer.build(Memory.layer(network, "n2")))
      one.tell([send("n2", 7 as unknown as string), send("n2", "fine")])
      yield* settle
      expect(two.state()).toEqual(["start", "n1: fine"])
      expect(one.state()).toEqual(["start", "command"])
    })
  })

  it.effect("reach a machine that is given its options through self", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Transport
      const protocol: Protocol.Protocol<number, string, "add", never, never, { readonly by: number }> = {
        name: "test/options",
        message: Schema.String,
        init: (self) => self.options.by,
        onCommand: (state, _add, act) => state + act.self.options.by,
        onMessage: (state) => state
      }
      const actor = yield* Actor.spawn(protocol, { options: { by: 5 } })
      actor.tell("add")
      expect(actor.state()).toBe(10)
      expect(actor.self).toEqual({ id: "n1", nodes, peers: ["n2"], options: { by: 5 } })
    }).pipe(Effect.provide(alone()))
  )
})
