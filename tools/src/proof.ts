/**
 * The long proof of a package, seed by seed in simulated worlds: `npm run proof -- mutex --seeds 2000`.
 *
 * Each `proof/*.proof.ts` of a package, or an app, exports as default the worlds that it holds its algorithms to. Seeds are
 * shared out among threads; what they come to does not depend on how. Prints a table, or with `--json` the same as JSON,
 * and exits with 1 where a run broke a guarantee or took longer to go on than its bound.
 */
import { globSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { root } from "./Workspace.ts"

/** An algorithm in one kind of world. */
export interface Proof {
  readonly algorithm: string
  /** What goes wrong in that world: a preset, as far as the card assumes nothing against it. */
  readonly preset: string
  readonly run: (seed: number) => Promise<Run>
}

/** What one seed came to. */
export interface Run {
  /** The names of the guarantees that it broke. */
  readonly violations: ReadonlyArray<string>
  /** The longest that somebody waited for progress, in virtual time. */
  readonly worstMillis: number
  /** The longest that this may take. */
  readonly boundMillis: number
}

/** What all seeds of a proof came to. */
export interface Row {
  readonly algorithm: string
  readonly preset: string
  readonly seeds: number
  /** In how many seeds something was broken, and in which first. */
  readonly violations: number
  readonly firstSeed: number | undefined
  readonly broken: ReadonlyArray<string>
  readonly worstMillis: number
  readonly boundMillis: number
}

export const late = "progress within the bound"

export const emptyRow = ({ algorithm, preset }: Pick<Proof, "algorithm" | "preset">): Row => ({
  algorithm,
  preset,
  seeds: 0,
  violations: 0,
  firstSeed: undefined,
  broken: [],
  worstMillis: 0,
  boundMillis: 0
})

/** The row with one more seed, in any order. The worst run is the one that came closest to its bound, or passed it. */
export const counted = (row: Row, seed: number, { boundMillis, violations, worstMillis }: Run): Row => {
  const broken = [...violations, ...(worstMillis > boundMillis ? [late] : [])]
  const isWorse = worstMillis * Math.max(1, row.boundMillis) >= row.worstMillis * Math.max(1, boundMillis)
  return {
    ...row,
    seeds: row.seeds + 1,
    violations: row.violations + (broken.length > 0 ? 1 : 0),
    firstSeed: broken.length > 0 ? Math.min(seed, row.firstSeed ?? seed) : row.firstSeed,
    broken: [...new Set([...row.broken, ...broken])],
    ...(isWorse ? { worstMillis, boundMillis } : {})
  }
}

export const table = (rows: ReadonlyArray<Row>): string => {
  const cells = [
    ["algorithm", "preset", "seeds", "violations", "worst wait", "its bound"],
    ...rows.map((row) => [
      row.algorithm,
      row.preset,
      `${row.seeds}`,
      row.violations === 0 ? "0" : `${row.violations} (${row.broken.join(", ")}; first in seed ${row.firstSeed})`,
      `${Math.round(row.worstMillis)} ms`,
      `${Math.round(row.boundMillis)} ms`
    ])
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)))
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

const proofsOf = async (room: string): Promise<ReadonlyArray<Proof>> => {
  const files = globSync(`{packages,apps}/${room}/proof/*.proof.ts`, { cwd: root }).toSorted()
  const loaded = await Promise.all(files.map((file) => import(pathToFileURL(join(root, file)).href)))
  return loaded.flatMap((each: { readonly default: ReadonlyArray<Proof> }) => each.default)
}

// ---------------------------------------------------------------------------------------------------------- the threads

/** Some seeds of one proof. */
interface Share {
  readonly proof: number
  readonly first: number
  readonly last: number
}

const seedsPerShare = 20

