import { Causal, Pram, type Verdict } from "@troupe/consistency"
import { expect, test } from "vitest"
import { randomRegisters, reference, registers, seeded } from "./registers.ts"

const models = [
  ["CC", Causal.check, reference.causal],
  ["CCv", Causal.checkConvergence, reference.convergence],
  ["CM", Causal.checkMemory, reference.memory],
  ["PRAM", Pram.check, reference.pram]
] as const

const shapes = [
  ["each value written once", 3000, 8, {}],
  ["values written more than once", 1000, 6, { duplicates: 0.4 }],
  ["open operations", 1000, 7, { open: 0.3 }],
  ["open operations and values written more than once", 500, 6, { duplicates: 0.3, open: 0.3 }]
] as const

for (const [name, check, byDefinition] of models) {
  for (const [shape, count, size, options] of shapes) {
    test(`${name} is what its definition says, by enumeration: ${shape}`, () => {
      const random = seeded(7)
      const seen = { Ok: 0, Violated: 0, Unknown: 0 }
      for (let i = 0; i < count; i++) {
        const history = randomRegisters(random, size, options)
        const verdict = check(history, { initial: 0 })
        seen[verdict._tag]++
        if (verdict._tag === (byDefinition(history) ? "Ok" : "Violated")) continue
        expect.fail(
          `${verdict._tag}: ${JSON.stringify(history.operations.map((o) => [o.process, o.f, o.key, o.input, o.output]))}`
        )
      }
      expect(seen.Ok).toBeGreaterThan(count / 20)
      expect(seen.Violated).toBeGreaterThan(count / 20)
    })
  }
}

const reason = (verdict: Verdict): string => (verdict._tag === "Violated" ? verdict.reason : verdict._tag)

test.todo("reasons")
void reason
void registers
