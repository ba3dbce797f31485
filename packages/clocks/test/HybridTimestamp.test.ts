import { describe, expect, it } from "@effect/vitest"
import { Order, Result, Schema } from "effect"
import { existsSync, readFileSync } from "node:fs"
import * as HybridTimestamp from "../src/HybridTimestamp.ts"
import { execution, happenedBefore, pairs, randomOf, seeds, stamps, thrown } from "./executions.ts"

const at = (physical: number, logical = 0) => ({ physical, logical })
const receive = (...args: Parameters<typeof HybridTimestamp.receive>) =>
  Result.getOrThrow(HybridTimestamp.receive(...args))
const lastMillis = 2 ** 48 - 1

/** A run whose nodes' clocks differ by up to `skew`, and are set back by up to as much within it. */
const stamped = (seed: number, skew: number) => {
  const random = randomOf(seed + 1_000)
  const run = execution(seed, { eventCount: 60 })
  const readings = run.events.map(({ index }) => 10_000 + 3 * index + random(skew + 1))
  const clocks = stamps(run, {
    zero: () => HybridTimestamp.zero,
    tick: (clock, _node, { index }) => HybridTimestamp.tick(clock, readings[index]!),
    receive: (clock, _node, sent, _from, { index }) => receive(clock, sent, readings[index]!)
  })
  return run.events.map((event, i) => ({ event, clock: clocks[i]!, reading: readings[i]! }))
}

describe("the clock (Kulkarni et al. 2014, §3)", () => {
  it("e → f implies hlc(e) < hlc(f), in 200 runs with clocks that differ and are set back", () => {
    const wrong = seeds(200).flatMap((seed) =>
      pairs(stamped(seed, 50)).filter(
        ([e, f]) => happenedBefore(e.event, f.event) && HybridTimestamp.Order(e.clock, f.clock) >= 0
      )
    )
    expect(wrong).toEqual([])
  })

  it("is never behind the node's physical clock (Theorem 2)", () => {
    const behind = seeds(200).flatMap((seed) =>
      stamped(seed, 50).filter(({ clock, reading }) => clock.physical < reading)
    )
    expect(behind).toEqual([])
  })

  it("its physical part is that of some event in the past: ahead by no more than clocks differ (Theorem 3, Corollary 1)", () => {
    for (const seed of seeds(200)) {
      const all = stamped(seed, 50)
      for (const { event, clock, reading } of all) {
        const known = all.filter((each) => event.past.has(each.event.index)).map((each) => each.reading)
        expect(clock.physical).toBe(Math.max(...known))
        expect(HybridTimestamp.aheadMillis(clock, reading)).toBeLessThanOrEqual(50)
      }
    }
  })

  it("its counter is no higher than the number of events of that physical part (Theorem 4)", () => {
    for (const seed of seeds(50)) {
      const all = stamped(seed, 50)
      for (const { clock } of all) {
        expect(clock.logical).toBeLessThan(all.filter((each) => each.clock.physical === clock.physical).length)
      }
    }
  })

  it("counts on while the physical clock stands or is set back, and starts anew when it has caught up", () => {
    const first = HybridTimestamp.tick(at(10, 3), 10)
    const second = HybridTimestamp.tick(first, 4)
    expect([first, second, HybridTimestamp.tick(second, 11.9)]).toEqual([at(10, 4), at(10, 5), at(11)])
  })
})

const vectors = new URL("../../../../shared/corpora/vectors/hlc.json", import.meta.url)

describe.skipIf(!existsSync(vectors))("shared/corpora/vectors/hlc.json (skipped where absent)", () => {
  interface Step {
    readonly pt: number
    readonly in?: readonly [number, number]
    readonly out: readonly [number, number]
  }
  const { steps, paper_receive_rule_outputs: byPaper } = existsSync(vectors)
    ? (JSON.parse(readFileSync(vectors, "utf8")) as {
        readonly steps: ReadonlyArray<Step>
        readonly paper_receive_rule_outputs: ReadonlyArray<readonly [number, number]>
      })
    : { steps: [], paper_receive_rule_outputs: [] }

  it("the paper's rule gives the paper's timestamps", () => {
    let clock = HybridTimestamp.zero
    const given = steps.map(({ pt, in: remote }) => {
      clock = remote ? receive(clock, at(...remote), pt) : HybridTimestamp.tick(clock, pt)
      return [clock.physical, clock.logical]
    })
    expect(given).toEqual(byPaper)
  })

  it("CockroachDB's receipt is two ticks around the higher of both timestamps", () => {
    const higher = Order.max(HybridTimestamp.Order)
    let clock = HybridTimestamp.zero
    const given = steps.map(({ pt, in: remote }) => {
      if (remote) clock = higher(HybridTimestamp.tick(clock, pt), at(...remote))
      clock = HybridTimestamp.tick(clock, pt)
      return [clock.physical, clock.logical]
    })
    expect(given).toEqual(steps.map(({ out }) => out))
  })
})

