/** Symmetric systems, drawn at random: what is left out is what is the same, and nothing else. */
import type { Protocol } from "@troupe/actor"
import { Checker, type Model, Property, System } from "@troupe/model-checker"
import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"

// ------------------------------------------------------------------------------------------- systems drawn from a seed

/** What a node knows; names stand in texts, keys, a list, a Set and a Map. */
interface State {
  readonly colour: number
  readonly friend: string | null
  readonly counts: Readonly<Record<string, number>>
  readonly heard: ReadonlyArray<string>
  readonly met: ReadonlySet<string>
  readonly last: ReadonlyMap<string, number>
  /** Timers that run: one for each node that it waits for. */
  readonly waits: ReadonlyArray<string>
}

/** A message goes on for so many hops, and may be about a node. */
type Message = readonly [hops: number, colour: number, about: string | null]

type History = {
  readonly emitted: ReadonlyArray<readonly [node: string, about: string]>
  readonly sent: number
  readonly delivered: number
  readonly crashes: number
  readonly spoke: ReadonlySet<string>
}

type View = System.View<State, History>

const generator = (seed: number): ((below: number) => number) => {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return Math.floor(((state >>> 8) / 2 ** 24) * below)
  }
}

type Rule = Readonly<Record<"colour" | "to" | "about" | "keep" | "emit" | "timer", number>>

const rulesOf = (draw: (below: number) => number, count: number): ReadonlyArray<Rule> =>
  Array.from({ length: count }, () => ({
    colour: draw(3),
    to: draw(4),
    about: draw(3),
    keep: draw(6),
    emit: draw(4),
    timer: draw(3)
  }))

/** Goes by what it is told and by who is who to it, never by what anybody is called. */
const protocolOf = (draw: (below: number) => number): Protocol.Protocol<State, Message, "go", string, string> => {
  const rules = rulesOf(draw, 12)
  const follow = (
    state: State,
    from: string,
    [hops, colour, about]: Message,
    act: Protocol.Actions<Message, string, string, any>
  ): State => {
    const isKnown = from === state.friend || about === act.self.id ? 1 : 0
    const rule = rules[(state.colour * 4 + (colour % 2) * 2 + isKnown) % rules.length]!
    const topic = rule.about === 0 ? from : rule.about === 1 ? about : state.friend
    if (hops > 0) {
      const message = [hops - 1, rule.colour, topic] as const
      if (rule.to === 0) act.send(from, message)
      if (rule.to === 1 && topic !== null) act.send(topic, message)
      if (rule.to === 2) act.sendAll(act.self.peers, message)
      if (rule.timer === 0) act.setTimer(from, 10)
    }
    if (rule.timer === 1) act.clearTimer(from)
    const waits = new Set(state.waits)
    if (hops > 0 && rule.timer === 0) waits.add(from)
    if (rule.timer === 1) waits.delete(from)
    if (rule.emit === 0) act.emit(topic ?? from)
    const next = { ...state, colour: rule.colour, waits: [...waits].sort() }
    switch (rule.keep) {
      case 0:
        return { ...next, friend: from }
      case 1:
        return { ...next, counts: { ...state.counts, [from]: Math.min(2, (state.counts[from] ?? 0) + 1) } }
      case 2:
        return state.heard.length < 2 ? { ...next, heard: [...state.heard, from] } : next
      case 3:
        return { ...next, met: new Set([...state.met, from]) }
      case 4:
        return { ...next, last: new Map([...state.last, [from, colour]]) }
      default:
        return next
    }
  }
  return {
    name: "test/drawn",
    message: Schema.Any,
    init: () => ({
      colour: 0,
      friend: null,
      counts: {},
      heard: [],
      met: new Set(),
      last: new Map(),
      waits: []
    }),
    onCommand: (state, _go, act) => follow(state, act.self.id, [1, 1, act.self.id], act),
    onMessage: follow,
    onTimeout: (state, timer, act) =>
      follow({ ...state, waits: state.waits.filter((each) => each !== timer) }, timer, [0, 0, timer], act)
  }
}

type Settings = Pick<System.System<any, any, any, any, any, any, any>, "network" | "crashes" | "timeouts">

const settings: ReadonlyArray<Settings> = [
  {},
  { network: { order: "fifo" } },
  { network: { duplication: true } },
  { network: { loss: 1 } },
  { network: { order: "fifo", loss: true }, timeouts: "never" },
  { crashes: { max: 1 } },
  { crashes: { max: 1, restart: true }, timeouts: "never" },
  { crashes: { max: 2 }, network: { order: "fifo" } }
]

