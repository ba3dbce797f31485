/**
 * Milliseconds to check the recorded histories of shared/corpora, beside what Porcupine took for the same files.
 *
 *     node --conditions=@troupe/source packages/consistency/bench/linearizable.bench.ts [--json] [--rounds 15]
 */
import { Linearizable, Reader, Specifications } from "@troupe/consistency"
import { Result } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "15" } }
}).values
const rounds = Number(given)

const folder = new URL("../../../../shared/corpora/", import.meta.url)
const text = (file: string): string => readFileSync(new URL(file, folder), "utf8")

const rows = (file: string): ReadonlyArray<ReadonlyArray<string>> =>
  text(file)
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))

interface Recorded {
  readonly file: string
  readonly porcupine: number
}

const violin = (pattern: RegExp): ReadonlyArray<Recorded> =>
  rows("violin/expected.tsv")
    .filter(([name]) => pattern.test(name!))
    .map(([name, , , , , millis]) => ({
      file: name!.replace("violin/", "violin/histories/"),
      porcupine: Number(millis)
    }))

const sets = (): Readonly<Record<string, ReadonlyArray<Recorded>>> => ({
  etcd: rows("porcupine/expected_jepsen.tsv").map(([file, , , millis]) => ({
    file: `porcupine/jepsen/${file}`,
    porcupine: Number(millis)
  })),
  keyValue: rows("porcupine/expected_kv.tsv")
    .filter(([, partitioned]) => partitioned === "true")
    .map(([name, , , , millis]) => ({ file: `porcupine/kv/${name}.txt`, porcupine: Number(millis) })),
  knossos: rows("knossos/expected.tsv")
    .map(([name, , , , verdict, millis]) => ({
      file: `knossos/cas-register/${verdict === "true" ? "good" : "bad"}/${name!.replace("knossos/", "")}`,
      porcupine: Number(millis)
    }))
    .filter(({ file }) => existsSync(new URL(file, folder))),
  smallQueues: violin(/small/),
  stacks: violin(/my-/),
  largeQueues: violin(/big/)
})

const load = ({ file }: Recorded) => {
  const [reading] = Result.getOrThrow(Reader.read(text(file), { file }))
  if (reading?._tag !== "Operations") throw new Error(`${file} holds no operations`)
  const { name = "cas-register", ...options } = reading.specification ?? {}
  return { history: reading.history, spec: Specifications.find(name, options)! }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const digits = (value: number): number => Number(value.toPrecision(3))

const measure = (recorded: ReadonlyArray<Recorded>) => {
  const loaded = recorded.map(load)
  const millis: Array<number> = []
  // The first round is cold, and told apart.
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now()
    for (const { history, spec } of loaded) {
      if (Linearizable.check(history, spec)._tag === "Unknown") throw new Error("a history is undecided")
    }
    millis.push(performance.now() - start)
  }
  const [cold, ...warm] = millis
  const porcupine = recorded.reduce((sum, { porcupine }) => sum + porcupine, 0)
  return {
    files: recorded.length,
    cold: digits(cold!),
    warm: digits(median(warm)),
    best: digits(Math.min(...warm)),
    porcupine: digits(porcupine),
    ratio: digits(median(warm) / porcupine)
  }
}

if (!existsSync(folder)) throw new Error("There is nothing to measure: shared/corpora is not beside the repository.")
const report: Record<string, unknown> = {
  benchmark: "linearizability of recorded histories",
  unit: "ms in total, median of rounds; Porcupine's as recorded in the corpus",
  rounds
}
for (const [name, recorded] of Object.entries(sets())) report[name] = measure(recorded)
console.log(json ? JSON.stringify(report) : report)
