/**
 * Reliable, uniform and view-synchronous multicast among five members on the memory transport, each with a handler that
 * counts, beside best-effort broadcast and beside a bare loop that sends the same messages over the same transport.
 *
 *     node --conditions=@troupe/source packages/group/bench/viewSynchrony.bench.ts [--json] [--rounds 5]
 */
import { Membership } from "@troupe/actor"
import { BestEffort, NakReliable, ViewSynchrony } from "@troupe/group"
import { Effect, Layer, Stream } from "effect"
import { parseArgs } from "node:util"
import { bare, drive, type Group, group, nodes } from "./five.ts"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given)

const multicasts = 40_000

const members = Layer.succeed(Membership, {
  views: Stream.concat(Stream.make({ number: 1, members: nodes, joined: nodes }), Stream.never)
})

/** Deliveries at all members together, a second of processor time: others may use the machine, too. */
const rate = (five: Group): Effect.Effect<number> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const before = process.cpuUsage()
    const deliveries = yield* drive(five, multicasts)
    const { system, user } = process.cpuUsage(before)
    return (deliveries / (system + user)) * 1e6
  })

const program = Effect.gen(function* () {
  const groups = {
    floor: yield* bare,
    bestEffort: yield* group(() => BestEffort.layer()),
    reliable: yield* group(() => NakReliable.layer()),
    uniform: yield* group(() => NakReliable.uniform()),
    viewSynchronous: yield* group(() => Layer.provide(ViewSynchrony.layer(), members))
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
  benchmark: "multicasts of 100 characters, five members that all send, memory transport",
  unit: "thousand deliveries a second of processor time, medians",
  rounds,
  ...(await Effect.runPromise(Effect.scoped(program)))
}
console.log(json ? JSON.stringify(report) : report)
