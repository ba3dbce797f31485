import { describe, expect, it } from "@effect/vitest"
import type { Protocol } from "@troupe/actor"
import { LamportClock } from "@troupe/clocks"
import { Bully } from "@troupe/election"
import { Checker, type Model, Property, System } from "@troupe/model-checker"
import { RicartAgrawala } from "@troupe/mutex"
import { Replay, Simulation } from "@troupe/simulation"
import { SpaceTime, Trace } from "@troupe/trace"
import { Effect, Schema } from "effect"
import { three } from "./support.ts"

// ------------------------------------------------------------------------------------------------ what is checked first

type Lock = typeof RicartAgrawala.protocol
type Setting = Partial<System.System<any, any, any, any, any, any, any>>

const untyped = (protocol: { readonly name: string }): Protocol.Any => protocol as Protocol.Any

const lockUser: System.User<RicartAgrawala.State, RicartAgrawala.Command, number> = {
  memo: 0,
  moves: ({ memo, state }) => {
    if (state.phase === "inside") return [{ _tag: "Command", command: { _tag: "Release" }, memo }]
    return state.phase === "idle" && memo === 0 ? [{ _tag: "Command", command: { _tag: "Acquire" }, memo: 1 }] : []
  }
}

/** Each node enters once. */
const locks = (setting: Setting = {}, protocol: Lock = RicartAgrawala.protocol) =>
  System.make<any, any, any, any, any, any, any>({
    name: "locks",
    members: System.members(untyped(protocol), three, undefined),
    user: lockUser,
    properties: System.guarantees(RicartAgrawala.card),
    ...setting
  })

const elections = (setting: Setting = {}) =>
  System.make<any, any, any, any, any, any, any>({
    name: "elections",
    members: System.members(untyped(Bully.protocol), three, Bully.defaults),
    timeouts: "synchronous",
    properties: System.guarantees(Bully.card),
    ...setting
  })

/** A system of the nodes n1 and n2. */
const pair = <State, Message, Command, Event, Timer extends string>(
  protocol: Protocol.Protocol<State, Message, Command, Event, Timer>,
  { never, ...setting }: Setting & { readonly never: (states: ReadonlyArray<State>) => boolean }
) =>
  System.make<any, any, any, any, any, any, any>({
    name: "a pair",
    members: System.members(protocol, ["n1", "n2"], undefined),
    properties: [Property.always("never", ({ nodes }) => !never(nodes.map(({ state }) => state)))],
    ...setting
  })

/** The first counterexample that there is. */
const counterexample = (model: Model.Checkable<any>, options: Checker.Options = {}) =>
  Effect.map(Checker.check(model, options), ({ properties }) => {
    const found = properties.find(({ counterexample }) => counterexample !== undefined)
    if (found === undefined) throw new Error(`${model.name}: nothing is broken`)
    return found.counterexample!.trace
  })

/** As `troupe check --trace` leaves it. */
const filed = (trace: Trace.Trace) => Trace.decode(Trace.encode(trace))

const guarantees = {
  lock: Simulation.fromCard(RicartAgrawala.card, RicartAgrawala.protocol.name),
  election: Simulation.fromCard(Bully.card, Bully.protocol.name)
}

const replayLocks = (trace: Trace.Trace, protocol: Lock = RicartAgrawala.protocol) =>
  Replay.run({ protocol, trace, properties: guarantees.lock })

const replayElection = (trace: Trace.Trace, options = Bully.defaults) =>
  Replay.run({ protocol: Bully.protocol, options, trace, properties: guarantees.election })

/** Whether n3 does not lead, or has not been away. */
const isNoReturn = ({ history, nodes }: System.View<Bully.State, boolean>): boolean =>
  !history || nodes[2]!.state.role !== "leading"

// ------------------------------------------------------------------------------------------------------ what is compared

/** What each node knew last. */
const finalStates = (trace: Trace.Trace): Readonly<Record<string, unknown>> =>
  Object.fromEntries(trace.events.flatMap((event) => (event._tag === "Step" ? [[event.node, event.state]] : [])))

const statesOf = (snapshot: ReadonlyArray<{ readonly node: string; readonly state: unknown }>) =>
  Object.fromEntries(snapshot.map(({ node, state }) => [node, state]))

/** What happened, without what a checker and a simulator tell in ways of their own: actors' names, times, whys. */
const told = ({ events }: Trace.Trace): ReadonlyArray<string> =>
  events.flatMap((event) => {
    if (event._tag === "Lost") return [`lost ${event.id}`]
    if (event._tag === "Note") return []
    const { atMillis: _, ...rest } = event
    return [Trace.encodeEvent(rest._tag === "Step" ? { ...rest, actor: "" } : rest)]
  })

