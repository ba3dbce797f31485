import { Protocol } from "@troupe/actor"
import { NodeClock, Ntp } from "@troupe/clocks"
import { Faults, Simulation } from "@troupe/simulation"
import { Memory } from "@troupe/transport"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { type Candidate, combined, overlap, truechimers } from "../src/internal/physical/selection.ts"
import { excluding, serverClock, type Setup, skewed, watch, ways } from "./physicalSupport.ts"

const { card, protocol } = Ntp
const servers = ["s1", "s2", "s3", "s4"]

describe("four timestamps (RFC 5905, section 8)", () => {
  it("θ = ((T2 − T1) + (T3 − T4))/2 and δ = (T4 − T1) − (T3 − T2)", () => {
    // The server is 100 ahead; 12 there, 5 at it, 8 back: off by half of what the ways differ.
    expect(Ntp.offsetAndDelay(1_000, 1_112, 1_117, 1_025)).toEqual({ offsetMillis: 102, delayMillis: 20 })
  })
})

const between = (low: number, high: number, id = `${low}`): Candidate<string> => ({
  id,
  offsetMillis: (low + high) / 2,
  distanceMillis: (high - low) / 2
})

describe("intersection (Marzullo 1984; RFC 5905, section 11.2.1)", () => {
  it.each([
    [[between(8, 12), between(11, 13), between(10, 12)], 3, { lowMillis: 11, highMillis: 12 }],
    [[between(8, 12), between(11, 13), between(14, 15)], 2, { lowMillis: 11, highMillis: 12 }],
    [[between(8, 9), between(8, 12), between(10, 12)], 2, { lowMillis: 8, highMillis: 12 }],
    [[between(1, 2), between(2, 3)], 2, { lowMillis: 2, highMillis: 2 }],
    [[between(1, 2), between(3, 4)], 2, undefined]
  ])("%#: from the first to the last point that so many hold possible", (candidates, count, span) => {
    expect(overlap(candidates, count)).toEqual(span)
  })

  it("agrees with counting, point by point", () => {
    let seed = 1
    const below = (limit: number): number =>
      Math.floor(((seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32) * limit)
    for (let i = 0; i < 2_000; i++) {
      const all = Array.from({ length: 1 + below(6) }, () => {
        const low = 2 * below(10)
        return between(low, low + 2 * below(6))
      })
      const count = 1 + below(all.length)
      const covered = Array.from({ length: 40 }, (_, at) => at).filter(
        (at) =>
          all.filter(({ distanceMillis, offsetMillis }) => Math.abs(at - offsetMillis) <= distanceMillis).length >=
          count
      )
      expect(overlap(all, count)).toEqual(
        covered.length === 0 ? undefined : { lowMillis: covered[0], highMillis: covered.at(-1) }
      )
    }
  })

  it("one of four that contradicts the others is a falseticker; so are two of five", () => {
    const right = [between(-3, 5, "a"), between(-4, 4, "b"), between(-2, 6, "c")]
    const ids = (candidates: ReadonlyArray<Candidate<string>>) => truechimers(candidates).map(({ id }) => id)
    expect(ids([...right, between(900, 1_100, "liar")])).toEqual(["a", "b", "c"])
    expect(ids([between(-900, -880, "x"), ...right, between(900, 1_100, "y")])).toEqual(["a", "b", "c"])
  })

  it("two that overlap agree, however far apart their offsets are", () => {
    expect(truechimers([between(0, 10), between(9, 19)])).toHaveLength(2)
  })

  it("without a majority that agrees, nobody is believed", () => {
    expect(truechimers([between(0, 2), between(10, 12)])).toEqual([])
    expect(truechimers([])).toEqual([])
  })

  it("an average is weighted by how near each is to be right (section 11.2.3)", () => {
    expect(
      combined([
        { id: 1, offsetMillis: 0, distanceMillis: 1 },
        { id: 2, offsetMillis: 8, distanceMillis: 3 }
      ])
    ).toBe(2)
  })
})

/** A client that is driven by hand. Its clock reads 1,000,000 when its monotonic clock reads 0. */
class Hand {
  state: Ntp.State
  millis = 0
  private draws = 0
  private readonly self: Protocol.Self<Ntp.Options>

  constructor(options: Partial<Ntp.Options> = {}) {
    const all = { ...Ntp.defaults, serverErrorMillis: 0, servers, falsetickersMax: 1, ...options }
    this.self = Protocol.self("c1", ["c1", ...servers], all)
    this.state = protocol.init(this.self)
  }

  input(input: Protocol.Input<Ntp.Message, never, "poll" | "select">): ReadonlyArray<Ntp.Event> {
    const random = (): number => (this.draws++ % 1_000) / 1_000
    const from = { now: () => 1_000_000 + this.millis, monotonic: () => this.millis, random }
    const { actions, state } = Protocol.step(protocol, this.self, this.state, input, from)
    this.state = state
    return actions.flatMap((action) => (action._tag === "Emit" ? [action.event] : []))
  }

  /** The answer of a server that is `ahead` comes after `delayMillis`, with both ways as long. */
  answer(server: string, ahead: number, delayMillis = 10) {
    const asked = this.state.asked[server]!
    this.millis = asked.monotonicMillis + delayMillis
    const timeMillis = 1_000_000 + this.millis - delayMillis / 2 + ahead
    const message = { _tag: "Reply", id: asked.id, receivedMillis: timeMillis, sentMillis: timeMillis } as const
    return this.input({ _tag: "Message", from: server, message })
  }

  poll() {
    return this.input({ _tag: "Timeout", timer: "poll" })
  }
}

describe("a client", () => {
  it("takes of a server's last eight exchanges the one with the least root distance (the clock filter)", () => {
    const hand = new Hand({ servers: ["s1"], falsetickersMax: 0 })
    const heard: Array<number | undefined> = []
    for (const delay of [50, 4, 80, 80, 80, 80, 80, 80, 80, 80, 80]) {
      hand.poll()
      heard.push(hand.answer("s1", delay, delay)[0]?.deltaMillis)
      hand.millis += 1_000
    }
    expect(hand.state.filters.s1).toHaveLength(8)
    // The one of 4 ms counts until eight others have come.
    expect(heard.map((delta) => Math.round(delta!))).toEqual([50, 4, 4, 4, 4, 4, 4, 4, 4, 80, 80])
  })

  it("an exchange loses its worth with age: clocks may have drifted by 200 ppm since", () => {
    const hand = new Hand({ servers: ["s1"], falsetickersMax: 0 })
    hand.poll()
    hand.answer("s1", 0, 10)
    hand.millis += 100_000
    hand.poll()
    // 10/2 + 20 ms of drift, against 40/2.
    const [event] = hand.answer("s1", 7, 40)
    expect(event!.deltaMillis).toBeCloseTo(7, 6)
    expect(event!.estimate.errorMillis).toBeCloseTo(20, 1)
  })

  it("leaves out one liar of four, and knows where the time is all the same", () => {
    const hand = new Hand()
    hand.poll()
    hand.answer("s1", 1, 10)
    hand.answer("s2", 2, 10)
    hand.answer("s3", -1, 10)
    const [event] = hand.answer("s4", 1_000, 10)
    expect(hand.state.latest).toMatchObject({ truechimers: ["s1", "s2", "s3"], falsetickers: ["s4"] })
    expect(event!.deltaMillis).toBeCloseTo(2 / 3, 2)
    // Three of the four hold −3 to 4 ms possible.
    expect(event!.estimate.errorMillis).toBeCloseTo(4 - (-3 + 4) / 2 + 0.2, 0)
  })

  it("lets its clock be where too few servers are known, or no majority agrees", () => {
    const few = new Hand()
    few.poll()
    few.answer("s1", 0)
    few.answer("s2", 0)
    expect(few.input({ _tag: "Timeout", timer: "select" })).toEqual([])
    const torn = new Hand()
    torn.poll()
    for (const [at, server] of servers.entries()) expect(torn.answer(server, at * 1_000)).toEqual([])
    expect(torn.state.latest).toBeUndefined()
  })

  it("weighs what there is when time is up, and what is late when it is there", () => {
    const hand = new Hand()
    hand.poll()
    hand.answer("s1", 0)
    hand.answer("s2", 0)
    hand.answer("s3", 0)
    expect(hand.input({ _tag: "Timeout", timer: "select" })).toHaveLength(1)
    expect(hand.answer("s4", 0, 3_000)).toHaveLength(1)
  })

  it("knows nothing of answers that are doubled, or to another request", () => {
    const hand = new Hand({ servers: ["s1"], falsetickersMax: 0 })
    hand.poll()
    const { id } = hand.state.asked.s1!
    hand.answer("s1", 0)
    const before = hand.state
    const reply = { _tag: "Reply", id, receivedMillis: 5, sentMillis: 5 } as const
    expect(hand.input({ _tag: "Message", from: "s1", message: reply })).toEqual([])
    expect(hand.state).toBe(before)
    hand.poll()
    expect(hand.input({ _tag: "Message", from: "s1", message: reply })).toEqual([])
    expect(hand.state.filters.s1).toHaveLength(1)
  })

  it("does not believe a server that answered before it was asked, or had the request longer than it was away", () => {
    const hand = new Hand({ servers: ["s1"], falsetickersMax: 0 })
    for (const [receivedMillis, sentMillis] of [
      [10, 9],
      [10, 30]
    ] as const) {
      hand.poll()
      const { id } = hand.state.asked.s1!
      hand.millis += 10
      hand.input({ _tag: "Message", from: "s1", message: { _tag: "Reply", id, receivedMillis, sentMillis } })
      expect(hand.state.filters.s1).toBeUndefined()
    }
  })
})

const source = (options: Partial<Parameters<typeof Ntp.layer>[0]> = {}) =>
  Ntp.layer({ servers, poll: "1 second", timeout: "200 millis", serverError: 0, ...options })

const world = (setup: Partial<Setup> & { readonly seed: number }) =>
  watch({ servers, clients: ["c1"], source: source(), ...setup })

describe("inside its assumptions every guarantee of the card holds", () => {
  it.live.each(card.assumes.tolerates)("faults %s, seeds 1..60", (faults) =>
    Effect.gen(function* () {
      const { failures } = yield* Simulation.search({
        seeds: { first: 1, last: 60 },
        nodes: ["c1", ...servers],
        program: (node) =>
          Layer.build(source().pipe(Layer.provideMerge(node.startsWith("s") ? serverClock() : NodeClock.layer()))),
        faults: Faults.presets[faults],
        duration: "40 seconds",
        properties: Simulation.fromCard(card, protocol.name)
      })
      expect(failures).toEqual([])
    })
  )

  it("a state that breaks one is found out", () => {
    const estimate = { monotonicMillis: 0, timeMillis: 0, errorMillis: 9 }
    const holding = (latest: Ntp.Selected | undefined) =>
      card.guarantees
        .filter(({ holds }) => holds([{ node: "c1", alive: true, state: { asked: {}, filters: {}, latest } }]))
        .map(({ name }) => name)
    expect(holding(undefined)).toEqual(["a majority agrees"])
    expect(holding({ ...estimate, truechimers: ["s1"], falsetickers: ["s2"] })).toEqual(["everybody knows the time"])
    expect(holding({ ...estimate, truechimers: ["s1", "s2"], falsetickers: [] })).toHaveLength(3)
  })
})

describe("in a world of skew, drift, jumps and lost messages", () => {
  it.live("errors stay under the bound, with one server of four lying, and no clock steps back", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 100; seed++) {
        // Some lies are gross, some as small as the bound.
        const { of, result, sights } = yield* world({
          seed,
          lies: { [`s${1 + (seed % 4)}`]: seed % 2 === 0 ? seed * 37 : (seed % 50) - 25 },
          faults: { ...Faults.lossy, ...skewed },
          everyMillis: 100
        })
        expect(result.violations).toEqual([])
        expect(of("c1").filter(({ interval }) => interval !== undefined).length).toBeGreaterThan(20)
        expect(excluding(of("c1"))).toEqual([])
        const read = of("c1").map(({ atMillis, offsetMillis }) => atMillis + offsetMillis)
        expect(read).toEqual(read.toSorted((a, b) => a - b))
        expect(sights.length).toBeGreaterThan(200)
      }
    })
  )

  it.live("a lie is outvoted: the clock comes within half of the longest round trip", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 20; seed++) {
        const { of } = yield* world({ seed, lies: { s4: 10_000 }, clock: { slewPpmMax: 400_000 } })
        expect(Math.abs(of("c1").at(-1)!.offsetMillis)).toBeLessThan(10)
      }
    })
  )

  it.live("but a majority of liars sets it wrong (the card's weakness)", () =>
    Effect.gen(function* () {
      expect(card.weaknesses[1]!.name).toBe("a majority lies")
      const lies = { s2: 500, s3: 500, s4: 500 }
      const { of } = yield* world({ seed: 1, lies, clock: { slewPpmMax: 400_000 }, faults: {} })
      expect(of("c1").at(-1)!.offsetMillis).toBeGreaterThan(490)
    })
  )

  it.live("asymmetric delay: off by half the difference, within the bound (the card's weakness)", () =>
    Effect.gen(function* () {
      expect(card.weaknesses[0]!.name).toBe("asymmetric delay")
      const { of } = yield* world({
        seed: 1,
        clock: { slewPpmMax: 400_000 },
        faults: { clockSkewMillisMax: 300 },
        delays: ways(servers, 2, 10)
      })
      expect(of("c1").at(-1)!.offsetMillis).toBeCloseTo(-4, 2)
      expect(excluding(of("c1"))).toEqual([])
    })
  )
})

describe("the layer", () => {
  it.effect.each([
    [{ servers: [] }, "it names no server"],
    [{ servers: ["s9"] }, `server "s9" is none of the nodes`],
    [{ falsetickersMax: 2 }, "2 wrong servers of 4 could agree against the others"],
    [{ falsetickersMax: -1 }, "falsetickersMax"],
    [{ timeout: "2 seconds" }, "the timeout, 2000 ms, is over after the next poll, at 1000 ms"],
    [{ poll: -1 }, "pollMillis"],
    [{ driftPpmMax: NaN }, "driftPpmMax"],
    [{ serverError: -1 }, "serverErrorMillis"]
  ] as const)("refuses %j", ([options, reason]) =>
    Effect.gen(function* () {
      const network = Memory.network({ nodes: ["c1", ...servers] })
      const layer = source(options).pipe(Layer.provide(NodeClock.layer()), Layer.provide(Memory.layer(network, "c1")))
      const error = yield* Effect.flip(Layer.build(layer))
      expect(error._tag).toBe("InvalidClockOptions")
      expect(error.message).toContain(reason)
    })
  )
})
