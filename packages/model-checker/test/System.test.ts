import { it } from "@effect/vitest"
import { Protocol } from "@troupe/actor"
import { Checker, Property, System } from "@troupe/model-checker"
import { Effect, Schema } from "effect"
import { describe, expect } from "vitest"

interface State {
  readonly heard: ReadonlyArray<number>
  readonly isLate: boolean
}

/** Says 1 and 2 to its peers when told so, and 3 when its timer runs out; remembers the first two things that it hears. */
const chatter: Protocol.Protocol<State, number, "go", number, "late"> = {
  name: "test/chatter",
  message: Schema.Int,
  init: () => ({ heard: [], isLate: false }),
  onStart: (state, act) => {
    if (act.self.id === "n1") act.setTimer("late", 10)
    return state
  },
  onCommand: (state, _go, act) => {
    act.sendAll(act.self.peers, 1)
    act.sendAll(act.self.peers, 2)
    return state
  },
  onMessage: (state, _from, message, act) => {
    if (state.heard.length === 2) return state
    if (message === 3) act.emit(3)
    return { ...state, heard: [...state.heard, message] }
  },
  onTimeout: (state, _timer, act) => {
    act.sendAll(act.self.peers, 3)
    return { ...state, isLate: true }
  }
}

type Settings = Pick<System.System<any, any, any, any, any, any, any>, "network" | "crashes" | "timeouts">

const nodes = ["n1", "n2", "n3"]

const user: System.User<State, "go", number> = {
  memo: 0,
  moves: ({ memo, node }) => (memo === 0 && node === "n1" ? [{ _tag: "Command", command: "go", memo: 1 }] : [])
}

const system = (settings: Settings, properties: ReadonlyArray<Property.Property<System.View<State, unknown>>> = []) =>
  System.make({
    name: "chatter",
    members: System.members(chatter, nodes, undefined),
    user,
    // Counts every step that takes something away, so that the arrival of what is not wanted is a step as well.
    properties: [Property.atTheEnd("ends", () => true), ...properties],
    ...settings
  })

/** The same rules once more, with nothing clever: states are texts. */
const count = ({ crashes, network = {}, timeouts = "any" }: Settings): number => {
  interface World {
    readonly nodes: ReadonlyArray<{ state: State; timers: ReadonlyArray<string>; alive: boolean; memo: number }>
    readonly flights: ReadonlyArray<{ from: number; to: number; message: number }>
    readonly crashes: number
    readonly losses: number
    readonly splits: number
    readonly split: number
  }
  const splits = network.splits ?? []
  const restarts = crashes?.restart === true
  const passes = (split: number, from: number, to: number): boolean =>
    split < 0 || splits[split]!.some((part) => part.includes(nodes[from]!) && part.includes(nodes[to]!))
  const text = (world: World): string => {
    const flights = world.flights.map((flight) => JSON.stringify(flight))
    const channels = nodes.flatMap((_, from) =>
      nodes.map((_, to) => world.flights.filter((flight) => flight.from === from && flight.to === to))
    )
    return JSON.stringify({ ...world, flights: network.order === "fifo" ? channels : flights.sort() })
  }
  const step = (world: World, at: number, input: Protocol.Input, from: Partial<World["nodes"][number]> = {}): World => {
    const node = { ...world.nodes[at]!, ...from }
    const self = Protocol.self<void>(nodes[at]!, nodes, undefined)
    const { actions, state } = Protocol.step(chatter, self, node.state, input as any)
    let timers = node.timers
    let flights = world.flights
    for (const action of actions) {
      if (action._tag === "SetTimer") timers = [action.timer]
      if (action._tag !== "Send") continue
      const flight = { from: at, to: nodes.indexOf(action.to), message: action.message }
      const isKnown = flights.some((each) => JSON.stringify(each) === JSON.stringify(flight))
      if (!world.nodes[flight.to]!.alive && !restarts) continue
      if (!passes(world.split, at, flight.to) || (network.duplication === true && isKnown)) continue
      flights = [...flights, flight]
    }
    return { ...world, flights, nodes: world.nodes.with(at, { ...node, state, timers, alive: true }) }
  }
  const next = (world: World): ReadonlyArray<World> => {
    const found: Array<World> = []
    world.flights.forEach((flight, i) => {
      const isBehind = world.flights.slice(0, i).some(({ from, to }) => from === flight.from && to === flight.to)
      const rest = world.flights.toSpliced(i, 1)
      if (world.losses !== 0)
        found.push({
          ...world,
          flights: rest,
          losses: Math.max(world.losses - 1, Math.min(world.losses, -1))
        })
      if (network.order === "fifo" && isBehind) return
      if (!world.nodes[flight.to]!.alive) return void found.push({ ...world, flights: rest })
      const before = { ...world, flights: network.duplication === true ? world.flights : rest }
      found.push(step(before, flight.to, { _tag: "Message", from: nodes[flight.from]!, message: flight.message }))
    })
    world.nodes.forEach((node, at) => {
      if (node.alive) {
        if (at === 0 && node.memo === 0) found.push(step(world, at, { _tag: "Command", command: "go" }, { memo: 1 }))
        if (timeouts !== "never") {
          for (const timer of node.timers) found.push(step(world, at, { _tag: "Timeout", timer }, { timers: [] }))
        }
        if (world.crashes > 0) {
          const flights = restarts ? world.flights : world.flights.filter(({ to }) => to !== at)
          const dead = world.nodes.with(at, { ...node, alive: false, timers: [] })
          found.push({ ...world, flights, crashes: world.crashes - 1, nodes: dead })
        }
      } else if (restarts) {
        found.push(step(world, at, { _tag: "Start" }, { state: { heard: [], isLate: false }, timers: [] }))
      }
    })
    if (world.split >= 0) found.push({ ...world, split: -1 })
    else if (world.splits > 0) {
      for (const split of splits.keys()) {
        const flights = world.flights.filter(({ from, to }) => passes(split, from, to))
        found.push({ ...world, flights, split, splits: world.splits - 1 })
      }
    }
    return found
  }
  const blank = { state: { heard: [], isLate: false }, timers: [], alive: true, memo: 0 }
  let first: World = {
    nodes: [blank, blank, blank],
    flights: [],
    crashes: crashes?.max ?? 0,
    losses: network.loss === true ? -1 : Number(network.loss ?? 0),
    splits: splits.length === 0 ? 0 : (network.maxSplits ?? 1),
    split: -1
  }
  for (const at of nodes.keys()) first = step(first, at, { _tag: "Start" })
  const seen = new Map([[text(first), first]])
  for (const world of seen.values())
    for (const each of next(world)) if (!seen.has(text(each))) seen.set(text(each), each)
  return seen.size
}

