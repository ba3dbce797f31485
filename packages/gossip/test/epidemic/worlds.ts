/** Simulated worlds in which every node gossips: who hears what and how often, under the faults of a preset. */
import type { Card } from "@troupe/actor"
import { Gossip, type Heard, HyParView, Plumtree, PushPull, RumorMongering } from "@troupe/gossip"
import { Faults, Simulation } from "@troupe/simulation"
import { Channel, type Transport } from "@troupe/transport"
import { Clock, Context, Effect, Layer, Schema, Stream } from "effect"
import { nodesOf } from "./rounds.ts"

export const News = Channel.make("news", Schema.Struct({ by: Schema.String, count: Schema.Int }))
type News = { readonly by: string; readonly count: number }

export interface Subject {
  readonly name: string
  readonly actor: string
  readonly card: Card.Card
  readonly layer: Layer.Layer<Gossip, unknown, Transport>
}

/** Long enough for all that a run says. */
const keep = "10 minutes"

export const subjects: ReadonlyArray<Subject> = [
  ...(["push-pull", "push", "pull"] as const).map((mode) => ({
    name: `anti-entropy by ${mode}`,
    actor: PushPull.protocol.name,
    card: PushPull.card,
    layer: PushPull.layer({ mode, keep })
  })),
  {
    name: "push-pull over HyParView",
    actor: PushPull.protocol.name,
    card: PushPull.card,
    layer: PushPull.layer({ keep }).pipe(Layer.provide(HyParView.layer({ mixInterval: "10 seconds" })))
  },
  ...(["push", "pull"] as const).map((mode) => ({
    name: `rumours by ${mode}`,
    actor: RumorMongering.protocol.name,
    card: RumorMongering.card,
    layer: RumorMongering.layer({ mode, keep, k: 1, backup: "2 seconds" })
  })),
  {
    name: "plumtree among all",
    actor: Plumtree.protocol.name,
    card: Plumtree.card,
    layer: Plumtree.layer({ keep, repair: "2 seconds", threshold: 1 })
  },
  {
    name: "plumtree over HyParView, a tree for each, in batches",
    actor: Plumtree.protocol.name,
    card: Plumtree.card,
    layer: Plumtree.layer({ keep, repair: "2 seconds", trees: "per-publisher", batch: "50 millis" }).pipe(
      Layer.provide(HyParView.layer({ mixInterval: "10 seconds" }))
    )
  }
]

export interface Given {
  readonly subject: Subject
  readonly faults: Partial<Faults.Faults>
  readonly seed: number
  readonly nodes?: number
  readonly seconds?: number
  readonly properties?: Simulation.Options<unknown>["properties"]
  readonly trace?: Simulation.Options<unknown>["trace"]
}

/** Each node publishes ten times, in the first 20 seconds of a life. */
export const run = (given: Given) => {
  const { seconds = 90, subject } = given
  const heard: Array<Heard<News> & { readonly at: string }> = []
  /** The longest from the publication of an item until a node heard it that was up all the time. */
  let worstMillis = 0
  const published = new Map<string, number>()
  /** What one life of a node heard twice, or in another shape than it was published. */
  const wrong: Array<string> = []
  return Effect.map(
    Simulation.run<unknown>({
      seed: given.seed,
      nodes: nodesOf(given.nodes ?? 6),
      faults: { ...Faults.none, ...given.faults },
      duration: `${seconds} seconds`,
      properties: given.properties ?? Simulation.fromCard(subject.card, subject.actor),
      ...(given.trace === undefined ? {} : { trace: given.trace }),
      program: Effect.fnUntraced(function* (node: string) {
        const gossip = Context.get(yield* Layer.build(subject.layer), Gossip)
        const clock = yield* Clock.Clock
        const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
        const upSince = now()
        const names = new Set<string>()
        const topic = yield* gossip.open(News, (each) => {
          const name = `${each.origin} ${each.life} ${each.sequence}`
          if (names.has(name)) wrong.push(`${node} heard ${name} twice`)
          if (each.item.by !== each.origin || each.item.count !== each.sequence) wrong.push(`${name} was altered`)
          names.add(name)
          const since = published.get(name)
          if (since !== undefined && since >= upSince) worstMillis = Math.max(worstMillis, now() - since)
          heard.push({ ...each, at: node })
        })
        yield* Effect.forkScoped(
          Stream.runForEach(gossip.refused, ({ from, reason }) =>
            Effect.sync(() => void wrong.push(`${node} refused ${from}: ${reason}`))
          )
        )
        for (let count = 1; count <= 10; count++) {
          const { life, origin, sequence } = yield* topic.publish({ by: node, count })
          published.set(`${origin} ${life} ${sequence}`, now())
          yield* Effect.sleep("2 seconds")
        }
      })
    }),
    (result) => ({ ...result, heard, wrong, worstMillis })
  )
}
