import { it } from "@effect/vitest"
import type { Protocol } from "@troupe/actor"
import { Checker, type Model, Property, System } from "@troupe/model-checker"
import { AbdRegister, Paxos, SingleCopyRegister } from "@troupe/model-checker/examples/index"
import { RicartAgrawala } from "@troupe/mutex"
import { Effect, Schema } from "effect"
import { describe, expect } from "vitest"

/** Numbers below `limit` that follow from the seed. */
const dice = (seed: number): ((limit: number) => number) => {
  let state = Math.imul(seed, 0x9e3779b1) | 0
  return (limit) => {
    state = (state + 0x9e3779b9) | 0
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) % limit
  }
}

// --------------------------------------------------------------------------------------------- machines drawn at random

interface State {
  readonly phase: number
  /** What it may still send. */
  readonly left: number
}

type Act = Protocol.Actions<number, number, "tick", Machine>

/** What an input makes of a phase. */
interface Rule {
  readonly phase: number
  readonly sends: ReadonlyArray<{ readonly to: number; readonly message: number }>
  readonly timer: "set" | "clear" | "leave"
  readonly emits: boolean
  /** Goes on to one phase more if chance says so. */
  readonly isByChance: boolean
}

/** By phase and input. */
interface Machine {
  readonly rules: ReadonlyArray<ReadonlyArray<Rule>>
  readonly sends: number
  readonly start: Rule
}

const nodes = ["n1", "n2", "n3", "n4"]
const phases = 4
const bodies = 2
const commandInput = 0
const timerInput = 1
const messageInput = (sender: number, body: number): number => 2 + sender * bodies + body

const follow = (state: State, rule: Rule | undefined, act: Act): State => {
  if (rule === undefined) return state
  let { left } = state
  for (const { message, to } of rule.sends) {
    if (left === 0) break
    left--
    act.send(nodes[to]!, message)
  }
  if (rule.timer === "set") act.setTimer("tick", 10)
  if (rule.timer === "clear") act.clearTimer("tick")
  if (rule.emits) act.emit(rule.phase)
  return { phase: rule.isByChance && act.random() > 0 ? (rule.phase + 1) % phases : rule.phase, left }
}

const automaton: Protocol.Protocol<State, number, "go", number, "tick", Machine> = {
  name: "test/automaton",
  message: Schema.Int,
  init: ({ options }) => ({ phase: 0, left: options.sends }),
  onStart: (state, act) => follow(state, act.self.options.start, act),
  onCommand: (state, _go, act) => follow(state, act.self.options.rules[state.phase]![commandInput], act),
  onMessage: (state, from, message, act) =>
    follow(state, act.self.options.rules[state.phase]![messageInput(nodes.indexOf(from), message)], act),
  onTimeout: (state, _tick, act) => follow(state, act.self.options.rules[state.phase]![timerInput], act)
}

type Settings = Partial<System.System<State, number, "go", number, "tick", number, ReadonlyArray<string>>>

interface Drawn {
  readonly size: number
  readonly machines: ReadonlyArray<Machine>
  readonly commands: ReadonlyArray<number>
  readonly settings: Settings
  readonly isBounded: boolean
  /** What properties see of a node. */
  readonly visible: NonNullable<Settings["visible"]>
}

/** What a node does with each input in each phase. It sends only to some, or to nobody; a spinner's timer never rests. */
const drawMachine = (roll: (limit: number) => number, size: number): Machine => {
  const targets = Array.from({ length: size }, (_, to) => to).filter(() => roll(size) === 0)
  const isSpinner = roll(4) === 0
  const isLoop = isSpinner || roll(5) === 0
  const idle = (phase: number): Rule => ({ phase, sends: [], timer: "leave", emits: false, isByChance: false })
  const rule = (phase: number, input: number): Rule => ({
    phase: roll(3) === 0 ? phase : isLoop ? roll(phases) : Math.min(phases - 1, phase + 1 + roll(2)),
    sends:
      targets.length === 0
        ? []
        : Array.from({ length: roll(3) }, () => ({ to: targets[roll(targets.length)]!, message: roll(bodies) })),
    timer: isSpinner && input === timerInput ? "set" : (["set", "clear", "leave", "leave"] as const)[roll(4)]!,
    emits: roll(6) === 0,
    isByChance: roll(8) === 0
  })
  const inputs = Array.from({ length: 2 + size * bodies }, (_, input) => input)
  const start = rule(0, timerInput)
  return {
    rules: Array.from({ length: phases }, (_, phase) =>
      inputs.map((input) => (roll(4) === 0 && !isSpinner ? idle(phase) : rule(phase, input)))
    ),
    sends: roll(3),
    start: { ...start, emits: false, isByChance: false, phase: 0, sends: roll(3) === 0 ? start.sends : [] }
  }
}

