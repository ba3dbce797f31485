import { describe, expect, it } from "@effect/vitest"
import { Codec } from "@troupe/transport"
import { Result, Schema } from "effect"
import { existsSync, readFileSync } from "node:fs"
import * as IntervalTreeClock from "../src/IntervalTreeClock.ts"
import { isSubset, pairs, randomOf, seeds, thrown, union } from "./executions.ts"

const { compare, Equivalence, event, fork, fromBytes, join, leq, peek, seed, toBytes } = IntervalTreeClock
type Stamp = IntervalTreeClock.IntervalTreeClock

const isStamp = Schema.is(IntervalTreeClock.IntervalTreeClock)
const bitsOf = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("")

/** Filled with zeros to whole bytes. Spaces are for the reader. */
const bytesOf = (spaced: string) =>
  Uint8Array.from(spaced.replaceAll(" ", "").match(/.{1,8}/g) ?? [], (bits) => Number.parseInt(bits.padEnd(8, "0"), 2))

/** A party's stamp beside its causal history: the events that it knows. */
interface Party {
  readonly stamp: Stamp
  readonly known: ReadonlySet<number>
}

/** Parties that fork, join, have events and send each other what they know; all that there ever were, and who is left. */
const parties = (of: number, steps = 40) => {
  const random = randomOf(of)
  const now: Array<Party> = [{ stamp: seed, known: new Set() }]
  const all = [...now]
  for (let step = 0; step < steps; step++) {
    const i = random(now.length)
    const { stamp, known } = now[i]!
    const other = now[random(now.length)]!
    switch (random(now.length < 6 ? 5 : 4)) {
      case 0:
        now[i] = { stamp: join(stamp, peek(other.stamp)), known: union(known, other.known) }
        break
      case 1:
        if (other.stamp === stamp) break
        now[i] = { stamp: join(stamp, other.stamp), known: union(known, other.known) }
        now.splice(now.indexOf(other), 1)
        break
      case 4: {
        const [mine, theirs] = fork(stamp)
        now[i] = { stamp: mine, known }
        now.push({ stamp: theirs, known })
        break
      }
      default:
        now[i] = { stamp: event(stamp), known: union(known, [step]) }
    }
    all.push(...now.slice(i, i + 1), ...now.slice(-1))
  }
  return { all, now }
}

describe("against causal histories (Almeida, Baquero, Fonte 2008, §3)", () => {
  it("a stamp is at most another exactly if the other knows all its events, in 200 runs", () => {
    for (const of of seeds(200)) {
      const wrong = pairs(parties(of).all).filter(([a, b]) => leq(a.stamp, b.stamp) !== isSubset(a.known, b.known))
      expect(wrong).toEqual([])
    }
  })

  it("compare tells the four ways apart", () => {
    for (const [a, b] of pairs(parties(5).all)) {
      const [up, down] = [leq(a.stamp, b.stamp), leq(b.stamp, a.stamp)]
      expect(compare(a.stamp, b.stamp)).toBe(up ? (down ? "equal" : "before") : down ? "after" : "concurrent")
    }
  })

  it("every stamp is in normal form", () => {
    expect(seeds(200).flatMap((of) => parties(of).all.filter(({ stamp }) => !isStamp(stamp)))).toEqual([])
  })

  it("the shares of the parties that are left make up the whole", () => {
    for (const of of seeds(200)) {
      const { now } = parties(of)
      expect(now.map(({ stamp }) => stamp).reduce(join).id).toBe(1)
    }
  })

  it("once all have joined, an event makes the stamp a number again, whatever came before", () => {
    for (const of of seeds(50)) {
      const { now } = parties(of, 200)
      const last = event(now.map(({ stamp }) => stamp).reduce(join))
      expect(last).toEqual({ id: 1, event: expect.any(Number) })
    }
  })
})

