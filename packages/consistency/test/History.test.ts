import { History, Reader, Transactions } from "@troupe/consistency"
import { Result } from "effect"
import { describe, expect, it } from "vitest"

const { fail, info, invoke, ok } = History

const refusal = (events: Iterable<unknown>): string =>
  Result.match(History.fromEvents(events as Iterable<History.Event>), {
    onSuccess: () => "accepted",
    onFailure: (error) => `${error._tag} ${error.message}`
  })

describe("an operation of a history", () => {
  it("has the argument of its invocation, the result of its ok, and the places of both", () => {
    const { operations } = History.make([
      invoke("a", "cas", [1, 2], "x"),
      invoke(7, "read"),
      ok("a", "cas", true),
      ok(7, "read", 2)
    ])
    expect(operations).toEqual([
      { id: 0, process: "a", f: "cas", key: "x", input: [1, 2], output: true, invoked: 0, returned: 2 },
      { id: 1, process: "7", f: "read", key: undefined, input: null, output: 2, invoked: 1, returned: 3 }
    ])
  })

  it("is left out when it failed", () => {
    const { operations } = History.make([invoke("a", "write", 1), fail("a", "write", 1), invoke("a", "read")])
    expect(operations.map(({ id, f, invoked }) => [id, f, invoked])).toEqual([[0, "read", 2]])
  })

  it("is open after info, and where the history ends; its process may go on under its name", () => {
    const { operations } = History.make([invoke("a", "write", 1), info("a", "write", 1), invoke("a", "write", 2)])
    expect(operations.map(({ output, returned }) => [output, returned])).toEqual([
      [undefined, Infinity],
      [undefined, Infinity]
    ])
  })

  it("has null for nothing", () => {
    const { operations } = History.make([invoke("a", "write", 1), ok("a", "write")])
    expect(operations[0]?.output).toBeNull()
  })
})

describe("a malformed history is refused, with what and where", () => {
  it("operations of one process overlap", () => {
    expect(refusal([invoke(1, "write", 1), invoke(1, "read")])).toMatchInlineSnapshot(
      `"MalformedHistory event 1: process 1 invokes "read" while its "write" of event 0 still runs. A process does one thing at a time: complete the first with ok, fail or info, or name another process."`
    )
  })

  it("a completion has no invocation", () => {
    const missing = /^MalformedHistory event 0: process b completes "read", but has no operation running/
    for (const complete of [ok, fail, info]) expect(refusal([complete("b", "read")])).toMatch(missing)
    expect(refusal([invoke("b", "read"), ok("b", "read", 1), ok("b", "read", 1)])).toMatch(
      /^MalformedHistory event 2: /
    )
  })

  it("a completion is of another function or key", () => {
    expect(refusal([invoke(1, "write", 1), ok(1, "read", 1)])).toMatchInlineSnapshot(
      `"MalformedHistory event 1: process 1 completes "read", but what it invoked at event 0 is "write"."`
    )
    expect(refusal([invoke(1, "read", null, "x"), ok(1, "read", 1, "y")])).toMatchInlineSnapshot(
      `"MalformedHistory event 1: process 1 completes "read" of key "y", but what it invoked at event 0 is of key "x"."`
    )
  })

  it("an event is none", () => {
    expect(refusal([invoke(1, "read"), 5])).toBe("MalformedHistory event 1: is no event: it is 5.")
    expect(refusal([{ ...invoke(1, "read"), type: "begin" }])).toBe(
      `MalformedHistory event 0: is no event: "type" is "begin", and should be "invoke", "ok", "fail" or "info".`
    )
    expect(refusal([{ type: "ok", f: "read" }])).toContain(`"process" is missing`)
    expect(refusal([{ type: "ok", process: 1.5, f: "read" }])).toContain(`"process" is 1.5`)
    expect(refusal([{ type: "ok", process: 1 }])).toContain(`"f" is missing`)
    expect(refusal([{ type: "ok", process: 1, f: "read", key: {} }])).toContain(`"key" is {}`)
  })

  it("make throws it", () => {
    expect(() => History.make([ok(1, "read")])).toThrow(History.MalformedHistory)
  })
})