const tags = ({ events }: Trace.Trace): ReadonlySet<string> => new Set(events.map(({ _tag }) => _tag))

/** Replays it, as it is and as it is read from a file: the same steps and states. */
const agree = <State>(
  original: Trace.Trace,
  replay: (trace: Trace.Trace) => Effect.Effect<Replay.Result<State>, unknown>
) =>
  Effect.gen(function* () {
    const replayed = yield* replay(yield* filed(original))
    expect((yield* replay(original)).trace).toEqual(replayed.trace)
    expect(replayed.steps).toBe(original.events.filter(({ _tag }) => _tag === "Step").length)
    expect(statesOf(replayed.snapshot)).toEqual(finalStates(original))
    expect(replayed.trace.header).toMatchObject({ source: "simulation", nodes: original.header.nodes })
    // What a split cuts off is lost when it is sent, which a checker tells after all that is sent.
    expect(told(replayed.trace).toSorted()).toEqual(told(original).toSorted())
    return replayed
  })

describe("a counterexample is replayed: the same steps, the same states, the same broken property", () => {
  /** Compares timestamps the wrong way round: of those who wait, it gives way to the later claims. */
  const wrongWayRound: Lock = {
    ...RicartAgrawala.protocol,
    onMessage: (state, from, message, act) => {
      const { onMessage } = RicartAgrawala.protocol
      if (message._tag === "Reply" || state.phase !== "waiting") return onMessage(state, from, message, act)
      const { claim } = state
      const isEarlier = message.time < claim.time || (message.time === claim.time && from < claim.node)
      const swapped = { ...state, claim: { ...claim, time: isEarlier ? -1 : Infinity } }
      return { ...onMessage(swapped, from, message, act), claim }
    }
  }

  it.effect("a planted bug of Ricart–Agrawala: two are inside", () =>
    Effect.gen(function* () {
      const only = System.guarantees(RicartAgrawala.card).filter(({ name }) => name === "mutual exclusion")
      const original = yield* counterexample(locks({ properties: only }, wrongWayRound))
      const { broken, claimed, snapshot, trace } = yield* agree(original, (trace) => replayLocks(trace, wrongWayRound))
      // Those claims that come later go first: that breaks the order of claims too.
      expect(claimed).toEqual(["mutual exclusion"])
      expect(broken).toContain("mutual exclusion")
      expect(snapshot.filter(({ state }) => state.phase === "inside")).toHaveLength(2)
      expect(SpaceTime.terminal(trace)).toContain("✗ mutual exclusion")
      // The last step broke it, and none before.
      const note = trace.events.find((event) => event._tag === "Note" && event.text === "mutual exclusion")
      expect(note).toMatchObject({ broken: true, atMillis: original.events.length - 1 })
    })
  )

  it.effect("starvation by a crash, once through its loop", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(locks({ crashes: { max: 1 } }))
      const { broken, snapshot } = yield* agree(original, replayLocks)
      expect(tags(original)).toContain("Crash")
      expect(broken).toEqual(["no starvation"])
      expect(snapshot.filter(({ alive }) => !alive)).toHaveLength(1)
    })
  )

  it.effect("a message that is lost, and was needed", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(locks({ network: { loss: 1 } }))
      expect(tags(original)).toContain("Lost")
      expect((yield* agree(original, replayLocks)).broken).toEqual(["no starvation"])
    })
  )

  it.effect("the split brain of bully, its timers in their order", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(
        elections({
          network: {
            splits: [
              [["n1"], ["n2", "n3"]],
              [["n1", "n2"], ["n3"]]
            ]
          }
        })
      )
      expect(tags(original)).toContain("Split")
      expect((yield* agree(original, replayElection)).broken).toEqual(["at most one leader"])
    })
  )

  it.effect.each(["synchronous", "any"] as const)("crashes and restarts of bully, timeouts: %s", (timeouts) =>
    Effect.gen(function* () {
      const original = yield* counterexample(
        elections({
          timeouts,
          crashes: { max: 1, restart: true, nodes: ["n3"] },
          record: { init: false, note: (back: boolean, { _tag }: System.Occurrence) => back || _tag === "Restarted" },
          properties: [Property.always("who was away does not lead", isNoReturn)]
        }),
        { maxStates: 200_000 }
      )
      expect(tags(original)).toContain("Restart")
      const { broken, claimed } = yield* agree(original, replayElection)
      expect(claimed).toEqual(["who was away does not lead"])
      expect(broken).toEqual([])
    })
  )
})

