/**
 * What is measured of failure detectors, each in the simulator on the same seeds.
 *
 * In the first run of a seed one node dies: who notices when; and before that, what the nodes send while nothing happens.
 * In the second all are up, and messages are lost: how often somebody is wrong.
 */
import { Faults, Simulation } from "@troupe/simulation"
import { Transport } from "@troupe/transport"
import { Clock, Effect } from "effect"
import { type Demonstration, type Stage, unwatched } from "../../Demonstration.ts"
import { Detection, quantile } from "../../Detection.ts"
import { number } from "../../terminal/Screen.ts"
import { names } from "../../worlds/World.ts"
import { counted, type Sent, sizing } from "./Counted.ts"
import type { Asked, Measures, Values } from "./Measures.ts"

/** What is sent counts from the first of these times to the second, in milliseconds of the run. */
const counting = [5_000, 10_000] as const

/** How long a death is waited to be noticed, and then to be taken for sure. */
const noticeMillis = 40_000
const sureMillis = 15_000

/** How long the second run is, in which messages are lost from the beginning to the end. */
const lossySeconds = 60

/** More messages an interval than this, and a run takes minutes. */
const messagesMax = 100_000

/** Runs the demonstration on every node, and tells what the nodes say. */
const program = (demonstration: Demonstration, detection: Detection, sent: Sent) => {
  const bytesOf = sizing(demonstration)
  return (node: string) =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const transport = yield* Transport
      const atNanos = (): number => Number(clock.monotonicTimeNanosUnsafe())
      const count = (message: unknown): void => {
        const millis = atNanos() / 1e6
        if (millis < counting[0] || millis >= counting[1]) return
        sent.messages++
        sent.bytes += bytesOf(message)
      }
      const stage: Stage = {
        ...unwatched,
        work: Effect.sleep("1 hour"),
        says: (status, about) =>
          Effect.sync(() => detection.see({ _tag: "Says", node, atNanos: atNanos(), status, about }))
      }
      yield* demonstration
        .program(stage)
        .pipe(Effect.provideService(Transport, counted(transport, demonstration, count)))
    })
}

/** The last node dies, at a moment of its own in each seed. */
const dying = (demonstration: Demonstration, nodes: number, seed: number) =>
  Effect.gen(function* () {
    const detection = new Detection()
    const sent: Sent = { messages: 0, bytes: 0 }
    const victim = names(nodes).at(-1)!
    yield* Simulation.run({
      ...{ seed, nodes: names(nodes), duration: "10 minutes" },
      program: program(demonstration, detection, sent),
      test: (simulator) =>
        Effect.gen(function* () {
          yield* Effect.sleep(counting[1] + 500 + ((137 * seed) % 1_000))
          const diedAt = simulator.world.nowMillis
          yield* simulator.crash(victim)
          detection.see({ _tag: "Killed", node: victim, atNanos: diedAt * 1e6 })
          const isNoticed = (): boolean => detection.noticed()[0]!.afterMillis.length >= nodes - 1
          while (!isNoticed() && simulator.world.nowMillis - diedAt < noticeMillis) yield* Effect.sleep(250)
          yield* Effect.sleep(sureMillis)
        })
    })
    return { ...detection.noticed()[0]!, sent }
  })

