import { Eventual, History, Sessions } from "@troupe/consistency"
import { expect, test } from "vitest"
import { randomRegisters, reference, registers, seeded } from "./registers.ts"

const guarantees = [
  ["read your writes", Sessions.checkReadYourWrites, reference.readYourWrites],
  ["monotonic reads", Sessions.checkMonotonicReads, reference.monotonicReads],
  ["monotonic writes", Sessions.checkMonotonicWrites, reference.monotonicWrites],
  ["writes follow reads", Sessions.checkWritesFollowReads, reference.writesFollowReads]
] as const

const shapes = [
  ["each value written once", 2000, 9, {}],
  ["values written more than once", 800, 6, { duplicates: 0.4 }],
  ["open operations", 800, 7, { open: 0.3 }]
] as const

for (const [name, check, byDefinition] of guarantees) {
  for (const [shape, count, size, options] of shapes) {
    test(`${name} is what its definition says, by enumeration: ${shape}`, () => {
      const random = seeded(9)
      const seen = { Ok: 0, Violated: 0, Unknown: 0 }
      for (let i = 0; i < count; i++) {
        const history = randomRegisters(random, size, options)
        const verdict = check(history, { initial: 0 })
        seen[verdict._tag]++
        if (verdict._tag === (byDefinition(history) ? "Ok" : "Violated")) continue
        expect.fail(`${verdict._tag}: ${JSON.stringify(history.operations)}`)
      }
      expect(seen.Ok).toBeGreaterThan(count / 20)
      expect(seen.Violated).toBeGreaterThan(count / 20)
    })
  }
}

test("a process that reads the initial value after its own write is told so", () => {
  const verdict = Sessions.checkReadYourWrites(
    registers([
      ["w", "x", 1],
      ["r", "x", null]
    ])
  )
  expect(verdict).toMatchObject({
    _tag: "Violated",
    culprit: { operation: { id: 1 } },
    reason:
      "WriteBeforeInitRead: process 0 reads x=null, the initial value, after a write of its own: process 0 writes x=1 —then→ process 0 reads x=null."
  })
})

test("a value that was left is not read again under monotonic reads", () => {
  const verdict = Sessions.checkMonotonicReads(
    registers(
      [
        ["w", "x", 1],
        ["w", "x", 2]
      ],
      [
        ["r", "x", 2],
        ["r", "x", 1],
        ["r", "x", 2]
      ]
    )
  )
  expect(verdict).toMatchObject({ _tag: "Violated", culprit: { operation: { id: 4 } } })
})

const { invoke, ok, info } = History

const written = [invoke("a", "write", 1), ok("a", "write"), invoke("b", "write", 2), ok("b", "write")]

test("eventual: last reads that begin after all writes have ended agree", () => {
  const read = (process: string, value: number | null) => [invoke(process, "read"), ok(process, "read", value)]
  const check = (...events: ReadonlyArray<ReadonlyArray<History.Event>>) =>
    Eventual.check(History.make([...written, ...events.flat()]))
  expect(check()._tag).toBe("Ok")
  expect(check(read("a", 1), read("b", 2), read("a", 2))._tag).toBe("Ok")
  expect(check(read("a", 1), read("b", 2))).toMatchObject({
    culprit: { operation: { process: "b" } },
    reason: "After all writes had ended, the last reads disagree: process a reads 1, but process b reads 2."
  })
  expect(check(read("a", null))._tag).toBe("Violated")
  expect(check(read("a", 3))._tag).toBe("Violated")
})

test("eventual: of a register with an open write nothing is asked", () => {
  const history = History.make([
    ...written,
    invoke("c", "write", 3),
    info("c", "write"),
    ...["a", "b"].flatMap((process, i) => [invoke(process, "read"), ok(process, "read", i + 1)])
  ])
  expect(Eventual.check(history)._tag).toBe("Ok")
})
