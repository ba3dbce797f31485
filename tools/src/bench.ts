/**
 * Runs the benchmarks of a package, and prints what they report as one JSON: `npm run bench -- mutex`.
 *
 * A benchmark is a program `bench/X.bench.ts` that prints its medians, with their units, as JSON when it is given
 * `--json`. Each runs alone, in a process that may call the garbage collector. `npm run bench -- mutex --rounds 3` hands
 * on what follows the package.
 */
import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { basename, join } from "node:path"
import { root } from "./Workspace.ts"

const options = ["--expose-gc", "--conditions=@troupe/source"]

/** All that a program printed, or its last line, as JSON. */
export const parseReport = (output: string): unknown => {
  for (const text of [output, output.trim().split("\n").at(-1) ?? ""]) {
    try {
      return JSON.parse(text)
    } catch {
      // The next one may be.
    }
  }
  return undefined
}

const main = (room: string | undefined, handedOn: ReadonlyArray<string>): number => {
  const files = room === undefined ? [] : globSync(`{packages,apps}/${room}/bench/*.bench.ts`, { cwd: root }).toSorted()
  if (files.length === 0) {
    console.error(`Usage: npm run bench -- <package>. There is no packages/${room ?? "<package>"}/bench/*.bench.ts.`)
    return 1
  }
  const reports: Record<string, unknown> = {}
  for (const file of files) {
    const { status, stdout } = spawnSync(process.execPath, [...options, join(root, file), "--json", ...handedOn], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"]
    })
    const report = parseReport(stdout)
    if (status !== 0 || report === undefined) {
      console.error(`${file} ${status === 0 ? "printed no JSON" : "failed"}:\n${stdout}`)
      return 1
    }
    reports[basename(file, ".bench.ts")] = report
  }
  console.log(JSON.stringify({ package: room, node: process.version, reports }, undefined, 2))
  return 0
}

if (import.meta.main) process.exitCode = main(process.argv[2], process.argv.slice(3))
