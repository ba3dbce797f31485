/**
 * Reading histories of 10,000 operations in each format, beside `JSON.parse` of the same events as one array.
 *
 *     node --conditions=@troupe/source packages/consistency/bench/readers.bench.ts [--json] [--rounds 15]
 */
import { Reader } from "@troupe/consistency"
import { Result } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "15" } }
}).values
const rounds = Number(given)

const operations = 10_000
const processes = 5

/** Writes and reads of five processes that run side by side. */
const events = Array.from({ length: 2 * operations }, (_, i) => {
  const process = i % processes
  const turn = Math.floor(i / processes)
  const type = turn % 2 === 0 ? "invoke" : "ok"
  const f = Math.floor(turn / 2) % 2 === 0 ? "write" : "read"
  return { process, type, f, value: f === "read" && type === "invoke" ? null : turn >> 1 }
})

const edn = (value: number | null): string => (value === null ? "nil" : `${value}`)
const number = (i: number): number => Math.floor(i / (2 * processes)) * processes + (i % processes)
const lines = (line: (event: (typeof events)[number], i: number) => string): string =>
  `${events.map(line).join("\n")}\n`
const accesses = Array.from({ length: operations }, (_, i) => ({
  kind: i % 2 === 0 ? "w" : "r",
  key: i % 50,
  value: i
}))

const texts: ReadonlyArray<readonly [format: Reader.Format, text: string]> = [
  ["ndjson", lines((event) => JSON.stringify(event))],
  [
    "knossos",
    lines(({ process, type, f, value }) => `{:process ${process}, :type :${type}, :f :${f}, :value ${edn(value)}}`)
  ],
  [
    "porcupine-kv",
    lines(({ process, type, f, value }) => {
      const text = value === null ? "nil" : `"x ${value} y"`
      return `{:process ${process}, :type :${type}, :f :${f === "read" ? "get" : "put"}, :key "${process}", :value ${text}}`
    })
  ],
  [
    "etcd-log",
    lines(({ process, type, f, value }) => `INFO  jepsen.util - ${process}\t:${type}\t:${f}\t${edn(value)}`)
  ],
  [
    "violin",
    `# @object atomic-queue\n${lines(({ type, f, value }, i) => {
      if (type === "invoke") return `[${number(i)}] call ${f === "read" ? "remove" : `add(${value})`}`
      return `[${number(i)}] return${f === "read" ? ` ${value}` : ""}`
    })}`
  ],
  [
    "awdit",
    accesses.map(({ kind, key, value }, i) => `${kind} ${key} ${value}${i % 5 === 4 ? "\n---" : ""}`).join("\n")
  ],
  [
    "polysi",
    accesses
      .map(({ kind, key, value }, i) => `${kind}(${key},${value},${i % 24},${Math.floor(i / 120) * 24 + (i % 24)})`)
      .join("\n")
  ]
]

const count = ([reading]: ReadonlyArray<Reader.Reading>): number => {
  if (reading?._tag === "Operations") return reading.history.operations.length
  return reading?.history.transactions.reduce((sum, { accesses }) => sum + accesses.length, 0) ?? 0
}

const millis = (run: () => number): number => {
  globalThis.gc?.()
  const start = performance.now()
  if (run() !== operations) throw new Error("the readers are wrong")
  return performance.now() - start
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

const array = JSON.stringify(events)
const floor = (): number => (JSON.parse(array) as ReadonlyArray<unknown>).length / 2

const figures: Record<string, Array<number>> = { floor: [] }
// The first round warms up.
for (let round = -1; round < rounds; round++) {
  const took: Array<readonly [name: string, millis: number]> = [["floor", millis(floor)]]
  for (const [format, text] of texts) {
    took.push([format, millis(() => count(Result.getOrThrow(Reader.read(text))))])
  }
  if (round >= 0) for (const [name, time] of took) (figures[name] ??= []).push(time)
}

const report = {
  benchmark: "reading 10,000 operations",
  unit: "ms, medians; the floor is JSON.parse of the events",
  rounds,
  ...Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, digits(median(values))]))
}
console.log(json ? JSON.stringify(report) : report)
