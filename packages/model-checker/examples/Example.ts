/**
 * A model to learn from, with what a command line must know to run it: its sizes, and how many states it has at some.
 *
 * @example
 * import { Checker } from "@troupe/model-checker"
 * import { examples } from "@troupe/model-checker/examples/index"
 * import { Effect } from "effect"
 *
 * const paxos = examples.find(({ name }) => name === "paxos")!
 * const report = await Effect.runPromise(Checker.check(paxos.model({ servers: 3, clients: 1 })))
 * console.log(report.uniqueStates) // 265
 */
import type { Model } from "@troupe/model-checker"
import { Schema } from "effect"

/** A size that may be chosen: `--managers 5`. */
export interface Flag<Name extends string = string> {
  readonly name: Name
  readonly default: number
  readonly minimum: number
  readonly maximum: number
  /** What there are so many of. */
  readonly description: string
}

/** How many states there are at these sizes, as published or counted by another program. */
export interface KnownCount<Name extends string = string> {
  readonly values: Readonly<Record<Name, number>>
  readonly uniqueStates: number
}

export interface Paper {
  readonly authors: string
  readonly title: string
  readonly venue: string
  readonly year: number
}

export interface Definition<Name extends string> {
  /** As the command line has it: "two-phase-commit". */
  readonly name: string
  readonly title: string
  /** What the algorithm is for and how it works, in one or two sentences. */
  readonly summary: string
  readonly paper: Paper
  readonly flags: ReadonlyArray<Flag<Name>>
  readonly model: (values: Readonly<Record<NoInfer<Name>, number>>) => Model.Checkable<any>
  readonly knownCounts: ReadonlyArray<KnownCount<NoInfer<Name>>>
}

export interface Example extends Omit<Definition<string>, "model"> {
  /** Sizes that are not given are the defaults. Throws `BadSize`. */
  readonly model: (values?: Readonly<Record<string, number>>) => Model.Checkable<any>
}

/** A size that an example does not have, or not so large or small. */
export class BadSize extends Schema.TaggedError<BadSize>()("BadSize", {
  example: Schema.String,
  flag: Schema.String,
  value: Schema.Number,
  expected: Schema.String
}) {
  override get message(): string {
    return `example/${this.example}: --${this.flag} ${this.value} will not do: ${this.expected}.`
  }
}

export const make = <const Name extends string>(definition: Definition<Name>): Example => ({
  ...definition,
  model: (values = {}) => definition.model(sizes(definition, values))
})

const sizes = <Name extends string>(
  { flags, name: example }: Definition<Name>,
  given: Readonly<Record<string, number>>
): Record<Name, number> => {
  for (const [flag, value] of Object.entries(given)) {
    const known = flags.find(({ name }) => name === flag)
    const expected =
      known === undefined
        ? `it has ${flags.map(({ name }) => `--${name}`).join(" and ")}`
        : `give a whole number from ${known.minimum} to ${known.maximum}`
    const fits = known !== undefined && Number.isInteger(value) && value >= known.minimum && value <= known.maximum
    if (!fits) throw new BadSize({ example, flag, value, expected })
  }
  const entries = flags.map((flag) => [flag.name, given[flag.name] ?? flag.default] as const)
  return Object.fromEntries(entries) as Record<Name, number>
}
