import { Protocol } from "@troupe/actor"
import { Berkeley, NodeClock } from "@troupe/clocks"
import { Faults, Simulation } from "@troupe/simulation"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, type Duration, Effect, Layer, Option, PubSub, Stream } from "effect"
import { agreeing } from "../src/internal/physical/average.ts"
import { onHost, trueMillis } from "./physicalSupport.ts"

const { card, protocol } = Berkeley
const nodes = ["n1", "n2", "n3", "n4"]

describe("the fault-tolerant average (Gusella & Zatti 1989)", () => {
  it("3:00, 2:50 and 3:25 become 3:05: each node is sent a delta", () => {
    expect(Berkeley.deltas({ master: 0, a: -10, b: 25 }, 60)).toEqual({ master: 5, a: 15, b: -20 })
  })

  it("a clock that is far off does not count, and is sent its delta all the same", () => {
    expect(Berkeley.deltas({ master: 0, a: -10, b: 4, c: 10_000 }, 20)).toEqual({ master: -2, a: 8, b: -6, c: -10_002 })
  })

  it("is of the largest set within γ; of several, of the one nearest to the master", () => {
    expect(agreeing([0, 50, 52, 55], 10)).toMatchObject({ count: 3, lowMillis: 50, highMillis: 55 })
    expect(agreeing([-100, -90, 3, 13], 10)).toMatchObject({ count: 2, averageMillis: 8 })
    expect(agreeing([-40, 0, 40], 10)).toMatchObject({ count: 1, averageMillis: 0 })
    expect(agreeing([0], 0)).toMatchObject({ count: 1, averageMillis: 0 })
  })

  it("agrees with trying all sets", () => {
    let seed = 1
    const below = (limit: number): number =>
      Math.floor(((seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32) * limit)
    for (let i = 0; i < 1_000; i++) {
      const readings = Array.from({ length: 1 + below(6) }, () => below(40) - 20)
      const sizes = Array.from({ length: 2 ** readings.length }, (_, set) =>
        readings.filter((_, at) => (set >> at) & 1)
      )
        .filter((set) => set.length > 0 && Math.max(...set) - Math.min(...set) <= 8)
        .map(({ length }) => length)
      expect(agreeing(readings, 8).count).toBe(Math.max(...sizes))
    }
  })
})

type Input = Protocol.Input<Berkeley.Message, Berkeley.Command, "round" | "collect">

/** A node that is driven by hand. Its clock reads `ahead` when its monotonic clock reads 0. */
class Hand {
  state: Berkeley.State
  millis = 0
  ahead = 0
  private readonly self: Protocol.Self<Berkeley.Options>

  constructor(id: string, among: ReadonlyArray<string> = ["n1", "n2", "n3"]) {
    this.self = Protocol.self(id, among, { ...Berkeley.defaults, toleranceMillis: 50 })
    this.state = protocol.init(this.self)
  }

  input(input: Input) {
    const from = { now: () => this.millis + this.ahead, monotonic: () => this.millis, random: () => 0.5 }
    const { actions, state } = Protocol.step(protocol, this.self, this.state, input, from)
    this.state = state
    const sent = actions.flatMap((action) => (action._tag === "Send" ? [{ to: action.to, ...action.message }] : []))
    const deltas = actions.flatMap((action) => (action._tag === "Emit" ? [action.event.deltaMillis] : []))
    return { sent, deltas, actions }
  }

  follow(leader: string | undefined) {
    return this.input({ _tag: "Command", command: { _tag: "Follow", leader } })
  }

  hear(from: string, message: Berkeley.Message) {
    return this.input({ _tag: "Message", from, message })
  }
}

const round = 0.5 * 2 ** 52

describe("the master", () => {
  const polling = (): Hand => {
    const master = new Hand("n1")
    master.follow("n1")
    return master
  }
  const time = (timeMillis: number): Berkeley.Message => ({ _tag: "Time", round, timeMillis })

  it("polls all others as soon as it leads, and again and again", () => {
    const master = new Hand("n1")
    const poll = { _tag: "Poll", round }
    expect(master.follow("n1").sent).toEqual([
      { to: "n2", ...poll },
      { to: "n3", ...poll }
    ])
    expect(master.input({ _tag: "Timeout", timer: "round" }).sent).toHaveLength(2)
  })

  it("takes half of each round trip for the way back, averages, and sends deltas", () => {
    const master = polling()
    master.millis = 10
    // Read 5 ms ago: it is 20 behind. The other, read 10 ms ago, is 35 ahead.
    expect(master.hear("n2", time(5 - 20)).sent).toEqual([])
    master.millis = 20
    const { deltas, sent } = master.hear("n3", time(10 + 29))
    expect(sent).toEqual([
      { to: "n2", _tag: "Adjust", round, deltaMillis: 23 },
      { to: "n3", _tag: "Adjust", round, deltaMillis: -26 }
    ])
    expect(deltas).toEqual([3])
  })

  it("leaves out who is too far off, does without who is silent, and counts nobody twice", () => {
    const master = polling()
    master.millis = 10
    master.hear("n2", time(1_000_005))
    expect(master.hear("n2", time(0)).sent).toEqual([])
    const { deltas, sent } = master.input({ _tag: "Timeout", timer: "collect" })
    expect(sent).toEqual([{ to: "n2", _tag: "Adjust", round, deltaMillis: -1_000_000 }])
    expect(deltas).toEqual([0])
    expect(master.state.latest).toEqual({ counted: ["n1"], outliers: ["n2"] })
    // The round is over.
    expect(master.hear("n3", time(5)).actions).toEqual([])
  })

  it("that leads no longer polls no more", () => {
    const master = polling()
    const { actions } = master.follow("n2")
    expect(actions).toEqual([
      { _tag: "ClearTimer", timer: "round" },
      { _tag: "ClearTimer", timer: "collect" }
    ])
    expect(master.hear("n2", { _tag: "Time", round, timeMillis: 0 }).actions).toEqual([])
  })

  it("alone in its group agrees with itself", () => {
    expect(new Hand("n1", ["n1"]).follow("n1").deltas).toEqual([0])
  })
})

describe("a node", () => {
  it("answers and obeys the one that it follows, and nobody else", () => {
    const node = new Hand("n2")
    expect(node.hear("n1", { _tag: "Poll", round }).actions).toEqual([])
    node.follow("n1")
    expect(node.hear("n3", { _tag: "Poll", round }).actions).toEqual([])
    node.ahead = 7
    expect(node.hear("n1", { _tag: "Poll", round: 1 }).sent).toEqual([
      { to: "n1", _tag: "Time", round: 1, timeMillis: 7 }
    ])
    expect(node.hear("n3", { _tag: "Adjust", round: 1, deltaMillis: 5 }).deltas).toEqual([])
    expect(node.hear("n1", { _tag: "Adjust", round: 2, deltaMillis: 5 }).deltas).toEqual([])
    expect(node.hear("n1", { _tag: "Adjust", round: 1, deltaMillis: 5 }).deltas).toEqual([5])
    // Doubled.
    expect(node.hear("n1", { _tag: "Adjust", round: 1, deltaMillis: 5 }).deltas).toEqual([])
  })

  it("obeys no delta of a master that it has left", () => {
    const node = new Hand("n2")
    node.follow("n1")
    node.hear("n1", { _tag: "Poll", round })
    node.follow("n3")
    expect(node.hear("n1", { _tag: "Adjust", round, deltaMillis: 5 }).deltas).toEqual([])
  })

  it("what it slewed since it told the time is not made up twice", () => {
    const node = new Hand("n2")
    node.follow("n1")
    node.hear("n1", { _tag: "Poll", round })
    node.millis = 1_000
    node.ahead = 2
    expect(node.hear("n1", { _tag: "Adjust", round, deltaMillis: 5 }).deltas).toEqual([3])
  })
})

const led = (id: string) => Effect.succeed(Stream.concat(Stream.make(Option.some({ id })), Stream.never))
const quick = { interval: "1 second", timeout: "200 millis" } as const

describe("inside its assumptions every guarantee of the card holds", () => {
  it.live.each(card.assumes.tolerates)("faults %s, seeds 1..100", (faults) =>
    Effect.gen(function* () {
      const { failures } = yield* Simulation.search({
        seeds: { first: 1, last: 100 },
        nodes,
        program: () =>
          Layer.build(Berkeley.layer({ leader: led("n4"), ...quick }).pipe(Layer.provide(NodeClock.layer()))),
        faults: Faults.presets[faults],
        duration: "40 seconds",
        properties: Simulation.fromCard(card, protocol.name)
      })
      expect(failures).toEqual([])
    })
  )

  it("a state that breaks one is found out", () => {
    const first = protocol.init(Protocol.self("n1", nodes, Berkeley.defaults))
    const told = { round: 1, to: "n2", monotonicMillis: 0, timeMillis: 0 }
    const holding = (state: Berkeley.State) =>
      card.guarantees.filter(({ holds }) => holds([{ node: "n1", alive: true, state }])).map(({ name }) => name)
    expect(holding(first)).toEqual(["a node obeys its leader alone"])
    expect(holding({ ...first, told, leader: "n3", adjustments: 1 })).toEqual(["a clock is adjusted"])
    const latest = { counted: ["n1"], outliers: [] }
    expect(holding({ ...first, leader: "n1", latest })).toContain("all are brought together")
  })

  it.live("a round costs 3(N−1) messages", () =>
    Effect.gen(function* () {
      const { counts } = yield* Simulation.run({
        seed: 1,
        nodes,
        program: () => Layer.build(Berkeley.layer({ leader: led("n4") }).pipe(Layer.provide(NodeClock.layer()))),
        duration: "9 seconds"
      })
      expect(counts.sent).toBe(card.cost.best.of(4))
      expect(card.cost.worst.of(4)).toBe(9)
    })
  )
})

/** Runs the nodes with clocks that are off, and returns by how much each is off at the end, and whether one stepped back. */
const together = (
  seed: number,
  options: Pick<Simulation.Options<unknown>, "faults" | "delays"> & {
    readonly tolerance?: Duration.Input
    /** By how much the time of day of a host is ahead. */
    readonly ahead?: Readonly<Record<string, number>>
  }
) =>
  Effect.gen(function* () {
    const { ahead = {}, delays, faults, tolerance = "1 second" } = options
    const offsets: Record<string, number> = {}
    let backward = false
    const { violations } = yield* Simulation.run({
      seed,
      nodes,
      duration: "12 seconds",
      faults: { clockSkewMillisMax: 500, clockDriftPpmMax: 200, ...faults },
      ...(delays === undefined ? {} : { delays }),
      program: (node) =>
        Effect.gen(function* () {
          const adjustable = NodeClock.layer({ slewPpmMax: 400_000 })
          const layer = Berkeley.layer({ leader: led("n4"), tolerance, ...quick }).pipe(
            Layer.provideMerge(ahead[node] === undefined ? adjustable : onHost(ahead[node], adjustable))
          )
          const context = yield* Layer.build(layer)
          const clock = Context.get(context, NodeClock.NodeClock)
          for (let before = -Infinity; ;) {
            yield* Effect.sleep("50 millis")
            const now = clock.nowUnsafe()
            backward ||= now < before
            before = now
            offsets[node] = now - trueMillis()
          }
        })
    })
    expect(violations).toEqual([])
    const all = Object.values(offsets)
    return { offsets, backward, spread: Math.max(...all) - Math.min(...all) }
  })

describe("precision", () => {
  it.live("clocks come within the longest round trip without its least delays, and drift; none steps back", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 50; seed++) {
        const { backward, spread } = yield* together(seed, {
          faults: { clockJumpsPerMinute: 30, clockJumpMillisMax: 5_000 }
        })
        // Two readings, each off by RTT/2 − 1 ms at most, of delays of 1 to 10 ms; 1.2 seconds of 2 × 200 ppm.
        expect(spread).toBeLessThan(2 * (10 - 1) + 1.2 * 0.4)
        expect(backward).toBe(false)
      }
    })
  )

  it.live("with equal delays they come together but for drift", () =>
    Effect.gen(function* () {
      const delays = () => ({ minMillis: 5, maxMillis: 5 })
      expect((yield* together(1, { delays })).spread).toBeLessThan(1.2 * 0.4 + 0.1)
    })
  )

  it.live("the outlier is left out: the others do not follow it, and it follows them", () =>
    Effect.gen(function* () {
      const delays = () => ({ minMillis: 5, maxMillis: 5 })
      const faults = { clockSkewMillisMax: 5, clockDriftPpmMax: 0 }
      const ahead = { n2: 1_000 }
      const { offsets, spread } = yield* together(1, { delays, faults, ahead, tolerance: "20 millis" })
      expect(spread).toBeLessThan(0.1)
      expect(Math.abs(offsets.n1!)).toBeLessThan(10)
      const tolerant = yield* together(1, { delays, faults, ahead, tolerance: "2 seconds" })
      expect(tolerant.offsets.n1!).toBeGreaterThan(200)
    })
  )

  it.live("asymmetric delay: a clock stays off by half the difference (the card's weakness)", () =>
    Effect.gen(function* () {
      expect(card.weaknesses[1]!.name).toBe("asymmetric delay")
      const delays = (from: string, to: string) =>
        from === "n2"
          ? { minMillis: 12, maxMillis: 12 }
          : to === "n2"
            ? { minMillis: 2, maxMillis: 2 }
            : { minMillis: 5, maxMillis: 5 }
      const { offsets } = yield* together(1, { delays, faults: { clockDriftPpmMax: 0 } })
      expect(offsets.n2! - offsets.n1!).toBeCloseTo((12 - 2) / 2, 1)
      expect(offsets.n3! - offsets.n1!).toBeCloseTo(0, 1)
    })
  )
})

