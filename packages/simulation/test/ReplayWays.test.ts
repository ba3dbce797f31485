import { describe, expect, it } from "@effect/vitest"
import type { Protocol } from "@troupe/actor"
import { Property, System } from "@troupe/model-checker"
import { Replay, Simulation, type World } from "@troupe/simulation"
import type { Trace } from "@troupe/trace"
import { Effect, Schema } from "effect"
import { type Setting, pair, counterexample, statesOf, told, tags, agree, untyped } from "./replaySupport.ts"

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

  it.effect("properties see the states between steps: not who has yet to start, nor who is about to", () =>
    Effect.gen(function* () {
      const started: Protocol.Protocol<string, string, never, never, "over"> = {
        name: "test/started",
        message: Schema.String,
        init: () => "made",
        onStart: (_state, act) => {
          act.setTimer("over", 1)
          return "started"
        },
        onCommand: (state) => state,
        onMessage: (state) => state,
        onTimeout: () => "over"
      }
      const original = yield* counterexample(
        pair(started, {
          crashes: { max: 1, restart: true, nodes: ["n1"] },
          record: { init: 0, note: (seen: number, { _tag }: System.Occurrence) => seen + Number(_tag === "Restarted") },
          properties: [
            Property.always(
              "never",
              ({ history, nodes }) => history === 0 || nodes.some(({ state }) => state !== "over")
            )
          ],
          never: () => false
        })
      )
      expect(tags(original)).toContain("Restart")
      const states = (world: World) => world.snapshot(started.name).map(({ state }) => state)
      const properties = [
        Simulation.always("all have started", (world) => states(world).length === 2 && !states(world).includes("made")),
        Simulation.always("never", (world) => states(world).some((state) => state !== "over")),
        Simulation.sometimes("claimed by none", () => false),
        Simulation.eventually("claimed by none either", () => false)
      ]
      expect((yield* Replay.run({ protocol: started, trace: original, properties })).broken).toEqual(["never"])
    })
  )

  it.effect("a start after which a property is broken, though it changes no state that was just made", () =>
    Effect.gen(function* () {
      const once: Protocol.Protocol<number, string, "set"> = {
        name: "test/once",
        message: Schema.String,
        init: () => 0,
        onCommand: () => 1,
        onMessage: (state) => state
      }
      const user: Setting["user"] = {
        memo: 0,
        moves: ({ memo, node }) => (memo === 0 && node === "n1" ? [{ _tag: "Command", command: "set", memo: 1 }] : [])
      }
      const original = yield* counterexample(
        pair(once, {
          user,
          crashes: { max: 1, restart: true },
          record: {
            init: "",
            note: (seen: string, { _tag }: System.Occurrence) => (_tag === "Crashed" ? seen : `${seen}${_tag} `)
          },
          properties: [
            Property.always(
              "never",
              ({ history, nodes }) => history !== "Commanded Restarted " || nodes[0]!.state === 1
            )
          ],
          never: () => false
        })
      )
      let highest = 0
      const remembers = {
        ...Simulation.always("never", (world) => {
          const [first] = world.snapshot(once.name)
          highest = Math.max(highest, first!.state)
          return first!.state === highest
        }),
        ofSnapshots: true
      }
      const { broken } = yield* Replay.run({ protocol: once, trace: original, properties: [remembers] })
      expect(broken).toEqual(["never"])
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

describe("a system whose nodes differ", () => {
  /** Says how many servers there are. */
  const server: Protocol.Protocol<number, "count" | number, never, never, never, { readonly first: number }> = {
    name: "test/server",
    message: Schema.Any,
    init: ({ options }) => options.first,
    onCommand: (state) => state,
    onMessage: (asked, from, _count, act) => {
      act.send(from, act.self.nodes.length)
      return asked + 1
    }
  }
  const client: Protocol.Protocol<ReadonlyArray<string>, "count" | number, "ask"> = {
    name: "test/client",
    message: Schema.Any,
    init: () => [],
    onCommand: (state, _ask, act) => {
      act.sendAll(
        act.self.peers.filter((peer) => peer.startsWith("s")),
        "count"
      )
      return state
    },
    onMessage: (state, from, count) => [...state, `${from} ${count}`]
  }
  const servers = ["s1", "s2"]
  const members = [
    ...System.members(untyped(client), ["c1"], undefined),
    ...System.members(untyped(server), servers, { first: 7 }).map((member) => ({ ...member, among: servers }))
  ]

  const original = counterexample(
    System.make<any, any, any, any, any, any, any>({
      name: "clients and servers",
      members,
      user: {
        memo: 0,
        moves: ({ memo, node }) => (memo === 0 && node === "c1" ? [{ _tag: "Command", command: "ask", memo: 1 }] : [])
      },
      properties: [Property.always("silence", ({ nodes }) => nodes[0]!.state.length < 2)]
    })
  )

  it.effect("each runs its own protocol, with its own options, among its own", () =>
    Effect.gen(function* () {
      const silence = Simulation.always("silence", (world) => world.snapshot("all")[0]!.state.length < 2)
      const { broken, snapshot } = yield* agree(yield* original, (trace) =>
        Replay.runSystem({ members, name: "all", trace, properties: [silence] })
      )
      expect(broken).toEqual(["silence"])
      expect(snapshot.map(({ state }) => state)).toEqual([expect.arrayContaining(["s1 2", "s2 2"]), 8, 8])
    })
  )

  it.effect("a node that is no member is refused", () =>
    Effect.gen(function* () {
      const trace = yield* original
      const error = yield* Effect.flip(Replay.runSystem({ members: members.slice(0, 2), name: "all", trace }))
      expect(error).toMatchObject({ _tag: "MalformedTrace", line: 1 })
      expect(error.message).toBe('Line 1 of the trace: it names node "s2", which is no member')
    })
  )
})
