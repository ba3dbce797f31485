/**
 * The gossip architecture: how many updates three replica managers take and all execute, without a network; and how many
 * operations a second clients do over the memory transport, each when the one before is answered.
 *
 * - machine: the very protocol, messages handed over by a queue. Its floor: the same values and messages, by a bare loop that
 *   appends to three logs and applies.
 * - clients: with the driver, storage in memory and the service, beside a query, which needs the network and no gossip.
 *
 *     node --conditions=@troupe/source packages/gossip/bench/architecture.bench.ts [--json] [--updates 30000]
 */
import { GossipArchitecture } from "@troupe/gossip"
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { parseArgs } from "node:util"
import { Protocol } from "@troupe/actor"

const { json, updates: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, updates: { type: "string", default: "30000" } }
}).values
const updates = Number(given)

/** What this process has had of the machine's cores: other processes take their share of real time. */
const coreMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}
const digits = (value: number): number => Number(value.toPrecision(3))
const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
const times = 5

const sum: GossipArchitecture.Application<number, number, void, number> = {
  name: "sum",
  empty: 0,
  values: Schema.Number,
  updates: Schema.Number,
  queries: Schema.Void,
  answers: Schema.Number,
  apply: (value, update) => value + update,
  query: (value) => value
}
const replicas = ["r1", "r2", "r3"]
const protocol = GossipArchitecture.protocolOf(sum)

/** All updates at three replica managers in turn, with an interval now and then; per second of a core. */
const machine = (updatesPerGossip: number): number => {
  const options = { ...GossipArchitecture.defaults, replicas, updatesPerGossip }
  const nodes = [...replicas, "c1"]
  const selves = new Map(replicas.map((id) => [id, Protocol.self(id, nodes, options)]))
  const states = new Map(replicas.map((id) => [id, protocol.init(selves.get(id)!)]))
  let now = 1e12
  const from = { now: () => now, monotonic: () => now, random: () => 0.5 }
  const step = (id: string, input: Protocol.Input<any, any, any>): void => {
    const { actions, state } = Protocol.step(protocol, selves.get(id)!, states.get(id)!, input, from)
    states.set(id, state)
    for (const action of actions) {
      if (action._tag === "Send" && action.to !== "c1")
        step(action.to, { _tag: "Message", from: id, message: action.message })
    }
  }
  const prev = [0, 0, 0, 0]
  const started = coreMillis()
  for (let i = 1; i <= updates; i++) {
    const request = { node: "c1", life: 1, sequence: i, answered: i - 1, time: now, prev, update: 1, order: "causal" }
    step(replicas[i % 3]!, { _tag: "Message", from: "c1", message: { _tag: "Update", request } })
    if (i % 100 === 0) {
      now += 100
      for (const id of replicas) step(id, { _tag: "Timeout", timer: "gossip" })
    }
  }
  for (let i = 0; i < 4; i++) for (const id of replicas) step(id, { _tag: "Timeout", timer: "gossip" })
  const took = coreMillis() - started
  for (const { replica } of states.values()) {
    if (replica!.value !== updates) throw new Error(`${String(replica!.value)} of ${updates} updates were executed`)
  }
  return (updates / took) * 1_000
}

/** Per second of a core: each update a record in three logs, applied three times. */
const floor = (): number => {
  const logs: Array<Array<unknown>> = [[], [], []]
  const values = [0, 0, 0]
  const started = coreMillis()
  for (let i = 1; i <= updates; i++) {
    const record = { part: i % 3, number: i, prev: [0, 0, 0, 0], client: "c1/1", sequence: i, update: 1 }
    for (let at = 0; at < 3; at++) {
      logs[at]!.push({ ...record, prev: record.prev.with(record.part, i) })
      values[at]! += record.update
      if (logs[at]!.length > 100) logs[at] = []
    }
  }
  return (updates / Math.max(0.001, coreMillis() - started)) * 1_000
}

/** Operations a second of a core of nine clients at three replica managers, and how long one takes alone. */
const clients = (kind: "update" | "query") =>
  Effect.gen(function* () {
    const names = Array.from({ length: 9 }, (_, i) => `c${i + 1}`)
    const network = Memory.network({ nodes: [...replicas, ...names] })
    const Key = GossipArchitecture.key(sum)
    const fronts: Array<GossipArchitecture.FrontEnd<number, number, void, number>> = []
    for (const id of [...replicas, ...names]) {
      const layer = GossipArchitecture.layer(Key, sum, { replicas }).pipe(
        Layer.provide([Memory.layer(network, id), MemoryStorage.layer()])
      )
      fronts.push(Context.get(yield* Layer.build(layer), Key))
    }
    const each = Math.ceil(updates / 30)
    const work = (front: (typeof fronts)[number]) =>
      Effect.repeat(kind === "update" ? Effect.asVoid(front.update(1)) : Effect.asVoid(front.query()), { times: each })
    const started = coreMillis()
    yield* Effect.forEach(fronts.slice(3), work, { concurrency: "unbounded" })
    return ((9 * each) / (coreMillis() - started)) * 1_000
  }).pipe(Effect.scoped)

const measured = async (run: () => number | Promise<number>): Promise<number> => {
  const all: Array<number> = []
  for (let i = 0; i < times; i++) all.push(await run())
  return digits(median(all))
}

const result = {
  unit: "per second of a core, medians of 5",
  "machine: updates executed by three, G = 8": await measured(() => machine(8)),
  "machine: updates executed by three, G = 64": await measured(() => machine(64)),
  "floor: a bare loop": await measured(floor),
  "clients: updates": await measured(() => Effect.runPromise(clients("update"))),
  "clients: queries": await measured(() => Effect.runPromise(clients("query")))
}
if (json) console.log(JSON.stringify(result))
else console.table(result)
