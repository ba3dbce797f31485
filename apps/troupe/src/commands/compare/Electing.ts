/**
 * What is measured of elections, each in the simulator on the same seeds.
 *
 * All nodes start at once and elect a leader. When nobody has changed their mind for a while the leader crashes, for good,
 * and those that are left elect the next. All have the same failure detector; an election that has heartbeats of its own
 * does not listen to it.
 */
import { FailureDetector, Heartbeat } from "@troupe/failure-detection"
import { Simulation } from "@troupe/simulation"
import { type NodeId, Transport } from "@troupe/transport"
import { Clock, Context, Effect, Layer } from "effect"
import { type Demonstration, type Stage, unwatched } from "../../Demonstration.ts"
import { number } from "../../terminal/Screen.ts"
import { names } from "../../worlds/World.ts"
import { counted, type Sent, sizing } from "./Counted.ts"
import type { Asked, Measured, Measures } from "./Measures.ts"

/** Who agree, and don't change their mind for so long, have elected. */
const quietMillis = 5_000

/** They have not agreed for so long: they will not. */
const patienceMillis = 60_000

/** For so long it is counted what is sent while nothing happens. */
const idleSeconds = 10

/** More messages an election than this, and a run takes minutes. */
const messagesMax = 300_000

/** Whom each node follows, and what has been sent. */
class Followers {
  readonly sent: Sent = { messages: 0, bytes: 0 }
  background = 0
  changedAt = 0
  /** What had been sent by then. */
  sentAtChange: Sent = { messages: 0, bytes: 0 }
  private readonly leaders = new Map<NodeId.NodeId, NodeId.NodeId>()
  private readonly leadsSince = new Map<NodeId.NodeId, number>()
  private readonly living: Set<NodeId.NodeId>

  constructor(nodes: ReadonlyArray<NodeId.NodeId>) {
    this.living = new Set(nodes)
  }

  follow(node: NodeId.NodeId, leader: NodeId.NodeId | undefined, atMillis: number): void {
    if (!this.living.has(node)) return
    this.changedAt = atMillis
    this.sentAtChange = { ...this.sent }
    if (leader === undefined) this.leaders.delete(node)
    else this.leaders.set(node, leader)
    if (leader === node) this.leadsSince.set(node, atMillis)
  }

  bury(node: NodeId.NodeId): void {
    this.living.delete(node)
    this.leaders.delete(node)
  }

  /** The one, alive, whom all that are alive follow. */
  get leader(): NodeId.NodeId | undefined {
    const [leader, ...others] = new Set([...this.living].map((node) => this.leaders.get(node)))
    return others.length === 0 && leader !== undefined && this.living.has(leader) ? leader : undefined
  }

  since(leader: NodeId.NodeId): number {
    return this.leadsSince.get(leader) ?? this.changedAt
  }
}

const program = (demonstration: Demonstration, followers: Followers) => {
  const bytesOf = sizing(demonstration)
  const background = new Set(demonstration.card.cost.background)
  return (node: NodeId.NodeId) =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const transport = yield* Transport
      const now = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
      const stage: Stage = {
        ...unwatched,
        show: (_role, _detail, leader) => Effect.sync(() => followers.follow(node, leader?.id, now()))
      }
      const count = (message: unknown): void => {
        if (background.has((message as { readonly _tag: string })._tag)) {
          followers.background++
          return
        }
        followers.sent.messages++
        followers.sent.bytes += bytesOf(message)
      }
      const detector = Context.get(yield* Layer.build(Heartbeat.layer()), FailureDetector)
      yield* demonstration
        .program(stage)
        .pipe(
          Effect.provideService(Transport, counted(transport, demonstration, count)),
          Effect.provideService(FailureDetector, detector)
        )
    })
}

interface Elected extends Sent {
  /** Until the leader led, and until all followed it. */
  readonly leadsMillis: number
  readonly agreedMillis: number
}

/** One election: from now until nobody changes their mind, if that comes. `before` was sent earlier. */
const awaited = (followers: Followers, world: Simulation.Simulator["world"], before: Sent) =>
  Effect.gen(function* () {
    const from = world.nowMillis
    const isSettled = (): boolean =>
      followers.leader !== undefined && world.nowMillis - Math.max(from, followers.changedAt) >= quietMillis
    while (!isSettled() && world.nowMillis - from < patienceMillis) yield* Effect.sleep(50)
    const { changedAt, leader, sentAtChange } = followers
    if (!isSettled() || leader === undefined) return undefined
    const elected: Elected = {
      messages: sentAtChange.messages - before.messages,
      bytes: sentAtChange.bytes - before.bytes,
      leadsMillis: followers.since(leader) - from,
      agreedMillis: changedAt - from
    }
    return elected
  })

interface Run {
  readonly seed: number
  readonly first?: Elected | undefined
  readonly next?: Elected | undefined
  /** Messages a second, of whatever kind, while nothing happens. */
  readonly idle?: number | undefined
  readonly wrong?: string
}

