/** One process of the chat: the transport, disk and failure detector that it stands on, and the doors for its users. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Heartbeat } from "@troupe/failure-detection"
import * as Disk from "@troupe/storage/Disk"
import * as Tcp from "@troupe/transport/Tcp"
import { Cause, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { actors, type Chat, layer as chat } from "./Chat.ts"
import type { Config, Node } from "./Config.ts"
import { page } from "./page.ts"
import { talk } from "./Talk.ts"

/** The node cannot start. */
export class CannotStart extends Schema.TaggedError<CannotStart>()("CannotStart", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} cannot start: ${this.reason}`
  }
}

/** Everything below the doors. */
const inside = (config: Config, own: Node) => {
  const { deadlineMillis = 2_000, everyMillis = 500 } = config
  const transport = Tcp.layer({
    self: own.id,
    listen: own.peer,
    peers: Object.fromEntries(config.nodes.map(({ id, peer }) => [id, peer])),
    cluster: config.chat
  })
  const detector = Heartbeat.layer({ interval: everyMillis, deadline: deadlineMillis })
  return chat({ every: everyMillis }).pipe(
    Layer.provide(actors),
    Layer.provide(detector),
    Layer.provide([transport, Disk.layer({ directory: own.data })])
  )
}

/** For `nc`. */
const lines = ({ host = "127.0.0.1", port }: Node) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host, port })
      yield* Effect.forkScoped(server.run(talk))
    })
  )

/** For browsers: a page, and the same lines over a WebSocket. */
const web = ({ host = "127.0.0.1", http }: Node): Layer.Layer<never, unknown, Chat> => {
  if (http === undefined) return Layer.empty
  const routes = HttpRouter.addAll([
    HttpRouter.route("GET", "/", HttpServerResponse.html(page)),
    HttpRouter.route(
      "GET",
      "/lines",
      Effect.gen(function* () {
        const { upgrade } = yield* HttpServerRequest.HttpServerRequest
        yield* talk(yield* upgrade)
        return HttpServerResponse.empty()
      })
    )
  ])
  return HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { host, port: http }))
  )
}

/** Behind what servers wrap it in. */
const reasonOf = (error: unknown): string => {
  const { cause, message } = error as Error
  return cause instanceof Error ? reasonOf(cause) : message
}

/** A node for as long as the layer lives. */
export const layer = (config: Config, own: Node): Layer.Layer<never, CannotStart> =>
  Layer.merge(lines(own), web(own)).pipe(
    Layer.provide(inside(config, own)),
    Layer.catchCause((cause) =>
      Layer.effectDiscard(Effect.fail(new CannotStart({ node: own.id, reason: reasonOf(Cause.squash(cause)) })))
    )
  )