const drawSettings = (roll: (limit: number) => number, size: number): Settings => {
  const isFifo = roll(3) === 0
  const faults = roll(4)
  return {
    network: {
      order: isFifo ? "fifo" : "any",
      duplication: !isFifo && roll(3) === 0,
      loss: faults !== 1 ? false : roll(2) === 0 ? true : 1,
      ...(roll(6) === 0 && { splits: [[nodes.slice(0, 1), nodes.slice(1, size)]] })
    },
    ...(faults === 2 && { crashes: { max: 1 + roll(2), restart: roll(3) > 0 && size < 4 } }),
    timeouts: (["any", "synchronous", "never"] as const)[roll(3)]!,
    ...(roll(4) === 0 && { random: [0, 0.5] }),
    ...(roll(4) === 0 && {
      record: {
        init: [],
        about: ({ _tag }) => _tag === "Emitted" || _tag === "Crashed",
        note: (history, occurrence) =>
          history.length < 3
            ? [...history, `${"node" in occurrence ? occurrence.node : ""} ${occurrence._tag}`]
            : history
      }
    })
  }
}

const draw = (seed: number): Drawn => {
  const roll = dice(seed)
  const size = 2 + roll(3)
  const machines = Array.from({ length: size }, () => drawMachine(roll, size))
  const seenFrom = Array.from({ length: size }, () => 1 + roll(phases))
  const seesCrashes = roll(3) === 0
  return {
    size,
    machines,
    commands: Array.from({ length: size }, () => roll(2)),
    settings: drawSettings(roll, size),
    isBounded: roll(5) === 0,
    visible: ({ alive, node, state }) => [alive || !seesCrashes, state.phase >= seenFrom[nodes.indexOf(node)]!]
  }
}

type Kind = "always" | "at the end"

/** All that a search shows to properties of this kind. */
const explore = (drawn: Drawn, kind: Kind, options: Checker.Options) => {
  const seen = new Set<string>()
  const ends = new Set<string>()
  const { commands, isBounded, machines, settings, size, visible } = drawn
  const system = System.make<State, number, "go", number, "tick", number, ReadonlyArray<string>>({
    name: "drawn",
    members: machines.map((machine, member) => ({
      node: nodes[member]!,
      protocol: automaton,
      options: machine,
      among: nodes.slice(0, size)
    })),
    user: {
      memo: 0,
      moves: ({ memo, node }) =>
        memo < commands[nodes.indexOf(node)]! ? [{ _tag: "Command", command: "go", memo: memo + 1 }] : []
    },
    ...settings,
    ...(kind === "always" && { visible }),
    ...(isBounded && {
      within: ({ nodes: all }) => new Set(all.map((node) => JSON.stringify(visible(node)))).size < 3
    }),
    properties: [
      kind === "always"
        ? Property.always("seen", ({ history, nodes: all }) => {
            seen.add(JSON.stringify([all.map(visible), history]))
            return true
          })
        : Property.atTheEnd("seen", ({ history, messages, nodes: all }) => {
            ends.add(JSON.stringify([all, history, messages.map((each) => JSON.stringify(each)).sort()]))
            return true
          })
    ]
  })
  return Effect.map(Checker.check(system, { ...options, maxStates: 4_000 }), (report) => ({ report, seen, ends }))
}