describe("where an event raises the function (§5.3.4)", () => {
  it("to where that makes the tree simpler, if anywhere", () => {
    expect(event({ id: [1, 0], event: [1, 0, 1] })).toEqual({ id: [1, 0], event: 2 })
    expect(event({ id: 1, event: [3, 0, [0, 2, 0]] })).toEqual({ id: 1, event: 5 })
  })

  it("else at a leaf that is there, however deep, before one that must be split", () => {
    const stamp: Stamp = {
      id: [
        [0, [0, 1]],
        [1, 0]
      ],
      event: [0, [0, 0, [0, 0, 1]], 0]
    }
    expect(event(stamp).event).toEqual([0, [0, 0, [0, 0, 2]], 0])
  })

  it("and of two that cost the same on the right, as the reference has it", () => {
    expect(
      event({
        id: [
          [1, 0],
          [0, 1]
        ],
        event: 0
      }).event
    ).toEqual([0, 0, [0, 0, 1]])
  })
})

describe("laws", () => {
  const stamps = parties(3, 25).all.map(({ stamp }) => peek(stamp))

  it("joining what was peeked is commutative, associative and idempotent, and the least stamp above both", () => {
    for (const [a, b] of pairs(stamps)) {
      const ab = join(a, b)
      expect(Equivalence(ab, join(b, a)) && Equivalence(join(ab, b), ab)).toBe(true)
      expect(leq(a, ab) && leq(b, ab)).toBe(true)
      for (const c of stamps) {
        expect(Equivalence(join(ab, c), join(a, join(b, c)))).toBe(true)
        if (leq(a, c) && leq(b, c)) expect(leq(ab, c)).toBe(true)
      }
    }
  })

  it("a fork joins back to what it was, and an event is after it", () => {
    for (const { stamp } of parties(8).all) {
      const [left, right] = fork(stamp)
      expect(Equivalence(join(left, right), stamp)).toBe(true)
      expect(Equivalence(join(stamp, peek(stamp)), stamp)).toBe(true)
      expect(compare(stamp, event(stamp))).toBe("before")
    }
  })

  it("equal means the same trees", () => {
    for (const [a, b] of pairs(parties(6).all)) {
      expect(Equivalence(a.stamp, b.stamp)).toBe(JSON.stringify(a.stamp) === JSON.stringify(b.stamp))
    }
  })
})

// ------------------------------------------------------------------------------------------------------------ the corpus

const vectors = new URL("../../../../shared/corpora/itc/itc_vectors.jsonl", import.meta.url)

type Recorded = readonly [id: Stamp["id"], event: Stamp["event"]]
type Step =
  | { readonly op: "event"; readonly in: number; readonly stamp: Recorded; readonly enc: string }
  | {
      readonly op: "fork"
      readonly in: number
      readonly out: readonly [number, number]
      readonly stamps: readonly [Recorded, Recorded]
      readonly enc: readonly [string, string]
    }
  | {
      readonly op: "join"
      readonly in: readonly [number, number]
      readonly out: number
      readonly leq: boolean
      readonly geq: boolean
      readonly stamp: Recorded
      readonly enc: string
    }

/** What the reference's stamp and bits are not. */
const differences = (mine: Stamp, [id, event]: Recorded, bits: string): ReadonlyArray<string> => {
  const form = bitsOf(toBytes(mine))
  const back = fromBytes(toBytes(mine))
  return [
    ...(Equivalence(mine, { id, event }) ? [] : [`stamp ${JSON.stringify(mine)}`]),
    ...(form === bits.padEnd(8 * Math.ceil(bits.length / 8), "0") ? [] : [`bits ${form}, not ${bits}`]),
    ...(Result.isSuccess(back) && Equivalence(back.success, mine) ? [] : ["reads back as something else"])
  ]
}

