import { type History, Reader } from "@troupe/consistency"
import { Result } from "effect"
import { existsSync, globSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, test } from "vitest"
import { operationsOf, transactionsOf } from "./support.ts"

const corpora = new URL("../../../../../shared/corpora/", import.meta.url)

describe.skipIf(!existsSync(corpora))("files of ../shared/corpora (skipped where they are absent)", () => {
  const files = (glob: string): ReadonlyArray<string> => globSync(`${fileURLToPath(corpora)}${glob}`)

  /** `specification` and how many operations or transactions are in `file`. */
  const read = (file: string) => {
    const readings = Result.getOrThrow(Reader.read(readFileSync(file, "utf8"), { file: basename(file) }))
    const [reading] = readings
    if (reading === undefined) throw new Error(`${file} has no history`)
    const specification = reading._tag === "Operations" ? reading.specification : undefined
    return { readings, reading, format: reading.format, specification }
  }

  /** The column `ops` of an expected.tsv, by the name of the file. */
  const counts = (file: string, column: number): ReadonlyMap<string, number> => {
    const rows = readFileSync(new URL(file, corpora), "utf8").trim().split("\n").slice(1)
    return new Map(rows.map((row) => row.split("\t")).map((row) => [basename(row[0]!), Number(row[column])]))
  }

  /** How many reads are left out that the tables count: their values are not known. */
  const unsaid = (format: Reader.Format, text: string): number => {
    const all = (pattern: RegExp) => text.match(pattern)?.length ?? 0
    if (format === "etcd-log") return all(/:invoke\s+:read/g) - all(/:ok\s+:read/g)
    return format === "knossos" ? all(/:type :ok, :f :read, :value nil/g) : 0
  }

  const knossos = { name: "cas-register", initial: 0 }
  const etcd = { name: "cas-register", initial: null }
  interface Table {
    readonly glob: string
    readonly format: Reader.Format
    readonly table: string
    /** Of the table, where the number of operations is. */
    readonly column: number
    readonly specification?: Reader.Implied
  }
  const tables: ReadonlyArray<Table> = [
    { glob: "knossos/**/*.edn", format: "knossos", table: "knossos/expected.tsv", column: 2, specification: knossos },
    {
      glob: "porcupine/jepsen/*.log",
      format: "etcd-log",
      table: "porcupine/expected_jepsen.tsv",
      column: 2,
      specification: etcd
    },
    {
      glob: "porcupine/kv/*.txt",
      format: "porcupine-kv",
      table: "porcupine/expected_kv.tsv",
      column: 3,
      specification: { name: "key-value", initial: "" }
    },
    { glob: "violin/histories/**/*.log", format: "violin", table: "violin/expected.tsv", column: 2 }
  ]
  test.each(tables)(
    "$glob: $format, with as many operations as in $table",
    ({ glob, format, table, column, specification }) => {
      const expectedOf = counts(table, column)
      const names = files(glob)
      expect(names.length).toBeGreaterThan(0)
      for (const name of names) {
        const reading = read(name)
        expect([name, reading.format]).toEqual([name, format])
        if (specification !== undefined) expect(reading.specification).toEqual(specification)
        const expected = expectedOf.get(basename(name)) ?? expectedOf.get(basename(name, ".txt"))
        const found = operationsOf(reading.reading).operations.length + unsaid(format, readFileSync(name, "utf8"))
        expect([name, found]).toEqual([name, expected])
      }
    }
  )

  test("memory-models: each line is a history, whose operations are ordered as their times are", () => {
    for (const name of files("memory-models/*.jsonl")) {
      const lines = readFileSync(name, "utf8").trim().split("\n")
      const { readings } = read(name)
      expect(readings.length).toBe(lines.length)
      readings.forEach((reading, i) => {
        const given = JSON.parse(lines[i]!) as {
          id: number | string
          procs: ReadonlyArray<ReadonlyArray<Array<number>>>
        }
        expect(reading.id).toBe(`${given.id}`)
        const places = given.procs.flatMap((operations, process) =>
          operations.map((times, i) => ({ process, i, times }))
        )
        const own = new Map<string, Array<History.Operation>>()
        for (const operation of operationsOf(reading).operations) {
          own.set(operation.process, [...(own.get(operation.process) ?? []), operation])
        }
        const found = places.map(({ process, i }) => own.get(`${process}`)![i]!)
        for (const [a, first] of places.entries()) {
          for (const [b, second] of places.entries()) {
            const isBefore = first.times[4]! < second.times[3]!
            if (found[a]!.returned < found[b]!.invoked !== isBefore) expect.fail(`${given.id}: ${a} and ${b}`)
          }
        }
      })
    }
  })

  test("awdit: each line that is no rule is an access", () => {
    const names = files("awdit/tests/**/*.txt")
    expect(names.length).toBeGreaterThan(0)
    for (const name of names) {
      const { reading, format } = read(name)
      expect([name, format]).toEqual([name, "awdit"])
      const accesses = transactionsOf(reading).transactions.flatMap(({ accesses }) => accesses)
      expect([name, accesses.length]).toEqual([name, readFileSync(name, "utf8").match(/^[rw] /gm)?.length])
    }
  })
})
