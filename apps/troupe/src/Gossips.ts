/** How gossip is shown, and what is replicated by it. */
import { AntiEntropy, BulletinBoard, Gossip, GossipArchitecture, OrSet, Overlay, Replicated } from "@troupe/gossip"
import { MemoryStorage } from "@troupe/storage"
import { Channel, Transport } from "@troupe/transport"
import { Effect, type Layer, Random, Schema, Stream } from "effect"
import { type Algorithm, build, type Demonstration, lasting, ongoing, type Stage } from "./Demonstration.ts"
import { latest } from "./Groups.ts"

const News = Channel.make("news", Schema.String)

/** The longest pause of a node between two items of its own. */
const pauseMillis = 500

/** A node's items, one after the other. */
const each = Effect.fnUntraced(function* <E, R>(stage: Stage, send: (item: string) => Effect.Effect<unknown, E, R>) {
  const { self } = yield* Transport
  for (let count = 1; yield* stage.next; count++) {
    yield* stage.pause(pauseMillis)
    const item = `${self}.${count}`
    stage.sends(item)
    yield* send(item)
    yield* stage.work
  }
})

const spreading = ({ card, defaults, protocol }: Algorithm) => ({
  name: protocol.name,
  card,
  protocol: protocol as Demonstration["protocol"],
  options: defaults,
  actor: protocol.name,
  isOngoing: false,
  operations: (entries: number) => entries,
  inTurns: false
})

/** News of all nodes, which all hear in the end. */
export const gossip = (
  given: Algorithm & { readonly layer: () => Layer.Layer<Gossip, Error, Transport> }
): Demonstration => ({
  ...spreading(given),
  service: "gossip",
  operation: "item",
  program: Effect.fnUntraced(function* (stage) {
    const service = yield* build(Gossip, given.layer())
    const heard: Array<string> = []
    const news = yield* service.open(News, ({ item }) => {
      heard.push(item)
      stage.gets(item, latest(heard))
    })
    yield* each(stage, news.publish)
  })
})

/** The neighbours of each node, for so many seconds. */
export const overlay = ({
  layer,
  ...algorithm
}: Algorithm & { readonly layer: () => Layer.Layer<Overlay, Error, Transport> }): Demonstration => ({
  ...ongoing(algorithm),
  service: "overlay",
  program: Effect.fnUntraced(function* (stage) {
    const service = yield* build(Overlay, layer())
    const show = Effect.flatMap(service.neighbours, (nodes) =>
      nodes.length === 0 ? stage.show("waits", "for a neighbour") : stage.show("rests", `next to ${nodes.join(" ")}`)
    )
    yield* Effect.forkScoped(Stream.runForEach(service.changes, () => show))
    yield* show
    yield* lasting(stage)
  })
})

/** A set to which all nodes add. */
export const replicated: Demonstration = {
  ...spreading(Replicated),
  service: "replica",
  actor: `${Replicated.protocol.name}/demo`,
  operation: "change",
  program: Effect.fnUntraced(function* (stage) {
    const set = yield* Replicated.make(OrSet.crdt(Schema.String), { name: "demo" })
    const has = new Set<string>()
    yield* Effect.forkScoped(
      Stream.runForEach(set.changes, (values) =>
        Effect.sync(() => {
          for (const value of values) {
            if (has.has(value)) continue
            has.add(value)
            stage.gets(value, latest([...has]))
          }
        })
      )
    )
    yield* each(stage, (item) => set.update((state, replica) => OrSet.add(state, replica, item)))
  })
}

/** Stores to which each node writes keys of its own. */
export const stores: Demonstration = {
  ...spreading(AntiEntropy),
  service: "replica",
  actor: `${AntiEntropy.protocol.name}/demo`,
  operation: "key",
  program: Effect.fnUntraced(function* (stage) {
    const keys = new Set<string>()
    const take = (key: string): string => {
      if (!keys.has(key)) {
        keys.add(key)
        stage.gets(key, latest([...keys]))
      }
      return key
    }
    const store: AntiEntropy.Store = {
      entries: () => Array.from(keys, (key) => ({ key, version: key })),
      read: (key) => (keys.has(key) ? new Uint8Array(0) : undefined),
      merge: take
    }
    const replica = yield* AntiEntropy.make(store, { name: "demo" })
    yield* each(stage, (key) => Effect.sync(() => replica.changed([{ key, version: take(key) }])))
  })
}

/** A bulletin board: each node posts, or replies to the latest post that it has read. */
export const architecture: Demonstration = {
  ...spreading(GossipArchitecture),
  service: "replica",
  actor: `${GossipArchitecture.protocol.name}/${BulletinBoard.application.name}`,
  operation: "post",
  program: Effect.fnUntraced(function* (stage) {
    const { self } = yield* Transport
    const board = yield* Effect.provide(
      GossipArchitecture.make(BulletinBoard.application),
      MemoryStorage.layer(stage.disk)
    )
    let shown: BulletinBoard.Board = []
    const show = (posts: BulletinBoard.Board): void => {
      const names = posts.map(({ id, replyTo }) => (replyTo === undefined ? id : `${id}→${replyTo}`))
      for (const { id } of posts.slice(shown.length)) stage.gets(id, latest(names, 6))
      shown = posts
    }
    yield* Effect.forkScoped(Stream.runForEach(board.values, (posts) => Effect.sync(() => show(posts))))
    yield* each(stage, (id) =>
      Effect.gen(function* () {
        const last = (yield* board.query({ after: 0 })).at(-1)
        const replyTo = (yield* Random.next) < 0.5 ? undefined : last?.id
        yield* board.update({ id, author: self, text: id, ...(replyTo === undefined ? {} : { replyTo }) })
        // Who hears of no answer cannot tell whether it is posted, and lets it be.
      }).pipe(Effect.ignore)
    )
  })
}