const groupings: ReadonlyArray<
  readonly [nodes: ReadonlyArray<string>, symmetry: ReadonlyArray<ReadonlyArray<string>>]
> = [
  [["a", "b"], [["b", "a"]]],
  [["a", "b", "c"], [["a", "b", "c"]]],
  [
    ["c", "a", "b"],
    [["b", "c"], ["a"]]
  ],
  [
    ["a", "b", "c", "d"],
    [
      ["a", "d"],
      ["c", "b"]
    ]
  ]
]

const system = (seed: number, properties: ReadonlyArray<Property.Property<View>>, given?: Settings) => {
  const draw = generator(seed)
  const [nodes, symmetry] = groupings[(seed >> 3) % groupings.length]!
  const speakers = draw(2) === 0 ? nodes : symmetry[0]!
  return System.make<State, Message, "go", string, string, number, History>({
    name: `drawn from ${seed}`,
    members: System.members(protocolOf(draw), nodes, undefined),
    user: {
      memo: 0,
      moves: ({ memo, node, state }) =>
        memo === 0 && speakers.includes(node) && state.colour !== 2 ? [{ _tag: "Command", command: "go", memo: 1 }] : []
    },
    ...(given ?? settings[seed % settings.length]!),
    record: {
      init: { emitted: [], sent: 0, delivered: 0, crashes: 0, spoke: new Set() },
      note: (history, occurrence) => {
        switch (occurrence._tag) {
          case "Sent":
            return { ...history, sent: history.sent + 1 }
          case "Delivered":
            return { ...history, delivered: history.delivered + 1 }
          case "Crashed":
            return { ...history, crashes: history.crashes + 1 }
          case "Commanded":
            return { ...history, spoke: new Set([...history.spoke, occurrence.node]) }
          case "Emitted":
            return history.emitted.length === 2
              ? history
              : { ...history, emitted: [...history.emitted, [occurrence.node, occurrence.event]] }
          default:
            return history
        }
      }
    },
    symmetry,
    properties,
    within: ({ history }) => history.sent < 7 && history.delivered < 6
  })
}

// --------------------------------------------------------------------------- orbits, counted on values by trying all names

type Names = ReadonlyMap<string, string>

