/**
 * Lamport timestamps a second, `next` and `receive` in turn, beside a plain counter.
 *
 *     node --conditions=@troupe/source packages/clocks/bench/clocks.bench.ts [--json] [--rounds 7]
 */
import { LamportTimestamp } from "@troupe/clocks"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)

const operations = 20_000_000

const timestamps = (): number => {
  let first = LamportTimestamp.zero("n1")
  let second = LamportTimestamp.zero("n2")
  for (let i = 0; i < operations; i += 2) {
    first = LamportTimestamp.next(first)
    second = LamportTimestamp.receive(second, first.time)
  }
  return second.time
}

const counter = (): number => {
  let first = 0
  let second = 0
  for (let i = 0; i < operations; i += 2) {
    first = first + 1
    second = Math.max(second, first) + 1
  }
  return second
}

const millionsPerSecond = (run: () => number): number => {
  globalThis.gc?.()
  const start = performance.now()
  if (run() !== operations / 2 + 1) throw new Error("the clocks are wrong")
  return operations / (performance.now() - start) / 1000
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

const figures = { timestamps: [] as Array<number>, counter: [] as Array<number> }
// The first round warms up.
for (let round = -1; round < rounds; round++) {
  const [stamped, counted] = [millionsPerSecond(timestamps), millionsPerSecond(counter)]
  if (round < 0) continue
  figures.timestamps.push(stamped)
  figures.counter.push(counted)
}
const report = {
  benchmark: "Lamport timestamps",
  unit: "million operations/s, medians",
  rounds,
  timestamps: digits(median(figures.timestamps)),
  floor: digits(median(figures.counter)),
  ratio: digits(median(figures.timestamps.map((value, round) => value / figures.counter[round]!)))
}
console.log(json ? JSON.stringify(report) : report)