describe("each way of a network and of time", () => {
  /** Counts what it hears. */
  const counter: Protocol.Protocol<number, string, "say"> = {
    name: "test/counter",
    message: Schema.String,
    init: () => 0,
    onCommand: (heard, _say, act) => {
      act.sendAll(act.self.nodes, "a")
      act.sendAll(act.self.peers, "b")
      return heard
    },
    onMessage: (heard, _from, message) => heard * 10 + (message === "a" ? 1 : 2)
  }
  const once: Setting["user"] = {
    memo: 0,
    moves: ({ memo, node }) => (memo === 0 && node === "n1" ? [{ _tag: "Command", command: "say", memo: 1 }] : [])
  }
  const replay = (trace: Trace.Trace) => Replay.run({ protocol: counter, trace })

  it.effect("a message that comes again and again, to others and to oneself", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(
        pair(counter, {
          user: once,
          network: { duplication: true },
          never: ([own, other]) => own === 11 && other === 12_212
        })
      )
      const { snapshot } = yield* agree(original, replay)
      expect(statesOf(snapshot)).toEqual({ n1: 11, n2: 12_212 })
    })
  )

  it.effect.each([
    ["any", 21],
    ["fifo", 12]
  ] as const)("the order of a link: %s", ([order, heard]) =>
    Effect.gen(function* () {
      const original = yield* counterexample(
        pair(counter, { user: once, network: { order }, never: (states) => states[1] === heard })
      )
      expect(statesOf((yield* agree(original, replay)).snapshot)).toEqual({ n1: expect.any(Number), n2: heard })
    })
  )

  it.effect("a message waits for a node that is down and comes back, or is lost there", () =>
    Effect.gen(function* () {
      const original = yield* counterexample(
        pair(counter, {
          user: once,
          crashes: { max: 1, restart: true, nodes: ["n2"] },
          record: {
            init: "",
            note: (seen: string, { _tag }: System.Occurrence) =>
              _tag === "Crashed" || _tag === "Restarted" || _tag === "Commanded" ? seen + _tag : seen
          },
          properties: [
            Property.always(
              "never",
              ({ history, messages, nodes }) =>
                history !== "CrashedCommandedRestarted" || nodes[1]!.state !== 2 || messages.length > 0
            )
          ],
          never: () => false
        })
      )
      expect(tags(original)).toEqual(new Set(["Step", "Crash", "Lost", "Restart", "Note"]))
      yield* agree(original, replay)
    })
  )

  it.effect("timers run out where the trace says so, whatever their delays, and nowhere else", () =>
    Effect.gen(function* () {
      const timers: Protocol.Protocol<string, string, never, never, "short" | "long" | "reset"> = {
        name: "test/timers",
        message: Schema.String,
        init: () => "",
        onStart: (state, act) => {
          act.setTimer("short", 0)
          act.setTimer("reset", 1)
          act.setTimer("reset", 10)
          act.setTimer("long", 1_000_000)
          return state
        },
        onCommand: (state) => state,
        onMessage: (state) => state,
        onTimeout: (state, timer, act) => {
          if (timer === "long") act.setTimer("reset", 0)
          if (timer === "reset") act.clearTimer("short")
          return `${state}${timer} `
        }
      }
      const original = yield* counterexample(
        pair(timers, { never: ([one, other]) => one === "long short reset " && other === "reset long reset " })
      )
      yield* agree(original, (trace) => Replay.run({ protocol: timers, trace }))
    })
  )

  it.effect("chance gives what the trace shows, among what it may give", () =>
    Effect.gen(function* () {
      const dice: Protocol.Protocol<ReadonlyArray<number>, number, "throw"> = {
        name: "test/dice",
        message: Schema.Number,
        init: () => [],
        onCommand: (state, _throw, act) => {
          act.sendAll(act.self.peers, Math.floor(act.random() * 6))
          return [...state, Math.floor(act.random() * 6)]
        },
        onMessage: (state, _from, number) => [...state, -number]
      }
      const user: Setting["user"] = {
        memo: 0,
        moves: ({ memo }) => (memo === 2 ? [] : [{ _tag: "Command", command: "throw", memo: memo + 1 }])
      }
      const random = [0, 0.2, 0.4, 0.9]
      const original = yield* counterexample(pair(dice, { user, random, never: ([one]) => one!.join() === "2,-5,1" }))
      yield* agree(original, (trace) => Replay.run({ protocol: dice, trace, random }))
      const error = yield* Effect.flip(Replay.run({ protocol: dice, trace: original }))
      expect(error).toMatchObject({ _tag: "Diverged", what: "state" })
    })
  )

  it.effect("views of a group, after a restart none", () =>
    Effect.gen(function* () {
      const group: Protocol.Protocol<ReadonlySet<string>, string> = {
        name: "test/group",
        message: Schema.String,
        init: () => new Set(),
        onCommand: (state) => state,
        onMessage: (state, from) => new Set([...state, `heard ${from}`]),
        onView: (_state, { members, number }, act) => {
          act.sendAll(members, `view ${number}`)
          return new Set(members)
        }
      }
      const views = [["n1"], ["n2", "n1"]]
      const user: Setting["user"] = {
        memo: 0,
        moves: ({ memo }) =>
          memo === views.length
            ? []
            : [{ _tag: "View", view: { number: memo + 1, members: views[memo]! }, memo: memo + 1 }]
      }
      const original = yield* counterexample(
        pair(group, {
          user,
          crashes: { max: 1, restart: true },
          never: ([one, other]) => one!.size === 3 && one!.has("heard n2") && other!.size === 0
        })
      )
      expect(tags(original)).toContain("Crash")
      const { trace } = yield* Replay.run({ protocol: group, trace: original })
      expect(told(trace)).toEqual(told(original))
    })
  )
})

