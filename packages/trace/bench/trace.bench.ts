/**
 * What a picture of 1,000 events takes, and what it takes to write and to read them, beside `JSON.stringify` and
 * `JSON.parse` of the same. What recording costs is measured over the driver, in `packages/simulation/bench`.
 *
 *     node --conditions=@troupe/source packages/trace/bench/trace.bench.ts [--json] [--rounds 15]
 */
import { SpaceTime, Trace, VectorClocks } from "@troupe/trace"
import { Effect } from "effect"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "15" } }
}).values
const rounds = Number(given)

/** Five nodes; each step sends a message, by turns to the next node and to the one after it, and receives one that waits. */
const relay = (count: number): Trace.Trace => {
  const nodes = ["n1", "n2", "n3", "n4", "n5"]
  const clocks = new VectorClocks()
  const queues = nodes.map((): Array<{ from: string; id: number; message: unknown; clock: Trace.VectorClock }> => [])
  const events: Array<Trace.Event> = []
  for (let at = 0; at < count; at++) {
    const self = at % nodes.length
    const node = nodes[self]!
    const received = queues[self]!.shift()
    const clock = clocks.tick(node, received?.clock)
    const input: Trace.Input =
      received === undefined
        ? { _tag: "Command", command: { _tag: "Go", at } }
        : { _tag: "Message", from: received.from, message: received.message, id: received.id }
    const actions = [1 + (at % 2)].map((step): Extract<Trace.Action, { readonly _tag: "Send" }> => {
      const to = (self + step) % nodes.length
      const message = { _tag: step === 1 ? "Request" : "Reply", time: at }
      queues[to]!.push({ from: node, id: at, message, clock })
      return { _tag: "Send", id: at, to: nodes[to]!, message }
    })
    const state = { time: at, phase: "waiting", awaiting: nodes }
    events.push({ _tag: "Step", node, clock, atMillis: at, actor: "relay", input, actions, state })
  }
  return { header: Trace.header({ title: "relay", source: "simulation", nodes }), events }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const millis = (run: () => unknown): number => {
  const times: Array<number> = []
  for (let round = -3; round < rounds; round++) {
    const start = performance.now()
    run()
    if (round >= 0) times.push(performance.now() - start)
  }
  return Number(median(times).toPrecision(3))
}

const trace = relay(1000)
const text = Trace.encode(trace)
const lines = text.trimEnd().split("\n")

const report = {
  benchmark: "a trace of 1,000 events, 5 nodes, a message a step",
  unit: "ms, medians",
  rounds,
  kilobytes: Math.round(text.length / 1000),
  svg: millis(() => SpaceTime.svg(trace, { limit: 1000 })),
  terminal: millis(() => SpaceTime.terminal(trace, { limit: 1000, color: true })),
  encode: millis(() => Trace.encode(trace)),
  encodeFloor: millis(() => trace.events.map((event) => JSON.stringify(event)).join("\n")),
  decode: millis(() => Effect.runSync(Trace.decode(text))),
  decodeFloor: millis(() => lines.map((line) => JSON.parse(line)))
}
console.log(json ? JSON.stringify(report) : report)
