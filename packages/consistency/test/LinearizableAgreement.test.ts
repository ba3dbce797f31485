import { type History, Linearizable, Specifications } from "@troupe/consistency"
import { describe, expect, it } from "vitest"
import { callsOf, history } from "./linearizable/Histories.ts"

const shapes = [
  { operations: 20, processes: 4, wrong: 0.01, lost: 0.02 },
  { operations: 30, processes: 3, wrong: 0.01, lost: 0.02 },
  { operations: 14, processes: 7, wrong: 0.05, lost: 0.02 }
]

describe.each(["queue", "queue, distinct", "stack, distinct", "register, distinct"])("%s: larger histories", (kind) => {
  const spec = Specifications.find(kind.split(",")[0]!)!
  const { collection: _, ...searched } = spec

  it.each(shapes)("$operations operations of $processes clients: as the search says", (shape) => {
    const verdicts = { Ok: 0, Violated: 0, Unknown: 0 }
    for (let seed = 0; seed < 300; seed++) {
      const made = history(seed, spec, callsOf[kind]!, shape)
      const tractable = Linearizable.check(made, spec)
      const general = Linearizable.check(made, searched)
      verdicts[tractable._tag]++
      expect(tractable._tag, `seed ${seed}`).toBe(general._tag)
      if (tractable._tag === "Violated" && general._tag === "Violated") {
        expect(tractable.culprit, `seed ${seed}`).toEqual(general.culprit)
      }
    }
    expect(verdicts.Unknown).toBe(0)
    expect(Math.min(verdicts.Ok, verdicts.Violated)).toBeGreaterThan(10)
  })
})

describe("the order of an Ok verdict", () => {
  const isBefore = (a: History.Operation, b: History.Operation) => a.returned < b.invoked

  it.each(Object.keys(callsOf))("%s: explains each result, and keeps real time", (kind) => {
    const spec = Specifications.find(kind.split(",")[0]!)!
    let orders = 0
    for (let seed = 0; seed < 200; seed++) {
      const made = history(seed, spec, callsOf[kind]!, { operations: 12, processes: 4, wrong: 0.02, lost: 0.02 })
      const { collection: _, ...searched } = spec
      const verdict = Linearizable.check(made, searched)
      if (verdict._tag !== "Ok" || verdict.order === undefined) continue
      const order = verdict.order
      orders++
      const end = order.reduce((state, operation) => spec.step(state, operation), spec.init)
      expect(end).toBeDefined()
      expect(order.some((b, at) => order.slice(at + 1).some((a) => isBefore(a, b)))).toBe(false)
      const isNeeded = (operation: History.Operation) => operation.returned !== Infinity && !order.includes(operation)
      expect(made.operations.filter(isNeeded)).toEqual([])
    }
    // Histories of several objects have an order each.
    if (kind !== "key-value" && kind !== "set") expect(orders).toBeGreaterThan(10)
  })
})