const permutations = (nodes: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  nodes.length < 2
    ? [nodes]
    : nodes.flatMap((node) => permutations(nodes.filter((each) => each !== node)).map((rest) => [node, ...rest]))

const allNames = (groups: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<Names> =>
  groups.reduce<ReadonlyArray<Names>>(
    (all, group) =>
      all.flatMap((names) =>
        permutations(group).map((order) => new Map([...names, ...group.map((node, i) => [node, order[i]!] as const)]))
      ),
    [new Map()]
  )

/** A text that says all of a state, with other names in it. */
const text = ({ history, messages, nodes }: View, names: Names, isFifo: boolean): string => {
  const of = (name: string | null): string => (name === null ? "-" : (names.get(name) ?? name))
  const sorted = (lines: Iterable<string>): string => [...lines].sort().join(",")
  const told = nodes.map(({ alive, node, state }) =>
    [
      of(node),
      alive,
      state.colour,
      of(state.friend),
      sorted(Object.entries(state.counts).map(([name, count]) => `${of(name)}=${count}`)),
      state.heard.map(of).join(),
      sorted(Array.from(state.met, of)),
      sorted(Array.from(state.last, ([name, colour]) => `${of(name)}=${colour}`)),
      sorted(state.waits.map(of))
    ].join(" ")
  )
  const flights = messages.map(({ from, message: [hops, colour, about], to }, at) => {
    const place = isFifo ? messages.slice(0, at).filter((each) => each.from === from && each.to === to).length : 0
    return `${of(from)}>${of(to)} ${place} ${hops} ${colour} ${of(about)}`
  })
  const { crashes, delivered, emitted, sent, spoke } = history
  const past = [
    emitted.map(([node, about]) => `${of(node)}:${of(about)}`),
    sent,
    delivered,
    crashes,
    sorted([...spoke].map(of))
  ]
  return `${sorted(told)}|${sorted(flights)}|${past.join(" ")}`
}

const check = <View>(model: Model.Checkable<View>, options: Checker.Options = {}): Checker.Report =>
  Effect.runSync(Checker.check(model, { stopAtViolation: false, ...options }))

const wholly = { symmetry: false, partialOrder: false, ignored: false }

/** The states that a way may lead to, each step gone in the whole space. */
const walk = <View>(model: Model.Checkable<View>, steps: ReadonlyArray<string>): ReadonlyArray<View> => {
  const space = model.space(wholly)
  let reached: Array<Int32Array> = []
  for (const [index, step] of steps.entries()) {
    const next = new Map<string, Int32Array>()
    const numbers = new Int32Array(1_000)
    let [key, size] = ["", 0]
    const receiver = {
      numbers,
      offer: (high: number, low: number, _label: number, length: number) => {
        if (space.latest.describe() !== step) return -1
        key = `${high} ${low}`
        size = length
        return 0
      },
      written: () => void next.set(key, numbers.slice(0, size))
    }
    if (index === 0) space.initial(receiver)
    for (const state of reached) space.successors(state, 0, state.length, receiver)
    reached = [...next.values()]
  }
  return reached.map((state) => ({
    ...space.view(state, 0, state.length),
    nodes: [...(space.view(state, 0, state.length) as any).nodes]
  }))
}

describe("symmetric systems, drawn at random", () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])(
    "of each orbit, counted by trying all names, one state is seen (%i)",
    (batch) => {
      let complete = 0
      for (let seed = batch * 24; seed < batch * 24 + 24; seed++) {
        const states = new Set<string>()
        const orbits = new Set<string>()
        const [, symmetry] = groupings[(seed >> 3) % groupings.length]!
        const isFifo = settings[seed % settings.length]!.network?.order === "fifo"
        const names = allNames(symmetry)
        const watch = Property.always<View>("all are seen", (view) => {
          states.add(text(view, new Map(), isFifo))
          orbits.add(names.map((each) => text(view, each, isFifo)).reduce((a, b) => (a < b ? a : b)))
          return true
        })
        const full = check(system(seed, [watch]), { symmetry: false, maxStates: 500 })
        if (!full.complete) continue
        complete++
        expect([seed, states.size]).toEqual([seed, full.uniqueStates])
        const reduced = check(system(seed, []))
        expect([seed, reduced.uniqueStates, reduced.complete]).toEqual([seed, orbits.size, true])
      }
      expect(complete).toBeGreaterThan(10)
    }
  )

  const isDull = ({ nodes }: View): boolean => nodes.every(({ alive, state }) => !alive || state.colour === 0)
  const properties = [
    Property.always<View>("no two have one friend", ({ nodes }) => {
      const friends = nodes.flatMap(({ state }) => state.friend ?? [])
      return new Set(friends).size === friends.length
    }),
    Property.sometimes<View>("all have met somebody", ({ nodes }) => nodes.every(({ state }) => state.met.size > 0)),
    Property.always<View>(
      "three are never lively",
      ({ nodes }) => nodes.filter(({ state }) => state.colour > 0).length < 3
    ),
    Property.atTheEnd<View>("all are dull", isDull),
    Property.eventually<View>("somebody is not dull", (view) => !isDull(view)),
    Property.infinitelyOften<View>("all are dull again", isDull)
  ]
  it.each([0, 1, 2, 3])(
    "verdicts are those of the full search, and counterexamples are as short and real (%i)",
    (batch) => {
      const seen = new Set<string>()
      for (let seed = batch * 40; seed < batch * 40 + 40; seed++) {
        const given = seed % 5 === 0 ? ({ timeouts: "synchronous" } as const) : undefined
        const model = system(seed, properties, given)
        const full = check(model, { symmetry: false, maxStates: 500 })
        if (!full.complete) continue
        const reduced = check(model)
        const told = ({ counterexample, example, kind, name, verdict }: Checker.Verdict) => [
          seed,
          kind,
          name,
          verdict,
          (counterexample ?? example)?.steps.length
        ]
        expect(reduced.properties.map(told)).toEqual(full.properties.map(told))
        for (const [index, { counterexample, example, kind, verdict }] of reduced.properties.entries()) {
          seen.add(`${kind} ${verdict}`)
          const path = counterexample ?? example
          if (path === undefined || path.loopFrom !== undefined) continue
          const { holds } = properties[index]!
          expect(walk(model, path.steps).some((view) => holds(view) === (kind === "sometimes"))).toBe(true)
        }
      }
      // Two verdicts of five kinds.
      expect(seen.size).toBe(10)
    }
  )
})
