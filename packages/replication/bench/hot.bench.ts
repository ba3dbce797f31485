/**
 * One key that all of three nodes update at once, through quorums, on the memory transport with disks in memory: updates a
 * second, and how long a request waits.
 *
 *     node --conditions=@troupe/source packages/replication/bench/hot.bench.ts [--json] [--seconds 2] [--open 8]
 */
import { type Machine, Quorum, Replicated } from "@troupe/replication"
import { MemoryStorage } from "@troupe/storage"
import { Memory } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { parseArgs } from "node:util"

const { json, open, seconds } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    seconds: { type: "string", default: "2" },
    open: { type: "string", default: "8" }
  }
}).values

const nodes = ["n1", "n2", "n3"]

/** 0 reads. */
const sum: Machine.Machine<number, number, number, number> = {
  name: "sum",
  init: 0,
  request: Schema.Int,
  update: Schema.Int,
  response: Schema.Int,
  isRead: (amount) => amount === 0,
  execute: (state, amount) => ({ response: state + amount, updates: amount === 0 ? [] : [state + amount] }),
  apply: (_state, update) => update,
  dump: (state) => [state],
  keyed: { split: (amount) => [{ key: "hot", request: amount }], join: (_amount, [response]) => response as number }
}

class Sum extends Replicated.Service<Sum>()("bench/Sum", sum) {}

const program = Effect.gen(function* () {
  const network = Memory.network({ nodes })
  const services = yield* Effect.forEach(nodes, (node) =>
    Layer.build(Quorum.layer(Sum).pipe(Layer.provide([Memory.layer(network, node), MemoryStorage.layer()])))
  )
  const waits = nodes.map((): Array<number> => [])
  const start = performance.now()
  const ends = start + Number(seconds) * 1000
  const client = (at: number) =>
    Effect.gen(function* () {
      const service = Context.get(services[at]!, Sum)
      while (performance.now() < ends) {
        const begun = performance.now()
        yield* service.invoke(1)
        waits[at]!.push(performance.now() - begun)
      }
    })
  const clients = nodes.flatMap((_, at) => Array.from({ length: Number(open) }, () => client(at)))
  yield* Effect.all(clients, { concurrency: "unbounded", discard: true })
  const tookMillis = performance.now() - start
  const all = waits.flat().sort((a, b) => a - b)
  const done = yield* Context.get(services[0]!, Sum).invoke(0)
  if (done !== all.length) throw new Error(`${done} were done of ${all.length}: that is no rate`)
  const millis = (share: number): number => Number(all[Math.floor((all.length - 1) * share)]!.toFixed(2))
  return {
    "updates a second": Math.round((all.length * 1000) / tookMillis),
    "by node": waits.map(({ length }) => Math.round((length * 1000) / tookMillis)),
    "median ms": millis(0.5),
    "p99 ms": millis(0.99),
    "longest ms": millis(1)
  }
})

const report = await Effect.runPromise(Effect.scoped(program))
console.log(json ? JSON.stringify(report) : report)
