/** What a system counts, as monitors read it. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { ActorSystem, Behavior, Observed, Server, Supervision } from "@troupe/actor"
import { Memory } from "@troupe/transport"
import { Context, Effect, Fiber, Layer, Metric } from "effect"
import { FetchHttpClient } from "effect/http"
import { OtlpExporter, OtlpMetrics, OtlpSerialization, OtlpTracer, PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { Account, behaviors, plain, settled } from "../system/accounts.ts"

/** With a registry of its own. */
const counted = <A, E>(
  options: Observed.Options | undefined,
  program: Effect.Effect<A, E, ActorSystem.ActorSystem>
): Effect.Effect<A, E> =>
  program.pipe(
    Effect.provide(
      Layer.provide(ActorSystem.layer({ name: "shop" }), options === undefined ? Layer.empty : Observed.layer(options))
    ),
    Effect.provideService(Metric.MetricRegistry, new Map())
  )

/** The lines of a Prometheus page, without their system. */
const page = Effect.map(PrometheusMetrics.format(), (text) =>
  text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) =>
      line
        .replace("troupe_actors_", "")
        .replace(/system="shop",?/, "")
        .replace("{}", "")
    )
)

/** A slow one: its questions stay open. */
const silent = Behavior.make(Account, {
  ...{ init: () => 0, mailbox: { capacity: 2, onFull: "drop-newest" } },
  on: {
    Deposit: (balance) => balance,
    Balance: (balance, _, self) => ({ state: balance, later: self.defer() }),
    Withdraw: (balance, _, self) => ({ state: balance, later: self.defer() }),
    Break: (balance) => balance,
    BreakAt: (balance) => ({ state: balance, reply: 0 })
  }
})

const unused = {
  Deposit: () => Effect.succeed(0),
  Withdraw: () => Effect.succeed({ state: 0, reply: 0 }),
  Break: () => Effect.succeed(0),
  BreakAt: () => Effect.succeed({ state: 0, reply: 0 })
}