const replay = (steps: ReadonlyArray<Step>): ReadonlyArray<string> => {
  const pool = new Map<number, Stamp>([[0, seed]])
  const take = (at: number): Stamp => {
    const stamp = pool.get(at)!
    pool.delete(at)
    return stamp
  }
  return steps.flatMap((step) => {
    switch (step.op) {
      case "event": {
        pool.set(step.in, event(take(step.in)))
        return differences(pool.get(step.in)!, step.stamp, step.enc)
      }
      case "fork": {
        const parts = fork(take(step.in))
        return parts.flatMap((part, i) => {
          pool.set(step.out[i]!, part)
          return differences(part, step.stamps[i]!, step.enc[i]!)
        })
      }
      case "join": {
        const [a, b] = [take(step.in[0]), take(step.in[1])]
        pool.set(step.out, join(a, b))
        const ordered = leq(a, b) === step.leq && leq(b, a) === step.geq
        return [...(ordered ? [] : ["order"]), ...differences(pool.get(step.out)!, step.stamp, step.enc)]
      }
    }
  })
}

describe.skipIf(!existsSync(vectors))("shared/corpora/itc (skipped where absent)", () => {
  it("each stamp, order and bit is the reference implementation's", () => {
    const scripts = readFileSync(vectors, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly script: number; readonly ops: ReadonlyArray<Step> })
    expect(scripts.length).toBeGreaterThan(0)
    expect(scripts.flatMap(({ script, ops }) => replay(ops).map((difference) => `${script}: ${difference}`))).toEqual(
      []
    )
  })
})

// ------------------------------------------------------------------------------------------------------------------ forms

describe("forms", () => {
  it("the seed takes one byte, and a stamp reads back from its bytes", () => {
    expect([...toBytes(seed)]).toEqual([0b00110000])
    for (const { stamp } of seeds(20).flatMap((of) => parties(of).all)) {
      expect(Result.getOrThrow(fromBytes(toBytes(stamp)))).toEqual(stamp)
    }
  })

  it.for([3, 4, 11, 12, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER])("a count of %s reads back", (count) => {
    const stamp: Stamp = { id: 0, event: count }
    expect(Result.getOrThrow(fromBytes(toBytes(stamp)))).toEqual(stamp)
  })

  it("messages carry stamps as plain JSON or as bytes, over either codec", () => {
    for (const schema of [IntervalTreeClock.IntervalTreeClock, IntervalTreeClock.FromBytes]) {
      for (const codec of [Codec.json(schema), Codec.binary(schema)]) {
        for (const { stamp } of parties(2).all) expect(Codec.decode(codec, Codec.encode(codec, stamp))).toEqual(stamp)
      }
    }
  })
})

/** Nested `depth` times. */
const nested = (depth: number): unknown => {
  let tree: unknown = [1, 0]
  for (let i = 0; i < depth; i++) tree = [tree, 0]
  return tree
}

