/**
 * Thousands of crashes: `npm run proof -- storage --only simulated`, and hundreds of processes that are killed:
 * `npm run proof -- storage --only kill --seeds 300`.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crashAt, operations } from "../test/crashes.ts"
import { killAfter } from "../test/processes.ts"

interface Run {
  readonly violations: ReadonlyArray<string>
  readonly worstMillis: number
  readonly boundMillis: number
}

interface Proof {
  readonly algorithm: string
  readonly preset: string
  readonly run: (seed: number) => Promise<Run>
}

/** Nobody waits for anything here. */
const judged = (violations: ReadonlyArray<string>): Run => ({ violations, worstMillis: 0, boundMillis: 0 })

const killed = async (seed: number): Promise<Run> => {
  const directory = mkdtempSync(join(tmpdir(), "troupe-storage-"))
  try {
    // Twice, so that the second life begins with what a kill has left.
    const first = await killAfter(directory, (seed * 37) % 301)
    return judged(first.length > 0 ? first : await killAfter(directory, (seed * 101) % 199))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

let count: Promise<number> | undefined

const proofs: ReadonlyArray<Proof> = [
  {
    algorithm: "Disk",
    preset: "simulated crashes",
    run: async (seed) => judged(await crashAt(seed % ((await (count ??= operations())) + 1), seed))
  },
  { algorithm: "Disk", preset: "kill -9", run: killed }
]

export default proofs