describe("bounds", () => {
  it("a full counter carries into the physical part", () => {
    expect(HybridTimestamp.tick(at(10, 0xffff), 10)).toEqual(at(11))
    expect(receive(at(10, 5), at(10, 0xffff), 10)).toEqual(at(11))
  })

  it("200,000 events within a millisecond stay distinct, in order, and 3 ms ahead", () => {
    let clock = at(10)
    for (let i = 0; i < 200_000; i++) {
      const next = HybridTimestamp.tick(clock, 10)
      if (HybridTimestamp.Order(clock, next) >= 0) throw new Error(`${i}: not in order`)
      clock = next
    }
    expect(clock).toEqual(at(10 + Math.floor(200_000 / 2 ** 16), 200_000 % 2 ** 16))
  })

  it("a timestamp 500 ms ahead is taken, one 501 ms ahead is refused and says by how much", () => {
    expect(receive(at(5), at(1_500), 1_000)).toEqual(at(1_500, 1))
    const refused = HybridTimestamp.receive(at(5), at(1_501), 1_000)
    expect(Result.isFailure(refused) && refused.failure).toMatchObject({
      _tag: "TooFarAhead",
      remoteMillis: 1_501,
      nowMillis: 1_000,
      maxAheadMillis: 500,
      message: expect.stringMatching(/501 ms ahead .* 500 /)
    })
  })

  it("the bound is the group's to choose", () => {
    expect(Result.isFailure(HybridTimestamp.receive(at(5), at(1_008), 1_000, { maxAheadMillis: 7 }))).toBe(true)
    expect(receive(at(5), at(9_000), 1_000, { maxAheadMillis: Infinity })).toEqual(at(9_000, 1))
  })

  it("a clock that is ahead itself, as after its time was set back, still receives", () => {
    expect(receive(at(9_000), at(1_000), 1_000)).toEqual(at(9_000, 1))
  })
})

describe("forms", () => {
  const random = randomOf(1)
  const timestamps = [
    at(0),
    at(lastMillis, 0xffff),
    ...Array.from({ length: 200 }, () => at(random(2 ** 30) * random(2 ** 18), random(2 ** 16))),
    ...Array.from({ length: 50 }, () => at(random(4), random(4)))
  ]

  const reads = <Form>(schema: Schema.Codec<HybridTimestamp.HybridTimestamp, Form>, forms: ReadonlyArray<Form>) =>
    expect(forms.map((form) => Schema.decodeUnknownSync(schema)(form))).toEqual(timestamps)

  it("64 bits and 16 digits read back", () => {
    reads(HybridTimestamp.FromBigInt, timestamps.map(HybridTimestamp.toBigInt))
    reads(HybridTimestamp.FromHex, timestamps.map(HybridTimestamp.toHex))
  })

  it.for([HybridTimestamp.toBigInt, HybridTimestamp.toHex])("%o sorts as the timestamps do", (to) => {
    for (const [a, b] of pairs(timestamps)) {
      const [formA, formB] = [to(a), to(b)]
      expect(formA < formB ? -1 : formA > formB ? 1 : 0).toBe(HybridTimestamp.Order(a, b))
    }
  })

  it("all 64 bits are used", () => {
    expect(HybridTimestamp.toBigInt(at(lastMillis, 0xffff))).toBe(2n ** 64n - 1n)
    expect(HybridTimestamp.toHex(at(1_000, 5))).toBe("0000000003e80005")
  })

  it("equal means the same in both parts", () => {
    for (const [a, b] of pairs(timestamps)) {
      expect(HybridTimestamp.Equivalence(a, b)).toBe(HybridTimestamp.Order(a, b) === 0)
    }
  })
})

describe("bad input", () => {
  it.for([at(-1), at(1.5), at(2 ** 48), at(0, -1), at(0, 0x1_0000), at(Number.NaN), { physical: 1 }, null])(
    "the schema refuses %j",
    (input) => {
      expect(Schema.is(HybridTimestamp.HybridTimestamp)(input)).toBe(false)
    }
  )

  it.for(["", "0000000003e8000", "0000000003E80005", "0000000003e80005 ", "-000000003e80005"])(
    "%j are no 16 digits",
    (digits) => {
      expect(Result.isFailure(Schema.decodeUnknownResult(HybridTimestamp.FromHex)(digits))).toBe(true)
    }
  )

  it.for([-1n, 2n ** 64n])("%s is no 64 bits", (bits) => {
    expect(Result.isFailure(Schema.decodeUnknownResult(HybridTimestamp.FromBigInt)(bits))).toBe(true)
  })

  it.for([-1, Number.NaN, Infinity, 2 ** 48])("%s is no physical time", (millis) => {
    expect(thrown(() => HybridTimestamp.tick(HybridTimestamp.zero, millis))).toBeInstanceOf(
      HybridTimestamp.PhysicalTimeOutOfRange
    )
    expect(thrown(() => HybridTimestamp.receive(HybridTimestamp.zero, at(1), millis))).toBeInstanceOf(
      HybridTimestamp.PhysicalTimeOutOfRange
    )
  })

  it("a remote time that is no number is refused as too far ahead", () => {
    expect(Result.isFailure(HybridTimestamp.receive(at(5), at(Number.NaN), 1_000))).toBe(true)
  })

  it("the very last timestamp has no next", () => {
    expect(thrown(() => HybridTimestamp.tick(at(lastMillis, 0xffff), 0))).toBeInstanceOf(
      HybridTimestamp.PhysicalTimeOutOfRange
    )
  })
})
