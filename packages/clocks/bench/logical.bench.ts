/**
 * Vector clocks compared and merged, beside the peers on npm and a bare `Uint32Array` that is copied; ticks of a hybrid
 * logical clock; events and encodings of an interval tree clock.
 *
 *     node --conditions=@troupe/source packages/clocks/bench/logical.bench.ts [--json] [--rounds 7]
 *
 * Half of the pairs are ordered, so that all counts are read, half are concurrent. Each contestant's answers are added up
 * and must agree with what the others answered: no rate is told of work that was not done.
 */
import * as peer from "@thi.ng/vclock"
import { parseArgs } from "node:util"
// @ts-expect-error It has no types.
import untyped from "vectorclock"
import * as HybridTimestamp from "../src/HybridTimestamp.ts"
import * as IntervalTreeClock from "../src/IntervalTreeClock.ts"
import * as VectorClock from "../src/VectorClock.ts"

interface VectorClockPackage {
  readonly compare: (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>) => number
  readonly merge: (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>) => Record<string, number>
}
const vectorclock: VectorClockPackage = untyped

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)

// ------------------------------------------------------------------------------------------------------------- the pairs

interface Pair<A> {
  readonly first: A
  readonly second: A
}

const pairCount = 512

/** Ordered and concurrent pairs in turn, of counts up to 1,000. */
const pairsOf = (nodes: number): ReadonlyArray<Pair<ReadonlyArray<number>>> => {
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  return Array.from({ length: pairCount }, (_, i) => {
    const first = Array.from({ length: nodes }, () => 1 + random(1_000))
    const second = first.map((count) => count + random(3))
    const place = random(nodes)
    second[place]! += 1
    // Concurrent by one count, somewhere.
    if (i % 2 === 1) second[(place + 1 + random(nodes - 1)) % nodes] = 0
    return { first, second }
  })
}

const both = <A, B>(pairs: ReadonlyArray<Pair<A>>, to: (value: A) => B): ReadonlyArray<Pair<B>> =>
  pairs.map(({ first, second }) => ({ first: to(first), second: to(second) }))

// ----------------------------------------------------------------------------------------------------------- the contest

/** Does `operations` of its work and returns the sum of the answers. */
type Run = (operations: number) => number

const sum =
  <A>(pairs: ReadonlyArray<Pair<A>>, answer: (first: A, second: A) => number): Run =>
  (operations) => {
    let total = 0
    for (let i = 0; i < operations; i++) {
      const { first, second } = pairs[i % pairCount]!
      total += answer(first, second)
    }
    return total
  }

const signs = { before: -1, after: 1, equal: 0, concurrent: 0 }

const compareTyped = (first: Uint32Array, second: Uint32Array): number => {
  let more = false
  let less = false
  for (let i = 0; i < first.length; i++) {
    const difference = first[i]! - second[i]!
    if (difference > 0) more = true
    else if (difference < 0) less = true
    if (more && less) return 0
  }
  return more ? 1 : less ? -1 : 0
}

const mergeTyped = (first: Uint32Array, second: Uint32Array): Uint32Array => {
  const merged = new Uint32Array(first)
  for (let i = 0; i < merged.length; i++) {
    const other = second[i]!
    if (other > merged[i]!) merged[i] = other
  }
  return merged
}

const contestants = (nodes: number): Readonly<Record<string, { readonly compare: Run; readonly merge: Run }>> => {
  const pairs = pairsOf(nodes)
  const names = Array.from({ length: nodes }, (_, i) => `n${i}`)
  const group = VectorClock.group(names)
  const last = names.at(-1)!
  const records = both(pairs, (counts) => Object.fromEntries(counts.map((count, i) => [names[i]!, count])))
  const clocks = both(records, (record) => VectorClock.make(group, record))
  const typed = both(pairs, (counts) => Uint32Array.from(counts))
  return {
    troupe: {
      compare: sum(clocks, (first, second) => signs[VectorClock.compare(first, second)]),
      merge: sum(clocks, (first, second) => VectorClock.merge(first, second).counts[nodes - 1]!)
    },
    thingVclock: {
      compare: sum(records, peer.compare),
      merge: sum(records, (first, second) => peer.merge(first, second)[last]!)
    },
    vectorclock: {
      compare: sum(records, vectorclock.compare),
      merge: sum(records, (first, second) => vectorclock.merge(first, second)[last]!)
    },
    typedArray: {
      compare: sum(typed, compareTyped),
      merge: sum(typed, (first, second) => mergeTyped(first, second)[nodes - 1]!)
    }
  }
}

