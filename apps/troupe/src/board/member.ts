/** The process of one member of the board: it posts, and answers what it has read, until it is told to stop. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Observer } from "@troupe/actor"
import { StampedTransport } from "@troupe/clocks"
import { BulletinBoard, GossipArchitecture } from "@troupe/gossip"
import { MemoryStorage } from "@troupe/storage"
import { Recorder, Trace } from "@troupe/trace"
import { Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Cause, Context, Deferred, Effect, Layer, Queue, Random, Stream } from "effect"
import type { Order, Word } from "./Board.ts"

const Board = GossipArchitecture.key(BulletinBoard.application)

const orders = Effect.gen(function* () {
  const queue = yield* Queue.unbounded<Order>()
  process.on("message", (order) => Queue.offerUnsafe(queue, order as Order))
  process.on("disconnect", () => process.exit(0))
  if (!process.connected) process.exit(0)
  // An interrupt from the keyboard reaches the whole family: the parent decides.
  process.on("SIGINT", () => {})
  return <Tag extends Order["_tag"]>(tag: Tag) =>
    Effect.flatMap(Queue.take(queue), (order) =>
      order._tag === tag
        ? Effect.succeed(order as Extract<Order, { readonly _tag: Tag }>)
        : Effect.die(new Error(`expected the order "${tag}", got "${order._tag}"`))
    )
})

const say = (word: Word): Effect.Effect<void> =>
  Effect.callback((resume) => {
    process.send!(word, () => resume(Effect.void))
  })

type FrontEnd = GossipArchitecture.FrontEnd<
  BulletinBoard.Board,
  BulletinBoard.Post,
  BulletinBoard.Read,
  BulletinBoard.Board
>

/** Reads what is new, and posts: an answer to something that it has read, more often than not. */
const chat = (board: FrontEnd, paceMillis: number) =>
  Effect.gen(function* () {
    const read: Array<BulletinBoard.Post> = []
    for (let i = 1; ; i++) {
      yield* Effect.sleep(paceMillis * (0.5 + (yield* Random.next)))
      read.push(...(yield* board.query({ after: read.length })))
      const replyTo = read[Math.floor((yield* Random.next) * 1.5 * read.length)]?.id
      const text = replyTo === undefined ? `${board.self} begins` : `${board.self} answers ${replyTo}`
      const post = { id: `${board.self}-${i}`, author: board.self, text, ...(replyTo === undefined ? {} : { replyTo }) }
      yield* board.update(post)
      yield* say({ _tag: "Posted", id: post.id })
    }
  })

const member = Effect.gen(function* () {
  const next = yield* orders
  const { cluster, nodes, paceMillis, self } = yield* next("Begin")
  const others = nodes.filter((node) => node !== self)
  const transport = yield* Tcp.make({
    self,
    cluster,
    listen: "127.0.0.1:0",
    peers: Object.fromEntries(others.map((other) => [other, null])),
    backoffMax: "500 millis"
  })
  yield* say({ _tag: "Listening", port: transport.address.port })
  const { addresses } = yield* next("Connect")
  for (const [other, address] of Object.entries(addresses)) yield* transport.setAddress(other, address)
  yield* Effect.forEach(others, transport.awaitUp, { concurrency: "unbounded" })

  const recorder = yield* Recorder.make({ title: "bulletin board", nodes, states: false })
  const wire = StampedTransport.traced(recorder.stamps).pipe(Layer.provide(Layer.succeed(Transport, transport)))
  const built = yield* Layer.build(
    GossipArchitecture.layer(Board, BulletinBoard.application, { interval: "2 seconds" }).pipe(
      Layer.provide([wire, MemoryStorage.layer()])
    )
  ).pipe(Effect.provideService(Observer, recorder.observer))
  const board = Context.get(built, Board)

  // Whatever this replica has ever shown is looked at.
  let strays = 0
  yield* board.values.pipe(
    Stream.runForEach((shown) =>
      Effect.suspend(() => {
        strays = Math.max(strays, BulletinBoard.repliesWithoutPost(shown).length)
        return say({ _tag: "Shows", posts: shown.map(({ id }) => id), strays })
      })
    ),
    Effect.forkScoped
  )
  yield* say({ _tag: "Linked" })
  yield* next("Start")
  const stopped = yield* Deferred.make<void>()
  yield* Effect.forkScoped(
    Effect.raceFirst(chat(board, paceMillis), Deferred.await(stopped)).pipe(
      Effect.catchCause((cause) => say({ _tag: "Failed", reason: Cause.pretty(cause) }))
    )
  )
  yield* next("Quiet")
  yield* Deferred.succeed(stopped, undefined)
  yield* next("Stop")
  yield* say({ _tag: "Recorded", trace: Trace.encode(recorder.trace()) })
})

member.pipe(
  Effect.scoped,
  Effect.catchCause((cause) => say({ _tag: "Failed", reason: Cause.prettyErrors(cause)[0]?.message ?? "interrupted" })),
  Effect.andThen(Effect.sync(() => process.exit(0))),
  NodeRuntime.runMain
)
