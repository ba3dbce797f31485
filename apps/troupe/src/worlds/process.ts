/** The process of one node: takes its orders from the parent's channel, and ends when the parent is gone. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Cause, Effect, Queue, Random } from "effect"
import { algorithms } from "../algorithms.ts"
import { perform, share, type Sighting } from "../Sighting.ts"
import type { Order, Word } from "./processes.ts"

const orders = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<Order>()
  process.on("message", (order) => Queue.offerUnsafe(queue, order as Order))
  process.on("disconnect", () => process.exit(0))
  if (!process.connected) process.exit(0)
  // An interrupt from the keyboard reaches the whole family: the parent decides.
  process.on("SIGINT", () => {})
  const next = <Tag extends Order["_tag"]>(tag: Tag) =>
    Effect.flatMap(Queue.take(queue), (order) =>
      order._tag === tag
        ? Effect.succeed(order as Extract<Order, { readonly _tag: Tag }>)
        : Effect.die(new Error(`expected the order "${tag}", got "${order._tag}"`))
    )
  return { next }
})

/** Comes when the word is on its way, so that no more than one batch waits to be sent. */
const say = (word: Word): Effect.Effect<void> =>
  Effect.callback((resume) => {
    process.send!(word, () => resume(Effect.void))
  })

const node = Effect.gen(function* () {
  const { next } = yield* orders
  const { algorithm, cluster, entries, nodes, seed, self, workMillis } = yield* next("Begin")
  const demonstration = algorithms.find(({ name }) => name === algorithm)!
  const others = nodes.filter((other) => other !== self)
  const transport = yield* Tcp.make({
    self,
    cluster,
    listen: "127.0.0.1:0",
    peers: Object.fromEntries(others.map((other) => [other, null]))
  })
  yield* say({ _tag: "Listening", port: transport.address.port })

  // Of two nodes one dials, which saves a second connection.
  const { ports } = yield* next("Connect")
  for (const other of nodes.slice(0, nodes.indexOf(self))) {
    yield* transport.setAddress(other, `127.0.0.1:${ports[other]}`)
  }
  yield* Effect.forEach(others, transport.awaitUp, { concurrency: "unbounded" })
  yield* say({ _tag: "Linked" })

  yield* next("Start")
  let batch: Array<Sighting> = []
  const report = Effect.suspend(() => {
    const sightings = batch
    batch = []
    return say({ _tag: "Saw", sightings, upToNanos: Number(process.hrtime.bigint()) })
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(report, Effect.sleep("20 millis"))))
  yield* perform(demonstration, share({ entries, node: self, nodes, workMillis }), (sighting) =>
    batch.push(sighting)
  ).pipe(Effect.provideService(Transport, transport), Random.withSeed(`${seed}/${self}`))
  yield* next("Stop")
})

node.pipe(
  Effect.scoped,
  Effect.catchCause((cause) => say({ _tag: "Failed", reason: Cause.prettyErrors(cause)[0]?.message ?? "interrupted" })),
  Effect.andThen(Effect.sync(() => process.exit(0))),
  NodeRuntime.runMain
)
