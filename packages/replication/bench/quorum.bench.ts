/**
 * Updates and reads a second through quorums, three nodes on the memory transport, disks in memory, 64 requests open at one
 * node: of 10,000 keys in turn, of one key, and of 64 keys at once; beside passive replication of the same machine.
 *
 *     node --conditions=@troupe/source packages/replication/bench/quorum.bench.ts [--json] [--rounds 5]
 */
import { type Machine, Passive, Quorum, Replicated, Trie } from "@troupe/replication"
import { MemoryStorage, type Storage } from "@troupe/storage"
import { Memory, type Transport } from "@troupe/transport"
import { Context, Effect, Layer, Schema } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "5" } }
}).values
const rounds = Number(given)

const nodes = ["n1", "n2", "n3"]
const operations = 40_000
const depth = 64

const Part = Schema.Struct({ key: Schema.String, value: Schema.Int })
type Parts = ReadonlyArray<typeof Part.Type>

/** Numbers by name: 0 reads. What it costs is replication, not the machine. */
const numbers: Machine.Machine<Trie.Trie<typeof Part.Type>, Parts, typeof Part.Type, ReadonlyArray<number>> = {
  name: "numbers",
  init: Trie.empty,
  request: Schema.Array(Part),
  update: Part,
  response: Schema.Array(Schema.Int),
  isRead: (parts) => parts[0]!.value === 0,
  execute: (state, parts) =>
    parts[0]!.value === 0
      ? { response: parts.map(({ key }) => Trie.get(state, key)?.value ?? 0), updates: [] }
      : { response: parts.map(({ value }) => value), updates: parts },
  apply: (state, part) => Trie.set(state, part),
  dump: (state) => Trie.from(state),
  keyed: {
    split: (parts) => parts.map((part) => ({ key: part.key, request: [part] })),
    join: (_parts, responses) => responses.flat()
  }
}

class Numbers extends Replicated.Service<Numbers>()("bench/Numbers", numbers) {}

const layers = {
  passive: Passive.layer(Numbers, { timeout: "1 minute" }),
  quorum: Quorum.layer(Numbers, { timeout: "1 minute" })
}

/** So many fibers, each with one request open, until all are done: parts a second. */
const load = (
  service: Replicated.Replicated<Parts, ReadonlyArray<number>>,
  request: (i: number) => Parts,
  size: number
) =>
  Effect.gen(function* () {
    let left = operations / size
    const client = Effect.gen(function* () {
      while (left-- > 0) yield* service.invoke(request(left))
    })
    const start = performance.now()
    yield* Effect.all(
      Array.from({ length: depth }, () => client),
      { concurrency: "unbounded", discard: true }
    )
    return (operations / (performance.now() - start)) * 1000
  })

const replicated = (layer: Layer.Layer<Numbers, unknown, Transport | Storage>, work: Work) =>
  Effect.scoped(
    Effect.gen(function* () {
      const network = Memory.network({ nodes })
      const services = yield* Effect.forEach(nodes, (node) =>
        Layer.build(layer.pipe(Layer.provide([Memory.layer(network, node), MemoryStorage.layer()])))
      )
      const service = Context.get(services[0]!, Numbers)
      const { keys, size, value } = work
      const request = (i: number): Parts =>
        Array.from({ length: size }, (_, j) => ({
          key: `key:${(i * size + j) % keys}`,
          value: value === 0 ? 0 : i + 1
        }))
      for (let i = 0; i * size < keys; i++) yield* service.invoke(request(i).map((part) => ({ ...part, value: 1 })))
      return yield* load(service, request, size)
    })
  )

interface Work {
  readonly keys: number
  readonly size: number
  readonly value: 0 | 1
}

const works: Readonly<Record<string, Work>> = {
  "updates of 10,000 keys in turn": { keys: 10_000, size: 1, value: 1 },
  "updates of one key": { keys: 1, size: 1, value: 1 },
  "updates of 64 keys at once": { keys: 10_000, size: 64, value: 1 },
  "reads of 10,000 keys in turn": { keys: 10_000, size: 1, value: 0 },
  "reads of one key": { keys: 1, size: 1, value: 0 },
  "reads of 64 keys at once": { keys: 10_000, size: 64, value: 0 }
}

const figures = new Map<string, Array<number>>()
for (let round = 0; round < rounds; round++) {
  for (const [what, work] of Object.entries(works)) {
    for (const [how, layer] of Object.entries(layers)) {
      const name = `${how}, ${what}`
      figures.set(name, [...(figures.get(name) ?? []), await Effect.runPromise(replicated(layer, work))])
    }
  }
}
const median = (all: ReadonlyArray<number>): number => all.toSorted((a, b) => a - b)[all.length >> 1]!
const results = [...figures].map(([name, all]) => ({ name, perSecond: Math.round(median(all)) }))
if (json) console.log(JSON.stringify(results))
else
  for (const { name, perSecond } of results) console.log(`${name.padEnd(45)} ${String(perSecond).padStart(9)} a second`)