describe("bad input", () => {
  it("of 20,000 random byte strings all are refused with a reason, or are the one form of a stamp", () => {
    const random = randomOf(1)
    let refused = 0
    for (let i = 0; i < 20_000; i++) {
      const bytes = Uint8Array.from({ length: random(12) }, () => random(256))
      const read = fromBytes(bytes)
      if (Result.isSuccess(read)) {
        expect(isStamp(read.success)).toBe(true)
        expect([...toBytes(read.success)]).toEqual([...bytes])
      } else {
        expect(read.failure).toBeInstanceOf(IntervalTreeClock.MalformedStamp)
        refused++
      }
    }
    expect(refused).toBeGreaterThan(10_000)
  })

  it.for([
    ["", "end too soon"],
    ["001 1000 0 00000000", "shorter form"],
    ["001 1000 1", "shorter form"],
    // Halves: equal ones of a share and of an event, two with counts, a base of 0 and a half of 0 that need not be there.
    ["11 001 001 1000", "halves are equal"],
    ["001 0 00 1000", "halves are equal"],
    ["001 0 10 1001 1001", "both halves have a count"],
    ["001 0 11 0 0 1000 1001", "shorter form"],
    ["001 0 11 1 1001 1000 1001", "shorter form"],
    // A base that is a tree; a count, and trees, without end.
    ["001 0 11 0 0 0", "a count is due"],
    [`001 1 ${"1".repeat(200)}`, "passes 2^53"],
    ["01".repeat(20_000), "1000 levels deep"],
    [`001 ${"000".repeat(20_000)}`, "1000 levels deep"]
  ] as const)("no stamp: bits %#", ([bits, reason]) => {
    const bytes = bytesOf(bits)
    const read = fromBytes(bytes)
    expect(Result.isFailure(read) && read.failure.message).toContain(reason)
    const decoded = Schema.decodeUnknownResult(IntervalTreeClock.FromBytes)(bytes)
    expect(Result.isFailure(decoded) && decoded.failure.message).toContain(reason)
  })

  it("a truncated stamp is refused, wherever it was cut", () => {
    const bytes = toBytes(parties(4, 100).now[0]!.stamp)
    expect(bytes.length).toBeGreaterThan(3)
    for (let length = 0; length < bytes.length; length++) {
      expect(Result.isFailure(fromBytes(bytes.slice(0, length)))).toBe(true)
    }
  })

  it.for([
    [null, "no object"],
    [{ id: 1 }, "event is no whole number"],
    [{ id: 1, event: 0, more: 1 }, '"more"'],
    [{ id: 2, event: 0 }, "id is neither"],
    [{ id: [1, 1], event: 0 }, "id is not in normal form"],
    [{ id: [1, [0, 0]], event: 0 }, "id.1 is not in normal form"],
    [{ id: [1, 0, 0], event: 0 }, "id is neither"],
    [{ id: 1, event: -1 }, "event is no whole number"],
    [{ id: 1, event: 0.5 }, "event is no whole number"],
    [{ id: 1, event: [1, 2, 2] }, "event is not in normal form"],
    [{ id: 1, event: [1, 0, 0] }, "event is not in normal form"],
    [{ id: 1, event: [1, 0, [0, 1, 1]] }, "event.2 is not in normal form"],
    [{ id: 1, event: [1, [1, 0, 2], 1] }, "both halves have a count"],
    [{ id: 1, event: [1, 0] }, "neither a count nor"],
    [{ id: 1, event: [2 ** 53 - 1, 0, 1] }, "event.2 is no whole number"],
    [{ id: nested(100_000), event: 0 }, "1000 levels deep"]
  ] as ReadonlyArray<[unknown, string]>)("no stamp: value %#", ([input, reason]) => {
    const decoded = Schema.decodeUnknownResult(IntervalTreeClock.IntervalTreeClock)(input)
    expect(Result.isFailure(decoded) && decoded.failure.message).toContain(reason)
  })

  it("a share that is held twice does not join", () => {
    const [left, right] = fork(seed)
    for (const [a, b] of [
      [seed, seed],
      [left, left],
      [seed, left],
      [join(left, fork(right)[0]), fork(right)[0]]
    ] as const) {
      expect(thrown(() => join(a, b))).toBeInstanceOf(IntervalTreeClock.OverlappingShares)
    }
  })

  it("a stamp without a share has no events", () => {
    expect(thrown(() => event(peek(seed)))).toBeInstanceOf(IntervalTreeClock.NoShare)
  })

  it("a count at 2⁵³ − 1 refuses to go on", () => {
    for (const last of [
      { id: 1, event: Number.MAX_SAFE_INTEGER },
      { id: [1, 0], event: Number.MAX_SAFE_INTEGER }
    ] as const) {
      expect(thrown(() => event(last))).toBeInstanceOf(IntervalTreeClock.CountOutOfRange)
    }
  })

  it("a share halved 1,000 times still works, and is not halved again", () => {
    let [stamp, rest] = [seed, peek(seed)]
    for (let i = 0; i < 1_000; i++) {
      const [mine, theirs] = fork(stamp)
      stamp = mine
      rest = join(rest, theirs)
    }
    const used = event(stamp)
    expect(isStamp(used) && leq(stamp, used) && !leq(used, stamp)).toBe(true)
    expect(Result.getOrThrow(fromBytes(toBytes(used)))).toEqual(used)
    expect(join(used, rest).id).toBe(1)
    expect(thrown(() => fork(used))).toMatchObject({ _tag: "TooManyForks", limit: 1_000 })
  })
})