describe("random runs", () => {
  /** Breaks at some state a good way from the start, by its content: another one for each seed. */
  const somewhere = (seed: number) => ({
    record: { init: 0, note: (count: number) => count + 1 },
    properties: [
      Property.always(
        "somewhere",
        ({ history, messages, nodes }: System.View<any, any>) =>
          history < 20 || hash(`${seed}${JSON.stringify([nodes, messages])}`) % 8 > 0
      )
    ]
  })

  const hash = (text: string): number => {
    let sum = 0
    for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) >>> 0
    return (sum ^ (sum >>> 15)) >>> 0
  }

  const clocks = (setting: Setting) =>
    System.make<any, any, any, any, any, any, any>({
      name: "clocks",
      members: System.members(untyped(LamportClock.protocol), three, undefined),
      user: {
        memo: 0,
        moves: ({ memo, node }) =>
          memo === 3
            ? []
            : [
                {
                  _tag: "Command",
                  command: { _tag: "Send", to: three[(three.indexOf(node) + memo) % 3]! },
                  memo: memo + 1
                }
              ]
      },
      properties: [],
      ...setting
    })

  const systems = {
    "Ricart–Agrawala with crashes and losses": {
      has: ["Crash", "Restart", "Lost"],
      model: (setting: Setting) => locks({ ...setting, crashes: { max: 1, restart: true }, network: { loss: true } }),
      replay: (trace: Trace.Trace) => replayLocks(trace)
    },
    "bully with everything": {
      has: ["Crash", "Restart", "Lost", "Split"],
      model: (setting: Setting) =>
        elections({
          ...setting,
          timeouts: "any",
          crashes: { max: 2, restart: true },
          network: { loss: 2, splits: [[["n1"], ["n2", "n3"]]], maxSplits: 2 }
        }),
      replay: (trace: Trace.Trace) => replayElection(trace)
    },
    "bully, synchronous, with duplicates": {
      has: ["Crash"],
      model: (setting: Setting) => elections({ ...setting, crashes: { max: 2 }, network: { duplication: true } }),
      replay: (trace: Trace.Trace) => replayElection(trace)
    },
    "Lamport clocks in order": {
      has: ["Lost"],
      model: (setting: Setting) => clocks({ ...setting, network: { order: "fifo", loss: 2 } }),
      replay: (trace: Trace.Trace) => Replay.run({ protocol: LamportClock.protocol, trace })
    }
  }

  it.effect.each(Object.entries(systems))("%s: 60 walks, the same states at every step", ([, { has, model, replay }]) =>
    Effect.gen(function* () {
      let steps = 0
      const seen = new Set<string>()
      for (let seed = 1; seed <= 60; seed++) {
        const original = yield* counterexample(model(somewhere(seed)), { search: "random", seed })
        const replayed = yield* replay(yield* filed(original))
        expect(statesOf(replayed.snapshot)).toEqual(finalStates(original))
        expect(told(replayed.trace).toSorted()).toEqual(told(original).toSorted())
        steps += replayed.steps
        for (const tag of tags(original)) seen.add(tag)
      }
      expect(steps).toBeGreaterThan(600)
      expect([...seen]).toEqual(expect.arrayContaining(has))
    })
  )
})

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
