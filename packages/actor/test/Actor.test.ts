import { describe, expect, it } from "@effect/vitest"
import { Actor, Membership, Observer, type Protocol, type Step } from "@troupe/actor"
import { Memory, Transport } from "@troupe/transport"
import { Clock, Effect, Exit, Fiber, Layer, Metric, Queue, Random, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { alone, clear, emit, fail, logged, send, set, settle, spawn } from "./support.ts"

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

const constant = (value: number) => ({ nextDoubleUnsafe: () => value, nextIntUnsafe: () => 0 })

describe("a step", () => {
  it.effect("is done when tell returns", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      actor.tell([])
      expect(actor.state()).toEqual(["start", "command"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("runs to completion: a command from an event's listener waits its turn", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      const seen: Array<string> = []
      actor.subscribe((event) => {
        seen.push(`${event} after ${actor.state().length} inputs`)
        if (event === "first") actor.tell([emit("from the listener")])
        seen.push(`${event} over`)
      })
      actor.tell([emit("first"), emit("second")])
      expect(seen).toEqual([
        "first after 2 inputs",
        "first over",
        "second after 2 inputs",
        "second over",
        "from the listener after 3 inputs",
        "from the listener over"
      ])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("takes what waited in the order in which it came", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      const seen: Array<string> = []
      actor.subscribe((event) => {
        seen.push(event)
        if (event === "go") for (const next of ["a", "b", "c"]) actor.tell([emit(next)])
        if (event === "a") actor.tell([emit("d")])
      })
      actor.tell([emit("go")])
      expect(seen).toEqual(["go", "a", "b", "c", "d"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("does what was asked for in the order of asking, after the state is stored", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      const happened: Array<string> = []
      actor.subscribe((event) =>
        happened.push(`${event} at ${actor.state().length} inputs, ${actor.counters.sent} sent`)
      )
      actor.tell([emit("a"), send("n2", "x"), send("n2", "y"), emit("b")])
      expect(happened).toEqual(["a at 2 inputs, 0 sent", "b at 2 inputs, 2 sent"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("sends reach the peer in order, and the sender itself when it is named", () => {
    const network = Memory.network({ nodes: ["n1", "n2"] })
    return Effect.gen(function* () {
      const one = yield* Effect.provideContext(spawn(), yield* Layer.build(Memory.layer(network, "n1")))
      const two = yield* Effect.provideContext(spawn(), yield* Layer.build(Memory.layer(network, "n2")))
      one.tell([send("n2", "x"), send("n1", "to myself"), send("n2", "y")])
      expect(one.state()).toEqual(["start", "command"])
      yield* settle
      expect(two.state()).toEqual(["start", "n1: x", "n1: y"])
      expect(one.state()).toEqual(["start", "command", "n1: to myself"])
    })
  })

  it.effect("takes messages that came before it was spawned, after its start", () => {
    const network = Memory.network({ nodes: ["n1", "n2"] })
    return Effect.gen(function* () {
      const one = yield* Effect.provideContext(spawn(), yield* Layer.build(Memory.layer(network, "n1")))
      const second = yield* Layer.build(Memory.layer(network, "n2"))
      one.tell([send("n2", "early")])
      yield* settle
      const two = yield* Effect.provideContext(spawn(), second)
      yield* settle
      expect(two.state()).toEqual(["start", "n1: early"])
    })
  })

  it.effect("reads time and chance from the services of the scope that spawned it", () =>
    Effect.gen(function* () {
      const protocol: Protocol.Protocol<ReadonlyArray<number>, string, "look"> = {
        name: "test/look",
        message: Schema.String,
        init: () => [],
        onCommand: (_state, _look, act) => [act.now(), act.monotonic(), act.random(), act.random()],
        onMessage: (state) => state
      }
      yield* TestClock.setTime(5000)
      const monotonic = Number(yield* Clock.monotonicTimeNanos) / 1e6
      const [first, second] = yield* Effect.all([
        Actor.spawn(protocol, { name: "a" }).pipe(Effect.provideService(Random.Random, constant(0.25))),
        Actor.spawn(protocol, { name: "b" }).pipe(Effect.provideService(Random.Random, constant(0.75)))
      ])
      first.tell("look")
      second.tell("look")
      expect(first.state()).toEqual([5000, monotonic, 0.25, 0.25])
      expect(second.state()).toEqual([5000, monotonic, 0.75, 0.75])
    }).pipe(Effect.provide(alone()))
  )
})

describe("a timer", () => {
  it.effect("runs out once, at its time", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      actor.tell([set("t", 100)])
      yield* TestClock.adjust("99 millis")
      expect(actor.state()).toEqual(["start", "command"])
      yield* TestClock.adjust("1 millis")
      expect(actor.state()).toEqual(["start", "command", "timeout t"])
      yield* TestClock.adjust("1 hour")
      expect(actor.counters.timeouts).toBe(1)
    }).pipe(Effect.provide(alone()))
  )

  it.effect("that is set anew runs out at its later time only, or its earlier", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      actor.tell([set("late", 100), set("late", 200), set("early", 200), set("early", 50)])
      yield* TestClock.adjust("50 millis")
      expect(actor.state().slice(2)).toEqual(["timeout early"])
      yield* TestClock.adjust("149 millis")
      expect(actor.counters.timeouts).toBe(1)
      yield* TestClock.adjust("1 millis")
      expect(actor.state().slice(2)).toEqual(["timeout early", "timeout late"])
      yield* TestClock.adjust("1 hour")
      expect(actor.counters.timeouts).toBe(2)
    }).pipe(Effect.provide(alone()))
  )

  it.effect("that is cleared never runs out, also when it is cleared in the step that set it", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      actor.tell([set("a", 100), set("b", 0), clear("b"), clear("unknown")])
      actor.tell([clear("a")])
      yield* TestClock.adjust("1 hour")
      expect(actor.counters.timeouts).toBe(0)
    }).pipe(Effect.provide(alone()))
  )

  it.effect("of the same moment as others runs out in the order of setting", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      const names = Array.from({ length: 100 }, (_, at) => `t${at}`)
      actor.tell(names.map((name) => set(name, 100)))
      yield* TestClock.adjust("100 millis")
      expect(actor.state().slice(2)).toEqual(names.map((name) => `timeout ${name}`))
    }).pipe(Effect.provide(alone()))
  )

  it.effect("keeps its place among many", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      const delays = Array.from({ length: 1000 }, (_, at) => (at * 7919) % 1009)
      actor.tell(delays.map((millis, at) => set(`${at}`, millis)))
      yield* TestClock.adjust("2 seconds")
      const expected = delays
        .map((millis, at) => ({ millis, at }))
        .toSorted((a, b) => a.millis - b.millis || a.at - b.at)
      expect(actor.state().slice(2)).toEqual(expected.map(({ at }) => `timeout ${at}`))
    }).pipe(Effect.provide(alone()))
  )

  it.effect("of no delay runs out in a later step", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      actor.tell([set("now", 0), set("before", -5)])
      expect(actor.state()).toEqual(["start", "command"])
      yield* settle
      expect(actor.state().slice(2)).toEqual(["timeout now", "timeout before"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("can be set by the timeout of another, and of itself", () =>
    Effect.gen(function* () {
      const actor = yield* spawn({
        onStart: [set("tick", 10)],
        onTimeout: (timer) => (timer === "tick" ? [set("tick", 10), set("tock", 5)] : [])
      })
      yield* TestClock.adjust("32 millis")
      expect(actor.state()).toEqual([
        "start",
        "timeout tick",
        "timeout tock",
        "timeout tick",
        "timeout tock",
        "timeout tick"
      ])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("that another timeout of the same moment clears does not run out", () =>
    Effect.gen(function* () {
      const actor = yield* spawn({ onTimeout: (timer) => (timer === "a" ? [clear("b")] : []) })
      actor.tell([set("a", 10), set("b", 10), set("c", 10)])
      yield* TestClock.adjust("1 hour")
      expect(actor.state().slice(2)).toEqual(["timeout a", "timeout c"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("that never runs out may be set, one whose delay is not a number may not", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const actor = yield* Effect.provide(spawn(), logged(lines))
      actor.tell([set("never", Infinity), set("soon", 10)])
      yield* TestClock.adjust("1000 hours")
      expect(actor.state().slice(2)).toEqual(["timeout soon"])
      actor.tell([set("bad", NaN)])
      expect(actor.counters.restarts).toBe(1)
      expect(lines.join()).toContain(`the delay of timer "bad" is not a number`)
    }).pipe(Effect.provide(alone()))
  )

  it.effect("that is set and cleared a million times takes no memory, and others keep their time", () =>
    Effect.gen(function* () {
      const actor = yield* spawn()
      actor.tell([set("kept", 1000)])
      for (let i = 0; i < 1000; i++) {
        actor.tell(Array.from({ length: 1000 }, (_, at) => (at % 2 === 0 ? set("t", 10_000) : clear("t"))))
      }
      const { heap } = (actor as unknown as { readonly timers: { readonly heap: ReadonlyArray<unknown> } }).timers
      expect(heap.length).toBeLessThan(64)
      yield* TestClock.adjust("1 second")
      expect(actor.state().at(-1)).toBe("timeout kept")
    }).pipe(Effect.provide(alone()))
  )
})

describe("a handler that throws", () => {
  const script = (when: string) => ({
    onStart: [set("started", 50)],
    onMessage: (message: string) =>
      message === when ? [send("n2", "lost"), set("lost", 1), emit("lost"), fail("boom")] : []
  })

  it.effect("changes nothing: the protocol starts again from init, without its timers and what it asked for", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const restarted: Array<unknown> = []
      const events: Array<string> = []
      const actor = yield* Effect.provide(
        spawn({ onStart: [set("started", 50)] }, { onRestart: (state, failure) => restarted.push([state, failure]) }),
        logged(lines)
      )
      actor.subscribe((event) => events.push(event))
      actor.tell([set("before", 10)])
      actor.tell([send("n2", "lost"), set("during", 10), emit("lost"), fail("boom")])
      expect(actor.state()).toEqual(["start"])
      expect(restarted).toEqual([[[], new Error("boom")]])
      expect(lines).toEqual(["the handler of a Command threw: the protocol starts again (Error: boom)"])
      yield* TestClock.adjust("49 millis")
      expect(actor.state()).toEqual(["start"])
      yield* TestClock.adjust("1 millis")
      expect(actor.state()).toEqual(["start", "timeout started"])
      expect(events).toEqual([])
      expect(actor.counters).toEqual({
        steps: 5,
        sent: 0,
        received: 0,
        commands: 2,
        timeouts: 1,
        events: 0,
        restarts: 1
      })
      actor.tell([])
      expect(actor.state()).toEqual(["start", "timeout started", "command"])
    }).pipe(Effect.provide(alone()))
  )

  it.effect("of a message leaves the others of its network undisturbed, and later messages arrive", () => {
    const network = Memory.network({ nodes: ["n1", "n2"] })
    return Effect.gen(function* () {
      const one = yield* Effect.provideContext(spawn(), yield* Layer.build(Memory.layer(network, "n1")))
      const two = yield* Effect.provideContext(spawn(script("bad")), yield* Layer.build(Memory.layer(network, "n2")))
      one.tell([send("n2", "good"), send("n2", "bad"), send("n2", "better")])
      yield* settle
      expect(two.state()).toEqual(["start", "n1: better"])
      expect(two.counters).toMatchObject({ received: 3, restarts: 1 })
      expect(one.state()).toEqual(["start", "command"])
    }).pipe(Effect.provide(logged([])))
  })

  it.effect("too often ends the actor, which says so once and for all", () =>
    Effect.gen(function* () {
      const actor = yield* spawn({}, { restart: { limit: 2, within: "1 second" } })
      const failed = yield* Effect.forkChild(Effect.exit(actor.failed))
      yield* settle
      for (let i = 0; i < 2; i++) actor.tell([fail(`boom ${i}`)])
      expect(actor.state()).toEqual(["start"])
      actor.tell([set("t", 10), emit("lives")])
      actor.tell([fail("the last one")])
      const failure = new Actor.ActorFailed({
        node: "n1",
        actor: "test/recorder",
        restarts: 2,
        cause: new Error("the last one")
      })
      expect(yield* Fiber.join(failed)).toEqual(Exit.fail(failure))
      expect(yield* Effect.exit(actor.failed)).toEqual(Exit.fail(failure))
      expect(failure.message).toBe(
        `Actor "test/recorder" on node "n1" stopped for good after 2 restarts: Error: the last one`
      )
      const { steps } = actor.counters
      actor.tell([])
      yield* TestClock.adjust("1 hour")
      expect(actor.counters.steps).toBe(steps)
    }).pipe(Effect.provide([alone(), logged([])]))
  )

  it.effect("now and then is borne for good: only restarts within the window count", () =>
    Effect.gen(function* () {
      const actor = yield* spawn({}, { restart: { limit: 1, within: "1 second" } })
      for (let i = 0; i < 10; i++) {
        actor.tell([fail("boom")])
        yield* TestClock.adjust("1 second")
      }
      expect(actor.counters.restarts).toBe(10)
      actor.tell([])
      expect(actor.state()).toEqual(["start", "command"])
    }).pipe(Effect.provide([alone(), logged([])]))
  )

  it.effect("at each start ends the actor after ten restarts", () =>
    Effect.gen(function* () {
      const actor = yield* spawn({ onStart: [fail("no start")] })
      const exit = yield* Effect.exit(actor.failed)
      expect(String(exit)).toContain("after 10 restarts: Error: no start")
    }).pipe(Effect.provide([alone(), logged([])]))
  )

  it.effect("at each start ends the actor after 1,000 restarts whatever its policy says", () =>
    Effect.gen(function* () {
      const actor = yield* spawn({ onStart: [fail("no start")] }, { restart: { limit: Infinity } })
      expect(String(yield* Effect.exit(actor.failed))).toContain("after 1000 restarts: Error: no start")
    }).pipe(Effect.provide([alone(), logged([])]))
  )

  it.effect("in init is a defect of spawn at first, and ends the actor at a restart", () => {
    let starts = 0
    const script = (bad: number) => ({
      init: () => {
        if (++starts === bad) throw new Error("no state")
        return []
      }
    })
    return Effect.gen(function* () {
      expect(String(yield* Effect.exit(spawn(script(1))))).toContain("no state")
      const actor = yield* spawn(script(3))
      actor.tell([fail("boom")])
      expect(String(yield* Effect.exit(actor.failed))).toContain("after 1 restarts: Error: no state")
    }).pipe(Effect.provide([alone(), logged([])]))
  })
})

describe("code around an actor that throws", () => {
  it.effect("does it no harm: a listener", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const events: Array<string> = []
      const actor = yield* Effect.provide(spawn(), logged(lines))
      actor.subscribe(() => {
        throw new Error("bad listener")
      })
      actor.subscribe((event) => events.push(event))
      actor.tell([emit("a"), emit("b")])
      actor.tell([emit("c")])
      expect(events).toEqual(["a", "b", "c"])
      expect(actor.counters.restarts).toBe(0)
      expect(lines).toEqual(Array.from({ length: 3 }, () => "a listener threw (Error: bad listener)"))
    }).pipe(Effect.provide(alone()))
  )

  it.effect("does it no harm: onRestart, and an observer", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const events: Array<string> = []
      const bad = () => {
        throw new Error("bad observer")
      }
      const onRestart = () => {
        throw new Error("bad onRestart")
      }
      const actor = yield* spawn({}, { onRestart }).pipe(
        Effect.provide(logged(lines)),
        Effect.provideService(Observer, { onSpawn: bad, onStep: bad, onStop: bad })
      )
      actor.subscribe((event) => events.push(event))
      actor.tell([fail("boom")])
      actor.tell([emit("still here")])
      expect(events).toEqual(["still here"])
      expect(actor.state()).toEqual(["start", "command"])
      expect(lines).toContain("onRestart threw (Error: bad onRestart)")
      expect(lines).toContain("an observer threw (Error: bad observer)")
    }).pipe(Effect.provide(alone()))
  )
})

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