describe("a history of intervals", () => {
  const isBefore = (a: History.Operation, b: History.Operation): boolean => a.returned < b.invoked

  it("orders operations exactly where one ended at an earlier time than the other began", () => {
    const intervals: ReadonlyArray<History.Interval> = Array.from({ length: 40 }, (_, process) => {
      const from = (process * 7) % 11
      return { process, f: "read", from, to: from + (process % 4) }
    })
    const { operations } = Result.getOrThrow(History.fromIntervals(intervals))
    const places = operations.flatMap(({ invoked, returned }) => [invoked, returned])
    expect(new Set(places).size).toBe(80)
    for (const a of operations) {
      for (const b of operations) {
        const expected = intervals[Number(a.process)]!.to! < intervals[Number(b.process)]!.from
        expect(isBefore(a, b), `${a.process} before ${b.process}`).toBe(expected)
      }
    }
  })

  it("keeps the order of a process whose operations touch, and lets others overlap both", () => {
    const { operations } = Result.getOrThrow(
      History.fromIntervals([
        { process: "a", f: "write", input: 1, from: 0, to: 5 },
        { process: "a", f: "write", input: 2, from: 5, to: 5 },
        { process: "a", f: "write", input: 3, from: 5, to: 9 },
        { process: "b", f: "read", output: 1, from: 5, to: 7 },
        { process: "c", f: "read", output: 1, from: 2, to: 5 }
      ])
    )
    const [first, second, third] = operations.filter(({ process }) => process === "a")
    expect([isBefore(first!, second!), isBefore(second!, third!)]).toEqual([true, true])
    for (const process of ["b", "c"]) {
      const other = operations.find((operation) => operation.process === process)!
      for (const own of [first!, second!, third!])
        expect([isBefore(own, other), isBefore(other, own)]).toEqual([false, false])
    }
  })

  it("leaves an operation without an end open, and its process goes on", () => {
    const { operations } = Result.getOrThrow(
      History.fromIntervals([
        { process: "a", f: "write", input: 1, from: 0 },
        { process: "a", f: "read", output: 1, from: 3, to: 4 }
      ])
    )
    expect(operations.map(({ output, returned }) => [output, returned])).toEqual([
      [undefined, Infinity],
      [1, 3]
    ])
  })

  it("is refused where operations of a process overlap, or end before they begin", () => {
    const refused = (...intervals: ReadonlyArray<History.Interval>): string =>
      Result.match(History.fromIntervals(intervals), { onSuccess: () => "", onFailure: ({ message }) => message })
    expect(refused({ process: 1, f: "read", from: 3, to: 2 })).toBe(
      `event 0: "read" of process 1 ends at 2, before it begins at 3.`
    )
    expect(refused({ process: 1, f: "read", from: NaN, to: 2 })).toContain("begins at NaN")
    expect(refused({ process: 1, f: "read", from: 0, to: 2 }, { process: 1, f: "write", from: 1, to: 4 })).toBe(
      `event 1: "write" of process 1 begins at 1, before the last of its process, "read", ends at 2.`
    )
    expect(refused({ process: 1, f: "read", from: 3 }, { process: 1, f: "write", from: 1, to: 4 })).toBe(
      `event 1: "write" of process 1 begins at 1, before the last of its process, "read", begins at 3.`
    )
  })
})

describe("as NDJSON", () => {
  it("a history is read back the same: failed operations left out, places in the same order", () => {
    const history = History.make([
      invoke("a", "write", 1, "x"),
      invoke("b", "write", 0),
      info("b", "write"),
      invoke("b", "read"),
      invoke("c", "write", 9),
      fail("c", "write"),
      ok("b", "read", null),
      ok("a", "write", { "": [false, "ü\n"] })
    ])
    const [reading] = Result.getOrThrow(Reader.read(History.toNdjson(history)))
    const strip = (given: History.History) => {
      const places = given.operations.flatMap(({ invoked, returned }) => [invoked, returned]).sort((a, b) => a - b)
      return given.operations.map(({ id, process, f, key, input, output, invoked, returned }) => {
        return { id, process, f, key, input, output, order: [places.indexOf(invoked), places.indexOf(returned)] }
      })
    }
    expect(reading?.format).toBe("ndjson")
    expect(strip(reading!.history as History.History)).toEqual(strip(history))
  })

  it("transactions are read back the same", () => {
    const { transactions, sessions } = Transactions.make([
      [[["w", "x", 1]], []],
      [
        [
          ["r", "x", null],
          ["w", "y", [2]]
        ]
      ]
    ])
    const history: Transactions.TransactionHistory = {
      sessions,
      transactions: transactions.map((transaction, i) =>
        i === 0 ? { ...transaction, status: "aborted", began: 3, ended: 7 } : transaction
      )
    }
    const [reading] = Result.getOrThrow(Reader.read(Transactions.toNdjson(history)))
    expect(reading).toMatchObject({ _tag: "Transactions", format: "ndjson", history })
  })
})
