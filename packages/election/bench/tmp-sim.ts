import { Simulation, Faults } from "@troupe/simulation"
import { Bully } from "@troupe/election"
import { Effect, Layer } from "effect"
const N = Number(process.argv[2] ?? 5),
  preset = process.argv[3] ?? "crash",
  last = Number(process.argv[4] ?? 500)
const extra = JSON.parse(process.argv[5] ?? "{}"),
  duration = process.argv[6] ?? "1 minute"
const opts = JSON.parse(process.argv[7] ?? "{}")
const nodes = Array.from({ length: N }, (_, i) => `n${i + 1}`)
const t0 = Date.now()
const r = await Effect.runPromise(
  Simulation.search({
    seeds: { first: 1, last },
    nodes,
    duration: duration as any,
    faults: { ...(Faults.presets as any)[preset], ...extra },
    program: () => Layer.build(Bully.layer(opts)),
    properties: Simulation.fromCard(Bully.card, "election/bully")
  })
)
console.log(
  N,
  preset,
  "failed",
  r.failed,
  "of",
  r.runs,
  r.failures.slice(0, 5).map((f) => [f.seed, f.violations.map((v) => v.name + "@" + v.atMillis)]),
  "delivered",
  r.delivered,
  `${Date.now() - t0} ms`
)
if (r.shrunk) console.log(JSON.stringify(r.shrunk.replay), r.shrunk.result.faults.map(Faults.describe))
