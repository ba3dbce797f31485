import { Protocol } from "@troupe/actor"
import { MemoryStorage } from "@troupe/storage"
import { Simulation } from "@troupe/simulation"
import { Passive, type Replicated } from "@troupe/replication"
import { Memory } from "@troupe/transport"
import { Context, Effect, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { add, get, Numbers, numbers, put, type Request } from "./machines.ts"

type Service = Replicated.Replicated<Request, number>

const nodes = ["n1", "n2", "n3"]

/** Programs on replicas with disks that outlive crashes. */
const world = <A>(options: {
  readonly on?: Readonly<Record<string, (numbers: Service) => Effect.Effect<unknown, unknown>>>
  readonly test?: (simulator: Simulation.Simulator, at: (node: string) => Service) => Effect.Effect<A, unknown>
  readonly seed?: number
  readonly layer?: Passive.LayerOptions
}) => {
  const stores = new Map(nodes.map((node) => [node, MemoryStorage.make()]))
  const services = new Map<string, Service>()
  return Effect.runPromise(
    Simulation.run({
      seed: options.seed ?? 1,
      nodes,
      duration: "30 seconds",
      program: (node) =>
        Effect.gen(function* () {
          const layer = Passive.layer(Numbers, options.layer).pipe(
            Layer.provide(MemoryStorage.layer(stores.get(node)!))
          )
          services.set(node, Context.get(yield* Layer.build(layer), Numbers))
        }),
      test: (simulator) =>
        Effect.andThen(
          Effect.sleep("1 second"),
          options.test!(simulator, (node) => services.get(node)!)
        )
    })
  )
}

describe("passive replication", () => {
  it("acknowledges, and votes, after the disk: never ahead of it", () => {
    const protocol = Passive.protocol(numbers)
    const self = Protocol.self("n2", nodes, Passive.defaults)
    const first = Protocol.step(protocol, self, protocol.init(self), { _tag: "Start" })
    const batches = [{ view: 1, now: 0, before: 0, entries: [] }]
    const message = { _tag: "Prepare", view: 1, round: 1, at: 0, atView: 0, commit: 0, last: 1, batches } as const
    const then = Protocol.step(protocol, self, first.state, { _tag: "Message", from: "n1", message })
    expect(first.actions.map(({ _tag }) => _tag)).toEqual(["SetTimer", "Persist", "Emit", "Send", "Emit"])
    expect(then.actions).toEqual([
      { _tag: "Emit", event: { _tag: "Changed" } },
      { _tag: "Persist", record: { _tag: "Append", at: 0, commit: 0, batches } },
      { _tag: "Send", to: "n1", message: { _tag: "Ack", view: 1, round: 1, at: 1 } }
    ])
  })

  it("refuses bad options", async () => {
    const built = Effect.scoped(Layer.build(Passive.layer(Numbers, { suspectAfter: 1 })))
    const disk = Layer.merge(MemoryStorage.layer(), Memory.layer(Memory.network({ nodes }), "n1"))
    const failure = await Effect.runPromise(Effect.flip(Effect.provide(built, disk)))
    expect(failure.message).toContain("silentTicks")
  })

  it("executes at the primary, whoever asks, and reads what was written", async () => {
    const { value, violations } = await world({
      test: (_, at) =>
        Effect.gen(function* () {
          const answers = [yield* at("n2").invoke(put("x", 3)), yield* at("n3").invoke(add("x", 4))]
          answers.push(yield* at("n1").invoke(get("x")), yield* at("n2").invoke(get("x")))
          answers.push(yield* at("n2").invoke(get("x"), { read: "local" }))
          return [answers, yield* at("n1").status]
        })
    })
    expect(violations).toEqual([])
    expect(value).toEqual([
      [3, 7, 7, 7, 7],
      { role: "primary", view: 1, primary: "n1", members: nodes, applied: 2, committed: 2 }
    ])
  })

  it("goes on at another node where the primary has crashed", async () => {
    const { value, violations } = await world({
      test: (simulator, at) =>
        Effect.gen(function* () {
          yield* at("n2").invoke(put("x", 1))
          yield* simulator.crash("n1")
          const after = yield* at("n2").invoke(add("x", 1))
          const { primary, view } = yield* at("n2").status
          yield* simulator.restart("n1")
          yield* Effect.sleep("1 second")
          const back = yield* at("n1").invoke(add("x", 1))
          return [after, primary, view, back, (yield* at("n1").status).role]
        })
    })
    expect(violations).toEqual([])
    expect(value).toEqual([2, "n2", 2, 3, "backup"])
  })
})
