/**
 * What the model checker sees of each order, as a table: `npm -w packages/group run interleavings`. Every interleaving of
 * three members over links that are FIFO, of whom two send; where one crashes it does so in the midst of any step, and the
 * view without it is heard of at any time.
 *
 * A row holds where the order's guarantees do, after each step and at the end.
 */
import { parseArgs } from "node:util"
import { type Bounds, broken } from "../test/exhaust.ts"
import { first, interleave, without } from "../test/interleavings.ts"
import { type Name, names } from "../test/orders.ts"

const { max, only, order } = parseArgs({
  options: {
    max: { type: "string", default: "4000000" },
    /** Rows whose name has this in it. */
    only: { type: "string", default: "" },
    order: { type: "string", multiple: true, default: [...names] }
  }
}).values

const crash = (node: string, messages: ReadonlyArray<number>): Bounds => ({
  messages,
  mortal: [node],
  views: [first, without(node)]
})

const rows: ReadonlyArray<readonly [string, Bounds]> = [
  ["two messages each, nobody crashes", {}],
  ["one each, n1 crashes", crash("n1", [1, 1])],
  ["one each, n2 crashes", crash("n2", [1, 1])],
  ["one each, n3 crashes", crash("n3", [1, 1])],
  ["two and one, n1 crashes", crash("n1", [2, 1])],
  ["two each, n1 crashes", crash("n1", [2, 2])]
]

const table: Array<object> = []
for (const name of order as ReadonlyArray<Name>) {
  for (const [what, bounds] of rows) {
    if (!what.includes(only)) continue
    // Where there are too many runs when timers run out at any time: then only where nothing can arrive; and then of runs that
    // differ in orders that come to the same, one each, which is asked at its end.
    for (const { atEnds, states, timeouts } of [
      { timeouts: "any", atEnds: false, states: Number(max) },
      { timeouts: "synchronous", atEnds: false, states: Number(max) },
      { timeouts: "synchronous", atEnds: true, states: 10 * Number(max) }
    ] as const) {
      const start = performance.now()
      const report = await interleave(name, { ...bounds, timeouts, atEnds, search: { maxStates: states } })
      const { broken: rules, complete } = broken(report)
      table.push({
        order: name,
        what,
        timers: timeouts,
        asked: atEnds ? "at ends" : "always",
        states: report.uniqueStates,
        all: complete ? "yes" : "no",
        holds: rules.length === 0 ? "yes" : rules.join(),
        seconds: Number(((performance.now() - start) / 1000).toFixed(1))
      })
      if (complete || rules.length > 0) break
    }
    console.log(JSON.stringify(table.at(-1)))
  }
}
console.table(table)