const electing = (demonstration: Demonstration, { crash, nodes }: Asked, seed: number) =>
  Effect.gen(function* () {
    const followers = new Followers(names(nodes))
    const { value, violations } = yield* Simulation.run({
      ...{ seed, nodes: names(nodes), duration: "1 day" },
      program: program(demonstration, followers),
      test: ({ crash: kill, world }) =>
        Effect.gen(function* () {
          const first = yield* awaited(followers, world, { messages: 0, bytes: 0 })
          if (first === undefined || crash === "none") return { first, next: undefined, idle: undefined }
          const sent = (): number => followers.background + followers.sent.messages
          const before = sent()
          yield* Effect.sleep(idleSeconds * 1_000)
          const idle = (sent() - before) / idleSeconds
          // At a moment of its own in each seed.
          yield* Effect.sleep((137 * seed) % 1_000)
          const leader = followers.leader
          if (leader === undefined) return { first, next: undefined, idle }
          yield* kill(leader)
          followers.bury(leader)
          return { first, next: yield* awaited(followers, world, { ...followers.sent }), idle }
        })
    })
    const wrong = violations.map(({ detail, name }) => `${name}, ${detail}`)[0]
    const run: Run = { seed, ...value, ...(wrong === undefined ? {} : { wrong }) }
    return run
  })

const measure: Measures["measure"] = (demonstration, asked, onRun) =>
  Effect.gen(function* () {
    const runs: Array<Run> = []
    for (let seed = 1; seed <= asked.seeds; seed++) {
      runs.push(yield* electing(demonstration, asked, seed))
      yield* onRun
    }
    return summary(runs)
  })

const mean = <A>(values: ReadonlyArray<A>, of: (value: A) => number): number | undefined =>
  values.length === 0 ? undefined : values.reduce((total, value) => total + of(value), 0) / values.length

const summary = (runs: ReadonlyArray<Run>): Measured => {
  const wrong = runs.find((run) => run.wrong !== undefined)
  if (wrong !== undefined) return { values: {}, leftOut: `fails with seed ${wrong.seed}: ${wrong.wrong}` }
  const first = runs.flatMap((run) => run.first ?? [])
  if (first.length === 0) {
    return { values: {}, leftOut: `no leader whom all follow within ${patienceMillis / 1_000} s, in any seed` }
  }
  const next = runs.flatMap((run) => run.next ?? [])
  const idle = runs.flatMap((run) => run.idle ?? [])
  const values = {
    startMessages: mean(first, ({ messages }) => messages),
    startBytes: mean(first, ({ bytes }) => bytes),
    startSeconds: mean(first, ({ agreedMillis }) => agreedMillis / 1_000),
    messages: mean(next, ({ messages }) => messages),
    bytes: mean(next, ({ bytes }) => bytes),
    leads: mean(next, ({ leadsMillis }) => leadsMillis / 1_000),
    agreed: mean(next, ({ agreedMillis }) => agreedMillis / 1_000),
    settled: idle.length === 0 ? undefined : next.length,
    idle: mean(idle, (messages) => messages)
  }
  return { values }
}

export const electingMeasures: Measures = {
  flags: ["crash"],
  conditions: ({ crash }) => ({ crash }),
  headline: ({ crash }) => (crash === "leader" ? "the leader crashes" : "nobody crashes"),
  columns: [
    { key: "startMessages", title: ["all start", "messages"], digits: 1 },
    { key: "startBytes", title: ["", "bytes"], digits: 0 },
    { key: "startSeconds", title: ["", "agreed, s"], digits: 2 },
    { key: "messages", title: ["the leader crashes", "messages"], digits: 1 },
    { key: "bytes", title: ["", "bytes"], digits: 0 },
    { key: "leads", title: ["", "next leads, s"], digits: 2 },
    { key: "agreed", title: ["", "all agree, s"], digits: 2 },
    { key: "settled", title: ["seeds that", "agreed"], digits: 0 },
    { key: "idle", title: ["nothing happens", "messages a s"], digits: 0 }
  ],
  panels: [
    { title: "all start", unit: "messages", keys: ["startMessages"] },
    { title: "the leader crashes", unit: "messages", keys: ["messages"] },
    { title: "the leader crashes", unit: "bytes", keys: ["bytes"] },
    { title: "until the next leads", unit: "s", keys: ["leads"] },
    { title: "until all agree", unit: "s", keys: ["agreed"] }
  ],
  legend: ({ crash, seeds }) => [
    "all start: from a start of all nodes at once until all follow one leader; means over the seeds",
    ...(crash === "none"
      ? []
      : [
          "the leader crashes, for good: until the next one leads, and until all that are left follow it",
          `agreed: in so many of the seeds they did, ${number(seeds)} in all, within ${patienceMillis / 1_000} s; – where they did in none`,
          "all have a heartbeat detector, every second with a deadline of three, whose messages are not counted; elections with heartbeats of their own don't ask it"
        ]),
    "messages of an election: those until all agree, without what the card sets apart, such as heartbeats",
    "bytes of messages as they are encoded, without what a transport adds"
  ],
  runsOf: ({ seeds }) => seeds,
  refuse: ({ card }, nodes) => {
    const messages = card.cost.worst.of(nodes)
    return messages > messagesMax ? `up to ${number(messages)} messages an election: left out` : undefined
  },
  measure
}
