/**
 * Epidemics measured against theory, and how long a round takes.
 *
 * - rounds: until all have heard one item, by push, pull and push–pull, of up to 100,000 nodes, in synchronous rounds over
 *   the very protocol; and the longest round, beside a floor: arrays of numbers in place of states, messages and handlers.
 * - rumours: residue, traffic and delay for each stop rule, of 1,000 nodes, as in the tables of Demers et al. 1987.
 * - trees: Plumtree over HyParView: redundancy before and after its tree has settled, and after a fifth of the nodes died.
 * - simulator: 10,000 nodes with the driver, the simulated network and scheduler: their start, and a round.
 *
 *     node --conditions=@troupe/source packages/gossip/bench/epidemic.bench.ts [--json] [--nodes 100000] [--only rounds]
 */
import { PushPull, type RumorMongering } from "@troupe/gossip"
import { Simulation } from "@troupe/simulation"
import { Effect, Layer } from "effect"
import { parseArgs } from "node:util"
import { publish } from "../test/epidemic/hand.ts"
import { broadcast, inDegrees, kill, largestPart, overlay } from "../test/epidemic/overlays.ts"
import { nodesOf, seeded, world } from "../test/epidemic/rounds.ts"
import { residueOf, rumours } from "../test/epidemic/rumours.ts"

const {
  json,
  nodes: most,
  only
} = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    nodes: { type: "string", default: "100000" },
    only: { type: "string", default: "" }
  }
}).values

const digits = (value: number): number => Number(value.toPrecision(3))

/** What this process has had of the machine's cores: other processes take their share of real time. */
const coreMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}

// -------------------------------------------------------------------------------------------------------------- rounds

/** One round of push–pull among numbers: who has heard, and a draw for each. */
const floor = (nodes: number): number => {
  const random = seeded(1)
  const heard = new Uint8Array(nodes)
  heard[0] = 1
  for (let round = 0; round < 5; round++)
    for (let at = 0; at < nodes; at++) heard[Math.floor(random() * nodes)]! |= heard[at]!
  const started = coreMillis()
  const to = new Int32Array(nodes)
  for (let at = 0; at < nodes; at++) to[at] = Math.floor(random() * nodes)
  for (let at = 0; at < nodes; at++) heard[at] = heard[to[at]!] = heard[at]! | heard[to[at]!]!
  return coreMillis() - started
}

const spread = (mode: PushPull.Options["mode"], nodes: number) => {
  const options = { ...PushPull.defaults, mode, messagesPerRound: 1_000_000 }
  const it = world(PushPull.protocol, { nodes, options, seed: 1 })
  let heard = 0
  let longest = 0
  let longestReal = 0
  let half = 0
  it.onEvent = (_, event) => {
    if (event._tag === "Heard") heard++
  }
  it.command(0, publish())
  while (heard < nodes && it.round < 200) {
    const [core, real] = [coreMillis(), performance.now()]
    it.fire("round")
    longest = Math.max(longest, coreMillis() - core)
    longestReal = Math.max(longestReal, performance.now() - real)
    if (half === 0 && 2 * heard >= nodes) half = it.round
  }
  return {
    rounds: it.round,
    "of these after half had heard": it.round - half,
    "longest round: ms of a core": digits(longest),
    "longest round: ms": digits(longestReal)
  }
}

const rounds = () =>
  Object.fromEntries(
    [100, 1_000, 10_000, 100_000]
      .filter((nodes) => nodes <= Number(most))
      .map((nodes) => [
        `${nodes} nodes`,
        {
          "log₂n + ln n": digits(Math.log2(nodes) + Math.log(nodes)),
          "log₃n": digits(Math.log(nodes) / Math.log(3)),
          push: spread("push", nodes),
          pull: spread("pull", nodes),
          "push-pull": spread("push-pull", nodes),
          "floor of a round: ms of a core": digits(floor(nodes))
        }
      ])
  )

// ------------------------------------------------------------------------------------------------------------- rumours

