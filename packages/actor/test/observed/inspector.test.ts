/** A live system as it is shown over HTTP. */
import { request } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Messages, Observed } from "@troupe/actor"
import * as Inspector from "@troupe/actor/Inspector"
import { Effect, Layer, Metric, Schema } from "effect"
import { HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import { effectful, plain, settled } from "../system/accounts.ts"

const Node = Messages.make("node", { Grow: Messages.tell({ children: Schema.Int }), Fail: Messages.tell({}) })

const node: Behavior.Behavior<typeof Node.definition> = Behavior.make(Node, {
  init: () => ({ secret: "s3cret" }),
  on: {
    Grow: (state, { children }, self) => {
      for (let i = 0; i < children; i++) self.spawn(node, { name: `${i}` })
      return state
    },
    Fail: () => {
      throw new Error("at once")
    }
  }
})

const slow = Behavior.effect(Node, {
  init: () => Effect.succeed(0),
  on: { Grow: () => Effect.as(Effect.sleep("3 seconds"), 0), Fail: () => Effect.fail("") }
})

interface Response {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: string
}

const get = (
  path: string,
  options: { readonly method?: string; readonly headers?: Record<string, string> } = {}
): Effect.Effect<Response, never, Inspector.Inspector> =>
  Effect.flatMap(Inspector.Inspector, ({ url }) =>
    Effect.callback((resume) => {
      const asking = request(`${url}${path}`, { ...options, agent: false }, (response) => {
        let body = ""
        response.on("data", (chunk) => (body += chunk))
        response.on("end", () =>
          resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, body }))
        )
      })
      asking.on("error", (error) => resume(Effect.die(error)))
      asking.end()
    })
  )

const look = (query = "") =>
  Effect.map(get(`/system${query}`), ({ body }) => Schema.decodeUnknownSync(Inspector.Snapshot)(JSON.parse(body)))

