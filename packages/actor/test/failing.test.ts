/** What becomes of an actor whose handlers throw, or of whom code around it does. */
import { describe, expect, it } from "@effect/vitest"
import { Actor, Observer } from "@troupe/actor"
import { Memory } from "@troupe/transport"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { alone, emit, fail, logged, send, set, settle, spawn } from "./support.ts"

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
