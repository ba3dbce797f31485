/** One member of five, a process of its own over TCP. Does what its parent asks, one task after the other, and answers each. */
import { Causal, Isis, Multicast, NakReliable, Sequencer, Token } from "@troupe/group"
import { Channel, Codec, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Effect, Exit, Layer, Scope } from "effect"

export const nodes = ["n1", "n2", "n3", "n4", "n5"]

export const layers: Readonly<Record<Order, () => Layer.Layer<Multicast.Multicast<any>, any, Transport>>> = {
  fifo: () => NakReliable.layer({ window, reportEvery }),
  causal: () => Causal.layer({ window, reportEvery }),
  sequencer: () => Sequencer.layer({ window, reportEvery }),
  token: () => Token.layer({ window, reportEvery }),
  isis: () => Isis.layer({ window, reportEvery })
}

const window = 2048
const reportEvery = 256

export type Order = "fifo" | "causal" | "sequencer" | "token" | "isis"

export type Task =
  /** Joins the others; answers when all are linked. */
  | { readonly _tag: "Connect"; readonly ports: Readonly<Record<string, number>> }
  /** Joins a group with this order; without one, a group that sends bare messages. */
  | { readonly _tag: "Open"; readonly order: Order | undefined }
  | { readonly _tag: "Close" }
  /** Sends so many, and waits for as many of each other member. */
  | { readonly _tag: "Send"; readonly count: number }

export interface Sent {
  readonly millis: number
  /** What this process used of its processor. */
  readonly usedMillis: number
  /** A digest of the order of deliveries. */
  readonly digest: number
}

const payload = new Uint8Array(100)
const Posts = Channel.fromCodec("posts", Codec.bytes)
/** How far a bare sender may be ahead of what it has received of another. */
const ahead = 2048

interface Group {
  readonly trySend: () => boolean
  /** Until there is room for one more, which is sent then or left to be sent: how many were. */
  readonly wait: Effect.Effect<number>
}

/** How many are sent before others have their turn. */
const batch = 128

const program = (self: string) =>
  Effect.gen(function* () {
    const peers = Object.fromEntries(nodes.filter((node) => node !== self).map((node) => [node, null]))
    const tcp = yield* Tcp.make({ self, listen: "127.0.0.1:0", peers })
    const scope = yield* Effect.scope
    const others = nodes.filter((node) => node !== self)
    let opened: Scope.Closeable | undefined
    let group: Group | undefined
    /** Since the group was opened: others may begin before this node. */
    let received = 0
    let digest = 0
    let target = 0
    let pending = 0
    let onEnough = (): void => {}
    const counts = new Map<string, number>()

    /** Until so many more have come. */
    const more = (count: number): Effect.Effect<void> =>
      Effect.callback((resume) => {
        if (count <= 0) return resume(Effect.void)
        pending = count
        onEnough = () => resume(Effect.void)
      })

    const receive = (from: string): void => {
      received++
      digest = (Math.imul(digest, 31) + from.charCodeAt(1)) | 0
      counts.set(from, (counts.get(from) ?? 0) + 1)
      if (--pending === 0) onEnough()
    }

    const connect = Effect.fnUntraced(function* (ports: Readonly<Record<string, number>>) {
      for (const peer of nodes) if (peer < self) yield* tcp.setAddress(peer, `127.0.0.1:${ports[peer]}`)
      for (const peer of others) yield* tcp.awaitUp(peer)
    })

    const open = Effect.fnUntraced(function* (order: Order | undefined) {
      opened = yield* Scope.fork(scope)
      counts.clear()
      received = 0
      digest = 0
      target = 0
      group = yield* Scope.provide(order === undefined ? bare : ordered(order), opened)
    })

    const bare = Effect.map(tcp.open(Posts, receive), (send): Group => {
      let sent = 0
      return {
        trySend: () => {
          if (others.some((node) => sent - (counts.get(node) ?? 0) >= ahead)) return false
          sent++
          for (const node of others) send(node, payload)
          receive(self)
          return true
        },
        wait: Effect.as(more(batch), 0)
      }
    })

    const ordered = Effect.fnUntraced(function* (order: Order) {
      const context = yield* Layer.build(Layer.provide(layers[order](), Layer.succeed(Transport, tcp)))
      const service = Context.get(context, Multicast.key<Multicast.Guarantee>())
      const topic = yield* service.open(Posts, ({ from }) => receive(from))
      return { trySend: () => topic.trySend(payload), wait: Effect.as(Effect.orDie(topic.send(payload)), 1) }
    })

    const send = Effect.fnUntraced(function* (count: number) {
      const end = target + count * nodes.length
      const start = performance.now()
      const used = process.cpuUsage()
      let sent = 0
      while (sent < count) {
        for (let i = 0; i < batch && sent < count; i++) {
          if (group!.trySend()) sent++
          else sent += yield* group!.wait
        }
        yield* Effect.yieldNow
      }
      yield* more(end - received)
      target = end
      const millis = performance.now() - start
      const { system, user } = process.cpuUsage(used)
      return { millis, usedMillis: (system + user) / 1000, digest } satisfies Sent
    })

    const perform = (task: Task): Effect.Effect<unknown, unknown> => {
      switch (task._tag) {
        case "Connect":
          return connect(task.ports)
        case "Open":
          return Effect.asVoid(open(task.order))
        case "Close":
          return Scope.close(opened!, Exit.void)
        case "Send":
          return send(task.count)
      }
    }

    const fork = Effect.runForkWith(yield* Effect.context<never>())
    process.on("message", (task: Task) => {
      fork(Effect.map(perform(task), (answer) => void process.send!({ answer })))
    })
    process.send!({ answer: tcp.address.port })
    return yield* Effect.never
  })

const self = process.argv[2]
if (process.send !== undefined && self !== undefined) {
  // Whoever started it is gone.
  process.on("disconnect", () => process.exit())
  await Effect.runPromise(Effect.scoped(program(self)))
}