/** Runs shares as they come, and answers each with its runs. */
const work = async (room: string): Promise<void> => {
  const proofs = await proofsOf(room)
  parentPort!.on("message", async ({ first, last, proof }: Share) => {
    const runs: Array<Run> = []
    for (let seed = first; seed <= last; seed++) runs.push(await proofs[proof]!.run(seed))
    parentPort!.postMessage(runs)
  })
}

/** Hands the shares out to so many threads. */
const run = (
  room: string,
  shares: ReadonlyArray<Share>,
  jobs: number,
  onRuns: (share: Share, runs: ReadonlyArray<Run>) => void
): Promise<unknown> => {
  const left = shares.values()
  const thread = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(import.meta.filename, { workerData: { room } })
      let share: Share | undefined
      const next = (): void => {
        share = left.next().value
        if (share !== undefined) return worker.postMessage(share)
        void worker.terminate()
        resolve()
      }
      worker.on("message", (runs: ReadonlyArray<Run>) => {
        onRuns(share!, runs)
        next()
      })
      worker.on("error", reject)
      next()
    })
  return Promise.all(Array.from({ length: Math.min(jobs, shares.length) }, thread))
}

// ---------------------------------------------------------------------------------------------------------- the command

const bar = (done: number, all: number, startedAt: number): string => {
  const filled = Math.round((30 * done) / all)
  const seconds = (performance.now() - startedAt) / 1000
  const left = done === 0 ? "" : `, ${Math.ceil((seconds * (all - done)) / done)} s left`
  return `${"█".repeat(filled)}${"░".repeat(30 - filled)} ${done} of ${all} seeds${left}`
}

const usage = "Usage: npm run proof -- <package> [--seeds 2000] [--first 1] [--only <text>] [--jobs <threads>] [--json]"

const main = async (): Promise<number> => {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: "string", default: "2000" },
      first: { type: "string", default: "1" },
      only: { type: "string", default: "" },
      jobs: { type: "string", default: `${availableParallelism()}` },
      json: { type: "boolean", default: false }
    }
  })
  const room = positionals[0] ?? "<package>"
  const all = await proofsOf(room)
  const [seeds, first, jobs] = [values.seeds, values.first, values.jobs].map(Number) as [number, number, number]
  const chosen = all.flatMap(({ algorithm, preset }, proof) =>
    `${algorithm} ${preset}`.includes(values.only) ? [proof] : []
  )
  if (chosen.length === 0 || ![seeds, first, jobs].every((each) => Number.isSafeInteger(each) && each >= 1)) {
    const known = [...new Set(all.map(({ algorithm }) => algorithm))].join(", ")
    console.error(known === "" ? `${usage}. There is no proof/*.proof.ts of ${room}.` : `${usage}\nThere are ${known}.`)
    return 1
  }
  const shares = chosen.flatMap((proof) =>
    Array.from({ length: Math.ceil(seeds / seedsPerShare) }, (_, i): Share => ({
      proof,
      first: first + i * seedsPerShare,
      last: first + Math.min(seeds, (i + 1) * seedsPerShare) - 1
    }))
  )
  const rows = new Map(chosen.map((proof) => [proof, emptyRow(all[proof]!)]))
  const startedAt = performance.now()
  let done = 0
  const show = (): void =>
    void (process.stderr.isTTY && process.stderr.write(`\r\x1b[K${bar(done, chosen.length * seeds, startedAt)}`))
  show()
  await run(room, shares, jobs, ({ first, proof }, runs) => {
    rows.set(
      proof,
      runs.reduce((row, each, i) => counted(row, first + i, each), rows.get(proof)!)
    )
    done += runs.length
    show()
  })
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K")
  const found = [...rows.values()]
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.log(values.json ? JSON.stringify({ package: room, seconds, rows: found }, undefined, 2) : table(found))
  return found.every(({ violations }) => violations === 0) ? 0 : 1
}

if (!isMainThread && workerData?.room !== undefined) await work(workerData.room as string)
else if (import.meta.main) process.exitCode = await main()
