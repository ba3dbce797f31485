/** The port for people and monitors: health, readiness, metrics, the cluster as JSON, and a page that shows it. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Context, Effect, Layer, Metric, Schema, type Scope } from "effect"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import type { Node } from "./Node.ts"
import type { Counters } from "./server/Counters.ts"
import { page } from "./statusPage.ts"

export interface Options {
  /** Default: `127.0.0.1`. It shows how the cluster stands, and no key or value. */
  readonly host?: string
  /** 0: one that is free. */
  readonly port: number
}

/** The nodes of this process that are up. */
export type Nodes = () => ReadonlyArray<Node>

/** As JSON. */
const report = (nodes: ReadonlyArray<Node>) =>
  Effect.forEach(
    nodes,
    ({ id, replicated, server }) =>
      Effect.gen(function* () {
        const status = yield* replicated.status
        const redis = `${server.host}:${server.port}`
        return { id, redis, ...status, keys: yield* keysOf(replicated), counters: { ...server.counters } }
      }),
    { concurrency: "unbounded" }
  )

/** How many keys this copy has; nothing where it cannot say. */
const keysOf = (replicated: Node["replicated"]): Effect.Effect<number | null> =>
  replicated.invoke({ steps: [{ _tag: "Run", words: ["DBSIZE"] }] }, { read: "local" }).pipe(
    Effect.map(([reply]) => (reply?._tag === "Integer" ? reply.value : null)),
    Effect.timeout(500),
    Effect.orElseSucceed(() => null)
  )

const gauge = (name: string, description: string) => Metric.gauge(`troupe_kv_${name}`, { description })

const gauges = {
  applied: gauge("applied_updates", "Updates that this copy holds"),
  committed: gauge("committed_updates", "Updates that this copy knows to be safe"),
  view: gauge("view", "Grows with each change of who is primary or who belongs"),
  primary: gauge("is_primary", "1 at the primary"),
  members: gauge("members", "Nodes of the view"),
  keys: gauge("keys", "Keys of this copy")
}

const counted: Readonly<Record<keyof Counters, string>> = {
  commands: "Commands answered",
  reads: "Commands that read",
  writes: "Commands that write",
  failures: "Commands that could not be executed",
  batches: "Requests to the replicas, each of one or more commands",
  connections: "Connections accepted since the start",
  connected: "Clients connected",
  rejected: "Connections refused",
  protocolErrors: "Connections closed for what they sent",
  slowReaders: "Connections closed for replies that they did not take"
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const ofClients = Object.entries(counted).map(
  ([name, description]) => [name as keyof Counters, gauge(`clients_${snake(name)}`, description)] as const
)

/** Metrics are set when they are asked for: counting costs nothing meanwhile. */
const measure = (nodes: Nodes): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const node of yield* report(nodes())) {
      const set = (metric: Metric.Gauge<number>, value: number) =>
        Metric.update(Metric.withAttributes(metric, { node: node.id }), value)
      yield* set(gauges.applied, node.applied)
      yield* set(gauges.committed, node.committed)
      yield* set(gauges.view, node.view)
      yield* set(gauges.primary, node.primary === node.id ? 1 : 0)
      yield* set(gauges.members, node.members.length)
      if (node.keys !== null) yield* set(gauges.keys, node.keys)
      for (const [name, metric] of ofClients) yield* set(metric, node.counters[name])
    }
  })

const isReady = ({ replicated }: Node): Effect.Effect<boolean> =>
  Effect.map(
    replicated.status,
    ({ primary, role }) => role === "replica" || ((role === "primary" || role === "backup") && primary !== undefined)
  )

const ready = (nodes: Nodes) =>
  Effect.map(
    Effect.filter(nodes(), (node) => Effect.map(isReady(node), (is) => !is)),
    (others) => {
      const waiting = others.map(({ id }) => id)
      return HttpServerResponse.jsonUnsafe(
        { ready: waiting.length === 0, waiting },
        { status: waiting.length === 0 ? 200 : 503 }
      )
    }
  )

const routes = (nodes: Nodes) =>
  HttpRouter.addAll([
    HttpRouter.route("GET", "/", HttpServerResponse.html(page)),
    HttpRouter.route("GET", "/health", HttpServerResponse.text("ok\n")),
    HttpRouter.route(
      "GET",
      "/ready",
      Effect.suspend(() => ready(nodes))
    ),
    HttpRouter.route(
      "GET",
      "/cluster",
      Effect.map(
        Effect.suspend(() => report(nodes())),
        (all) => HttpServerResponse.jsonUnsafe({ nodes: all })
      )
    ),
    HttpRouter.route(
      "GET",
      "/metrics",
      Effect.map(Effect.andThen(measure(nodes), PrometheusMetrics.format()), (text) =>
        HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
      )
    )
  ])

/** The port cannot be had. */
export class HttpFailed extends Schema.TaggedError<HttpFailed>()("HttpFailed", { reason: Schema.String }) {
  override get message(): string {
    return `The port of the status page cannot be opened: ${this.reason}`
  }
}

/** Serves for as long as the scope lives; gives the port. */
export const serve = (
  nodes: Nodes,
  { host = "127.0.0.1", port }: Options
): Effect.Effect<number, HttpFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const server = NodeHttpServer.layer(createServer, { host, port })
    const app = HttpRouter.serve(routes(nodes), { disableLogger: true, disableListenLog: true })
    const context = yield* Effect.mapError(Layer.build(Layer.provideMerge(app, server)), ({ cause }) => {
      const { code, message } = cause as NodeJS.ErrnoException
      const isTaken = code === "EADDRINUSE"
      return new HttpFailed({ reason: isTaken ? `${host}:${port} is in use. Choose another port` : message })
    })
    const { address } = Context.get(context, HttpServer.HttpServer)
    return "port" in address ? address.port : port
  })