const shown = <A, E>(
  program: Effect.Effect<A, E, ActorSystem.ActorSystem | Inspector.Inspector>,
  observed: Layer.Layer<never> = Observed.layer()
): Effect.Effect<A, E | Inspector.InspectorFailed> =>
  program.pipe(
    Effect.provide(
      Layer.provideMerge(
        Inspector.layer({ port: 0, hosts: ["shop.test"] }),
        Layer.provide(ActorSystem.layer({ name: "shop" }), observed)
      )
    ),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

describe("the inspector", () => {
  it.effect("shows each actor with its path, mailbox, what it processed and how often it started again", () =>
    shown(
      Effect.gen(function* () {
        const root = yield* ActorSystem.spawn(node, { name: "root" })
        root.tell({ _tag: "Grow", children: 2 })
        yield* settled
        root.tell({ _tag: "Fail" })
        yield* settled
        root.tell({ _tag: "Grow", children: 1 })
        yield* settled
        const ann = yield* ActorSystem.spawn(slow, { name: "ann" })
        for (let i = 0; i < 4; i++) ann.tell({ _tag: "Grow", children: 0 })
        yield* settled
        const { actors, ...system } = yield* look()
        const parents = actors.map(({ id, parent }) => [id, parent])
        expect(parents[2]![1]).toBe(parents[1]![0])
        expect(actors.map(({ busyMillis: _, id: __, parent: ___, ...rest }) => rest)).toEqual([
          {
            ...{ path: "ann", messages: "node", life: "busy", mailbox: 3, capacity: 65_536, stashed: 0 },
            ...{ restarts: 0, processed: 1 }
          },
          {
            ...{ path: "root", messages: "node", life: "idle", mailbox: 0, capacity: 65_536, stashed: 0 },
            ...{ restarts: 1, processed: 3 }
          },
          {
            ...{ path: "root/0", messages: "node", life: "idle", mailbox: 0, capacity: 65_536, stashed: 0 },
            ...{ restarts: 0, processed: 0 }
          }
        ])
        expect(system).toMatchObject({ system: "shop", node: null, alive: 3, waiting: 3, longestMailbox: 3 })
        expect(system.counters).toMatchObject({ spawned: 5, stopped: 2, processed: 4, restarts: 1, failures: 1 })
      })
    )
  )

  it.effect("shows the first of many, in the order that is asked for, and no more than 1,000", () =>
    shown(
      Effect.gen(function* () {
        const root = yield* ActorSystem.spawn(node, { name: "root" })
        root.tell({ _tag: "Grow", children: 3_000 })
        yield* settled
        const system = yield* ActorSystem.ActorSystem
        const [a, b] = [yield* system.at(Node, "root/70"), yield* system.at(Node, "root/2999")]
        for (const ref of [a, b, b]) ref.tell({ _tag: "Fail" })
        yield* settled
        for (const order of ["restarts", "processed"]) {
          const { actors, alive } = yield* look(`?order=${order}&limit=2`)
          expect([alive, ...actors.map(({ path }) => path)]).toEqual([
            3_001,
            "root/2999",
            order === "processed" ? "root" : "root/70"
          ])
        }
        expect((yield* look("?limit=1000")).actors.length).toBe(1_000)
        expect((yield* get("/system?limit=1001")).status).toBe(400)
      })
    )
  )

  it.effect("shows neither states nor messages", () =>
    shown(
      Effect.gen(function* () {
        const root = yield* ActorSystem.spawn(node, { name: "root" })
        const ann = yield* ActorSystem.spawn(plain, { name: "ann" })
        yield* (yield* ActorSystem.ActorSystem).stop(ann)
        ann.tell({ _tag: "Break", why: "s3cret" })
        root.tell({ _tag: "Grow", children: 0 })
        const { body } = yield* get("/system")
        expect(JSON.parse(body).deadLetters).toMatchObject([{ actor: "ann", message: "Break", reason: "stopped" }])
        expect(body).not.toContain("s3cret")
      })
    )
  )

  it.effect("keeps the latest 32 dead letters, and tells how many come in a second", () =>
    shown(
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(plain, { name: "ann" })
        yield* (yield* ActorSystem.ActorSystem).stop(ann)
        for (let amount = 0; amount < 50; amount++) ann.tell({ _tag: "Deposit", amount })
        yield* TestClock.adjust("2500 millis")
        const { counters, deadLetters, rates } = yield* look()
        expect([counters.deadLetters, deadLetters.length, deadLetters[0]!.agoMillis]).toEqual([50, 32, 2_500])
        expect(rates.deadLetters).toBe(0)
        for (let amount = 0; amount < 50; amount++) ann.tell({ _tag: "Deposit", amount })
        yield* TestClock.adjust("1 second")
        expect((yield* look()).rates.deadLetters).toBe(50)
      })
    )
  )

  it.effect("tells for how long an actor was busy, an Effect that is under way too", () =>
    shown(
      Effect.gen(function* () {
        const ref = yield* ActorSystem.spawn(slow)
        ref.tell({ _tag: "Grow", children: 0 })
        yield* settled
        for (const busyMillis of [2_000, 3_000, 3_000]) {
          yield* TestClock.adjust(busyMillis === 2_000 ? "2 seconds" : "1 second")
          expect((yield* look("?order=busy")).actors[0]).toMatchObject({ busyMillis })
        }
      })
    )
  )

  it.effect("of a system that is not observed it shows what is known anyway", () =>
    shown(
      Effect.gen(function* () {
        yield* ActorSystem.spawn(effectful, { name: "ann" })
        const { actors, observed } = yield* look()
        expect(observed).toBe(false)
        expect(actors).toMatchObject([{ path: "ann", processed: null, busyMillis: null, mailbox: 0 }])
      }),
      Layer.empty
    )
  )

  it.effect("serves Prometheus", () =>
    shown(
      Effect.gen(function* () {
        yield* ActorSystem.spawn(plain)
        const { body, headers } = yield* get("/metrics")
        expect(headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8")
        expect(body).toContain("# HELP troupe_actors_alive Actors\n# TYPE troupe_actors_alive gauge\n")
        expect(body).toContain('troupe_actors_alive{system="shop"} 1\n')
      })
    )
  )

  it.effect("refuses what it is not for, and says why", () =>
    shown(
      Effect.gen(function* () {
        const named = (host: string) => get("/system", { headers: { host } })
        expect((yield* named("evil.test")).status).toBe(403)
        for (const host of ["localhost:1", "127.0.0.1", "[::1]:80", "shop.test", "Shop.test:80"]) {
          expect((yield* named(host)).status).toBe(200)
        }
        expect((yield* get("/system", { method: "POST" })).status).toBe(405)
        expect(yield* get("/secrets")).toMatchObject({ status: 404, body: expect.stringContaining("/system") })
        expect(yield* get("/system?order=age")).toMatchObject({ status: 400, body: expect.stringContaining("mailbox") })
        expect((yield* get("/system?limit=x")).status).toBe(400)
        expect((yield* get("//", {})).status).toBe(400)
      })
    )
  )

  it.effect("says that its port is taken", () =>
    shown(
      Effect.gen(function* () {
        const { port } = yield* Inspector.Inspector
        const failure = yield* Effect.flip(Effect.provide(Inspector.Inspector, Layer.fresh(Inspector.layer({ port }))))
        expect(failure.message).toBe(`The inspector cannot listen: 127.0.0.1:${port} is in use. Choose another port`)
      })
    )
  )

  it.live("its pages may stand in a server of one's own", () =>
    Effect.gen(function* () {
      const app = Layer.provide(Inspector.routes, ActorSystem.layer({ name: "shop" }))
      const { dispose, handler } = HttpRouter.toWebHandler(app, { disableLogger: true })
      const response = yield* Effect.promise(() => handler(new Request("http://any/system?limit=5")))
      expect(yield* Effect.promise(() => response.json())).toMatchObject({ system: "shop", actors: [] })
      yield* Effect.promise(dispose)
    })
  )
})