// -------------------------------------------------------------------------------------------------------------- measuring

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

/** Millions a second. The sum must be what is expected of so many operations. */
const rate = (run: Run, operations: number, expected: number): number => {
  globalThis.gc?.()
  const start = performance.now()
  if (run(operations) !== expected) throw new Error("an answer is wrong")
  return operations / (performance.now() - start) / 1000
}

const contest = (nodes: number, kind: "compare" | "merge") => {
  const all = Object.entries(contestants(nodes)).map(([name, runs]) => ({ name, run: runs[kind] }))
  const expected = all[0]!.run(pairCount)
  // So many that a round takes the quick ones milliseconds and the slow ones not seconds.
  const passes = (name: string): number =>
    Math.ceil((name === "troupe" || name === "typedArray" ? 20_000 : 1_000) / nodes)
  const rates = new Map<string, Array<number>>(all.map(({ name }) => [name, []]))
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (const { name, run } of all) {
      const figure = rate(run, pairCount * passes(name), expected * passes(name))
      if (round >= 0) rates.get(name)!.push(figure)
    }
  }
  const mine = rates.get("troupe")!
  const ratioTo = (name: string): number =>
    digits(median(mine.map((figure, round) => figure / rates.get(name)![round]!)))
  return {
    ...Object.fromEntries([...rates].map(([name, figures]) => [name, digits(median(figures))])),
    ratios: Object.fromEntries(["thingVclock", "vectorclock", "typedArray"].map((name) => [name, ratioTo(name)]))
  }
}

/** The time goes on by a millisecond every 16 ticks; all timestamps are kept for a while, so that they are really made. */
const hybridTicks: Run = (operations) => {
  const start = 1_760_000_000_000
  const kept = Array.from({ length: 1024 }, () => HybridTimestamp.zero)
  let clock = HybridTimestamp.zero
  for (let i = 0; i < operations; i++) {
    clock = HybridTimestamp.tick(clock, start + (i >> 4))
    kept[i & 1023] = clock
  }
  const inLastMillisecond = kept.filter(({ physical }) => physical === clock.physical)
  return clock.physical - start + inLastMillisecond.length
}

/** Events of eight parties in turn, whose stamps meet now and then; each is encoded. */
const treeEvents: Run = (operations) => {
  let parties: ReadonlyArray<IntervalTreeClock.IntervalTreeClock> = [IntervalTreeClock.seed]
  for (let i = 0; i < 3; i++) parties = parties.flatMap((party) => IntervalTreeClock.fork(party))
  const stamps = [...parties]
  let bytes = 0
  for (let i = 0; i < operations; i++) {
    const place = i % 8
    const heard = IntervalTreeClock.peek(stamps[(i * 5 + 3) % 8]!)
    const before = i % 4 === 0 ? IntervalTreeClock.join(stamps[place]!, heard) : stamps[place]!
    stamps[place] = IntervalTreeClock.event(before)
    bytes += IntervalTreeClock.toBytes(stamps[place]).length
  }
  return bytes
}

const alone = (run: Run, operations: number, expected: number): number =>
  digits(median(Array.from({ length: rounds + 1 }, () => rate(run, operations, expected)).slice(1)))

const ticks = 20_000_000
const events = 50_000
const report = {
  benchmark: "logical clocks",
  unit: "million operations/s, medians; ratios are troupe's rate to the other's, median of rounds",
  rounds,
  compareOf10: contest(10, "compare"),
  compareOf100: contest(100, "compare"),
  mergeOf10: contest(10, "merge"),
  mergeOf100: contest(100, "merge"),
  hybridTicks: alone(hybridTicks, ticks, (ticks >> 4) - 1 + 16),
  treeEventsWithEncoding: alone(treeEvents, events, treeEvents(events))
}
console.log(json ? JSON.stringify(report) : report)
