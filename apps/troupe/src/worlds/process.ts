/** The process of one node: takes its orders from the parent's channel, and ends when the parent is gone. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { type NodeId, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import * as Udp from "@troupe/transport/Udp"
import { Cause, Deferred, Effect, Fiber, Queue, Random, type Scope } from "effect"
import { named } from "../algorithms.ts"
import { type Pace, paceOf, perform, type Sighting } from "../Sighting.ts"
import { pack } from "./Packing.ts"
import type { Begin, Order, Over, Word } from "./processes.ts"

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

/** A node of this process, before it knows where the others are. */
interface Connecting {
  readonly transport: Transport["Service"]
  readonly port: number
  /** Comes when all others can be spoken with. */
  readonly connect: (ports: Readonly<Record<NodeId.NodeId, number>>) => Effect.Effect<void>
}

const join: Record<Over, (order: Begin) => Effect.Effect<Connecting, Error, Scope.Scope>> = {
  tcp: Effect.fnUntraced(function* ({ cluster, nodes, self }) {
    const others = nodes.filter((other) => other !== self)
    const peers = Object.fromEntries(others.map((other) => [other, null]))
    const transport = yield* Tcp.make({ self, cluster, listen: "127.0.0.1:0", peers })
    const connect = Effect.fnUntraced(function* (ports: Readonly<Record<NodeId.NodeId, number>>) {
      // Of two nodes one dials, which saves a second connection.
      for (const other of nodes.slice(0, nodes.indexOf(self))) {
        yield* transport.setAddress(other, `127.0.0.1:${ports[other]}`)
      }
      yield* Effect.forEach(others, transport.awaitUp, { concurrency: "unbounded" })
    })
    return { transport, port: transport.address.port, connect }
  }),
  udp: Effect.fnUntraced(function* ({ cluster, nodes, self }) {
    const peers = Object.fromEntries(nodes.map((node) => [node, null]))
    const transport = yield* Udp.make({ self, cluster, listen: "127.0.0.1:0", peers })
    const connect = (ports: Readonly<Record<NodeId.NodeId, number>>) =>
      Effect.forEach(nodes, (node) => transport.introduce(node, `127.0.0.1:${ports[node]}`), { discard: true })
    return { transport, port: transport.address.port, connect }
  })
}

/** How long a program may take to open its channels before it is taken for one that has none to wait for. */
const openingMillis = 2_000

/** A pace that stands still, and says so, until it is let go. */
const held = Effect.fnUntraced(function* (pace: Pace) {
  const ready = yield* Deferred.make<void>()
  const started = yield* Deferred.make<void>()
  const next = Effect.andThen(
    Effect.suspend(() => {
      Deferred.doneUnsafe(ready, Effect.void)
      return Deferred.await(started)
    }),
    pace.next
  )
  return { pace: { ...pace, next }, ready: Deferred.await(ready), start: Deferred.succeed(started, undefined) }
})

const node = Effect.gen(function* () {
  const { next } = yield* orders
  const order = yield* next("Begin")
  const { algorithm, crash, entries, nodes, over, seed, self, workMillis } = order
  const demonstration = named(algorithm)!
  const { connect, port, transport } = yield* join[over](order)
  yield* say({ _tag: "Listening", port })
  const { ports } = yield* next("Connect")
  yield* connect(ports)

  let batch: Array<Sighting> = []
  const { pace, ready, start } = yield* held(paceOf(demonstration, { entries, node: self, nodes, workMillis }, crash))
  const tell = (sighting: Sighting): void => {
    batch.push("state" in sighting ? { ...sighting, state: pack(sighting.state) } : sighting)
  }
  const work = perform(demonstration, pace, tell, crash).pipe(
    Effect.provideService(Transport, transport),
    Random.withSeed(`${seed}/${self}`)
  )
  // What comes before its channel is open is kept over TCP, and lost over UDP: there, all open theirs before any begins.
  const early = over === "udp" ? yield* Effect.forkScoped(work, { startImmediately: true }) : undefined
  if (early !== undefined) yield* Effect.raceFirst(ready, Effect.sleep(openingMillis))
  yield* say({ _tag: "Linked" })

  yield* next("Start")
  yield* start
  const report = Effect.suspend(() => {
    const sightings = batch
    batch = []
    return say({ _tag: "Saw", sightings, upToNanos: Number(process.hrtime.bigint()) })
  })
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(report, Effect.sleep("20 millis"))))
  yield* early === undefined ? work : Fiber.join(early)
  yield* next("Stop")
})

node.pipe(
  Effect.scoped,
  Effect.catchCause((cause) => say({ _tag: "Failed", reason: Cause.prettyErrors(cause)[0]?.message ?? "interrupted" })),
  Effect.andThen(Effect.sync(() => process.exit(0))),
  NodeRuntime.runMain
)
