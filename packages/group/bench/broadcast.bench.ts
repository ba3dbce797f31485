/**
 * Broadcasts among five members on the memory transport, each with a handler that counts, beside a bare loop that sends
 * the same messages over the same transport.
 *
 *     node --conditions=@troupe/source packages/group/bench/broadcast.bench.ts [--json] [--rounds 5]
 */
import { BestEffort, Flooding, Uniform } from "@troupe/group"
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { bare, drive, type Group, group } from "./five.ts"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given)

const multicasts = 20_000

/** Deliveries a second, at all members together. */
const rate = (members: Group): Effect.Effect<number> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const start = performance.now()
    const deliveries = yield* drive(members, multicasts)
    return (deliveries / (performance.now() - start)) * 1000
  })

const program = Effect.gen(function* () {
  const groups = {
    floor: yield* bare,
    bestEffort: yield* group(() => BestEffort.layer()),
    flooding: yield* group(() => Flooding.layer()),
    uniform: yield* group(() => Uniform.layer())
  }
  const figures: Record<string, Array<number>> = {}
  for (let round = -1; round < rounds; round++) {
    for (const [name, each] of Object.entries(groups)) {
      const figure = yield* rate(each)
      if (round >= 0) (figures[name] ??= []).push(figure)
    }
  }
  return Object.fromEntries(Object.entries(figures).map(([name, all]) => [name, thousands(median(all))]))
})

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const thousands = (value: number): number => Math.round(value / 1000)

const report = {
  benchmark: "broadcasts of 100 characters, five members that all send, memory transport",
  unit: "thousand deliveries/s, medians",
  rounds,
  ...(await Effect.runPromise(Effect.scoped(program)))
}
console.log(json ? JSON.stringify(report) : report)
