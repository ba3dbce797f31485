import { describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as DottedVersionVector from "../src/DottedVersionVector.ts"
import * as VersionVector from "../src/VersionVector.ts"
import { difference, intersection, isSubset, pairs, randomOf, seeds, thrown, union } from "./executions.ts"

const { discard, empty, Equivalence, event, join, sync, update, values } = DottedVersionVector
type Clock = DottedVersionVector.DottedVersionVector<string>

const servers = ["a", "b", "c"]

/** A server's clock beside its causal history: which writes are known, and which of them no other has superseded. */
interface Copy {
  readonly clock: Clock
  readonly known: ReadonlySet<string>
  readonly live: ReadonlySet<string>
}

const nothing: Copy = { clock: empty, known: new Set(), live: new Set() }

/** What a client has read: the context, and the writes in it. */
interface Read {
  readonly context: VersionVector.VersionVector
  readonly known: ReadonlySet<string>
}

const write = (copy: Copy, read: Read, server: string): Copy => {
  const dot = `${server}${VersionVector.count(VersionVector.merge(join(copy.clock), read.context), server) + 1}`
  return {
    clock: update(copy.clock, read.context, server, dot),
    known: new Set([...copy.known, ...read.known, dot]),
    live: union(difference(copy.live, read.known), [dot])
  }
}

const synced = (first: Copy, second: Copy): Copy => ({
  clock: sync(first.clock, second.clock),
  known: union(first.known, second.known),
  live: new Set([
    ...intersection(first.live, second.live),
    ...difference(first.live, second.known),
    ...difference(second.live, first.known)
  ])
})

/** All states of three servers while clients, with contexts old and new, write to any of them, and servers sync. */
const copies = (seed: number): ReadonlyArray<Copy> => {
  const random = randomOf(seed)
  const now = servers.map(() => nothing)
  const all: Array<Copy> = [nothing]
  for (let step = 0; step < 40; step++) {
    const i = random(servers.length)
    const other = all[random(all.length)]!
    if (random(3) > 0) now[i] = write(now[i]!, { context: join(other.clock), known: other.known }, servers[i]!)
    else now[i] = synced(now[i]!, now[random(servers.length)]!)
    all.push(now[i]!)
  }
  return all
}

const sameItems = (first: ReadonlySet<string>, second: ReadonlySet<string>) =>
  isSubset(first, second) && isSubset(second, first)
const sorted = (items: Iterable<string>) => [...items].sort()

describe("against causal histories (Almeida et al. 2014, §4)", () => {
  it("the values are those of the writes that no write has superseded, in 300 runs", () => {
    for (const seed of seeds(300)) {
      for (const { clock, live } of copies(seed)) expect(sorted(values(clock))).toEqual(sorted(live))
    }
  })

  it("the context is what is known, server by server, in 100 runs", () => {
    for (const seed of seeds(100)) {
      for (const { clock, known } of copies(seed)) {
        const dots = join(clock).flatMap(([server, count]) =>
          Array.from({ length: count }, (_, i) => `${server}${i + 1}`)
        )
        expect(sorted(dots)).toEqual(sorted(known))
      }
    }
  })

  it("any two states sync to what their histories say", () => {
    for (const [first, second] of pairs(copies(7))) {
      const both = synced(first, second)
      expect(sorted(values(both.clock))).toEqual(sorted(both.live))
    }
  })

  it("discard lets go of what the context covers, and remembers the context", () => {
    for (const [copy, other] of pairs(copies(9))) {
      const discarded = discard(copy.clock, join(other.clock))
      expect(sorted(values(discarded))).toEqual(sorted(difference(copy.live, other.known)))
      expect(join(discarded)).toEqual(VersionVector.merge(join(copy.clock), join(other.clock)))
    }
  })

  it("event adds a value beside those that are there", () => {
    const [first, second] = [event(empty, "b", "x"), event(event(empty, "b", "x"), "b", "y")]
    expect([values(first), values(second)]).toEqual([["x"], ["y", "x"]])
    expect(event(second, "a", "z")).toEqual([
      ["a", 1, ["z"]],
      ["b", 2, ["y", "x"]]
    ])
  })
})

describe("laws", () => {
  const clocks = copies(4).map(({ clock }) => clock)

  it("sync is commutative, associative and idempotent, and empty is its identity", () => {
    for (const [a, b] of pairs(clocks)) {
      const ab = sync(a, b)
      expect(ab).toEqual(sync(b, a))
      expect(sync(ab, b)).toEqual(ab)
      expect(sync(a, empty)).toEqual(a)
      for (const c of clocks) expect(Equivalence(sync(ab, c), sync(a, sync(b, c)))).toBe(true)
    }
    expect(DottedVersionVector.reducer<string>().combineAll(clocks)).toEqual(clocks.reduce(sync, empty))
  })

  it("clocks are equivalent if they know the same and hold the same", () => {
    for (const [a, b] of pairs(copies(5))) {
      const same = sameItems(a.known, b.known) && sameItems(a.live, b.live)
      expect(Equivalence(a.clock, b.clock)).toBe(same)
    }
  })
})

describe("beside plain version vectors", () => {
  const contextOf = (writes: number) => {
    // Two clients of one server; each writes with what its own write before returned, and has not seen the other's.
    let clock: Clock = empty
    const read = [join(clock), join(clock)]
    let most = 0
    for (let i = 0; i < writes; i++) {
      clock = update(clock, read[i % 2]!, "server", `v${i}`)
      read[i % 2] = join(clock)
      most = Math.max(most, values(clock).length)
    }
    return { clock, most }
  }

  it("two clients that write in turn leave two siblings, after 1,000 writes as after 2", () => {
    const { clock, most } = contextOf(1_000)
    expect(most).toBe(2)
    expect(clock).toEqual([["server", 1_000, ["v999", "v998"]]])
  })

  it("a version vector with an entry a server piles them up: 1,000 writes, 1,000 siblings", () => {
    let vector = VersionVector.empty
    let siblings: ReadonlyArray<string> = []
    const read = [vector, vector]
    for (let i = 0; i < 1_000; i++) {
      // One vector for all siblings: unless the client saw them all, none may go.
      siblings = VersionVector.descends(read[i % 2]!, vector) ? [`v${i}`] : [...siblings, `v${i}`]
      vector = VersionVector.increment(vector, "server")
      read[i % 2] = vector
    }
    expect(siblings.length).toBe(1_000)
  })

  it("a write with an old context neither hides nor is hidden by what it never saw", () => {
    const read = join(update(empty, [], "server", "old"))
    const first = update(update(empty, [], "server", "old"), read, "server", "first")
    expect(values(update(first, read, "server", "second"))).toEqual(["second", "first"])
  })

  it("100 clients need one entry, of their server", () => {
    let clock: Clock = empty
    for (let client = 0; client < 100; client++) clock = update(clock, join(clock), "server", `of client ${client}`)
    expect(clock).toEqual([["server", 100, ["of client 99"]]])
  })

  it("a context read at one server supersedes there what was written at another", () => {
    const first = update(empty, [], "a", "old")
    const second = update(empty, join(first), "b", "new")
    expect(values(sync(first, second))).toEqual(["new"])
  })
})

describe("JSON", () => {
  const schema = DottedVersionVector.schema(Schema.String)

  it("a clock is written as it is, and reads back", () => {
    for (const { clock } of copies(6)) {
      const json = JSON.stringify(Schema.encodeSync(schema)(clock))
      expect(json).toBe(JSON.stringify(clock))
      expect(Schema.decodeUnknownSync(schema)(JSON.parse(json))).toEqual(clock)
    }
  })

  it.for([
    [["a", 1, ["x", "y"]]],
    [["a", 0, []]],
    [["a", -1, []]],
    [["a", 1.5, []]],
    [["a", 1, [1]]],
    [["", 1, []]],
    [["a", 1]],
    [
      ["b", 1, []],
      ["a", 1, []]
    ],
    [
      ["a", 1, []],
      ["a", 2, []]
    ],
    {},
    null
  ])("refuses %j", (input) => {
    expect(Result.isFailure(Schema.decodeUnknownResult(schema)(input))).toBe(true)
  })
})

describe("bad input", () => {
  it("a count at 2⁵³ − 1 refuses to go on", () => {
    const last: Clock = [["a", Number.MAX_SAFE_INTEGER, []]]
    expect(thrown(() => event(last, "a", "x"))).toBeInstanceOf(DottedVersionVector.CountOutOfRange)
  })
})
