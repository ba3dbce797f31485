import { describe, expect, it } from "vitest"
import type { History, Operation, Value } from "../src/History.ts"
import * as Timeline from "../src/Timeline.ts"
import type { Transaction, TransactionHistory } from "../src/Transactions.ts"
import type { Verdict } from "../src/Verdict.ts"

const operation = (
  id: number,
  process: string,
  f: string,
  input: Value,
  output: Value | undefined,
  invoked: number,
  returned: number
): Operation => ({ id, process, f, key: undefined, input, output, invoked, returned })

const operations = [
  operation(0, "p1", "write", 1, null, 0, 3),
  operation(1, "p2", "read", null, 1, 1, 4),
  operation(2, "p3", "write", 2, undefined, 2, Infinity),
  operation(3, "p2", "read", null, 2, 5, 7),
  operation(4, "p1", "read", null, 1, 8, 9)
]
const history: History = { operations }

const violated: Verdict = {
  _tag: "Violated",
  model: "linearizable",
  culprit: { _tag: "Operation", operation: operations[4]! },
  reason: "read → 1 came after read → 2 was done.",
  involved: [3, 4].map((id) => ({ _tag: "Operation", operation: operations[id]! }))
}

const ok: Verdict = { _tag: "Ok", model: "linearizable", order: [0, 1, 2, 3].map((id) => operations[id]!) }

const count = (svg: string, what: RegExp): number => svg.match(what)?.length ?? 0

describe("a history", () => {
  it("in a terminal: culprit, involved and open operations are told apart", () => {
    expect(`\n${Timeline.terminal(history, { verdict: violated, width: 80 })}`).toMatchInlineSnapshot(`
      "
      linearizable: violated
      5 operations of 3 processes

      p1  ├─ write 1 ┤                    ╞═ read → 1 ╡
      p2    ├─ read → 1 ┤  ┝━ read → 2 ┥
      p3      ├─ write 2 → ? ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▷

      read → 1 came after read → 2 was done.
      "
    `)
  })

  it("in a narrow terminal goes on below", () => {
    const lines = Timeline.terminal(history, { verdict: violated, width: 40 }).split("\n")
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(40)
    expect(lines.filter((line) => line.startsWith("p1")).length).toBe(2)
  })

  it("as SVG has a bar for each operation, and one culprit", () => {
    const svg = Timeline.svg(history, { verdict: violated })
    expect(count(svg, /<g class="operation">/g)).toBe(5)
    expect(count(svg, /class="bar culprit"/g)).toBe(1)
    expect(count(svg, /class="bar involved"/g)).toBe(1)
    expect(count(svg, /class="veil"/g)).toBe(1)
    expect(svg).toContain("came after read → 2 was done.")
  })

  it("as SVG has the bars of a process one after the other, each as wide as its label", () => {
    const boxes = [
      ...Timeline.svg(history).matchAll(/<rect class="bar[^"]*" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"/g)
    ]
      .map(([, x, y, width]) => ({ x: Number(x), y: Number(y), width: Number(width) }))
      .toSorted((a, b) => a.y - b.y || a.x - b.x)
    expect(boxes.length).toBe(5)
    for (const [at, box] of boxes.entries()) {
      expect(box.width).toBeGreaterThan(60)
      const next = boxes[at + 1]
      if (next !== undefined && next.y === box.y) expect(box.x + box.width).toBeLessThan(next.x)
    }
  })

  it("shows when each operation took effect, within its bar, where an order was found", () => {
    const svg = Timeline.svg({ operations: operations.slice(0, 4) }, { verdict: ok })
    expect(count(svg, /<circle class="effect"/g)).toBe(4)
    // An order that puts an operation after its end, as sequential ones may, has no such places.
    const late: Verdict = { _tag: "Ok", model: "sequential", order: [1, 3, 0].map((id) => operations[id]!) }
    expect(count(Timeline.svg(history, { verdict: late }), /<circle class="effect"/g)).toBe(0)
    expect(Timeline.terminal(history, { verdict: late })).toContain("order: read → 1 (p2), read → 2 (p2), write 1 (p1)")
  })

  it("that is long is drawn around its culprit, with what its reason is about, and says what is left out", () => {
    const long = Array.from({ length: 1000 }, (_, id) =>
      operation(id, `p${id % 3}`, "write", id, null, 2 * id, 2 * id + 1)
    )
    const verdict: Verdict = {
      ...violated,
      culprit: { _tag: "Operation", operation: long[500]! },
      involved: [{ _tag: "Operation", operation: long[3]! }]
    }
    const svg = Timeline.svg({ operations: long }, { verdict, limit: 21 })
    expect(svg).toContain("979 more are left out")
    const labels = [...svg.matchAll(/<title>write (\d+)<\/title>/g)].map(([, id]) => Number(id))
    expect(labels.length).toBe(21)
    expect(labels).toContain(3)
    expect(labels.filter((id) => Math.abs(id - 500) <= 9).length).toBe(19)
  })

  it("of strange names and values is well-formed", () => {
    const strange = operation(0, "<p>&", "write", '"]]>\u0000<b>', undefined, 0, Infinity)
    const svg = Timeline.svg({ operations: [strange] })
    expect(svg).toContain("&lt;p&gt;&amp;")
    expect(svg).not.toContain("\u0000")
    expect(Timeline.svg({ operations: [] })).toContain("0 operations of 0 processes")
    expect(Timeline.terminal({ operations: [] })).toContain("0 operations of 0 processes")
  })
})

