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
import { Causal, CausalDependencies, Isis, Multicast, NakReliable, Sequencer, Token } from "@troupe/group"
import { Channel, Memory, type Transport } from "@troupe/transport"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { parseArgs } from "node:util"
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

const nodes = ["n1", "n2", "n3", "n4", "n5"]
const Posts = Channel.make("posts", Schema.Struct({ text: Schema.String }))
const post = { text: "x".repeat(100) }
const multicasts = 40_000
/** How many are asked for before everybody is waited for. */
const batch = 500

/** Everybody, and a way to send one message of each of them in turn; `heard` counts deliveries. */
interface Group {
  readonly send: (sender: number) => boolean
  readonly heard: () => number
}

const group = (
  layer: () => Layer.Layer<Multicast.Multicast<any>, any, Transport>
): Effect.Effect<Group, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const network = Memory.network({ nodes })
    let heard = 0
    const topics = yield* Effect.forEach(nodes, (node) =>
      Effect.gen(function* () {
        const context = yield* Layer.build(Layer.provide(layer(), Memory.layer(network, node)))
        return yield* Context.get(context, Multicast.key<Multicast.Guarantee>()).open(Posts, () => heard++)
      })
    )
    return { send: (sender) => topics[sender]!.trySend(post), heard: () => heard }
  })

/** Each message to each other member, and a call for one's own. */
const bare: Effect.Effect<Group, unknown, Scope.Scope> = Effect.gen(function* () {
  const network = Memory.network({ nodes })
  let heard = 0
  const receive = (): void => void heard++
  const sends = yield* Effect.forEach(nodes, (node) =>
    Effect.flatMap(Memory.connect(network, node), (transport) => transport.open(Posts, receive))
  )
  return {
    send: (sender) => {
      for (let to = 0; to < nodes.length; to++) if (to !== sender) sends[sender]!(nodes[to]!, post)
      receive()
      return true
    },
    heard: () => heard
  }
})

interface Rate {
  readonly byClock: number
  readonly byProcessor: number
}

/** Deliveries a second, at all members together. */
const rate = ({ heard, send }: Group): Effect.Effect<Rate> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const first = heard()
    const start = performance.now()
    const used = process.threadCpuUsage()
    for (let sent = 0; sent < multicasts;) {
      const until = Math.min(multicasts, sent + batch)
      // The group has no room: it has to get on first.
      while (sent < until && send(sent % nodes.length)) sent++
      while (heard() - first < sent * nodes.length) yield* Effect.yieldNow
    }
    const { system, user } = process.threadCpuUsage(used)
    const thousands = (multicasts * nodes.length) / 1000
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