describe("every order of what can happen, counted by the plainest search", () => {
  const splits = [
    [["n1"], ["n2", "n3"]],
    [["n1", "n2"], ["n3"]]
  ]
  it.effect.each<Settings>([
    {},
    { timeouts: "never" },
    { network: { order: "fifo" } },
    { network: { duplication: true } },
    { network: { loss: true } },
    { network: { loss: 2 } },
    { network: { loss: 1, order: "fifo" } },
    { network: { duplication: true, loss: true } },
    { crashes: { max: 1 } },
    { crashes: { max: 2 }, network: { order: "fifo" } },
    { crashes: { max: 1, restart: true }, timeouts: "never" },
    { crashes: { max: 1, restart: true }, network: { order: "fifo" } },
    { network: { splits } },
    { network: { splits, maxSplits: 2, order: "fifo" }, timeouts: "never" }
  ])("%j", (settings) =>
    Effect.gen(function* () {
      const report = yield* Checker.check(system(settings))
      expect(report).toMatchObject({ complete: true, uniqueStates: count(settings) })
    })
  )
})

describe("loss", () => {
  const repeater: Protocol.Protocol<ReadonlyArray<number>, number, "go"> = {
    name: "test/repeater",
    message: Schema.Int,
    init: () => [],
    onCommand: (state, _go, act) => {
      for (const message of [1, 2, 1]) act.send("n2", message)
      return state
    },
    onMessage: (state, _from, message) => [...state, message]
  }

  it.effect("of equal messages in a channel that keeps order, the first or a later one is lost", () =>
    Effect.gen(function* () {
      const ends = new Set<string>()
      yield* Checker.check(
        System.make({
          name: "repeater",
          members: System.members(repeater, ["n1", "n2"], undefined),
          network: { order: "fifo", loss: 1 },
          user: {
            memo: 0,
            moves: ({ memo, node }) =>
              memo === 0 && node === "n1" ? [{ _tag: "Command", command: "go" as const, memo: 1 }] : []
          },
          properties: [
            Property.atTheEnd<System.View<ReadonlyArray<number>>>("looked at", (view) => {
              ends.add(view.nodes[1]!.state.join())
              return true
            })
          ]
        })
      )
      expect([...ends].sort()).toEqual(["1,1", "1,2", "1,2,1", "2,1"])
    })
  )
})

