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

  it("goes on at another node where the primary is heard and hears nobody, which says no more that it is there", async () => {
    const { value, violations } = await world({
      test: (simulator, at) =>
        Effect.gen(function* () {
          yield* at("n2").invoke(put("x", 1))
          const mend = yield* simulator.cut(["n2", "n3"], ["n1"])
          const after = yield* at("n2").invoke(add("x", 1))
          const { role } = yield* at("n1").status
          yield* mend
          yield* Effect.sleep("1 second")
          return [after, role, yield* at("n1").invoke(get("x")), (yield* at("n1").status).role]
        })
    })
    expect(violations).toEqual([])
    expect(value).toEqual([2, "apart", 2, "backup"])
  })

  it("brings a replica that was away for longer than the log is kept a snapshot, while load goes on", async () => {
    const { value, violations } = await world({
      layer: { kept: 1 },
      test: (simulator, at) =>
        Effect.gen(function* () {
          const write = (from: number, to: number) =>
            Effect.all(
              Array.from({ length: to - from }, (_, i) => at("n2").invoke(put(`key ${from + i}`, from + i))),
              { concurrency: 8, discard: true }
            )
          yield* write(0, 10)
          yield* simulator.crash("n3")
          yield* write(10, 1300)
          yield* simulator.restart("n3")
          yield* write(1300, 1400)
          yield* Effect.sleep("2 seconds")
          const [one, other] = [yield* at("n1").status, yield* at("n3").status]
          const states = simulator.world.snapshot(Passive.protocol(numbers).name)
          const back = states.find(({ node }) => node === "n3")!.state as Passive.State
          const value = yield* at("n3").invoke(get("key 600"), { read: "local" })
          return [one.committed, other.committed, other.role, back.replica.log.base.at > 10, value]
        })
    })
    expect(violations).toEqual([])
    expect(value).toEqual([1400, 1400, "backup", true, 600])
  })

  it("comes back from fewer records with the same state, the same responses and the same log", () => {
    const protocol = Passive.protocol(numbers)
    const self = Protocol.self("n2", nodes, Passive.defaults)
    const batches = Array.from({ length: 10 }, (_, i) => ({
      ...{ view: 1, now: i, before: i },
      entries: [
        { client: 0, life: 1, counter: i + 1, floor: i, response: i, updates: [{ key: `k${i}`, value: i + 1 }] }
      ]
    }))
    const restore = protocol.durable!.restore
    const state = restore(protocol.init(self), { _tag: "Append", at: 0, commit: 7, batches }, self)
    const records = [...protocol.durable!.compact!({ ...state, life: 3, view: 5 })!]
    const again = records.reduce((each, record) => restore(each, record, self), protocol.init(self))
    expect([again.life, again.view]).toEqual([3, 5])
    const seen = ({ replica: { versions } }: Passive.State) =>
      versions.map(({ at, now, requests, state, table }) => ({ at, now, requests, state, ...table[0], chunks: 0 }))
    expect(seen(again)).toEqual(seen(state))
    expect(again.replica.log.base).toEqual({ at: 7, view: 1 })
    expect(records.map(({ _tag }) => _tag)).toEqual(["Life", "Piece", "Append", "Append", "Append"])
  })

  it("bounds what is in a round, in a message to who was away, and in a piece of a snapshot, by bytes", () => {
    const megabyte = 1024 * 1024
    const large = { ...numbers, sizeOf: (updates: ReadonlyArray<unknown>) => updates.length * megabyte }
    const protocol = Passive.protocol(large)
    const self = Protocol.self("n1", ["n1"], { ...Passive.defaults, pipeline: 1 })
    const after = (state: Passive.State, input: Protocol.Input<any, Passive.Command, any>) =>
      Protocol.step(protocol, self, state, input)
    const started = after(protocol.init(self), { _tag: "Start" })
    const vote = started.actions.find(({ _tag }) => _tag === "Send") as { readonly message: Passive.Message }
    const leads = after(started.state, { _tag: "Message", from: "n1", message: vote.message })
    const led = after(leads.state, { _tag: "Message", from: "n1", message: { _tag: "Ack", view: 1, round: 1, at: 1 } })
    const asked = Array.from({ length: 7 }, (_, i) => ({ counter: i + 1, request: put(`k${i}`, i + 1) }))
    let { state } = after(led.state, { _tag: "Command", command: { _tag: "Ask", life: 1, floor: 1, asked } })
    const counts = [state.waitingCount]
    for (let at = 2; state.rounds.length > 0; at++) {
      ;({ state } = after(state, { _tag: "Message", from: "n1", message: { _tag: "Ack", view: 1, round: at, at } }))
      counts.push(state.waitingCount)
    }
    expect(counts).toEqual([5, 3, 1, 0, 0])
    const fetched = after(state, { _tag: "Message", from: "n1", message: { _tag: "Fetch", view: 1, from: 1 } })
    expect(fetched.actions).toMatchObject([{ message: { _tag: "Prepare", at: 1, batches: [{ before: 0 }] } }])
    const pieces = [...protocol.durable!.compact!(state)!].filter(({ _tag }) => _tag === "Piece")
    expect(pieces.length).toBe(8)
  })

  it("refuses what is more than may wait, and says that nothing was changed", async () => {
    const { value } = await world({
      layer: { queue: 1, pipeline: 1 },
      test: (_, at) =>
        Effect.gen(function* () {
          const exits = yield* Effect.all(
            Array.from({ length: 5 }, () => Effect.exit(at("n1").invoke(add("x", 1)))),
            { concurrency: "unbounded" }
          )
          const refused = exits.filter((exit) => JSON.stringify(exit).includes("overloaded")).length
          return [refused, yield* at("n2").invoke(get("x"))]
        })
    })
    expect(value).toEqual([3, 2])
  })

  it("is in doubt where a request may have been executed, and says that a read changed nothing", async () => {
    const { value } = await world({
      layer: { timeout: "2 seconds" },
      test: (simulator, at) =>
        Effect.gen(function* () {
          yield* at("n1").invoke(put("x", 1))
          yield* simulator.split([["n1"], ["n2"], ["n3"]])
          const ends = [
            yield* Effect.flip(at("n1").invoke(put("x", 2))),
            yield* Effect.flip(at("n1").invoke(get("x"))),
            // By now it knows.
            yield* Effect.flip(at("n1").invoke(put("x", 3)))
          ]
          // The others go on without it, from what they have: the update that is in doubt is none of it.
          yield* simulator.split([nodes])
          yield* Effect.sleep("1 second")
          return [...ends.map((end) => (end as { readonly _tag: string })._tag), yield* at("n2").invoke(get("x"))]
        })
    })
    expect(value).toEqual(["InDoubt", "Unavailable", "Unavailable", 1])
  })
})
