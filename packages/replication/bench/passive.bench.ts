/**
 * Updates a second through passive replication, three nodes on the memory transport, 16 requests open at each of 4 clients,
 * disks in memory; beside a floor: the same messages and records in a bare loop over the same transport, which orders and
 * acknowledges, and nothing else.
 *
 *     node --conditions=@troupe/source packages/replication/bench/passive.bench.ts [--json] [--rounds 5]
 */
import { type Machine, Passive, Replicated } from "@troupe/replication"
import { MemoryStorage } from "@troupe/storage"
import { Channel, Memory, type Send } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given)

const nodes = ["n1", "n2", "n3"]
const updates = 40_000
const depth = 64

/** A register: what it costs is replication, not the machine. */
const register: Machine.Machine<number, number, number, number> = {
  name: "register",
  init: 0,
  request: Schema.Int,
  update: Schema.Int,
  response: Schema.Int,
  isRead: (value) => value === 0,
  execute: (state, value) => (value === 0 ? { response: state, updates: [] } : { response: value, updates: [value] }),
  apply: (_state, value) => value,
  dump: (state) => [state]
}

class Register extends Replicated.Service<Register>()("bench/Register", register) {}

/** So many fibers, each with one request open, until all are done. */
const load = (service: Replicated.Replicated<number, number>, request: number, clients: number) =>
  Effect.gen(function* () {
    let left = updates
    const client = Effect.gen(function* () {
      while (left-- > 0) yield* service.invoke(request)
    })
    const start = performance.now()
    yield* Effect.all(
      Array.from({ length: clients }, () => client),
      { concurrency: "unbounded", discard: true }
    )
    return (updates / (performance.now() - start)) * 1000
  })

const replicated = (request: number, at: number, clients: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const network = Memory.network({ nodes })
      const services = yield* Effect.forEach(nodes, (node) =>
        Layer.build(
          Passive.layer(Register, { timeout: "1 minute" }).pipe(
            Layer.provide([Memory.layer(network, node), MemoryStorage.layer()])
          )
        )
      )
      const service = Context.get(services[at]!, Register)
      yield* service.invoke(1)
      return yield* load(service, request, clients)
    })
  )

interface Numbered {
  readonly from: number
  readonly values: ReadonlyArray<number>
}

/** One sends what has come since the last acknowledgement to the others, and answers when both have acknowledged. */
const floor = Effect.scoped(
  Effect.gen(function* () {
    const network = Memory.network({ nodes })
    const channel = Channel.make("floor", Schema.Any as Schema.Codec<Numbered | number>)
    const logs: Array<Array<Numbered>> = nodes.map(() => [])
    const sends: Array<Send<Numbered | number>> = []
    let waiting: Array<() => void> = []
    let flying: Array<() => void> = []
    let acknowledged = 0
    const flush = (): void => {
      if (flying.length > 0 || waiting.length === 0) return
      flying = waiting
      waiting = []
      acknowledged = 0
      const message = { from: logs[0]!.length, values: flying.map(() => 1) }
      logs[0]!.push(message)
      for (const node of nodes.slice(1)) sends[0]!(node, message)
    }
    for (const [at, node] of nodes.entries()) {
      const transport = yield* Memory.connect(network, node)
      sends[at] = yield* transport.open(channel, (from, message) => {
        if (typeof message !== "number") {
          logs[at]!.push(message)
          sends[at]!(from, message.from)
        } else if (++acknowledged === nodes.length - 1) {
          const done = flying
          flying = []
          for (const each of done) each()
          flush()
        }
      })
    }
    const service = {
      invoke: () =>
        Effect.callback<number>((resume) => {
          waiting.push(() => resume(Effect.succeed(1)))
          flush()
        })
    }
    return yield* load(service as never, 1, depth)
  })
)

const cases = {
  "floor: a bare loop that orders and acknowledges": floor,
  "updates, at the primary, 64 open": replicated(1, 0, depth),
  "updates, from a backup, 64 open": replicated(1, 1, depth),
  "updates, at the primary, 16 open": replicated(1, 0, 16),
  "linearizable reads, at the primary, 64 open": replicated(0, 0, depth),
  "linearizable reads, from a backup, 64 open": replicated(0, 1, depth)
}

const figures = new Map<string, Array<number>>()
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of Object.entries(cases)) {
    const figure = await Effect.runPromise(run)
    figures.set(name, [...(figures.get(name) ?? []), figure])
  }
}
const median = (all: ReadonlyArray<number>): number => all.toSorted((a, b) => a - b)[all.length >> 1]!
const results = [...figures].map(([name, all]) => ({ name, perSecond: Math.round(median(all)) }))
if (json) console.log(JSON.stringify(results))
else {
  const base = results[0]!.perSecond
  for (const { name, perSecond } of results) {
    console.log(
      `${name.padEnd(50)} ${String(perSecond).padStart(9)} a second  ${(perSecond / base).toFixed(2)} of the floor`
    )
  }
}
