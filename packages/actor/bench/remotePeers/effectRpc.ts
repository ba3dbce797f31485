import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Context, Effect, Layer, Schema, Scope } from "effect"
import { Rpc, RpcClient, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { SocketServer } from "effect/socket"
import type { Ask, RemotePeer } from "./RemotePeer.ts"

const Adder = RpcGroup.make(Rpc.make("Next", { payload: { value: Schema.Int }, success: Schema.Int }))

const serializations = { ndjson: RpcSerialization.layerNdjson, "schema-binary": RpcSerialization.layerSchemaBinary() }

/** For as long as the process lives. */
const build = <A, E>(layer: Layer.Layer<A, E>): Promise<Context.Context<A>> =>
  Effect.runPromise(Scope.provide(Layer.build(layer), Scope.makeUnsafe()))

export const effectRpc = (serialization: keyof typeof serializations): RemotePeer => ({
  note: "Typed, checked on both sides. A handler that many calls run in at once, not an actor; no spans, no time limit.",
  answer: async () => {
    const handlers = Adder.toLayer({ Next: ({ value }) => Effect.succeed(value + 1) })
    const context = await build(
      RpcServer.layer(Adder, { disableTracing: true, concurrency: "unbounded" }).pipe(
        Layer.provide(handlers),
        Layer.provide(RpcServer.layerProtocolSocketServer),
        Layer.provideMerge(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 })),
        Layer.provide(serializations[serialization])
      )
    )
    const { address } = Context.get(context, SocketServer.SocketServer)
    return "port" in address ? address.port : undefined
  },
  connect: async (port: number) => {
    const protocol = await build(
      RpcClient.layerProtocolSocket().pipe(
        Layer.provide(NodeSocket.layerNet({ host: "127.0.0.1", port, noDelay: true })),
        Layer.provide(serializations[serialization])
      )
    )
    const client = await Effect.runPromise(
      RpcClient.make(Adder, { disableTracing: true, flatten: true }).pipe(
        Effect.provide(protocol),
        Scope.provide(Scope.makeUnsafe())
      )
    )
    const ask: Ask = (depth, count) => {
      let [left, right] = [count, 0]
      const asker = Effect.gen(function* () {
        while (left > 0) {
          const value = left--
          if ((yield* client("Next", { value })) === value + 1) right++
        }
      })
      const askers = Array.from({ length: depth }, () => asker)
      return Effect.runPromise(Effect.map(Effect.all(askers, { concurrency: depth }), () => right))
    }
    return { ask }
  }
})
