import { describe, expect, it } from "vitest"
import { counted, emptyRow, late, table } from "../src/proof.ts"

const row = emptyRow({ algorithm: "lock", preset: "lossy" })
const fine = { violations: [], worstMillis: 40, boundMillis: 100 }

describe("what the seeds of a proof come to", () => {
  it("counts seeds, and keeps the run that came closest to its bound", () => {
    const runs = [fine, { ...fine, worstMillis: 90 }, { ...fine, worstMillis: 120, boundMillis: 200 }]
    expect(runs.reduce((sum, run, seed) => counted(sum, seed, run), row)).toMatchObject({
      seeds: 3,
      violations: 0,
      firstSeed: undefined,
      worstMillis: 90,
      boundMillis: 100
    })
  })

  it("a wait longer than the bound is a violation, as is a broken guarantee; a run counts once", () => {
    const broken = counted(counted(row, 9, { ...fine, worstMillis: 101 }), 4, { ...fine, violations: ["a", "b"] })
    expect(broken).toMatchObject({ seeds: 2, violations: 2, firstSeed: 4, broken: [late, "a", "b"] })
  })

  it("is a table", () => {
    expect(table([counted(row, 1, fine)]).split("\n")).toEqual([
      "algorithm  preset  seeds  violations  worst wait  its bound",
      "lock       lossy   1      0           40 ms       100 ms"
    ])
  })
})
