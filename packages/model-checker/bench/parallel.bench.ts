/**
 * What a second thread brings: two-phase commit with 8 managers (1.7 million states), the first 3 million states of
 * Ricart–Agrawala with 4 nodes that enter twice each, and all 1.2 million of Paxos with 3 servers and 3 clients, by one thread
 * and by two, in turn.
 *
 * Wall time says how much sooner one has an answer. The time that the processor worked, of all threads together, says what
 * sharing costs; where other work keeps the cores busy, it is the more telling of the two.
 *
 *     npm run bench -- model-checker [--rounds 3] [--workers 2]
 */
import { Checker, Parallel } from "@troupe/model-checker"
import { Effect } from "effect"
import { parseArgs } from "node:util"
import * as models from "../test/parallel/models.ts"

const { json, rounds, workers } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    workers: { type: "string", default: "2" }
  }
}).values

const module = new URL("../test/parallel/models.ts", import.meta.url)
const cases = {
  "two-phase commit 8": { build: "example", args: ["two-phase-commit", { managers: 8 }], maxStates: Infinity },
  "Ricart–Agrawala 4×2, 3,000,000 states": { build: "mutex", args: [4, 2, 0], maxStates: 3e6 },
  "paxos 3×3": { build: "example", args: ["paxos", { servers: 3, clients: 3 }], maxStates: Infinity }
}

interface Figures {
  readonly seconds: number
  readonly processor: number
  readonly states: number
}

const measure = async (run: () => Promise<Checker.Report>): Promise<Figures> => {
  const [start, used] = [performance.now(), process.cpuUsage()]
  const { uniqueStates } = await run()
  const { system, user } = process.cpuUsage(used)
  return { seconds: (performance.now() - start) / 1e3, processor: (user + system) / 1e6, states: uniqueStates }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const rounded = (value: number): number => Math.round(value * 100) / 100

const report: Record<string, unknown> = {}
for (const [name, { args, build, maxStates }] of Object.entries(cases)) {
  const figures = { one: [] as Array<Figures>, several: [] as Array<Figures> }
  const options = Number.isFinite(maxStates) ? { maxStates } : {}
  for (let round = 0; round < Number(rounds); round++) {
    const model = (models as unknown as Record<string, (...args: ReadonlyArray<unknown>) => any>)[build]!(...args)
    figures.one.push(await measure(() => Effect.runPromise(Checker.check(model, options))))
    figures.several.push(
      await measure(() =>
        Effect.runPromise(Parallel.check({ module, build, args }, { ...options, workers: Number(workers) }))
      )
    )
  }
  const of = (key: "one" | "several", what: keyof Figures) => median(figures[key].map((each) => each[what]))
  report[name] = {
    states: of("one", "states"),
    "one thread, s": rounded(of("one", "seconds")),
    [`${workers} threads, s`]: rounded(of("several", "seconds")),
    "speed-up": rounded(of("one", "seconds") / of("several", "seconds")),
    "processor time, several to one": rounded(of("several", "processor") / of("one", "processor"))
  }
}
if (json) console.log(JSON.stringify(report))
else console.table(report)
