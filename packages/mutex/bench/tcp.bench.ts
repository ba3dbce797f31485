/**
 * Every lock among five nodes, each a process, over TCP on loopback.
 *
 * - alone: from asking to having left, where nobody else asks. Beside it the round trip of a bare message to one other
 *   node over the same transport, between the same processes; and the same ways as the lock's messages take until it may
 *   enter, but with bare messages: what five processes cost where there are fewer cores.
 * - contended: eight callers, two each on n1, n2 and n3, one each on n4 and n5, that enter again and again: entries a
 *   second, and how long a caller waits.
 *
 * All take turns; medians of the rounds.
 *
 *     node --conditions=@troupe/source packages/mutex/bench/tcp.bench.ts [--json] [--rounds 7] [--lock NAME ...]
 */
import { parseArgs } from "node:util"
import { type Cluster, start } from "./cluster.ts"
import type { Entries } from "./lockNode.ts"
import { type Lock, locks } from "./locks.ts"

const args = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    millis: { type: "string", default: "300" },
    lock: { type: "string", multiple: true, default: Object.keys(locks) }
  }
}).values
const [rounds, millis] = [Number(args.rounds), Number(args.millis)]
const entryCount = 200
const warmUps = 2_000

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))]!
const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)
const digits = (value: number): number => Number(value.toPrecision(3))

const ping = ({ ask }: Cluster, { askers }: Lock, ways: Lock["ways"], count: number): Promise<number> =>
  ask(askers[0], { _tag: "Ping", ways, count })

const alone = async ({ ask }: Cluster, [a, b]: Lock["askers"], count: number): Promise<number> => {
  if (b === undefined) return ask(a, { _tag: "Alone", count })
  const both = [
    ask(b, { _tag: "Turns", other: a, count: count / 2, begins: false }),
    ask(a, { _tag: "Turns", other: b, count: count / 2, begins: true })
  ]
  const [first, second] = await Promise.all(both)
  return (first + second) / 2
}

const callersOf: Record<string, number> = { n1: 2, n2: 2, n3: 2, n4: 1, n5: 1 }

const contended = async ({ askAll }: Cluster) => {
  const all: ReadonlyArray<Entries> = await askAll((node) => ({ _tag: "Contend", callers: callersOf[node]!, millis }))
  const tokens = all.flatMap((entries) => entries.tokens)
  if (new Set(tokens).size !== tokens.length) throw new Error("two entries had one token")
  return { rate: (tokens.length / millis) * 1000, waits: all.flatMap((entries) => entries.waits) }
}

const measure = async (cluster: Cluster, name: string) => {
  const lock = locks[name]!
  const { askers, rounds: trips, survives, ways, why } = lock
  const [asker, other = ways[0]![0]!] = askers
  const there = [[other, asker]]
  await cluster.askAll(() => ({ _tag: "Open", lock: name }))
  await ping(cluster, lock, there, warmUps)
  await ping(cluster, lock, ways, warmUps)
  await alone(cluster, askers, warmUps)
  await contended(cluster)
  const figures = { trip: [] as Array<number>, bare: [] as Array<number>, alone: [] as Array<number> }
  const rates: Array<number> = []
  const crowds: Array<ReadonlyArray<number>> = []
  for (let round = 0; round < rounds; round++) {
    figures.trip.push(await ping(cluster, lock, there, entryCount))
    figures.bare.push(await ping(cluster, lock, ways, entryCount))
    figures.alone.push(await alone(cluster, askers, entryCount))
    const crowd = await contended(cluster)
    rates.push(crowd.rate)
    crowds.push(crowd.waits)
  }
  await cluster.askAll(() => ({ _tag: "Close" }))
  const waits = crowds.flat()
  const wait = median(waits)
  const to = (floors: ReadonlyArray<number>): number => digits(median(figures.alone.map((all, i) => all / floors[i]!)))
  return {
    rounds: trips,
    why,
    "round trip, µs": digits(median(figures.trip) * 1000),
    "alone, µs": digits(median(figures.alone) * 1000),
    "to round trips": to(figures.trip.map((trip) => trips * trip)),
    "to bare messages": to(figures.bare),
    "survives a crash": survives,
    "contended, entries/s": Math.round(median(rates)),
    "median wait, ms": digits(wait),
    "p99 to median": digits(quantile(waits, 0.99) / wait)
  }
}

const cluster = await start()
const figures: Record<string, Awaited<ReturnType<typeof measure>>> = {}
for (const name of args.lock) figures[name] = await measure(cluster, name)
cluster.stop()

const report = {
  benchmark: "locks, five nodes, five processes, TCP on loopback; alone, and eight callers",
  unit: "medians",
  rounds,
  goal: "to round trips: at the most 1.5; p99 to median: at the most 3",
  locks: figures
}
if (args.json) console.log(JSON.stringify(report))
else console.table(Object.fromEntries(Object.entries(figures).map(([name, { why: _, ...row }]) => [name, row])))