describe("time", () => {
  const clockwork: Protocol.Protocol<ReadonlyArray<string>, "tick", never, never, "short" | "long"> = {
    name: "test/clockwork",
    message: Schema.Literal("tick"),
    init: () => [],
    onStart: (state, act) => {
      if (act.self.id === "n1") {
        act.setTimer("short", 10)
        act.setTimer("long", 20)
      }
      return state
    },
    onCommand: (state) => state,
    onMessage: (state, _from, message) => [...state, message],
    onTimeout: (state, timer, act) => {
      act.sendAll(act.self.peers, "tick")
      return [...state, timer]
    }
  }

  it.effect(
    "timers run out at any moment, or in a synchronous system in order and once all messages have arrived",
    () =>
      Effect.gen(function* () {
        type Seen = System.View<ReadonlyArray<string>>
        const verdicts = (timeouts: "any" | "synchronous" | "never") =>
          Effect.map(
            Checker.check(
              System.make({
                name: "clockwork",
                members: System.members(clockwork, ["n1", "n2"], undefined),
                timeouts,
                properties: [
                  Property.sometimes<Seen>("a timer runs out", ({ nodes }) => nodes[0]!.state.length > 0),
                  Property.sometimes<Seen>("the long timer is first", ({ nodes }) => nodes[0]!.state[0] === "long"),
                  Property.sometimes<Seen>(
                    "a message outlasts a timer",
                    ({ nodes }) => nodes[0]!.state.length === 2 && nodes[1]!.state.length === 0
                  )
                ]
              })
            ),
            ({ properties }) => properties.map(({ verdict }) => verdict === "holds")
          )
        expect(yield* verdicts("any")).toEqual([true, true, true])
        expect(yield* verdicts("synchronous")).toEqual([true, false, false])
        expect(yield* verdicts("never")).toEqual([false, false, false])
      })
  )
})

describe("a counterexample", () => {
  it.effect("is told step by step, and as a trace in which each message is followed", () =>
    Effect.gen(function* () {
      const calm = Property.always<System.View<State>>("nobody hears 2 first", ({ nodes }) =>
        nodes.every(({ state }) => state.heard[0] !== 2)
      )
      const { properties } = yield* Checker.check(system({ network: { loss: 1 } }, [calm]))
      const { counterexample, verdict } = properties[1]!
      expect(verdict).toBe("violated")
      expect(counterexample!.steps).toEqual(["start", "n1: go", "n1 → n2: 2"])
      const [, , , go, arrival, note] = counterexample!.trace.events
      expect(go).toMatchObject({ _tag: "Step", node: "n1", clock: { n1: 2 } })
      expect(arrival).toMatchObject({ node: "n2", clock: { n1: 2, n2: 2 }, input: { from: "n1", message: 2 } })
      expect(note).toEqual({ _tag: "Note", text: "broken: nobody hears 2 first", broken: true })
      const sent = go!._tag === "Step" ? go!.actions.filter(({ _tag }) => _tag === "Send") : []
      expect(sent).toContainEqual({
        _tag: "Send",
        id: arrival!._tag === "Step" && arrival!.input._tag === "Message" ? arrival!.input.id : 0,
        to: "n2",
        message: 2
      })
    })
  )
})

describe("chance and history", () => {
  it.effect("each value that chance may give is explored, draw by draw", () =>
    Effect.gen(function* () {
      const dice: Protocol.Protocol<ReadonlyArray<number>, never, "throw"> = {
        name: "test/dice",
        message: Schema.Never,
        init: () => [],
        onCommand: (state, _throw, act) => [...state, act.random(), act.random()],
        onMessage: (state) => state
      }
      const thrown = System.make({
        name: "dice",
        members: System.members(dice, ["n1"], undefined),
        user: {
          memo: 0,
          moves: ({ memo }) => (memo === 0 ? [{ _tag: "Command", command: "throw" as const, memo: 1 }] : [])
        },
        random: [0, 0.3, 0.6],
        properties: []
      })
      expect((yield* Checker.check(thrown)).uniqueStates).toBe(1 + 3 * 3)
    })
  )

  it.effect("a history is part of the state, and sees what was sent before it sees it arrive", () =>
    Effect.gen(function* () {
      const remembering = System.make({
        name: "chatter, remembered",
        members: System.members(chatter, nodes, undefined),
        user,
        timeouts: "never",
        record: {
          init: [] as ReadonlyArray<string>,
          note: (history, occurrence) =>
            occurrence._tag === "Sent" || occurrence._tag === "Delivered"
              ? [...history, `${occurrence._tag} ${occurrence.to} ${occurrence.message}`]
              : history
        },
        properties: [
          Property.always<System.View<State, ReadonlyArray<string>>>("sent first", ({ history }) =>
            history.every(
              (line, i) => line.startsWith("Sent") || history.indexOf(line.replace("Delivered", "Sent")) < i
            )
          )
        ]
      })
      const report = yield* Checker.check(remembering)
      // After the four sends, every order of every part of the four arrivals.
      expect(report).toMatchObject({ uniqueStates: 1 + (1 + 4 + 12 + 24 + 24), complete: true })
      expect(report.properties[0]!.verdict).toBe("holds")
    })
  )
})
