import { describe, expect, it } from "@effect/vitest"
import type { Protocol } from "@troupe/actor"
import { Bully } from "@troupe/election"
import { Replay } from "@troupe/simulation"
import { Trace } from "@troupe/trace"
import { Effect, Schema } from "effect"
import { elections, counterexample, replayLocks, replayElection } from "./replaySupport.ts"

describe("a trace that is not the run of this protocol", () => {
  const split = { network: { splits: [[["n1", "n2"], ["n3"]]] } }
  type Step = Extract<Trace.Event, { readonly _tag: "Step" }>

  /** Changes the last step that `which` names; says where that is. */
  const tampered = (trace: Trace.Trace, which: (step: Step) => boolean, change: (step: Step) => Trace.Event) => {
    const index = trace.events.findLastIndex((event) => event._tag === "Step" && which(event))
    return {
      step: index + 1,
      trace: { ...trace, events: trace.events.with(index, change(trace.events[index] as Step)) }
    }
  }

  it.effect.each([
    ["state", (step: Step): Trace.Event => ({ ...step, state: { ...(step.state as object), role: "leading" } })],
    [
      "actions",
      (step: Step): Trace.Event => ({ ...step, actions: [...step.actions, { _tag: "ClearTimer", timer: "x" }] })
    ],
    [
      "input",
      (step: Step): Trace.Event => ({
        ...step,
        input: { ...step.input, message: { _tag: "Ok", seen: 9 } } as Trace.Input
      })
    ]
  ] as const)("leaves it where its %s was changed", ([what, change]) =>
    Effect.gen(function* () {
      const original = yield* counterexample(elections(split))
      const { step, trace } = tampered(original, ({ input }) => input._tag === "Message", change)
      const error = yield* Effect.flip(replayElection(trace))
      expect(error).toMatchObject({ _tag: "Diverged", step, what })
      expect(error.message).toMatch(
        new RegExp(
          `^The replay leaves the trace at step ${step}, on node "n\\d": its ${what} (is|are) .*; in the trace `
        )
      )
    })
  )

  it.effect("leaves it where a timer is to run out that does not run", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(elections(split))
      const { step, trace } = tampered(
        original,
        ({ input }) => input._tag === "Timeout",
        (event) => ({ ...event, input: { _tag: "Timeout", timer: "nonesuch" } })
      )
      const error = yield* Effect.flip(replayElection(trace))
      expect(error).toMatchObject({ _tag: "Diverged", step, what: "step", found: undefined })
      expect(error.message).toContain(
        `what happens is nothing; in the trace it is {"_tag":"Timeout","timer":"nonesuch"}`
      )
    })
  )

  it.effect("leaves it at the first step of other options, or of another protocol", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(elections(split))
      const slow = { ...Bully.defaults, roundTripMillis: 500 }
      expect(yield* Effect.flip(replayElection(original, slow))).toMatchObject({ step: 1, what: "actions" })
      expect(yield* Effect.flip(replayLocks(original))).toMatchObject({ step: 1, what: "state" })
    })
  )

  it.effect("leaves it where a handler throws", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(elections(split))
      const throwing = {
        ...Bully.protocol,
        onTimeout: () => {
          throw new Error("no time")
        }
      }
      const step = original.events.findIndex((event) => event._tag === "Step" && event.input._tag === "Timeout") + 1
      const error = yield* Effect.flip(Replay.run({ protocol: throwing, options: Bully.defaults, trace: original }))
      expect(error).toMatchObject({ _tag: "Diverged", step, what: "step" })
      expect(error.message).toContain("a handler that threw Error: no time")
    })
  )

  it.effect("leaves it where the first state cannot be made", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(elections(split))
      const throwing = {
        ...Bully.protocol,
        init: () => {
          throw new Error("no beginning")
        }
      }
      const error = yield* Effect.flip(Replay.run({ protocol: throwing, options: Bully.defaults, trace: original }))
      expect(error).toMatchObject({ _tag: "Diverged", step: 1, node: "n1", what: "step" })
      expect(error.message).toContain("no beginning")
    })
  )

  it.effect("leaves it where a message crosses a split", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(elections(split))
      const at = original.events.findLastIndex(({ _tag }) => _tag === "Lost")
      const { id } = original.events[at] as Extract<Trace.Event, { readonly _tag: "Lost" }>
      const sender = original.events.find((event) => Trace.sends(event).some((send) => send.id === id)) as Step
      const { message, to } = Trace.sends(sender).find((send) => send.id === id)!
      const input: Trace.Input = { _tag: "Message", from: sender.node, message, id }
      const crossing = { ...sender, node: to, input, actions: [] }
      const trace = { ...original, events: original.events.with(at, crossing) }
      expect(yield* Effect.flip(replayElection(trace))).toMatchObject({ step: at + 1, what: "step", found: undefined })
    })
  )
})

