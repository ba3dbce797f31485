/**
 * Ordered multicast among five members that all send, on the memory transport: each order beside FIFO, which the kernel
 * gives anyway, and beside a bare loop that sends the same messages over the same transport.
 *
 * Where the machine has other things to do, time by the clock says little: a figure is given of the time on a processor too.
 *
 * `late`: what a causal order does with a message while so many others wait for one that is late.
 *
 *     node --conditions=@troupe/source packages/group/bench/orders.bench.ts [--json] [--rounds 5] [--order NAME ...]
 */
import { Causal, CausalDependencies, Isis, type Multicast, NakReliable, Sequencer, Token } from "@troupe/group"
import type { Transport } from "@troupe/transport"
import { Effect, type Layer } from "effect"
import { parseArgs } from "node:util"
import { bare, drive, type Group, group } from "./five.ts"
import { late } from "./late.ts"

const layers: Record<string, () => Layer.Layer<Multicast.Multicast<any>, any, Transport>> = {
  fifo: () => NakReliable.layer(),
  causal: () => Causal.layer(),
  "causal, dependencies": () => CausalDependencies.layer(),
  "total, sequencer": () => Sequencer.layer(),
  "total, token": () => Token.layer(),
  "total, ISIS": () => Isis.layer(),
  "atomic, sequencer": () => Sequencer.atomic()
}

const args = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    order: { type: "string", multiple: true, default: Object.keys(layers) }
  }
}).values
const rounds = Number(args.rounds)

const multicasts = 40_000

interface Rate {
  readonly byClock: number
  readonly byProcessor: number
}

/** Deliveries a second, at all members together. */
const rate = (members: Group): Effect.Effect<Rate> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const start = performance.now()
    const used = process.threadCpuUsage()
    const deliveries = yield* drive(members, multicasts)
    const { system, user } = process.threadCpuUsage(used)
    const thousands = deliveries / 1000
    return {
      byClock: thousands / ((performance.now() - start) / 1000),
      byProcessor: thousands / ((user + system) / 1_000_000)
    }
  })

const program = Effect.gen(function* () {
  const groups: Record<string, Group> = { "bare loop": yield* bare }
  for (const name of args.order) groups[name] = yield* group(layers[name]!)
  const rates = new Map<string, Array<Rate>>()
  for (let round = -1; round < rounds; round++) {
    for (const [name, each] of Object.entries(groups)) {
      const figure = yield* rate(each)
      if (round >= 0) rates.set(name, [...(rates.get(name) ?? []), figure])
    }
  }
  return Object.fromEntries(
    [...rates].map(([name, all]) => [
      name,
      {
        "thousand deliveries/s": Math.round(median(all.map(({ byClock }) => byClock))),
        "of processor time": Math.round(median(all.map(({ byProcessor }) => byProcessor)))
      }
    ])
  )
})

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const report = {
  benchmark: "multicasts of 100 characters, five members that all send, memory transport; medians",
  rounds,
  goal: "causal: 500 thousand deliveries/s",
  orders: await Effect.runPromise(Effect.scoped(program)),
  late: late(rounds)
}
if (args.json) console.log(JSON.stringify(report))
else {
  console.table(report.orders)
  console.table(report.late)
}
