/**
 * Reliable, uniform and view-synchronous multicast among five members on the memory transport, each with a handler that
 * counts, beside best-effort broadcast and beside a bare loop that sends the same messages over the same transport.
 *
 *     node --conditions=@troupe/source packages/group/bench/viewSynchrony.bench.ts [--json] [--rounds 5]
 */
import { Membership } from "@troupe/actor"
import { BestEffort, Multicast, NakReliable, ViewSynchrony } from "@troupe/group"
import { Channel, Memory, type Transport } from "@troupe/transport"
import { Context, Effect, Layer, Schema, type Scope, Stream } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given)

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

const members = Layer.succeed(Membership, {
  views: Stream.concat(Stream.make({ number: 1, members: nodes, joined: nodes }), Stream.never)
})

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

/** Each message to each other member, and a call for one's own: what best effort cannot do without. */
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

/** Deliveries at all members together, a second of processor time: others may use the machine, too. */
const rate = ({ heard, send }: Group): Effect.Effect<number> =>
  Effect.gen(function* () {
    globalThis.gc?.()
    const first = heard()
    const before = process.cpuUsage()
    for (let sent = 0; sent < multicasts;) {
      const until = Math.min(multicasts, sent + batch)
      // The group has no room: it has to get on first.
      while (sent < until && send(sent % nodes.length)) sent++
      while (heard() - first < sent * nodes.length) yield* Effect.yieldNow
    }
    const { system, user } = process.cpuUsage(before)
    return ((multicasts * nodes.length) / (system + user)) * 1e6
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
