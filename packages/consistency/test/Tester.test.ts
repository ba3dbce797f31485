import { Specifications, Tester } from "@troupe/consistency"
import { describe, expect, it } from "vitest"

const register = Specifications.register()

/** "w1 A" invokes a write by c1, "r1" a read; "w1" or "r1 A" ends it. */
const history = (...events: ReadonlyArray<[kind: "call" | "end", client: string, f: string, value?: string | null]>) =>
  events.reduce<Tester.History>(
    (so, [kind, client, f, value = null]) =>
      kind === "call" ? Tester.invoke(so, client, { f, input: value }) : Tester.complete(so, client, value),
    Tester.empty
  )

describe("Tester", () => {
  it("refuses a read of nothing that began after a write had ended", () => {
    const stale = history(
      ["call", "c1", "write", "A"],
      ["end", "c1", "write"],
      ["call", "c2", "read"],
      ["end", "c2", "read"]
    )
    expect(Tester.isLinearizable(stale, register)).toBe(false)
    expect(Tester.isSequential(stale, register)).toBe(true)
  })

  it("lets an operation in flight take effect, or not", () => {
    const written = history(["call", "c1", "write", "A"], ["call", "c2", "read"], ["end", "c2", "read", "A"])
    const unwritten = history(["call", "c1", "write", "A"], ["call", "c2", "read"], ["end", "c2", "read", null])
    const backwards = Tester.complete(Tester.invoke(written, "c3", { f: "read" }), "c3", null)
    expect(Tester.isLinearizable(written, register)).toBe(true)
    expect(Tester.isLinearizable(unwritten, register)).toBe(true)
    expect(Tester.isLinearizable(backwards, register)).toBe(false)
    expect(Tester.isSequential(backwards, register)).toBe(true)
  })

  it("keeps of each other client the index of its last completed operation", () => {
    const two = history(
      ["call", "c2", "write", "A"],
      ["end", "c2", "write"],
      ["call", "c1", "write", "B"],
      ["call", "c2", "read"],
      ["end", "c2", "read", "A"],
      ["call", "c3", "read"]
    )
    expect(two).toEqual([
      { client: "c1", completed: [], inFlight: { f: "write", input: "B", after: [["c2", 0]] } },
      {
        client: "c2",
        completed: [
          { f: "write", input: "A", output: null, after: [] },
          { f: "read", input: null, output: "A", after: [] }
        ],
        inFlight: null
      },
      { client: "c3", completed: [], inFlight: { f: "read", input: null, after: [["c2", 1]] } }
    ])
  })

  it("is equal for histories that nothing tells apart", () => {
    const one = history(["call", "c1", "write", "A"], ["call", "c2", "read"])
    const other = history(["call", "c2", "read"], ["call", "c1", "write", "A"])
    expect(JSON.stringify(one)).toBe(JSON.stringify(other))
  })

  it("takes calls with different keys for calls of different objects", () => {
    const calls = [
      { f: "write", key: "x", input: "A" },
      { f: "read", key: "y" }
    ]
    const both = calls.reduce(
      (so, call) => Tester.complete(Tester.invoke(so, "c1", call), "c1", null),
      Tester.empty as Tester.History
    )
    const stale = Tester.complete(Tester.invoke(both, "c2", { f: "read", key: "x" }), "c2", null)
    expect(Tester.isLinearizable(both, register)).toBe(true)
    expect(Tester.isLinearizable(stale, register)).toBe(false)
    expect(Tester.isSequential(stale, register)).toBe(true)
  })

  it("refuses two operations of a client at once, and an end without a beginning", () => {
    const calling = Tester.invoke(Tester.empty, "c1", { f: "read" })
    expect(() => Tester.invoke(calling, "c1", { f: "read" })).toThrow(
      "client c1 calls read while its read is in flight"
    )
    expect(() => Tester.complete(Tester.empty, "c1", null)).toThrow("client c1 has no operation in flight")
  })
})
