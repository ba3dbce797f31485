import { Causal, History, Pram, type Verdict } from "@troupe/consistency"
import { expect, test } from "vitest"
import { randomRegisters, reference, registers, seeded, type Step } from "./registers.ts"

const models = [
  ["CC", Causal.check, reference.causal],
  ["CCv", Causal.checkConvergence, reference.convergence],
  ["CM", Causal.checkMemory, reference.memory],
  ["PRAM", Pram.check, reference.pram]
] as const

const shapes = [
  ["each value written once", 3000, 8, {}],
  ["values written more than once", 1000, 6, { duplicates: 0.4 }],
  ["open operations", 1000, 7, { open: 0.3 }],
  ["open operations and values written more than once", 500, 6, { duplicates: 0.3, open: 0.3 }]
] as const

for (const [name, check, byDefinition] of models) {
  for (const [shape, count, size, options] of shapes) {
    test(`${name} is what its definition says, by enumeration: ${shape}`, () => {
      const random = seeded(7)
      const seen = { Ok: 0, Violated: 0, Unknown: 0 }
      for (let i = 0; i < count; i++) {
        const history = randomRegisters(random, size, options)
        const verdict = check(history, { initial: 0 })
        seen[verdict._tag]++
        if (verdict._tag === (byDefinition(history) ? "Ok" : "Violated")) continue
        expect.fail(
          `${verdict._tag}: ${JSON.stringify(history.operations.map((o) => [o.process, o.f, o.key, o.input, o.output]))}`
        )
      }
      expect(seen.Ok).toBeGreaterThan(count / 20)
      expect(seen.Violated).toBeGreaterThan(count / 20)
    })
  }
}

const refusal = (verdict: Verdict) => {
  if (verdict._tag !== "Violated" || verdict.culprit._tag !== "Operation") return expect.fail(verdict._tag)
  const involved = verdict.involved.map((each) => (each._tag === "Operation" ? each.operation.id : -1))
  return { culprit: verdict.culprit.operation.id, reason: verdict.reason, involved }
}

test("CyclicCO: a value is read before it is written", () => {
  const history = registers([
    ["r", "x", 1],
    ["w", "x", 1]
  ])
  expect(refusal(Causal.check(history))).toEqual({
    culprit: 0,
    involved: [0, 1],
    reason:
      "CyclicCO: an operation comes before itself in causal order: process 0 reads x=1 —then→ process 0 writes x=1 —read by→ process 0 reads x=1."
  })
})

test("ThinAirRead: a value that nobody wrote is refused by every model", () => {
  const history = registers([["r", "x", 7]])
  for (const [, check] of models) {
    expect(refusal(check(history))).toEqual({
      culprit: 0,
      involved: [0],
      reason: "ThinAirRead: process 0 reads x=7, a value that nobody wrote."
    })
  }
})

test("WriteCOInitRead names the way from the write to the read", () => {
  const history = registers(
    [
      ["w", "x", 1],
      ["w", "y", 1]
    ],
    [
      ["r", "y", 1],
      ["r", "x", null]
    ]
  )
  expect(refusal(Causal.check(history))).toEqual({
    culprit: 3,
    involved: [0, 1, 2, 3],
    reason:
      "WriteCOInitRead: process 1 reads x=null, the initial value, though a write of it comes before in causal order: process 0 writes x=1 —then→ process 0 writes y=1 —read by→ process 1 reads y=1 —then→ process 1 reads x=null."
  })
})

test("WriteCORead names who overwrote what was read", () => {
  const history = registers(
    [["w", "x", 1]],
    [
      ["r", "x", 1],
      ["w", "x", 2]
    ],
    [
      ["r", "x", 2],
      ["r", "x", 1]
    ]
  )
  expect(refusal(Causal.check(history))).toEqual({
    culprit: 4,
    involved: [0, 1, 2, 3, 4],
    reason:
      "WriteCORead: process 2 reads x=1, which was overwritten before in causal order, as process 1 writes x=2: process 0 writes x=1 —read by→ process 1 reads x=1 —then→ process 1 writes x=2 —read by→ process 2 reads x=2 —then→ process 2 reads x=1."
  })
})

test("CyclicCF names the reads that want two writes in both orders (POPL 2017, figure 3a)", () => {
  const history = registers(
    [
      ["w", "x", 1],
      ["r", "x", 2]
    ],
    [
      ["w", "x", 2],
      ["r", "x", 1]
    ]
  )
  expect(refusal(Causal.checkConvergence(history))).toEqual({
    culprit: 3,
    involved: [0, 1, 2, 3],
    reason:
      "CyclicCF: no one order of the writes agrees with what all processes read: process 0 writes x=1 —before, as process 0 reads x=2→ process 1 writes x=2 —before, as process 1 reads x=1→ process 0 writes x=1."
  })
  expect(Causal.checkMemory(history)._tag).toBe("Ok")
})

test("WriteHBInitRead and CyclicHB tell of one process's view (POPL 2017, figure 3b and 3c)", () => {
  const b = registers(
    [
      ["w", "z", 1],
      ["w", "x", 1],
      ["w", "y", 1]
    ],
    [
      ["w", "x", 2],
      ["r", "z", null],
      ["r", "y", 1],
      ["r", "x", 2]
    ]
  )
  expect(refusal(Causal.checkMemory(b))).toMatchObject({
    culprit: 4,
    reason: expect.stringMatching(/^WriteHBInitRead/)
  })
  const c = registers(
    [["w", "x", 1]],
    [
      ["w", "x", 2],
      ["r", "x", 1],
      ["r", "x", 2]
    ]
  )
  expect(refusal(Causal.checkMemory(c))).toMatchObject({ culprit: 3, reason: expect.stringMatching(/^CyclicHB/) })
})

test("too many ways to match reads with equal writes are unknown, not guessed", () => {
  const steps = Array.from({ length: 20 }, () => ["w", "x", 1] as const)
  const history = registers(steps, [...Array.from({ length: 20 }, () => ["r", "x", 1] as const)])
  expect(Causal.check(history)).toMatchObject({
    _tag: "Unknown",
    reason: expect.stringContaining("write each value once")
  })
})

test("vector clocks that do not fit the budget are unknown", () => {
  const history = registers([
    ["w", "x", 1],
    ["r", "x", 1]
  ])
  expect(Causal.check(history, { bytes: 1 })._tag).toBe("Unknown")
})

test("an operation that is neither a read nor a write is refused by name", () => {
  const { invoke, ok } = History
  const history = History.make([invoke("c1", "cas", [1, 2]), ok("c1", "cas", true)])
  expect(() => Causal.check(history)).toThrow(
    'operation 0: causal is a model of registers, whose functions are "read" and "write", not "cas": verify this history as linearizable or sequential'
  )
})

test("a value is the same whatever the order of an object's fields", () => {
  const history = registers([["w", "x", { a: 1, b: [2] }]], [["r", "x", { b: [2], a: 1 }]])
  expect(Causal.check(history)._tag).toBe("Ok")
})

test("thousands of operations are checked by every model", () => {
  const random = seeded(3)
  const steps = Array.from({ length: 8 }, (): Array<Step> => [])
  // One copy, used by one process after the other.
  const now = new Map<string, number>()
  for (let i = 1; i <= 20_000; i++) {
    const key = `k${Math.floor(random() * 50)}`
    const process = steps[Math.floor(random() * 8)]!
    if (random() < 0.5) process.push(["r", key, now.get(key) ?? null])
    else {
      process.push(["w", key, i])
      now.set(key, i)
    }
  }
  const history = registers(...steps)
  for (const [, check] of models) expect(check(history)._tag).toBe("Ok")
})
