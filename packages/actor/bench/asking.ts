/** What benchmarks of asking other nodes have in common: an actor that adds one, who asks it, and the nodes they live on. */
import { type ActorRef, ActorSystem, Behavior, Messages } from "@troupe/actor"
import { Transport } from "@troupe/transport"
import * as Tcp from "@troupe/transport/Tcp"
import { Effect, Layer, Schema, type Scope } from "effect"

export const Adder = Messages.make("adder", { Next: Messages.ask({ value: Schema.Int }, { reply: Schema.Int }) })

export const adder = Behavior.make(Adder, {
  init: () => 0,
  on: { Next: (asked, { value }) => ({ state: asked + 1, reply: value + 1 }) }
})

/** `depth` at once that ask one question after the other. Gives how many answers were right. */
export const asking = (
  adder: ActorRef<typeof Adder.definition>,
  depth: number,
  count: number
): Effect.Effect<number, unknown> => {
  let left = count
  let right = 0
  const asker = Effect.gen(function* () {
    while (left > 0) {
      const value = left--
      if ((yield* adder.ask({ _tag: "Next", value })) === value + 1) right++
    }
  })
  return Effect.map(
    Effect.all(
      Array.from({ length: depth }, () => asker),
      { concurrency: depth }
    ),
    () => right
  )
}

/** On a node of its own. */
export const onNode = <A, E>(
  self: string,
  peers: Readonly<Record<string, string | null>>,
  work: (transport: Tcp.TcpTransport) => Effect.Effect<A, E, ActorSystem.ActorSystem | Transport | Scope.Scope>
): Promise<A> =>
  Effect.gen(function* () {
    const transport = yield* Tcp.make({ self, listen: "127.0.0.1:0", peers })
    const app = Layer.provideMerge(ActorSystem.remote(), Layer.succeed(Transport, transport))
    return yield* Effect.provide(work(transport), app)
  }).pipe(Effect.scoped, Effect.runPromise)

export const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return user + system
}

export const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