/** Takes what it is sent. */
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly collected: Array<any>; readonly url: string; readonly close: () => void }>((resume) => {
    const collected: Array<any> = []
    const server = createServer((request, response) => {
      let body = ""
      request.on("data", (chunk) => (body += chunk))
      request.on("end", () => {
        collected.push(JSON.parse(body))
        response.end("{}")
      })
    })
    server.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      resume(Effect.succeed({ collected, url, close: () => (server.closeAllConnections(), void server.close()) }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

describe("metrics", () => {
  it.effect.each(["plain", "effectful"] as const)("say what became of actors and messages: %s handlers", (kind) =>
    counted(
      undefined,
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(behaviors[kind], { name: "ann" })
        const bob = yield* ActorSystem.spawn(behaviors[kind], { supervision: Supervision.stop })
        for (let i = 0; i < 5; i++) ann.tell({ _tag: "Deposit", amount: 1 })
        ann.tell({ _tag: "Break", why: "once" })
        bob.tell({ _tag: "Break", why: "for good" })
        for (let i = 0; i < 10; i++) yield* settled
        bob.tell({ _tag: "Deposit", amount: 1 })
        expect(yield* ann.ask({ _tag: "Balance" })).toBe(0)
        expect(yield* page).toEqual([
          "spawned 2",
          "stopped 1",
          "processed 8",
          "failures 2",
          "restarts 1",
          "ask_timeouts 0",
          'dead_letters{reason="stopped"} 1',
          'dead_letters{reason="mailbox full"} 0',
          'dead_letters{reason="not understood"} 0',
          "asks_open 0",
          "alive 1",
          "waiting 0",
          "longest_mailbox 0"
        ])
      })
    )
  )

  it.effect("count messages that handlers were given, and nothing else that waits in mailboxes", () =>
    counted(
      {},
      Effect.gen(function* () {
        const system = yield* ActorSystem.ActorSystem
        const handler = () => Effect.andThen(Effect.sleep("1 second"), Effect.die("late"))
        const on = { Deposit: handler, Balance: handler, Withdraw: handler, Break: handler, BreakAt: handler }
        const server = yield* system.spawn(Server.make(Account, { on, dispatcher: Server.eventLoop() }))
        const ann = yield* system.spawn(plain)
        yield* settled
        server.tell({ _tag: "Deposit", amount: 1 })
        ann.tell({ _tag: "Deposit", amount: 1 })
        const given = yield* Effect.forkChild(ann.ask({ _tag: "Balance" }), { startImmediately: true })
        ann.tell({ _tag: "Nothing" } as never)
        yield* settled
        yield* TestClock.adjust("1 second")
        yield* system.stop(server, { drain: true })
        yield* Fiber.join(given)
        expect(system.counters()).toMatchObject({ processed: 3, failures: 1, deadLetters: 1 })
      })
    )
  )

  it.effect("say how much waits, and for how many answers", () =>
    counted(
      {},
      Effect.gen(function* () {
        const quiet = yield* ActorSystem.spawn(silent)
        const ann = yield* ActorSystem.spawn(plain)
        const asking = yield* Effect.forkChild(Effect.exit(quiet.ask({ _tag: "Balance" }, { timeout: "1 second" })))
        yield* settled
        for (let i = 0; i < 3; i++) quiet.tell({ _tag: "Deposit", amount: 1 })
        for (let i = 0; i < 7; i++) ann.tell({ _tag: "Deposit", amount: 1 })
        const lines = yield* page
        expect(lines).toEqual(
          expect.arrayContaining([
            ...['dead_letters{reason="mailbox full"} 1', "asks_open 1", "alive 2", "waiting 9", "longest_mailbox 7"],
            'waiting_by_messages{messages="account"} 9',
            'longest_mailbox_by_messages{messages="account"} 7',
            'alive_by_messages{messages="account"} 2'
          ])
        )
        yield* settled
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(asking)
        expect(yield* page).toEqual(expect.arrayContaining(["asks_open 0", "ask_timeouts 1", "waiting 0"]))
      })
    )
  )

  it.effect("say how long messages took, where that was asked for", () =>
    counted(
      { times: true },
      Effect.gen(function* () {
        const ann = yield* ActorSystem.spawn(behaviors.effectful)
        ann.tell({ _tag: "Deposit", amount: 1 })
        yield* ann.ask({ _tag: "Balance" })
        expect(yield* page).toEqual(
          expect.arrayContaining([
            'processing_seconds_count{messages="account",message="Deposit"} 1',
            'processing_seconds_bucket{messages="account",message="Balance",le="10"} 1'
          ])
        )
      })
    )
  )

  it.live("come to an OTLP collector, as spans do: a chain over two nodes, with the right parents", () =>
    Effect.gen(function* () {
      const { collected, url } = yield* collector
      const program = Effect.gen(function* () {
        const network = Memory.network({ nodes: ["n1", "n2"] })
        const [n1, n2] = yield* Effect.forEach(["n1", "n2"], (node) => {
          const below = Layer.merge(Memory.layer(network, node), Observed.layer({ sample: 1 }))
          const system = Layer.fresh(Layer.provide(ActorSystem.remote(), below))
          return Effect.map(Layer.build(system), Context.get(ActorSystem.ActorSystem))
        })
        yield* n2!.spawn(plain, { name: "ann" })
        const ann = yield* n1!.at(Account, "ann", "n2")
        const teller = yield* n1!.spawn(
          Behavior.effect(Account, {
            init: () => Effect.succeed(0),
            on: {
              ...unused,
              Balance: (state) => Effect.map(Effect.orDie(ann.ask({ _tag: "Balance" })), (reply) => ({ state, reply }))
            }
          }),
          { name: "teller" }
        )
        yield* teller.ask({ _tag: "Balance" })
        yield* (yield* OtlpExporter.Flusher).flush
      })
      const otlp = Layer.mergeAll(
        OtlpTracer.layer({ url: `${url}/v1/traces`, resource: { serviceName: "shop" } }),
        OtlpMetrics.layer({ url: `${url}/v1/metrics`, resource: { serviceName: "shop" } })
      ).pipe(Layer.provide(Layer.merge(OtlpSerialization.layerJson, FetchHttpClient.layer)))
      yield* Effect.scoped(program).pipe(Effect.provide(otlp), Effect.provideService(Metric.MetricRegistry, new Map()))
      const spans = collected
        .flatMap((each) => each.resourceSpans ?? [])
        .flatMap(({ scopeSpans }) => scopeSpans[0].spans)
      const parentOf = ({ parentSpanId }: any) => spans.find(({ spanId }) => spanId === parentSpanId)
      const way = (span: any): string =>
        `${span === undefined ? "" : `${way(parentOf(span))}/${span.kind} ${span.name}`}`
      expect(spans.map(way).toSorted().at(-1)).toBe(
        "/3 account Balance/2 account Balance/3 account Balance/2 account Balance"
      )
      expect(spans.length).toBe(4)
      const metrics = collected.flatMap((each) => each.resourceMetrics ?? [])
      const names = metrics.flatMap(({ scopeMetrics }) => scopeMetrics[0].metrics).map(({ name }) => name)
      expect(names).toEqual(expect.arrayContaining(["troupe_actors_processed", "troupe_actors_frames_sent"]))
    }).pipe(Effect.scoped)
  )

  it.effect("are gone with their system", () =>
    Effect.gen(function* () {
      const registry = new Map()
      yield* Effect.provide(ActorSystem.spawn(plain), Layer.provide(ActorSystem.layer(), Observed.layer())).pipe(
        Effect.provideService(Metric.MetricRegistry, registry)
      )
      expect([...registry.keys()]).toEqual([])
    })
  )
})