describe("leaders", () => {
  it.live("a new master takes over where the old one left: everybody goes on", () =>
    Effect.gen(function* () {
      const leaders = yield* PubSub.unbounded<Option.Option<{ readonly id: string }>>()
      const readings: Array<ReadonlyArray<string>> = []
      const { violations } = yield* Simulation.run({
        seed: 1,
        nodes,
        program: () => {
          const stream = Stream.concat(Stream.make(Option.some({ id: "n4" })), Stream.fromPubSub(leaders))
          const layer = Berkeley.layer({ leader: Effect.succeed(stream), ...quick })
          return Layer.build(layer.pipe(Layer.provide(NodeClock.layer())))
        },
        test: ({ crash, world }) =>
          Effect.gen(function* () {
            const masters = Effect.gen(function* () {
              yield* Effect.sleep("3 seconds")
              const up = world.snapshot(protocol.name).filter(({ alive }) => alive)
              readings.push(
                up.flatMap(({ node, state }) =>
                  (state as Berkeley.State).latest?.counted.length === up.length ? [node] : []
                )
              )
            })
            yield* masters
            yield* crash("n4")
            yield* PubSub.publish(leaders, Option.none())
            yield* masters
            yield* PubSub.publish(leaders, Option.some({ id: "n3" }))
            yield* masters
          })
      })
      expect(violations).toEqual([])
      expect(readings).toEqual([["n4"], [], ["n3"]])
    })
  )

  it.effect.each([
    [{ interval: 0 }, "intervalMillis"],
    [{ timeout: -1 }, "timeoutMillis"],
    [{ tolerance: -1 }, "toleranceMillis"],
    [{ timeout: "2 seconds", interval: "1 second" }, "the timeout, 2000 ms, is over after the next round, at 1000 ms"]
  ] as const)("refuses %j", ([options, reason]) =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes })
      const layer = Berkeley.layer({ leader: led("n1"), ...options }).pipe(
        Layer.provide(NodeClock.layer()),
        Layer.provide(Memory.layer(network, "n1"))
      )
      const error = yield* Effect.flip(Layer.build(layer))
      expect(error._tag).toBe("InvalidClockOptions")
      expect(error.message).toContain(reason)
    })
  )
})
