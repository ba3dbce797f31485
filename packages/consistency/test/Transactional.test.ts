import { type History, Reader, Transactional, Transactions, type Verdict } from "@troupe/consistency"
import { Result } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { resolve } from "../src/internal/transactions/Resolve.ts"
import { search } from "../src/internal/transactions/Search.ts"
import { split } from "../src/internal/transactions/Snapshot.ts"
import { baseGraph, causal } from "../src/internal/transactions/Weak.ts"
import { seeded } from "./registers.ts"
import { randomTransactions, reference } from "./transactions.ts"

const levels = [
  ["read committed", Transactional.checkReadCommitted, reference.readCommitted],
  ["read atomic", Transactional.checkReadAtomic, reference.readAtomic],
  ["causal", Transactional.checkCausal, reference.causal],
  ["snapshot isolation", Transactional.checkSnapshotIsolation, reference.snapshotIsolation],
  ["serializable", Transactional.checkSerializable, reference.serializable],
  ["strict serializable", Transactional.checkStrictSerializable, reference.strictSerializable]
] as const

const shapes = [
  ["each value written once", 2000, 6, { times: true }],
  ["values written more than once", 1000, 5, { times: true, duplicates: 0.4 }],
  ["aborted and unknown transactions", 1000, 5, { times: true, statuses: true }]
] as const

for (const [name, check, byAxioms] of levels) {
  for (const [shape, count, size, options] of shapes) {
    test(`${name} is what its axioms say, by enumeration of commit orders: ${shape}`, () => {
      const random = seeded(11)
      const seen = { Ok: 0, Violated: 0, Unknown: 0 }
      for (let i = 0; i < count; i++) {
        const history = randomTransactions(random, size, options)
        const verdict = check(history)
        seen[verdict._tag]++
        if (verdict._tag === (byAxioms(history) ? "Ok" : "Violated")) continue
        expect.fail(`${verdict._tag}: ${Transactions.toNdjson(history)}`)
      }
      expect(seen.Ok).toBeGreaterThan(count / 20)
      expect(seen.Violated).toBeGreaterThan(count / 20)
    })
  }
}

test("the search alone decides as the axioms do, without what is forced", () => {
  const random = seeded(13)
  const seen = { Ok: 0, Violated: 0, Unknown: 0 }
  for (let i = 0; i < 3000; i++) {
    const history = randomTransactions(random, 6, { odd: 0 })
    const atomic = resolve(history, {}, "m", (compiled) => {
      const graph = baseGraph(compiled)
      return graph.order() === undefined ? causal("m", compiled, {}) : search("m", compiled, graph, false, {})
    })
    const snapshot = resolve(history, {}, "m", (compiled) => {
      const parts = split(compiled)
      const graph = baseGraph(parts)
      return graph.order() === undefined ? causal("m", compiled, {}) : search("m", parts, graph, true, {})
    })
    seen[atomic._tag]++
    const expected = [reference.serializable(history), reference.snapshotIsolation(history)]
    if (`${[atomic, snapshot].map(({ _tag }) => _tag === "Ok")}` === `${expected}`) continue
    expect.fail(`${atomic._tag} ${snapshot._tag} ${expected}: ${Transactions.toNdjson(history)}`)
  }
  expect(seen.Ok).toBeGreaterThan(300)
  expect(seen.Violated).toBeGreaterThan(300)
})

const corpus = new URL("../../../../shared/corpora/awdit/tests/", import.meta.url)

const expected = {
  causal: ["Ok", "Ok", "Ok"],
  "read-atomic": ["Ok", "Ok", "Violated"],
  "read-committed": ["Ok", "Violated", "Violated"],
  none: ["Violated", "Violated", "Violated"]
}

const files = (directory: string): ReadonlyArray<string> =>
  existsSync(corpus)
    ? readdirSync(new URL(directory, corpus), { recursive: true, encoding: "utf8" }).filter((file) =>
        file.endsWith(".txt")
      )
    : []