describe("a state is the one of the trace", () => {
  /** Its state is what it is given. */
  const given: Protocol.Protocol<unknown, null, never, never, never, unknown> = {
    name: "test/given",
    message: Schema.Null,
    init: ({ options }) => options,
    onCommand: (state) => state,
    onMessage: (state) => state
  }

  const states: ReadonlyArray<readonly [string, unknown, unknown, boolean]> = [
    ["fields in another order", { a: 1, b: [2] }, { b: [2], a: 1 }, true],
    ["a field that is undefined", { a: 1 }, { a: 1, b: undefined }, true],
    ["a field more", { a: 1 }, { a: 1, b: null }, false],
    ["a field less", { a: 1, b: null }, { a: 1 }, false],
    ["another number", [1, { a: 2 }], [1, { a: 3 }], false],
    ["an item more", [1], [1, 2], false],
    ["an array for an object", {}, [], false],
    ["an object for an array", [], {}, false],
    ["null for an object", {}, null, false],
    ["a set in another order", new Set([1, { a: 1 }]), new Set([{ a: 1 }, 1]), true],
    ["a set of others", new Set([1, 2]), new Set([1, 3]), false],
    [
      "a map in another order",
      new Map([
        ["a", 1],
        ["b", 2]
      ]),
      new Map([
        ["b", 2],
        ["a", 1]
      ]),
      true
    ],
    ["a map for a set", new Set(), new Map(), false],
    ["a set for an object", {}, new Set(), false],
    ["not a number", NaN, NaN, true],
    [
      "what isn't JSON, read from a file",
      ["7n", "NaN", "Set(1) {1}", "undefined"],
      [7n, NaN, new Set([1]), undefined],
      true
    ],
    ["another of these", ["7n"], [8n], false],
    ["a number for its text", "7", 7, false]
  ]

  it.effect.each(states)("%s", ([, state, found, isSame]) =>
    Effect.gen(function* () {
      const start: Trace.Event = {
        _tag: "Step",
        node: "n1",
        clock: { n1: 1 },
        actor: "n1",
        input: { _tag: "Start" },
        actions: [],
        state
      }
      const header = Trace.header({ title: "", source: "model-checker", nodes: ["n1"] })
      const replayed = Replay.run({ protocol: given, options: found, trace: { header, events: [start] } })
      expect((yield* Effect.result(replayed))._tag).toBe(isSame ? "Success" : "Failure")
    })
  )
})

