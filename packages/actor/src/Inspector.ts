/**
 * Shows a live system to people and monitors, over HTTP: who its actors are and how they fare, what came of messages, and
 * all metrics for Prometheus. `troupe top` draws it.
 *
 * `GET /system?order=mailbox&limit=100` is a `Snapshot` as JSON, `GET /metrics` the page for Prometheus. States and messages
 * are not shown, but paths and the tags of dead letters are. A look goes through all actors, between two turns of them. How
 * much each has processed is known of a system that is `Observed`.
 *
 * @example
 * import { ActorSystem, Observed } from "@troupe/actor"
 * import * as Inspector from "@troupe/actor/Inspector"
 * import { Effect, Layer } from "effect"
 *
 * const system = Layer.provide(ActorSystem.layer({ name: "shop" }), Observed.layer())
 *
 * const program = Effect.gen(function*() {
 *   const { url } = yield* Inspector.Inspector
 *   const response = yield* Effect.promise(() => fetch(`${url}/system`))
 *   const snapshot = (yield* Effect.promise(() => response.json())) as Inspector.Snapshot
 *   return [snapshot.system, snapshot.alive]
 * })
 *
 * const app = Layer.provide(Inspector.layer({ port: 0 }), system)
 * console.log(await Effect.runPromise(Effect.provide(program, app))) // [ 'shop', 0 ]
 */
import { Context, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { ActorSystem } from "./ActorSystem.ts"
import { Looking } from "./internal/observed/Looking.ts"
import { type InspectorFailed, json, type Page, refusal, serve } from "./internal/observed/serving.ts"
import { known } from "./internal/system/System.ts"

export { InspectorFailed } from "./internal/observed/serving.ts"

export const orders = ["mailbox", "processed", "restarts", "busy"] as const

/** Who comes first: who has most of it. */
export type Order = (typeof orders)[number]

/** Actors of one look. */
const most = 1_000

export const Actor = Schema.Struct({
  /** Its number in this life of the system. */
  id: Schema.Int,
  /** The number of its parent; 0: it has none among actors. */
  parent: Schema.Int,
  path: Schema.String,
  /** The name of what it understands. */
  messages: Schema.String,
  /** "idle", "ready", "running", "busy" with an Effect, "starting", "stopping". */
  life: Schema.String,
  /** Messages that wait. */
  mailbox: Schema.Int,
  capacity: Schema.Int,
  stashed: Schema.Int,
  restarts: Schema.Int,
  /** Messages that its handlers were given, and how long they took; `null`: it is not observed. */
  processed: Schema.NullOr(Schema.Int),
  busyMillis: Schema.NullOr(Schema.Number)
})
export type Actor = typeof Actor.Type

export const Snapshot = Schema.Struct({
  system: Schema.String,
  node: Schema.NullOr(Schema.String),
  observed: Schema.Boolean,
  /** Since the inspector began. */
  uptimeMillis: Schema.Number,
  alive: Schema.Int,
  /** Messages in all mailboxes. */
  waiting: Schema.Int,
  longestMailbox: Schema.Int,
  asksOpen: Schema.Int,
  counters: Schema.Struct({
    spawned: Schema.Int,
    stopped: Schema.Int,
    processed: Schema.Int,
    failures: Schema.Int,
    restarts: Schema.Int,
    askTimeouts: Schema.Int,
    deadLetters: Schema.Int,
    framesSent: Schema.Int,
    framesReceived: Schema.Int
  }),
  /** In the last second. */
  rates: Schema.Struct({ processed: Schema.Number, deadLetters: Schema.Number }),
  /** The latest, oldest first. */
  deadLetters: Schema.Array(
    Schema.Struct({
      actor: Schema.String,
      message: Schema.String,
      reason: Schema.String,
      agoMillis: Schema.Number
    })
  ),
  /** The first ones, in the order that was asked for. */
  actors: Schema.Array(Actor)
})
export type Snapshot = typeof Snapshot.Type

export interface Options {
  /** 0: one that is free. */
  readonly port: number
  /** Default: `127.0.0.1`, for this machine alone. There are no passwords: who can reach it can read it. */
  readonly host?: string
  /** Names by which it may be asked, besides `localhost` and addresses: a page of elsewhere is not to read it. */
  readonly hosts?: ReadonlyArray<string>
}

/** Where it listens. */
export class Inspector extends Context.Service<
  Inspector,
  { readonly host: string; readonly port: number; readonly url: string }
>()("@troupe/actor/Inspector") {}

/** Answers what is asked of a system, for as long as the scope lives. */
const answering = Effect.gen(function* () {
  const context = yield* Effect.context<never>()
  const system = known.get(yield* ActorSystem)
  if (system === undefined) return yield* Effect.die(new TypeError("this ActorSystem was made by no layer of its own"))
  const looking = new Looking(system)
  yield* Effect.acquireRelease(
    Effect.sync(() => looking.listen()),
    (undo) => Effect.sync(undo)
  )
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        Effect.sleep("1 second"),
        Effect.sync(() => looking.measure())
      )
    )
  )
  return (path: string): Page => {
    const url = new URL(path, "http://inspector")
    switch (url.pathname) {
      case "/system":
        return systemPage(looking, url.searchParams)
      case "/metrics":
        return {
          status: 200,
          type: "text/plain; version=0.0.4; charset=utf-8",
          body: PrometheusMetrics.formatUnsafe(context)
        }
      default:
        return refusal(404, `there is /system and /metrics, and no ${url.pathname}`)
    }
  }
})

const systemPage = (looking: Looking, given: URLSearchParams): Page => {
  const order = given.get("order") ?? "mailbox"
  const limit = Number(given.get("limit") ?? 100)
  if (!isOrder(order)) return refusal(400, `order is one of ${orders.join(", ")}, and "${order}" is none`)
  if (!Number.isInteger(limit) || limit < 0 || limit > most) return refusal(400, `limit is from 0 to ${most}`)
  return json(200, looking.look(order, limit))
}

const isOrder = (order: string): order is Order => (orders as ReadonlyArray<string>).includes(order)

/** Serves on a port of its own. */
export const layer = ({
  host = "127.0.0.1",
  hosts = [],
  port
}: Options): Layer.Layer<Inspector, InspectorFailed, ActorSystem> =>
  Layer.effect(
    Inspector,
    Effect.gen(function* () {
      const address = yield* serve({ host, hosts, port }, yield* answering)
      const name = host.includes(":") ? `[${host}]` : host
      return { ...address, url: `http://${name}:${address.port}` }
    })
  )

/** The same pages for a server of one's own, which says who may ask. */
export const routes: Layer.Layer<never, never, HttpRouter.HttpRouter | ActorSystem> = Layer.effectDiscard(
  Effect.gen(function* () {
    const answer = yield* answering
    const router = yield* HttpRouter.HttpRouter
    for (const path of ["/system", "/metrics"] as const) {
      yield* router.add("GET", path, (request) => {
        const { body, status, type } = answer(request.url)
        return Effect.succeed(HttpServerResponse.text(body, { status, contentType: type }))
      })
    }
  })
)
