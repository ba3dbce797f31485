import { Protocol } from "@troupe/actor"
import { Cristian, NodeClock, TimeSource } from "@troupe/clocks"
import { Faults, Simulation } from "@troupe/simulation"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { excluding, serverClock, skewed, watch, ways } from "./physicalSupport.ts"

const { card, protocol } = Cristian

describe("the reckoning (Cristian 1989)", () => {
  it("T0 = 10:00:00.000, T1 = 10:00:00.080, Ts = 10:00:00.050: it is 10:00:00.090", () => {
    const day = Date.UTC(2020, 0, 1, 10)
    const { errorMillis, timeMillis } = Cristian.estimate({ serverMillis: day + 50, roundTripMillis: 80 - 0 }, 80)
    expect(timeMillis - day).toBe(90)
    expect(errorMillis).toBe(40)
  })

  it("is off by at most RTT/2 − the least delay", () => {
    const options = { minDelayMillis: 15 }
    expect(Cristian.estimate({ serverMillis: 0, roundTripMillis: 80 }, 0, options).errorMillis).toBe(25)
  })

  it("and by what the clock that measured the round trip is", () => {
    const { errorMillis } = Cristian.estimate({ serverMillis: 0, roundTripMillis: 1_000 }, 0, { driftPpmMax: 200 })
    expect(errorMillis).toBeCloseTo(500.2, 3)
  })
})

/** A node that is driven by hand. Its clock reads 1,000,000 when its monotonic clock reads 0. */
class Hand {
  state: Cristian.State
  millis = 0
  random = 0
  private readonly self: Protocol.Self<Cristian.Options>

  constructor(id: string, options: Partial<Cristian.Options> = {}) {
    const all = { ...Cristian.defaults, serverErrorMillis: 0, servers: ["s1", "s2"], ...options }
    this.self = Protocol.self(id, ["c1", "s1", "s2"], all)
    this.state = protocol.init(this.self)
  }

  input(input: Protocol.Input<Cristian.Message, never, "poll" | "timeout">) {
    const from = { now: () => 1_000_000 + this.millis, monotonic: () => this.millis, random: () => this.random }
    const { actions, state } = Protocol.step(protocol, this.self, this.state, input, from)
    this.state = state
    return actions
  }

  /** A request goes out now, and its answer is here at `millis`. */
  answer(millis: number, timeMillis: number, from = "s1", id = this.state.asked!.id) {
    this.millis = millis
    return this.input({ _tag: "Message", from, message: { _tag: "Reply", id, timeMillis } })
  }
}

const emitted = (actions: ReadonlyArray<Protocol.Action>) =>
  actions.flatMap((action) => (action._tag === "Emit" ? [action.event as Cristian.Event] : []))
const sent = (actions: ReadonlyArray<Protocol.Action>) =>
  actions.flatMap((action) =>
    action._tag === "Send" ? [{ to: action.to, ...(action.message as Cristian.Message) }] : []
  )

const started = (options?: Partial<Cristian.Options>): Hand => {
  const hand = new Hand("c1", options)
  hand.input({ _tag: "Start" })
  return hand
}

describe("a client", () => {
  it("believes the answer of the shortest round trip, carried on to the end of the round", () => {
    const hand = started()
    expect(hand.answer(40, 2_000_000)).not.toEqual([])
    hand.answer(50, 2_000_045)
    const [event] = emitted(hand.answer(80, 2_000_000))
    // 10 ms of round trip: 2,000,050 at 50, so 2,000,080 at 80, when its clock reads 1,000,080.
    expect(event!.deltaMillis).toBe(1_000_000)
    expect(event!.estimate).toMatchObject({ monotonicMillis: 50, timeMillis: 2_000_050, roundTripMillis: 10 })
    expect(event!.estimate.errorMillis).toBeCloseTo(5.004, 3)
    expect(hand.state.latest).toBe(event!.estimate)
  })

  it("knows nothing of answers that are late, doubled, of others, or to an earlier life", () => {
    const hand = started({ samples: 2 })
    const first = hand.state.asked!.id
    hand.random = 0.5
    hand.answer(10, 2_000_000)
    const before = hand.state
    expect(hand.answer(11, 2_000_000, "s1", first)).toEqual([])
    expect(hand.answer(12, 2_000_000, "s2")).toEqual([])
    expect(hand.state).toBe(before)
    // In another life it draws other ids.
    const reborn = new Hand("c1")
    reborn.random = 0.25
    reborn.input({ _tag: "Start" })
    expect(reborn.answer(12, 2_000_000, "s1", first)).toEqual([])
  })

  it("asks the next server when one is silent, and does without those answers", () => {
    const hand = started({ samples: 2 })
    hand.millis = 1_000
    expect(sent(hand.input({ _tag: "Timeout", timer: "timeout" }))).toMatchObject([{ to: "s2", _tag: "Request" }])
    const [event] = emitted(hand.answer(1_020, 3_000_000, "s2"))
    expect(event!.estimate).toMatchObject({ server: "s2", timeMillis: 3_000_010 })
  })

  it("lets its clock be when none answers, and asks again", () => {
    const hand = started({ samples: 1 })
    const actions = hand.input({ _tag: "Timeout", timer: "timeout" })
    expect(emitted(actions)).toEqual([])
    expect(actions).toContainEqual({ _tag: "SetTimer", timer: "poll", delayMillis: 10_000 })
    expect(sent(hand.input({ _tag: "Timeout", timer: "poll" }))).toMatchObject([{ to: "s2" }])
  })

  it("does not believe a round trip that is shorter than two least delays", () => {
    const hand = started({ samples: 1, minDelayMillis: 6 })
    expect(emitted(hand.answer(10, 2_000_000))).toEqual([])
    expect(hand.state.latest).toBeUndefined()
  })
})

