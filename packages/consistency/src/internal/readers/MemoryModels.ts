import { Result } from "effect"
import { fromIntervals, type Interval, type Value } from "../../History.ts"
import type { Reading } from "../../Reader.ts"
import { isName, kind } from "../Events.ts"
import { parseLine } from "../Json.ts"
import { MalformedHistory } from "../MalformedHistory.ts"
import { type Line, lines, malformed, type Source } from "../Source.ts"

/**
 * Small histories of registers that are 0 at first, one a line: `{"id":7,"procs":[[["w","x",1,0,3]],[["r","x",0,2,5]]]}`
 * has for each process its operations, with kind, register, value, and the times at which they began and ended.
 */
export const readMemoryModels = (source: Source): ReadonlyArray<Reading> =>
  Array.from(lines(source.text), (line) => readLine(source, line))

const readLine = (source: Source, line: Line): Reading => {
  const given = parseLine(source, line)
  const { id = line.number, procs } = (given ?? {}) as Record<string, unknown>
  if (!isName(id)) throw wrong(source, line, `"id": ${kind(id)}`, "a string or an integer")
  if (!Array.isArray(procs) || !procs.every(Array.isArray)) {
    throw wrong(source, line, `"procs": ${kind(procs)}`, "for each process an array of its operations")
  }
  const intervals = procs.flatMap((operations: ReadonlyArray<unknown>, process) =>
    operations.map((operation) => intervalOf(source, line, process, operation))
  )
  const history = Result.getOrElse(fromIntervals(intervals), ({ reason, index }) => {
    const file = source.file === undefined ? {} : { file: source.file }
    throw new MalformedHistory({ reason, index, line: line.number, ...file })
  })
  return {
    _tag: "Operations",
    format: "memory-models",
    id: `${id}`,
    history,
    specification: { name: "register", initial: 0 }
  }
}

const intervalOf = (source: Source, line: Line, process: number, given: unknown): Interval => {
  const [f, key, value, from, to] = Array.isArray(given) ? (given as ReadonlyArray<unknown>) : []
  if ((f !== "r" && f !== "w") || !isName(key) || typeof from !== "number" || typeof to !== "number") {
    throw wrong(source, line, `the operation ${kind(given)}`, `["r" or "w", register, value, invoked, returned]`)
  }
  const common = { process, key, from, to, line: line.number }
  return f === "r" ? { ...common, f: "read", output: value as Value } : { ...common, f: "write", input: value as Value }
}

const wrong = (source: Source, line: Line, found: string, expected: string) =>
  malformed(source, line.number, line.column, found, expected)