describe("what is no whole trace of actors is refused, with its line", () => {
  const start = (node: string): Trace.Event => ({
    _tag: "Step",
    node,
    clock: { [node]: 1 },
    actor: node,
    input: { _tag: "Start" },
    actions: [{ _tag: "Send", id: node === "n1" ? 1 : 2, to: "n2", message: "a" }]
  })
  const receipt = (id: number | undefined, from = "n1", node = "n2"): Trace.Event => ({
    _tag: "Step",
    node,
    clock: { n2: 2 },
    actor: node,
    input: { _tag: "Message", from, message: "a", ...(id === undefined ? {} : { id }) },
    actions: []
  })
  const crash: Trace.Event = { _tag: "Crash", node: "n2", clock: { n2: 2 } }
  const restart: Trace.Event = { _tag: "Restart", node: "n2", clock: { n2: 2 } }
  const quiet: Protocol.Protocol<number, string> = {
    name: "test/quiet",
    message: Schema.String,
    init: () => 0,
    onCommand: (state) => state,
    onMessage: (state) => state
  }
  const both = [start("n1"), start("n2")]

  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Trace.Event>]> = [
    ["message 7 is received, and was not sent before", [...both, receipt(7)]],
    ["it does not say by its id which message is received", [...both, receipt(undefined)]],
    [`message 1 went from "n1" to "n2", and is received from "n2" by "n2"`, [...both, receipt(1, "n2")]],
    ["message 1 is received after it was lost", [...both, { _tag: "Lost", id: 1 }, receipt(1)]],
    ["message 9 is lost, and was not sent before", [...both, { _tag: "Lost", id: 9 }]],
    ["message 1 is sent twice", [...both, crash, restart, { ...start("n1"), node: "n2" } as Trace.Event]],
    [`node "n2" takes a step before its start`, [start("n1"), receipt(1)]],
    [`node "n1" starts twice in one life`, [...both, start("n1")]],
    [`node "n2" takes a step while it is down`, [...both, crash, receipt(1)]],
    [`node "n2" is down already`, [...both, crash, crash]],
    [`node "n2" restarts while it is up`, [...both, restart]],
    [`the header does not name node "n3"`, [...both, { _tag: "Split", parts: [["n1", "n2"], ["n3"]] }]],
    [`the header does not name node "n3"`, [...both, start("n3")]],
    [
      "Stop is what a program does beside its actor; only steps of actors are replayed",
      [...both, { _tag: "Stop", node: "n1", clock: { n1: 2 }, actor: "n1" }]
    ],
    [
      "its handler threw; only what a model checker may find is replayed",
      [...both, { ...receipt(1), failure: "Error" } as Trace.Event]
    ]
  ]

  it.effect.each(cases)("%s", ([reason, events]) =>
    Effect.gen(function* () {
      const header = Trace.header({ title: "bad", source: "model-checker", nodes: ["n1", "n2"] })
      const error = yield* Effect.flip(Replay.run({ protocol: quiet, trace: { header, events } }))
      expect(error).toMatchObject({ _tag: "MalformedTrace", line: events.length + 1, reason })
    })
  )

  it.effect("a trace whose beginning was dropped, and nodes that cannot be", () =>
    Effect.gen(function* () {
      const header = Trace.header({ title: "bad", source: "driver", nodes: ["n1"], dropped: 3 })
      expect(yield* Effect.flip(Replay.run({ protocol: quiet, trace: { header, events: [] } }))).toMatchObject({
        _tag: "MalformedTrace",
        line: 1
      })
      const nodes = Trace.header({ title: "bad", source: "model-checker", nodes: [""] })
      const error = yield* Effect.flip(Replay.run({ protocol: quiet, trace: { header: nodes, events: [] } }))
      expect(error).toMatchObject({ _tag: "InvalidOptions" })
    })
  )

  it.effect("a node may crash before it starts, and again", () =>
    Effect.gen(function* () {
      const header = Trace.header({ title: "short", source: "model-checker", nodes: ["n1", "n2"] })
      const start2 = { ...start("n2"), actions: [] } as Trace.Event
      const events = [crash, restart, start2, crash, restart, crash, restart, start2, crash, restart]
      const { snapshot, steps } = yield* Replay.run({ protocol: quiet, trace: { header, events } })
      expect({ snapshot, steps }).toEqual({ steps: 2, snapshot: [{ node: "n2", alive: false, state: 0 }] })
    })
  )

  it.effect("one event and none are traces", () =>
    Effect.gen(function* () {
      const header = Trace.header({ title: "short", source: "model-checker", nodes: ["n1", "n2"] })
      expect(yield* Replay.run({ protocol: quiet, trace: { header, events: [] } })).toMatchObject({
        steps: 0,
        snapshot: []
      })
      const { snapshot, steps } = yield* Replay.run({
        protocol: quiet,
        trace: { header, events: [{ ...start("n1"), actions: [] } as Trace.Event] }
      })
      expect({ snapshot, steps }).toEqual({ steps: 1, snapshot: [{ node: "n1", alive: true, state: 0 }] })
    })
  )
})
