/**
 * What is measured of locks, each in the simulator on the same seeds.
 *
 * All nodes enter again and again. Every message takes a millisecond, so that a delay in milliseconds counts the messages
 * that follow one another. With low contention a node thinks for long between its entries, and mostly nobody else wants to
 * enter meanwhile; with high contention it asks again as soon as it has left.
 */
import { Faults, Simulation } from "@troupe/simulation"
import { type NodeId, Transport } from "@troupe/transport"
import { Clock, Duration, Effect, Random } from "effect"
import { type Demonstration, type Stage, unwatched } from "../../Demonstration.ts"
import { quantile } from "../../Detection.ts"
import { number } from "../../terminal/Screen.ts"
import { names } from "../../worlds/World.ts"
import { counted, type Sent, sizing } from "./Counted.ts"
import type { Asked, Measured, Measures } from "./Measures.ts"

/** Entries that are measured, for each node there is; before them each node enters once, on average. */
const entriesEach = 10

const delayMillis = 1
const stayMillis = 1

/** With low contention somebody wants to enter so often, on average. */
const gapMillis = 100

/** Nobody enters for so long: nobody will. */
const patienceMillis = 60_000

/** More messages a run than this, and it takes minutes. */
const messagesMax = 1_000_000

/** What a run shows: who asks, enters and leaves when, and what is sent meanwhile. */
class Entries {
  readonly sent: Sent = { messages: 0, bytes: 0 }
  readonly waits: Array<number> = []
  /** From somebody's leaving to the entry of somebody who was waiting then. */
  readonly handovers: Array<number> = []
  readonly byNode = new Map<NodeId.NodeId, number>()
  latestAt = 0
  overlap: string | undefined
  private readonly askedAt = new Map<NodeId.NodeId, number>()
  private readonly inside = new Set<NodeId.NodeId>()
  private leftAt: number | undefined
  private warmUp: number
  private left: number

  constructor(nodes: number) {
    this.warmUp = nodes
    this.left = nodes * entriesEach
  }

  get isMeasured(): boolean {
    return this.warmUp === 0 && this.left > 0
  }

  get isOver(): boolean {
    return this.left === 0 || this.overlap !== undefined
  }

  get measured(): number {
    return this.waits.length
  }

  ask(node: NodeId.NodeId, atMillis: number): void {
    this.askedAt.set(node, atMillis)
  }

  enter(node: NodeId.NodeId, atMillis: number): void {
    this.latestAt = atMillis
    if (this.inside.size > 0) this.overlap ??= `${[...this.inside].join(" ")} and ${node} were inside at once`
    this.inside.add(node)
    if (this.isMeasured) {
      const askedAt = this.askedAt.get(node)!
      this.waits.push(atMillis - askedAt)
      if (this.leftAt !== undefined && askedAt <= this.leftAt) this.handovers.push(atMillis - this.leftAt)
      this.byNode.set(node, (this.byNode.get(node) ?? 0) + 1)
      this.left--
    }
    if (this.warmUp > 0) this.warmUp--
  }

  leave(node: NodeId.NodeId, atMillis: number): void {
    this.inside.delete(node)
    this.leftAt = atMillis
  }
}

const program = (demonstration: Demonstration, { contention, nodes }: Asked, entries: Entries) => {
  const bytesOf = sizing(demonstration)
  const thinking = Effect.map(Random.next, (drawn) => Duration.millis(nodes * gapMillis * (0.5 + drawn)))
  return (node: NodeId.NodeId) =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const transport = yield* Transport
      const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      let isFirst = true
      const stage: Stage = {
        ...unwatched,
        next: Effect.gen(function* () {
          if (isFirst) yield* Effect.sleep(Duration.millis((yield* Random.next) * nodes * delayMillis))
          isFirst = false
          yield* contention === "low" ? Effect.flatMap(thinking, Effect.sleep) : Effect.yieldNow
          return !entries.isOver
        }),
        work: Effect.andThen(
          Effect.sleep(stayMillis),
          Effect.sync(() => entries.leave(node, now()))
        ),
        show: (role) =>
          Effect.sync(() => {
            if (role === "waits") entries.ask(node, now())
            if (role === "holds") entries.enter(node, now())
          })
      }
      const count = (message: unknown): void => {
        if (!entries.isMeasured) return
        entries.sent.messages++
        entries.sent.bytes += bytesOf(message)
      }
      yield* demonstration
        .program(stage)
        .pipe(Effect.provideService(Transport, counted(transport, demonstration, count)))
    })
}