const missing = (all: ReadonlySet<string>, found: ReadonlySet<string>) => [
  ...[...all].filter((each) => !found.has(each)),
  ...[...found].filter((each) => !all.has(each))
]

const kinds = ["always", "at the end"] as const
const seeds = Array.from({ length: 250 }, (_, seed) => seed)

describe("random systems: with and without the reduction", () => {
  it.effect.each(kinds)("%s: the same is seen", (kind) =>
    Effect.gen(function* () {
      const totals = { full: 0, reduced: 0, compared: 0, helped: 0 }
      for (const seed of seeds) {
        const drawn = draw(seed)
        const full = yield* explore(drawn, kind, {})
        if (!full.report.complete) continue
        totals.compared++
        const search = seed % 2 === 0 ? "breadth-first" : "depth-first"
        const reduced = yield* explore(drawn, kind, { partialOrder: true, search })
        expect(missing(full.seen, reduced.seen), `${seed} ${search}`).toEqual([])
        expect(missing(full.ends, reduced.ends), `${seed} ${search}`).toEqual([])
        expect(reduced.report.uniqueStates).toBeLessThanOrEqual(full.report.uniqueStates)
        totals.full += full.report.uniqueStates
        totals.reduced += reduced.report.uniqueStates
        if (reduced.report.uniqueStates < full.report.uniqueStates) totals.helped++
      }
      expect(totals.compared).toBeGreaterThan(220)
      expect(totals.helped).toBeGreaterThan(70)
      expect(totals.reduced).toBeLessThan(totals.full)
    })
  )
})

// ------------------------------------------------------------------------------------------- where a condition is needed

/** n1 calls 1, 2, 3 and n2 remembers what it hears; or n1 calls 1 again and again, and nobody remembers. */
const caller = (isForgetful: boolean): Protocol.Protocol<ReadonlyArray<number>, number, "go"> => ({
  name: "test/caller",
  message: Schema.Int,
  init: () => [],
  onCommand: (state, _go, act) => {
    act.send("n2", isForgetful ? 1 : state.length + 1)
    return isForgetful ? state : [...state, 0]
  },
  onMessage: (state, _from, message) => (isForgetful ? state : [...state, message])
})

/** n1 turns round for ever, the others may do something else once; n2 of three tells n1. */
const spinner: Protocol.Protocol<number, number, "go", never, "turn"> = {
  name: "test/spinner",
  message: Schema.Int,
  init: () => 0,
  onStart: (state, act) => {
    if (act.self.id === "n1") act.setTimer("turn", 1)
    return state
  },
  onCommand: (_state, _go, act) => {
    if (act.self.id === "n2" && act.self.nodes.length === 3) act.send("n1", 1)
    return 7
  },
  onMessage: (state) => state,
  onTimeout: (state, _turn, act) => {
    act.setTimer("turn", 1)
    return 1 - state
  }
}

const goes = (who: string, times: number): System.User<unknown, "go", number> => ({
  memo: 0,
  moves: ({ memo, node }) => (node === who && memo < times ? [{ _tag: "Command", command: "go", memo: memo + 1 }] : [])
})

const two = <State, Message, Timer extends string>(
  protocol: Protocol.Protocol<State, Message, "go", never, Timer>,
  rest: Pick<
    System.System<State, Message, "go", never, Timer, number, undefined>,
    "network" | "crashes" | "properties" | "user" | "visible"
  >
) =>
  System.make<State, Message, "go", never, Timer, number>({
    name: "two",
    members: System.members(protocol, ["n1", "n2"], undefined),
    ...rest
  })

const verdicts = (system: Model.Checkable<any>) =>
  Effect.map(Effect.all([Checker.check(system), Checker.check(system, { partialOrder: true })]), ([full, reduced]) =>
    [full, reduced].map(({ properties }) => properties[0]!.verdict)
  )