const losing = (demonstration: Demonstration, { lossProbability, nodes }: Asked, seed: number) =>
  Effect.gen(function* () {
    const detection = new Detection()
    yield* Simulation.run({
      ...{ seed, nodes: names(nodes), faults: { ...Faults.none, lossProbability } },
      duration: `${lossySeconds} seconds`,
      // Faults end before the planned end.
      planned: `${Math.ceil(lossySeconds / 0.6)} seconds`,
      program: program(demonstration, detection, { messages: 0, bytes: 0 })
    })
    return detection
  })

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const measure: Measures["measure"] = (demonstration, asked, onRun) =>
  Effect.gen(function* () {
    const { nodes, seeds } = asked
    const deaths: Array<Effect.Success<ReturnType<typeof dying>>> = []
    const wrong: Array<Detection> = []
    for (let seed = 1; seed <= seeds; seed++) {
      deaths.push(yield* dying(demonstration, nodes, seed))
      yield* onRun
      wrong.push(yield* losing(demonstration, asked, seed))
      yield* onRun
    }
    const sorted = (all: ReadonlyArray<ReadonlyArray<number>>) => all.flat().sort((a, b) => a - b)
    const seconds = (millis: number | undefined) => (millis === undefined ? undefined : millis / 1_000)
    const noticed = sorted(deaths.map(({ afterMillis }) => afterMillis))
    const dead = sorted(deaths.map(({ deadAfterMillis }) => deadAfterMillis))
    const each = (nodes * seeds * (counting[1] - counting[0])) / 1_000
    const hours = (seeds * lossySeconds) / 3_600
    const suspected = sum(wrong.map(({ wronglySuspected }) => wronglySuspected)) / hours
    const takenForDead = sum(wrong.map(({ wronglyDead }) => wronglyDead)) / hours
    const values: Values = {
      first: seconds(noticed[0]),
      half: seconds(quantile(noticed, 0.5)),
      most: seconds(quantile(noticed, 0.99)),
      last: seconds(noticed.at(-1)),
      dead: seconds(quantile(dead, 0.5)),
      missed: seeds * (nodes - 1) - noticed.length,
      falsePositives: dead.length > 0 ? takenForDead : suspected,
      suspected,
      messages: sum(deaths.map(({ sent }) => sent.messages)) / each,
      bytes: sum(deaths.map(({ sent }) => sent.bytes)) / each
    }
    return { values }
  })

export const detection: Measures = {
  flags: ["loss"],
  conditions: ({ lossProbability }) => ({ lossProbability }),
  headline: () => "",
  columns: [
    { key: "first", title: ["noticed after", "first, s"], digits: 2 },
    { key: "half", title: ["", "p50, s"], digits: 2 },
    { key: "most", title: ["", "p99, s"], digits: 2 },
    { key: "last", title: ["", "last, s"], digits: 2 },
    { key: "missed", title: ["not", "noticed"], digits: 0 },
    { key: "dead", title: ["for dead", "p50, s"], digits: 2 },
    { key: "falsePositives", title: ["false positives", "an hour"], digits: 0 },
    { key: "suspected", title: ["wrong suspicions", "an hour"], digits: 0 },
    { key: "messages", title: ["a node and s", "messages"], digits: 1 },
    { key: "bytes", title: ["", "bytes"], digits: 0 }
  ],
  panels: [
    { title: "noticed after", unit: "s; ● p50, ○ p99, line: first to last", keys: ["first", "half", "most", "last"] },
    { title: "false positives", unit: "an hour, all nodes together", keys: ["falsePositives"] },
    { title: "messages", unit: "a node and second", keys: ["messages"] },
    { title: "bytes", unit: "a node and second", keys: ["bytes"] }
  ],
  legend: ({ lossProbability, seeds }) => [
    "noticed: until each other node suspects one that dies, or takes it for dead, over all nodes and seeds",
    "false positive: that a node which is up is taken for dead; where a detector never says so, that it is suspected",
    `wrong suspicions and false positives: with ${number(100 * lossProbability)} % of messages lost, ` +
      `${number(seeds)} × ${lossySeconds} s, all nodes together`,
    "bytes of messages as they are encoded, without what a transport adds"
  ],
  runsOf: ({ seeds }) => 2 * seeds,
  refuse: ({ card }, nodes) => {
    const messages = card.cost.worst.of(nodes)
    return messages > messagesMax
      ? `${number(messages)} messages a${/^[aeiou]/.test(card.cost.operation) ? "n" : ""} ${card.cost.operation}: left out`
      : undefined
  },
  measure
}
