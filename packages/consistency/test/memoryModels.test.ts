import { Causal, type History, Pram, Sessions } from "@troupe/consistency"
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"

const corpus = new URL("../../../../shared/corpora/memory-models/", import.meta.url)

interface Labelled {
  readonly id: number | string
  readonly procs: ReadonlyArray<ReadonlyArray<readonly ["r" | "w", string, number, number, number]>>
  readonly verdict: Readonly<Record<string, boolean>>
}

const read = (file: string): ReadonlyArray<Labelled> =>
  readFileSync(new URL(file, corpus), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Labelled)

const history = ({ procs }: Labelled): History.History => {
  const operations = procs.flatMap((steps, process) =>
    steps.map(([kind, key, value, invoked, returned]) => ({
      process: `${process}`,
      f: kind === "r" ? "read" : "write",
      key,
      input: kind === "r" ? null : value,
      output: kind === "r" ? value : null,
      invoked,
      returned
    }))
  )
  return { operations: operations.sort((a, b) => a.invoked - b.invoked).map((operation, id) => ({ id, ...operation })) }
}

const columns = {
  causal_CC: Causal.check,
  causal_CCv: Causal.checkConvergence,
  causal_memory_CM: Causal.checkMemory,
  pram: Pram.check,
  read_your_writes: Sessions.checkReadYourWrites,
  monotonic_reads: Sessions.checkMonotonicReads
}

describe.skipIf(!existsSync(corpus))(
  "labelled histories of shared/corpora/memory-models (skipped where absent)",
  () => {
    test.for(["anchors.jsonl", "random.jsonl"])("%s: every column is met", (file) => {
      const wrong: Array<string> = []
      for (const labelled of read(file)) {
        for (const [column, check] of Object.entries(columns)) {
          const verdict = check(history(labelled), { initial: 0 })
          if (verdict._tag !== (labelled.verdict[column] ? "Ok" : "Violated")) wrong.push(`${labelled.id} ${column}`)
        }
      }
      expect(wrong).toEqual([])
    })
  }
)