describe("a message", () => {
  it("whose time no clock can have is refused", () => {
    const decode = Schema.decodeUnknownExit(Cristian.Message)
    const reply = (timeMillis: number) => decode({ _tag: "Reply", id: 1, timeMillis })._tag
    expect([0, 8.64e15, -8.64e15].map(reply)).toEqual(["Success", "Success", "Success"])
    expect([NaN, Infinity, 8.65e15, -1e300].map(reply)).toEqual(["Failure", "Failure", "Failure", "Failure"])
  })
})

describe("a server", () => {
  it("answers by its clock, and reads that itself; a client answers nobody", () => {
    const request = { _tag: "Message", from: "c1", message: { _tag: "Request", id: 7 } } as const
    const server = new Hand("s1", { serverErrorMillis: 3 })
    server.millis = 5
    const [own] = emitted(server.input({ _tag: "Start" }))
    expect(own).toMatchObject({ estimate: { timeMillis: 1_000_005, errorMillis: 3.002 }, deltaMillis: undefined })
    expect(sent(server.input(request))).toEqual([{ to: "c1", _tag: "Reply", id: 7, timeMillis: 1_000_005 }])
    expect(started().input(request)).toEqual([])
  })
})

const source = (options: Partial<Parameters<typeof Cristian.layer>[0]> = {}) =>
  Cristian.layer({
    servers: ["s1", "s2"],
    poll: "1 second",
    samples: 2,
    timeout: "200 millis",
    serverError: 0,
    ...options
  })

const program = (layer: ReturnType<typeof source>) => (node: string) =>
  Layer.build(layer.pipe(Layer.provideMerge(node.startsWith("s") ? serverClock() : NodeClock.layer())))

describe("inside its assumptions every guarantee of the card holds", () => {
  it.live.each(card.assumes.tolerates)("faults %s, seeds 1..100", (faults) =>
    Effect.gen(function* () {
      const { failures } = yield* Simulation.search({
        seeds: { first: 1, last: 100 },
        nodes: ["c1", "c2", "s1", "s2"],
        program: program(source()),
        faults: Faults.presets[faults],
        duration: "40 seconds",
        properties: Simulation.fromCard(card, protocol.name)
      })
      expect(failures).toEqual([])
    })
  )

  it("a state that breaks one is found out", () => {
    const latest = {
      monotonicMillis: 0,
      timeMillis: 0,
      errorMillis: 9,
      roundTripMillis: 8,
      serverErrorMillis: 0,
      server: "s1"
    }
    const state = {
      ...protocol.init(
        Protocol.self("c1", ["c1", "s1"], { ...Cristian.defaults, serverErrorMillis: 0, servers: ["s1"] })
      ),
      latest
    }
    const holding = (of: Cristian.State) =>
      card.guarantees.filter(({ holds }) => holds([{ node: "c1", alive: true, state: of }])).map(({ name }) => name)
    expect(holding(state)).toEqual(["everybody knows the time", "a clock is read"])
    expect(holding({ ...state, latest: undefined })).toEqual(["a bounded error"])
  })
})

