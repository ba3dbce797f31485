/**
 * Publishing to a topic with a subscriber on each of eight nodes, in this process, over TCP on loopback and in memory, beside
 * telling the same to one actor of each node.
 *
 *     node --conditions=@troupe/source packages/actor/bench/topic.bench.ts [--json] [--rounds 5]
 *
 * `publishing`: what the call takes the one who publishes, the writing to sockets aside. `handled`: by all subscribers
 * together; where they are not as many as were to be, there is no rate.
 */
import { type ActorRef, ActorSystem, Behavior, Messages, Receptionist, Topic } from "@troupe/actor"
import { Memory, Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { parseArgs } from "node:util"

const { json, ...given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given.rounds)

const names = Array.from({ length: 8 }, (_, at) => `n${at + 1}`)
/** So many go out before those that are to have them have: no mailbox is ever full. */
const [batch, batches] = [200, 20]
const count = batch * batches

const Quote = Schema.Struct({ symbol: Schema.String, price: Schema.Number, size: Schema.Int })
const Quotes = Messages.make("quotes", { Quotes: Messages.tell({ quotes: Schema.Array(Quote) }) })
type Quotes = typeof Quotes.definition
type Quoted = Messages.MessageOf<Quotes>

const messageOf = (many: number): Quoted => ({
  _tag: "Quotes",
  quotes: Array.from({ length: many }, (_, at) => ({ symbol: `share ${at}`, price: at * 1.25, size: at }))
})

/** Who is told how many have come. */
let handled = 0
let awaited = 0
let onAll = (): void => {}

const reader = Behavior.make(Quotes, {
  init: () => 0,
  on: {
    Quotes: (sum, { quotes }) => {
      if (++handled === awaited) onAll()
      return sum + quotes.length
    }
  }
})

type Env = ActorSystem.ActorSystem | Receptionist.Receptionist
type Joined = Effect.Effect<ReadonlyArray<Transport["Service"]>, unknown, Scope.Scope>

const overTcp: Joined = Effect.gen(function* () {
  const peers = Object.fromEntries(names.map((name) => [name, null]))
  const made = yield* Effect.forEach(names, (self) =>
    Tcp.make({ self, listen: "127.0.0.1:0", peers, cluster: "topic" })
  )
  for (const [at, self] of names.entries()) {
    for (const [other, { address }] of made.entries()) {
      if (other !== at) yield* made[at]!.setAddress(names[other]!, `${address.host}:${address.port}`)
    }
    for (const other of names) if (other < self) yield* made[at]!.awaitUp(other)
  }
  return made
})

const inMemory: Joined = Effect.suspend(() => {
  const network = Memory.network({ nodes: names })
  return Effect.forEach(names, (name) => Memory.connect(network, name))
})

const ways = Effect.fnUntraced(function* (joined: Joined) {
  const contexts: Array<Context.Context<Env>> = []
  for (const transport of yield* joined) {
    const system = Layer.provide(ActorSystem.remote(), Layer.succeed(Transport, transport))
    contexts.push(yield* Layer.build(Layer.fresh(Layer.provideMerge(Receptionist.layer(), system))))
  }
  const topics = yield* Effect.forEach(contexts, (context) => Effect.provide(Topic.make(Quotes), context))
  const here = Context.get(contexts[0]!, ActorSystem.ActorSystem)
  const direct: Array<ActorRef<Quotes>> = []
  for (const [at, context] of contexts.entries()) {
    const system = Context.get(context, ActorSystem.ActorSystem)
    topics[at]!.subscribe(yield* system.spawn(reader))
    if (at === 0) continue
    yield* system.spawn(reader, { name: "reader" })
    direct.push(yield* here.at(Quotes, "reader", names[at]!))
  }
  const receptionist = Context.get(contexts[0]!, Receptionist.Receptionist)
  const key = Receptionist.key(Quotes, "topic/quotes")
  while (receptionist.listing(key).length < names.length) yield* Effect.sleep("10 millis")
  const tellEach = (message: Quoted): void => {
    for (const ref of direct) ref.tell(message)
  }
  return {
    published: { put: topics[0]!.publish, readers: names.length },
    "told to each": { put: tellEach, readers: direct.length }
  }
})

interface Way {
  readonly put: (message: Quoted) => void
  readonly readers: number
}

/** Microseconds that the calls take for one message, and readings a second. */
const measured = ({ put, readers }: Way, message: Quoted) =>
  Effect.gen(function* () {
    const start = performance.now()
    let puttingMillis = 0
    for (let i = 0; i < batches; i++) {
      handled = 0
      awaited = batch * readers
      const all = Effect.callback<void>((resume) => {
        onAll = () => resume(Effect.void)
        const before = performance.now()
        for (let at = 0; at < batch; at++) put(message)
        puttingMillis += performance.now() - before
      })
      const isThere = yield* Effect.as(all, true).pipe(
        Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.succeed(false) })
      )
      if (!isThere) return yield* Effect.die(new Error(`${handled} came of ${awaited}: that is no rate`))
    }
    const seconds = (performance.now() - start) / 1000
    return { publishing: (puttingMillis * 1000) / count, handled: (count * readers) / seconds }
  })

const median = (values: ReadonlyArray<number>): number =>
  Number(values.toSorted((a, b) => a - b)[values.length >> 1]!.toPrecision(3))

const found = new Map<string, Array<{ readonly publishing: number; readonly handled: number }>>()

const program = Effect.gen(function* () {
  for (const [network, joined] of Object.entries({ TCP: overTcp, memory: inMemory })) {
    const all = yield* ways(joined)
    for (const many of [1, 50]) {
      const message = messageOf(many)
      // Interleaved, so that what else the machine does befalls all of them; the first round compiles.
      for (let round = -1; round < rounds; round++) {
        for (const [way, each] of Object.entries(all)) {
          const one = yield* measured(each, message)
          const what = `${way}, ${many} ${many === 1 ? "quote" : "quotes"}, ${network}`
          if (round >= 0) found.set(what, [...(found.get(what) ?? []), one])
        }
      }
    }
  }
})

await Effect.runPromise(Effect.scoped(program))
const figures = Object.fromEntries(
  [...found].map(([what, rows]) => [
    what,
    {
      "publishing, µs": median(rows.map(({ publishing }) => publishing)),
      "handled a second": median(rows.map(({ handled }) => handled))
    }
  ])
)
if (json) console.log(JSON.stringify({ benchmark: "topics of eight nodes", count, rounds, figures }))
else {
  console.log(`${count} messages to eight nodes; medians of ${rounds} rounds`)
  console.table(figures)
}
