/** Systems with receptionists, one for each node of a network in memory. */
import { ActorSystem, Receptionist } from "@troupe/actor"
import { Memory } from "@troupe/transport"
import { Context, Effect, Exit, Layer, Queue, Scope, Stream } from "effect"

export interface Node {
  readonly system: ActorSystem.ActorSystem["Service"]
  readonly receptionist: Receptionist.Receptionist["Service"]
  /** With both. */
  readonly context: Context.Context<ActorSystem.ActorSystem | Receptionist.Receptionist>
  /** Has it take a node for dead. */
  readonly down: (node: string) => void
  readonly end: Effect.Effect<void>
}

export const network = (nodes: ReadonlyArray<string>) => Memory.network({ nodes })

/** Starts a node, until the scope ends or `end`. */
export const start = (among: ReturnType<typeof network>, node: string): Effect.Effect<Node, any, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const down = yield* Queue.unbounded<string>()
    const system = ActorSystem.remote({ down: Stream.fromQueue(down) })
    const layer = Receptionist.layer().pipe(Layer.provideMerge(system), Layer.provide(Memory.layer(among, node)))
    const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
    return {
      context,
      system: Context.get(context, ActorSystem.ActorSystem),
      receptionist: Context.get(context, Receptionist.Receptionist),
      down: (other) => void Queue.offerUnsafe(down, other),
      end: Scope.close(scope, Exit.void)
    }
  })

/** Until several messages in a row have gone to and fro. */
export const settled: Effect.Effect<void> = Effect.promise(async () => {
  for (let hop = 0; hop < 20; hop++) await new Promise((resume) => setImmediate(resume))
})

export const paths = (refs: ReadonlyArray<{ readonly path: string }>): ReadonlyArray<string> =>
  refs.map(({ path }) => path)