const transaction = (id: number, session: number, ...accesses: ReadonlyArray<readonly ["r" | "w", string, Value]>) =>
  ({
    id,
    session,
    status: "committed",
    accesses: accesses.map(([kind, key, value]) => ({ kind: kind === "r" ? "read" : "write", key, value }))
  }) satisfies Transaction

const verdictOf = (culprit: Transaction, ...involved: ReadonlyArray<Transaction>): Verdict => ({
  _tag: "Violated",
  model: "transactional-causal",
  culprit: { _tag: "Transaction", transaction: culprit },
  reason: "a reason",
  involved: involved.map((transaction) => ({ _tag: "Transaction", transaction }))
})

describe("transactions", () => {
  const [t0, t1, t2, t3] = [
    transaction(0, 0, ["w", "x", 1], ["w", "y", 1]),
    transaction(1, 0, ["r", "y", 2], ["w", "x", 3]),
    transaction(2, 1, ["r", "x", 1], ["w", "y", 2]),
    transaction(3, 2, ["r", "x", 3], ["r", "y", 1])
  ] as const
  const stale: TransactionHistory = { sessions: 3, transactions: [t0, t1, t2, t3] }
  const verdict = verdictOf(t3, t0, t2, t3)

  it("in a terminal: who read from whom, and the cycle that refutes them", () => {
    expect(`\n${Timeline.transactionsTerminal(stale, { verdict, width: 80 })}`).toMatchInlineSnapshot(`
      "
      transactional-causal: violated
      4 transactions of 3 sessions; red: T0 → T2 → T0

      session 0
        │ T0: write x ← 1, write y ← 1
        │ T1: read y → 2 (of T2), write x ← 3
      session 1
        │ T2: read x → 1 (of T0), write y ← 2
      session 2
        ✗ T3: read x → 3 (of T1), read y → 1 (of T0)

        T0 ──▶ T2: T0 is what it read from
        T2 ──▶ T0: T2 must come before it, as a reader of both shows

      a reason
      "
    `)
  })

  it("as SVG: a box each, with those by way of which one knew of another, an arrow for each read", () => {
    const svg = Timeline.transactionsSvg(stale, { verdict })
    expect(count(svg, /<g class="transaction">/g)).toBe(4)
    expect(count(svg, /class="box culprit"/g)).toBe(1)
    expect(count(svg, /class="reads"/g)).toBe(3)
    expect(count(svg, /class="cycle( implied)?"/g)).toBe(2)
  })

  it("that read from each other's future are a cycle of reads", () => {
    const a = transaction(0, 0, ["r", "x", 1], ["w", "y", 1])
    const b = transaction(1, 1, ["r", "y", 1], ["w", "x", 1])
    const text = Timeline.transactionsTerminal({ sessions: 2, transactions: [a, b] }, { verdict: verdictOf(a, a, b) })
    expect(text).toContain("red: T0 → T1 → T0")
    expect(text).toContain("T0 ──▶ T1: T0 is what it read from")
  })

  it("without a verdict are the first ones", () => {
    const svg = Timeline.transactionsSvg(stale, { limit: 2 })
    expect(count(svg, /<g class="transaction">/g)).toBe(2)
    expect(svg).toContain("2 more are left out")
  })
})