const entering = (demonstration: Demonstration, asked: Asked, seed: number) =>
  Effect.gen(function* () {
    const entries = new Entries(asked.nodes)
    const { violations } = yield* Simulation.run({
      ...{ seed, nodes: names(asked.nodes), duration: "30 days" },
      faults: { ...Faults.none, delayMillisMin: delayMillis, delayMillisMax: delayMillis },
      program: program(demonstration, asked, entries),
      test: ({ world }) =>
        Effect.gen(function* () {
          while (!entries.isOver && world.nowMillis - entries.latestAt < patienceMillis) yield* Effect.sleep(100)
        })
    })
    const wrong = entries.overlap ?? violations.map(({ detail, name }) => `${name}, ${detail}`)[0]
    return { seed, entries, ...(wrong === undefined ? {} : { wrong }) }
  })

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

/** Jain's index of the nodes' entries: 1 where all have as many, 1/N where one has them all. */
export const jain = (counts: ReadonlyArray<number>): number =>
  sum(counts) ** 2 / (counts.length * sum(counts.map((count) => count * count)))

const measure: Measures["measure"] = (demonstration, asked, onRun) =>
  Effect.gen(function* () {
    const runs: Array<Effect.Success<ReturnType<typeof entering>>> = []
    for (let seed = 1; seed <= asked.seeds; seed++) {
      runs.push(yield* entering(demonstration, asked, seed))
      yield* onRun
    }
    return summary(runs, asked)
  })

const summary = (runs: ReadonlyArray<Effect.Success<ReturnType<typeof entering>>>, { nodes }: Asked): Measured => {
  const wrong = runs.find((run) => run.wrong !== undefined)
  if (wrong !== undefined) return { values: {}, leftOut: `fails with seed ${wrong.seed}: ${wrong.wrong}` }
  const settled = runs.map(({ entries }) => entries).filter(({ isOver }) => isOver)
  if (settled.length === 0) {
    const most = Math.max(...runs.map(({ entries }) => entries.measured))
    const how = `${number(most)} of ${number(nodes * entriesEach)} entries at the most`
    return { values: {}, leftOut: `stuck in every seed: ${how}, then none for ${patienceMillis / 1_000} s` }
  }
  const total = sum(settled.map(({ measured }) => measured))
  const waits = settled.flatMap((run) => run.waits).sort((a, b) => a - b)
  const handovers = settled.flatMap((run) => run.handovers)
  const values = {
    messages: sum(settled.map(({ sent }) => sent.messages)) / total,
    bytes: sum(settled.map(({ sent }) => sent.bytes)) / total,
    handover: handovers.length === 0 ? undefined : sum(handovers) / handovers.length,
    half: quantile(waits, 0.5),
    most: quantile(waits, 0.99),
    fairness:
      sum(settled.map(({ byNode }) => jain(names(nodes).map((node) => byNode.get(node) ?? 0)))) / settled.length,
    stuck: runs.length - settled.length
  }
  return { values }
}

export const locking: Measures = {
  flags: ["contention"],
  conditions: ({ contention }) => ({ contention }),
  headline: ({ contention }) => `${contention} contention`,
  columns: [
    { key: "messages", title: ["an entry", "messages"], digits: 1 },
    { key: "bytes", title: ["", "bytes"], digits: 0 },
    { key: "handover", title: ["synchronisation", "delay, ms"], digits: 2 },
    { key: "half", title: ["waiting", "p50, ms"], digits: 1 },
    { key: "most", title: ["", "p99, ms"], digits: 1 },
    { key: "fairness", title: ["fairness", "Jain"], digits: 3 },
    { key: "stuck", title: ["seeds", "stuck"], digits: 0 }
  ],
  panels: [
    { title: "messages", unit: "an entry", keys: ["messages"] },
    { title: "bytes", unit: "an entry", keys: ["bytes"] },
    { title: "synchronisation delay", unit: "ms, as long as so many messages", keys: ["handover"] },
    { title: "waiting, median", unit: "ms", keys: ["half"] },
    { title: "waiting, 99 of 100", unit: "ms", keys: ["most"] },
    { title: "fairness", unit: "Jain's index", keys: ["fairness"] }
  ],
  legend: ({ contention }) => [
    contention === "low"
      ? `low contention: somebody wants to enter every ${gapMillis} ms, on average; a stay takes ${stayMillis} ms, a message ${delayMillis} ms`
      : `high contention: each node asks again as soon as it has left; a stay takes ${stayMillis} ms, a message ${delayMillis} ms`,
    `${entriesEach} entries a node in each seed, on average; before them one a node, on average, that does not count`,
    "synchronisation delay: from a leaving to the entry of one who was waiting then, on average; – where nobody was",
    "waiting: of those who entered; where fairness is low, others wait on",
    "fairness: of the nodes' numbers of entries; 1 where all are equal, 1/N where one node has them all",
    "bytes of messages as they are encoded, without what a transport adds"
  ],
  runsOf: ({ seeds }) => seeds,
  refuse: ({ card }, nodes) => {
    const messages = nodes * (entriesEach + 1) * card.cost.best.of(nodes)
    return messages > messagesMax ? `${number(messages)} messages a run: left out` : undefined
  },
  measure
}
