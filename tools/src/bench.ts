/**
 * Runs the benchmarks of a package: `npm run bench -- mutex`, or `-- mutex RicartAgrawala` for one file of them.
 *
 * A file `bench/X.bench.ts` exports by default a record of functions, each named after what it measures and its unit:
 * `"entries/s, 5 nodes": () => number`. One that returns nothing is measured in milliseconds. Each runs once to warm up
 * and then seven times, in a process of its own file; what comes out is JSON, with the median and the range.
 */
import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import { root } from "./Workspace.ts"

export type Benchmarks = Readonly<Record<string, () => number | void | Promise<number | void>>>

interface Figure {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly runs: number
}

const runs = 7

export const median = (figures: ReadonlyArray<number>): number => {
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Four digits: a benchmark tells no more. */
const round = (figure: number): number => Number(figure.toPrecision(4))

const measure = async (benchmark: Benchmarks[string]): Promise<Figure> => {
  const figures: Array<number> = []
  for (let run = 0; run <= runs; run++) {
    globalThis.gc?.()
    const start = performance.now()
    const figure = (await benchmark()) ?? performance.now() - start
    if (run > 0) figures.push(figure)
  }
  return { median: round(median(figures)), min: round(Math.min(...figures)), max: round(Math.max(...figures)), runs }
}

const measureFile = async (path: string): Promise<Readonly<Record<string, Figure>>> => {
  const { default: benchmarks } = (await import(pathToFileURL(path).href)) as { readonly default?: Benchmarks }
  if (benchmarks === undefined) throw new Error(`${path} has no default export: give it a record of functions.`)
  const figures: Record<string, Figure> = {}
  for (const [name, benchmark] of Object.entries(benchmarks)) figures[name] = await measure(benchmark)
  return figures
}

const main = async (arguments_: ReadonlyArray<string>): Promise<number> => {
  if (arguments_[0] === "--file") {
    console.log(JSON.stringify(await measureFile(arguments_[1]!)))
    return 0
  }
  const [room, only = "*"] = arguments_
  const files = room === undefined ? [] : globSync(`packages/${room}/bench/${only}.bench.ts`, { cwd: root }).toSorted()
  if (files.length === 0) {
    console.error(`Usage: npm run bench -- <package> [<file>]. There is no packages/${room}/bench/${only}.bench.ts.`)
    return 1
  }
  const report: Record<string, unknown> = {}
  for (const file of files) {
    const options = ["--expose-gc", "--conditions=@troupe/source", import.meta.filename, "--file", join(root, file)]
    const child = spawnSync(process.execPath, options, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
    if (child.status !== 0) return 1
    report[basename(file, ".bench.ts")] = JSON.parse(child.stdout.trim().split("\n").at(-1)!)
  }
  console.log(JSON.stringify({ package: room, node: process.version, benchmarks: report }, undefined, 2))
  return 0
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)))