describe.skipIf(!existsSync(corpus))("histories of shared/corpora/awdit (skipped where absent)", () => {
  for (const [directory, verdicts] of Object.entries(expected)) {
    test.for(files(directory))(`${directory}/%s`, (file) => {
      const text = readFileSync(new URL(`${directory}/${file}`, corpus), "utf8")
      const [reading] = Result.getOrThrow(Reader.read(text, { file }))
      if (reading?._tag !== "Transactions") return expect.fail("no transactions")
      const checks = [Transactional.checkReadCommitted, Transactional.checkReadAtomic, Transactional.checkCausal]
      expect(checks.map((check) => check(reading.history)._tag)).toEqual(verdicts)
    })
  }
})

const refusal = (verdict: Verdict) => {
  if (verdict._tag !== "Violated" || verdict.culprit._tag !== "Transaction") return expect.fail(verdict._tag)
  const involved = verdict.involved.map((each) => (each._tag === "Transaction" ? each.transaction.id : -1))
  const { access, transaction } = verdict.culprit
  return { culprit: [transaction.id, access], reason: verdict.reason, involved }
}

type Transaction = ReadonlyArray<Transactions.AccessTuple>

const verdicts = (...sessions: ReadonlyArray<ReadonlyArray<Transaction>>): string => {
  const history = Transactions.make(sessions)
  const checks = levels.slice(0, 5)
  return checks.map(([, check]) => (check(history)._tag === "Ok" ? "+" : "-")).join("")
}

test("anomalies are refused by the levels that exclude them, from read committed to serializable", () => {
  const wx: Transaction = [["w", "x", 1]]
  const wy: Transaction = [["w", "y", 1]]
  const read = (...values: ReadonlyArray<readonly [string, History.Value]>): Transaction =>
    values.map(([key, value]) => ["r", key, value])
  const increment = (value: number): Transaction => [
    ["r", "x", null],
    ["w", "x", value]
  ]
  const off = (who: string): Transaction => [...read(["x", null], ["y", null]), ["w", who, "off"]]
  expect(verdicts([wx], [read(["x", 1])], [read(["x", null])])).toBe("+++++")
  // Write skew.
  expect(verdicts([off("x")], [off("y")])).toBe("++++-")
  // Lost update.
  expect(verdicts([increment(1)], [increment(2)])).toBe("+++--")
  // Long fork.
  expect(verdicts([wx], [wy], [read(["x", 1], ["y", null])], [read(["x", null], ["y", 1])])).toBe("+++--")
  // Causality: whoever sees y sees the x that its writer saw.
  expect(verdicts([wx], [[...read(["x", 1]), ...wy]], [read(["y", 1]), read(["x", null])])).toBe("++---")
  // Fractured read.
  expect(verdicts([[...wx, ...wy]], [read(["x", null], ["y", 1])])).toBe("+----")
  // The same in the other order is a read that goes back.
  expect(verdicts([[...wx, ...wy]], [read(["y", 1], ["x", null])])).toBe("-----")
  // Non-repeatable read.
  expect(verdicts([wx], [read(["x", null], ["x", 1])])).toBe("+----")
})