describe("what makes all steps needed", () => {
  it.effect("one that turns round for ever does not put off the others", () =>
    Effect.gen(function* () {
      const moves = Property.sometimes<System.View<number>>("n2 moves", ({ nodes: all }) => all[1]!.state === 7)
      const visible = ({ node, state }: { readonly node: string; readonly state: number }) => node === "n2" && state
      expect(yield* verdicts(two(spinner, { user: goes("n2", 1), visible, properties: [moves] }))).toEqual([
        "holds",
        "holds"
      ])
    })
  )

  it.effect("a step that is seen does not go first because one that is not does", () =>
    Effect.gen(function* () {
      const user: System.User<number, "go", number> = {
        memo: 0,
        moves: ({ memo, node }) => (memo === 0 && node !== "n1" ? [{ _tag: "Command", command: "go", memo: 1 }] : [])
      }
      const system = System.make({
        name: "three",
        members: System.members(spinner, nodes.slice(0, 3), undefined),
        user,
        visible: ({ node, state }) => node !== "n1" && state,
        properties: [
          Property.sometimes<System.View<number>>(
            "n3 moves before n2",
            ({ nodes: all }) => all[1]!.state === 0 && all[2]!.state === 7
          )
        ]
      })
      expect(yield* verdicts(system)).toEqual(["holds", "holds"])
    })
  )

  it.effect("a fault that uses up the budget does not count as going on", () =>
    Effect.gen(function* () {
      const falls = Property.sometimes<System.View<number>>("n2 crashes", ({ nodes: all }) => !all[1]!.alive)
      const visible = ({ alive, node }: { readonly alive: boolean; readonly node: string }) => node === "n2" && alive
      expect(
        yield* verdicts(two(spinner, { user: goes("n2", 0), crashes: { max: 1 }, visible, properties: [falls] }))
      ).toEqual(["holds", "holds"])
    })
  )

  it.effect("a split loses what was sent before, not what is sent after", () =>
    Effect.gen(function* () {
      const skips = Property.sometimes<System.View<ReadonlyArray<number>>>(
        "n2 hears of 1 and 3",
        ({ nodes: all }) => all[1]!.state.join() === "1,3"
      )
      const network = { order: "fifo", splits: [[["n1"], ["n2"]]] } as const
      const visible = ({ node, state }: { readonly node: string; readonly state: unknown }) => node === "n2" && state
      expect(
        yield* verdicts(two(caller(false), { user: goes("n1", 3), network, visible, properties: [skips] }))
      ).toEqual(["holds", "holds"])
    })
  )

  it.effect("where messages are repeated and lost, what is lost may be sent again", () =>
    Effect.gen(function* () {
      const isEmpty = Property.atTheEnd<System.View<unknown>>(
        "nothing in flight",
        ({ messages }) => messages.length === 0
      )
      const network = { duplication: true, loss: 1 } as const
      expect(yield* verdicts(two(caller(true), { user: goes("n1", 2), network, properties: [isEmpty] }))).toEqual([
        "violated",
        "violated"
      ])
    })
  )
})

describe("what is said to be visible", () => {
  const turns = Property.sometimes<System.View<number>>("n1 turns", ({ nodes: all }) => all[0]!.state === 1)

  it.effect("is held against what properties see", () =>
    Effect.gen(function* () {
      const system = two(spinner, { user: goes("n2", 1), visible: () => null, properties: [turns] })
      expect((yield* Checker.check(system)).properties[0]!.verdict).toBe("holds")
      const error = yield* Effect.flip(Checker.check(system, { partialOrder: true }))
      expect(error).toBeInstanceOf(Checker.NotVisible)
      expect(error.message).toBe(
        'two: the property "n1 turns" sees a step that `visible` does not show: n1: the timer turn runs out. ' +
          "Let the system's `visible` show it, or check without partial order."
      )
    })
  )

  it.effect("is no message in flight", () =>
    Effect.gen(function* () {
      const calm = Property.always<System.View<unknown>>("calm", ({ messages }) => messages.length < 9)
      const system = two(caller(true), { user: goes("n1", 2), visible: () => null, properties: [calm] })
      const error = yield* Effect.flip(Checker.check(system, { partialOrder: true }))
      expect(error).toBeInstanceOf(Checker.PropertyFailed)
      expect(error.message).toContain("shows no messages")
    })
  )

  it.effect("must be said, or nothing is left out on the way", () =>
    Effect.gen(function* () {
      const system = two(spinner, { user: goes("n2", 1), properties: [turns] })
      const [full, reduced] = yield* Effect.all([Checker.check(system), Checker.check(system, { partialOrder: true })])
      expect(reduced.uniqueStates).toBe(full.uniqueStates)
    })
  )
})