const rules = [
  ["push", "feedback", "counter"],
  ["push", "feedback", "coin"],
  ["push", "blind", "counter"],
  ["push", "blind", "coin"],
  ["pull", "feedback", "counter"]
] as const satisfies ReadonlyArray<
  readonly [RumorMongering.Options["mode"], RumorMongering.Options["stop"], RumorMongering.Options["by"]]
>

const residues = () =>
  Object.fromEntries(
    rules.map(([mode, stop, by]) => [
      `${mode}, ${stop}, ${by}`,
      [1, 2, 3, 4, 5].map((k) => {
        const { average, last, residue, traffic } = rumours({ nodes: 1_000, runs: 20, options: { mode, stop, by, k } })
        const formula = mode === "push" ? { "e^−m": digits(Math.exp(-traffic)) } : {}
        const solved = mode === "push" && stop === "feedback" ? { "s by formula": digits(residueOf(k)) } : {}
        return {
          k,
          s: digits(residue),
          ...solved,
          ...formula,
          m: digits(traffic),
          t_ave: digits(average),
          t_last: digits(last)
        }
      })
    ])
  )

// --------------------------------------------------------------------------------------------------------------- trees

const trees = () =>
  Object.fromEntries(
    [100, 1_000, 10_000].map((nodes) => {
      const views = overlay({ nodes, seed: 5, rounds: 90 })
      const degrees = inDegrees(views.world)
      const { publish: send, trees: it } = broadcast(views, { seed: 9 })
      const first = send(0, 3)
      const settled = send(0, 3)
      kill(views, 0.2, seeded(3), 0, it)
      const up = nodes - views.dead.size
      const broken = send(0, 10)
      const mended = send(0, 10)
      views.live(10)
      it.settle()
      send(0, 10)
      const calm = send(0, 3)
      kill(views, 0.5, seeded(4), 0, it)
      const part = largestPart(views.world)
      views.live(20)
      return [
        `${nodes} nodes`,
        {
          "in-degrees: least, share of 5": [
            Math.min(...degrees),
            digits(degrees.filter((degree) => degree === 5).length / nodes)
          ],
          "redundancy of the first item": digits(first.redundancy),
          "of the second": digits(settled.redundancy),
          "a fifth dead: heard at once, then by grafts, of": [broken.eagerly, broken.heard, up],
          "the next item: heard at once, of": [mended.eagerly, up],
          "redundancy once views dropped the dead": digits(calm.redundancy),
          "half dead: the largest part, and after repair, of": [part, largestPart(views.world), nodes - views.dead.size]
        }
      ]
    })
  )

// ----------------------------------------------------------------------------------------------------------- simulator

const simulate = async (nodes: number, seconds: number) => {
  const layer = PushPull.layer()
  const [core, real] = [coreMillis(), performance.now()]
  const { counts } = await Effect.runPromise(
    Simulation.run({
      seed: 1,
      nodes: nodesOf(nodes),
      duration: `${seconds} seconds`,
      program: () => Layer.build(layer)
    })
  )
  return { core: coreMillis() - core, real: performance.now() - real, messages: counts.sent }
}

const simulated = async () => {
  const nodes = Math.min(10_000, Number(most))
  const short = await simulate(nodes, 1)
  const long = await simulate(nodes, 11)
  return {
    nodes,
    "the start, and one round: s of a core": digits(short.core / 1_000),
    "each round more: s of a core": digits((long.core - short.core) / 10_000),
    "the start and eleven rounds: s": digits(long.real / 1_000),
    messages: long.messages,
    "peak resident set, MB": Math.round(process.resourceUsage().maxRSS / 1_024)
  }
}

const parts = { rounds, rumours: residues, trees, simulator: simulated }
const report: Record<string, unknown> = {}
for (const [name, part] of Object.entries(parts)) if (name.includes(only)) report[name] = await part()
console.log(json ? JSON.stringify(report) : JSON.stringify(report, undefined, 2))
