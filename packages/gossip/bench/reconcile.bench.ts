/**
 * Two replicas of 1,000,000 keys that differ in 1 to 10,000, until they are the same: bytes on the wire and time, by sketch and
 * by tree, beside the floor of sending the hashes of all keys.
 *
 *     node --conditions=@troupe/source packages/gossip/bench/reconcile.bench.ts [--json] [--keys 1000000] [--rounds 3]
 *
 * A key that differs has a newer version on one side, and the other side has another key that is newer: the harder case, in which each
 * different key has two fingerprints. Every message passes through the binary codec, and its bytes are counted. `entries`
 * are the entries themselves, of 8 bytes each with their keys, in both versions; `compared` is all else.
 * Times are medians: `decode` of the sketch's difference alone, `exchange` of all that both nodes do, codec and store included. The floor is one message of 8
 * bytes for each key, and a look-up for each.
 */
import { type Fingerprint, MerkleTree, SetSketch } from "@troupe/gossip"
import { parseArgs } from "node:util"
import { areSame, defaults, Replica, round, total, type Traffic } from "../test/antiEntropy/pair.ts"
import { seeded } from "../test/epidemic/rounds.ts"

const { values: given } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    keys: { type: "string", default: "1000000" },
    rounds: { type: "string", default: "3" }
  }
})
const keys = Number(given.keys)
const rounds = Number(given.rounds)
const sizes = [1, 10, 100, 1_000, 10_000].filter((differences) => differences <= keys)

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

const timed = <A>(run: () => A): readonly [A, number] => {
  const start = performance.now()
  const value = run()
  return [value, performance.now() - start]
}

const name = (i: number): string => `key/${i}`
const store = Array.from({ length: keys }, (_, i) => ({ key: name(i), version: "1" }))

// ------------------------------------------------------------------------------------------------------------------ building

/** Large enough that one exchange suffices. */
const large = { packetBytes: 65_536, messagesPerRound: 1_000_000, entriesPerRound: 1_000_000 }
const layout = { fanOut: defaults.fanOut, depth: defaults.depth, key: defaults.hashKey }
const methods = { sketch: 65_536, tree: 0 } as const

const built = (): Record<string, number> => {
  const times: Record<string, Array<number>> = { tree: [], sketch: [], "large sketch": [] }
  for (let i = 0; i < rounds; i++) {
    const [tree, treeMillis] = timed(() => MerkleTree.fromEntries(layout, store))
    const entries = MerkleTree.entries(tree)
    times.tree!.push(treeMillis)
    times.sketch!.push(timed(() => SetSketch.fromItems({ seed: 1, cells: defaults.sketchCells }, entries))[1])
    times["large sketch"]!.push(timed(() => SetSketch.fromItems({ seed: 1, cells: methods.sketch }, entries))[1])
  }
  return Object.fromEntries(Object.entries(times).map(([what, each]) => [`${what}, ms`, digits(median(each))]))
}

/** What one change of the store costs the index, on top of a node's message: by `Changed`, one at a time. */
const updating = (): number => {
  const changes = 100_000
  const replica = new Replica("n1", [])
  replica.hand.command({ _tag: "Load", entries: store })
  const random = seeded(2)
  const [, millis] = timed(() => {
    for (let i = 0; i < changes; i++) {
      const key = name(Math.floor(random() * keys))
      replica.hand.command({ _tag: "Changed", changes: [{ key, version: `${i}` }] })
    }
  })
  return digits((1_000 * millis) / changes)
}

// ---------------------------------------------------------------------------------------------------------------- exchanges

/** Both replicas with all keys; what differs is put in and taken back by writes, for building takes long. */
const replicas = (sketchCells: number): readonly [Replica, Replica] => {
  const all = store.map(({ key, version }) => [key, version] as const)
  const make = (id: string): Replica => new Replica(id, all, { ...large, sketchCells }, seeded(3))
  return [make("n1"), make("n2")]
}

interface Exchanged {
  readonly seen: Traffic
  readonly millis: number
  readonly method: string
}

let version = 1

const exchange = ([n1, n2]: readonly [Replica, Replica], differences: number): Exchanged => {
  version++
  const random = seeded(version)
  const chosen = new Set<number>()
  while (chosen.size < differences) chosen.add(Math.floor(random() * keys))
  const newer = `${version}`.padStart(8, "0")
  for (const [at, i] of [...chosen].entries()) (at % 2 === 0 ? n1 : n2).write(name(i), newer)
  const seen: Traffic = { bytes: {}, messages: {} }
  const [, millis] = timed(() => {
    do round(n1, n2, seen)
    while (n1.hand.state.tree.root.lo !== n2.hand.state.tree.root.lo)
  })
  return { seen, millis, method: n1.comparisons.at(-1)!.by }
}

const decoding = (differences: number): number => {
  const random = seeded(differences)
  const item = (): Fingerprint.Fingerprint => {
    const word = (): number => (random() * 2 ** 32) | 0
    return { position: word(), hi: word(), lo: word() }
  }
  const cells = Math.ceil(3.4 * differences) + 30
  const shape = { seed: 1, cells }
  const mine = SetSketch.fromItems(shape, Array.from({ length: differences }, item))
  const theirs = SetSketch.fromItems(shape, Array.from({ length: differences }, item))
  const row = SetSketch.decodeCells(SetSketch.encode(theirs, 0, cells), 0, cells, differences)!
  return median(Array.from({ length: Math.max(5, rounds) }, () => timed(() => SetSketch.difference(mine, row))[1]))
}

/** All hashes in one message, and a look-up for each: 64 bits, as the hash of an entry has. */
const floor = (): { readonly bytes: number; readonly millis: number } => {
  const pack = (salt: number): Float64Array =>
    Float64Array.from({ length: keys }, (_, i) => i * 2 + (i < 100 ? salt : 0))
  const [mine, theirs] = [pack(0), pack(1)]
  const [, millis] = timed(() => {
    const own = new Set(mine)
    const bytes = new Uint8Array(theirs.buffer.slice(0))
    let lacking = 0
    for (const hash of new Float64Array(bytes.buffer)) if (!own.has(hash)) lacking++
    if (lacking !== 100) throw new Error("the floor finds what differs")
  })
  return { bytes: 8 * keys, millis }
}

const report: Record<string, unknown> = { keys, build: built(), "a change of the store, µs": updating() }
for (const [method, sketchCells] of Object.entries(methods)) {
  const both = replicas(sketchCells)
  const rows: Record<string, unknown> = {}
  for (const differences of sizes) {
    const all = Array.from({ length: rounds }, () => exchange(both, differences))
    if (all.some((each) => each.method !== method)) throw new Error(`not all were compared by ${method}`)
    const of = (tags: ReadonlyArray<string>, isEntries: boolean) =>
      median(all.map(({ seen }) => (isEntries ? (seen.bytes.Entries ?? 0) : total(seen.bytes, tags))))
    rows[`${differences} differences`] = {
      "compared, bytes": of(["Entries"], false),
      "entries, bytes": of([], true),
      messages: median(all.map(({ seen }) => total(seen.messages))),
      "exchange, ms": digits(median(all.map(({ millis }) => millis))),
      ...(method === "sketch" ? { "decode, ms": digits(decoding(differences)) } : {})
    }
  }
  if (!areSame(...both)) throw new Error("the replicas differ")
  report[method] = rows
}
const { bytes, millis } = floor()
report["floor: all hashes"] = { "compared, bytes": bytes, "exchange, ms": digits(millis) }
console.log(given.json ? JSON.stringify(report) : JSON.stringify(report, undefined, 2))
