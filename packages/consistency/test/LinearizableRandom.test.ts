import { type History, Linearizable, Specifications } from "@troupe/consistency"
import { describe, expect, it } from "vitest"
import { callsOf, history } from "./linearizable/Histories.ts"
import { culprit, isLinearizable } from "./linearizable/Reference.ts"

const kinds = Object.keys(callsOf)
const shapes = [
  { operations: 4, processes: 2, wrong: 0.3, lost: 0.1 },
  { operations: 6, processes: 3, wrong: 0.1, lost: 0.1 },
  { operations: 7, processes: 4, wrong: 0.15, lost: 0.1 }
]
const runs = Number(process.env["LINEARIZABLE_RUNS"] ?? 2_000)

const told = (operations: ReadonlyArray<History.Operation>): string =>
  operations
    .map(
      (o) => `${o.invoked}..${o.returned} ${o.f}(${JSON.stringify(o.input)})${o.key ?? ""} ${JSON.stringify(o.output)}`
    )
    .join("\n")

describe.each(kinds)("%s: verdicts and culprits are those of the definition", (kind) => {
  const spec = Specifications.find(kind.split(",")[0]!)!

  it.each(shapes)("$operations operations of $processes clients", (shape) => {
    const verdicts = { Ok: 0, Violated: 0, Unknown: 0 }
    for (let seed = 0; seed < runs; seed++) {
      const made = history(seed, spec, callsOf[kind]!, shape)
      const verdict = Linearizable.check(made, spec)
      verdicts[verdict._tag]++
      const right = isLinearizable(made.operations, spec)
      if ((verdict._tag === "Ok") !== right) expect.fail(`seed ${seed}: ${verdict._tag}\n${told(made.operations)}`)
      if (verdict._tag !== "Violated") continue
      const expected = culprit(made.operations, spec)
      const found = verdict.culprit._tag === "Operation" ? verdict.culprit.operation : undefined
      if (found?.id !== expected?.id) {
        expect.fail(`seed ${seed}: ${found?.id}, not ${expected?.id}: ${verdict.reason}\n${told(made.operations)}`)
      }
    }
    expect(verdicts.Unknown).toBe(0)
    // Otherwise nothing was tried.
    expect(Math.min(verdicts.Ok, verdicts.Violated)).toBeGreaterThan(runs / 50)
  })
})
