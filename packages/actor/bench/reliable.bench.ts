/**
 * Messages to an actor of another node over TCP on loopback, both in this process: told with nothing to show whether they
 * came, beside those of senders that know.
 *
 *     node --conditions=@troupe/source packages/actor/bench/reliable.bench.ts [--json] [--rounds 5]
 *
 * A rate is of messages that were handled, once and in order; where they are not those that were sent, there is none. What
 * is told has no flow control: every 500 messages a question waits until they are handled.
 */
import { ActorSystem, Behavior, Messages, Reliable } from "@troupe/actor"
import type { Storage } from "@troupe/storage"
import * as Disk from "@troupe/storage/Disk"
import { Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Effect, Layer, Schema, Scope } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"

const { json, ...given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given.rounds)

const count = 50_000

const Counter = Messages.make("counter", {
  Put: Messages.tell({ number: Schema.Int }),
  Next: Messages.ask({}, { reply: Schema.Int })
})
type Counter = typeof Counter.definition

interface Counted {
  readonly next: number
  readonly isRight: boolean
}

const counter = Behavior.make(Counter, {
  init: (): Counted => ({ next: 0, isRight: true }),
  on: {
    Put: ({ isRight, next }, { number }) => ({ next: next + 1, isRight: isRight && number === next }),
    Next: (state) => ({ state: { next: 0, isRight: true }, reply: state.isRight ? state.next : -1 })
  }
})

const lasting = Reliable.eventSourced(Counter, {
  log: "counter",
  event: Schema.Int,
  init: (): Counted => ({ next: 0, isRight: true }),
  apply: ({ isRight, next }, number) =>
    number < 0 ? { next: 0, isRight: true } : { next: next + 1, isRight: isRight && number === next },
  on: {
    Put: (_, { number }) => ({ events: [number] }),
    Next: (state) => ({ events: [-1], reply: state.isRight ? state.next : -1 })
  }
})

/** Two nodes, each with its system and its disk. */
const nodes = (directory: string) =>
  Effect.gen(function* () {
    const peers = { n1: null, n2: null }
    const made = yield* Effect.forEach(["n1", "n2"] as const, (self) =>
      Tcp.make({ self, listen: "127.0.0.1:0", peers, cluster: "reliable" })
    )
    for (const [at, node] of (["n1", "n2"] as const).entries()) {
      const { address } = made[at]!
      yield* made[1 - at]!.setAddress(node, `${address.host}:${address.port}`)
    }
    return yield* Effect.forEach(made, (transport, at) =>
      Layer.build(
        Layer.fresh(
          Layer.merge(
            Layer.provide(ActorSystem.remote(), Layer.succeed(Transport, transport)),
            Disk.layer({ directory: join(directory, `${at}`) })
          )
        )
      )
    )
  })

type Env = ActorSystem.ActorSystem | Storage | Scope.Scope
type Sending = { readonly send: Effect.Effect<void, unknown>; readonly handled: Effect.Effect<number, unknown> }

const sendings = Effect.fnUntraced(function* (one: Context.Context<Env>, two: Context.Context<Env>) {
  const system = Context.get(one, ActorSystem.ActorSystem)
  const beside = Context.get(two, ActorSystem.ActorSystem)
  const at = (path: string) => system.at(Counter, path, "n2")
  const told: Sending = yield* Effect.gen(function* () {
    yield* beside.spawn(counter, { name: "told" })
    const ref = yield* at("told")
    let handled = 0
    const send = Effect.gen(function* () {
      handled = 0
      for (let sent = 0; sent < count; sent += 500) {
        for (let number = 0; number < 500; number++) ref.tell({ _tag: "Put", number })
        handled += yield* ref.ask({ _tag: "Next" })
      }
    })
    return { send, handled: Effect.sync(() => handled) }
  })
  const by = Effect.fnUntraced(function* (
    name: string,
    behavior: Behavior.Behavior<Counter, Storage>,
    make: (to: Reliable.SenderOptions) => Effect.Effect<Reliable.Sender<Counter>, unknown, Env>
  ) {
    const actor = yield* Effect.provideContext(ActorSystem.spawn(behavior, { name }), two)
    yield* beside.spawn(Reliable.receiver(Counter, actor), { name: `inbox ${name}` })
    const to = yield* system.at(Reliable.inbox(Counter), `inbox ${name}`, "n2")
    // Nothing is lost here, and on a busy machine nothing is to be sent twice.
    const sender = yield* Effect.provideContext(make({ to, resend: { after: 20_000, atMost: 20_000 } }), one)
    const send = Effect.gen(function* () {
      for (let number = 0; number < count; number++) yield* sender.send({ _tag: "Put", number })
      yield* sender.acknowledged
    })
    return { send, handled: actor.ask({ _tag: "Next" }) } satisfies Sending
  })
  return [
    ["told, and asked every 500", told],
    [
      "at least once",
      yield* by("least", counter, (options) => Reliable.sender(Counter, { ...options, delivery: "at-least-once" }))
    ],
    ["effectively once", yield* by("once", counter, (options) => Reliable.sender(Counter, options))],
    // Each message is on the sender's disk before `send` ends: so several have to be under way.
    [
      "durable, on both sides",
      yield* by("durable", lasting, (options) =>
        Effect.map(Reliable.durableSender(Counter, { ...options, log: "outbox" }), (sender) => ({
          ...sender,
          send: (message) =>
            sender.unacknowledged() < 1_000 ? Effect.sync(() => sender.tell(message)) : sender.send(message)
        }))
      )
    ]
  ] as const
})

const rateOf = ({ handled, send }: Sending): Effect.Effect<number, unknown> =>
  Effect.gen(function* () {
    const start = performance.now()
    yield* send
    const seconds = (performance.now() - start) / 1000
    const found = yield* handled
    if (found !== count) return yield* Effect.die(new Error(`${found} came of ${count}: that is no rate`))
    return count / seconds
  })

const program = (directory: string) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const [one, two] = (yield* nodes(directory)).map((context) => Context.add(context, Scope.Scope, scope))
    const all = yield* sendings(one!, two!)
    const found = new Map<string, Array<number>>()
    // Interleaved, so that what else the machine does befalls all of them; the first round compiles.
    for (let round = -1; round < rounds; round++) {
      for (const [name, sending] of all) {
        const rate = yield* rateOf(sending)
        if (round >= 0) found.set(name, [...(found.get(name) ?? []), rate])
      }
    }
    return found
  })

const directory = mkdtempSync(join(tmpdir(), "troupe-reliable-"))
const found = await Effect.runPromise(Effect.scoped(program(directory)))
rmSync(directory, { recursive: true })

const median = (values: ReadonlyArray<number>): number =>
  Number(values.toSorted((a, b) => a - b)[values.length >> 1]!.toPrecision(3))

const figures = Object.fromEntries([...found].map(([name, rates]) => [name, { "messages a second": median(rates) }]))
if (json) console.log(JSON.stringify({ benchmark: "reliable delivery", count, rounds, figures }))
else {
  console.log(`${count} messages over TCP; medians of ${rounds} rounds`)
  console.table(figures)
}
