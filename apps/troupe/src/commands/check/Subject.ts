/** What is to be checked, by the flags that were given; what makes no sense is refused. */
import { availableParallelism } from "node:os"
import type { Parallel } from "@troupe/model-checker"
import { examples } from "@troupe/model-checker/examples/index"
import { Effect, Option } from "effect"
import * as Checks from "../../Checks.ts"
import { Usage } from "../../Problem.ts"
import { named } from "../../algorithms.ts"
import { findVariant } from "../arguments.ts"
import { bounds, type Given, type Network } from "./Flags.ts"

export interface Subject {
  readonly source: Parallel.Source
  /** The name of the weakness that the card has for a property that is broken. */
  readonly known: (broken: string) => string | undefined
}

export const subjectOf = (given: Given): Effect.Effect<Subject, Usage> =>
  given.model.startsWith("example/") ? exampleOf(given) : algorithmOf(given)

const exampleOf = (given: Given) =>
  Effect.gen(function* () {
    const example = examples.find(({ name }) => `example/${name}` === given.model)
    if (example === undefined) {
      const names = examples.map(({ name }) => `example/${name}`).join(", ")
      return yield* new Usage({ reason: `There is no ${given.model}. There are ${names}.` })
    }
    const known = example.flags.map(({ name }) => name)
    if (Option.isSome(given.variant)) {
      return yield* new Usage({ reason: `${given.model} has no variants. Leave --variant out.` })
    }
    yield* refuseOthers(given, known)
    const sizes = known.flatMap((name) => {
      const value = name === "nodes" ? given.bounds.nodes : given.exampleSizes[name]!
      return Option.isSome(value) ? [[name, value.value] as const] : []
    })
    const request: Checks.Request = { _tag: "Example", name: example.name, sizes: Object.fromEntries(sizes) }
    yield* Effect.try({
      try: () => Checks.build(request),
      catch: (error) => new Usage({ reason: error instanceof Error ? error.message : String(error) })
    })
    return { source: Checks.source(request), known: () => undefined }
  })

const algorithmOf = (given: Given) =>
  Effect.gen(function* () {
    const demonstration = yield* findVariant(given.model, given.variant)
    const { bounds: all } = given
    const known = Object.keys(bounds).filter((name) => name !== "entries" || Checks.hasEntries(demonstration))
    yield* refuseOthers(given, known)
    const crashes = Option.getOrElse(all.crashes, () => 0)
    if (all.restart && crashes === 0) {
      return yield* new Usage({ reason: "--restart: there is no crash to come back from. Add --crashes 1." })
    }
    const nodes = Option.getOrElse(all.nodes, () => 3)
    if (all.split && nodes === 1) {
      return yield* new Usage({ reason: "--split: one node cannot be split. Give --nodes 2 or more." })
    }
    const usual = Checks.usual(demonstration, nodes)
    const network = Option.getOrElse(all.network, (): Network => (usual.order === "fifo" ? "ordered" : "unordered"))
    const within: Checks.Bounds = {
      nodes,
      entries: Option.getOrElse(all.entries, () => usual.entries),
      order: network === "ordered" ? "fifo" : "any",
      duplication: network === "unordered-duplicating",
      loss: all.lossy,
      split: all.split,
      crashes,
      restart: all.restart,
      timeouts: Option.getOrElse(all.timeouts, () => usual.timeouts),
      draws: Option.getOrElse(all.draws, () => usual.draws),
      symmetric: all.symmetric,
      partialOrder: all["partial-order"]
    }
    const faults = Checks.faults(demonstration, within)
    const { card, name } = demonstration
    return {
      source: Checks.source({ _tag: "Algorithm", name, bounds: within }),
      known: (broken: string) =>
        card.weaknesses.find(({ breaks, faults: preset }) => breaks === broken && faults.includes(preset))?.name
    }
  })

/** A flag that would change nothing is a mistake. */
const refuseOthers = ({ bounds, exampleSizes, model }: Given, known: ReadonlyArray<string>) => {
  const isGiven = ([, value]: readonly [string, unknown]): boolean =>
    Option.isOption(value) ? Option.isSome(value) : value === true
  const other = Object.entries({ ...bounds, ...exampleSizes }).find((flag) => isGiven(flag) && !known.includes(flag[0]))
  return other === undefined
    ? Effect.void
    : Effect.fail(
        new Usage({ reason: `${model} has no --${other[0]}. It has ${known.map((name) => `--${name}`).join(", ")}.` })
      )
}

export const optionsOf = (given: Given): Effect.Effect<Parallel.Options, Usage> => {
  const { all, bounds, maxStates, search, seed, walks } = given
  const maxDepth = Option.orElse(given.maxDepth, () => usualDepth(given))
  const workers = given.workers === "auto" ? availableParallelism() : Number(given.workers)
  const reason = misplaced(given, workers)
  if (reason !== undefined) return Effect.fail(new Usage({ reason }))
  return Effect.succeed({
    search,
    workers,
    stopAtViolation: !all,
    partialOrder: bounds["partial-order"],
    ...(Option.isSome(walks) ? { walks: walks.value } : {}),
    ...(Option.isSome(seed) ? { seed: seed.value } : {}),
    ...(Option.isSome(maxStates) ? { maxStates: maxStates.value } : {}),
    ...(Option.isSome(maxDepth) ? { maxDepth: maxDepth.value } : {})
  })
}

/** Of what has no end, as far as is seen in some seconds. */
const usualDepth = ({ model, search }: Given): Option.Option<number> => {
  const demonstration = search === "random" ? undefined : named(model)
  return Option.fromUndefinedOr(demonstration && Checks.usualDepth(demonstration))
}

/** Of flags that go together with certain others only. */
const misplaced = ({ bounds, search, seed, walks }: Given, workers: number): string | undefined => {
  const isRandom = search === "random"
  if (Option.isSome(walks) && !isRandom) return "--walks: there are no walks. Add --search random."
  if (Option.isSome(seed) && !isRandom) return "--seed: nothing is left to chance. Add --search random."
  if (workers > 1 && search !== "breadth-first") return `--workers: ${search} search has one thread.`
  if (!bounds["partial-order"]) return undefined
  if (isRandom) return "--partial-order: random walks leave nothing out. Take another --search."
  if (workers > 1) return "--partial-order: a search that leaves orders out has one thread. Leave --workers out."
  return bounds.symmetric ? "--partial-order leaves symmetry out of account. Leave --symmetric out." : undefined
}
