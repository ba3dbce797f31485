/**
 * Broadcast at 25 nodes over links of 100 ms, 100 values a second: two points of the trade-off between messages and
 * latency, by options of Plumtree. In simulation: every message between nodes counts, whatever it is for, from the first
 * on; the latency of a value is the time until its last node has it.
 *
 *     node --conditions=@troupe/source packages/gossip/bench/broadcast.bench.ts [--json] [--seconds 30]
 */
import { Plumtree } from "@troupe/gossip"
import { Effect } from "effect"
import { parseArgs } from "node:util"
import { measure, points } from "../test/epidemic/broadcast.ts"

const { json, seconds } = parseArgs({
  options: { json: { type: "boolean", default: false }, seconds: { type: "string", default: "30" } }
}).values

const digits = (value: number): number => Number(value.toPrecision(3))

const report: Record<string, unknown> = {}
for (const [name, options] of Object.entries(points)) {
  const found = await Effect.runPromise(measure(Plumtree.layer(options), { seed: 1, seconds: Number(seconds) }))
  report[name] = {
    "messages an operation": digits(found.messagesPerOperation),
    "median, ms": digits(found.medianMillis),
    "p99, ms": digits(found.p99Millis),
    "max, ms": digits(found.maxMillis),
    operations: found.operations,
    messages: found.tags
  }
}
console.log(json ? JSON.stringify(report) : JSON.stringify(report, undefined, 2))
