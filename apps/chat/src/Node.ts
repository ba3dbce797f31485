/** One process of the chat: the transport, disk and failure detector that it stands on, and the doors for its users. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Observed } from "@troupe/actor"
import * as Inspector from "@troupe/actor/Inspector"
import { Heartbeat } from "@troupe/failure-detection"
import * as Disk from "@troupe/storage/Disk"
import * as Tcp from "@troupe/transport/Tcp"
import { Cause, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import type * as Net from "node:net"
import { actors, type Chat, layer as chat } from "./Chat.ts"
import type { Config, Node } from "./Config.ts"
import { Door, layer as door } from "./Door.ts"
import type { Wire } from "./Lines.ts"
import { page } from "./page.ts"
import { talk } from "./Talk.ts"
import { mostUsers } from "./Users.ts"

/** The node cannot start. */
export class CannotStart extends Schema.TaggedError<CannotStart>()("CannotStart", {
  node: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.node} cannot start: ${this.reason}`
  }
}

/** Actors, and where `troupe top` sees them. */
const seen = (port: number) => Layer.provideMerge(Inspector.layer({ port }), Layer.provide(actors, Observed.layer()))

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
    Layer.provide(own.top === undefined ? actors : seen(own.top)),
    Layer.provide(detector),
    Layer.provide([transport, Disk.layer({ directory: own.data })])
  )
}

const wireOf = (socket: Net.Socket): Wire => ({
  unsent: () => socket.writableLength,
  cut: () => void socket.destroy(),
  closed: Effect.callback((resume) => {
    if (socket.closed) return resume(Effect.void)
    const closed = (): void => resume(Effect.void)
    socket.once("close", closed)
    return Effect.sync(() => void socket.off("close", closed))
  })
})

/** A user whose machine has gone without a word is found out, and their name is free again. */
const probing = { keepAlive: true, keepAliveInitialDelay: 30_000 }

/** For `nc`. */
const lines = ({ host = "127.0.0.1", port }: Node) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const server = yield* NodeSocketServer.make({ host, port, ...probing })
      // The server provides each connection's.
      const net = NodeSocket.NetSocket as unknown as Effect.Effect<Net.Socket>
      yield* Effect.forkScoped(server.run((socket) => Effect.flatMap(net, (wire) => talk(socket, wireOf(wire)))))
    })
  )

const routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/", HttpServerResponse.html(page)),
  HttpRouter.route(
    "GET",
    "/lines",
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { socket } = NodeHttpServerRequest.toIncomingMessage(request) as { readonly socket: Net.Socket }
      yield* talk(yield* request.upgrade, wireOf(socket))
      return HttpServerResponse.empty()
    })
  )
])

/** Of what a browser sends at once: lines have a bound of their own. */
const maxPayload = 1024 * 1024

/** For browsers: a page, and the same lines over a WebSocket. */
const web = ({ host = "127.0.0.1", http }: Node): Layer.Layer<never, unknown, Chat | Door> => {
  if (http === undefined) return Layer.empty
  const server = Effect.map(Door, ({ limits: { maxUnnamed, nameMillis } }) => {
    // Who asks for nothing is unnamed, too.
    const create = () => {
      const made = createServer({
        ...probing,
        headersTimeout: nameMillis,
        requestTimeout: nameMillis,
        connectionsCheckingInterval: Math.min(nameMillis, 1_000)
      })
      made.maxConnections = mostUsers + 2 * maxUnnamed
      return made
    }
    return NodeHttpServer.layer(create, { host, port: http, websocket: { maxPayload } })
  })
  return HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(Layer.unwrap(server))
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
    Layer.provide([inside(config, own), door(config.limits)]),
    Layer.catchCause((cause) =>
      Layer.effectDiscard(Effect.fail(new CannotStart({ node: own.id, reason: reasonOf(Cause.squash(cause)) })))
    )
  )
