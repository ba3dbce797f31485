/** Steps of an actor, and its timers. */
import { describe, expect, it } from "@effect/vitest"
import { Actor, type Protocol } from "@troupe/actor"
import { Memory } from "@troupe/transport"
import { Clock, Effect, Layer, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import { alone, clear, emit, logged, send, set, settle, spawn } from "./support.ts"

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
