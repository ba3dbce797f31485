/**
 * What goes wrong in a simulated world: one struct of rates and sizes, from which the seed draws a plan.
 *
 * Messages are lost, doubled and overtaken one by one; crashes, partitions, pauses and clock jumps are events of a plan
 * that is drawn before the run, so that a failing run can be shrunk by leaving events out. All of it is over by 70 % of
 * the run (`over`), so that the rest shows whether the system recovers; clocks stay off.
 *
 * @example
 * import { Faults } from "@troupe/simulation"
 *
 * const flaky: Faults.Faults = { ...Faults.none, lossProbability: 0.01, crashesPerMinute: 4 }
 * console.log(Faults.plan({ seed: 1, nodes: ["n1", "n2"], faults: flaky, durationMillis: 60_000 }).length) // 4
 */
import { NodeId } from "@troupe/transport"
import { Schema } from "effect"
import { Prng } from "./internal/Prng.ts"

const Probability = Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Amount = Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1e12 }))

/** The rates, each with its unit. All are 0 in `none`, but for a delay of 1 to 10 ms. */
export const Faults = Schema.Struct({
  // Every message.
  delayMillisMin: Amount,
  /** Delays are uniform between the two. */
  delayMillisMax: Amount,
  lossProbability: Probability,
  duplicationProbability: Probability,
  /** Of a message that may overtake those sent before it on its link. Links are FIFO otherwise. */
  reorderProbability: Probability,

  // Nodes.
  crashesPerMinute: Amount,
  /** How long a crashed node stays down. */
  downMillisMin: Amount,
  downMillisMax: Amount,
  /** A node stands still, then goes on with what it missed. */
  pausesPerMinute: Amount,
  pauseMillisMin: Amount,
  pauseMillisMax: Amount,

  // The network between two sides, drawn anew for each partition.
  partitionsPerMinute: Amount,
  partitionMillisMin: Amount,
  partitionMillisMax: Amount,
  /** Of a partition that stops messages in one direction only. */
  oneWayProbability: Probability,

  // Clocks, for each node.
  /** Time of day is off by up to this much, from the start. */
  clockSkewMillisMax: Amount,
  /** A clock runs fast or slow by up to this much: 200 parts per million are 17 seconds a day. */
  clockDriftPpmMax: Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 500_000 })),
  clockJumpsPerMinute: Amount,
  clockJumpMillisMax: Amount
})

export type Faults = typeof Faults.Type

/** Nothing goes wrong; messages take 1 to 10 ms. */
export const none: Faults = {
  delayMillisMin: 1,
  delayMillisMax: 10,
  lossProbability: 0,
  duplicationProbability: 0,
  reorderProbability: 0,
  crashesPerMinute: 0,
  downMillisMin: 500,
  downMillisMax: 8_000,
  pausesPerMinute: 0,
  pauseMillisMin: 100,
  pauseMillisMax: 3_000,
  partitionsPerMinute: 0,
  partitionMillisMin: 1_000,
  partitionMillisMax: 10_000,
  oneWayProbability: 0.25,
  clockSkewMillisMax: 0,
  clockDriftPpmMax: 0,
  clockJumpsPerMinute: 0,
  clockJumpMillisMax: 1_000
}

/** One message in fifty is lost, one in fifty doubled, one in ten overtakes. */
export const lossy: Faults = { ...none, lossProbability: 0.02, duplicationProbability: 0.02, reorderProbability: 0.1 }

/** Nodes crash, lose what they knew, and come back. */
export const crash: Faults = { ...none, crashesPerMinute: 12 }

/** The network splits in two and heals. */
export const partition: Faults = { ...none, partitionsPerMinute: 8 }

/** All of it, with pauses and with clocks that are off. */
export const chaos: Faults = {
  ...lossy,
  crashesPerMinute: 6,
  partitionsPerMinute: 4,
  pausesPerMinute: 6,
  clockSkewMillisMax: 500,
  clockDriftPpmMax: 200,
  clockJumpsPerMinute: 4
}

/** The presets by name, as a card's `tolerates` and `weaknesses` name them. */
export const presets = { none, lossy, crash, partition, chaos }