test.for<readonly [string, ReadonlyArray<ReadonlyArray<Transaction>>, string, ReadonlyArray<number>]>([
  ["ThinAirRead", [[[["r", "x", 7]]]], "ThinAirRead: T0 (session 0) reads x=7, a value that nobody wrote.", [0, 0]],
  [
    "IntermediateRead",
    [
      [
        [
          ["w", "x", 1],
          ["w", "x", 2]
        ]
      ],
      [[["r", "x", 1]]]
    ],
    "IntermediateRead: T1 (session 1) reads x=1, which T0 (session 0) wrote and overwrote itself.",
    [1, 0]
  ],
  [
    "FutureRead",
    [
      [
        [
          ["r", "x", 1],
          ["w", "x", 1]
        ]
      ]
    ],
    "FutureRead: T0 (session 0) reads x=1, which it writes itself only later.",
    [0, 0]
  ],
  [
    "NotMyLastWrite",
    [
      [
        [
          ["w", "x", 1],
          ["w", "x", 2],
          ["r", "x", 1]
        ]
      ]
    ],
    "NotMyLastWrite: T0 (session 0) reads x=1 after it wrote x=2 itself.",
    [0, 2]
  ],
  [
    "NotMyOwnWrite",
    [
      [[["w", "x", 1]]],
      [
        [
          ["w", "x", 2],
          ["r", "x", 1]
        ]
      ]
    ],
    "NotMyOwnWrite: T1 (session 1) reads x=1 after it wrote x=2 itself.",
    [1, 1]
  ],
  [
    "CausalCycle",
    [
      [
        [
          ["r", "x", 1],
          ["w", "y", 1]
        ]
      ],
      [
        [
          ["r", "y", 1],
          ["w", "x", 1]
        ]
      ]
    ],
    "CausalCycle: a transaction comes before itself in causal order: T0 —y read by→ T1 —x read by→ T0.",
    [1, 0]
  ]
])("every level refuses a %s, and names the access", ([, sessions, reason, culprit]) => {
  const history = Transactions.make(sessions)
  for (const [name, check] of levels.slice(0, 5)) {
    expect([name, refusal(check(history))]).toMatchObject([name, { reason, culprit }])
  }
})

test("AbortedRead names who was aborted", () => {
  const history = Transactions.make([[[["w", "x", 1]]], [[["r", "x", 1]]]])
  const [writer, reader] = history.transactions
  const transactions = [{ ...writer!, status: "aborted" as const }, reader!]
  expect(refusal(Transactional.checkReadCommitted({ ...history, transactions }))).toEqual({
    culprit: [1, 0],
    involved: [0, 1],
    reason: "AbortedRead: T1 (session 1) reads x=1, which only T0 (session 0) wrote, and that was aborted."
  })
})

test("a cycle of the commit order names the reads that it rests on", () => {
  const history = Transactions.make([
    [[["w", "x", 1]]],
    [
      [
        ["r", "x", 1],
        ["w", "x", 2]
      ]
    ],
    [[["r", "x", 2]], [["r", "x", 1]]]
  ])
  expect(refusal(Transactional.checkCausal(history))).toEqual({
    culprit: [3, 0],
    involved: [0, 1, 3],
    reason:
      "CommitOrderCycle: T3 (session 2) reads x=1 from T0, and no commit order allows that: T0 —x read by→ T1 —wrote x before, as T3 (session 2) reads x=1 from T0 with T1 in its causal past→ T0."
  })
})

test("strict serializability needs times, and refuses what serializability allows", () => {
  const history = Transactions.make([[[["w", "x", 1]]], [[["r", "x", null]]]])
  expect(Transactional.checkStrictSerializable(history)).toMatchObject({
    _tag: "Unknown",
    reason: expect.stringContaining("T0 (session 0)")
  })
  const timed = history.transactions.map((each, i) => ({ ...each, began: 2 * i, ended: 2 * i + 1 }))
  expect(refusal(Transactional.checkStrictSerializable({ ...history, transactions: timed })).reason).toBe(
    "CommitOrderCycle: T1 (session 1) reads x=null, the initial value, and no commit order allows that: T0 —ended before→ T1 —read x before it was written by→ T0."
  )
})

test("a session that did nothing, and a transaction that did nothing, change nothing", () => {
  expect(verdicts([], [[]], [[], [["w", "x", 1]]], [[["r", "x", 1]]])).toBe("+++++")
})

test("an initial value may be given", () => {
  const history = Transactions.make([[[["r", "x", 0]]]])
  expect(Transactional.checkReadCommitted(history)._tag).toBe("Violated")
  expect(Transactional.checkReadCommitted(history, { initial: 0 })._tag).toBe("Ok")
})

test("a budget that is spent is unknown, not guessed", () => {
  const history = Transactions.make([[[["w", "x", 1]]], [[["r", "x", 1]]]])
  expect(Transactional.checkCausal(history, { bytes: 1 })._tag).toBe("Unknown")
  expect(Transactional.checkSerializable(history, { millis: -1 })._tag).toBe("Unknown")
})
