import { Models, Specifications, Transactions } from "@troupe/consistency"
import { expect, test } from "vitest"
import { overlapping, randomRegisters, registers, seeded, type Step } from "./registers.ts"
import { randomTransactions } from "./transactions.ts"

const pairs = (of: Models.Model["of"]): ReadonlyArray<readonly [string, string]> =>
  Models.models.flatMap((stronger) =>
    Models.models.flatMap((weaker) =>
      stronger.of === of && weaker.of === of && stronger !== weaker ? [[stronger.name, weaker.name] as const] : []
    )
  )

/** The implications that all of these histories bear out: of each pair of models, none allows only the stronger. */
const borneOut = (of: Models.Model["of"], allowed: ReadonlyArray<ReadonlySet<string>>): ReadonlyArray<string> =>
  pairs(of)
    .filter(([stronger, weaker]) => allowed.every((names) => !names.has(stronger) || names.has(weaker)))
    .map(([stronger, weaker]) => `${stronger} => ${weaker}`)

const documented = (of: Models.Model["of"]): ReadonlyArray<string> =>
  pairs(of)
    .filter(([stronger, weaker]) => Models.implies(stronger, weaker))
    .map(([stronger, weaker]) => `${stronger} => ${weaker}`)

const observer: ReadonlyArray<Step> = [
  ["r", "x", 2],
  ["r", "z", 0],
  ["r", "y", 1],
  ["r", "x", 2]
]

/** Causally convergent, though the observer's reads allow no order of the writes that keeps that of their causes. */
const rare = [
  registers(
    [
      ["w", "z", 1],
      ["w", "x", 1],
      ["w", "y", 1]
    ],
    [["w", "x", 2]],
    observer
  ),
  registers(
    [["w", "z", 1]],
    [
      ["r", "z", 1],
      ["w", "x", 1]
    ],
    [
      ["r", "x", 1],
      ["w", "y", 1]
    ],
    [["w", "x", 2]],
    observer
  )
]

test("what one model of operations allows, those that it implies allow; and no others are implied", () => {
  const random = seeded(5)
  const some = Array.from({ length: 4000 }, (_, i) => randomRegisters(random, i % 2 === 0 ? 7 : 11))
  const allowed = [...some, ...rare].map((untimed) => {
    const history = overlapping(untimed, random)
    const specification = Specifications.register({ initial: 0 })
    return new Set(
      Models.models.flatMap((model) =>
        model.of === "operations" && model.check(history, specification, { initial: 0 })._tag === "Ok"
          ? [model.name]
          : []
      )
    )
  })
  expect(borneOut("operations", allowed)).toEqual(documented("operations"))
})

test("what one isolation level allows, those that it implies allow; and no others are implied", () => {
  const random = seeded(6)
  const allowed = Array.from({ length: 8000 }, () => {
    const history = randomTransactions(random, 6, { times: true, odd: 0 })
    return new Set(
      Models.models.flatMap((model) =>
        model.of === "transactions" && model.check(history)._tag === "Ok" ? [model.name] : []
      )
    )
  })
  expect(borneOut("transactions", allowed)).toEqual(documented("transactions"))
})

test("causal names a model of operations and one of transactions", () => {
  expect(Models.find("causal", "operations")?.name).toBe("causal")
  expect(Models.find("causal", "transactions")?.name).toBe("transactional-causal")
  expect(Models.find("fifo", "operations")?.name).toBe("pram")
  expect(Models.find("linearizable", "transactions")).toBeUndefined()
})

test("no name is given twice for one kind of history, and each model has its implications", () => {
  for (const of of ["operations", "transactions"] as const) {
    const names = Models.models.filter((model) => model.of === of).flatMap(({ aliases, name }) => [name, ...aliases])
    expect(new Set(names).size).toBe(names.length)
  }
  expect(Object.keys(Models.implications).toSorted()).toEqual(Models.models.map(({ name }) => name).toSorted())
})

test("every model allows the empty history", () => {
  for (const model of Models.models) {
    const verdict =
      model.of === "operations"
        ? model.check({ operations: [] }, Specifications.register())
        : model.check(Transactions.make([]))
    expect([model.name, verdict._tag]).toEqual([model.name, "Ok"])
  }
})
