/**
 * The setting of a public exercise (Gossip Glomers, challenge 3): 25 nodes, links of 100 ms, values broadcast at 100 a
 * second. What is asked for: messages between nodes per operation, and how long until the last node has a value.
 */
import { Gossip, type Plumtree } from "@troupe/gossip"
import { Faults, Simulation } from "@troupe/simulation"
import { Channel, Transport } from "@troupe/transport"
import { Clock, Context, Effect, Layer, Schema } from "effect"
import { nodesOf } from "./rounds.ts"

const Values = Channel.make("values", Schema.Int)

/** Word of items for lazy links, gathered for long and in large messages: nothing is lost here. */
const sparing = { announce: "2 seconds", graft: "2 seconds", packetBytes: 16_384, itemsPerMessage: 1_024 } as const

/** Two points of the trade-off, by options of one algorithm. */
export const points = {
  /** One tree, in which 50 ms of values share a message: among neighbours that are all, a star around one publisher. */
  "few messages": { ...sparing, batch: "50 millis" },
  /** A tree for each publisher, at once: the publisher tells all others itself. */
  "low latency": { ...sparing, trees: "per-publisher" }
} satisfies Record<string, Plumtree.LayerOptions>

export interface Measured {
  readonly operations: number
  readonly messagesPerOperation: number
  /** Until the last node has a value. */
  readonly medianMillis: number
  readonly p99Millis: number
  readonly maxMillis: number
  readonly tags: Readonly<Record<string, number>>
}

export const measure = (
  layer: Layer.Layer<Gossip, unknown, Transport>,
  given: { readonly seed: number; readonly seconds: number; readonly nodes?: number; readonly perSecond?: number }
) => {
  const { nodes: count = 25, perSecond = 100, seconds } = given
  const nodes = nodesOf(count)
  const operations = seconds * perSecond
  const publishedMillis = new Float64Array(operations)
  const heard = new Int32Array(operations)
  const latencies: Array<number> = []
  const tags: Record<string, number> = {}
  let messages = 0
  const counted = Effect.map(Transport, (transport): Transport["Service"] => ({
    ...transport,
    open: (channel, receive) =>
      Effect.map(transport.open(channel, receive), (send) => (to, message) => {
        messages++
        const { _tag } = message as { readonly _tag: string }
        tags[_tag] = (tags[_tag] ?? 0) + 1
        send(to, message)
      })
  }))
  return Effect.map(
    Simulation.run<unknown>({
      seed: given.seed,
      nodes,
      faults: { ...Faults.none, delayMillisMin: 100, delayMillisMax: 100 },
      duration: `${seconds + 5} seconds`,
      program: Effect.fnUntraced(function* (node: string) {
        const clock = yield* Clock.Clock
        const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
        const gossip = Context.get(yield* Layer.build(Layer.provide(layer, Layer.effect(Transport, counted))), Gossip)
        const topic = yield* gossip.open(Values, ({ item }) => {
          if (++heard[item]! === count) latencies.push(now() - publishedMillis[item]!)
        })
        // In turns, so that all publish alike: n1 first, then n2, and so on.
        const gapMillis = 1_000 / perSecond
        yield* Effect.sleep(nodes.indexOf(node) * gapMillis)
        for (let value = nodes.indexOf(node); value < operations; value += count) {
          publishedMillis[value] = now()
          yield* topic.publish(value)
          yield* Effect.sleep(count * gapMillis)
        }
      })
    }),
    ({ violations }): Measured => {
      if (violations.length > 0) throw new Error(JSON.stringify(violations))
      if (latencies.length < operations) throw new Error(`${operations - latencies.length} values did not come to all`)
      const sorted = latencies.toSorted((a, b) => a - b)
      const at = (share: number): number => sorted[Math.min(operations - 1, Math.floor(share * operations))]!
      return {
        operations,
        messagesPerOperation: messages / operations,
        medianMillis: at(0.5),
        p99Millis: at(0.99),
        maxMillis: at(1),
        tags
      }
    }
  )
}
