import { describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as VersionVector from "../src/VersionVector.ts"
import { pairs, randomOf, seeds, thrown } from "./executions.ts"

const { compare, concurrent, descends, empty, Equivalence, increment, make, merge } = VersionVector

const names = ["a", "b", "c", "d"]

const randomVectors = (seed: number, count: number) => {
  const random = randomOf(seed)
  return Array.from({ length: count }, () => make(Object.fromEntries(names.map((name) => [name, random(3)]))))
}

/** Copies of an object at replicas that update and merge, each with the set of updates that it truly includes. */
const copies = (seed: number) => {
  const random = randomOf(seed)
  const now = names.map((name) => ({ name, vector: empty, updates: new Set<string>() }))
  const all = [...now]
  for (let step = 0; step < 40; step++) {
    const i = random(names.length)
    const mine = now[i]!
    const other = now[random(names.length)]!
    now[i] =
      random(2) === 0
        ? {
            name: mine.name,
            vector: increment(mine.vector, mine.name),
            updates: new Set([...mine.updates, `${mine.name}${step}`])
          }
        : {
            name: mine.name,
            vector: merge(mine.vector, other.vector),
            updates: new Set([...mine.updates, ...other.updates])
          }
    all.push(now[i])
  }
  return all
}

describe("descent is inclusion of updates (Parker et al. 1983)", () => {
  it("a copy descends from another exactly if it includes all its updates, in 100 runs", () => {
    const wrong = seeds(100).flatMap((seed) =>
      pairs(copies(seed)).filter(
        ([a, b]) => descends(a.vector, b.vector) !== [...b.updates].every((update) => a.updates.has(update))
      )
    )
    expect(wrong).toEqual([])
  })

  it("compare and concurrent say the same", () => {
    for (const [a, b] of pairs(randomVectors(2, 40))) {
      const [up, down] = [descends(a, b), descends(b, a)]
      expect(compare(a, b)).toBe(up ? (down ? "equal" : "after") : down ? "before" : "concurrent")
      expect(concurrent(a, b)).toBe(!up && !down)
      expect(Equivalence(a, b)).toBe(up && down)
    }
  })
})

describe("laws", () => {
  const vectors = randomVectors(1, 25)

  it("merging is commutative, associative and idempotent, and empty is its identity", () => {
    for (const [a, b] of pairs(vectors)) {
      const ab = merge(a, b)
      expect(ab).toEqual(merge(b, a))
      expect(merge(ab, b)).toEqual(ab)
      expect(merge(a, empty)).toEqual(a)
      for (const c of vectors) expect(merge(ab, c)).toEqual(merge(a, merge(b, c)))
    }
    expect(VersionVector.Reducer.combineAll(vectors)).toEqual(vectors.reduce(merge, empty))
  })

  it("an increment descends from what it was, and from nothing newer", () => {
    for (const vector of vectors) {
      for (const name of [...names, "B", "bb", "z"]) {
        const next = increment(vector, name)
        expect(compare(vector, next)).toBe("before")
        expect(VersionVector.count(next, name)).toBe(VersionVector.count(vector, name) + 1)
        expect(Schema.is(Schema.toType(VersionVector.VersionVector))(next)).toBe(true)
      }
    }
  })
})

describe("pruning", () => {
  const without = (vector: VersionVector.VersionVector, replica: string) => vector.filter(([name]) => name !== replica)

  it("is unsafe: an old copy that has the entry is no longer superseded, and becomes a false conflict", () => {
    const old = make({ a: 1, b: 1 })
    const newer = increment(old, "a")
    expect(compare(old, newer)).toBe("before")
    expect(compare(old, without(newer, "b"))).toBe("concurrent")
  })

  it("is unsafe: a replica that counts anew after its entry was dropped loses an update", () => {
    const old = make({ a: 1, b: 2 })
    const reborn = increment(without(old, "b"), "b")
    // It has an update that the old copy lacks, and yet seems to be the older.
    expect(compare(reborn, old)).toBe("before")
  })
})

describe("what version vectors cannot do, and dotted ones can", () => {
  it("with an entry a server, a write with an old context hides the value that it never saw", () => {
    const read = increment(empty, "server")
    const first = increment(read, "server")
    // The second client read the same, and its write is numbered after the first's.
    const second = increment(first, "server")
    expect(compare(first, second)).toBe("before")
  })

  it("with an entry a client, the vector grows with every client that ever wrote", () => {
    let vector = empty
    for (let client = 0; client < 100; client++) vector = increment(vector, `client${client}`)
    expect(vector.length).toBe(100)
  })
})

describe("records", () => {
  const decode = Schema.decodeUnknownResult(VersionVector.VersionVector)

  it("a vector reads back, sorted by replica", () => {
    const json = JSON.stringify(Schema.encodeSync(VersionVector.VersionVector)(make({ b: 2, a: 1, B: 3 })))
    expect(json).toBe('{"B":3,"a":1,"b":2}')
    expect(Result.getOrThrow(decode(JSON.parse(json)))).toEqual([
      ["B", 3],
      ["a", 1],
      ["b", 2]
    ])
  })

  it("a replica may have any name", () => {
    const vector = ["__proto__", "toString", "10", "9"].reduce(increment, empty)
    const json = JSON.stringify(Schema.encodeSync(VersionVector.VersionVector)(vector))
    expect(Result.getOrThrow(decode(JSON.parse(json)))).toEqual(vector)
    expect(VersionVector.count(empty, "toString")).toBe(0)
  })

  it.for([{ a: 0 }, { a: -1 }, { a: 1.5 }, { a: "1" }, { a: 2 ** 53 }, { "": 1 }, { "a b": 1 }, "a", null])(
    "refuses %j",
    (input) => {
      expect(Result.isFailure(decode(input))).toBe(true)
    }
  )

  it("does not write what is not sorted", () => {
    const unsorted = [
      ["b", 1],
      ["a", 1]
    ] as const
    expect(() => Schema.encodeSync(VersionVector.VersionVector)(unsorted)).toThrow(/sorted by replica/)
  })
})

describe("bad input", () => {
  it.for([-1, 0.5, Number.NaN])("%s is no count", (count) => {
    expect(thrown(() => make({ a: count }))).toBeInstanceOf(VersionVector.CountOutOfRange)
  })

  it("a count at 2⁵³ − 1 refuses to go on", () => {
    const last = make({ a: Number.MAX_SAFE_INTEGER })
    expect(thrown(() => increment(last, "a"))).toBeInstanceOf(VersionVector.CountOutOfRange)
  })
})
