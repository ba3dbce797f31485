/** What naive replication, and reads of a copy that is behind, show to clients: recorded, and judged. */
import { History, Linearizable, Sequential, Specifications } from "@troupe/consistency"
import { LocalWrite, Naive, Passive, type Replicated } from "@troupe/replication"
import { Simulation } from "@troupe/simulation"
import { MemoryStorage, type Storage } from "@troupe/storage"
import type { Transport } from "@troupe/transport"
import { Context, Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { get, Numbers, put, type Request } from "./machines.ts"

type Service = Replicated.Replicated<Request, number>
type Say = (process: string, service: Service, request: Request) => Effect.Effect<number, unknown>

/** What the clients of three replicas saw, and what the test returned. */
const record = async <A>(
  layer: Layer.Layer<Numbers, unknown, Transport | Storage>,
  clients: (at: (node: string) => Service, say: Say, simulator: Simulation.Simulator) => Effect.Effect<A, unknown>,
  read: "linearizable" | "local" = "linearizable"
) => {
  const services = new Map<string, Service>()
  const events: Array<History.Event> = []
  const say: Say = (process, service, request) =>
    Effect.suspend(() => {
      const { key } = request
      const f = request._tag === "Get" ? "read" : "write"
      const value = request._tag === "Get" ? null : request._tag === "Put" ? request.value : request.amount
      events.push({ process, type: "invoke", f, key, value })
      return Effect.tap(service.invoke(request, { read }), (answer) =>
        Effect.sync(() => events.push({ process, type: "ok", f, key, value: answer }))
      )
    })
  const { value, violations } = await Effect.runPromise(
    Simulation.run({
      seed: 1,
      nodes: ["A", "B", "C"],
      duration: "20 seconds",
      program: (node) =>
        Effect.gen(function* () {
          const context = yield* Layer.build(layer.pipe(Layer.provide(MemoryStorage.layer())))
          services.set(node, Context.get(context, Numbers))
        }),
      test: (simulator) =>
        Effect.andThen(
          Effect.sleep("1 second"),
          clients((node) => services.get(node)!, say, simulator)
        )
    })
  )
  expect(violations).toEqual([])
  return { events, value: value as A }
}

const specification = Specifications.register({ initial: 0 })

/** A history that `npx troupe verify` draws, as it was recorded once. */
const kept = (name: string): string => readFileSync(fileURLToPath(new URL(name, import.meta.url)), "utf8")

const written = (events: ReadonlyArray<History.Event>): string =>
  events.map((event) => JSON.stringify(event)).join("\n") + "\n"

const verdict = (judged: ReturnType<typeof Linearizable.check>): string => judged._tag

describe("naive replication", () => {
  const bank = record(Naive.layer(Numbers), (at, say) =>
    Effect.gen(function* () {
      yield* say("client1", at("B"), put("x", 1))
      yield* say("client1", at("A"), put("y", 2))
      yield* say("client2", at("A"), get("y"))
      yield* say("client2", at("A"), get("x"))
      // Each keeps what it heard last.
      yield* Effect.sleep("1 second")
      yield* Effect.all([at("A").invoke(put("z", 1)), at("B").invoke(put("z", 2))], { concurrency: 2 })
      yield* Effect.sleep("1 second")
      return [yield* at("A").invoke(get("z")), yield* at("B").invoke(get("z"))]
    })
  )

  it("shows y = 2 and then x = 0 to a client: the bank example, which is not linearizable", async () => {
    const { events } = await bank
    expect(written(events)).toBe(kept("bank.ndjson"))
    const judged = Linearizable.check(History.make(events), specification)
    expect(judged).toMatchObject({ _tag: "Violated", culprit: { operation: { f: "read", key: "x", output: 0 } } })
  })

  it("leaves replicas different for good after two updates at once", async () => {
    expect((await bank).value).toEqual([2, 1])
  })
})

describe("passive replication, local reads", () => {
  it("are behind what another client was told, but in one order: sequential, not linearizable", async () => {
    const { events } = await record(
      Passive.layer(Numbers, { heartbeatEvery: "500 millis" }),
      (at, say) =>
        Effect.gen(function* () {
          yield* say("client1", at("A"), put("x", 1))
          yield* say("client2", at("B"), get("x"))
          yield* Effect.sleep("1 second")
          yield* say("client2", at("B"), get("x"))
        }),
      "local"
    )
    expect(events.filter(({ f, type }) => f === "read" && type === "ok").map(({ value }) => value)).toEqual([0, 1])
    expect(written(events)).toBe(kept("behind.ndjson"))
    const history = History.make(events)
    expect(verdict(Linearizable.check(history, specification))).toBe("Violated")
    expect(verdict(Sequential.check(history, specification))).toBe("Ok")
  })

  it("show a client its own updates", async () => {
    const { value } = await record(Passive.layer(Numbers), (at) =>
      Effect.gen(function* () {
        yield* at("B").invoke(put("x", 1))
        return yield* at("B").invoke(get("x"), { read: "local" })
      })
    )
    expect(value).toBe(1)
  })
})

describe("passive replication, whose detector errs where it must not", () => {
  it("loses what a primary that is cut off has acknowledged", async () => {
    const { events } = await record(Passive.layer(Numbers, { safety: "perfect-detector" }), (at, say, { split }) =>
      Effect.gen(function* () {
        yield* split([["A"], ["B", "C"]])
        yield* say("client1", at("A"), put("x", 1))
        yield* Effect.sleep("1 second")
        yield* say("client1", at("B"), get("x"))
      })
    )
    expect(written(events)).toBe(kept("deposed.ndjson"))
    expect(verdict(Linearizable.check(History.make(events), specification))).toBe("Violated")
    expect(verdict(Sequential.check(History.make(events), specification))).toBe("Violated")
  })
})

describe("local-write replication", () => {
  it("moves the primary to the node that writes, one view after another", async () => {
    const { value } = await record(LocalWrite.layer(Numbers), (at) =>
      Effect.gen(function* () {
        const primaries: Array<unknown> = []
        for (const [i, node] of ["B", "C", "B", "A"].entries()) {
          yield* at(node).invoke(put("x", i))
          yield* Effect.sleep("100 millis")
          const { primary, role } = yield* at(node).status
          primaries.push([primary, role, yield* at("A").invoke(get("x"))])
        }
        return primaries
      })
    )
    expect(value).toEqual([
      ["B", "primary", 0],
      ["C", "primary", 1],
      ["B", "primary", 2],
      ["A", "primary", 3]
    ])
  })

  it("stays where several write by turns, with a larger `migrateAfter`", async () => {
    const { value } = await record(LocalWrite.layer(Numbers, { migrateAfter: 3 }), (at) =>
      Effect.gen(function* () {
        for (const node of ["B", "B", "C", "B", "B", "C"]) yield* at(node).invoke(put("x", 1))
        return (yield* at("A").status).primary
      })
    )
    expect(value).toBe("A")
  })
})
