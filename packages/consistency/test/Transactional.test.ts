import { Reader, Transactional, Transactions } from "@troupe/consistency"
import { Result } from "effect"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { seeded } from "./registers.ts"
import { randomTransactions, reference } from "./transactions.ts"

const levels = [
  ["read committed", Transactional.checkReadCommitted, reference.readCommitted],
  ["read atomic", Transactional.checkReadAtomic, reference.readAtomic],
  ["causal", Transactional.checkCausal, reference.causal],
  ["snapshot isolation", Transactional.checkSnapshotIsolation, reference.snapshotIsolation],
  ["serializable", Transactional.checkSerializable, reference.serializable],
  ["strict serializable", Transactional.checkStrictSerializable, reference.strictSerializable]
] as const

const shapes = [
  ["each value written once", 2000, 6, { times: true }],
  ["values written more than once", 1000, 5, { times: true, duplicates: 0.4 }],
  ["aborted and unknown transactions", 1000, 5, { times: true, statuses: true }]
] as const

for (const [name, check, byAxioms] of levels) {
  for (const [shape, count, size, options] of shapes) {
    test(`${name} is what its axioms say, by enumeration of commit orders: ${shape}`, () => {
      const random = seeded(11)
      const seen = { Ok: 0, Violated: 0, Unknown: 0 }
      for (let i = 0; i < count; i++) {
        const history = randomTransactions(random, size, options)
        const verdict = check(history)
        seen[verdict._tag]++
        if (verdict._tag === (byAxioms(history) ? "Ok" : "Violated")) continue
        expect.fail(`${verdict._tag}: ${Transactions.toNdjson(history)}`)
      }
      expect(seen.Ok).toBeGreaterThan(count / 20)
      expect(seen.Violated).toBeGreaterThan(count / 20)
    })
  }
}

const corpus = new URL("../../../../shared/corpora/awdit/tests/", import.meta.url)

const expected = {
  causal: ["Ok", "Ok", "Ok"],
  "read-atomic": ["Ok", "Ok", "Violated"],
  "read-committed": ["Ok", "Violated", "Violated"],
  none: ["Violated", "Violated", "Violated"]
}

const files = (directory: string): ReadonlyArray<string> =>
  existsSync(corpus)
    ? readdirSync(new URL(directory, corpus), { recursive: true, encoding: "utf8" }).filter((file) =>
        file.endsWith(".txt")
      )
    : []

describe.skipIf(!existsSync(corpus))("histories of shared/corpora/awdit (skipped where absent)", () => {
  for (const [directory, verdicts] of Object.entries(expected)) {
    test.for(files(directory))(`${directory}/%s`, (file) => {
      const text = readFileSync(new URL(`${directory}/${file}`, corpus), "utf8")
      const [reading] = Result.getOrThrow(Reader.read(text, { file }))
      if (reading?._tag !== "Transactions") return expect.fail("no transactions")
      const checks = [Transactional.checkReadCommitted, Transactional.checkReadAtomic, Transactional.checkCausal]
      expect(checks.map((check) => check(reading.history)._tag)).toEqual(verdicts)
    })
  }
})
