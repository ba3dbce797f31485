/**
 * Five members on the memory transport that all send, each with a handler that counts; and the bare loop that they are
 * measured beside.
 */
import { Multicast } from "@troupe/group"
import { Channel, Memory, type Transport } from "@troupe/transport"
import { Context, Effect, Layer, Schema, type Scope } from "effect"

export const nodes = ["n1", "n2", "n3", "n4", "n5"]
const Posts = Channel.make("posts", Schema.Struct({ text: Schema.String }))
const post = { text: "x".repeat(100) }
/** How many are asked for before everybody is waited for. */
const batch = 500

/** Everybody, and a way to send one message of each of them in turn; `heard` counts deliveries. */
export interface Group {
  readonly send: (sender: number) => boolean
  readonly heard: () => number
}

export const group = (
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
export const bare: Effect.Effect<Group, unknown, Scope.Scope> = Effect.gen(function* () {
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

/** Sends so many, by each in turn, and ends when all have heard them. Gives how many deliveries that were. */
export const drive = ({ heard, send }: Group, multicasts: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    const first = heard()
    for (let sent = 0; sent < multicasts;) {
      const until = Math.min(multicasts, sent + batch)
      // The group has no room: it has to get on first.
      while (sent < until && send(sent % nodes.length)) sent++
      while (heard() - first < sent * nodes.length) yield* Effect.yieldNow
    }
    return multicasts * nodes.length
  })