describe("precision", () => {
  it.live("errors stay under the bound that each reading states, with skew, drift and jumps; no clock steps back", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 100; seed++) {
        const { of, result, sights } = yield* watch({
          seed,
          servers: ["s1"],
          clients: ["c1", "c2"],
          source: source({ servers: ["s1"] }),
          faults: {
            ...skewed,
            ...Faults.lossy,
            clockSkewMillisMax: 500,
            clockDriftPpmMax: 200,
            clockJumpsPerMinute: 30
          },
          everyMillis: 100
        })
        expect(result.violations).toEqual([])
        expect(sights.filter(({ interval }) => interval !== undefined).length).toBeGreaterThan(100)
        expect(excluding(sights)).toEqual([])
        const read = of("c1").map(({ atMillis, offsetMillis }) => atMillis + offsetMillis)
        expect(read).toEqual(read.toSorted((a, b) => a - b))
      }
    })
  )

  it.live("a clock that may go fast comes within half of the longest round trip", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 20; seed++) {
        const { of } = yield* watch({
          seed,
          servers: ["s1"],
          clients: ["c1"],
          source: source({ servers: ["s1"] }),
          clock: { slewPpmMax: 400_000 }
        })
        // Delays are 1 to 10 ms, and the clock was set less than 2 seconds ago.
        expect(Math.abs(of("c1").at(-1)!.offsetMillis)).toBeLessThan(10 - 1 + 2 * 0.2)
      }
    })
  )
})

describe("asymmetric delay (the card's weakness)", () => {
  it.live.each([
    [2, 10, -4],
    [10, 2, 4],
    [5, 5, 0],
    [1, 41, -20]
  ] as const)("ms there, back, and off by half the difference: %j", ([there, back, predicted]) =>
    Effect.gen(function* () {
      expect(card.weaknesses[0]).toMatchObject({ name: "asymmetric delay", faults: "none" })
      const { of, sights } = yield* watch({
        seed: 1,
        servers: ["s1"],
        clients: ["c1"],
        source: source({ servers: ["s1"] }),
        clock: { slewPpmMax: 400_000 },
        faults: { clockSkewMillisMax: 300 },
        delays: ways(["s1"], there, back)
      })
      expect(of("c1").at(-1)!.offsetMillis).toBeCloseTo(predicted, 2)
      // The bound covers it.
      expect(excluding(sights)).toEqual([])
    })
  )
})

describe("a server that crashes", () => {
  it.live("is replaced by the next, and asked again when that is silent", () =>
    Effect.gen(function* () {
      const asked: Array<string | undefined> = []
      const { violations } = yield* Simulation.run({
        seed: 1,
        nodes: ["c1", "s1", "s2"],
        program: program(source()),
        test: ({ crash, restart, world }) =>
          Effect.gen(function* () {
            const note = Effect.gen(function* () {
              yield* Effect.sleep("3 seconds")
              const { state } = world.snapshot(protocol.name).find(({ node }) => node === "c1")!
              asked.push((state as Cristian.State).latest?.server)
            })
            yield* note
            yield* crash("s1")
            yield* note
            yield* restart("s1")
            yield* note
            yield* crash("s2")
            yield* note
          })
      })
      expect(violations).toEqual([])
      expect(asked).toEqual(["s1", "s2", "s2", "s1"])
    })
  )
})

describe("the layer", () => {
  const build = (options: Partial<Parameters<typeof Cristian.layer>[0]>) => {
    const network = Memory.network({ nodes: ["c1", "s1", "s2"], encode: "always" })
    return Layer.build(
      source(options).pipe(Layer.provideMerge(NodeClock.layer()), Layer.provide(Memory.layer(network, "s1")))
    )
  }

  it.effect("tells what it knows, and then each change", () =>
    Effect.gen(function* () {
      const time = Context.get(yield* build({ serverError: "5 millis" }), TimeSource)
      expect(time.self).toBe("s1")
      expect(Option.getOrThrow(yield* time.latest).errorMillis).toBeCloseTo(5, 1)
      expect(yield* Stream.runCollect(Stream.take(time.changes, 1))).toHaveLength(1)
    })
  )

  it.effect.each([
    [{ servers: [] }, "it names no server"],
    [{ servers: ["s9"] }, `server "s9" is none of the nodes: c1, s1, s2`],
    [{ servers: ["s1", "s1"] }, `server "s1" is named twice`],
    [{ samples: 0 }, "samples"],
    [{ samples: 1.5 }, "samples"],
    [{ minDelay: -1 }, "minDelayMillis"],
    [{ poll: 0 }, "pollMillis"],
    [{ timeout: "soon" as "1 second" }, "timeoutMillis"],
    [{ driftPpmMax: -1 }, "driftPpmMax"],
    [{ serverError: -1 }, "serverErrorMillis"]
  ] as const)("refuses %j", ([options, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(build(options))
      expect(error._tag).toBe("InvalidClockOptions")
      expect(error.message).toContain(reason)
    })
  )
})
