/**
 * One node of five, a process of its own: a TCP transport, a ping on it, and one lock at a time. Does what its parent
 * asks, one task after the other, and answers each.
 */
import { Mutex } from "@troupe/mutex"
import { Channel, type Send, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Effect, Exit, Latch, Layer, Schema, Scope } from "effect"
import { locks, nodes } from "./locks.ts"

/** Times are in milliseconds. */
export type Task =
  /** Joins the others; answers when all are linked. */
  | { readonly _tag: "Connect"; readonly ports: Readonly<Record<string, number>> }
  /** Sends a bare message along each way, and again when all that lead back are back, `count` times; answers how long each took. */
  | { readonly _tag: "Ping"; readonly ways: ReadonlyArray<Way>; readonly count: number }
  | { readonly _tag: "Open"; readonly lock: string }
  | { readonly _tag: "Close" }
  /** Enters and leaves `count` times; answers how long each took, in the mean. */
  | { readonly _tag: "Alone"; readonly count: number }
  /** Enters and leaves by turns with another node, `count` times; answers how long each took, without handing over the turn. */
  | { readonly _tag: "Turns"; readonly other: string; readonly count: number; readonly begins: boolean }
  /** So many callers enter again and again, for a time. */
  | { readonly _tag: "Contend"; readonly callers: number; readonly millis: number }

/** Nodes that hand a message on to each other. */
export type Way = ReadonlyArray<string>

/** The token of each entry, and how long its caller waited for it. */
export interface Entries {
  readonly tokens: Array<number>
  readonly waits: Array<number>
}

/** Ends a way that leads back. */
const home = ""

const self = process.argv[2]!

const program = Effect.gen(function* () {
  const peers = Object.fromEntries(nodes.filter((node) => node !== self).map((node) => [node, null]))
  const tcp = yield* Tcp.make({ self, listen: "127.0.0.1:0", peers })
  const scope = yield* Effect.scope
  let mutex: Mutex["Service"]
  let opened: Scope.Closeable | undefined

  let onBack = (): void => {}
  const pass = (way: Way): void => {
    if (way.length > 0) ping(way[0]!, way.slice(1))
  }
  const ping: Send<Way> = yield* tcp.open(Channel.make("ping", Schema.Array(Schema.String)), (_, way) => {
    if (way[0] === home) onBack()
    else pass(way)
  })
  const onTurn = Latch.makeUnsafe()
  const turn: Send<number> = yield* tcp.open(Channel.make("turn", Schema.Int), () => onTurn.openUnsafe())

  const connect = Effect.fnUntraced(function* (ports: Readonly<Record<string, number>>) {
    for (const peer of nodes) if (peer < self) yield* tcp.setAddress(peer, `127.0.0.1:${ports[peer]}`)
    for (const peer of nodes) if (peer !== self) yield* tcp.awaitUp(peer)
  })

  const pings = (ways: ReadonlyArray<Way>, count: number): Effect.Effect<number> =>
    Effect.callback((resume) => {
      const marked = ways.map((way) => (way.at(-1) === self ? [...way, home] : way))
      const back = marked.filter((way) => way.at(-1) === home).length
      let left = count
      let missing = back
      onBack = () => {
        if (--missing > 0) return
        missing = back
        if (--left > 0) marked.forEach(pass)
        else resume(Effect.sync(() => (performance.now() - start) / count))
      }
      const start = performance.now()
      marked.forEach(pass)
    })

  const close = Effect.suspend(() => (opened === undefined ? Effect.void : Scope.close(opened, Exit.void)))

  const open = Effect.fnUntraced(function* (lock: string) {
    opened = yield* Scope.fork(scope)
    const context = yield* Layer.buildWithScope(
      Layer.provide(locks[lock]!.layer, Layer.succeed(Transport, tcp)),
      opened
    )
    mutex = Context.get(context, Mutex)
  })

  const alone = Effect.fnUntraced(function* (count: number) {
    const start = performance.now()
    for (let i = 0; i < count; i++) yield* mutex.withLock(() => Effect.void)
    return (performance.now() - start) / count
  })

  const turns = Effect.fnUntraced(function* (other: string, count: number, begins: boolean) {
    let sum = 0
    if (begins) onTurn.openUnsafe()
    for (let i = 0; i < count; i++) {
      yield* onTurn.await
      onTurn.closeUnsafe()
      const start = performance.now()
      yield* mutex.withLock(() => Effect.void)
      sum += performance.now() - start
      turn(other, 0)
    }
    return sum / count
  })

  const contend = Effect.fnUntraced(function* (callers: number, millis: number) {
    const entries: Entries = { tokens: [], waits: [] }
    const end = performance.now() + millis
    const caller = Effect.gen(function* () {
      for (;;) {
        const asked = performance.now()
        if (asked > end) return
        yield* mutex.withLock((token) =>
          Effect.sync(() => {
            entries.tokens.push(token)
            entries.waits.push(performance.now() - asked)
          })
        )
      }
    })
    yield* Effect.all(
      Array.from({ length: callers }, () => caller),
      { concurrency: "unbounded", discard: true }
    )
    return entries
  })

  const perform = (task: Task): Effect.Effect<unknown, unknown> => {
    switch (task._tag) {
      case "Connect":
        return connect(task.ports)
      case "Ping":
        return pings(task.ways, task.count)
      case "Open":
        return open(task.lock)
      case "Close":
        return close
      case "Alone":
        return alone(task.count)
      case "Turns":
        return turns(task.other, task.count, task.begins)
      case "Contend":
        return contend(task.callers, task.millis)
    }
  }

  const fork = Effect.runForkWith(yield* Effect.context<never>())
  process.on("message", (task: Task) => {
    fork(Effect.map(perform(task), (answer) => void process.send!({ answer })))
  })
  process.send!({ answer: tcp.address.port })
  return yield* Effect.never
})

// Whoever started it is gone.
process.on("disconnect", () => process.exit())
await Effect.runPromise(Effect.scoped(program))
