/**
 * Runs inside an example: compares what it prints with what it says it prints.
 */
import { format, inspect } from "node:util"

const squeeze = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

const missing = new Set<number>()

const compare = (line: number, expected: string, actual: ReadonlyArray<string>): void => {
  missing.delete(line)
  if (actual.some((text) => squeeze(text) === squeeze(expected))) return
  console.error(`expectation:${line}:It says "${expected}", but it is "${squeeze(actual[0]!)}".`)
  process.exitCode = 1
}

process.on("exit", () => {
  for (const line of missing) console.error(`expectation:${line}:This line was not reached.`)
  if (missing.size > 0) process.exitCode = 1
})

Object.assign(globalThis, {
  expectedLines: (...lines: ReadonlyArray<number>) => lines.forEach((line) => missing.add(line)),
  expectedLog:
    (line: number, expected: string) =>
    (...values: ReadonlyArray<unknown>): void => {
      console.log(...values)
      compare(line, expected, [format(...values)])
    },
  expectedValue: <A>(line: number, expected: string, value: A): A => {
    compare(line, expected, [inspect(value), JSON.stringify(value) ?? "undefined", String(value)])
    return value
  }
})