/** An event of a plan. `index` names it when a run is repeated without others. */
export type Event = { readonly index: number; readonly atMillis: number } & (
  | { readonly _tag: "Crash"; readonly node: NodeId.NodeId; readonly forMillis: number }
  | { readonly _tag: "Pause"; readonly node: NodeId.NodeId; readonly forMillis: number }
  | {
      readonly _tag: "Partition"
      readonly side: ReadonlyArray<NodeId.NodeId>
      /** `"from"`: only what `side` sends is lost; `"to"`: only what is sent to it. */
      readonly direction: "both" | "from" | "to"
      readonly forMillis: number
    }
  | { readonly _tag: "ClockJump"; readonly node: NodeId.NodeId; readonly byMillis: number }
)

/** The share of a run after which nothing goes wrong any more: no message is lost, doubled or overtaken either. */
export const over = 0.7

/**
 * The events that a seed draws for a run: as many of each kind as its rate says, and one more by chance for what is left
 * over, so that short runs have faults too. They start in the first 60 % of the run and are over by 70 %.
 */
export const plan = (options: {
  readonly seed: number
  readonly nodes: ReadonlyArray<NodeId.NodeId>
  readonly faults: Faults
  readonly durationMillis: number
}): ReadonlyArray<Event> => {
  const { durationMillis, faults, nodes, seed } = options
  const lastStart = durationMillis * 0.6
  const end = durationMillis * over
  const events: Array<{ atMillis: number } & Record<string, unknown>> = []
  const draw = (
    name: string,
    perMinute: number,
    make: (prng: Prng, atMillis: number) => Record<string, unknown>
  ): void => {
    const prng = new Prng(seed, `plan/${name}`)
    const expected = (perMinute * durationMillis) / 60_000
    const count = Math.floor(expected) + (prng.chance(expected % 1) ? 1 : 0)
    for (let i = 0; i < count; i++) {
      const atMillis = Math.round(prng.between(0, lastStart))
      events.push({ atMillis, ...make(prng, atMillis) })
    }
  }
  const span = (prng: Prng, atMillis: number, min: number, max: number): number =>
    Math.round(Math.min(prng.between(min, max), end - atMillis))

  draw("crash", faults.crashesPerMinute, (prng, atMillis) => ({
    _tag: "Crash",
    node: prng.pick(nodes),
    forMillis: span(prng, atMillis, faults.downMillisMin, faults.downMillisMax)
  }))
  draw("pause", faults.pausesPerMinute, (prng, atMillis) => ({
    _tag: "Pause",
    node: prng.pick(nodes),
    forMillis: span(prng, atMillis, faults.pauseMillisMin, faults.pauseMillisMax)
  }))
  draw("partition", nodes.length < 2 ? 0 : faults.partitionsPerMinute, (prng, atMillis) => {
    const size = 1 + prng.below(nodes.length - 1)
    const side = nodes
      .map((node) => ({ node, by: prng.next() }))
      .sort((a, b) => a.by - b.by)
      .slice(0, size)
    return {
      _tag: "Partition",
      side: side.map(({ node }) => node).sort(NodeId.Order),
      direction: prng.chance(faults.oneWayProbability) ? prng.pick(["from", "to"]) : "both",
      forMillis: span(prng, atMillis, faults.partitionMillisMin, faults.partitionMillisMax)
    }
  })
  draw("jump", faults.clockJumpsPerMinute, (prng) => ({
    _tag: "ClockJump",
    node: prng.pick(nodes),
    byMillis: Math.round(prng.between(-faults.clockJumpMillisMax, faults.clockJumpMillisMax))
  }))
  return events.sort((a, b) => a.atMillis - b.atMillis).map((event, index) => ({ index, ...event }) as unknown as Event)
}

/** An event in words: "at 1.5 s n3 crashes for 2 s". */
export const describe = (event: Event): string => {
  const at = `at ${seconds(event.atMillis)} `
  switch (event._tag) {
    case "Crash":
      return `${at}${event.node} crashes for ${seconds(event.forMillis)}`
    case "Pause":
      return `${at}${event.node} stands still for ${seconds(event.forMillis)}`
    case "Partition": {
      const how = { both: "is cut off", from: "is not heard", to: "hears nothing" }[event.direction]
      return `${at}{${event.side.join(" ")}} ${how} for ${seconds(event.forMillis)}`
    }
    case "ClockJump":
      return `${at}the clock of ${event.node} jumps by ${seconds(event.byMillis)}`
  }
}

const seconds = (millis: number): string => `${millis / 1000} s`
