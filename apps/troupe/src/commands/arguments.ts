/** The arguments and flags that several commands take. */
import { Effect, FileSystem, Option } from "effect"
import { Argument, Flag } from "effect/cli"
import { algorithms } from "../algorithms.ts"
import type { Demonstration } from "../Demonstration.ts"
import { reasonOf, Usage } from "../Problem.ts"

export const algorithm = Argument.String("algorithm").pipe(
  Argument.withDescription('Which one, as in "mutex/ricart-agrawala". `troupe list` shows all')
)

export const variant = Flag.String("variant").pipe(
  Flag.withDescription("Which form of the algorithm, where there are several: of mutex/maekawa, sanders or basic"),
  Flag.optional
)

export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print one JSON object, and nothing else"),
  Flag.withDefault(false)
)

export const maximumNodes = 1000

/** Of gossip, simulated. */
export const maximumOfGossip = 10_000

const nodesUpTo = (most: number, more = "") =>
  Flag.Int("nodes").pipe(
    Flag.filter(isBetween(1, most), () => `a number of nodes from 1 to ${most}`),
    Flag.withDescription(`How many nodes there are: 1 to ${maximumNodes}${more}. Default: 5`),
    Flag.withDefault(5)
  )

export const nodes = nodesUpTo(maximumNodes)

export const nodesOfRun = nodesUpTo(maximumOfGossip, `; of gossip with --transport sim, to ${maximumOfGossip}`)

export function isBetween(minimum: number, maximum: number) {
  return (value: number): boolean => value >= minimum && value <= maximum
}

/** Before hours of work that end in a file that cannot be written. */
export const checkWritable = (file: string, flag = "--trace") =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* Effect.scoped(files.open(file, { flag: "a" }))
  }).pipe(
    Effect.mapError((error) => new Usage({ reason: `${flag} ${file}: it cannot be written, ${reasonOf(error)}.` }))
  )

/** The algorithm of that name, or the nearest name there is. */
export const find = (name: string): Effect.Effect<Demonstration, Usage> => {
  const found = algorithms.find((algorithm) => algorithm.name === name)
  if (found !== undefined) return Effect.succeed(found)
  const nearest = algorithms
    .map((algorithm) => ({ name: algorithm.name, distance: nameDistance(name, algorithm.name) }))
    .sort((a, b) => a.distance - b.distance)[0]
  const hint =
    nearest !== undefined && nearest.distance <= Math.max(2, name.length / 2) ? `Did you mean "${nearest.name}"? ` : ""
  return Effect.fail(new Usage({ reason: `There is no algorithm "${name}". ${hint}\`troupe list\` shows all.` }))
}

/** That form of the algorithm. */
export const findVariant = (name: string, variant: Option.Option<string>): Effect.Effect<Demonstration, Usage> =>
  Effect.flatMap(find(name), (found) => {
    if (Option.isNone(variant)) return Effect.succeed(found)
    const { variants = {} } = found
    const wanted = Object.hasOwn(variants, variant.value) ? variants[variant.value] : undefined
    if (wanted !== undefined) return Effect.succeed(wanted)
    const known = Object.keys(variants)
    const reason = known.length === 0 ? "It has no variants." : `It has ${known.join(", ")}.`
    return Effect.fail(new Usage({ reason: `${name} has no variant "${variant.value}". ${reason}` }))
  })

/** A name without its package, or with half of one, is near too. */
const nameDistance = (given: string, name: string): number => {
  const [, short = name] = name.split("/")
  return Math.min(distance(given, name), distance(given, short), name.includes(given) && given !== "" ? 1 : Infinity)
}

/** How many letters have to be put in, taken out or changed to make one text of the other. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