// ------------------------------------------------------------------------------------------------------- real protocols

const both = (model: Model.Checkable<any>) =>
  Effect.gen(function* () {
    const options = { stopAtViolation: false }
    const full = yield* Checker.check(model, options)
    const reduced = yield* Checker.check(model, { ...options, partialOrder: true })
    expect(reduced.complete && full.complete).toBe(true)
    expect(reduced.properties.map(({ verdict }) => verdict)).toEqual(full.properties.map(({ verdict }) => verdict))
    return { full, reduced, states: [full.uniqueStates, reduced.uniqueStates] }
  })

const ricartAgrawala = (crashes: number) =>
  System.make({
    name: "Ricart–Agrawala, 3 nodes, one entry each",
    members: System.members(RicartAgrawala.protocol, nodes.slice(0, 3), undefined),
    user: {
      memo: 0,
      moves: ({ memo, state }): ReadonlyArray<System.Move<RicartAgrawala.Command, number>> =>
        state.phase === "inside"
          ? [{ _tag: "Command", command: { _tag: "Release" }, memo }]
          : state.phase === "idle" && memo === 0
            ? [{ _tag: "Command", command: { _tag: "Acquire" }, memo: 1 }]
            : []
    },
    crashes: { max: crashes },
    properties: [
      Property.atTheEnd<System.View<RicartAgrawala.State>>("nobody waits", ({ nodes: all }) =>
        all.every(({ alive, state }) => !alive || state.phase === "idle")
      )
    ]
  })

describe("real protocols: the same verdicts, in fewer states", () => {
  it.effect("Ricart–Agrawala, with and without a crash", () =>
    Effect.gen(function* () {
      expect((yield* both(ricartAgrawala(0))).states).toEqual([3293, 2655])
      const { full, reduced } = yield* both(ricartAgrawala(1))
      expect(reduced.uniqueStates).toBeLessThan(full.uniqueStates * 0.7)
      expect(reduced.properties[0]!.verdict).toBe("violated")
      expect(reduced.properties[0]!.counterexample!.steps[0]).toBe("start")
    })
  )

  it.effect("registers, and Paxos", () =>
    Effect.gen(function* () {
      expect((yield* both(AbdRegister.model({ servers: 2, clients: 2 }))).states[0]).toBe(544)
      const { full, reduced } = yield* both(Paxos.model({ servers: 3, clients: 2 }))
      expect(full.uniqueStates).toBe(16_668)
      expect(reduced.uniqueStates).toBeLessThan(full.uniqueStates * 0.65)
      const copies = yield* both(SingleCopyRegister.model({ servers: 2, clients: 2 }))
      expect(copies.reduced.properties[0]!.verdict).toBe("violated")
    })
  )

  it.effect("nodes that hear from nobody go one after the other", () =>
    Effect.gen(function* () {
      const counter: Protocol.Protocol<number, never, "go"> = {
        name: "test/counter",
        message: Schema.Never,
        init: () => 0,
        onCommand: (state) => state + 1,
        onMessage: (state) => state
      }
      const members = System.members(counter, nodes, undefined)
      const user: System.User<number, "go", number> = {
        memo: 0,
        moves: ({ memo }) => (memo < 5 ? [{ _tag: "Command", command: "go", memo: memo + 1 }] : [])
      }
      const end = Property.atTheEnd<System.View<number>>("5 each", ({ nodes: all }) =>
        all.every(({ state }) => state === 5)
      )
      const { states } = yield* both(System.make({ name: "counters", members, user, properties: [end] }))
      expect(states).toEqual([6 ** 4, 1 + 4 * 5])
    })
  )
})
